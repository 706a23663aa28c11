package io.github.vfio4j.sim;

import java.util.ArrayList;
import java.util.List;

/**
 * The devices of an IOMMU group that are attached, all to one page table (Linux: struct iommufd_group). Guarded by the
 * kernel's lock.
 */
final class AttachedGroup {
    final IommuGroup group;
    final List<BoundPciDevice> devices = new ArrayList<>();

    /** Null while none is attached. */
    Hwpt hwpt;

    AttachedGroup(IommuGroup group) {
        this.group = group;
    }
}
