package io.github.vfio4j;

import static io.github.vfio4j.Mapping.INT16;
import static io.github.vfio4j.Mapping.INT32;
import static io.github.vfio4j.Mapping.INT64;
import static io.github.vfio4j.Mapping.PLAIN32;
import static io.github.vfio4j.Mapping.PLAIN64;

import io.github.vfio4j.Mapping.Memory;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * A part of a {@link DmaBuffer} that a program and a device use at the same time, such as a ring: where each finds it, and
 * little-endian accesses with the memory order in their names, as in {@link Mmio}. Offsets are bytes from the start and
 * multiples of the width. A slice costs an object; make it when the driver starts.
 *
 * <p><em>Plain</em> accesses are for what the other side does not look at now: an entry that is filled before a release
 * hands it over, or what came with an entry that an acquire found. The JIT may merge and reorder them between the two.
 *
 * <p>Safe from any thread; no access locks or allocates. All throw {@link IndexOutOfBoundsException} for an offset outside
 * the slice, {@link IllegalArgumentException} for a misaligned one and {@link IllegalStateException} once the buffer is
 * closed. A write that comes at the same moment as the close may go to memory that no device reaches any more and that
 * nobody reads; so may plain writes of other threads after it, until their next ordered access or read. The addresses of
 * a closed buffer are used again when the garbage collector finds that no slice of it is reachable.
 */
public final class DmaSlice {
    private static final int ENTRY_BYTES = 64;

    private final MemorySegment segment;
    private final long iova;
    private final Mapping mapping;
    private final long address;
    private final long size;

    DmaSlice(MemorySegment segment, long iova, Mapping mapping) {
        this.segment = segment;
        this.iova = iova;
        this.mapping = mapping;
        this.address = mapping.address;
        this.size = mapping.size;
    }

    /**
     * Returns the memory as the program sees it.
     *
     * @return a segment that ends with the buffer
     */
    public MemorySegment segment() {
        return segment;
    }

    /**
     * Returns the address of the first byte as devices see it.
     *
     * @return the IOVA, unsigned
     */
    public long iova() {
        return iova;
    }

    /** Ends a read. The mapping is looked up after the fence, which costs the JIT one check less. */
    private void checkNotEnded() {
        VarHandle.loadLoadFence(); // no instruction; keeps opaque reads before the check
        mapping.checkNotEnded();
    }

    /** Returns the address of a number to be read; whether that was right is known after the read. */
    private long readable(long offset, int width) {
        if (Mapping.outside(offset, width, size)) {
            throw mapping.refusal(offset, width);
        }
        return Mapping.at(address, offset);
    }

    /** The same for one of several numbers: the access itself would not see that it is misaligned. */
    private long readableNumber(long offset) {
        if (Mapping.outsideOrMisaligned(offset, Long.BYTES, size)) {
            throw mapping.refusal(offset, Long.BYTES);
        }
        return Mapping.at(address, offset);
    }

    /** Returns the address of a number that may be written now. */
    private long writable(long offset, int width) {
        if (Mapping.outside(offset, width, mapping.writable)) {
            throw mapping.refusal(offset, width);
        }
        return Mapping.at(address, offset);
    }

    /** Returns the address of an entry or number of its own that may be written now. */
    private long plainWritable(long offset, int width) {
        if (Mapping.outsideOrMisaligned(offset, width, mapping.writable)) {
            throw mapping.refusal(offset, width);
        }
        return Mapping.at(address, offset);
    }

    /**
     * Reads 16 bits, opaque.
     *
     * @param offset where
     * @return 0 to 65535
     */
    public int read16Opaque(long offset) {
        short value = (short) INT16.getOpaque(Memory.ALL, readable(offset, Short.BYTES));
        checkNotEnded();
        return Short.toUnsignedInt(value);
    }

    /**
     * Reads 16 bits, acquire.
     *
     * @param offset where
     * @return 0 to 65535
     */
    public int read16Acquire(long offset) {
        short value = (short) INT16.getAcquire(Memory.ALL, readable(offset, Short.BYTES));
        checkNotEnded();
        return Short.toUnsignedInt(value);
    }

    /**
     * Reads 32 bits, opaque.
     *
     * @param offset where
     * @return the value
     */
    public int read32Opaque(long offset) {
        int value = (int) INT32.getOpaque(Memory.ALL, readable(offset, Integer.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 32 bits, plain.
     *
     * @param offset where
     * @return the value
     */
    public int read32Plain(long offset) {
        int value = (int) INT32.get(Memory.ALL, readable(offset, Integer.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 32 bits, acquire: what the device wrote before is seen after it.
     *
     * @param offset where
     * @return the value
     */
    public int read32Acquire(long offset) {
        int value = (int) INT32.getAcquire(Memory.ALL, readable(offset, Integer.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 64 bits, plain.
     *
     * @param offset where
     * @return the value
     */
    public long read64Plain(long offset) {
        long value = (long) INT64.get(Memory.ALL, readable(offset, Long.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 64 bits, acquire: what the device wrote before is seen after it.
     *
     * @param offset where
     * @return the value
     */
    public long read64Acquire(long offset) {
        long value = (long) INT64.getAcquire(Memory.ALL, readable(offset, Long.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads numbers of 64 bits, acquire, each of an entry of its own, as long as certain bits have certain values, such as the
     * bit by which a device says that it is done with an entry. One check for all of it.
     *
     * @param offset where the first one is
     * @param stride bytes from each to the next, a multiple of 8
     * @param mask which bits count
     * @param expected their values
     * @param values where to put the numbers that have them, from index 0 on
     * @param most how many at most
     * @return how many have them; what the device wrote before these is seen after this
     */
    public int read64AcquireWhile(long offset, int stride, long mask, long expected, long[] values, int most) {
        Objects.requireNonNull(values, "values");
        mapping.checkNotEnded();
        if (stride <= 0 || stride % Long.BYTES != 0) {
            throw new IllegalArgumentException("a stride is a multiple of 8, not " + stride);
        }
        Objects.checkFromIndexSize(0, most, values.length);
        if (most == 0) {
            return 0;
        }
        long first = readableNumber(offset);
        readableNumber(offset + (long) (most - 1) * stride);
        int count = 0;
        while (count < most) {
            long value = (long) INT64.getAcquire(Memory.ALL, Mapping.at(first, (long) count * stride));
            if ((value & mask) != expected) {
                break;
            }
            values[count++] = value;
        }
        checkNotEnded();
        return count;
    }

    /**
     * Writes 16 bits, plain.
     *
     * @param offset where
     * @param value the lower 16 bits count
     */
    public void write16Plain(long offset, int value) {
        INT16.set(Memory.ALL, writable(offset, Short.BYTES), (short) value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 16 bits, opaque.
     *
     * @param offset where
     * @param value the lower 16 bits count
     */
    public void write16Opaque(long offset, int value) {
        INT16.setOpaque(Memory.ALL, writable(offset, Short.BYTES), (short) value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 16 bits, release: a device that sees it sees what was written before.
     *
     * @param offset where
     * @param value the lower 16 bits count
     */
    public void write16Release(long offset, int value) {
        INT16.setRelease(Memory.ALL, writable(offset, Short.BYTES), (short) value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 32 bits, plain.
     *
     * @param offset where
     * @param value the value
     */
    public void write32Plain(long offset, int value) {
        PLAIN32.set(Memory.ALL, plainWritable(offset, Integer.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 64 bits, plain.
     *
     * @param offset where
     * @param value the value
     */
    public void write64Plain(long offset, long value) {
        PLAIN64.set(Memory.ALL, plainWritable(offset, Long.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 16 bytes, plain: an entry of a ring, with one check for all of it.
     *
     * @param offset where, a multiple of 16
     * @param word0 the first 8 bytes
     * @param word1 the other 8
     */
    public void write16BytesPlain(long offset, long word0, long word1) {
        long address = plainWritable(offset, 2 * Long.BYTES);
        PLAIN64.set(Memory.ALL, address, word0);
        PLAIN64.set(Memory.ALL, address + 8, word1);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 64 bytes, plain: an entry of a queue, with one check for all of it.
     *
     * @param offset where, a multiple of 64
     * @param word0 the first 8 bytes
     * @param word1 the bytes from 8 on
     * @param word2 the bytes from 16 on
     * @param word3 the bytes from 24 on
     * @param word4 the bytes from 32 on
     * @param word5 the bytes from 40 on
     * @param word6 the bytes from 48 on
     * @param word7 the bytes from 56 on
     */
    public void write64BytesPlain(
            long offset,
            long word0,
            long word1,
            long word2,
            long word3,
            long word4,
            long word5,
            long word6,
            long word7) {
        long address = plainWritable(offset, ENTRY_BYTES);
        PLAIN64.set(Memory.ALL, address, word0);
        PLAIN64.set(Memory.ALL, address + 8, word1);
        PLAIN64.set(Memory.ALL, address + 16, word2);
        PLAIN64.set(Memory.ALL, address + 24, word3);
        PLAIN64.set(Memory.ALL, address + 32, word4);
        PLAIN64.set(Memory.ALL, address + 40, word5);
        PLAIN64.set(Memory.ALL, address + 48, word6);
        PLAIN64.set(Memory.ALL, address + 56, word7);
        Reference.reachabilityFence(mapping);
    }
}
