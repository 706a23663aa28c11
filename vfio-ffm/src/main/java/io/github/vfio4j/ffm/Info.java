package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.gen.vfio_info_cap_header;
import io.github.vfio4j.ffm.port.Frame;
import java.lang.foreign.Arena;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The ioctls that answer with a struct and, behind it, a chain of capabilities. All of them begin with {@code argsz},
 * which the kernel sets to what the whole answer needs; a short buffer is no error, the chain is left out.
 */
final class Info {
    private static final ValueLayout.OfInt ARGSZ = ValueLayout.JAVA_INT;

    /** More than any kernel answers; what is larger is a broken answer. */
    private static final long MOST_BYTES = 1 << 20;

    /** What a caller does with one capability. */
    interface Visitor {
        /**
         * A capability.
         *
         * @param id which, in the numbering of the ioctl
         * @param capability its bytes from its header to the end of the whole answer; 4-byte aligned at least
         */
        void visit(int id, MemorySegment capability);
    }

    private Info() {}

    /**
     * Asks, with as large a buffer as the answer needs.
     *
     * @param prepare writes what the kernel reads beside argsz
     * @param decode reads the answer, which is gone afterwards
     */
    static <T> T ask(
            Fd fd,
            Operation operation,
            int request,
            Consumer<MemorySegment> prepare,
            Function<MemorySegment, T> decode) {
        return ask(fd, operation, request, Frame.ARG_BYTES, prepare, decode);
    }

    /**
     * Asks, first with a buffer of a given size.
     *
     * @param first bytes: some drivers refuse a buffer that is larger than their answer
     */
    static <T> T ask(
            Fd fd,
            Operation operation,
            int request,
            long first,
            Consumer<MemorySegment> prepare,
            Function<MemorySegment, T> decode) {
        Frame frame = fd.begin(operation);
        try {
            MemorySegment small = frame.arg.asSlice(0, first);
            long needed = ask(fd, operation, request, frame, small, prepare);
            if (needed <= first) {
                return decode.apply(small);
            }
            while (needed <= MOST_BYTES) { // again if the answer grew in between
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment buffer = arena.allocate(needed, 8);
                    needed = ask(fd, operation, request, frame, buffer, prepare);
                    if (needed <= buffer.byteSize()) {
                        return decode.apply(buffer);
                    }
                }
            }
            throw broken(operation, fd.subject() + " answers with " + needed + " bytes");
        } finally {
            fd.end(frame);
        }
    }

    private static long ask(
            Fd fd,
            Operation operation,
            int request,
            Frame frame,
            MemorySegment buffer,
            Consumer<MemorySegment> prepare) {
        buffer.fill((byte) 0);
        buffer.set(ARGSZ, 0, (int) buffer.byteSize());
        prepare.accept(buffer);
        fd.check(operation, fd.syscalls.ioctl(frame, fd.number, request, buffer));
        return Integer.toUnsignedLong(buffer.get(ARGSZ, 0));
    }

    /**
     * Visits the capabilities of an answer. A chain that leaves the answer or runs in a circle is an error, and so is a
     * capability of which the visitor reads more than the answer has.
     *
     * @param first the offset of the first capability, 0 for none
     * @param header the size of the struct before the chain
     */
    static void capabilities(Operation operation, MemorySegment answer, int first, long header, Visitor visitor) {
        long size = answer.byteSize();
        long most = size / vfio_info_cap_header.sizeof();
        long offset = Integer.toUnsignedLong(first);
        for (long count = 0; offset != 0; count++) {
            if (offset < header
                    || offset % 4 != 0
                    || offset > size - vfio_info_cap_header.sizeof()
                    || count == most) {
                throw broken(operation, "the capability chain is broken at offset " + offset + " of " + size);
            }
            MemorySegment capability = answer.asSlice(offset);
            try {
                visitor.visit(Short.toUnsignedInt(vfio_info_cap_header.id(capability)), capability);
            } catch (IndexOutOfBoundsException _) { // every read of a segment is checked
                throw broken(operation, "the capability at offset " + offset + " of the chain is cut off");
            }
            offset = Integer.toUnsignedLong(vfio_info_cap_header.next(capability));
        }
    }

    /**
     * Copies a struct out of a capability, aligned for every field; for a visitor.
     *
     * @param bytes how much of the struct this version of the capability has; the rest is zeros
     */
    static MemorySegment struct(MemorySegment capability, GroupLayout layout, long bytes) {
        MemorySegment struct = MemorySegment.ofArray(new long[(int) (layout.byteSize() + 7) / 8]);
        MemorySegment.copy(capability, 0, struct, 0, bytes);
        return struct;
    }

    /** The exception for an answer that no kernel should give. */
    static VfioException broken(Operation operation, String how) {
        return new VfioException(operation, Errno.EPROTO, how);
    }
}
