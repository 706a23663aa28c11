package io.github.vfio4j;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * What {@code VFIO_DEVICE_GET_REGION_INFO} says of a region ({@code struct vfio_region_info}).
 *
 * @param index the region
 * @param readable it can be read
 * @param writable it can be written
 * @param size bytes; 0 for a region that the device does not have
 * @param offset where it starts in the device file; never computed from the index, drivers differ
 * @param areas the parts that can be mapped into the program: all of it, nothing, or what
 *     {@code VFIO_REGION_INFO_CAP_SPARSE_MMAP} names
 * @param msixMappable it holds the MSI-X table and can be mapped all the same
 *     ({@code VFIO_REGION_INFO_CAP_MSIX_MAPPABLE}); leave the table to the kernel, which writes it for the program
 * @param type what a device-specific region is ({@code VFIO_REGION_INFO_CAP_TYPE})
 */
public record RegionInfo(
        int index,
        boolean readable,
        boolean writable,
        long size,
        long offset,
        List<Area> areas,
        boolean msixMappable,
        Optional<Type> type) {
    /** Copies the list. */
    public RegionInfo {
        areas = Given.elements(areas, "areas");
        Objects.requireNonNull(type, "type");
    }

    /**
     * Tells whether anything of it can be mapped.
     *
     * @return true if {@link #areas} has something
     */
    public boolean mappable() {
        return !areas.isEmpty();
    }

    /**
     * Tells whether a part of it can be mapped.
     *
     * @param start bytes from the start of the region
     * @param length bytes
     * @return true if one area has all of it
     */
    public boolean mappable(long start, long length) {
        return areas.stream().anyMatch(area -> area.contains(start, length));
    }

    /**
     * A part of a region.
     *
     * @param offset bytes from the start of the region
     * @param size bytes
     */
    public record Area(long offset, long size) {
        boolean contains(long start, long length) {
            return start >= offset && length > 0 && length <= size && start - offset <= size - length;
        }
    }

    /**
     * What a device-specific region is. For a type of a PCI vendor the subtype is the vendor's, else linux/vfio.h has it.
     *
     * @param type {@code VFIO_REGION_TYPE_...}
     * @param subtype {@code VFIO_REGION_SUBTYPE_...}
     */
    public record Type(int type, int subtype) {
        private static final int PCI_VENDOR_TYPE = 1 << 31;
        private static final int PCI_VENDOR_MASK = 0xffff;

        /**
         * Returns the PCI vendor whose type it is.
         *
         * @return the vendor's number, such as 0x8086; empty for a type of linux/vfio.h
         */
        public Optional<Integer> vendorId() {
            return (type & PCI_VENDOR_TYPE) == 0 ? Optional.empty() : Optional.of(type & PCI_VENDOR_MASK);
        }
    }
}
