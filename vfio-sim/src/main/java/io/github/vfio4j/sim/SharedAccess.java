package io.github.vfio4j.sim;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/** Single accesses to memory that driver and device share. */
final class SharedAccess {
    static final VarHandle BYTE = ValueLayout.JAVA_BYTE.varHandle();
    static final VarHandle SHORT = ValueLayout.JAVA_SHORT.varHandle();
    static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
    static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

    private SharedAccess() {}

    /** Copies so that the end is visible last: what polls the end of an entry finds the whole entry. */
    static void copyEndLast(MemorySegment source, MemorySegment target) {
        long size = target.byteSize();
        long end = target.address() + size;
        int unit = end % 8 == 0 && size >= 8 ? 8 : end % 4 == 0 && size >= 4 ? 4 : 1;
        long last = size - unit;
        MemorySegment.copy(source, 0, target, 0, last);
        switch (unit) {
            case 8 -> LONG.setRelease(target, last, source.get(ValueLayout.JAVA_LONG_UNALIGNED, last));
            case 4 -> INT.setRelease(target, last, source.get(ValueLayout.JAVA_INT_UNALIGNED, last));
            default -> BYTE.setRelease(target, last, source.get(ValueLayout.JAVA_BYTE, last));
        }
    }

    /** Returns the little-endian number that a small buffer holds: 1, 2, 4 or 8 bytes. */
    static long get(MemorySegment buffer) {
        long value = 0;
        for (long i = buffer.byteSize() - 1; i >= 0; i--) {
            value = value << 8 | Byte.toUnsignedLong(buffer.get(ValueLayout.JAVA_BYTE, i));
        }
        return value;
    }

    /** Puts a number into a small buffer, little-endian: as many bytes as the buffer has. */
    static void put(MemorySegment buffer, long value) {
        for (long i = 0; i < buffer.byteSize(); i++) {
            buffer.set(ValueLayout.JAVA_BYTE, i, (byte) (value >>> 8 * i));
        }
    }
}
