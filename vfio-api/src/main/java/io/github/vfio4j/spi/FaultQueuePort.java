package io.github.vfio4j.spi;

import io.github.vfio4j.PageFault;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/** An open file of page faults of devices ({@code IOMMU_FAULT_QUEUE_ALLOC}). */
public interface FaultQueuePort extends ReadablePort {
    /**
     * A page fault as the kernel tells of it ({@code struct iommu_hwpt_pgfault}).
     *
     * @param device the number of the device in the iommufd
     * @param pasid the PASID, if the request has one
     * @param last whether it is the last one of its group
     * @param group the device's number of the group
     * @param permissions what the device wants to do
     * @param address the address
     * @param length how many bytes the device expects to need; 0 if it does not tell
     * @param cookie the kernel's number of the group
     */
    record Fault(
            int device,
            OptionalInt pasid,
            boolean last,
            int group,
            Set<PageFault.Permission> permissions,
            long address,
            int length,
            int cookie) {}

    /**
     * Returns the number of the queue in the iommufd.
     *
     * @return the number
     */
    int id();

    /**
     * Takes the faults that are there ({@code read}). Does not wait.
     *
     * @return whole groups, each up to its last fault; none if there is none
     */
    List<Fault> read();

    /**
     * Answers a group of faults ({@code write} of {@code struct iommu_hwpt_page_response}).
     *
     * @param cookie the kernel's number of the group
     * @param success whether what was missing is there now
     */
    void respond(int cookie, boolean success);
}
