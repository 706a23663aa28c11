package io.github.vfio4j.sim;

import java.util.ArrayList;
import java.util.List;

/**
 * The functions that the IOMMU cannot tell apart (Linux: struct iommu_group). A host driver on any of them, a VFIO
 * container and an iommufd exclude each other: the owner of the group's DMA is one of the three.
 */
final class IommuGroup {
    final int number;
    final GroupType type;
    final SimIommu iommu; // null without one
    final List<PciFunction> members = new ArrayList<>(); // does not change once the group is there

    private Object owner; // guarded by the kernel's lock, as the next
    private int claims;

    /** The VFIO side; null while no member is bound to vfio-pci. Guarded by the kernel's lock. */
    VfioGroup vfio;

    /**
     * What translates the members' DMA; null for nothing (the blocking domain, or the host's own). Written under the
     * kernel's lock and that of the IOMMU, so that DMA in flight ends before it changes.
     */
    volatile Translation translation;

    IommuGroup(int number, GroupType type, SimIommu iommu) {
        this.number = number;
        this.type = type;
        this.iommu = iommu;
    }

    /** A container or an iommufd takes the group's DMA, or takes it once more. */
    void claim(Object by) {
        owner = by;
        claims++;
    }

    /** It gives one claim up. */
    void unclaim() {
        if (--claims == 0) {
            owner = null;
        }
    }

    /** Is the DMA of the group in the hands of a container or an iommufd? */
    boolean claimed() {
        return claims > 0;
    }

    /** Is the DMA of the group in somebody's hands? (owner_cnt != 0) */
    boolean owned() {
        return claimed() || !viable();
    }

    /** Is it in somebody else's hands? */
    boolean ownedByOther(Object asker) {
        return claimed() ? owner != asker : !viable();
    }

    /** Is no member in the hands of a host driver? */
    boolean viable() {
        return type != GroupType.IOMMU || members.stream().noneMatch(PciFunction::ownedByHost);
    }
}
