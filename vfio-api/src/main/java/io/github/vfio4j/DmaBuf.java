package io.github.vfio4j;

import io.github.vfio4j.spi.DmaBufPort;

/**
 * Parts of a BAR that other drivers can give to their devices (a dma-buf); from {@link Features#exportDmaBuf}. The
 * kernel takes access away while memory decode is off or the device is reset, and for good when the device is closed.
 * Safe from any thread.
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
