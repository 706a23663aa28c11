package io.github.vfio4j;

import static io.github.vfio4j.Mapping.INT16;
import static io.github.vfio4j.Mapping.INT32;
import static io.github.vfio4j.Mapping.INT64;
import static io.github.vfio4j.Mapping.INT8;

import io.github.vfio4j.Mapping.Memory;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * The registers of a mapped region, usually a BAR. Each method is one access of its width, little-endian, at an offset in
 * bytes from the start of the mapping; the offset must be a multiple of the width.
 *
 * <p>Memory order is in the name. None of these accesses is ever merged, split or dropped by the JIT, and accesses to the
 * same register stay in order. Besides that:
 *
 * <ul>
 *   <li><em>Opaque</em>: no order with other memory. Configures a device before anything runs.
 *   <li><em>Acquire</em>, of a read: comes before every later access of the thread. Reads a status before the DMA memory
 *       that the status speaks of.
 *   <li><em>Release</em>, of a write: comes after every earlier access. Rings a doorbell after the queue was filled.
 *   <li><em>Fenced</em>, of a write: a release write with a full fence behind it, so that no later read passes it either.
 *       Needed where a read of memory must see what the device wrote after it had seen this register.
 * </ul>
 *
 * <p>A read whose value is not used may be dropped by the JIT, whatever its order: use the value, or {@link #flush}.
 * These are orders of Java's memory model, which x86-64 keeps towards devices, too, for registers that are mapped
 * uncached. A mapping that combines writes (a prefetchable BAR on some machines) needs the fenced write.
 *
 * <p>Safe from any thread; no access locks or allocates. All throw {@link IndexOutOfBoundsException} for an offset
 * outside the mapping, {@link IllegalArgumentException} for a misaligned one and {@link IllegalStateException} once the
 * device is closed; writes throw {@link UnsupportedOperationException} if the region can only be read. Held in a {@code
 * static final} field, a mapping is a constant of the JIT: an access is then one instruction and the check that the device
 * is open. Held in a field of a driver it costs some loads more. This is a record because the JIT trusts only a record's
 * fields never to change; its components are of no use to a program.
 *
 * <p>An access that comes at the same moment as the close of the device either reaches the device before, or throws, or,
 * for the last write of a thread, goes nowhere: into memory that the kernel has put in the device's place. After the close
 * the device is free for others, and nothing is left but that range of addresses of this process, with one page of memory
 * for each page that a late write found. It is given back when the garbage collector finds that no {@code Mmio} of it is
 * reachable: never, for one in a {@code static final} field.
 *
 * @param address where they are in the program
 * @param size the size in bytes
 * @param mapping what accesses are checked against
 */
@SuppressWarnings("exports") // of Mapping: nobody else has one, so nobody else makes registers
public record Mmio(long address, long size, Mapping mapping) {
    private static final VarHandle FLUSHED;
    private static int flushed; // what flush read last, for nobody

    static {
        try {
            FLUSHED = MethodHandles.lookup()
                    .findStaticVarHandle(Mmio.class, "flushed", int.class)
                    .withInvokeExactBehavior();
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /**
     * Only {@link Region#map()} and {@link #part} make registers.
     *
     * @throws NullPointerException without a mapping
     * @throws IllegalArgumentException if the address or the size is not the mapping's
     */
    public Mmio {
        Objects.requireNonNull(mapping, "mapping");
        if (address != mapping.address || size != mapping.size) {
            throw new IllegalArgumentException("not where the mapping is");
        }
    }

    Mmio(Mapping mapping) {
        this(mapping.address, mapping.size, mapping);
    }

    /**
     * Returns a part of the registers, such as those of one queue; offset 0 is its start. It ends with the mapping. An
     * access costs the least at an offset that the JIT knows, which makes a part worth its while for a register that is
     * used all the time, such as a doorbell. What is kept of a part lasts as long as the mapping: make parts when a driver
     * starts.
     *
     * @param offset bytes from the start, a multiple of 8
     * @param size bytes
     * @return the part
     */
    public Mmio part(long offset, long size) {
        Objects.checkFromIndexSize(offset, size, this.size);
        if (offset % Long.BYTES != 0) {
            throw new IllegalArgumentException("a part begins at a multiple of 8, not at " + offset);
        }
        return new Mmio(mapping.part(offset, size));
    }

    /**
     * Reads 8 bits, opaque.
     *
     * @param offset bytes from the start
     * @return the register
     */
    public byte read8Opaque(long offset) {
        byte value = (byte) INT8.getOpaque(Memory.ALL, readable(offset, Byte.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 16 bits, opaque.
     *
     * @param offset bytes from the start, even
     * @return the register
     */
    public short read16Opaque(long offset) {
        short value = (short) INT16.getOpaque(Memory.ALL, readable(offset, Short.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 32 bits, opaque.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return the register
     */
    public int read32Opaque(long offset) {
        int value = (int) INT32.getOpaque(Memory.ALL, readable(offset, Integer.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 64 bits in one access, opaque.
     *
     * @param offset bytes from the start, a multiple of 8
     * @return the register
     */
    public long read64Opaque(long offset) {
        long value = (long) INT64.getOpaque(Memory.ALL, readable(offset, Long.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 8 bits, acquire.
     *
     * @param offset bytes from the start
     * @return the register
     */
    public byte read8Acquire(long offset) {
        byte value = (byte) INT8.getAcquire(Memory.ALL, readable(offset, Byte.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 16 bits, acquire.
     *
     * @param offset bytes from the start, even
     * @return the register
     */
    public short read16Acquire(long offset) {
        short value = (short) INT16.getAcquire(Memory.ALL, readable(offset, Short.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 32 bits, acquire.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return the register
     */
    public int read32Acquire(long offset) {
        int value = (int) INT32.getAcquire(Memory.ALL, readable(offset, Integer.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Reads 64 bits in one access, acquire.
     *
     * @param offset bytes from the start, a multiple of 8
     * @return the register
     */
    public long read64Acquire(long offset) {
        long value = (long) INT64.getAcquire(Memory.ALL, readable(offset, Long.BYTES));
        checkNotEnded();
        return value;
    }

    /**
     * Writes 8 bits, opaque.
     *
     * @param offset bytes from the start
     * @param value the register's new value
     */
    public void write8Opaque(long offset, byte value) {
        INT8.setOpaque(Memory.ALL, writable(offset, Byte.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 16 bits, opaque.
     *
     * @param offset bytes from the start, even
     * @param value the register's new value
     */
    public void write16Opaque(long offset, short value) {
        INT16.setOpaque(Memory.ALL, writable(offset, Short.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 32 bits, opaque.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the register's new value
     */
    public void write32Opaque(long offset, int value) {
        INT32.setOpaque(Memory.ALL, writable(offset, Integer.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 64 bits in one access, opaque.
     *
     * @param offset bytes from the start, a multiple of 8
     * @param value the register's new value
     */
    public void write64Opaque(long offset, long value) {
        INT64.setOpaque(Memory.ALL, writable(offset, Long.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 8 bits, release.
     *
     * @param offset bytes from the start
     * @param value the register's new value
     */
    public void write8Release(long offset, byte value) {
        INT8.setRelease(Memory.ALL, writable(offset, Byte.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 16 bits, release.
     *
     * @param offset bytes from the start, even
     * @param value the register's new value
     */
    public void write16Release(long offset, short value) {
        INT16.setRelease(Memory.ALL, writable(offset, Short.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 32 bits, release: the way to ring a doorbell.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the register's new value
     */
    public void write32Release(long offset, int value) {
        INT32.setRelease(Memory.ALL, writable(offset, Integer.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 64 bits in one access, release.
     *
     * @param offset bytes from the start, a multiple of 8
     * @param value the register's new value
     */
    public void write64Release(long offset, long value) {
        INT64.setRelease(Memory.ALL, writable(offset, Long.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 32 bits, release, and then fences: no later read of this thread is done before the register has the value.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the register's new value
     */
    public void write32Fenced(long offset, int value) {
        INT32.setRelease(Memory.ALL, writable(offset, Integer.BYTES), value);
        VarHandle.fullFence();
        Reference.reachabilityFence(mapping);
    }

    /**
     * Reads 64 bits as two registers of 32, the lower half (at {@code offset}) first, both opaque: for devices that take
     * no access of 64 bits. The halves may be of different moments.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return both halves
     */
    public long read64LowHighOpaque(long offset) {
        long upper = readable(offset + 4, Integer.BYTES); // either both halves are accessed or none
        int low = (int) INT32.getOpaque(Memory.ALL, readable(offset, Integer.BYTES));
        VarHandle.acquireFence(); // opaque accesses to different registers have no order of their own
        int high = (int) INT32.getOpaque(Memory.ALL, upper);
        checkNotEnded();
        return (long) high << 32 | Integer.toUnsignedLong(low);
    }

    /**
     * Reads 64 bits as two registers of 32, the upper half (at {@code offset + 4}) first, both opaque: for devices that
     * take no access of 64 bits. The halves may be of different moments.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return both halves
     */
    public long read64HighLowOpaque(long offset) {
        long lower = readable(offset, Integer.BYTES);
        int high = (int) INT32.getOpaque(Memory.ALL, readable(offset + 4, Integer.BYTES));
        VarHandle.acquireFence();
        int low = (int) INT32.getOpaque(Memory.ALL, lower);
        checkNotEnded();
        return (long) high << 32 | Integer.toUnsignedLong(low);
    }

    /**
     * Writes 64 bits as two registers of 32, the lower half (at {@code offset}) first: opaque the one, release the other,
     * so that they stay in this order. For devices that take a pair when its upper half is written.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the registers' new value
     */
    public void write64LowHighRelease(long offset, long value) {
        long upper = writable(offset + 4, Integer.BYTES);
        INT32.setRelease(Memory.ALL, writable(offset, Integer.BYTES), (int) value);
        INT32.setRelease(Memory.ALL, upper, (int) (value >>> 32));
        Reference.reachabilityFence(mapping);
    }

    /**
     * Writes 64 bits as two registers of 32, the upper half (at {@code offset + 4}) first: opaque the one, release the
     * other, so that they stay in this order. For devices that take a pair when its lower half is written.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the registers' new value
     */
    public void write64HighLowRelease(long offset, long value) {
        long lower = writable(offset, Integer.BYTES);
        INT32.setRelease(Memory.ALL, writable(offset + 4, Integer.BYTES), (int) (value >>> 32));
        INT32.setRelease(Memory.ALL, lower, (int) value);
        Reference.reachabilityFence(mapping);
    }

    /**
     * Has the device take all earlier writes to it: reads a register of 32 bits behind them, and does not return before
     * the value is there (PCI keeps a read behind posted writes). Unlike a plain read that nobody looks at, the JIT never
     * drops this. Choose a register that may be read at any time.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return what was read; all ones from a device that is gone
     */
    public int flush(long offset) {
        VarHandle.releaseFence();
        int value = read32Acquire(offset);
        FLUSHED.setOpaque(value); // a use that no caller can forget
        return value;
    }

    // A write checks, touches the address, and keeps the mapping reachable up to there (the fence is no instruction); a
    // read checks that the address is inside, touches it, and checks that the mapping has not ended, which keeps it
    // reachable, too. In this order.

    /** Ends a read. The mapping is looked up after the fence, which costs the JIT one check less. */
    private void checkNotEnded() {
        VarHandle.loadLoadFence(); // no instruction; keeps opaque reads before the check
        mapping.checkNotEnded();
    }

    /** Returns the address of a register to be read. */
    private long readable(long offset, int width) {
        if (Mapping.outside(offset, width, size)) {
            throw mapping.refusal(offset, width);
        }
        return Mapping.at(address, offset);
    }

    /** Returns the address of a register that may be written. */
    private long writable(long offset, int width) {
        if (Mapping.outside(offset, width, mapping.writable)) {
            throw mapping.refusal(offset, width);
        }
        return Mapping.at(address, offset);
    }
}
