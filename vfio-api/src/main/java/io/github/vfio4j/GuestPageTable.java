package io.github.vfio4j;

/**
 * A page table that a guest made, in its own memory, as the host's IOMMU reads it ({@code enum iommu_hwpt_data_type}):
 * {@link Hwpt#nest} nests it. Each kind of IOMMU has its own. Tested on made bytes: the IOMMU of the VM nests nothing.
 */
public sealed interface GuestPageTable {
    /**
     * A first-stage page table of Intel VT-d ({@code IOMMU_HWPT_DATA_VTD_S1}).
     *
     * @param address the guest-physical address of the table
     * @param addressWidth how many bits the guest's addresses have
     * @param supervisorRequests whether requests may be privileged ({@code IOMMU_VTD_S1_SRE})
     * @param extendedAccessed whether accessed pages are noted in extended flags ({@code IOMMU_VTD_S1_EAFE})
     * @param writeProtect whether privileged requests, too, write only what is writable ({@code IOMMU_VTD_S1_WPE})
     */
    record Vtd(
            long address,
            int addressWidth,
            boolean supervisorRequests,
            boolean extendedAccessed,
            boolean writeProtect)
            implements GuestPageTable {}

    /**
     * A stream table entry of Arm SMMUv3 ({@code IOMMU_HWPT_DATA_ARM_SMMUV3}).
     *
     * @param word0 its first double word
     * @param word1 its second
     */
    record ArmSmmuV3(long word0, long word1) implements GuestPageTable {}

    /**
     * A device table entry of AMD IOMMU ({@code IOMMU_HWPT_DATA_AMD_GUEST}).
     *
     * @param word0 its first double word
     * @param word1 its second
     * @param word2 its third
     * @param word3 its fourth
     */
    record Amd(long word0, long word1, long word2, long word3) implements GuestPageTable {}
}
