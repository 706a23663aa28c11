package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The submission queue entry that is being carried out: a private copy of its 64 bytes. Made once, filled often. */
final class Command {
    static final int BYTES = 64;

    private static final ValueLayout.OfInt INT32 = JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong INT64 = JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment entry = Arena.ofAuto().allocate(BYTES, 8);

    /** The bytes, to be filled from the submission queue. */
    MemorySegment entry() {
        return entry;
    }

    int opcode() {
        return dword(0) & 0xff;
    }

    /** True for a fused command or one whose data is described by SGLs: this controller does neither. */
    boolean fusedOrScattered() {
        return (dword(0) & 0xc300) != 0;
    }

    int id() {
        return dword(0) >>> 16;
    }

    int namespaceId() {
        return dword(1);
    }

    long prp1() {
        return entry.get(INT64, 24);
    }

    long prp2() {
        return entry.get(INT64, 32);
    }

    int dword(int index) {
        return entry.get(INT32, 4L * index);
    }

    /** Two command dwords as one number, the lower one first. */
    long qword(int lowDword) {
        return Integer.toUnsignedLong(dword(lowDword)) | (long) dword(lowDword + 1) << 32;
    }

    int low16(int index) {
        return dword(index) & 0xffff;
    }

    int high16(int index) {
        return dword(index) >>> 16;
    }
}
