package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;

/** Binding functions to drivers and unbinding them, as root does through sysfs. */
final class Drivers {
    private static final int SECONDS_BETWEEN_REQUESTS = 10;

    private final SimMachine machine;
    private final DeviceNodes nodes;

    Drivers(SimMachine machine, DeviceNodes nodes) {
        this.machine = machine;
        this.nodes = nodes;
    }

    /** Fails with EBUSY if it has a driver, or if the driver wants the DMA of a group that a container owns. */
    void bind(PciFunction function, String driver) {
        machine.kernel().lock();
        try {
            boolean taken = PciFunction.ownsDma(driver) && function.group != null && function.group.claimed;
            if (function.driver().isPresent() || taken) {
                throw new KernelError(Errno.EBUSY);
            }
            if (!driver.equals(SimMachine.VFIO_PCI)) {
                function.bound(driver, null);
                return;
            }
            if (function.group == null) {
                if (!machine.noIommuAllowed()) {
                    throw new KernelError(Errno.EINVAL);
                }
                function.group = new IommuGroup(machine.freeGroup(), GroupType.NO_IOMMU, null);
                function.group.members.add(function);
            }
            VfioGroup group = vfioGroup(function.group);
            VfioDevice device = new VfioDevice(machine, function, group);
            group.devices().add(device);
            function.bound(driver, device);
        } finally {
            machine.kernel().unlock();
        }
    }

    /** Registers a mediated device, which makes a group for it. */
    void add(String name, MediatedModel model, int number) {
        VfioGroup group = vfioGroup(new IommuGroup(number, GroupType.EMULATED, null));
        group.devices().add(new EmulatedDevice(machine, name, model, group));
    }

    private VfioGroup vfioGroup(IommuGroup iommuGroup) {
        if (iommuGroup.vfio == null) {
            iommuGroup.vfio = new VfioGroup(machine, iommuGroup, nodes.freeMinor());
            nodes.add(iommuGroup.vfio);
        }
        return iommuGroup.vfio;
    }

    /**
     * Fails with ENODEV if it has no driver. Waits until nobody has the device open, and asks its user for it at once and
     * every 10 seconds.
     */
    void unbind(PciFunction function) {
        machine.kernel().lock();
        try {
            if (function.driver().isEmpty()) {
                throw new KernelError(Errno.ENODEV);
            }
            if (function.vfio().isPresent()) {
                unbindVfio(function, function.vfio().get());
            }
            function.unbound();
        } finally {
            machine.kernel().unlock();
        }
    }

    private void unbindVfio(PciFunction function, VfioDevice device) {
        device.leaving = true;
        machine.kernel().await(() -> device.references == 0, SECONDS_BETWEEN_REQUESTS, device.interrupts::request);
        if (function.vfio().isEmpty() || function.vfio().get() != device) {
            throw new KernelError(Errno.ENODEV); // somebody else unbound it meanwhile
        }
        VfioGroup group = device.group;
        group.devices().remove(device);
        if (group.devices().isEmpty()) {
            group.end();
            group.iommuGroup().vfio = null;
            nodes.remove(group);
            if (group.iommuGroup().type == GroupType.NO_IOMMU) {
                function.group = null;
            }
        }
    }
}
