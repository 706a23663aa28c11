package io.github.vfio4j.ffm.port;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/**
 * The native memory of one system call in flight: where errno is captured, and room for an argument struct. A descriptor
 * owns its frames and uses them again; two calls at the same time never share one.
 */
public final class Frame {
    /** Bytes of {@link #arg}: every fixed-size argument of linux/vfio.h fits, and the first piece of any chain. */
    public static final int ARG_BYTES = 512;

    static final StructLayout CAPTURE = Linker.Option.captureStateLayout();

    /** The argument struct, 8-byte aligned. */
    public final MemorySegment arg;

    final MemorySegment errno;

    /** Makes a frame that lives as long as it is reachable. */
    public Frame() {
        Arena arena = Arena.ofAuto();
        arg = arena.allocate(ARG_BYTES, 8);
        errno = arena.allocate(CAPTURE);
    }
}
