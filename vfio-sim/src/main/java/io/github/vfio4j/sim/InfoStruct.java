package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A struct of an ioctl that begins with argsz, the size that the program gives it: what the kernel reads of it, and what
 * it writes back, with a chain of capabilities behind it where there is one.
 */
final class InfoStruct {
    private static final ValueLayout.OfInt ARGSZ = ValueLayout.JAVA_INT;

    final MemorySegment fields;
    private final UserMemory argument;
    private final long least;

    /**
     * Reads a struct.
     *
     * @param least what all kernels have of it; argsz and the memory cover this (EFAULT, EINVAL)
     */
    InfoStruct(UserMemory argument, GroupLayout layout, long least) {
        this.argument = argument;
        this.least = least;
        this.fields = argument.read(layout, least);
        if (argsz() < least) {
            throw new KernelError(Errno.EINVAL);
        }
    }

    /** Reads a struct that is the same on all kernels. */
    InfoStruct(UserMemory argument, GroupLayout layout) {
        this(argument, layout, layout.byteSize());
    }

    long argsz() {
        return Integer.toUnsignedLong(fields.get(ARGSZ, 0));
    }

    /** Writes back what all kernels have of it. */
    void write() {
        argument.write(0, fields, least);
    }

    /**
     * Writes the struct back and, if argsz has room for them, capabilities behind it; else argsz becomes what is needed.
     *
     * @param capOffset where the struct says where the chain starts
     */
    void write(KernelProfile kernel, long capOffset, MemorySegment... capabilities) {
        boolean older = kernel.isBefore(KernelProfile.V6_12); // capabilities are not padded to 8 bytes
        long size = fields.byteSize();
        long given = argsz();
        fields.set(ValueLayout.JAVA_INT, capOffset, 0);
        if (capabilities.length > 0) {
            MemorySegment chain = chain(older ? Integer.BYTES : Long.BYTES, capabilities).at(size);
            if (given < size + chain.byteSize()) {
                fields.set(ARGSZ, 0, (int) (size + chain.byteSize()));
            } else {
                argument.write(size, chain, chain.byteSize());
                fields.set(ValueLayout.JAVA_INT, capOffset, (int) size);
            }
        }
        argument.write(0, fields, older ? olderSize(given, capOffset) : Math.min(given, size));
    }

    /** Older kernels know a struct without the padding at its end, and write all of that or only the first part. */
    private long olderSize(long given, long capOffset) {
        long whole = Math.max(least, capOffset + Integer.BYTES);
        return given < whole ? least : whole;
    }

    private static CapabilityChain chain(int alignment, MemorySegment... capabilities) {
        CapabilityChain chain = new CapabilityChain(alignment);
        for (MemorySegment capability : capabilities) {
            chain.add(capability);
        }
        return chain;
    }
}
