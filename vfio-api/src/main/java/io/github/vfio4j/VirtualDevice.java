package io.github.vfio4j;

/**
 * A device as the guest of a virtual IOMMU knows it ({@code IOMMU_VDEVICE_ALLOC}, since Linux 6.13); from
 * {@link Viommu#addDevice}. A device has one at most. All methods are safe from any thread.
 */
public final class VirtualDevice implements OfViommu, AutoCloseable {
    final int id;
    private final Viommu viommu;
    private final Device device;
    private final long virtualId;
    private boolean closed; // guarded by the iommufd's lock

    VirtualDevice(Viommu viommu, Device device, long virtualId, int id) {
        this.viommu = viommu;
        this.device = device;
        this.virtualId = virtualId;
        this.id = id;
    }

    /**
     * Returns the virtual IOMMU that it is behind.
     *
     * @return the virtual IOMMU
     */
    public Viommu viommu() {
        return viommu;
    }

    /**
     * Returns the device.
     *
     * @return the device
     */
    public Device device() {
        return device;
    }

    /**
     * Returns its number in the guest: SMMUv3's StreamID.
     *
     * @return the number
     */
    public long virtualId() {
        return virtualId;
    }

    /**
     * Destroys the virtual device ({@code IOMMU_DESTROY}); the device stays open, and attached. Idempotent; also done when the
     * device, the virtual IOMMU or the iommufd is closed.
     *
     * @throws VfioException if the kernel refuses it
     */
    @Override
    public void close() {
        Iommufd iommufd = viommu.iommufd();
        Teardown.once(iommufd.lock, () -> closed, teardown -> {
            closed = true;
            iommufd.forget(this);
            viommu.forget(this);
            iommufd.destroy(id, teardown);
        });
    }
}
