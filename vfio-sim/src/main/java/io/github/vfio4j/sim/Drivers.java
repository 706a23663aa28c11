package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.spi.Facts;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Binding functions to drivers and unbinding them, as root does through sysfs. */
final class Drivers {
    private static final int SECONDS_BETWEEN_REQUESTS = 10;

    private final SimMachine machine;
    private final DeviceNodes nodes;
    private final Set<String> loaded = new TreeSet<>(Set.of(SimMachine.VFIO_PCI, "pci-stub", "pcieport"));

    Drivers(SimMachine machine, DeviceNodes nodes) {
        this.machine = machine;
        this.nodes = nodes;
    }

    /** Lists the drivers of the PCI bus, loaded and, if a host driver, bound once. The kernel's lock is held. */
    Set<String> loaded() {
        return loaded;
    }

    /** Binds as a write to the driver's bind does: only a driver that matches. */
    void bindMatching(PciFunction function, String driver) {
        machine.kernel().lock();
        try {
            bind(function, driver, function.matching().equals(Optional.of(driver)));
        } finally {
            machine.kernel().unlock();
        }
    }

    /** Finds a driver, as a write to drivers_probe does: what the driver itself refuses is not told. */
    void probe(Optional<PciFunction> named) {
        machine.kernel().lock();
        try {
            Optional<String> driver = named.filter(function -> function.driver().isEmpty())
                    .flatMap(PciFunction::matching)
                    .filter(loaded::contains);
            KernelError.check(machine.profile(), Operation.DRIVERS_PROBE, new Facts() {
                @Override
                public boolean deviceKnown() {
                    return named.isPresent();
                }

                @Override
                public boolean groupClaimed() {
                    return driver.isPresent() && taken(named.get(), driver.get());
                }
            });
            if (driver.isPresent()) {
                try {
                    bind(named.get(), driver.get(), true);
                } catch (KernelError refusedByTheDriver) {
                    // As Linux does: so that another driver can try.
                }
            }
        } finally {
            machine.kernel().unlock();
        }
    }

    /** Binds, whether or not the driver is for the function. */
    void bind(PciFunction function, String driver) {
        machine.kernel().lock();
        try {
            bind(function, driver, true);
        } finally {
            machine.kernel().unlock();
        }
    }

    /** A program has the group, and the driver would want its DMA. */
    private static boolean taken(PciFunction function, String driver) {
        return PciFunction.ownsDma(driver) && function.group != null && function.group.claimed();
    }

    private void bind(PciFunction function, String driver, boolean matches) {
        boolean toVfio = driver.equals(SimMachine.VFIO_PCI);
        KernelError.check(machine.profile(), Operation.DRIVER_BIND, new Facts() {
            @Override
            public boolean driverMatches() {
                return matches;
            }

            @Override
            public boolean driverBound() {
                return function.driver().isPresent();
            }

            @Override
            public boolean groupClaimed() {
                return taken(function, driver);
            }

            @Override
            public boolean bridge() {
                return toVfio && function.isBridge();
            }

            @Override
            public boolean isolated() {
                return !toVfio || function.group != null || machine.noIommuAllowed();
            }
        });
        loaded.add(driver);
        if (!toVfio) {
            function.bound(driver, null);
            return;
        }
        if (function.group == null) {
            function.group = new IommuGroup(machine.freeGroup(), GroupType.NO_IOMMU, null);
            function.group.members.add(function);
        }
        VfioGroup group = vfioGroup(function.group);
        VfioDevice device = new VfioDevice(machine, function, group);
        group.devices().add(device);
        function.bound(driver, device);
    }

    /** Registers a mediated device, which makes a group for it. */
    void add(String name, Optional<Mediator.Kind> kind, MediatedModel model) {
        VfioGroup group = vfioGroup(new IommuGroup(machine.freeGroup(), GroupType.EMULATED, null));
        group.devices().add(new EmulatedDevice(machine, name, kind, model, group));
    }

    /** Ends a mediated device that was {@link GroupDevice#leaving}. Waits until nobody has it open; nobody is asked for it. */
    void remove(EmulatedDevice device) {
        machine.kernel().await(() -> device.references == 0);
        leaveGroup(device);
    }

    private VfioGroup vfioGroup(IommuGroup iommuGroup) {
        if (iommuGroup.vfio == null) {
            iommuGroup.vfio = new VfioGroup(machine, iommuGroup, nodes.freeMinor());
            nodes.add(iommuGroup.vfio);
        }
        return iommuGroup.vfio;
    }

    /**
     * Unbinds from a driver. Waits until nobody has the device open, and asks its user for it at once and every 10 seconds.
     *
     * @param driver the driver; empty for whichever it has
     */
    void unbind(PciFunction function, Optional<String> driver) {
        machine.kernel().lock();
        try {
            KernelError.check(machine.profile(), Operation.DRIVER_UNBIND, new Facts() {
                @Override
                public boolean boundToThisDriver() {
                    return function.driver().isPresent()
                            && (driver.isEmpty() || driver.equals(function.driver()));
                }
            });
            if (function.vfio().isPresent()) {
                removeVirtualFunctions(function);
                unbindVfio(function, function.vfio().get());
            }
            function.unbound();
        } finally {
            machine.kernel().unlock();
        }
    }

    /** Makes or removes virtual functions, as a write to sriov_numvfs does. Waits until nobody has those open that go. */
    void setVirtualFunctions(PciFunction physical, int number) {
        machine.kernel().lock();
        try {
            int now = physical.virtualFunctions;
            KernelError.check(machine.profile(), Operation.SRIOV_NUMVFS, new Facts() {
                @Override
                public boolean virtualFunctionsFit() {
                    return number <= physical.virtual.size();
                }

                @Override
                public boolean makesVirtualFunctions() {
                    return number == now || physical.vfio().isPresent() && machine.sriovAllowed();
                }

                @Override
                public boolean virtualFunctionsMade() {
                    return number != now && number != 0 && now != 0;
                }
            });
            if (number == 0) {
                removeVirtualFunctions(physical);
            } else if (number != now) {
                physical.virtual.subList(0, number).forEach(virtual -> add(physical, virtual));
                physical.virtualFunctions = number;
            }
        } finally {
            machine.kernel().unlock();
        }
    }

    /** The driver of the physical function gets the virtual one. */
    private void add(PciFunction physical, PciFunction.Virtual virtual) {
        IommuGroup group = new IommuGroup(machine.freeGroup(), GroupType.IOMMU, physical.group.iommu);
        PciFunction function = new PciFunction(virtual.address(), virtual.model(), group, physical);
        group.members.add(function);
        function.override = Optional.of(SimMachine.VFIO_PCI);
        machine.add(function);
        bind(function, SimMachine.VFIO_PCI, true);
    }

    private void removeVirtualFunctions(PciFunction physical) {
        for (PciFunction function : List.copyOf(machine.functions())) {
            if (function.physical == physical) {
                function.vfio().ifPresent(device -> unbindVfio(function, device));
                function.unbound();
                machine.remove(function);
            }
        }
        physical.virtualFunctions = 0;
    }

    private void unbindVfio(PciFunction function, VfioDevice device) {
        device.leaving = true;
        machine.kernel().await(() -> device.references == 0, SECONDS_BETWEEN_REQUESTS, device.interrupts::request);
        if (function.vfio().isEmpty() || function.vfio().get() != device) {
            throw new KernelError(Errno.ENODEV); // somebody else unbound it meanwhile
        }
        leaveGroup(device);
        if (device.group.gone() && device.group.iommuGroup().type == GroupType.NO_IOMMU) {
            function.group = null;
        }
    }

    /** A group ends with its last device. */
    private void leaveGroup(GroupDevice device) {
        VfioGroup group = device.group;
        group.devices().remove(device);
        if (group.devices().isEmpty()) {
            group.end();
            group.iommuGroup().vfio = null;
            nodes.remove(group);
        }
    }
}
