package io.github.vfio4j.sim.nvme;

import io.github.vfio4j.sim.PciBus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The blocks of one namespace. They live as long as the model: resets, power and new drivers leave them alone. Memory is
 * taken when blocks are first written, so a large namespace costs nothing until it is used; blocks never written read as
 * zeros.
 */
final class Namespace {
    private static final int EXTENT_BYTES = 256 << 10;
    private static final MemorySegment ZEROS = Arena.ofAuto().allocate(EXTENT_BYTES, 8).asReadOnly();

    private final int blockBytes;
    private final long blocks;
    private final MemorySegment[] extents;

    Namespace(long bytes, int blockBytes) {
        if (Integer.bitCount(blockBytes) != 1 || blockBytes < 512 || blockBytes > 4096) {
            throw new IllegalArgumentException("block size " + blockBytes + " is not 512, 1024, 2048 or 4096");
        }
        long most = (long) EXTENT_BYTES << 22;
        if (bytes <= 0 || bytes % blockBytes != 0 || bytes > most) {
            throw new IllegalArgumentException(
                    "namespace size " + bytes + " is not a multiple of the block size from 1 block to " + most + " bytes");
        }
        this.blockBytes = blockBytes;
        this.blocks = bytes / blockBytes;
        this.extents = new MemorySegment[(int) ((bytes + EXTENT_BYTES - 1) / EXTENT_BYTES)];
    }

    int blockBytes() {
        return blockBytes;
    }

    long blocks() {
        return blocks;
    }

    /** Tells whether the blocks are there; the first is unsigned, as in a command. */
    boolean holds(long firstBlock, int count) {
        return firstBlock >= 0 && firstBlock < blocks && count <= blocks - firstBlock;
    }

    /** Copies from the namespace to memory; false if the bus refused part of it. */
    boolean load(long offset, PageList pages, PciBus bus) {
        return transfer(offset, pages, bus, false);
    }

    /** Copies from memory to the namespace; false if the bus refused part of it, and then some may have changed. */
    boolean store(long offset, PageList pages, PciBus bus) {
        return transfer(offset, pages, bus, true);
    }

    private boolean transfer(long offset, PageList pages, PciBus bus, boolean toNamespace) {
        long at = offset;
        for (int i = 0; i < pages.count(); i++) {
            long iova = pages.iova(i);
            int left = pages.bytes(i);
            while (left > 0) {
                int inExtent = (int) (at % EXTENT_BYTES);
                int part = Math.min(left, EXTENT_BYTES - inExtent);
                MemorySegment memory = extent(at, toNamespace).asSlice(inExtent, part);
                if (!(toNamespace ? bus.dmaRead(iova, memory) : bus.dmaWrite(iova, memory))) {
                    return false;
                }
                at += part;
                iova += part;
                left -= part;
            }
        }
        return true;
    }

    private MemorySegment extent(long offset, boolean toWrite) {
        int index = (int) (offset / EXTENT_BYTES);
        MemorySegment extent = extents[index];
        if (extent != null) {
            return extent;
        }
        return toWrite ? extents[index] = Arena.ofAuto().allocate(EXTENT_BYTES, 8) : ZEROS;
    }
}
