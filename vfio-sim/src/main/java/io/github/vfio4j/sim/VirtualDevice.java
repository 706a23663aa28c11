package io.github.vfio4j.sim;

/** A device as a guest knows it (Linux: struct iommufd_vdevice). Guarded by the kernel's lock. */
final class VirtualDevice extends IommuObject {
    final long virtualId;
    private final Viommu viommu;
    private final MockDevice device;

    VirtualDevice(Viommu viommu, MockDevice device, long virtualId) {
        super(viommu.iommufd);
        this.viommu = viommu;
        this.device = device;
        this.virtualId = virtualId;
        viommu.users++;
        viommu.devices.put(virtualId, this);
        device.virtual = this;
    }

    Viommu viommu() {
        return viommu;
    }

    MockDevice device() {
        return device;
    }

    @Override
    void destroyed() {
        viommu.users--;
        viommu.devices.remove(virtualId);
        device.virtual = null;
    }

    @Override
    public String toString() {
        return "virtual device " + id + " of " + viommu;
    }
}
