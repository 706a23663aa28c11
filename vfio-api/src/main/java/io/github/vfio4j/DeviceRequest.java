package io.github.vfio4j;

import java.time.Instant;
import java.util.Objects;

/**
 * Somebody wants a device back: an administrator unbinds it from its driver, say, and waits until it is closed.
 *
 * @param device the device
 * @param deadline when the library closes it, if the program has not
 */
public record DeviceRequest(Device device, Instant deadline) {
    /** Nothing is null. */
    public DeviceRequest {
        Objects.requireNonNull(device, "device");
        Objects.requireNonNull(deadline, "deadline");
    }
}
