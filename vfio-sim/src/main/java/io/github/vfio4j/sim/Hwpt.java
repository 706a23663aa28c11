package io.github.vfio4j.sim;

import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * A page table of an address space (Linux: struct iommufd_hwpt_paging): what translates the DMA of the groups that are
 * attached to it. Guarded by the kernel's lock, apart from DMA.
 */
final class Hwpt extends PageTableObject implements Translation {
    final Ioas ioas;
    final SimIommu iommu;

    /** Made for a device that was attached to the address space; it goes with the last such one. */
    final boolean automatic;

    /** Made with IOMMU_HWPT_ALLOC_DIRTY_TRACKING. */
    final boolean tracksDirtyPages;

    /** Made with IOMMU_HWPT_ALLOC_NEST_PARENT. */
    boolean nests;

    /** Made with IOMMU_HWPT_ALLOC_PASID. */
    final boolean takesPasids;

    private volatile boolean tracking;
    private final TreeSet<Long> dirty = new TreeSet<>(); // numbers of pages of 4096 bytes; guarded by itself

    Hwpt(Ioas ioas, SimIommu iommu, boolean automatic, boolean tracksDirtyPages, boolean takesPasids) {
        super(ioas.iommufd);
        this.takesPasids = takesPasids;
        this.ioas = ioas;
        this.iommu = iommu;
        this.automatic = automatic;
        this.tracksDirtyPages = tracksDirtyPages;
        ioas.users++;
        ioas.add(this);
    }

    /** Can an address space have a page table of an IOMMU? What rules ask. Without an address space nothing is in the way. */
    static class MakeFacts implements Facts {
        private final Ioas ioas;
        private final SimIommu iommu;

        MakeFacts(Ioas ioas, SimIommu iommu) {
            this.ioas = ioas;
            this.iommu = iommu;
        }

        @Override
        public boolean reservedIsFree() {
            return ioas == null || ioas.isFree(iommu.beyondReach());
        }

        @Override
        public boolean mappingsAligned() {
            long alignment = ioas == null ? 0 : ioas.alignmentWith(iommu);
            return ioas == null || alignment == ioas.alignment() || ioas.isAligned(alignment);
        }

        private boolean is(PinPlan.Refusal refusal) {
            return ioas != null && PinPlan.refusal(ioas.areas()) == refusal;
        }

        @Override
        public boolean accessGiven() {
            return !is(PinPlan.Refusal.PERMISSION);
        }

        @Override
        public boolean filesAreMemory() {
            return !is(PinPlan.Refusal.FILE);
        }

        @Override
        public boolean memoryAccessible() {
            return !is(PinPlan.Refusal.MEMORY);
        }

        @Override
        public boolean withinMemlock() {
            return !is(PinPlan.Refusal.MEMLOCK);
        }
    }

    @Override
    public Stop access(IommuGroup group, boolean write, long iova, MemorySegment buffer) {
        Stop stop = ioas.table.access(group, this, write, iova, buffer);
        if (write && tracking && stop == null && buffer.byteSize() > 0) {
            written(iova, buffer.byteSize());
        }
        return stop;
    }

    boolean isTracking() {
        return tracking;
    }

    /** A device wrote something, while this tracks it. */
    void written(long iova, long bytes) {
        synchronized (dirty) {
            for (long page = page(iova); page <= page(iova + bytes - 1); page++) {
                dirty.add(page);
            }
        }
    }

    private static long page(long iova) {
        return iova >>> Long.numberOfTrailingZeros(Memory.PAGE);
    }

    /** IOMMU_HWPT_SET_DIRTY_TRACKING: nothing counts as written when it starts. */
    void track(boolean on) {
        synchronized (dirty) {
            if (on) {
                dirty.clear();
            }
            tracking = on;
        }
    }

    /** What was mapped there is gone, and with it what is known of its pages. */
    void forget(Area gone) {
        synchronized (dirty) {
            dirty.subSet(page(gone.iova), page(gone.last()) + 1).clear();
        }
    }

    /** Which pages of a range were written, by their first IOVAs, while it tracks them; forgets them if that is wanted. */
    List<Long> dirtyPages(long iova, long size, boolean forget) {
        synchronized (dirty) {
            if (!tracking) {
                return List.of();
            }
            SortedSet<Long> found = dirty.subSet(page(iova), page(iova + size - 1) + 1);
            List<Long> pages = found.stream().map(page -> page * Memory.PAGE).toList();
            if (forget) {
                found.clear();
            }
            return pages;
        }
    }

    @Override
    void destroyed() {
        super.destroyed();
        ioas.remove(this);
        ioas.users--;
    }

    @Override
    public String toString() {
        return "page table " + id + " of " + ioas;
    }
}
