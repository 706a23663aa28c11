package io.github.vfio4j;

/**
 * A device's own log of the memory that it wrote; from {@link Features#startDmaLogging}. Unlike the IOMMU's (dirty page
 * tracking), it is exact to the device. Ends with the device. Safe from any thread.
 */
public final class DmaLogging implements AutoCloseable {
    private final Device device;
    private final long pageSize;
    private boolean closed; // guarded by the device's lock

    DmaLogging(Device device, long pageSize) {
        this.device = device;
        this.pageSize = pageSize;
    }

    /**
     * Returns the size of a page of the log, which the device chose: the one that was asked for, or a smaller one.
     *
     * @return bytes
     */
    public long pageSize() {
        return pageSize;
    }

    /**
     * Reads the log of a range and clears it ({@code VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT}).
     *
     * @param iova the first address, a multiple of the page
     * @param size bytes, a multiple of the page
     * @return which pages the device wrote since the log was read last
     * @throws IllegalArgumentException if the range is not of whole pages, wraps, or is too large for one bitmap
     * @throws RuleViolation if the log or the device is closed
     * @throws VfioException what the device's driver fails with
     */
    public DirtyBitmap report(long iova, long size) {
        if (size <= 0 || iova % pageSize != 0 || size % pageSize != 0) {
            throw new IllegalArgumentException(
                    "%d bytes at 0x%x are no whole pages of %d bytes".formatted(size, iova, pageSize));
        }
        if (Long.compareUnsigned(iova + size - 1, iova) < 0) {
            throw new IllegalArgumentException("%d bytes at 0x%x are beyond the last IOVA".formatted(size, iova));
        }
        DirtyBitmap.checkSize(size, pageSize);
        device.lock().lock();
        try {
            if (closed) {
                throw new RuleViolation(Rule.HANDLE_OPEN, Operation.DMA_LOGGING_REPORT, "");
            }
            device.checkOpen(Operation.DMA_LOGGING_REPORT);
            long[] words = device.port().features().reportDmaLogging(iova, size, pageSize);
            return new DirtyBitmap(iova, size, pageSize, words);
        } finally {
            device.lock().unlock();
        }
    }

    /**
     * Ends the log ({@code VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP}). Idempotent.
     *
     * @throws VfioException if the kernel refuses
     */
    @Override
    public void close() {
        device.lock().lock();
        try {
            if (!closed) {
                closed = true;
                device.forget(this);
                device.port().features().stopDmaLogging();
            }
        } finally {
            device.lock().unlock();
        }
    }
}
