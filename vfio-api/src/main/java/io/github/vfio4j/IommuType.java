package io.github.vfio4j;

/** The IOMMU types a container can be given with {@code VFIO_SET_IOMMU}. */
public enum IommuType {
    /** {@code VFIO_TYPE1_IOMMU}: unmapping part of a mapping removes all of it. Prefer {@link #TYPE1_V2}. */
    TYPE1(1),
    /** {@code VFIO_TYPE1v2_IOMMU}: an unmap that would cut a mapping is refused. */
    TYPE1_V2(3);

    private final int number;

    IommuType(int number) {
        this.number = number;
    }

    /**
     * Returns the number in {@code linux/vfio.h}.
     *
     * @return the number, which is also the extension's
     */
    public int number() {
        return number;
    }
}
