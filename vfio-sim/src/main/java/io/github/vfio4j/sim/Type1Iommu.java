package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A type1 IOMMU (Linux: struct vfio_iommu): the mappings of one container and the translation of its devices' DMA. */
final class Type1Iommu implements Translation {
    private static final long WITHOUT_IOMMU = -Memory.PAGE; // every power of two from a page on

    private final SimMachine machine;
    private final boolean v2;
    private final boolean nests;
    private final IoPageTable<DmaMapping> table = new IoPageTable<>();
    // The rest is guarded by the kernel's lock.
    private final List<DmaMapping> lost = new ArrayList<>(); // that older kernels never find again
    private final List<IommuGroup> backed = new ArrayList<>(); // the groups behind an IOMMU
    private int emulated; // the number of the others
    private IovaWindow window = IovaWindow.EMPTY;
    private long pageSizes = WITHOUT_IOMMU;
    private int mappingsLeft;
    private boolean tracksDirtyPages;

    Type1Iommu(SimMachine machine, boolean v2, boolean nests) {
        this.machine = machine;
        this.v2 = v2;
        this.nests = nests;
        this.mappingsLeft = machine.dmaEntryLimit();
    }

    List<IovaRange> ranges() {
        return window.ranges();
    }

    long pageSizes() {
        return pageSizes;
    }

    int mappingsLeft() {
        return mappingsLeft;
    }

    /** Do all its IOMMUs make DMA coherent? Also where there is none. */
    boolean coherent() {
        return backed.stream().allMatch(group -> group.iommu.coherent());
    }

    boolean hasEmulatedGroup() {
        return emulated > 0;
    }

    /** Has a mapping lost its address, so that no group may join? */
    boolean addressMissing() {
        return table.mappings().stream().anyMatch(mapping -> mapping.addressMissing);
    }

    private long granule() {
        return Long.lowestOneBit(pageSizes);
    }

    // ---- groups

    /** What hinders a group that would join. Nothing hinders mediated devices. */
    Facts joining(IommuGroup group, SimProcess caller) {
        return group.type == GroupType.EMULATED ? new Facts() {} : new Joining(group, caller);
    }

    /** The state that decides whether a group behind an IOMMU joins. */
    private final class Joining implements Facts {
        private final IommuGroup group;
        private final SimProcess caller;

        Joining(IommuGroup group, SimProcess caller) {
            this.group = group;
            this.caller = caller;
        }

        @Override
        public boolean nestingPossible() {
            return !nests;
        }

        @Override
        public boolean apertureFits() {
            return !window.conflicts(group.iommu.lastIova(), Type1Iommu.this::mapped);
        }

        @Override
        public boolean reservedIsFree() {
            return group.iommu.reserved().stream().noneMatch(Type1Iommu.this::mapped);
        }

        @Override
        public boolean iovasLeft() {
            return !windowWith(group).isEmpty();
        }

        @Override
        public boolean interruptsIsolated() {
            return machine.interruptsIsolated();
        }

        @Override
        public boolean memoryAccessible() {
            return replay(group, caller).accessible();
        }

        @Override
        public boolean withinMemlock() {
            return replay(group, caller).withinMemlock();
        }

        @Override
        public boolean mappingsInReach() {
            return replay(group, caller).inReach();
        }
    }

    /** Whether a mapping can be pinned and mapped for a group that joins. */
    private record Replay(boolean accessible, boolean withinMemlock, boolean inReach) {
        boolean succeeds() {
            return accessible && withinMemlock && inReach;
        }
    }

    /**
     * What is mapped is mapped into the new domain, too, and pinned for it if it was not. How that ends for the first mapping
     * that hinders it, or for all.
     */
    private Replay replay(IommuGroup group, SimProcess caller) {
        Replay replay = new Replay(true, true, true);
        if (backed.stream().anyMatch(other -> other.iommu.sharesDomain(group.iommu))) {
            return replay;
        }
        Map<SimProcess, Long> pinned = new HashMap<>();
        for (DmaMapping mapping : table.mappings()) {
            boolean accessible = true;
            boolean withinMemlock = true;
            if (!mapping.isPinned()) {
                // The address is taken for one of whoever attaches, whoever mapped.
                List<Vma> pages = pages(caller, mapping.address, mapping.size, mapping.access);
                boolean whole = isWhole(pages, mapping.size);
                long count = pinned.merge(mapping.owner, DmaMapping.pinnedPages(pages), Long::sum);
                // The limit of whoever attaches is looked at for each page, that of whoever mapped when they are counted.
                long limit = Math.min(caller.memlockPages(), mapping.owner.memlockPages());
                long left = mapping.lockAnything ? Long.MAX_VALUE : limit - mapping.owner.memory().pinnedPages();
                accessible = whole || count > left;
                withinMemlock = staysWithin(left, count, whole);
            }
            boolean inReach = Long.compareUnsigned(mapping.last(), group.iommu.lastIova()) <= 0;
            replay = new Replay(accessible, withinMemlock, inReach);
            if (!replay.succeeds()) {
                break;
            }
        }
        return replay;
    }

    private static boolean isWhole(List<Vma> pages, long size) {
        return pages.stream().mapToLong(Vma::size).sum() == size;
    }

    /** Pages are got and counted one after the other, so a page that cannot be had is beyond the limit as any other. */
    private static boolean staysWithin(long left, long pages, boolean whole) {
        return pages <= left && (whole || pages < left);
    }

    /** Does the kernel find something that is mapped in a range? */
    private boolean mapped(IovaRange range) {
        return mapped(range.first(), range.last() - range.first() + 1);
    }

    private boolean mapped(long iova, long size) {
        return !losesTop(iova, size) && !overlapping(iova, iova + size - 1).isEmpty();
    }

    private IovaWindow windowWith(IommuGroup group) {
        return window.upTo(group.iommu.lastIova()).without(group.iommu.reserved());
    }

    /** Adds a group that nothing refuses. Its devices reach nothing before it is {@linkplain #translate translated}. */
    void attach(IommuGroup group) {
        if (group.type == GroupType.EMULATED) {
            emulated++;
            return;
        }
        window = windowWith(group);
        backed.add(group);
        pageSizes &= group.iommu.pageSizes() & WITHOUT_IOMMU;
        for (DmaMapping mapping : table.mappings()) {
            if (!mapping.isPinned()) {
                pin(mapping, pages(mapping.owner, mapping.address, mapping.size, mapping.access));
            }
        }
    }

    /** Lets the devices of a group reach what is mapped. */
    void translate(IommuGroup group) {
        table.translate(group, this);
    }

    void detach(IommuGroup group) {
        if (group.type == GroupType.EMULATED) {
            emulated--;
            return;
        }
        table.translate(group, null);
        backed.remove(group);
        long last = window.ranges().getLast().last();
        if (backed.stream().noneMatch(other -> other.iommu.sharesDomain(group.iommu))) {
            last = -1;
            pageSizes = WITHOUT_IOMMU;
            for (IommuGroup other : backed) {
                last = Long.compareUnsigned(other.iommu.lastIova(), last) < 0 ? other.iommu.lastIova() : last;
                pageSizes &= other.iommu.pageSizes() & WITHOUT_IOMMU;
            }
        }
        window = window.refreshed(
                last, backed.stream().flatMap(other -> other.iommu.reserved().stream()).toList());
        if (backed.isEmpty()) {
            table.mappings().forEach(Type1Iommu::unpin);
        }
        if (tracksDirtyPages) {
            table.mappings().forEach(mapping -> mapping.dirty.setAll()); // the group may have written every page
        }
    }

    /** The last group left: every mapping goes. */
    void end() {
        remove(List.copyOf(table.mappings()));
        removeLost();
    }

    private static void pin(DmaMapping mapping, List<Vma> pages) {
        mapping.pin(pages);
        mapping.owner.memory().pin(mapping.pinnedPages());
    }

    private static void unpin(DmaMapping mapping) {
        mapping.owner.memory().unpin(mapping.pinnedPages());
        mapping.unpin();
    }

    /** The pages from an address on that are a process's and may be used for DMA. */
    private static List<Vma> pages(SimProcess process, long address, long size, int access) {
        int needed = (access & DmaMapping.WRITE) != 0 ? Syscalls.PROT_WRITE : Syscalls.PROT_READ;
        return process.memory().mapped(address, address + size).stream()
                .takeWhile(vma -> (vma.prot() & needed) != 0)
                .takeWhile(vma -> vma.file() == null || vma.file().mappingAnswers())
                .toList();
    }

    // ---- VFIO_IOMMU_MAP_DMA

    void map(SimProcess caller, long iova, long address, long size, int access) {
        MapFacts facts = new MapFacts(caller, iova, address, size, access);
        KernelError.check(machine.profile(), Operation.IOMMU_MAP_DMA, facts);
        DmaMapping mapping = new DmaMapping(iova, address, size, access, caller);
        mappingsLeft--;
        if (!backed.isEmpty()) {
            pin(mapping, facts.pages());
        }
        if (tracksDirtyPages) {
            mapping.dirty = new DirtyPages(size / granule());
        }
        if (losesTop(iova, size)) {
            lost.add(mapping);
            return;
        }
        table.put(mapping);
    }

    /** Before Linux 7 the end of a range that reaches the very top is 0, and nothing lies before it. */
    private boolean losesTop(long iova, long size) {
        return iova + size == 0 && size != 0 && machine.profile().isBefore(KernelProfile.V7_2);
    }

    /** Gives a mapping that lost its address a new one (VFIO_DMA_MAP_FLAG_VADDR). Its pages stay what they are. */
    void giveAddress(SimProcess caller, long iova, long address, long size, int access) {
        List<DmaMapping> inRange = size == 0 ? List.of() : overlapping(iova, iova + size - 1);
        DmaMapping mapping = inRange.isEmpty() ? null : inRange.getFirst();
        KernelError.check(machine.profile(), Operation.IOMMU_MAP_DMA, new RangeFacts(iova, address, size, granule()) {
            @Override
            public boolean accessGiven() {
                return access == 0;
            }

            @Override
            public boolean addressHasTarget() {
                return mapping != null;
            }

            @Override
            public boolean addressAwaited() {
                return mapping.addressMissing && mapping.iova == iova && mapping.size == size;
            }

            @Override
            public boolean withinMemlock() {
                return mapping.owner == caller || mapping.pinnedPages() <= pagesLeft(caller);
            }
        });
        mapping.addressMissing = false;
        mapping.address = address;
        mapping.owner.memory().unpin(mapping.pinnedPages());
        caller.memory().pin(mapping.pinnedPages());
        mapping.owner = caller;
        mapping.lockAnything = caller.mayLockAnything();
    }

    /** How many pages a process may still pin. */
    private static long pagesLeft(SimProcess process) {
        return process.mayLockAnything()
                ? Long.MAX_VALUE
                : process.memlockPages() - process.memory().pinnedPages();
    }

    /** What was asked for. */
    private static class RangeFacts implements Facts {
        final long iova;
        final long address;
        final long size;
        private final long granule;

        RangeFacts(long iova, long address, long size, long granule) {
            this.iova = iova;
            this.address = address;
            this.size = size;
            this.granule = granule;
        }

        @Override
        public long iova() {
            return iova;
        }

        @Override
        public long address() {
            return address;
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public long granule() {
            return granule;
        }
    }

    /** The state that decides whether a range can be mapped. */
    private final class MapFacts extends RangeFacts {
        private final SimProcess caller;
        private final int access;

        MapFacts(SimProcess caller, long iova, long address, long size, int access) {
            super(iova, address, size, Type1Iommu.this.granule());
            this.caller = caller;
            this.access = access;
        }

        @Override
        public boolean accessGiven() {
            return access != 0;
        }

        @Override
        public boolean overlapsMapping() {
            return mapped(iova, size);
        }

        @Override
        public long mappingsLeft() {
            return mappingsLeft;
        }

        @Override
        public boolean insideIovaRange() {
            return window.allows(new IovaRange(iova, iova + size - 1));
        }

        // Pages are pinned and counted one after the other: what comes first, a bad page or the limit, decides. Without an
        // IOMMU nothing is pinned.
        @Override
        public boolean memoryAccessible() {
            List<Vma> pages = pages();
            return backed.isEmpty() || isWhole(pages, size) || DmaMapping.pinnedPages(pages) > pagesLeft(caller);
        }

        @Override
        public boolean withinMemlock() {
            List<Vma> pages = pages();
            return backed.isEmpty()
                    || staysWithin(pagesLeft(caller), DmaMapping.pinnedPages(pages), isWhole(pages, size));
        }

        @Override
        public long pagesToTrack() {
            return tracksDirtyPages ? Long.divideUnsigned(size, granule()) : 0;
        }

        List<Vma> pages() {
            return Type1Iommu.pages(caller, address, size, access);
        }
    }

    // ---- VFIO_IOMMU_UNMAP_DMA

    /**
     * What VFIO_IOMMU_UNMAP_DMA is to do beside its range.
     *
     * @param all whether everything is to be unmapped
     * @param addressOnly whether mappings only lose their addresses
     * @param dirty whether a bitmap of the dirty pages is asked for
     * @param bitmap that bitmap; null also where it cannot be had
     */
    record Unmap(boolean all, boolean addressOnly, boolean dirty, BitmapRequest bitmap) {}

    /** Removes what is mapped in a range, or everything, or only takes the addresses; returns how many bytes that was. */
    long unmap(long iova, long size, Unmap how) {
        List<DmaMapping> inRange = size == 0 ? List.of() : overlapping(iova, iova + size - 1);
        KernelError.check(machine.profile(), Operation.IOMMU_UNMAP_DMA, new RangeFacts(iova, 0, size, granule()) {
            @Override
            public boolean dirtyBitmapPossible() {
                return !how.dirty() || how.bitmap() != null;
            }

            @Override
            public boolean dirtyBitmapFits() {
                return !how.dirty() || how.bitmap().fits(size);
            }

            @Override
            public boolean addressesToTake() {
                return how.addressOnly();
            }

            @Override
            public boolean emulatedGroupAttached() {
                return emulated > 0;
            }

            @Override
            public boolean unmapAll() {
                return how.all();
            }

            @Override
            public boolean dirtyTracking() {
                return !how.dirty() || tracksDirtyPages && how.bitmap().pageSize() == granule();
            }

            @Override
            public boolean cutsMapping() {
                return v2 && cuts(inRange, iova, size);
            }

            @Override
            public boolean addressMissing() {
                return how.addressOnly()
                        && chosen(inRange, iova, size, how.all()).stream().anyMatch(mapping -> mapping.addressMissing);
            }
        });
        List<DmaMapping> chosen = chosen(inRange, iova, size, how.all());
        if (how.addressOnly()) {
            chosen.forEach(mapping -> mapping.addressMissing = true);
        } else if (how.dirty()) {
            for (DmaMapping mapping : chosen) { // one after the other: what was told is gone, even if the next cannot be
                tell(mapping, how.bitmap(), iova);
                remove(List.of(mapping));
            }
        } else {
            remove(chosen);
        }
        long bytes = chosen.stream().mapToLong(mapping -> mapping.size).sum();
        return how.all() && !how.addressOnly() ? bytes + removeLost() : bytes;
    }

    private static boolean cuts(List<DmaMapping> inRange, long iova, long size) {
        return !inRange.isEmpty()
                && (Long.compareUnsigned(inRange.getFirst().iova, iova) < 0
                        || Long.compareUnsigned(inRange.getLast().last(), iova + size - 1) > 0);
    }

    private List<DmaMapping> chosen(List<DmaMapping> inRange, long iova, long size, boolean all) {
        if (all) {
            return List.copyOf(table.mappings());
        }
        if (losesTop(iova, size)) {
            return List.of();
        }
        // Type1 v1 stops at a mapping that starts before the range, and removes what it removes entirely.
        boolean startsBefore = !inRange.isEmpty() && Long.compareUnsigned(inRange.getFirst().iova, iova) < 0;
        return !v2 && startsBefore ? List.of() : inRange;
    }

    // ---- VFIO_IOMMU_DIRTY_PAGES

    /** Is it of type1 v2? */
    boolean isV2() {
        return v2;
    }

    void trackDirtyPages(boolean on) {
        if (on != tracksDirtyPages) {
            KernelError.check(machine.profile(), Operation.IOMMU_DIRTY_PAGES, new Facts() {
                @Override
                public long pagesToTrack() {
                    return on ? largestMapping() : 0;
                }
            });
            table.mappings().forEach(mapping -> mapping.dirty = on ? new DirtyPages(mapping.size / granule()) : null);
            tracksDirtyPages = on;
        }
    }

    /** Its pages. */
    private long largestMapping() {
        return table.mappings().stream()
                .mapToLong(mapping -> Long.divideUnsigned(mapping.size, granule()))
                .max()
                .orElse(0);
    }

    /** Writes a program's bitmap of the pages of a range that were written since it was last asked. */
    void tellDirtyPages(long iova, long size, BitmapRequest bitmap) {
        if (losesTop(iova, size)) {
            throw new KernelError(Errno.EINVAL);
        }
        List<DmaMapping> inRange = size == 0 ? List.of() : overlapping(iova, iova + size - 1);
        KernelError.check(machine.profile(), Operation.IOMMU_DIRTY_PAGES, new RangeFacts(iova, 0, size, granule()) {
            @Override
            public boolean dirtyBitmapFits() {
                return bitmap.fits(size);
            }

            @Override
            public boolean dirtyTracking() {
                return tracksDirtyPages && bitmap.pageSize() == granule();
            }

            @Override
            public boolean cutsMapping() {
                return cuts(inRange, iova, size);
            }
        });
        for (DmaMapping mapping : inRange) {
            tell(mapping, bitmap, iova);
            mapping.dirty.clear();
        }
    }

    private void tell(DmaMapping mapping, BitmapRequest bitmap, long start) {
        if (mapping.isPinned()) { // a device behind the IOMMU may have written every page
            mapping.dirty.setAll();
        }
        mapping.dirty.tell(bitmap.memory(), (mapping.iova - start) / granule());
    }

    // ---- mappings

    private void remove(List<DmaMapping> gone) {
        table.remove(gone);
        for (DmaMapping mapping : gone) {
            mappingsLeft++;
            unpin(mapping);
        }
    }

    private long removeLost() {
        long bytes = lost.stream().mapToLong(mapping -> mapping.size).sum();
        lost.forEach(Type1Iommu::unpin);
        mappingsLeft += lost.size();
        lost.clear();
        return bytes;
    }

    private List<DmaMapping> overlapping(long first, long last) {
        return table.overlapping(first, last);
    }

    // ---- DMA

    @Override
    public Stop access(IommuGroup group, boolean write, long iova, MemorySegment buffer) {
        return table.access(group, this, write, iova, buffer);
    }
}
