package io.github.vfio4j.sim;

import java.util.List;

/** An open dma-buf: parts of a BAR that vfio-pci shares, which an iommufd maps, or a picture of a mediated device. */
final class DmaBufFile extends SimFile {
    /** A part of a BAR. */
    record Part(long offset, long size) {}

    private final String device;
    private final long bytes;
    private final List<Part> parts; // empty for a picture
    private final VfioDevice owner; // null for a picture
    private final Power power; // of the owner, as long as it stays open
    private final Memory memory; // of the BAR

    /** A picture, of a size that no model tells. */
    DmaBufFile(String device) {
        this.device = device;
        this.bytes = Long.MAX_VALUE;
        this.parts = List.of();
        this.owner = null;
        this.power = null;
        this.memory = null;
    }

    /** Parts of a BAR of an open device. */
    DmaBufFile(VfioDevice owner, int bar, List<Part> parts) {
        this.device = owner.function.address.toString();
        this.bytes = parts.stream().mapToLong(Part::size).sum();
        this.parts = List.copyOf(parts);
        this.owner = owner;
        this.power = owner.power();
        this.memory = power.bar(bar);
    }

    boolean has(long start, long size) {
        return size != 0 && Long.compareUnsigned(start, bytes) <= 0 && Long.compareUnsigned(size, bytes - start) <= 0;
    }

    /** Is it one piece of memory, as iommufds want it? */
    boolean isOfOnePart() {
        return parts.size() == 1;
    }

    /** Can it be reached, as long as the device stays as it is now? A picture can. */
    boolean isReachable() {
        return owner == null
                || owner.power() == power && power.config.memoryDecoded() && !power.features.lowPower();
    }

    /** The memory of the whole BAR. */
    Memory memory() {
        return memory;
    }

    /** Where a byte of its one part is in the BAR. */
    long offsetInBar(long at) {
        return parts.getFirst().offset() + at;
    }

    @Override
    void release() {
        // The device does not hold it.
    }

    @Override
    public String toString() {
        return "dma-buf of vfio device " + device;
    }
}
