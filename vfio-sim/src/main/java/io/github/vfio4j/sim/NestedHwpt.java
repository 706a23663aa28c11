package io.github.vfio4j.sim;

import java.util.Arrays;

/**
 * A guest's page table, nested in another (Linux: struct iommufd_hwpt_nested). The IOMMU of {@link MockDevice} alone nests
 * any; what it remembers of one are four numbers. Guarded by the kernel's lock.
 */
final class NestedHwpt extends PageTableObject {
    private static final int REMEMBERED = 4; // MOCK_NESTED_DOMAIN_IOTLB_NUM

    private final IommuObject parent;
    private final int[] iotlb = new int[REMEMBERED];

    NestedHwpt(IommuObject parent, int iotlb) {
        super(parent.iommufd);
        this.parent = parent;
        Arrays.fill(this.iotlb, iotlb);
        parent.users++;
    }

    IommuObject parent() {
        return parent;
    }

    /** What the IOMMU remembers at an index; not even that beyond the end. */
    boolean remembers(int index, int value) {
        return Integer.compareUnsigned(index, REMEMBERED) < 0 && iotlb[index] == value;
    }

    /** Has the IOMMU forget something, or all; false beyond the end. */
    boolean forget(int index, boolean all) {
        if (Integer.compareUnsigned(index, REMEMBERED) >= 0) {
            return false;
        }
        Arrays.fill(iotlb, all ? 0 : index, all ? REMEMBERED : index + 1, 0);
        return true;
    }

    @Override
    void destroyed() {
        super.destroyed();
        parent.users--;
    }

    @Override
    public String toString() {
        return "page table " + id + " nested in " + parent;
    }
}
