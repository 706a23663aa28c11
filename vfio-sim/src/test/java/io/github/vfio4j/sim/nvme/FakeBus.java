package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.vfio4j.sim.PciBus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicIntegerArray;

/** Plain memory at one IOVA, one BAR, and counters for interrupts. */
final class FakeBus implements PciBus {
    /** Where the memory starts: not at 0, so that a forgotten address is not a good one. */
    static final long BASE = 0x10_0000;

    private static final VarHandle INT64 =
            JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    private final MemorySegment bar = Arena.ofAuto().allocate(Registers.BAR_BYTES, 4096);
    private final MemorySegment memory = Arena.ofAuto().allocate(4 << 20, 4096);
    private final AtomicIntegerArray raised = new AtomicIntegerArray(NvmeModel.VECTORS);
    private volatile boolean refusing;

    @Override
    public MemorySegment bar(int index) {
        return bar;
    }

    /** The memory from an IOVA on. */
    MemorySegment at(long iova) {
        return memory.asSlice(iova - BASE);
    }

    long end() {
        return BASE + memory.byteSize();
    }

    /** From now on no DMA works, as if bus mastering had been switched off. */
    void refuseDma() {
        refusing = true;
    }

    void allowDma() {
        refusing = false;
    }

    int raised(int vector) {
        return raised.get(vector);
    }

    @Override
    public boolean dmaRead(long iova, MemorySegment target) {
        if (!reachable(iova, target.byteSize())) {
            return false;
        }
        target.copyFrom(at(iova).asSlice(0, target.byteSize()));
        return true;
    }

    @Override
    public boolean dmaWrite(long iova, MemorySegment source) {
        if (!reachable(iova, source.byteSize())) {
            return false;
        }
        long size = source.byteSize();
        if (size < 8 || (iova + size) % 8 != 0) {
            at(iova).asSlice(0, size).copyFrom(source);
        } else {
            MemorySegment.copy(source, 0, at(iova), 0, size - 8);
            long last = source.get(JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).withByteAlignment(1), size - 8);
            INT64.setRelease(memory, iova - BASE + size - 8, last);
        }
        return true;
    }

    private boolean reachable(long iova, long size) {
        return !refusing && iova >= BASE && iova <= end() && size <= end() - iova;
    }

    @Override
    public void raise(int vector) {
        raised.incrementAndGet(vector);
    }

    @Override
    public void setLine(boolean asserted) {
        throw new UnsupportedOperationException("the controller has no line");
    }
}
