package io.github.vfio4j;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The limits of a type1 IOMMU ({@code VFIO_IOMMU_GET_INFO} with its capability chain).
 *
 * @param pageSizes bitmap of the page sizes in bytes that the IOMMU can map; the lowest bit is the granule to which
 *     IOVA, memory address and size must be aligned
 * @param ranges the IOVAs that can be mapped, ascending; empty when the kernel names none, and then all can
 * @param mappingsLeft how many more mappings this container may hold; empty on kernels that do not say
 * @param dirtyTracking what the kernel can tell of dirty pages; empty on kernels that do not say
 */
public record Type1Info(
        long pageSizes, List<IovaRange> ranges, OptionalInt mappingsLeft, Optional<DirtyTrackingInfo> dirtyTracking) {
    /** Makes an info; the list is copied. */
    public Type1Info {
        ranges = Given.elements(ranges, "ranges");
        Objects.requireNonNull(mappingsLeft, "mappingsLeft");
        Objects.requireNonNull(dirtyTracking, "dirtyTracking");
    }

    /**
     * Returns the smallest page size: the granule of every mapping.
     *
     * @return bytes
     */
    public long granule() {
        return Long.lowestOneBit(pageSizes);
    }
}
