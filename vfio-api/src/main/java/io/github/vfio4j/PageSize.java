package io.github.vfio4j;

/**
 * The pages that memory for devices is made of. The larger they are, the fewer entries the IOMMU needs, and the fewer it
 * looks up while devices work.
 */
public enum PageSize {
    /** The machine's own pages, 4 KiB on x86-64. */
    BASE(0),
    /** Huge pages of 2 MiB ({@code MAP_HUGE_2MB}), of those that an administrator has reserved. */
    HUGE_2M(1L << 21),
    /** Huge pages of 1 GiB ({@code MAP_HUGE_1GB}), of those that an administrator has reserved. */
    HUGE_1G(1L << 30);

    private final long hugeBytes;

    PageSize(long hugeBytes) {
        this.hugeBytes = hugeBytes;
    }

    /**
     * Returns the size of a huge page.
     *
     * @return bytes; 0 for pages that are none
     */
    public long hugeBytes() {
        return hugeBytes;
    }
}
