package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The argument of an ioctl: a value, and the memory behind it if it is a pointer. What lies beyond the end of the memory
 * that the program handed over counts as not accessible (EFAULT).
 */
final class UserMemory {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    private final long value;
    private final MemorySegment memory;

    UserMemory(long value, MemorySegment memory) {
        this.value = value;
        this.memory = memory;
    }

    static UserMemory of(MemorySegment argument) {
        if (!argument.isNative()) {
            throw new IllegalArgumentException("a kernel takes native memory, not a Java array");
        }
        return new UserMemory(argument.address(), argument);
    }

    /** The argument itself, of an ioctl that takes it by value. */
    long value() {
        return value;
    }

    /** Bytes that are accessible from the pointer on. */
    long size() {
        return memory.byteSize();
    }

    /** Copies the first bytes of a struct into a zeroed kernel-side one (copy_from_user). */
    MemorySegment read(GroupLayout struct, long bytes) {
        MemorySegment copy = zeroed(struct);
        read(0, copy, bytes);
        return copy;
    }

    /** Copies bytes into the first bytes of a kernel-side buffer (copy_from_user). */
    void read(long offset, MemorySegment target, long bytes) {
        check(offset, bytes);
        MemorySegment.copy(memory, offset, target, 0, bytes);
    }

    byte readByte(long offset) {
        check(offset, 1);
        return memory.get(ValueLayout.JAVA_BYTE, offset);
    }

    int readInt(long offset) {
        check(offset, Integer.BYTES);
        return memory.get(INT, offset);
    }

    /** Copies the first bytes of a kernel-side buffer out (copy_to_user). */
    void write(long offset, MemorySegment source, long bytes) {
        check(offset, bytes);
        MemorySegment.copy(source, 0, memory, offset, bytes);
    }

    void writeLong(long offset, long what) {
        check(offset, Long.BYTES);
        memory.set(LONG, offset, what);
    }

    long readLong(long offset) {
        check(offset, Long.BYTES);
        return memory.get(LONG, offset);
    }

    /** Makes a kernel-side struct of zeros, aligned for every field. */
    static MemorySegment zeroed(GroupLayout struct) {
        return zeroed(struct.byteSize());
    }

    /** Makes a kernel-side buffer of zeros, 8-byte aligned. */
    static MemorySegment zeroed(long bytes) {
        return MemorySegment.ofArray(new long[Math.toIntExact((bytes + 7) / 8)]).asSlice(0, bytes);
    }

    private void check(long offset, long bytes) {
        if (offset < 0 || bytes < 0 || offset > memory.byteSize() - bytes) {
            throw new KernelError(Errno.EFAULT);
        }
    }
}
