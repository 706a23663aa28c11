package io.github.vfio4j;

/** What a device may do with mapped memory: the direction is the device's, not the program's. */
public enum Access {
    /** The device may read the memory ({@code VFIO_DMA_MAP_FLAG_READ}). */
    READ(1),
    /** The device may write the memory ({@code VFIO_DMA_MAP_FLAG_WRITE}). */
    WRITE(2),
    /** The device may read and write the memory. */
    READ_WRITE(3);

    private final int flags;

    Access(int flags) {
        this.flags = flags;
    }

    /**
     * Returns the flags of {@code struct vfio_iommu_type1_dma_map}.
     *
     * @return READ is bit 0, WRITE is bit 1
     */
    public int flags() {
        return flags;
    }
}
