package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;

/**
 * A guest's page table, nested in one of the host's ({@link Hwpt#nest}): a device that is attached to it reaches what
 * both map, one after the other. The guest changes it in its own memory, and is the one to say so: {@link #changed}.
 *
 * <p>All methods are safe from any thread.
 */
public final class NestedHwpt implements PageTable, OfViommu, AutoCloseable {
    final int id;
    private final Hwpt parent;
    private final Viommu viommu; // that it was made of; null for none
    private final FaultQueue faults; // null for none
    private volatile boolean closed;

    /** The iommufd's lock is held. */
    NestedHwpt(Hwpt parent, Viommu viommu, int id, FaultQueue faults) {
        this.parent = parent;
        this.viommu = viommu;
        this.id = id;
        this.faults = faults;
        if (faults != null) {
            faults.add(this);
        }
    }

    /**
     * Returns the address space of the page table that it is nested in.
     *
     * @return the address space
     */
    @Override
    public Ioas ioas() {
        return parent.ioas();
    }

    /**
     * Returns the page table that it is nested in.
     *
     * @return the host's page table
     */
    public Hwpt parent() {
        return parent;
    }

    /**
     * Has the IOMMU forget what it remembers of a range that a guest changed, in a page table of Intel VT-d
     * ({@code IOMMU_HWPT_INVALIDATE} with {@code IOMMU_HWPT_INVALIDATE_DATA_VTD_S1}). The guest's addresses 0 and -1 pages
     * are everything.
     *
     * @param address the guest's first address, a multiple of 4096
     * @param pages how many pages of 4096 bytes
     * @param leavesOnly whether only entries of the last level were changed ({@code IOMMU_VTD_INV_FLAGS_LEAF})
     * @throws RuleViolation if this is closed
     * @throws VfioException {@code EOPNOTSUPP} if it is a page table of another kind, {@code EINVAL} if the address is
     *     misaligned
     */
    public void changed(long address, long pages, boolean leavesOnly) {
        Iommufd iommufd = ioas().iommufd();
        iommufd.lock.lock();
        try {
            Rule.check(ioas().contract, Operation.HWPT_INVALIDATE, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !closed;
                }
            });
            iommufd.port.invalidate(id, address, pages, leavesOnly);
        } finally {
            iommufd.lock.unlock();
        }
    }

    /**
     * Detaches the devices that are attached here, then destroys the page table ({@code IOMMU_DESTROY}). Idempotent; also
     * done when the page table is closed that it is nested in.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        Iommufd iommufd = ioas().iommufd();
        Teardown.once(iommufd.lock, () -> closed, teardown -> {
            closed = true;
            teardown.step(() -> iommufd.detachFrom(this::equals));
            iommufd.destroy(id, teardown);
            if (faults != null) {
                faults.remove(this);
            }
            if (viommu != null) {
                viommu.forget(this);
            } else {
                parent.forget(this);
            }
        });
    }

    boolean closed() {
        return closed;
    }
}
