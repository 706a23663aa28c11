package io.github.vfio4j;

import java.util.List;

/**
 * What can be mapped in an address space of an iommufd ({@code IOMMU_IOAS_IOVA_RANGES}).
 *
 * @param ranges the IOVAs that can be mapped, ascending: what all attached devices and their IOMMUs can use
 * @param granule the unit of every mapping in bytes; 1 while no device is attached, and it grows with the first
 */
public record IoasInfo(List<IovaRange> ranges, long granule) {
    /** Makes an info; the list is copied. */
    public IoasInfo {
        ranges = Given.elements(ranges, "ranges");
    }
}
