package io.github.vfio4j;

/**
 * A command of a guest to have Arm's SMMUv3 forget something ({@code iommu_viommu_arm_smmuv3_invalidate}):
 * {@link Viommu#invalidate}. The kernel takes TLBI_NSNH_ALL, TLBI_NH_VA, TLBI_NH_VAA, TLBI_NH_ALL, TLBI_NH_ASID, ATC_INV,
 * CFGI_CD and CFGI_CD_ALL, with the StreamIDs of the guest.
 *
 * @param word0 its first double word
 * @param word1 its second
 */
public record SmmuCommand(long word0, long word1) {}
