package io.github.vfio4j;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.github.vfio4j.spi.Kernel;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * What accesses to mapped memory are checked against. They touch absolute addresses, and no lock, count or handshake of
 * threads holds off who ends the mapping meanwhile. It ends in three steps that make this safe:
 *
 * <ol>
 *   <li>{@link #end}: every later check refuses.
 *   <li>The kernel puts memory without meaning in the place of what was mapped, in one step. A thread that was about to
 *       access touches that. A write is lost there; a read is checked when it is done, so that nobody gets to see it.
 *   <li>The addresses stay so until no thread can be about to access them: every access keeps this object, and with it the
 *       {@link AddressRange}, reachable up to its end.
 * </ol>
 */
final class Mapping {
    // How it is accessed: little-endian, at addresses in Memory.ALL or offsets in a segment.
    static final VarHandle INT8 = JAVA_BYTE.varHandle().withInvokeExactBehavior();
    static final VarHandle INT16 =
            JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    static final VarHandle INT32 =
            JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    static final VarHandle INT64 =
            JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    /** For plain accesses whose alignment was checked, in a way that the JIT can leave out where it knows the offset. */
    static final VarHandle PLAIN32 =
            JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    static final VarHandle PLAIN64 =
            JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    private static final int ALIGNMENT_BITS = 3; // of every mapping's address
    private static final long ADDRESSES = (1L << 47) - 1; // of a program

    private static volatile MemorySegment memory;

    final AddressRange range;
    final long address;
    final long size;

    // Not volatile, which would make the JIT load all else again behind each look. Ordered accesses have fences that do that
    // once for each of them; plain writes between two of these may share one look.

    /** How many bytes may be written: {@link #size}, or 0 if none or after the end. */
    long writable;

    private boolean ended;

    private final List<Mapping> parts = new ArrayList<>(0); // guarded by this

    Mapping(Kernel kernel, AddressRange range, long size, boolean writable) {
        if (at(range.address, 0) != range.address) {
            throw new IllegalArgumentException("memory at 0x%x".formatted(range.address));
        }
        if (memory == null) {
            memory = kernel.memory();
        }
        this(range, range.address, size, writable);
    }

    private Mapping(AddressRange range, long address, long size, boolean writable) {
        this.range = range;
        this.address = address;
        this.size = size;
        this.writable = writable ? size : 0;
    }

    /** Makes a part of it, inside of it and at a multiple of 8, which ends with it. */
    synchronized Mapping part(long offset, long bytes) {
        checkNotEnded();
        Mapping part = new Mapping(range, address + offset, bytes, writable != 0);
        parts.add(part);
        return part;
    }

    /** All memory of the process: a constant of the JIT, which leaves no check of its own for addresses that it knows. */
    static final class Memory {
        static final MemorySegment ALL = memory; // first looked at by an access, after a mapping was made

        private Memory() {}
    }

    /**
     * Adds an offset that was checked to an address of the program, a multiple of 8. The masks and shifts change neither: the
     * JIT sees by them that the sum is positive and as aligned as the offset.
     */
    static long at(long address, long offset) {
        return ((address & ADDRESSES) >>> ALIGNMENT_BITS << ALIGNMENT_BITS) + (offset & ADDRESSES);
    }

    /**
     * Tells whether an access is outside. An offset just below 0 may pass as inside, but no aligned one: the access
     * itself refuses that, for it is misaligned.
     */
    static boolean outside(long offset, int width, long bytes) {
        return Long.compareUnsigned(offset + (width - 1), bytes) >= 0;
    }

    /**
     * The same for an offset that shall be a multiple of the width, a power of two. The bits of the offset that must be 0 are
     * known to the JIT where it sees how the offset is computed.
     */
    static boolean outsideOrMisaligned(long offset, int width, long bytes) {
        return (offset & width - 1) != 0 || Long.compareUnsigned(offset, bytes & -width) >= 0;
    }

    /** Refuses every access from now on. */
    synchronized void end() {
        ended = true;
        writable = 0;
        VarHandle.fullFence(); // both are seen before anything that follows
        parts.forEach(Mapping::end);
        parts.clear();
    }

    /** Ends a read, after a fence: refuses its value if that may come from memory without meaning. */
    void checkNotEnded() {
        if (ended) {
            throw refusal(0, 0);
        }
    }

    /** Says why an access was refused. */
    RuntimeException refusal(long offset, int width) {
        if (ended) {
            return new IllegalStateException("what was mapped is closed");
        }
        if (offset < 0 || outside(offset, width, size)) {
            return new IndexOutOfBoundsException(
                    "%d bytes at offset %d of a mapping of %d bytes".formatted(width, offset, size));
        }
        if (offset % width != 0) {
            return new IllegalArgumentException("%d bytes at offset %d: not a multiple".formatted(width, offset));
        }
        return new UnsupportedOperationException("the region can only be read");
    }
}
