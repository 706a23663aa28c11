package io.github.vfio4j.sim;

import io.github.vfio4j.sim.DmaFault.Reason;
import java.lang.foreign.MemorySegment;

/** What translates the DMA of a group: the IOMMU of a container, or a page table of an iommufd. */
interface Translation {
    /** Copies between memory by IOVA and a device's buffer. Returns where it was stopped, or null if all was copied. */
    Stop access(IommuGroup group, boolean write, long iova, MemorySegment buffer);

    /** Where and why an access was stopped. */
    record Stop(long at, Reason reason) {}
}
