package io.github.vfio4j.examples.models;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.List;

/**
 * A simulated edu device. Unlike QEMU's, its registers are memory, which does not notice that the value it holds is written
 * again. So the factorial's register holds -1 before the first and after each acknowledged factorial, and a number and its
 * complement must not be the same two twice in a row.
 */
public final class EduModel implements PciModel {
    private static final long ID = 0x00;
    private static final long LIVENESS = 0x04;
    private static final long FACTORIAL = 0x08;
    private static final long STATUS = 0x20;
    private static final long IRQ_STATUS = 0x24;
    private static final long IRQ_RAISE = 0x60;
    private static final long IRQ_ACKNOWLEDGE = 0x64;
    private static final long DMA_SOURCE = 0x80;
    private static final long DMA_TARGET = 0x88;
    private static final long DMA_COUNT = 0x90;
    private static final long DMA_COMMAND = 0x98;
    private static final long DEFINED_END = 0xa0;

    private static final int VERSION_1_0 = 0x010000ed;
    private static final int STATUS_RAISE = 0x80;
    private static final int IRQ_FACTORIAL = 0x001;
    private static final int IRQ_DMA = 0x100;
    private static final long DMA_RUN = 1;
    private static final long DMA_TO_MEMORY = 2;
    private static final long DMA_RAISE = 4;
    private static final long BUFFER = 0x40000;
    private static final int BUFFER_BYTES = 4096;
    private static final long ADDRESSES = 0xfff_ffff;
    private static final int NO_FACTORIAL = -1;

    private static final VarHandle INT32 = JAVA_INT.varHandle().withInvokeExactBehavior();
    private static final VarHandle INT64 = JAVA_LONG.varHandle().withInvokeExactBehavior();

    private final MemorySegment buffer = Arena.ofAuto().allocate(BUFFER_BYTES, 8);
    private Poller poller;
    private PciBus bus;
    private MemorySegment bar;
    private int lastInverted;
    private int lastFactorial;

    /** Makes a device. */
    public EduModel() {}

    @Override
    public PciIdentity identity() {
        return new PciIdentity(0x1234, 0x11e8, 0x00ff00);
    }

    @Override
    public List<PciBar> bars() {
        return List.of(new PciBar(0, 1 << 20, true));
    }

    @Override
    public int interruptPin() {
        return 1;
    }

    @Override
    public int msiVectors() {
        return 1;
    }

    @Override
    public void powerOn(PciBus newBus) {
        bus = newBus;
        bar = newBus.bar(0);
        start();
    }

    private void start() {
        for (long offset = 0; offset < DEFINED_END; offset += 8) {
            INT64.setOpaque(bar, offset, 0L);
        }
        lastInverted = 0;
        lastFactorial = NO_FACTORIAL;
        INT32.setOpaque(bar, FACTORIAL, NO_FACTORIAL);
        INT32.setRelease(bar, ID, VERSION_1_0);
        bus.setLine(false);
        MemorySegment registers = bar;
        PciBus on = bus;
        poller = new Poller("edu model", () -> look(on, registers));
    }

    @Override
    public void reset() {
        poller.stop();
        start();
    }

    @Override
    public void powerOff() {
        poller.stop();
    }

    private boolean look(PciBus on, MemorySegment registers) {
        return invert(registers)
                | compute(on, registers)
                | copy(on, registers)
                | acknowledge(on, registers)
                | raise(on, registers);
    }

    private boolean invert(MemorySegment registers) {
        int number = (int) INT32.getAcquire(registers, LIVENESS);
        if (number == lastInverted) {
            return false;
        }
        lastInverted = ~number;
        INT32.setRelease(registers, LIVENESS, ~number);
        return true;
    }

    private boolean compute(PciBus on, MemorySegment registers) {
        int n = (int) INT32.getAcquire(registers, FACTORIAL);
        if (n == lastFactorial) {
            return false;
        }
        int result = 1;
        for (int i = 2; i <= n; i++) {
            result *= i;
        }
        lastFactorial = result;
        INT32.setRelease(registers, FACTORIAL, result);
        if (((int) INT32.getOpaque(registers, STATUS) & STATUS_RAISE) != 0) {
            fire(on, registers, IRQ_FACTORIAL);
        }
        return true;
    }

    private boolean copy(PciBus on, MemorySegment registers) {
        long command = (long) INT64.getAcquire(registers, DMA_COMMAND);
        if ((command & DMA_RUN) == 0) {
            return false;
        }
        long source = (long) INT64.getOpaque(registers, DMA_SOURCE);
        long target = (long) INT64.getOpaque(registers, DMA_TARGET);
        long count = (long) INT64.getOpaque(registers, DMA_COUNT);
        boolean toMemory = (command & DMA_TO_MEMORY) != 0;
        long at = (toMemory ? source : target) - BUFFER;
        if (at >= 0 && count > 0 && count <= BUFFER_BYTES - at) {
            MemorySegment part = buffer.asSlice(at, count);
            if (toMemory) {
                on.dmaWrite(target & ADDRESSES, part);
            } else {
                on.dmaRead(source & ADDRESSES, part);
            }
        }
        INT64.setRelease(registers, DMA_COMMAND, command & ~DMA_RUN);
        if ((command & DMA_RAISE) != 0) {
            fire(on, registers, IRQ_DMA);
        }
        return true;
    }

    private boolean acknowledge(PciBus on, MemorySegment registers) {
        int bits = (int) INT32.getAndSet(registers, IRQ_ACKNOWLEDGE, 0);
        if (bits == 0) {
            return false;
        }
        // The driver waits for the status: what it may do then comes before.
        if ((bits & (int) INT32.getOpaque(registers, IRQ_STATUS) & IRQ_FACTORIAL) != 0
                && INT32.compareAndSet(registers, FACTORIAL, lastFactorial, NO_FACTORIAL)) {
            lastFactorial = NO_FACTORIAL;
        }
        int left = (int) INT32.getOpaque(registers, IRQ_STATUS) & ~bits;
        on.setLine(left != 0);
        INT32.setRelease(registers, IRQ_STATUS, left);
        return true;
    }

    private boolean raise(PciBus on, MemorySegment registers) {
        int bits = (int) INT32.getAndSet(registers, IRQ_RAISE, 0);
        if (bits != 0) {
            fire(on, registers, bits);
        }
        return bits != 0;
    }

    private static void fire(PciBus on, MemorySegment registers, int bits) {
        int unused = (int) INT32.getAndBitwiseOr(registers, IRQ_STATUS, bits);
        on.raise(0);
        on.setLine(true);
    }
}
