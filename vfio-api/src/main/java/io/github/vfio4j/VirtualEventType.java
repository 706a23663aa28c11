package io.github.vfio4j;

/** A kind of events of a virtual IOMMU ({@code enum iommu_veventq_type}); a queue has one kind. */
public enum VirtualEventType {
    /** Event records of Arm's SMMUv3 ({@code IOMMU_VEVENTQ_TYPE_ARM_SMMUV3}): {@link VirtualEvent.ArmSmmuV3}. */
    ARM_SMMUV3,
    /** Errors of Tegra241's command queues ({@code IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV}): {@link VirtualEvent.Tegra241Cmdqv}. */
    TEGRA241_CMDQV
}
