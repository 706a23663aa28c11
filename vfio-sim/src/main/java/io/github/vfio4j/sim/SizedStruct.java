package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemorySegment;

/**
 * A struct of an ioctl of an iommufd, which begins with the size that the program knows it in: what the kernel reads of
 * it, and what it writes back.
 */
final class SizedStruct {
    final MemorySegment fields;
    private final UserMemory argument;
    private final long given;

    /**
     * Reads a struct. What the program does not know is 0; what the kernel does not know must be.
     *
     * @param least what every program knows of it (EINVAL)
     * @param size the size that the program gives
     */
    SizedStruct(UserMemory argument, GroupLayout layout, long least, int size) {
        this.argument = argument;
        this.given = Integer.toUnsignedLong(size);
        if (given < least) {
            throw new KernelError(Errno.EINVAL);
        }
        for (long at = layout.byteSize(); at < given; at++) {
            if (argument.readByte(at) != 0) {
                throw new KernelError(Errno.E2BIG);
            }
        }
        fields = UserMemory.zeroed(layout);
        argument.read(0, fields, Math.min(given, layout.byteSize()));
    }

    /** Follows a pointer of the struct. */
    UserMemory pointer(SimProcess caller, long address) {
        return argument.pointer(caller, address);
    }

    /** Writes back as much as the program knows. */
    void write() {
        argument.write(0, fields, Math.min(given, fields.byteSize()));
    }

    /** Writes back one field alone. */
    void write(long offset, long bytes) {
        MemorySegment field = UserMemory.zeroed(bytes);
        field.copyFrom(fields.asSlice(offset, bytes));
        argument.write(offset, field, bytes);
    }
}
