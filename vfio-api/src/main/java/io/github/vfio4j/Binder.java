package io.github.vfio4j;

import io.github.vfio4j.spi.BindingPort;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.Kernel;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Takes PCI functions from their host drivers for programs and gives them back (sysfs; needs root). From
 * {@link Vfio#binder}.
 *
 * <p>A group is given to a program as a whole, so it is bound as a whole. First {@code driver_override} of every member is
 * set, then the first one is unbound: no host driver can grab a member in between. What is changed here is state of the
 * machine. It stays when the {@link Vfio} is closed, and when the program ends; {@link Binding#close} restores it.
 *
 * <p>All methods are safe from any thread. None looks whether a function is in use by the host: taking the disk that is
 * mounted, or the network card that is logged in through, is possible.
 */
public final class Binder {
    static final String VFIO_PCI = "vfio-pci";

    private static final long PAUSE = TimeUnit.MILLISECONDS.toNanos(5);

    private final Vfio vfio;
    private final Kernel kernel;

    Binder(Vfio vfio) {
        this.vfio = vfio;
        this.kernel = vfio.kernel();
    }

    /**
     * Lists the members of a group with their drivers, and says of each whether it leaves the group to programs.
     *
     * @param group the group's number
     * @return the members by name
     * @throws VfioException {@code ENOENT} if there is no such group
     */
    public List<GroupMember> members(int group) {
        return members(kernel, group);
    }

    static List<GroupMember> members(Kernel kernel, int group) {
        return kernel.groupMembers(group).stream().map(name -> member(kernel, name)).toList();
    }

    private static GroupMember member(Kernel kernel, String name) {
        try {
            return GroupMember.of(kernel.pciDevice(PciAddress.parse(name)));
        } catch (IllegalArgumentException | VfioException e) {
            return new GroupMember(name, Optional.empty(), GroupMember.Use.UNKNOWN);
        }
    }

    /**
     * Lists the IO addresses of a group that no memory can be mapped at ({@code reserved_regions}).
     *
     * @param group the group's number
     * @return the regions
     */
    public List<ReservedRegion> reservedRegions(int group) {
        return kernel.binding().reservedRegions(group);
    }

    /**
     * Returns the NUMA node that a function is near to ({@code numa_node}).
     *
     * @param device the function
     * @return the node; empty if the machine does not say
     */
    public OptionalInt numaNode(PciAddress device) {
        return kernel.binding().numaNode(device);
    }

    /**
     * Binds a function, and with it every other member of its group but bridges, to vfio-pci, and waits until the group's
     * node can be opened. The node is opened and closed for that; where udev sets its permissions, that takes a moment.
     *
     * @param device the function
     * @param timeout how long to wait for the node at most
     * @return what restores the drivers
     * @throws RuleViolation if a member is a bridge and was asked for, has virtual functions, or is not isolated by an
     *     IOMMU, or vfio-pci is not loaded; nothing was changed
     * @throws VfioException what the kernel refuses with, {@code EACCES} without root, or what keeps the node from being
     *     opened in time; the drivers were restored, or the suppressed exceptions say what could not be
     */
    public Binding bind(PciAddress device, Duration timeout) {
        long start = System.nanoTime();
        long nanos = Waiter.nanos(timeout);
        PciDevice asked = kernel.pciDevice(device);
        List<PciDevice> targets = asked.isBridge() ? List.of(asked) : targets(asked);
        targets.forEach(this::check);
        Binding binding = new Binding(vfio, kernel);
        try {
            targets.forEach(binding::protect);
            targets.forEach(binding::take);
            awaitNode(asked, start, nanos);
            return binding;
        } catch (RuntimeException e) {
            try {
                binding.close();
            } catch (RuntimeException further) {
                e.addSuppressed(further);
            }
            throw e;
        }
    }

    private List<PciDevice> targets(PciDevice asked) {
        if (asked.iommuGroup().isEmpty()) {
            return List.of(asked);
        }
        return members(asked.iommuGroup().getAsInt()).stream()
                .filter(member -> member.use() != GroupMember.Use.UNKNOWN && member.use() != GroupMember.Use.BRIDGE)
                .map(member -> kernel.pciDevice(PciAddress.parse(member.name())))
                .toList();
    }

    /** Refuses before anything is changed. */
    private void check(PciDevice device) {
        BindingPort port = kernel.binding();
        Rule.check(vfio.contract(), Operation.DRIVER_BIND, new Facts() {
            @Override
            public boolean driverLoaded() {
                return port.driverLoaded(VFIO_PCI);
            }

            @Override
            public boolean bridge() {
                return device.isBridge();
            }

            @Override
            public boolean virtualFunctions() {
                boolean stays = device.driver().isPresent() && device.driver().get().equals(VFIO_PCI);
                return !stays && port.virtualFunctions(device.address()) > 0;
            }

            @Override
            public boolean isolated() {
                return device.iommuGroup().isPresent() || port.noIommuAllowed();
            }
        }, () -> device.address().toString());
    }

    private void awaitNode(PciDevice asked, long start, long nanos) {
        OptionalInt now = kernel.pciDevice(asked.address()).iommuGroup();
        if (now.isEmpty()) {
            throw new VfioException(Operation.OPEN_GROUP, Errno.ENODEV, asked.address() + " has no group once it is bound");
        }
        String node = "/dev/vfio/" + (asked.iommuGroup().isPresent() ? "" : "noiommu-") + now.getAsInt();
        while (true) {
            try {
                kernel.openGroup(node).close();
                return;
            } catch (VfioException e) {
                if (e.errno().equals(Errno.EBUSY)) {
                    return; // somebody has it open, so it can be opened
                }
                boolean mayCome = e.errno().equals(Errno.ENOENT) || e.errno().equals(Errno.EACCES);
                if (!mayCome || System.nanoTime() - start >= nanos) {
                    throw e.withDetail(Diagnosis.ofGroup(kernel, now.getAsInt()));
                }
                LockSupport.parkNanos(PAUSE);
            }
        }
    }

    /**
     * Gives one function back to the host: unbinds it from its VFIO driver, clears {@code driver_override}, and lets the
     * kernel find a driver ({@code drivers_probe}). For a function that another program bound; {@link Binding#close}
     * restores more exactly. Waits until nobody has the device open; its program is asked for it.
     *
     * @param device the function
     * @return the driver that took it, if one did
     * @throws RuleViolation if this program has the device open
     * @throws VfioException {@code ENODEV} if it is not bound to a VFIO driver, {@code EACCES} without root,
     *     {@code EINVAL} while a program has the group; then it is bound to no driver
     */
    public Optional<String> giveBack(PciAddress device) {
        PciDevice found = kernel.pciDevice(device);
        if (GroupMember.of(found).use() != GroupMember.Use.VFIO) {
            throw new VfioException(Operation.DRIVER_UNBIND, Errno.ENODEV, found.toString());
        }
        vfio.checkNotOpen(device);
        BindingPort port = kernel.binding();
        port.unbind(device, found.driver().orElseThrow());
        port.setDriverOverride(device, Optional.empty());
        port.probe(device);
        return kernel.pciDevice(device).driver();
    }
}
