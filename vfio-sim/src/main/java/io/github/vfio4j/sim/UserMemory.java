package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The argument of an ioctl: a value, and the memory behind it if it is a pointer. What lies beyond the end of the memory
 * that the program handed over counts as not accessible (EFAULT); so does what the program itself may not read or
 * write.
 */
final class UserMemory {
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
        if (!argument.scope().isAlive()) {
            throw new IllegalStateException("the argument's arena is closed");
        }
        return new UserMemory(argument.address(), argument);
    }

    /** The argument itself, of an ioctl that takes it by value. */
    long value() {
        return value;
    }

    /** Follows a pointer of the argument: into the argument's own memory, or to what the program mapped there. */
    UserMemory pointer(SimProcess caller, long address) {
        long inside = address - value;
        if (inside >= 0 && inside < memory.byteSize()) {
            return new UserMemory(address, memory.asSlice(inside));
        }
        return new UserMemory(address, caller.memory().at(address));
    }

    /** The memory from an offset on; none if that is beyond what is accessible. */
    MemorySegment slice(long offset) {
        return memory.asSlice(Math.min(offset, memory.byteSize()));
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
        copy(memory, offset, target, 0, offset, bytes);
    }

    byte readByte(long offset) {
        MemorySegment copy = zeroed(Byte.BYTES);
        read(offset, copy, Byte.BYTES);
        return copy.get(ValueLayout.JAVA_BYTE, 0);
    }

    int readInt(long offset) {
        MemorySegment copy = zeroed(Integer.BYTES);
        read(offset, copy, Integer.BYTES);
        return copy.get(ValueLayout.JAVA_INT, 0);
    }

    /** Copies the first bytes of a kernel-side buffer out (copy_to_user). */
    void write(long offset, MemorySegment source, long bytes) {
        if (bytes > 0 && memory.isReadOnly()) {
            throw new KernelError(Errno.EFAULT);
        }
        copy(source, 0, memory, offset, offset, bytes);
    }

    /** Makes a kernel-side struct of zeros, aligned for every field. */
    static MemorySegment zeroed(GroupLayout struct) {
        return zeroed(struct.byteSize());
    }

    /** Makes a kernel-side buffer of zeros, 8-byte aligned. */
    static MemorySegment zeroed(long bytes) {
        return MemorySegment.ofArray(new long[Math.toIntExact((bytes + 7) / 8)]).asSlice(0, bytes);
    }

    private void copy(
            MemorySegment from, long fromOffset, MemorySegment to, long toOffset, long offset, long bytes) {
        if (offset > memory.byteSize() - bytes) {
            throw new KernelError(Errno.EFAULT);
        }
        try {
            MemorySegment.copy(from, fromOffset, to, toOffset, bytes);
        } catch (IllegalStateException e) {
            throw new KernelError(Errno.EFAULT); // another thread unmapped it meanwhile
        }
    }
}
