package io.github.vfio4j.sim;

import io.github.vfio4j.ffm.gen.vfio_bitmap;
import java.lang.foreign.MemorySegment;

/**
 * A bitmap of dirty pages that a program asks for (struct vfio_bitmap).
 *
 * @param pageSize bytes for each bit, as the program says
 * @param bytes the size of the bitmap, as the program says
 * @param address where it is
 * @param memory what is there
 */
record BitmapRequest(long pageSize, long bytes, long address, UserMemory memory) {
    private static final long MOST_BYTES = 1 << 28; // DIRTY_BITMAP_SIZE_MAX
    private static final long ADDRESS_SPACE = (1L << 47) - Memory.PAGE; // TASK_SIZE of x86-64

    /**
     * Reads a struct vfio_bitmap.
     *
     * @param argument the ioctl's argument, which the bitmap may be a part of
     */
    static BitmapRequest of(SimProcess caller, UserMemory argument, MemorySegment bitmap) {
        long address = vfio_bitmap.data(bitmap).address();
        return new BitmapRequest(
                vfio_bitmap.pgsize(bitmap), vfio_bitmap.size(bitmap), address, argument.pointer(caller, address));
    }

    /** Is it in the program's half of the address space, and is there a bit for each page of a range? */
    boolean fits(long size) {
        long end = address + bytes;
        boolean programs = address >= 0 && bytes >= 0 && end >= 0 && end <= ADDRESS_SPACE;
        long pages = size >>> Long.numberOfTrailingZeros(pageSize);
        // Linux takes an undefined number of zeros for a page size of 0; a program that gives it gets EINVAL in any case.
        return programs
                && pageSize != 0
                && pages != 0
                && bytes != 0
                && bytes <= MOST_BYTES
                && Long.compareUnsigned(pages, MOST_BYTES * Byte.SIZE) <= 0
                && bytes >= DirtyPages.bytes(pages);
    }
}
