package io.github.vfio4j;

import java.util.Objects;

/**
 * Dirty tracking, from {@link Type1#trackDirtyPages} or {@link Hwpt#trackDirtyPages} to its close.
 *
 * <p>With a type1 v2 IOMMU ({@code VFIO_IOMMU_DIRTY_PAGES}) the kernel knows the pages that mediated devices wrote. What a
 * device behind the IOMMU wrote it does not know: while such a group is in the container every page of every mapping counts
 * as dirty, at each reading. With a page table of an iommufd ({@code IOMMU_HWPT_SET_DIRTY_TRACKING}) the IOMMU itself marks
 * the pages that devices wrote.
 *
 * <p>All methods are safe from any thread.
 */
public final class DirtyTracking implements AutoCloseable {
    private final Tracker tracker;

    /** What tracks: the methods of this class, for whoever asks. */
    interface Tracker {
        DirtyBitmap read(DirtyTracking asked, DmaBuffer buffer);

        DirtyBitmap read(DirtyTracking asked, long iova, long size);

        DirtyBitmap unmap(DirtyTracking asked, DmaBuffer buffer);

        void stop(DirtyTracking asked);
    }

    DirtyTracking(Tracker tracker) {
        this.tracker = tracker;
    }

    /**
     * Reads which pages of a buffer devices may have written since the last reading
     * ({@code VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP}, {@code IOMMU_HWPT_GET_DIRTY_BITMAP}), and starts anew for them.
     *
     * @param buffer a buffer of this IOMMU
     * @return the pages, from the buffer's IOVA on
     * @throws RuleViolation if tracking is off, or the IOMMU has ended
     * @throws IllegalArgumentException if the buffer is not mapped in this IOMMU
     */
    public DirtyBitmap read(DmaBuffer buffer) {
        Objects.requireNonNull(buffer, "buffer");
        return tracker.read(this, buffer);
    }

    /**
     * Reads which pages of a range devices may have written since the last reading; pages of no mapping are clean. The
     * range cuts no mapping, and each mapping in it starts a multiple of 64 pages behind the range's start: the kernel
     * would mix up the bits of others.
     *
     * @param iova where the range starts, a multiple of the IOMMU's smallest page
     * @param size bytes, a multiple of the smallest page
     * @return the pages
     * @throws RuleViolation if the range is not like that, tracking is off, or the IOMMU has ended
     * @throws IllegalArgumentException if the range is too large for one bitmap
     */
    public DirtyBitmap read(long iova, long size) {
        return tracker.read(this, iova, size);
    }

    /**
     * Unmaps a buffer and reads which of its pages devices may have written
     * ({@code VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP}), with nothing lost in between. The buffer is closed. Of a page table of
     * an iommufd these are two steps: end the devices' writing first.
     *
     * @param buffer a buffer of this IOMMU
     * @return the pages, from the buffer's IOVA on
     * @throws RuleViolation if tracking is off, or the IOMMU has ended
     * @throws IllegalArgumentException if the buffer is not mapped in this IOMMU
     * @throws VfioException if the kernel does not unmap it; the memory is kept then
     */
    public DirtyBitmap unmap(DmaBuffer buffer) {
        Objects.requireNonNull(buffer, "buffer");
        DirtyBitmap dirty = tracker.unmap(this, buffer);
        buffer.freeMemory();
        return dirty;
    }

    /**
     * Stops tracking ({@code VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP}). Idempotent.
     *
     * @throws VfioException if the kernel refuses
     */
    @Override
    public void close() {
        tracker.stop(this);
    }
}
