package io.github.vfio4j;

/** What a page table of the hardware shall be able to do, asked for when it is made ({@code IOMMU_HWPT_ALLOC}). */
public enum HwptFlag {
    /** A guest's page tables can be nested in it ({@code IOMMU_HWPT_ALLOC_NEST_PARENT}). */
    NEST_PARENT,
    /** It tracks which pages devices write ({@code IOMMU_HWPT_ALLOC_DIRTY_TRACKING}): {@link Hwpt#trackDirtyPages}. */
    DIRTY_TRACKING,
    /**
     * PASIDs of devices can be attached to it ({@code IOMMU_HWPT_ALLOC_PASID}, since Linux 6.15): {@link Device#attachPasid}.
     * A device that has PASIDs attached is itself attached to such a page table, or not at all.
     */
    PASID
}
