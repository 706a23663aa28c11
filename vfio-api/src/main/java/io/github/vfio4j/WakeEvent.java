package io.github.vfio4j;

import io.github.vfio4j.spi.EventPort;

/**
 * Tells that a device woke from low power; from {@link Features#enterLowPowerUntilWoken}. Ends with the device. Safe from
 * any thread.
 */
public final class WakeEvent implements AutoCloseable {
    private final Device device;
    private final EventPort event;

    WakeEvent(Device device, EventPort event) {
        this.device = device;
        this.event = event;
    }

    /**
     * Asks whether the device woke (a read of the eventfd), and forgets it. Does not wait.
     *
     * @return true if it woke since the last time this was asked
     * @throws VfioException {@code EBADF} if this is closed
     */
    public boolean poll() {
        return event.read() != 0;
    }

    /** Closes the eventfd. The device stays as it is. Idempotent. */
    @Override
    public void close() {
        device.forget(this);
        event.close();
    }
}
