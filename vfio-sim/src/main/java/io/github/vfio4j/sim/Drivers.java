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
            boolean taken = PciFunction.ownsDma(driver) && function.group.claimed;
            if (function.driver().isPresent() || taken) {
                throw new KernelError(Errno.EBUSY);
            }
            if (!driver.equals(SimMachine.VFIO_PCI)) {
                function.bound(driver, null);
                return;
            }
            VfioGroup group = function.group.vfio;
            if (group == null) {
                group = new VfioGroup(machine, function.group, nodes.freeMinor());
                function.group.vfio = group;
                nodes.add(group);
            }
            VfioDevice device = new VfioDevice(machine, function, group);
            group.devices().add(device);
            function.bound(driver, device);
        } finally {
            machine.kernel().unlock();
        }
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
        }
    }
}
