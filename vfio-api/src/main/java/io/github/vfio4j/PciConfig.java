package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/**
 * The configuration space of a PCI device, through its region (little-endian). The kernel virtualises parts of it.
 *
 * <p>Safe from any thread. All methods throw {@link RuleViolation} once the device is closed,
 * {@link IndexOutOfBoundsException} outside configuration space (256 or 4096 bytes) and {@link VfioException} if the
 * kernel refuses.
 */
public final class PciConfig {
    static final int REGION = 7; // VFIO_PCI_CONFIG_REGION_INDEX

    private static final int COMMAND = 4;
    private static final int STATUS = 6;
    private static final int STATUS_CAPABILITIES = 1 << 4;
    private static final int CAPABILITIES = 0x34;
    private static final int FIRST_CAPABILITY = 0x40;
    private static final int CAPABILITIES_END = 0x100;
    private static final int EXTENDED_CAPABILITIES = 0x100;
    private static final int COMMAND_MEMORY = 1 << 1;
    private static final int COMMAND_MASTER = 1 << 2;
    private static final int COMMAND_INTX_DISABLE = 1 << 10;
    private static final int POWER_CONTROL = 4; // in the power management capability
    private static final int POWER_STATE = 3;
    private static final int D3_HOT = 3;
    private static final int GONE = 0xffff_ffff; // what a read gives when nobody answers

    private static final ValueLayout.OfShort INT16 =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Device device;
    private final Region region;
    private final MemorySegment scratch = Arena.ofAuto().allocate(4); // guarded by this

    PciConfig(Device device, Region region) {
        this.device = device;
        this.region = region;
    }

    /**
     * A capability (PCI 3.0, section 6.7).
     *
     * @param id which, such as {@link #MSIX}
     * @param offset where its header is in configuration space
     */
    public record Capability(int id, int offset) {
        /** Power management. */
        public static final int POWER_MANAGEMENT = 0x01;
        /** Message interrupts. */
        public static final int MSI = 0x05;
        /** What the vendor likes. */
        public static final int VENDOR = 0x09;
        /** PCI Express. */
        public static final int EXPRESS = 0x10;
        /** Message interrupts with a table. */
        public static final int MSIX = 0x11;
    }

    /**
     * An extended capability (PCI Express, section 7.6.3).
     *
     * @param id which, such as 1 for advanced error reporting
     * @param version of its layout
     * @param offset where its header is in configuration space
     */
    public record ExtendedCapability(int id, int version, int offset) {}

    /**
     * Where the MSI-X table is, from the MSI-X capability. The kernel writes the table; a program leaves it alone.
     *
     * @param vectors how many entries of 16 bytes it has
     * @param bar the BAR that holds it
     * @param offset bytes from the start of the BAR
     */
    public record MsixTable(int vectors, int bar, long offset) {
        private static final int ENTRY = 16;

        /**
         * Returns the size of the table.
         *
         * @return bytes
         */
        public long size() {
            return (long) vectors * ENTRY;
        }

        boolean overlaps(int region, long start, long length) {
            return region == bar && start < offset + size() && start + length > offset;
        }
    }

    /**
     * Walks the capabilities. A chain that runs in a circle, or points to where no capability can be, is an error.
     *
     * @return the capabilities in the chain's order; empty if the device has none
     * @throws VfioException {@code EPROTO} if the chain is broken
     */
    public synchronized List<Capability> capabilities() {
        List<Capability> found = new ArrayList<>();
        if ((read16(STATUS) & STATUS_CAPABILITIES) == 0) {
            return found;
        }
        BitSet seen = new BitSet();
        int at = read8(CAPABILITIES) & ~3;
        while (at != 0) {
            checkLink(at, FIRST_CAPABILITY, CAPABILITIES_END, seen);
            int header = read16(at);
            found.add(new Capability(header & 0xff, at));
            at = header >> 8 & ~3;
        }
        return found;
    }

    /**
     * Walks the extended capabilities, which begin at offset 0x100. Those that the kernel hides are left out. A broken
     * chain is an error.
     *
     * @return the capabilities in the chain's order; empty if configuration space has 256 bytes, or no such capability
     * @throws VfioException {@code EPROTO} if the chain is broken
     */
    public synchronized List<ExtendedCapability> extendedCapabilities() {
        List<ExtendedCapability> found = new ArrayList<>();
        long size = region.info().size();
        if (size < EXTENDED_CAPABILITIES + Integer.BYTES) {
            return found;
        }
        BitSet seen = new BitSet();
        int at = EXTENDED_CAPABILITIES;
        while (at != 0) {
            checkLink(at, EXTENDED_CAPABILITIES, size, seen);
            int header = read32(at);
            int id = header & 0xffff;
            if (header == GONE) {
                break;
            } else if (id != 0) { // the kernel clears the number of the first one to hide it
                found.add(new ExtendedCapability(id, header >> 16 & 0xf, at));
            }
            at = header >>> 20 & ~3;
        }
        return found;
    }

    private void checkLink(int at, int first, long end, BitSet seen) {
        if (at < first || at > end - Integer.BYTES || seen.get(at)) {
            throw new VfioException(
                    Operation.REGION_READ,
                    Errno.EPROTO,
                    "the chain of capabilities of %s is broken at offset 0x%x".formatted(device.name(), at));
        }
        seen.set(at);
    }

    /**
     * Finds a capability.
     *
     * @param id which, such as {@link Capability#EXPRESS}
     * @return the first of that number
     * @throws VfioException {@code EPROTO} if the chain is broken
     */
    public Optional<Capability> capability(int id) {
        return capabilities().stream().filter(c -> c.id() == id).findFirst();
    }

    /**
     * Returns where the MSI-X table is.
     *
     * @return the table; empty if the device has no MSI-X
     * @throws VfioException {@code EPROTO} if the chain of capabilities is broken
     */
    public synchronized Optional<MsixTable> msixTable() {
        return capability(Capability.MSIX).map(msix -> {
            int vectors = (read16(msix.offset() + 2) & 0x7ff) + 1;
            int table = read32(msix.offset() + 4);
            return new MsixTable(vectors, table & 7, Integer.toUnsignedLong(table & ~7));
        });
    }

    /**
     * Reads 8 bits.
     *
     * @param offset bytes from the start
     * @return 0 to 255
     */
    public synchronized int read8(int offset) {
        region.read(offset, scratch.asSlice(0, 1));
        return Byte.toUnsignedInt(scratch.get(ValueLayout.JAVA_BYTE, 0));
    }

    /**
     * Reads 16 bits.
     *
     * @param offset bytes from the start
     * @return 0 to 65535
     */
    public synchronized int read16(int offset) {
        region.read(offset, scratch.asSlice(0, 2));
        return Short.toUnsignedInt(scratch.get(INT16, 0));
    }

    /**
     * Reads 32 bits.
     *
     * @param offset bytes from the start
     * @return the value, unsigned
     */
    public synchronized int read32(int offset) {
        region.read(offset, scratch);
        return scratch.get(INT32, 0);
    }

    /**
     * Writes 8 bits.
     *
     * @param offset bytes from the start
     * @param value the lowest 8 bits are written; the kernel drops what a program may not write
     * @throws RuleViolation if a region is mapped that would not answer any more
     */
    public void write8(int offset, int value) {
        write(offset, value, 1);
    }

    /**
     * Writes 16 bits; otherwise as {@link #write8}.
     *
     * @param offset bytes from the start
     * @param value the lowest 16 bits are written
     */
    public void write16(int offset, int value) {
        write(offset, value, 2);
    }

    /**
     * Writes 32 bits; otherwise as {@link #write8}.
     *
     * @param offset bytes from the start
     * @param value what is written
     */
    public void write32(int offset, int value) {
        write(offset, value, 4);
    }

    /** Lets the device access memory and raise message interrupts (command register, bit 2). Off after an open. */
    public void enableBusMaster() {
        command(COMMAND_MASTER, COMMAND_MASTER);
    }

    /** Stops the device from accessing memory and raising message interrupts (command register, bit 2). */
    public void disableBusMaster() {
        command(COMMAND_MASTER, 0);
    }

    /**
     * Tells whether the device may access memory.
     *
     * @return bit 2 of the command register
     */
    public boolean busMasterEnabled() {
        return (read16(COMMAND) & COMMAND_MASTER) != 0;
    }

    /** Lets the device answer accesses to its memory BARs (command register, bit 1). Usually on after an open. */
    public void enableMemory() {
        command(COMMAND_MEMORY, COMMAND_MEMORY);
    }

    /**
     * Stops the device from answering accesses to its memory BARs (command register, bit 1).
     *
     * @throws RuleViolation if a region is mapped: an access would kill the program then; {@link Device#unmapRegions}
     */
    public void disableMemory() {
        command(COMMAND_MEMORY, 0);
    }

    /**
     * Tells whether the device answers accesses to its memory BARs.
     *
     * @return bit 1 of the command register
     */
    public boolean memoryEnabled() {
        return (read16(COMMAND) & COMMAND_MEMORY) != 0;
    }

    /** Stops the device from asserting its interrupt line (command register, bit 10). */
    public void disableIntx() {
        command(COMMAND_INTX_DISABLE, COMMAND_INTX_DISABLE);
    }

    /** Lets the device assert its interrupt line (command register, bit 10). */
    public void enableIntx() {
        command(COMMAND_INTX_DISABLE, 0);
    }

    /**
     * Tells whether the device may assert its interrupt line. The kernel uses the bit, too, to mask the interrupt.
     *
     * @return bit 10 of the command register, inverted
     */
    public boolean intxEnabled() {
        return (read16(COMMAND) & COMMAND_INTX_DISABLE) == 0;
    }

    /** Is the device in D3hot, so that it answers configuration accesses only? */
    boolean inD3() {
        return capability(Capability.POWER_MANAGEMENT)
                .map(power -> (read8(power.offset() + POWER_CONTROL) & POWER_STATE) == D3_HOT)
                .orElse(false);
    }

    private void command(int mask, int bits) {
        device.lock().lock();
        try {
            write(COMMAND, read16(COMMAND) & ~mask | bits, 2);
        } finally {
            device.lock().unlock();
        }
    }

    /** Under the device's lock, so that nothing is mapped between the check and the write. */
    private void write(int offset, int value, int bytes) {
        device.lock().lock();
        try {
            device.checkOpen(Operation.REGION_WRITE);
            Rule.check(device.vfio().contract(), Operation.REGION_WRITE, new Facts() {
                @Override
                public boolean mappedRegionsGoDead() {
                    return device.regionsMapped() && goDead(offset, value, bytes);
                }
            });
            synchronized (this) {
                scratch.set(INT32, 0, value);
                region.writeAny(offset, scratch.asSlice(0, bytes));
            }
        } finally {
            device.lock().unlock();
        }
    }

    /** Does a write turn memory decode off, or put the device into D3hot? */
    private boolean goDead(int offset, int value, int bytes) {
        if (covers(offset, bytes, COMMAND) && (value >> 8 * (COMMAND - offset) & COMMAND_MEMORY) == 0) {
            return true;
        }
        return capability(Capability.POWER_MANAGEMENT)
                .map(power -> power.offset() + POWER_CONTROL)
                .filter(control -> covers(offset, bytes, control)
                        && (value >> 8 * (control - offset) & POWER_STATE) == D3_HOT)
                .isPresent();
    }

    private static boolean covers(int offset, int bytes, int at) {
        return offset <= at && at < offset + bytes;
    }
}
