package io.github.vfio4j;

/**
 * What {@code VFIO_DEVICE_GET_REGION_INFO} says of a region ({@code struct vfio_region_info}).
 *
 * @param index the region
 * @param readable it can be read
 * @param writable it can be written
 * @param mappable it can be mapped into the program ({@code VFIO_REGION_INFO_FLAG_MMAP})
 * @param sparse only parts of it can be mapped ({@code VFIO_REGION_INFO_CAP_SPARSE_MMAP})
 * @param size bytes; 0 for a region that the device does not have
 * @param offset where it starts in the device file; never computed from the index, drivers differ
 */
public record RegionInfo(
        int index, boolean readable, boolean writable, boolean mappable, boolean sparse, long size, long offset) {}
