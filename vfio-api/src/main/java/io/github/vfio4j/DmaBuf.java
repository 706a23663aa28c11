package io.github.vfio4j;

import io.github.vfio4j.spi.DmaBufPort;

/**
 * Memory that other drivers can give to their devices (a dma-buf). Safe from any thread.
 *
 * <p>From {@link Features#exportDmaBuf} it is parts of a BAR; the kernel takes access away while memory decode is off or
 * the device is reset, and for good when the device is closed. From {@link Graphics#dmaBuf} it is a picture that the
 * device shows.
 */
public final class DmaBuf implements AutoCloseable {
    private final Device device;
    private final DmaBufPort port;

    DmaBuf(Device device, DmaBufPort port) {
        this.device = device;
        this.port = port;
    }

    /** Closes the file. Idempotent. */
    @Override
    public void close() {
        device.forget(this);
        port.close();
    }
}
