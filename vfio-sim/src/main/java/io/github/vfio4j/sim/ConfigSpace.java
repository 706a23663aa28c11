package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The configuration space of a conventional PCI function as vfio-pci shows it (256 bytes): identity, command and status,
 * virtual BARs that tell their size, and capabilities for message interrupts. What a program may not write it may write
 * without effect. Offsets and bits are those of linux/pci_regs.h.
 */
final class ConfigSpace {
    static final int SIZE = 256;

    private static final int VENDOR_ID = 0x00;
    private static final int DEVICE_ID = 0x02;
    private static final int COMMAND = 0x04;
    private static final int STATUS = 0x06;
    private static final int CLASS_REVISION = 0x08;
    private static final int CACHE_LINE_SIZE = 0x0c;
    private static final int LATENCY_TIMER = 0x0d;
    private static final int BAR_0 = 0x10;
    private static final int SUBSYSTEM_VENDOR_ID = 0x2c;
    private static final int SUBSYSTEM_ID = 0x2e;
    private static final int CAPABILITY_LIST = 0x34;
    private static final int INTERRUPT_LINE = 0x3c;

    private static final int COMMAND_IO = 1;
    private static final int COMMAND_MEMORY = 1 << 1;
    private static final int COMMAND_MASTER = 1 << 2;
    private static final int COMMAND_SERR = 1 << 8;
    private static final int COMMAND_INTX_DISABLE = 1 << 10;
    private static final int COMMAND_WRITABLE =
            COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_SERR | COMMAND_INTX_DISABLE;
    private static final int STATUS_CAPABILITIES = 1 << 4;

    private static final int FIRST_CAPABILITY = 0x40;
    private static final int MSIX = 0x11;
    private static final int MSIX_ENABLE = 1 << 15;
    private static final int MSI = 0x05;
    private static final int MSI_ENABLE = 1;
    private static final int MSI_64BIT = 1 << 7;
    private static final int FLAGS = 2; // in a capability: message control

    private final PciBars bars;
    private final Interrupts interrupts;
    private final ByteBuffer bytes = ByteBuffer.allocate(SIZE).order(ByteOrder.LITTLE_ENDIAN); // guarded by this
    private final byte[] writable = new byte[SIZE];
    private final int msix;
    private final int msi;
    private volatile int command; // as in bytes; DMA asks it without a lock

    ConfigSpace(PciFunction function, Interrupts interrupts) {
        this.bars = function.bars;
        this.interrupts = interrupts;
        PciIdentity identity = function.model.identity();
        put16(VENDOR_ID, identity.vendorId());
        put16(DEVICE_ID, identity.deviceId());
        bytes.putInt(CLASS_REVISION, identity.classCode() << 8);
        put16(SUBSYSTEM_VENDOR_ID, identity.vendorId());
        put16(SUBSYSTEM_ID, identity.deviceId());
        boolean hasBars = false;
        for (int index = 0; index < PciBars.COUNT; index++) {
            hasBars |= bars.has(index);
            bytes.putInt(BAR_0 + 4 * index, bars.physicalAddress(index));
        }
        setCommand(hasBars ? COMMAND_MEMORY : 0); // as pci_enable_device leaves it; bus mastering is off

        int next = FIRST_CAPABILITY;
        int previous = CAPABILITY_LIST;
        msix = function.model.vectors() > 0 ? next : 0;
        if (msix != 0) {
            bytes.put(previous, (byte) msix);
            bytes.put(msix, (byte) MSIX);
            put16(msix + FLAGS, function.model.vectors() - 1);
            bytes.putInt(msix + 4, bars.msixBar());
            bytes.putInt(msix + 8, (int) bars.msixPendingOffset() | bars.msixBar());
            previous = msix + 1;
            next += 12;
        }
        msi = function.model.msiVectors() > 0 ? next : 0;
        if (msi != 0) {
            bytes.put(previous, (byte) msi);
            bytes.put(msi, (byte) MSI);
            put16(msi + FLAGS, MSI_64BIT | Integer.numberOfTrailingZeros(function.model.msiVectors()) << 1);
        }
        if ((msix | msi) != 0) {
            put16(STATUS, STATUS_CAPABILITIES);
        }

        writable[COMMAND] = (byte) COMMAND_WRITABLE;
        writable[COMMAND + 1] = (byte) (COMMAND_WRITABLE >> 8);
        writable[CACHE_LINE_SIZE] = -1;
        writable[LATENCY_TIMER] = -1;
        writable[INTERRUPT_LINE] = -1;
        Arrays.fill(writable, BAR_0, BAR_0 + 4 * PciBars.COUNT, (byte) -1);
    }

    /** May the function reach memory? */
    boolean busMaster() {
        return (command & COMMAND_MASTER) != 0;
    }

    /** Does the function answer accesses to its BARs? */
    boolean memoryDecoded() {
        return (command & COMMAND_MEMORY) != 0;
    }

    synchronized void clearBusMaster() {
        setCommand(command & ~COMMAND_MASTER);
    }

    synchronized long read(long offset, MemorySegment target) {
        check(offset, target);
        showState();
        MemorySegment.copy(bytes.array(), (int) offset, target, ValueLayout.JAVA_BYTE, 0, (int) target.byteSize());
        return target.byteSize();
    }

    synchronized long write(long offset, MemorySegment source) {
        check(offset, source);
        for (int i = 0; i < source.byteSize(); i++) {
            int at = (int) offset + i;
            int mask = writable[at];
            bytes.put(at, (byte) (bytes.get(at) & ~mask | source.get(ValueLayout.JAVA_BYTE, i) & mask));
        }
        command = Short.toUnsignedInt(bytes.getShort(COMMAND));
        return source.byteSize();
    }

    /** Puts in what changes without a write: the sizes of the BARs, and which interrupts are enabled. */
    private void showState() {
        for (int index = 0; index < PciBars.COUNT; index++) {
            int at = BAR_0 + 4 * index;
            bytes.putInt(at, bars.has(index) ? bytes.getInt(at) & (int) -bars.size(index) : 0);
        }
        if (msix != 0) {
            flag(msix + FLAGS, MSIX_ENABLE, interrupts.msixEnabled());
        }
        if (msi != 0) {
            flag(msi + FLAGS, MSI_ENABLE, interrupts.msiEnabled());
        }
    }

    private void flag(int offset, int bit, boolean on) {
        int old = bytes.getShort(offset) & ~bit;
        put16(offset, on ? old | bit : old);
    }

    private void setCommand(int value) {
        put16(COMMAND, value);
        command = value;
    }

    private void put16(int offset, int value) {
        bytes.putShort(offset, (short) value);
    }

    private static void check(long offset, MemorySegment buffer) {
        if (offset < 0 || offset >= SIZE || buffer.byteSize() > SIZE - offset) {
            throw new KernelError(Errno.EFAULT);
        }
    }
}
