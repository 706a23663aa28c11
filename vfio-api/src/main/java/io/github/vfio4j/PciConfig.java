package io.github.vfio4j;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

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
    private static final int COMMAND_MEMORY = 1 << 1;
    private static final int COMMAND_MASTER = 1 << 2;

    private static final ValueLayout.OfShort INT16 =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Region region;
    private final MemorySegment scratch = Arena.ofAuto().allocate(4); // guarded by this

    PciConfig(Region region) {
        this.region = region;
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

    /** Lets the device access memory and raise message interrupts (command register, bit 2). Off after an open. */
    public void enableBusMaster() {
        command(COMMAND_MASTER, COMMAND_MASTER);
    }

    /** Stops the device from accessing memory and raising message interrupts (command register, bit 2). */
    public void disableBusMaster() {
        command(COMMAND_MASTER, 0);
    }

    /** Lets the device answer accesses to its memory BARs (command register, bit 1). Usually on after an open. */
    public void enableMemory() {
        command(COMMAND_MEMORY, COMMAND_MEMORY);
    }

    /**
     * Tells whether the device answers accesses to its memory BARs.
     *
     * @return bit 1 of the command register
     */
    public boolean memoryEnabled() {
        return (read16(COMMAND) & COMMAND_MEMORY) != 0;
    }

    private synchronized void command(int mask, int bits) {
        int command = read16(COMMAND) & ~mask | bits;
        MemorySegment value = scratch.asSlice(0, 2);
        value.set(INT16, 0, (short) command);
        region.writeAny(COMMAND, value);
    }
}
