package io.github.vfio4j.examples;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What the demo writes: 8 bytes at a time, each different for every place on the disk and every run, so that neither
 * blocks in the wrong place nor the remains of another run pass for right.
 */
final class Pattern {
    private static final ValueLayout.OfLong INT64 = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final long seed;

    Pattern(long seed) {
        this.seed = seed;
    }

    /** The 8 bytes at a place on the disk: the place and the seed, well mixed (the finalizer of SplitMix64). */
    long at(long diskOffset) {
        long z = seed + diskOffset * 0x9e37_79b9_7f4a_7c15L;
        z = (z ^ z >>> 30) * 0xbf58_476d_1ce4_e5b9L;
        z = (z ^ z >>> 27) * 0x94d0_49bb_1331_11ebL;
        return z ^ z >>> 31;
    }

    void fill(MemorySegment data, long diskOffset) {
        for (long offset = 0; offset < data.byteSize(); offset += Long.BYTES) {
            data.set(INT64, offset, at(diskOffset + offset));
        }
    }

    /** Fills memory with the opposite of what should be there, so that a read that does nothing is found out. */
    void fillWrong(MemorySegment data, long diskOffset) {
        for (long offset = 0; offset < data.byteSize(); offset += Long.BYTES) {
            data.set(INT64, offset, ~at(diskOffset + offset));
        }
    }

    /** Compares every byte; returns the offset in the memory of the first 8 that are wrong, or -1. */
    long firstWrong(MemorySegment data, long diskOffset) {
        for (long offset = 0; offset < data.byteSize(); offset += Long.BYTES) {
            if (data.get(INT64, offset) != at(diskOffset + offset)) {
                return offset;
            }
        }
        return -1;
    }
}
