package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.sim.DmaFault.Reason;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A type1 IOMMU (Linux: struct vfio_iommu): the mappings of one container and the translation of its devices' DMA.
 * System calls come under the kernel's lock, DMA comes without. A change waits for the DMA in flight and keeps new DMA
 * waiting, so a device reaches nothing any more when the system call that unmapped it returns.
 */
final class Type1Iommu {
    /** Sizes of pages that the IOMMU can map: 4 KiB, 2 MiB, 1 GiB. */
    static final long PAGE_SIZES = 0x4020_1000L;

    private static final long GRANULE = Long.lowestOneBit(PAGE_SIZES);

    private final SimMachine machine;
    private final boolean v2;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    // By IOVA, unsigned. Changed under both locks.
    private final TreeMap<Long, DmaMapping> mappings = new TreeMap<>(Long::compareUnsigned);
    private int mappingsLeft; // guarded by the kernel's lock
    private boolean tracksDirtyPages; // guarded by the kernel's lock

    Type1Iommu(SimMachine machine, boolean v2) {
        this.machine = machine;
        this.v2 = v2;
        this.mappingsLeft = machine.dmaEntryLimit();
    }

    List<IovaRange> ranges() {
        return machine.iovaRanges();
    }

    int mappingsLeft() {
        return mappingsLeft;
    }

    /** Has a mapping lost its address, so that no group may join? */
    boolean addressMissing() {
        return mappings.values().stream().anyMatch(mapping -> mapping.addressMissing);
    }

    void attach(IommuGroup group) {
        lock.writeLock().lock();
        try {
            group.translation = this;
        } finally {
            lock.writeLock().unlock();
        }
    }

    void detach(IommuGroup group) {
        lock.writeLock().lock();
        try {
            group.translation = null;
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** The last group left: every mapping goes. */
    void end() {
        remove(List.copyOf(mappings.values()));
    }

    // ---- VFIO_IOMMU_MAP_DMA

    void map(SimProcess caller, long iova, long address, long size, int access) {
        MapFacts facts = new MapFacts(caller, iova, address, size, access);
        KernelError.check(machine.profile(), Operation.IOMMU_MAP_DMA, facts);
        DmaMapping mapping = new DmaMapping(iova, size, access, caller, facts.pages());
        mappingsLeft--;
        caller.memory().pin(mapping.pinnedPages());
        if (tracksDirtyPages) {
            mapping.dirty = new DirtyPages(size / GRANULE);
        }
        lock.writeLock().lock();
        try {
            mappings.put(iova, mapping);
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** Gives a mapping that lost its address a new one (VFIO_DMA_MAP_FLAG_VADDR). Its pages stay what they are. */
    void giveAddress(SimProcess caller, long iova, long address, long size, int access) {
        List<DmaMapping> inRange = size == 0 ? List.of() : overlapping(iova, iova + size - 1);
        DmaMapping mapping = inRange.isEmpty() ? null : inRange.getFirst();
        KernelError.check(machine.profile(), Operation.IOMMU_MAP_DMA, new RangeFacts(iova, address, size) {
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
        mapping.owner.memory().unpin(mapping.pinnedPages());
        caller.memory().pin(mapping.pinnedPages());
        mapping.owner = caller;
    }

    /** How many pages a process may still pin. */
    private long pagesLeft(SimProcess process) {
        return process.mayLockAnything()
                ? Long.MAX_VALUE
                : machine.memlockLimit() / Memory.PAGE - process.memory().pinnedPages();
    }

    /** What was asked for. */
    private static class RangeFacts implements Facts {
        final long iova;
        final long address;
        final long size;

        RangeFacts(long iova, long address, long size) {
            this.iova = iova;
            this.address = address;
            this.size = size;
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
            return GRANULE;
        }
    }

    /** The state that decides whether a range can be mapped. */
    private final class MapFacts extends RangeFacts {
        private final SimProcess caller;
        private final int access;

        MapFacts(SimProcess caller, long iova, long address, long size, int access) {
            super(iova, address, size);
            this.caller = caller;
            this.access = access;
        }

        @Override
        public boolean accessGiven() {
            return access != 0;
        }

        @Override
        public boolean overlapsMapping() {
            return !overlapping(iova, iova + size - 1).isEmpty();
        }

        @Override
        public long mappingsLeft() {
            return mappingsLeft;
        }

        @Override
        public boolean insideIovaRange() {
            IovaRange wanted = new IovaRange(iova, iova + size - 1);
            return ranges().stream().anyMatch(range -> range.contains(wanted));
        }

        // Pages are pinned and counted one after the other: what comes first, a bad page or the limit, decides.
        @Override
        public boolean memoryAccessible() {
            List<Vma> pages = pages();
            boolean whole = pages.stream().mapToLong(Vma::size).sum() == size;
            return whole || DmaMapping.pinnedPages(pages) > pagesLeft(caller);
        }

        @Override
        public boolean withinMemlock() {
            return DmaMapping.pinnedPages(pages()) <= pagesLeft(caller);
        }

        /** The pages from the start on that are the program's and may be used so. */
        List<Vma> pages() {
            int needed = (access & DmaMapping.WRITE) != 0 ? Syscalls.PROT_WRITE : Syscalls.PROT_READ;
            return caller.memory().mapped(address, address + size).stream()
                    .takeWhile(vma -> (vma.prot() & needed) != 0)
                    .takeWhile(vma -> vma.file() == null || vma.file().mappingAnswers())
                    .toList();
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
        KernelError.check(machine.profile(), Operation.IOMMU_UNMAP_DMA, new RangeFacts(iova, 0, size) {
            @Override
            public boolean dirtyBitmapPossible() {
                return !how.dirty() || how.bitmap() != null;
            }

            @Override
            public boolean dirtyBitmapFits() {
                return !how.dirty() || how.bitmap().fits(size);
            }

            @Override
            public boolean unmapAll() {
                return how.all();
            }

            @Override
            public boolean dirtyTracking() {
                return !how.dirty() || tracksDirtyPages && how.bitmap().pageSize() == GRANULE;
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
        return chosen.stream().mapToLong(mapping -> mapping.size).sum();
    }

    private static boolean cuts(List<DmaMapping> inRange, long iova, long size) {
        return !inRange.isEmpty()
                && (Long.compareUnsigned(inRange.getFirst().iova, iova) < 0
                        || Long.compareUnsigned(inRange.getLast().last(), iova + size - 1) > 0);
    }

    private List<DmaMapping> chosen(List<DmaMapping> inRange, long iova, long size, boolean all) {
        if (all) {
            return List.copyOf(mappings.values());
        }
        // Before Linux 7 the end of a range that reaches the very top is 0, and nothing lies before it.
        if (iova + size == 0 && machine.profile().isBefore(KernelProfile.V7_2)) {
            return List.of();
        }
        // Type1 v1 stops at a mapping that starts before the range, and removes what it removes entirely.
        boolean startsBefore = !inRange.isEmpty() && Long.compareUnsigned(inRange.getFirst().iova, iova) < 0;
        return !v2 && startsBefore ? List.of() : inRange;
    }

    // ---- VFIO_IOMMU_DIRTY_PAGES

    /** Refuses all of it where it is of type1 v1. */
    void checkTracksDirtyPages() {
        KernelError.check(machine.profile(), Operation.IOMMU_DIRTY_PAGES, new Facts() {
            @Override
            public boolean type1V2() {
                return v2;
            }
        });
    }

    void trackDirtyPages(boolean on) {
        if (on != tracksDirtyPages) {
            mappings.values().forEach(mapping -> mapping.dirty = on ? new DirtyPages(mapping.size / GRANULE) : null);
            tracksDirtyPages = on;
        }
    }

    /** Writes a program's bitmap of the pages of a range that were written since it was last asked. */
    void tellDirtyPages(long iova, long size, BitmapRequest bitmap) {
        boolean older = machine.profile().isBefore(KernelProfile.V7_2);
        if (older && size != 0 && iova + size == 0) { // the end of a range that reaches the very top is 0
            throw new KernelError(Errno.EINVAL);
        }
        List<DmaMapping> inRange = size == 0 ? List.of() : overlapping(iova, iova + size - 1);
        KernelError.check(machine.profile(), Operation.IOMMU_DIRTY_PAGES, new RangeFacts(iova, 0, size) {
            @Override
            public boolean dirtyBitmapFits() {
                return bitmap.fits(size);
            }

            @Override
            public boolean dirtyTracking() {
                return tracksDirtyPages && bitmap.pageSize() == GRANULE;
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

    private static void tell(DmaMapping mapping, BitmapRequest bitmap, long start) {
        mapping.dirty.setAll(); // a device behind the IOMMU may have written every page
        mapping.dirty.tell(bitmap.memory(), (mapping.iova - start) / GRANULE);
    }

    // ---- mappings

    private void remove(List<DmaMapping> gone) {
        lock.writeLock().lock();
        try {
            gone.forEach(mapping -> mappings.remove(mapping.iova));
        } finally {
            lock.writeLock().unlock();
        }
        for (DmaMapping mapping : gone) {
            mappingsLeft++;
            mapping.owner.memory().unpin(mapping.pinnedPages());
        }
    }

    private List<DmaMapping> overlapping(long first, long last) {
        if (Long.compareUnsigned(first, last) > 0) { // wraps, which a rule refuses
            return List.of();
        }
        Map.Entry<Long, DmaMapping> below = mappings.floorEntry(first);
        long from = below != null && Long.compareUnsigned(below.getValue().last(), first) >= 0 ? below.getKey() : first;
        return List.copyOf(mappings.subMap(from, true, last, true).values());
    }

    // ---- DMA

    /** Copies between memory by IOVA and a device's buffer. Returns the fault, or null if all was copied. */
    Stop access(IommuGroup group, boolean write, long iova, MemorySegment buffer) {
        lock.readLock().lock();
        try {
            if (group.translation != this) {
                return new Stop(iova, Reason.NO_IOMMU);
            }
            List<MemorySegment> pieces = new ArrayList<>();
            long done = 0;
            while (done < buffer.byteSize()) {
                long at = iova + done;
                Map.Entry<Long, DmaMapping> below = mappings.floorEntry(at);
                if (below == null || Long.compareUnsigned(below.getValue().last(), at) < 0) {
                    return new Stop(at, Reason.NOT_MAPPED);
                }
                DmaMapping mapping = below.getValue();
                if ((mapping.access & (write ? DmaMapping.WRITE : DmaMapping.READ)) == 0) {
                    return new Stop(at, write ? Reason.NOT_WRITABLE : Reason.NOT_READABLE);
                }
                long offset = at - mapping.iova;
                long bytes = Math.min(buffer.byteSize() - done, mapping.size - offset);
                MemorySegment piece = mapping.memory(offset, bytes).orElse(null);
                if (piece == null) {
                    return new Stop(at, Reason.MEMORY_GONE);
                }
                pieces.add(piece);
                done += piece.byteSize();
            }
            return copy(write, iova, buffer, pieces);
        } finally {
            lock.readLock().unlock();
        }
    }

    private static Stop copy(boolean write, long iova, MemorySegment buffer, List<MemorySegment> pieces) {
        long done = 0;
        for (MemorySegment piece : pieces) {
            MemorySegment part = buffer.asSlice(done, piece.byteSize());
            try {
                if (write) {
                    SharedAccess.copyEndLast(part, piece);
                } else {
                    MemorySegment.copy(piece, 0, part, 0, piece.byteSize());
                }
            } catch (IllegalStateException e) {
                if (piece.scope().isAlive()) {
                    throw e; // the device's own buffer
                }
                return new Stop(iova + done, Reason.MEMORY_GONE);
            }
            done += piece.byteSize();
        }
        return null;
    }

    /** Where and why an access was stopped. */
    record Stop(long at, Reason reason) {}
}
