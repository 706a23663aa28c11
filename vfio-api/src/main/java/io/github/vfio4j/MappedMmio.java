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
 * Registers at an address, which lasts as {@link Mapping} says. A write checks, touches the address, and keeps the mapping
 * reachable up to there (the fence is no instruction); a read checks that the address is inside, touches it, and checks
 * that the mapping has not ended, which keeps it reachable, too. In this order.
 *
 * <p>A record because the JIT trusts only a record's fields never to change: a constant mapping has a constant address then
 * (a read of 0.3 ns, where the same as a class takes 2.6).
 *
 * @param known the address, as {@link Mapping#known} makes it
 * @param size in bytes
 */
record MappedMmio(long known, long size, Mapping mapping) implements Mmio {
    private static final VarHandle FLUSHED;
    private static int flushed; // what flush read last, for nobody

    static {
        try {
            FLUSHED = MethodHandles.lookup()
                    .findStaticVarHandle(MappedMmio.class, "flushed", int.class)
                    .withInvokeExactBehavior();
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    MappedMmio(Mapping mapping) {
        this(Mapping.known(mapping.range.address), mapping.size, mapping);
    }

    @Override
    public Mmio part(long offset, long size) {
        Objects.checkFromIndexSize(offset, size, this.size);
        if (offset % Long.BYTES != 0) {
            throw new IllegalArgumentException("a part begins at a multiple of 8, not at " + offset);
        }
        return new MappedMmio(Mapping.known(Mapping.address(known, offset)), size, mapping.part(size));
    }

    /** Returns the address of a register to be read. */
    private long readable(long offset, int width) {
        if (Mapping.outside(offset, width, size)) {
            throw mapping.refusal(offset, width);
        }
        return Mapping.address(known, offset);
    }

    /** Returns the address of a register that may be written. */
    private long writable(long offset, int width) {
        if (Mapping.outside(offset, width, mapping.writable)) {
            throw mapping.refusal(offset, width);
        }
        return Mapping.address(known, offset);
    }

    @Override
    public byte read8Opaque(long offset) {
        byte value = (byte) INT8.getOpaque(Memory.ALL, readable(offset, Byte.BYTES));
        mapping.checkNotEnded();
        return value;
    }

    @Override
    public short read16Opaque(long offset) {
        short value = (short) INT16.getOpaque(Memory.ALL, readable(offset, Short.BYTES));
        mapping.checkNotEnded();
        return value;
    }

    @Override
    public int read32Opaque(long offset) {
        int value = (int) INT32.getOpaque(Memory.ALL, readable(offset, Integer.BYTES));
        mapping.checkNotEnded();
        return value;
    }

    @Override
    public long read64Opaque(long offset) {
        long value = (long) INT64.getOpaque(Memory.ALL, readable(offset, Long.BYTES));
        mapping.checkNotEnded();
        return value;
    }

    @Override
    public byte read8Acquire(long offset) {
        byte value = (byte) INT8.getAcquire(Memory.ALL, readable(offset, Byte.BYTES));
        mapping.checkNotEnded();
        return value;
    }

    @Override
    public short read16Acquire(long offset) {
        short value = (short) INT16.getAcquire(Memory.ALL, readable(offset, Short.BYTES));
        mapping.checkNotEnded();
        return value;
    }

    @Override
    public int read32Acquire(long offset) {
        int value = (int) INT32.getAcquire(Memory.ALL, readable(offset, Integer.BYTES));
        mapping.checkNotEnded();
        return value;
    }

    @Override
    public long read64Acquire(long offset) {
        long value = (long) INT64.getAcquire(Memory.ALL, readable(offset, Long.BYTES));
        mapping.checkNotEnded();
        return value;
    }

    @Override
    public void write8Opaque(long offset, byte value) {
        INT8.setOpaque(Memory.ALL, writable(offset, Byte.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    @Override
    public void write16Opaque(long offset, short value) {
        INT16.setOpaque(Memory.ALL, writable(offset, Short.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    @Override
    public void write32Opaque(long offset, int value) {
        INT32.setOpaque(Memory.ALL, writable(offset, Integer.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    @Override
    public void write64Opaque(long offset, long value) {
        INT64.setOpaque(Memory.ALL, writable(offset, Long.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    @Override
    public void write8Release(long offset, byte value) {
        INT8.setRelease(Memory.ALL, writable(offset, Byte.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    @Override
    public void write16Release(long offset, short value) {
        INT16.setRelease(Memory.ALL, writable(offset, Short.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    @Override
    public void write32Release(long offset, int value) {
        INT32.setRelease(Memory.ALL, writable(offset, Integer.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    @Override
    public void write64Release(long offset, long value) {
        INT64.setRelease(Memory.ALL, writable(offset, Long.BYTES), value);
        Reference.reachabilityFence(mapping);
    }

    @Override
    public void write32Fenced(long offset, int value) {
        INT32.setRelease(Memory.ALL, writable(offset, Integer.BYTES), value);
        VarHandle.fullFence();
        Reference.reachabilityFence(mapping);
    }

    @Override
    public long read64LowHighOpaque(long offset) {
        long upper = readable(offset + 4, Integer.BYTES); // either both halves are accessed or none
        int low = (int) INT32.getOpaque(Memory.ALL, readable(offset, Integer.BYTES));
        VarHandle.acquireFence(); // opaque accesses to different registers have no order of their own
        int high = (int) INT32.getOpaque(Memory.ALL, upper);
        mapping.checkNotEnded();
        return (long) high << 32 | Integer.toUnsignedLong(low);
    }

    @Override
    public long read64HighLowOpaque(long offset) {
        long lower = readable(offset, Integer.BYTES);
        int high = (int) INT32.getOpaque(Memory.ALL, readable(offset + 4, Integer.BYTES));
        VarHandle.acquireFence();
        int low = (int) INT32.getOpaque(Memory.ALL, lower);
        mapping.checkNotEnded();
        return (long) high << 32 | Integer.toUnsignedLong(low);
    }

    @Override
    public void write64LowHighRelease(long offset, long value) {
        long upper = writable(offset + 4, Integer.BYTES);
        INT32.setRelease(Memory.ALL, writable(offset, Integer.BYTES), (int) value);
        INT32.setRelease(Memory.ALL, upper, (int) (value >>> 32));
        Reference.reachabilityFence(mapping);
    }

    @Override
    public void write64HighLowRelease(long offset, long value) {
        long lower = writable(offset, Integer.BYTES);
        INT32.setRelease(Memory.ALL, writable(offset + 4, Integer.BYTES), (int) (value >>> 32));
        INT32.setRelease(Memory.ALL, lower, (int) value);
        Reference.reachabilityFence(mapping);
    }

    @Override
    public int flush(long offset) {
        VarHandle.releaseFence();
        int value = read32Acquire(offset);
        FLUSHED.setOpaque(value); // a use that no caller can forget
        return value;
    }
}
