package io.github.vfio4j;

import io.github.vfio4j.spi.EventPort;

/**
 * An eventfd that has the kernel write a value to a register of a BAR each time it is signalled; from
 * {@link Region#ioEventFd}. It ends with the device. Safe from any thread.
 */
public final class IoEventFd implements AutoCloseable {
    final EventPort event;
    final long offset; // in the device file
    final int width;
    final long value;

    private final Device device;

    IoEventFd(Device device, EventPort event, long offset, int width, long value) {
        this.device = device;
        this.event = event;
        this.offset = offset;
        this.width = width;
        this.value = value;
    }

    /**
     * Signals the eventfd: the kernel writes the register, soon and not necessarily before this returns. Signals that come
     * faster than it writes become one write. Nothing is written while the device's memory decode is off.
     *
     * @throws VfioException {@code EBADF} if this is closed
     */
    public void signal() {
        event.write();
    }

    /**
     * Takes it off the register and closes the eventfd. Idempotent.
     *
     * @throws VfioException if the kernel refuses; the eventfd is closed all the same
     */
    @Override
    public void close() {
        device.close(this);
    }
}
