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
    private boolean noIommuSet;

    List<VfioGroup> groups() {
        return groups;
    }

    /** The IOMMU, from VFIO_SET_IOMMU until the last group leaves. */
    Optional<Type1Iommu> iommu() {
        return Optional.ofNullable(iommu);
    }

    /** Is VFIO_SET_IOMMU done, with whatever type? */
    boolean iommuSet() {
        return iommu != null || noIommuSet;
    }

    /** Are there groups, all of a type? */
    boolean holdsOnly(GroupType type) {
        return !groups.isEmpty() && groups.stream().allMatch(group -> group.iommuGroup().type == type);
    }

    /** Sets a type1 IOMMU that the groups were attached to. */
    void setIommu(Type1Iommu type1) {
        iommu = type1;
        groups.forEach(this::translate);
    }

    void setNoIommu() {
        noIommuSet = true;
    }

    void add(VfioGroup group) {
        groups.add(group);
        if (group.iommuGroup().type == GroupType.IOMMU) {
            group.iommuGroup().claim(this);
        }
        if (iommu != null) {
            iommu.attach(group.iommuGroup());
            translate(group);
        }
    }

    private void translate(VfioGroup group) {
        if (group.iommuGroup().type == GroupType.IOMMU) {
            iommu.translate(group.iommuGroup());
        }
    }

    /** A group leaves. With the last one goes the IOMMU and every mapping. */
    void remove(VfioGroup group) {
        groups.remove(group);
        if (iommu != null) {
            iommu.detach(group.iommuGroup());
        }
        if (groups.isEmpty()) {
            if (iommu != null) {
                iommu.end();
            }
            iommu = null;
            noIommuSet = false;
        }
        if (group.iommuGroup().type == GroupType.IOMMU) {
            group.iommuGroup().unclaim();
        }
    }
}
