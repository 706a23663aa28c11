package io.github.vfio4j;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The registers of a mapped region, usually a BAR. Each method is one access of its width, little-endian, at an offset in
 * bytes from the start of the mapping; the offset must be a multiple of the width.
 *
 * <p>Memory order is in the name. <em>Opaque</em> accesses are never merged, split or dropped, and accesses to the same
 * register stay in order. An <em>acquire</em> read comes before every later access of the thread: read a status with it
 * before the DMA memory that the status speaks of. A <em>release</em> write comes after every earlier access: ring a
 * doorbell with it after filling the queue. A read whose value is not used may be dropped by the JIT: use the value.
 *
 * <p>Safe from any thread; no method locks or allocates. All throw {@link IndexOutOfBoundsException} for an offset
 * outside the mapping, {@link IllegalArgumentException} for a misaligned one and {@link IllegalStateException} once the
 * device is closed.
 */
public final class Mmio {
    private static final VarHandle INT8 = JAVA_BYTE.varHandle().withInvokeExactBehavior();
    private static final VarHandle INT16 =
            JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle INT32 =
            JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle INT64 =
            JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    private final MemorySegment segment;

    Mmio(MemorySegment segment) {
        this.segment = segment;
    }

    /**
     * Returns the size of the mapping.
     *
     * @return bytes
     */
    public long size() {
        return segment.byteSize();
    }

    /**
     * Reads 8 bits, opaque.
     *
     * @param offset bytes from the start
     * @return the register
     */
    public byte read8Opaque(long offset) {
        return (byte) INT8.getOpaque(segment, offset);
    }

    /**
     * Reads 16 bits, opaque.
     *
     * @param offset bytes from the start, even
     * @return the register
     */
    public short read16Opaque(long offset) {
        return (short) INT16.getOpaque(segment, offset);
    }

    /**
     * Reads 32 bits, opaque.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return the register
     */
    public int read32Opaque(long offset) {
        return (int) INT32.getOpaque(segment, offset);
    }

    /**
     * Reads 32 bits, acquire.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return the register
     */
    public int read32Acquire(long offset) {
        return (int) INT32.getAcquire(segment, offset);
    }

    /**
     * Reads 64 bits in one access, opaque.
     *
     * @param offset bytes from the start, a multiple of 8
     * @return the register
     */
    public long read64Opaque(long offset) {
        return (long) INT64.getOpaque(segment, offset);
    }

    /**
     * Reads 64 bits in one access, acquire.
     *
     * @param offset bytes from the start, a multiple of 8
     * @return the register
     */
    public long read64Acquire(long offset) {
        return (long) INT64.getAcquire(segment, offset);
    }

    /**
     * Writes 8 bits, opaque.
     *
     * @param offset bytes from the start
     * @param value the register's new value
     */
    public void write8Opaque(long offset, byte value) {
        INT8.setOpaque(segment, offset, value);
    }

    /**
     * Writes 16 bits, opaque.
     *
     * @param offset bytes from the start, even
     * @param value the register's new value
     */
    public void write16Opaque(long offset, short value) {
        INT16.setOpaque(segment, offset, value);
    }

    /**
     * Writes 32 bits, opaque.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the register's new value
     */
    public void write32Opaque(long offset, int value) {
        INT32.setOpaque(segment, offset, value);
    }

    /**
     * Writes 32 bits, release: the way to ring a doorbell.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the register's new value
     */
    public void write32Release(long offset, int value) {
        INT32.setRelease(segment, offset, value);
    }

    /**
     * Writes 64 bits in one access, opaque.
     *
     * @param offset bytes from the start, a multiple of 8
     * @param value the register's new value
     */
    public void write64Opaque(long offset, long value) {
        INT64.setOpaque(segment, offset, value);
    }

    /**
     * Writes 64 bits in one access, release.
     *
     * @param offset bytes from the start, a multiple of 8
     * @param value the register's new value
     */
    public void write64Release(long offset, long value) {
        INT64.setRelease(segment, offset, value);
    }
}
