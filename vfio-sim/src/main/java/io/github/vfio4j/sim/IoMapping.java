package io.github.vfio4j.sim;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A range of IOVAs that memory stands behind. */
abstract class IoMapping {
    static final int READ = 1; // VFIO_DMA_MAP_FLAG_READ
    static final int WRITE = 2; // VFIO_DMA_MAP_FLAG_WRITE

    final long iova;
    final long size;

    /** What devices may do: READ, WRITE. */
    final int access;

    IoMapping(long iova, long size, int access) {
        this.iova = iova;
        this.size = size;
        this.access = access;
    }

    long last() {
        return iova + size - 1;
    }

    /** Returns the memory from an offset on, as far as it lies in one piece; empty if that memory is gone. */
    abstract Optional<MemorySegment> memory(long offset, long bytes);

    @Override
    public String toString() {
        return "IOVA 0x%x to 0x%x".formatted(iova, last());
    }
}
