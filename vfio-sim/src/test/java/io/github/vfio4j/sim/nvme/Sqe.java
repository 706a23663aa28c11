package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/** A submission queue entry in the making. */
final class Sqe {
    private final MemorySegment bytes = Arena.ofAuto().allocate(Command.BYTES, 8);

    private Sqe(int opcode) {
        dword(0, opcode);
    }

    static Sqe command(int opcode) {
        return new Sqe(opcode);
    }

    static Sqe createCompletionQueue(int id, int size, long iova) {
        return command(0x05).prp1(iova).dword(10, size - 1 << 16 | id).dword(11, 1);
    }

    static Sqe createSubmissionQueue(int id, int size, long iova, int completions) {
        return command(0x01).prp1(iova).dword(10, size - 1 << 16 | id).dword(11, completions << 16 | 1);
    }

    static Sqe deleteSubmissionQueue(int id) {
        return command(0x00).dword(10, id);
    }

    static Sqe deleteCompletionQueue(int id) {
        return command(0x04).dword(10, id);
    }

    static Sqe identify(int what, int namespace, long iova) {
        return command(0x06).namespace(namespace).prp1(iova).dword(10, what);
    }

    static Sqe setFeature(int feature, int value) {
        return command(0x09).dword(10, feature).dword(11, value);
    }

    static Sqe getFeature(int feature) {
        return command(0x0a).dword(10, feature);
    }

    static Sqe getLogPage(int page, int bytes, long iova) {
        return command(0x02).prp1(iova).dword(10, page | bytes / 4 - 1 << 16);
    }

    static Sqe abort(int queue, int commandId) {
        return command(0x08).dword(10, queue | commandId << 16);
    }

    static Sqe asyncEventRequest() {
        return command(0x0c);
    }

    static Sqe write(long block, int blocks, long prp1, long prp2) {
        return transfer(0x01, block, blocks, prp1, prp2);
    }

    static Sqe read(long block, int blocks, long prp1, long prp2) {
        return transfer(0x02, block, blocks, prp1, prp2);
    }

    private static Sqe transfer(int opcode, long block, int blocks, long prp1, long prp2) {
        return command(opcode)
                .namespace(1)
                .prp1(prp1)
                .prp2(prp2)
                .dword(10, (int) block)
                .dword(11, (int) (block >>> 32))
                .dword(12, blocks - 1);
    }

    Sqe namespace(int id) {
        return dword(1, id);
    }

    Sqe prp1(long iova) {
        return qword(24, iova);
    }

    Sqe prp2(long iova) {
        return qword(32, iova);
    }

    Sqe dword(int index, int value) {
        bytes.set(JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN), 4L * index, value);
        return this;
    }

    private Sqe qword(long offset, long value) {
        bytes.set(JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN), offset, value);
        return this;
    }

    /** Sets bits in dword 0, such as those that choose SGLs. */
    Sqe flags(int bits) {
        return dword(0, bytes.get(JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN), 0) | bits);
    }

    MemorySegment withId(int commandId) {
        MemorySegment copy = Arena.ofAuto().allocate(Command.BYTES, 8).copyFrom(bytes);
        copy.set(JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN), 0, copy.get(JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN), 0) & 0xffff | commandId << 16);
        return copy;
    }
}
