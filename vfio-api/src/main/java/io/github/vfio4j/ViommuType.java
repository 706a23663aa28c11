package io.github.vfio4j;

/** A kind of virtual IOMMU ({@code enum iommu_viommu_type}): that of the hardware behind it. */
public enum ViommuType {
    /** Arm's SMMUv3 ({@code IOMMU_VIOMMU_TYPE_ARM_SMMUV3}). */
    ARM_SMMUV3,
    /**
     * Arm's SMMUv3 with the command queues of NVIDIA's Tegra241 ({@code IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV}): it has
     * {@linkplain Viommu#allocateHardwareQueue queues} that a guest fills itself, and a {@linkplain Viommu#page page} of
     * registers for them.
     */
    TEGRA241_CMDQV
}
