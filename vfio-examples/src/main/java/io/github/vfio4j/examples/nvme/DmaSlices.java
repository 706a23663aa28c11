package io.github.vfio4j.examples.nvme;

import io.github.vfio4j.DmaBuffer;
import java.lang.foreign.MemorySegment;

/** Cuts a DMA buffer into page-aligned, zeroed slices, from its start to its end. */
final class DmaSlices {
    private final DmaBuffer buffer;
    private final int pageBytes;
    private long used;

    DmaSlices(DmaBuffer buffer, int pageBytes) {
        this.buffer = buffer;
        this.pageBytes = pageBytes;
    }

    DmaSlice take(long bytes) {
        long iova = (buffer.iova() + used + pageBytes - 1) / pageBytes * pageBytes;
        long start = iova - buffer.iova();
        if (bytes > buffer.size() - start) {
            throw new IllegalArgumentException("%d bytes of DMA memory are too few: %d are in use, %d more are needed"
                    .formatted(buffer.size(), start, bytes));
        }
        used = start + bytes;
        MemorySegment slice = buffer.segment().asSlice(start, bytes);
        slice.fill((byte) 0);
        return new DmaSlice(slice, iova);
    }
}
