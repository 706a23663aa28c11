package io.github.vfio4j;

/**
 * PowerPC's first IOMMU interface ({@code VFIO_SPAPR_TCE_IOMMU}); from {@link Container#setSpaprTceV1}. It has the default
 * window and, in one container, one group: Linux answers {@code EBUSY} to a second one. {@link #enable} it before anything
 * is mapped.
 */
public final class SpaprTceV1 extends SpaprTce {
    private boolean enabled; // guarded by lock

    SpaprTceV1(Container container) {
        super(container);
    }

    @Override
    public SpaprVersion version() {
        return SpaprVersion.V1;
    }

    /**
     * Lets memory be mapped ({@code VFIO_IOMMU_ENABLE}). The whole window counts against the limit on locked memory from
     * here on, whatever is mapped.
     *
     * @throws IllegalStateException if it is enabled
     * @throws RuleViolation if this IOMMU has ended
     * @throws VfioException {@code ENOMEM} if the window is larger than the limit on locked memory, {@code EPERM} if the
     *     platform has no default window
     */
    public void enable() {
        lock.lock();
        try {
            checkAlive(Operation.SPAPR_ENABLE);
            if (enabled) {
                throw new IllegalStateException("the IOMMU is enabled");
            }
            port().enable();
            enabled = true;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Ends {@link #enable} ({@code VFIO_IOMMU_DISABLE}). Does nothing if it is not enabled.
     *
     * @throws IllegalStateException while memory is mapped: Linux would not unmap it any more
     * @throws RuleViolation if this IOMMU has ended
     */
    public void disable() {
        lock.lock();
        try {
            checkAlive(Operation.SPAPR_DISABLE);
            if (!isEmpty()) {
                throw new IllegalStateException("memory is mapped: unmapAll() first");
            }
            if (enabled) {
                port().disable();
                enabled = false;
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    void mapInKernel(long iova, long address, long size, Access access) {
        if (!enabled) {
            throw new IllegalStateException("the IOMMU is not enabled: enable() first");
        }
        container.port.mapDma(iova, address, size, access.flags());
    }
}
