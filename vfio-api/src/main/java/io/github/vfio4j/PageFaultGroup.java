package io.github.vfio4j;

import java.util.List;

/**
 * Page faults that a device waits to have answered together; from a {@link FaultQueue}. The kernel ends a group with the
 * fault that has {@code IOMMU_PGFAULT_FLAGS_LAST_PAGE}.
 *
 * @param cookie the kernel's number of the group; it is given again once the group was answered
 * @param faults the faults, in the kernel's order
 */
public record PageFaultGroup(int cookie, List<PageFault> faults) {
    /** Makes a group; the list is copied. */
    public PageFaultGroup {
        faults = Given.elements(faults, "faults");
    }
}
