package io.github.vfio4j;

/**
 * A queue of commands in a guest's memory that the IOMMU takes them from by itself ({@code IOMMU_HW_QUEUE_ALLOC}, since Linux
 * 6.17); from {@link Viommu#allocateHardwareQueue}. Its memory cannot be unmapped while it is there. All methods are safe
 * from any thread.
 */
public final class HardwareQueue implements OfViommu, AutoCloseable {
    final int id;
    private final Viommu viommu;
    private final int index;
    private boolean closed; // guarded by the iommufd's lock

    HardwareQueue(Viommu viommu, int index, int id) {
        this.viommu = viommu;
        this.index = index;
        this.id = id;
    }

    /**
     * Returns its number among the queues of the virtual IOMMU.
     *
     * @return the index
     */
    public int index() {
        return index;
    }

    /**
     * Destroys the queue ({@code IOMMU_DESTROY}), after those with a higher index, which the kernel wants gone first.
     * Idempotent; also done when the virtual IOMMU is closed.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        Iommufd iommufd = viommu.iommufd();
        Teardown.once(iommufd.lock, () -> closed, teardown -> {
            closed = true;
            viommu.queuesAbove(index).forEach(queue -> teardown.step(queue::close));
            viommu.forget(this);
            iommufd.destroy(id, teardown);
        });
    }
}
