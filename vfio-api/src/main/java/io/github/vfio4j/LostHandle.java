package io.github.vfio4j;

import java.util.Objects;
import java.util.Optional;

/**
 * A handle that a program opened and lost: nothing can close it any more. See {@link Vfio#reportLost}.
 *
 * @param what the handle, such as {@code device 0000:06:0d.0}
 * @param opened where it was opened, as the stack trace of an exception that nobody threw; empty unless asked for
 */
public record LostHandle(String what, Optional<Throwable> opened) {
    /** Nothing is null. */
    public LostHandle {
        Objects.requireNonNull(what, "what");
        Objects.requireNonNull(opened, "opened");
    }
}
