package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The configuration space of a PCI function as vfio-pci shows it: identity, command and status, virtual BARs that tell
 * their size, and capabilities for message interrupts; of a PCI Express function also power states, a reset of the
 * function, and extended capabilities. What a program may not write it may write without effect. Offsets and bits are
 * those of linux/pci_regs.h.
 */
final class ConfigSpace {
    private static final int SIZE = 256;
    private static final int EXPRESS_SIZE = 4096;

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
    private static final int INTERRUPT_PIN = 0x3d;

    private static final int COMMAND_IO = 1;
    private static final int COMMAND_MEMORY = 1 << 1;
    private static final int COMMAND_MASTER = 1 << 2;
    private static final int COMMAND_SERR = 1 << 8;
    private static final int COMMAND_INTX_DISABLE = 1 << 10;
    private static final int COMMAND_WRITABLE =
            COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_SERR | COMMAND_INTX_DISABLE;
    private static final int STATUS_INTERRUPT = 1 << 3;
    private static final int STATUS_CAPABILITIES = 1 << 4;

    private static final int FIRST_CAPABILITY = 0x40;
    private static final int MSIX = 0x11;
    private static final int MSIX_ENABLE = 1 << 15;
    private static final int MSI = 0x05;
    private static final int MSI_ENABLE = 1;
    private static final int MSI_64BIT = 1 << 7;
    private static final int MSI_BYTES = 16;
    private static final int VENDOR_SPECIFIC = 0x09;
    private static final int FLAGS = 2; // in a capability: message control
    private static final int POWER = 0x01;
    private static final int POWER_CONTROL = 4;
    private static final int POWER_STATE = 3;
    private static final int D3_HOT = 3;
    private static final int EXPRESS = 0x10;
    private static final int EXPRESS_VERSION = 2;
    private static final int EXPRESS_BYTES = 60;
    private static final int DEVICE_CAPABILITIES = 4;
    private static final int DEVICE_CAN_RESET = 1 << 28;
    private static final int DEVICE_CONTROL = 8;
    private static final int DEVICE_RESET = 1 << 15;
    private static final int EXTENDED = 0x100;
    private static final int ERROR_REPORTING = 2 << 16 | 0x0001; // version and number
    private static final int ERROR_REPORTING_BYTES = 0x48;
    private static final int SERIAL_NUMBER = 1 << 16 | 0x0003;

    private final PciBars bars;
    private final Interrupts interrupts;
    private final Runnable reset;
    private final ByteBuffer bytes; // guarded by this
    private final byte[] writable;
    private final boolean showsLine;
    private final int msix;
    private final int msi;
    private final int power;
    private final int express;
    private volatile int command; // as in bytes; DMA asks it without a lock
    private volatile boolean off; // in D3hot

    /**
     * Makes the configuration space of a function that was just opened.
     *
     * @param reset what a program does that sets the reset bit of a PCI Express function; called with the device's lock
     */
    ConfigSpace(PciFunction function, Interrupts interrupts, Runnable reset) {
        this.bars = function.bars;
        this.interrupts = interrupts;
        this.reset = reset;
        bytes = ByteBuffer.allocate(size(function)).order(ByteOrder.LITTLE_ENDIAN);
        writable = new byte[bytes.capacity()];
        PciIdentity identity = function.model.identity();
        put16(VENDOR_ID, identity.vendorId());
        put16(DEVICE_ID, identity.deviceId());
        bytes.putInt(CLASS_REVISION, identity.classCode() << 8);
        put16(SUBSYSTEM_VENDOR_ID, identity.vendorId());
        put16(SUBSYSTEM_ID, identity.deviceId());
        bytes.put(INTERRUPT_PIN, (byte) function.model.interruptPin());
        showsLine = function.model.masksLine();
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
            previous = msi + 1;
            next += MSI_BYTES;
        }
        power = function.model.express() ? next : 0;
        express = function.model.express() ? next + 8 : 0;
        if (function.model.express()) {
            bytes.put(previous, (byte) power);
            bytes.put(power, (byte) POWER);
            bytes.put(power + 1, (byte) express);
            put16(power + FLAGS, 3); // version
            writable[power + POWER_CONTROL] = POWER_STATE;
            bytes.put(express, (byte) EXPRESS);
            put16(express + FLAGS, EXPRESS_VERSION);
            bytes.putInt(express + DEVICE_CAPABILITIES, function.model.resettable() ? DEVICE_CAN_RESET : 0);
            int serialNumber = EXTENDED + ERROR_REPORTING_BYTES;
            bytes.putInt(EXTENDED, serialNumber << 20 | ERROR_REPORTING);
            bytes.putInt(serialNumber, SERIAL_NUMBER);
            bytes.putInt(serialNumber + 4, function.address.hashCode());
            previous = express + 1;
            next = express + EXPRESS_BYTES;
        }
        for (byte[] body : function.model.vendorCapabilities()) {
            bytes.put(previous, (byte) next);
            bytes.put(next, (byte) VENDOR_SPECIFIC);
            bytes.put(next + 2, body);
            previous = next + 1;
            next += (2 + body.length + 3) / 4 * 4;
        }
        if (next != FIRST_CAPABILITY) {
            put16(STATUS, STATUS_CAPABILITIES);
        }

        writable[COMMAND] = (byte) COMMAND_WRITABLE;
        writable[COMMAND + 1] = (byte) (COMMAND_WRITABLE >> 8);
        writable[CACHE_LINE_SIZE] = -1;
        writable[LATENCY_TIMER] = -1;
        writable[INTERRUPT_LINE] = -1;
        Arrays.fill(writable, BAR_0, BAR_0 + 4 * PciBars.COUNT, (byte) -1);
    }

    /** Bytes of the configuration space of a function. */
    static int size(PciFunction function) {
        return function.model.express() ? EXPRESS_SIZE : SIZE;
    }

    /** May the function reach memory? */
    boolean busMaster() {
        return (command & COMMAND_MASTER) != 0;
    }

    /** Does the function answer accesses to its BARs? */
    boolean memoryDecoded() {
        return !off && (command & COMMAND_MEMORY) != 0;
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

    /** The device's lock is held. */
    long write(long offset, MemorySegment source) {
        if (put(offset, source)) {
            reset.run();
        }
        return source.byteSize();
    }

    /** Writes what may be written, and says whether the program asked for a reset of the function. */
    private synchronized boolean put(long offset, MemorySegment source) {
        check(offset, source);
        for (int i = 0; i < source.byteSize(); i++) {
            int at = (int) offset + i;
            int mask = writable[at];
            bytes.put(at, (byte) (bytes.get(at) & ~mask | source.get(ValueLayout.JAVA_BYTE, i) & mask));
        }
        command = Short.toUnsignedInt(bytes.getShort(COMMAND));
        interrupts.disableLine((command & COMMAND_INTX_DISABLE) != 0);
        off = power != 0 && (bytes.get(power + POWER_CONTROL) & POWER_STATE) == D3_HOT;
        int high = express + DEVICE_CONTROL + 1 - (int) offset; // the byte with the reset bit, which reads as 0
        return express != 0
                && high >= 0
                && high < source.byteSize()
                && (source.get(ValueLayout.JAVA_BYTE, high) << 8 & DEVICE_RESET) != 0
                && (bytes.getInt(express + DEVICE_CAPABILITIES) & DEVICE_CAN_RESET) != 0;
    }

    /** Puts in what changes without a write: the sizes of the BARs, and which interrupts are enabled. */
    private void showState() {
        for (int index = 0; index < PciBars.COUNT; index++) {
            int at = BAR_0 + 4 * index;
            bytes.putInt(at, bars.has(index) ? bytes.getInt(at) & (int) -bars.size(index) : 0);
        }
        flag(STATUS, STATUS_INTERRUPT, showsLine && interrupts.linePending());
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

    private void check(long offset, MemorySegment buffer) {
        int size = bytes.capacity();
        if (offset < 0 || offset >= size || buffer.byteSize() > size - offset) {
            throw new KernelError(Errno.EFAULT);
        }
    }
}
