package io.github.vfio4j;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A request of a device for a page that is not there ({@code struct iommu_hwpt_pgfault}; PCIe's Page Request Interface).
 *
 * @param device the device; empty if it is none of the iommufd's open ones
 * @param pasid the PASID that the device used ({@code IOMMU_PGFAULT_FLAGS_PASID_VALID}); empty for none
 * @param group the device's own number of the group
 * @param permissions what the device wants to do
 * @param address the address that the device used
 * @param length how many bytes the device expects to need; 0 if it does not tell
 */
public record PageFault(
        Optional<Device> device,
        OptionalInt pasid,
        int group,
        Set<Permission> permissions,
        long address,
        int length) {
    /** What a device wants to do with a page ({@code enum iommu_hwpt_pgfault_perm}). */
    public enum Permission {
        /** Read ({@code IOMMU_PGFAULT_PERM_READ}). */
        READ,
        /** Write ({@code IOMMU_PGFAULT_PERM_WRITE}). */
        WRITE,
        /** Execute, with a PASID ({@code IOMMU_PGFAULT_PERM_EXEC}). */
        EXECUTE,
        /** Do it in privileged mode, with a PASID ({@code IOMMU_PGFAULT_PERM_PRIV}). */
        PRIVILEGED
    }

    /** Makes a page fault; the set is copied. */
    public PageFault {
        Objects.requireNonNull(device, "device");
        Objects.requireNonNull(pasid, "pasid");
        permissions = Set.copyOf(Given.elements(permissions, "permissions"));
    }
}
