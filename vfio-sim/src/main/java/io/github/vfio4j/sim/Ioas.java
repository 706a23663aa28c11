package io.github.vfio4j.sim;

import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.spi.Facts;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * An address space of an iommufd (Linux: struct iommufd_ioas). What is mapped in it is in all its page tables. Guarded by
 * the kernel's lock.
 */
final class Ioas extends IommuObject {
    private static final IovaRange EVERYTHING = new IovaRange(0, -1);
    private static final long LARGEST_ALIGNMENT = 2 << 20; // HPAGE_SIZE

    /** IOVAs that a device or a page table cannot use. */
    private record Reserved(Object owner, IovaRange range) {}

    /** A range of bytes of some pages, to be mapped. */
    record Slice(DmaPages pages, long start, long size) {}

    final IoPageTable<Area> table = new IoPageTable<>();
    private final List<Reserved> reserved = new ArrayList<>();
    private List<IovaRange> allowed = List.of(); // where the kernel may place mappings; empty for everywhere
    private final List<Hwpt> pageTables = new ArrayList<>();
    private int emulatedDevices; // that are attached
    private long alignment = 1;
    private boolean largePages = true;

    Ioas(Iommufd iommufd) {
        super(iommufd);
    }

    Collection<Area> areas() {
        return table.mappings();
    }

    List<Hwpt> pageTables() {
        return pageTables;
    }

    /** Where mappings begin and end, in bytes: the smallest page of its IOMMUs. */
    long alignment() {
        return alignment;
    }

    boolean largePages() {
        return largePages;
    }

    private boolean mapped(IovaRange range) {
        return !table.overlapping(range.first(), range.last()).isEmpty();
    }

    // ---- what devices and IOMMUs cannot use

    /** The IOVAs that can be mapped. */
    List<IovaRange> ranges() {
        return new IovaWindow(List.of(EVERYTHING))
                .without(reserved.stream().map(Reserved::range).toList())
                .ranges();
    }

    /** Are some IOVAs neither mapped nor promised? */
    boolean isFree(List<IovaRange> ranges) {
        return ranges.stream().noneMatch(range -> mapped(range) || allowed.stream().anyMatch(a -> overlap(a, range)));
    }

    /** Keeps IOVAs from being mapped, on behalf of a device or a page table. */
    void reserve(Object owner, List<IovaRange> ranges) {
        ranges.forEach(range -> reserved.add(new Reserved(owner, range)));
    }

    void unreserve(Object owner) {
        reserved.removeIf(range -> range.owner() == owner);
    }

    private static boolean overlap(IovaRange one, IovaRange other) {
        return Long.compareUnsigned(one.first(), other.last()) <= 0 && Long.compareUnsigned(other.first(), one.last()) <= 0;
    }

    /** IOMMU_IOAS_ALLOW_IOVAS. */
    void allow(List<IovaRange> ranges) {
        KernelError.check(iommufd.machine.profile(), Operation.IOAS_ALLOW_IOVAS, new Facts() {
            @Override
            public boolean rangesApart() {
                for (IovaRange range : ranges) {
                    boolean hasLength = Long.compareUnsigned(range.first(), range.last()) < 0;
                    if (!hasLength || ranges.stream().anyMatch(other -> other != range && overlap(other, range))) {
                        return false;
                    }
                }
                return true;
            }

            @Override
            public boolean reservedIsFree() {
                return ranges.stream().noneMatch(range -> reserved.stream().anyMatch(r -> overlap(r.range(), range)));
            }
        });
        allowed = ranges.stream()
                .sorted((one, other) -> Long.compareUnsigned(one.first(), other.first()))
                .toList();
    }

    // ---- page tables

    /** Is everything that is mapped made of pieces of a size? */
    boolean isAligned(long size) {
        return areas().stream().allMatch(area ->
                ((area.iova | area.size | area.pages.address(area.start) % Memory.PAGE) & (size - 1)) == 0);
    }

    /** The alignment once an IOMMU is there, too. */
    long alignmentWith(SimIommu iommu) {
        return Math.max(alignment, Long.lowestOneBit(iommu.pageSizes()));
    }

    void add(Hwpt pageTable) {
        if (pageTables.isEmpty()) {
            areas().forEach(Area::pin);
        }
        pageTables.add(pageTable);
        alignment = alignmentWith(pageTable.iommu);
        reserve(pageTable, pageTable.iommu.beyondReach());
    }

    void remove(Hwpt pageTable) {
        pageTables.remove(pageTable);
        unreserve(pageTable);
        if (pageTables.isEmpty()) {
            areas().forEach(Area::unpin);
        }
        alignAnew();
    }

    void emulatedDevices(int more) {
        emulatedDevices += more;
        alignAnew();
    }

    private void alignAnew() {
        alignment = largePages && emulatedDevices == 0 ? 1 : Memory.PAGE;
        pageTables.forEach(pageTable -> alignment = alignmentWith(pageTable.iommu));
    }

    /** Can large pages be turned off, if that is wanted? */
    boolean largePagesUnused(boolean off) {
        return !off || !largePages || pageTables.isEmpty() || areas().isEmpty();
    }

    /** Is everything mapped made of pages, if large ones are to be turned off? */
    boolean worksWithoutLargePages(boolean off) {
        return !off || !largePages || alignment >= Memory.PAGE || isAligned(Memory.PAGE);
    }

    /** IOMMU_OPTION_HUGE_PAGES, and type1 v1 of a container: without large pages mappings can be cut. */
    void setLargePages(boolean on) {
        largePages = on;
        alignAnew();
    }

    // ---- mapping

    /**
     * Where and how something is to be mapped.
     *
     * @param iova the IOVA that the program gave
     * @param given whether it is to be mapped there; else the kernel chooses
     * @param access what devices may do
     * @param facts what else the operation's rules ask
     */
    record Place(long iova, boolean given, int access, Facts facts) {}

    /** Maps slices one behind the other; returns where. */
    long map(Operation operation, Place place, List<Slice> slices) {
        long size = slices.stream().mapToLong(Slice::size).sum();
        KernelError.check(iommufd.machine.profile(), operation, new MapFacts(place, slices, size));
        long first = place.given() ? place.iova() : gap(slices, size).orElseThrow();
        long at = first;
        for (Slice slice : slices) {
            Area area = new Area(at, slice.size(), place.access(), slice.pages(), slice.start());
            if (!pageTables.isEmpty()) {
                area.pin();
            }
            table.put(area);
            slice.pages().get();
            at += slice.size();
        }
        return first;
    }

    /** Finds the lowest gap that is large enough and aligned as the memory is; never at IOVA 0. */
    private Optional<Long> gap(List<Slice> slices, long size) {
        long address = slices.getFirst().pages().address(slices.getFirst().start());
        long rounded = Long.highestOneBit(size) == size ? size : Long.highestOneBit(size) << 1;
        long wanted = address == 0 || Long.compareUnsigned(rounded, Long.lowestOneBit(address)) < 0
                ? rounded
                : Long.lowestOneBit(address);
        long step = Math.min(wanted, LARGEST_ALIGNMENT);
        List<IovaRange> taken = new ArrayList<>(reserved.stream().map(Reserved::range).toList());
        areas().forEach(area -> taken.add(new IovaRange(area.iova, area.last())));
        IovaRange most = new IovaRange(Memory.PAGE, -1 - Memory.PAGE);
        for (IovaRange range : allowed.isEmpty() ? List.of(most) : allowed) {
            long lowest = max(range.first(), most.first());
            long highest = min(range.last(), most.last());
            if (Long.compareUnsigned(lowest, highest) > 0) {
                continue;
            }
            IovaRange inside = new IovaRange(lowest, highest);
            for (IovaRange gap : new IovaWindow(List.of(inside)).without(taken).ranges()) {
                long start = (gap.first() + step - 1 & -step) | address % Memory.PAGE;
                if (Long.compareUnsigned(start, gap.first()) >= 0
                        && Long.compareUnsigned(start, gap.last()) <= 0
                        && Long.compareUnsigned(gap.last() - start, size - 1) >= 0) {
                    return Optional.of(start);
                }
            }
        }
        return Optional.empty();
    }

    private static long max(long one, long other) {
        return Long.compareUnsigned(one, other) > 0 ? one : other;
    }

    private static long min(long one, long other) {
        return Long.compareUnsigned(one, other) < 0 ? one : other;
    }

    /** The state that decides whether slices can be mapped. */
    private final class MapFacts implements Facts {
        private final Place place;
        private final List<Slice> slices;
        private final long size;

        MapFacts(Place place, List<Slice> slices, long size) {
            this.place = place;
            this.slices = slices;
            this.size = size;
        }

        @Override
        public boolean iovaGiven() {
            return place.given();
        }

        @Override
        public long iova() {
            return place.iova();
        }

        @Override
        public long sourceIova() {
            return place.facts().sourceIova();
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public long address() {
            return slices.getFirst().pages().address(slices.getFirst().start());
        }

        @Override
        public boolean dmaBufHasRange() {
            return place.facts().dmaBufHasRange();
        }

        @Override
        public boolean dmaBufOfOnePart() {
            return place.facts().dmaBufOfOnePart();
        }

        @Override
        public boolean dmaBufReachable() {
            return place.facts().dmaBufReachable();
        }

        @Override
        public long granule() {
            return alignment;
        }

        @Override
        public boolean iovaFree() {
            return gap(slices, size).isPresent();
        }

        @Override
        public boolean insideIovaRange() {
            IovaRange wanted = new IovaRange(iova(), iova() + size - 1);
            return reserved.stream().noneMatch(r -> overlap(r.range(), wanted));
        }

        @Override
        public boolean overlapsMapping() {
            return mapped(new IovaRange(iova(), iova() + size - 1));
        }

        @Override
        public boolean sourceWritable() {
            return (place.access() & IoMapping.WRITE) == 0 || slices.stream().allMatch(slice -> slice.pages().writable);
        }

        private PinPlan.Refusal refusal() {
            return pageTables.isEmpty()
                    ? PinPlan.Refusal.NONE
                    : PinPlan.refusal(slices.stream()
                            .map(slice -> new Area(0, slice.size(), place.access(), slice.pages(), slice.start()))
                            .toList());
        }

        @Override
        public boolean filesAreMemory() {
            return refusal() != PinPlan.Refusal.FILE;
        }

        @Override
        public boolean memoryAccessible() {
            return refusal() != PinPlan.Refusal.MEMORY;
        }

        @Override
        public boolean withinMemlock() {
            return refusal() != PinPlan.Refusal.MEMLOCK;
        }

        /** Only in place of a container may a mapping give none, until a page table is to take it. */
        @Override
        public boolean accessGiven() {
            return place.facts().accessGiven() && refusal() != PinPlan.Refusal.PERMISSION;
        }
    }

    /** What is mapped in a range, one area behind the other; empty if a part of it is not. */
    Optional<List<Slice>> slices(long iova, long size) {
        List<Slice> slices = new ArrayList<>();
        long last = iova + size - 1;
        long at = iova;
        for (Area area : table.overlapping(iova, last)) {
            if (Long.compareUnsigned(area.iova, at) > 0) {
                return Optional.empty();
            }
            long end = min(area.last(), last);
            slices.add(new Slice(area.pages, area.start + (at - area.iova), end - at + 1));
            at = end + 1;
        }
        return !slices.isEmpty() && at == last + 1 ? Optional.of(slices) : Optional.empty();
    }

    // ---- unmapping

    /**
     * Unmaps the areas in a range, or everything; returns how many bytes. The areas before one that sticks out are gone even
     * where the range is refused.
     */
    long unmap(Operation operation, long iova, long size, boolean all) {
        if (all) {
            return remove(List.copyOf(areas()));
        }
        long last = iova + size - 1;
        List<Area> inRange = size == 0 ? List.of() : table.overlapping(iova, last);
        List<Area> whole = inRange.stream()
                .takeWhile(area -> isInside(area, iova, last))
                .toList();
        List<Area> free = whole.stream().takeWhile(area -> area.queues == 0).toList();
        try {
            KernelError.check(iommufd.machine.profile(), operation, new Facts() {
                @Override
                public long iova() {
                    return iova;
                }

                @Override
                public long size() {
                    return size;
                }

                @Override
                public boolean cutsMapping() {
                    return whole.size() < inRange.size();
                }

                @Override
                public boolean usedByHardwareQueue() {
                    return free.size() < whole.size();
                }

                @Override
                public boolean nothingMapped() {
                    return inRange.isEmpty();
                }
            });
        } finally {
            remove(free);
        }
        return bytes(free);
    }

    /** The mappings that a queue of hardware lies in; none if there is a gap, or the end of a page is not mapped. */
    List<Area> queueMemory(long iova, long size) {
        long first = iova & -Memory.PAGE;
        long last = iova + size - 1 | Memory.PAGE - 1;
        List<Area> areas = table.overlapping(first, last);
        long next = first;
        for (Area area : areas) {
            if (Long.compareUnsigned(area.iova, next) > 0) {
                return List.of();
            }
            next = area.last() + 1;
        }
        return areas.isEmpty() || Long.compareUnsigned(next - 1, last) < 0 ? List.of() : areas;
    }

    private static boolean isInside(Area area, long first, long last) {
        return Long.compareUnsigned(area.iova, first) >= 0 && Long.compareUnsigned(area.last(), last) <= 0;
    }

    /** Can the areas at both ends of a range be cut there? */
    boolean canCut(long iova, long size) {
        return isCutAligned(iova + size - 1) && (iova == 0 || isCutAligned(iova - 1));
    }

    private boolean isCutAligned(long last) {
        Area area = cut(last);
        return area == null
                || ((last + 1 | area.pages.address(area.start + (last + 1 - area.iova)) % Memory.PAGE) & (alignment - 1))
                        == 0;
    }

    /** The area that goes on behind an IOVA. As on Linux, one is not cut behind its first byte. */
    private Area cut(long last) {
        return table.overlapping(last, last).stream()
                .filter(area -> area.iova != last && area.last() != last)
                .findFirst()
                .orElse(null);
    }

    /** Cuts the area that goes on behind an IOVA. */
    void cutBehind(long last) {
        Area area = cut(last);
        if (area == null) {
            return;
        }
        Area left = area.part(area.iova, last);
        Area right = area.part(last + 1, area.last());
        if (!pageTables.isEmpty()) { // as many pins as before
            left.pin();
            right.pin();
            area.unpin();
        }
        table.replace(area, List.of(left, right));
        area.pages.get(); // two in place of one
    }

    private long remove(List<Area> gone) {
        table.remove(gone);
        pageTables.forEach(pageTable -> gone.forEach(pageTable::forget));
        if (!pageTables.isEmpty()) {
            gone.forEach(Area::unpin);
        }
        gone.forEach(area -> area.pages.put());
        return bytes(gone);
    }

    private static long bytes(List<Area> areas) {
        return areas.stream().mapToLong(area -> area.size).sum();
    }

    @Override
    void destroyed() {
        if (users != 0) {
            throw new AssertionError("an address space is destroyed that page tables use");
        }
        remove(List.copyOf(areas()));
    }

    @Override
    public String toString() {
        return "IOAS " + id;
    }
}
