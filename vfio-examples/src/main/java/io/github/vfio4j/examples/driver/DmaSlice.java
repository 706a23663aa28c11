package io.github.vfio4j.examples.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A part of a DMA buffer that a program and a device use at the same time, such as a ring: where each finds it, and
 * accesses in little-endian order with the memory order in their names, as in {@link io.github.vfio4j.Mmio}. Offsets are
 * bytes from the start and multiples of the width. No method locks or allocates.
 *
 * <p><em>Plain</em> accesses are for what the other side does not look at now: an entry that is filled before a release
 * hands it over, or what came with an entry that an acquire found. The JIT may merge and reorder them between the two, and
 * checks only once for several that the memory is still there.
 *
 * @param segment the memory as the program sees it
 * @param iova its first byte as the device sees it
 */
public record DmaSlice(MemorySegment segment, long iova) {
    private static final VarHandle INT16 =
            JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle INT32 =
            JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle INT64 =
            JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    /**
     * Reads 16 bits, opaque.
     *
     * @param offset where
     * @return 0 to 65535
     */
    public int read16Opaque(long offset) {
        return Short.toUnsignedInt((short) INT16.getOpaque(segment, offset));
    }

    /**
     * Reads 16 bits, acquire.
     *
     * @param offset where
     * @return 0 to 65535
     */
    public int read16Acquire(long offset) {
        return Short.toUnsignedInt((short) INT16.getAcquire(segment, offset));
    }

    /**
     * Reads 32 bits, plain.
     *
     * @param offset where
     * @return the value
     */
    public int read32Plain(long offset) {
        return (int) INT32.get(segment, offset);
    }

    /**
     * Reads 32 bits, acquire: what the device wrote before is seen after it.
     *
     * @param offset where
     * @return the value
     */
    public int read32Acquire(long offset) {
        return (int) INT32.getAcquire(segment, offset);
    }

    /**
     * Reads 64 bits, plain.
     *
     * @param offset where
     * @return the value
     */
    public long read64Plain(long offset) {
        return (long) INT64.get(segment, offset);
    }

    /**
     * Reads 64 bits, acquire: what the device wrote before is seen after it.
     *
     * @param offset where
     * @return the value
     */
    public long read64Acquire(long offset) {
        return (long) INT64.getAcquire(segment, offset);
    }

    /**
     * Writes 16 bits, plain.
     *
     * @param offset where
     * @param value the lower 16 bits count
     */
    public void write16Plain(long offset, int value) {
        INT16.set(segment, offset, (short) value);
    }

    /**
     * Writes 16 bits, opaque.
     *
     * @param offset where
     * @param value the lower 16 bits count
     */
    public void write16Opaque(long offset, int value) {
        INT16.setOpaque(segment, offset, (short) value);
    }

    /**
     * Writes 16 bits, release: a device that sees it sees what was written before.
     *
     * @param offset where
     * @param value the lower 16 bits count
     */
    public void write16Release(long offset, int value) {
        INT16.setRelease(segment, offset, (short) value);
    }

    /**
     * Writes 32 bits, plain.
     *
     * @param offset where
     * @param value the value
     */
    public void write32Plain(long offset, int value) {
        INT32.set(segment, offset, value);
    }

    /**
     * Writes 64 bits, plain.
     *
     * @param offset where
     * @param value the value
     */
    public void write64Plain(long offset, long value) {
        INT64.set(segment, offset, value);
    }
}
