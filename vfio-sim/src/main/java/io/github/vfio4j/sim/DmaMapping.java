package io.github.vfio4j.sim;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * One VFIO_IOMMU_MAP_DMA (Linux: struct vfio_dma): pages that were pinned when it was made, or when a group behind an
 * IOMMU joined, whatever the process maps at the same addresses later.
 */
final class DmaMapping extends IoMapping {
    // What follows is guarded by the kernel's lock.

    /** The process's address. */
    long address;

    /** The process whose limit on locked memory the pages count against. */
    SimProcess owner;

    /** Was that process exempt from its limit? (CAP_IPC_LOCK) */
    boolean lockAnything;

    /** VFIO_DMA_UNMAP_FLAG_VADDR took its address. */
    boolean addressMissing;

    /** While dirty pages are tracked. */
    DirtyPages dirty;

    private volatile List<Vma> pages; // null while not pinned

    DmaMapping(long iova, long address, long size, int access, SimProcess owner) {
        super(iova, size, access);
        this.address = address;
        this.owner = owner;
        this.lockAnything = owner.mayLockAnything();
    }

    void pin(List<Vma> found) {
        pages = found;
    }

    void unpin() {
        pages = null;
    }

    boolean isPinned() {
        return pages != null;
    }

    /** Pages that count against the limit on locked memory: RAM does, a BAR does not. */
    long pinnedPages() {
        return isPinned() ? pinnedPages(pages) : 0;
    }

    static long pinnedPages(List<Vma> pages) {
        return pages.stream().filter(vma -> vma.memory().isRam()).mapToLong(Vma::size).sum() / Memory.PAGE;
    }

    @Override
    Optional<MemorySegment> memory(long offset, long bytes) {
        long start = 0;
        for (Vma piece : pages) {
            if (offset < start + piece.size()) {
                long inside = offset - start;
                return piece.memory().live(piece.offset() + inside, Math.min(bytes, piece.size() - inside));
            }
            start += piece.size();
        }
        throw new AssertionError("offset " + offset + " of a mapping of " + size + " bytes");
    }
}
