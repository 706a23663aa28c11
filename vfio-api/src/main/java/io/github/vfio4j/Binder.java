package io.github.vfio4j;

import io.github.vfio4j.spi.BindingNote;
import io.github.vfio4j.spi.BindingPort;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.Kernel;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Takes PCI functions from their host drivers for programs and gives them back (sysfs; needs root). From
 * {@link Vfio#binder}.
 *
 * <p>A group is given to a program as a whole, so it is bound as a whole. First {@code driver_override} of every member is
 * set, then the first one is unbound: no host driver can grab a member in between. What is changed here is state of the
 * machine. It stays when the {@link Vfio} is closed, and when the program ends; {@link Binding#close} restores it. So that
 * another program can when this one was killed ({@link #abandoned}), how it was is noted in {@code /run/vfio4j} before
 * anything is changed.
 *
 * <p>All methods are safe from any thread. A function is taken from a host driver only if it was named. None looks whether
 * a named function is in use by the host: taking the disk that is mounted, or the network card that is logged in through,
 * is possible.
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
        Given.groupNumber(group);
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
     * @throws VfioException {@code ENOENT} if there is no such group
     */
    public List<ReservedRegion> reservedRegions(int group) {
        Given.groupNumber(group);
        kernel.groupMembers(group); // tells if there is no such group
        return kernel.binding().reservedRegions(group);
    }

    /**
     * Returns the NUMA node that a function is near to ({@code numa_node}).
     *
     * @param device the function
     * @return the node; empty if the machine does not say
     */
    public OptionalInt numaNode(PciAddress device) {
        Objects.requireNonNull(device, "device");
        return kernel.binding().numaNode(device);
    }

    /**
     * Lists the virtual functions of a physical one ({@code virtfnN}).
     *
     * @param physical the physical function
     * @return the virtual functions that it has now, in the order of their numbers; empty for a function without
     */
    public List<PciAddress> virtualFunctions(PciAddress physical) {
        Objects.requireNonNull(physical, "physical");
        return kernel.binding().virtualFunctionsOf(physical);
    }

    /**
     * Makes or removes the virtual functions of a physical one ({@code sriov_numvfs}). If the physical one is bound to
     * vfio-pci, whose parameter {@code enable_sriov} must be Y, vfio-pci gets the virtual ones, too, each in a group of its
     * own, and they are opened with a token: see {@link Type1#openDevice(Group, PciAddress, java.util.UUID)}. Removing
     * waits until nobody has them open; their programs are asked for them. They go, too, when the physical one is unbound.
     *
     * @param physical the physical function
     * @param number how many it is to have; 0 for none. Nothing happens if it has as many
     * @return the virtual functions
     * @throws IllegalArgumentException if the number is negative
     * @throws RuleViolation if the function cannot have so many ({@code ERANGE}), or has another number of them and is to
     *     have some ({@code EBUSY}); nothing was changed
     * @throws VfioException {@code ENOENT} if its driver makes none, {@code EACCES} without root
     */
    public List<PciAddress> setVirtualFunctions(PciAddress physical, int number) {
        Objects.requireNonNull(physical, "physical");
        if (number < 0) {
            throw new IllegalArgumentException("a number of virtual functions is not negative: " + number);
        }
        BindingPort port = kernel.binding();
        int now = port.virtualFunctions(physical);
        Rule.check(vfio.contract(), Operation.SRIOV_NUMVFS, new Facts() {
            @Override
            public boolean virtualFunctionsFit() {
                return number <= port.mostVirtualFunctions(physical);
            }

            @Override
            public boolean virtualFunctionsMade() {
                return now != 0 && number != 0 && now != number;
            }
        }, physical::toString);
        if (now != number) {
            port.setVirtualFunctions(physical, number);
        }
        return port.virtualFunctionsOf(physical);
    }

    /**
     * Binds one function to vfio-pci; as {@link #bind(Collection, Duration)}.
     *
     * @param device the function; no other member of its group may have a host driver
     * @param timeout how long to wait for the node at most
     * @return what restores the drivers
     */
    public Binding bind(PciAddress device, Duration timeout) {
        Objects.requireNonNull(device, "device");
        return bind(List.of(device), timeout);
    }

    /**
     * Binds functions to vfio-pci, and waits until their groups' nodes can be opened. Members of these groups that have no
     * driver are bound with them. A member that has a host driver must be named: the group is of no use to a program while
     * that one stays, and nobody takes the host's disk by mistake. Members that were not named and are bridges, or have a
     * VFIO driver or pci-stub, stay as they are. Where udev sets the permissions of the nodes, the wait takes a moment; the
     * nodes are not opened for it.
     *
     * @param devices the functions, one at least
     * @param timeout how long to wait for the nodes at most
     * @return what restores the drivers
     * @throws RuleViolation if a function is a bridge ({@code EINVAL}), has virtual functions ({@code EBUSY}) or is not
     *     isolated by an IOMMU ({@code EINVAL}), if a member with a host driver was not named ({@code EPERM}; the message
     *     names these members), or vfio-pci is not loaded ({@code ENOENT}); nothing was changed
     * @throws VfioException what the kernel refuses with, {@code EACCES} without root, what keeps a note from being written
     *     (nothing was changed then), what keeps a node from being opened
     *     in time, or {@code EINTR} if the thread is interrupted before that (it stays so); the drivers were restored, or
     *     the suppressed exceptions say what could not be
     * @throws IllegalArgumentException if no function is named
     */
    public Binding bind(Collection<PciAddress> devices, Duration timeout) {
        Objects.requireNonNull(timeout, "timeout");
        List<PciAddress> wanted = Given.elements(devices, "devices");
        if (wanted.isEmpty()) {
            throw new IllegalArgumentException("no device is named");
        }
        long start = System.nanoTime();
        long nanos = Waiter.nanos(timeout);
        Map<PciAddress, PciDevice> named = new LinkedHashMap<>();
        wanted.forEach(address -> named.put(address, kernel.pciDevice(address)));
        Map<PciAddress, PciDevice> all = new LinkedHashMap<>(named);
        named.values().forEach(device -> free(device).forEach(other -> all.putIfAbsent(other.address(), other)));
        List<PciDevice> targets = List.copyOf(all.values());
        targets.forEach(device -> check(device, unnamed(device, named)));
        Binding binding = new Binding(vfio, kernel);
        try {
            targets.forEach(binding::protect);
            targets.forEach(binding::take);
            Set<Integer> awaited = new HashSet<>();
            for (PciDevice device : named.values()) {
                int group = groupOnceBound(device);
                if (awaited.add(group)) {
                    awaitNode("/dev/vfio/" + (device.iommuGroup().isPresent() ? "" : "noiommu-") + group, group, start, nanos);
                }
            }
            return binding;
        } catch (RuntimeException e) {
            Teardown.after(e, binding::close);
            throw e;
        }
    }

    /** The members of a function's group that vfio-pci gets although nobody named them: those that nobody has. */
    private List<PciDevice> free(PciDevice device) {
        return membersWith(device).stream()
                .filter(member -> member.use() == GroupMember.Use.DRIVERLESS
                        || member.driver().equals(Optional.of(VFIO_PCI)))
                .map(member -> kernel.pciDevice(PciAddress.parse(member.name())))
                .toList();
    }

    /** The members of a function's group that the host has and nobody named. */
    private List<GroupMember> unnamed(PciDevice device, Map<PciAddress, PciDevice> named) {
        return membersWith(device).stream()
                .filter(member -> member.use() == GroupMember.Use.HOST_DRIVER)
                .filter(member -> !named.containsKey(PciAddress.parse(member.name())))
                .toList();
    }

    private List<GroupMember> membersWith(PciDevice device) {
        return device.iommuGroup().isEmpty() ? List.of() : members(device.iommuGroup().getAsInt());
    }

    /** Refuses before anything is changed. */
    private void check(PciDevice device, List<GroupMember> unnamed) {
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

            @Override
            public boolean hostDriversStay() {
                return !unnamed.isEmpty();
            }
        }, () -> unnamed.isEmpty() ? device.address().toString() : device.address() + ", not named: " + unnamed);
    }

    private int groupOnceBound(PciDevice device) {
        return kernel.pciDevice(device.address())
                .iommuGroup()
                .orElseThrow(() -> new VfioException(
                        Operation.OPEN_GROUP, Errno.ENODEV, device.address() + " has no group once it is bound"));
    }

    private void awaitNode(String node, int group, long start, long nanos) {
        Optional<Errno> refusal = kernel.binding().nodeAccess(node);
        while (refusal.isPresent()) {
            Errno errno = refusal.get();
            boolean mayCome = errno.equals(Errno.ENOENT) || errno.equals(Errno.EACCES);
            if (!mayCome || System.nanoTime() - start >= nanos) {
                throw new VfioException(Operation.OPEN_GROUP, errno, node)
                        .withDetail(Diagnosis.ofGroup(kernel, group));
            }
            if (Thread.currentThread().isInterrupted()) { // parking would not wait
                throw new VfioException(Operation.OPEN_GROUP, Errno.EINTR, node);
            }
            LockSupport.parkNanos(PAUSE);
            refusal = kernel.binding().nodeAccess(node);
        }
    }

    /**
     * Takes over what programs bound that ended, or were killed, before they closed their {@link Binding}. They noted in
     * {@code /run/vfio4j} how it was.
     *
     * @return what restores the drivers; of no function if there is nothing to restore
     * @throws VfioException {@code EACCES} without root
     */
    public Binding abandoned() {
        Binding binding = new Binding(vfio, kernel);
        Map<PciAddress, PciDevice> devices = new LinkedHashMap<>();
        kernel.pciDevices().forEach(device -> devices.put(device.address(), device));
        for (BindingNote note : kernel.binding().notes()) {
            PciDevice device = devices.get(note.device());
            if (note.abandoned() && (device == null || !binding.takeOver(device))) {
                kernel.binding().forget(note.device()); // it is unplugged, or was given back by hand
            }
        }
        return binding;
    }

    /**
     * Gives one function back to the host. If a program took it from a driver and has ended, that driver and
     * {@code driver_override} are again as they were. Else it is unbound from its VFIO driver, {@code driver_override} is cleared, and the
     * kernel finds a driver ({@code drivers_probe}). Waits until nobody has the device open; its program is asked for it.
     *
     * @param device the function
     * @return the driver that took it, if one did
     * @throws RuleViolation if this program has the device open
     * @throws VfioException {@code ENODEV} if it is not bound to a VFIO driver, {@code EACCES} without root,
     *     {@code EINVAL} or {@code EBUSY} while a program has the group; it is bound to its VFIO driver again then, with its override, or
     *     the suppressed exceptions say what could not be restored
     */
    public Optional<String> giveBack(PciAddress device) {
        Objects.requireNonNull(device, "device");
        PciDevice found = kernel.pciDevice(device);
        if (GroupMember.of(found).use() != GroupMember.Use.VFIO) {
            throw new VfioException(Operation.DRIVER_UNBIND, Errno.ENODEV, found.toString());
        }
        vfio.checkNotOpen(Operation.DRIVER_UNBIND, device.toString());
        BindingPort port = kernel.binding();
        Binding now = new Binding(vfio, kernel);
        now.remember(found);
        Binding before = new Binding(vfio, kernel);
        try {
            if (before.takeOver(found) && before.hadAnotherDriver()) {
                before.close();
            } else {
                port.unbind(device, found.driver().orElseThrow());
                port.setDriverOverride(device, Optional.empty());
                port.probe(device);
                before.forget();
            }
            return kernel.pciDevice(device).driver();
        } catch (RuntimeException e) {
            Teardown.after(e, now::close);
            throw e;
        }
    }
}
