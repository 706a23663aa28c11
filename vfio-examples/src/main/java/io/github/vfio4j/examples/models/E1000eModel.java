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
 * A simulated 82574L, as far as a polling driver goes: reset, both rings with legacy descriptors, the link, the MAC
 * address. It has no interrupts, no filters and no offloads; MPC, which is cleared by reading, stays 0, since its registers
 * are memory that cannot notice a read: {@link #missed} tells instead.
 */
public final class E1000eModel implements PciModel, Wire.End {
    private static final long CTRL = 0x0000;
    private static final long STATUS = 0x0008;
    private static final long RCTL = 0x0100;
    private static final long TCTL = 0x0400;
    private static final long RDBA = 0x2800;
    private static final long RDLEN = 0x2808;
    private static final long RDH = 0x2810;
    private static final long RDT = 0x2818;
    private static final long TDBA = 0x3800;
    private static final long TDLEN = 0x3808;
    private static final long TDH = 0x3810;
    private static final long TDT = 0x3818;
    private static final long RAL0 = 0x5400;
    private static final long RAH0 = 0x5404;
    private static final long BAR_BYTES = 128 << 10;

    private static final int CTRL_RESET = 1 << 26;
    private static final int STATUS_LINK = 1 << 1;
    private static final int ENABLE = 1 << 1;
    private static final int VALID = 1 << 31; // of RAH
    private static final int DESCRIPTOR_BYTES = 16;
    private static final long DONE = 1L << 32;
    private static final long RX_END_OF_PACKET = 1L << 33;
    private static final long TX_REPORT = 1L << 27;
    private static final int BURST = 64;
    private static final int MOST_FRAME_BYTES = 1518;

    private static final VarHandle INT32 = JAVA_INT.varHandle().withInvokeExactBehavior();

    private final long macAddress;
    private final MemorySegment descriptor = Arena.ofAuto().allocate(DESCRIPTOR_BYTES, 8);
    private final MemorySegment frame = Arena.ofAuto().allocate(1 << 16, 8);
    private final MemorySegment arrived = Arena.ofAuto().allocate(DESCRIPTOR_BYTES, 8); // guarded by this
    private PciBus bus; // guarded by this; null without power
    private MemorySegment bar; // guarded by this
    private Poller poller;
    private volatile Wire wire;
    private volatile long missed;

    /**
     * Makes a card.
     *
     * @param macAddress 48 bits; the first byte on the wire is the lowest
     */
    public E1000eModel(long macAddress) {
        this.macAddress = macAddress;
    }

    /**
     * Returns how many frames it dropped because the driver had given it no memory for them.
     *
     * @return the number since the model was made
     */
    public long missed() {
        return missed;
    }

    @Override
    public void plug(Wire newWire) {
        wire = newWire;
    }

    @Override
    public PciIdentity identity() {
        return new PciIdentity(0x8086, 0x10d3, 0x020000);
    }

    @Override
    public List<PciBar> bars() {
        return List.of(new PciBar(0, BAR_BYTES, true));
    }

    @Override
    public void powerOn(PciBus newBus) {
        MemorySegment registers = newBus.bar(0);
        synchronized (this) {
            bus = newBus;
            bar = registers;
            resetRegisters();
        }
        poller = new Poller("e1000e model", () -> look(newBus, registers));
    }

    /** Leaves it to the thread that works with the rings. */
    @Override
    public void reset() {
        MemorySegment registers;
        synchronized (this) {
            registers = bar;
        }
        INT32.setRelease(registers, CTRL, CTRL_RESET);
        while (((int) INT32.getAcquire(registers, CTRL) & CTRL_RESET) != 0) {
            Thread.onSpinWait();
        }
    }

    @Override
    public void powerOff() {
        poller.stop();
        synchronized (this) { // a frame may be on its way in
            bus = null;
            bar = null;
        }
    }

    private void resetRegisters() {
        for (long offset : new long[] {RCTL, TCTL, RDH, RDT, TDH, TDT, RDLEN, TDLEN}) {
            INT32.setOpaque(bar, offset, 0);
        }
        INT32.setOpaque(bar, RAL0, (int) macAddress);
        INT32.setOpaque(bar, RAH0, (int) (macAddress >>> 32) | VALID);
        INT32.setOpaque(bar, STATUS, wire == null ? 0 : STATUS_LINK);
        INT32.setRelease(bar, CTRL, 0);
    }

    private boolean look(PciBus on, MemorySegment registers) {
        if (((int) INT32.getAcquire(registers, CTRL) & CTRL_RESET) != 0) {
            synchronized (this) {
                resetRegisters();
            }
            return true;
        }
        return ((int) INT32.getAcquire(registers, TCTL) & ENABLE) != 0 && transmit(on, registers);
    }

    private boolean transmit(PciBus on, MemorySegment registers) {
        int entries = (int) INT32.getOpaque(registers, TDLEN) / DESCRIPTOR_BYTES;
        int head = (int) INT32.getOpaque(registers, TDH);
        int tail = (int) INT32.getAcquire(registers, TDT);
        int done = 0;
        while (head != tail && tail < entries && done < BURST) {
            long at = base(registers, TDBA) + (long) head * DESCRIPTOR_BYTES;
            if (!on.dmaRead(at, descriptor)) {
                return false;
            }
            long word = descriptor.get(JAVA_LONG, 8);
            MemorySegment sent = frame.asSlice(0, word & 0xffff);
            Wire out = wire;
            if (on.dmaRead(descriptor.get(JAVA_LONG, 0), sent) && out != null) {
                out.send(this, sent);
            }
            if ((word & TX_REPORT) != 0) {
                descriptor.set(JAVA_LONG, 8, word | DONE);
                on.dmaWrite(at + 8, descriptor.asSlice(8, 8));
            }
            head = head + 1 == entries ? 0 : head + 1;
            done++;
        }
        INT32.setRelease(registers, TDH, head);
        return done > 0;
    }

    @Override
    public synchronized void receive(MemorySegment arriving) {
        if (bus == null
                || ((int) INT32.getAcquire(bar, RCTL) & ENABLE) == 0
                || arriving.byteSize() > MOST_FRAME_BYTES) {
            return;
        }
        int entries = (int) INT32.getOpaque(bar, RDLEN) / DESCRIPTOR_BYTES;
        int head = (int) INT32.getOpaque(bar, RDH);
        int tail = (int) INT32.getAcquire(bar, RDT);
        if (head == tail || tail >= entries) {
            missed++;
            return;
        }
        long at = base(bar, RDBA) + (long) head * DESCRIPTOR_BYTES;
        if (!bus.dmaRead(at, arrived) || !bus.dmaWrite(arrived.get(JAVA_LONG, 0), arriving)) {
            return;
        }
        INT32.setRelease(bar, RDH, head + 1 == entries ? 0 : head + 1);
        arrived.set(JAVA_LONG, 8, arriving.byteSize() | DONE | RX_END_OF_PACKET);
        bus.dmaWrite(at + 8, arrived.asSlice(8, 8));
    }

    private static long base(MemorySegment registers, long offset) {
        return Integer.toUnsignedLong((int) INT32.getOpaque(registers, offset))
                | (long) (int) INT32.getOpaque(registers, offset + 4) << 32;
    }
}
