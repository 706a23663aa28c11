package io.github.vfio4j.sim;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A container (Linux: struct vfio_container): groups, and the IOMMU that they share once it is set. It lives while its
 * file is open or a group is in it. Guarded by the kernel's lock.
 */
final class VfioContainer {
    private final List<VfioGroup> groups = new ArrayList<>();
    private Type1Iommu iommu;

    List<VfioGroup> groups() {
        return groups;
    }

    /** The IOMMU, from VFIO_SET_IOMMU until the last group leaves. */
    Optional<Type1Iommu> iommu() {
        return Optional.ofNullable(iommu);
    }

    void setIommu(Type1Iommu type1) {
        groups.forEach(group -> type1.attach(group.iommuGroup()));
        iommu = type1;
    }

    void add(VfioGroup group) {
        groups.add(group);
        group.iommuGroup().claimed = true;
        if (iommu != null) {
            iommu.attach(group.iommuGroup());
        }
    }

    /** A group leaves. With the last one goes the IOMMU and every mapping. */
    void remove(VfioGroup group) {
        groups.remove(group);
        if (iommu != null) {
            iommu.detach(group.iommuGroup());
            if (groups.isEmpty()) {
                iommu.end();
                iommu = null;
            }
        }
        group.iommuGroup().claimed = false;
    }
}
