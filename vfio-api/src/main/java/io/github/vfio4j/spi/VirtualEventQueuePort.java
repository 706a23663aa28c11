package io.github.vfio4j.spi;

import io.github.vfio4j.VirtualEvent;
import java.util.List;

/** An open file of events of a virtual IOMMU ({@code IOMMU_VEVENTQ_ALLOC}). */
public interface VirtualEventQueuePort extends ReadablePort {
    /**
     * Returns the number of the queue in the iommufd.
     *
     * @return the number
     */
    int id();

    /**
     * Takes the events that are there ({@code read}). Does not wait.
     *
     * @return the events, oldest first; none if there is none
     */
    List<VirtualEvent> read();
}
