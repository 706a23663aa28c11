package io.github.vfio4j.sim;

/** What stands between the devices of a group and memory (Linux: enum vfio_group_type). */
enum GroupType {
    /** An IOMMU. */
    IOMMU,
    /** The driver of mediated devices, which does the DMA itself and keeps to what is mapped. */
    EMULATED,
    /** Nothing. */
    NO_IOMMU
}
