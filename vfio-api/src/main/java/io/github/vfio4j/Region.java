package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * A region of a device: a BAR, the ROM, configuration space, or one of the device's own. Safe from any thread.
 */
public final class Region {
    private final Device device;
    private final RegionInfo info;
    private Mmio mapping; // guarded by the device's lock

    Region(Device device, RegionInfo info) {
        this.device = device;
        this.info = info;
    }

    /**
     * Returns what the kernel says of the region.
     *
     * @return the info
     */
    public RegionInfo info() {
        return info;
    }

    /**
     * Maps the whole region into the program ({@code mmap} of the device file). The mapping ends with the device, or
     * with {@link Device#unmapRegions}.
     *
     * @return the registers; always the same object
     * @throws RuleViolation if the region cannot be mapped as a whole, memory decode is off, or the device is closed
     * @throws VfioException if the kernel does not map it
     */
    public Mmio map() {
        device.lock().lock();
        try {
            device.checkOpen(Operation.REGION_MAP);
            if (mapping == null) {
                mapping = device.map(info, 0, info.size());
            }
            return mapping;
        } finally {
            device.lock().unlock();
        }
    }

    /**
     * Maps a part of the region into the program ({@code mmap} of the device file). {@link RegionInfo#areas()} lists
     * what can be mapped of a region that cannot be mapped as a whole. The mapping ends with the device.
     *
     * @param offset bytes from the start of the region; a multiple of the machine's page
     * @param size bytes
     * @return the registers of that part, whose offset 0 is the start of the part; each call maps anew
     * @throws RuleViolation if that part cannot be mapped, memory decode is off, or the device is closed
     * @throws VfioException if the kernel does not map it
     */
    public Mmio map(long offset, long size) {
        return device.map(info, offset, size);
    }

    /**
     * Reads from the region ({@code pread} of the device file).
     *
     * @param offset bytes from the start of the region
     * @param target native memory to fill
     * @throws IndexOutOfBoundsException if the region ends before
     * @throws IllegalArgumentException if the target is no native memory, or can only be read
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code EIO} when memory decode is off, or when the kernel reads fewer bytes
     */
    public void read(long offset, MemorySegment target) {
        Objects.requireNonNull(target, "target");
        device.checkOpen(Operation.REGION_READ);
        if (target.isReadOnly()) { // the kernel would write there all the same
            throw new IllegalArgumentException("the target can only be read");
        }
        checkBounds(offset, target);
        checkWhole(Operation.REGION_READ, device.port().read(info.offset() + offset, target), target);
    }

    /**
     * Writes to the region ({@code pwrite} of the device file). Configuration space is written through {@link PciConfig},
     * which keeps mapped BARs decoded.
     *
     * @param offset bytes from the start of the region
     * @param source native memory to write
     * @throws IndexOutOfBoundsException if the region ends before
     * @throws IllegalArgumentException if this is PCI configuration space
     * @throws RuleViolation if the region cannot be written, or the device is closed
     * @throws VfioException {@code EIO} when memory decode is off, or when the kernel writes fewer bytes
     */
    public void write(long offset, MemorySegment source) {
        Objects.requireNonNull(source, "source");
        if (device.info().pci() && info.index() == PciConfig.REGION) {
            throw new IllegalArgumentException("write configuration space through device.config()");
        }
        writeAny(offset, source);
    }

    /**
     * Has the kernel write a value to a register of this BAR each time an eventfd is signalled
     * ({@code VFIO_DEVICE_IOEVENTFD}). Of use where somebody else signals, such as KVM.
     *
     * @param offset bytes from the start of the BAR
     * @param width 1, 2 or 4 bytes; 8 before Linux 7
     * @param value what to write; bits beyond the width mean nothing
     * @return the eventfd
     * @throws RuleViolation if the region is no BAR, the register is not inside it or overlaps the MSI-X table, an
     *     eventfd writes the same value there already, the device has 1000 of them, or is closed
     * @throws VfioException {@code EINVAL} for 8 bytes since Linux 7
     */
    public IoEventFd ioEventFd(long offset, int width, long value) {
        if (width < 1 || width > Long.BYTES || Integer.bitCount(width) != 1) {
            throw new IllegalArgumentException("a register has 1, 2, 4 or 8 bytes, not " + width);
        }
        long bits = width == Long.BYTES ? value : value & (1L << 8 * width) - 1;
        return device.ioEventFd(info, offset, width, bits);
    }

    boolean isOf(Device asked) {
        return device == asked;
    }

    /** The device's lock is held. */
    void unmapped() {
        mapping = null;
    }

    void writeAny(long offset, MemorySegment source) {
        device.checkOpen(Operation.REGION_WRITE);
        checkBounds(offset, source);
        Rule.check(device.vfio().contract(), Operation.REGION_WRITE, new Facts() {
            @Override
            public boolean regionWritable() {
                return info.writable();
            }
        });
        checkWhole(Operation.REGION_WRITE, device.port().write(info.offset() + offset, source), source);
    }

    private void checkBounds(long offset, MemorySegment memory) {
        if (!memory.isNative()) {
            throw new IllegalArgumentException("the kernel needs native memory, not a Java array");
        }
        if (offset < 0 || offset > info.size() || memory.byteSize() > info.size() - offset) {
            throw new IndexOutOfBoundsException("%d bytes at offset 0x%x of region %d of %s, which has %d bytes"
                    .formatted(memory.byteSize(), offset, info.index(), device.name(), info.size()));
        }
    }

    private void checkWhole(Operation operation, long done, MemorySegment memory) {
        if (done != memory.byteSize()) {
            throw new VfioException(
                    operation,
                    Errno.EIO,
                    "only %d of %d bytes of region %d of %s"
                            .formatted(done, memory.byteSize(), info.index(), device.name()));
        }
    }
}
