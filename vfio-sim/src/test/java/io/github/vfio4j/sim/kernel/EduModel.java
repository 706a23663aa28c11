package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * QEMU's edu device: what is written to one register is added to the status and raises MSI or INTx, what is written to
 * another is acknowledged, and a command moves data between memory and the device's own buffer.
 */
final class EduModel implements PciModel {
    private static final long STATUS = 0x24;
    private static final long RAISE = 0x60;
    private static final long ACKNOWLEDGE = 0x64;
    private static final long DMA_SOURCE = 0x80;
    private static final long DMA_TARGET = 0x88;
    private static final long DMA_COUNT = 0x90;
    private static final long DMA_COMMAND = 0x98;
    private static final long DMA_RUN = 1;
    private static final long DMA_TO_MEMORY = 2;
    private static final long BUFFER = 0x40000;
    private static final int BUFFER_BYTES = 4096;
    private static final VarHandle REGISTER = ValueLayout.JAVA_INT.varHandle();
    private static final VarHandle REGISTER64 = ValueLayout.JAVA_LONG.varHandle();
    private static final long PAUSE = TimeUnit.MICROSECONDS.toNanos(100);

    private MemorySegment registers; // guarded by this
    private Thread poller; // guarded by this
    private volatile boolean on;

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
    public synchronized void powerOn(PciBus bus) {
        registers = bus.bar(0);
        on = true;
        MemorySegment bar = registers;
        poller = Thread.ofPlatform().daemon().start(() -> poll(bar, bus));
    }

    private void poll(MemorySegment bar, PciBus bus) {
        MemorySegment buffer = Arena.ofAuto().allocate(BUFFER_BYTES, 8);
        while (on) {
            long command = (long) REGISTER64.getAcquire(bar, DMA_COMMAND);
            if ((command & DMA_RUN) != 0) {
                move(bar, bus, buffer, command);
                REGISTER64.setRelease(bar, DMA_COMMAND, command & ~DMA_RUN);
            }
            int acknowledged = (int) REGISTER.getAndSet(bar, ACKNOWLEDGE, 0);
            if (acknowledged != 0) {
                int left = (int) REGISTER.getOpaque(bar, STATUS) & ~acknowledged;
                bus.setLine(left != 0); // before the driver sees that it is done
                REGISTER.setRelease(bar, STATUS, left);
            }
            int raised = (int) REGISTER.getAndSet(bar, RAISE, 0);
            if (raised != 0) {
                REGISTER.getAndBitwiseOr(bar, STATUS, raised);
                bus.raise(0);
                bus.setLine(true);
            } else {
                LockSupport.parkNanos(PAUSE);
            }
        }
    }

    private static void move(MemorySegment bar, PciBus bus, MemorySegment buffer, long command) {
        long source = (long) REGISTER64.getOpaque(bar, DMA_SOURCE);
        long target = (long) REGISTER64.getOpaque(bar, DMA_TARGET);
        long count = (long) REGISTER64.getOpaque(bar, DMA_COUNT);
        if ((command & DMA_TO_MEMORY) != 0) {
            bus.dmaWrite(target, buffer.asSlice(source - BUFFER, count));
        } else {
            bus.dmaRead(source, buffer.asSlice(target - BUFFER, count));
        }
    }

    @Override
    public synchronized void reset() {
        REGISTER.setVolatile(registers, STATUS, 0);
    }

    @Override
    public synchronized void powerOff() {
        on = false;
        LockSupport.unpark(poller);
        boolean interrupted = false;
        while (poller.isAlive()) {
            try {
                poller.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
