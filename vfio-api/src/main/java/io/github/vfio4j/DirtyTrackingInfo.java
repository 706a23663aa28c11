package io.github.vfio4j;

/**
 * What a type1 IOMMU can tell of dirty pages ({@code struct vfio_iommu_type1_info_cap_migration}).
 *
 * @param pageSizes bitmap of the page sizes in bytes that a bit may stand for
 * @param largestBitmap bytes of the largest bitmap that can be read at once
 */
public record DirtyTrackingInfo(long pageSizes, long largestBitmap) {}
