package io.github.vfio4j.examples.driver;

import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.DmaSlice;

/** Cuts a DMA buffer into aligned, zeroed slices, from its start to its end. For one thread. */
public final class DmaSlices {
    private final DmaBuffer buffer;
    private final int alignment;
    private long used;

    /**
     * Starts at the beginning of a buffer. Whoever gives it closes it.
     *
     * @param buffer the memory
     * @param alignment what each slice's IOVA is a multiple of, a power of two, at least 8
     */
    public DmaSlices(DmaBuffer buffer, int alignment) {
        this.buffer = buffer;
        this.alignment = alignment;
    }

    /**
     * Cuts the next slice off.
     *
     * @param bytes its size
     * @return memory full of zeros
     * @throws IllegalArgumentException if the buffer ends before
     */
    public DmaSlice take(long bytes) {
        long iova = (buffer.iova() + used + alignment - 1) / alignment * alignment;
        long start = iova - buffer.iova();
        if (bytes > buffer.size() - start) {
            throw new IllegalArgumentException("%d bytes of DMA memory are too few: %d are in use, %d more are needed"
                    .formatted(buffer.size(), start, bytes));
        }
        used = start + bytes;
        DmaSlice slice = buffer.slice(start, bytes);
        slice.segment().fill((byte) 0);
        return slice;
    }
}
