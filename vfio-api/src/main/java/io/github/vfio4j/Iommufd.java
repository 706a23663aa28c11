package io.github.vfio4j;

import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.IommufdPort;
import io.github.vfio4j.spi.Kernel;
import io.github.vfio4j.spi.OpenGroups;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;

/**
 * An iommufd ({@code /dev/iommu}): IO address spaces, and the devices that use them, each opened by its own node. Open a
 * device, which binds it; make an address space; attach the device to it. Until then the device reaches no memory.
 *
 * <p>All methods are safe from any thread. Lock order: iommufd, then device, then address space.
 */
public final class Iommufd implements AutoCloseable {
    private static final int RLIMIT_MODE = 0; // IOMMU_OPTION_RLIMIT_MODE

    final ReentrantLock lock;
    final OpenDevices devices;
    final IommufdPort port;
    final ExternalUsers users; // of its devices

    private final Vfio vfio;
    private final List<Ioas> spaces = new ArrayList<>(); // guarded by lock; oldest first
    private final List<FaultQueue> faultQueues = new ArrayList<>(); // guarded by lock; oldest first
    private final Map<Device, VirtualDevice> virtualDevices = new HashMap<>(); // guarded by lock
    private boolean handedOver; // another process has the file; guarded by lock
    private boolean unsure; // a device may be attached of which nobody knows any more; guarded by lock
    private volatile boolean closed;

    Iommufd(Vfio vfio, IommufdPort port) {
        this.vfio = vfio;
        this.port = port;
        this.devices = new OpenDevices(vfio);
        this.lock = devices.lock;
        this.users = new ExternalUsers(lock);
    }

    /**
     * Lists the users of its devices outside this process's VFIO: KVM, other processes.
     *
     * @return a snapshot of those that are registered, oldest first
     */
    public List<ExternalUser> externalUsers() {
        return users.all();
    }

    /**
     * Opens a device by its own node and binds it to this iommufd ({@code open("/dev/vfio/devices/vfioN")},
     * {@code VFIO_DEVICE_BIND_IOMMUFD}). From here on the IOMMU blocks all its DMA until it is attached. Binding enables
     * the device, resets it if it can be reset, and turns bus mastering off. The device is watched: see
     * {@link Device#requested}.
     *
     * @param address the device, bound to vfio-pci
     * @return the device; {@link Device#attach} gives it memory
     * @throws RuleViolation if this is closed, or the device or its group is open in this process
     * @throws VfioException {@code ENOENT} if the device or the kernel has no such node, {@code EPERM} if a member of the
     *     device's group is bound to a host driver (the message names it) or to another iommufd, {@code EINVAL} or
     *     {@code EBUSY} if another process has the device or its group
     */
    public Device openDevice(PciAddress address) {
        return open(address, null, true);
    }

    /**
     * Opens a virtual function whose physical one is bound to vfio-pci, or a physical one with virtual ones in use
     * ({@code VFIO_DEVICE_BIND_FLAG_TOKEN}, since Linux 7; before, the kernel binds them without a token). As
     * {@link Type1#openDevice(Group, PciAddress, UUID)}, by the device's own node.
     *
     * @param address the device
     * @param vfToken the token of the physical function
     * @return the device
     * @throws RuleViolation as {@link #openDevice(PciAddress)}
     * @throws VfioException {@code EACCES} if the token is wrong, {@code EINVAL} if the device or the kernel takes none,
     *     and as {@link #openDevice(PciAddress)}, which is refused with {@code EACCES} where a token is needed
     */
    public Device openDevice(PciAddress address, UUID vfToken) {
        return open(address, Objects.requireNonNull(vfToken, "vfToken"), true);
    }

    /**
     * Opens a device without watching it; otherwise as {@link #openDevice(PciAddress)}.
     *
     * @param address the device, bound to vfio-pci
     * @return the device
     * @throws RuleViolation as {@link #openDevice(PciAddress)}
     * @throws VfioException as {@link #openDevice(PciAddress)}
     */
    public Device openDeviceUnwatched(PciAddress address) {
        return open(address, null, false);
    }

    /**
     * Opens a PCI device.
     *
     * @param vfToken the token of the physical function; null for none
     */
    Device open(PciAddress address, UUID vfToken, boolean watched) {
        Objects.requireNonNull(address, "address");
        return openDevice(address.toString(), vfToken, vfio.pciDevice(address).iommuGroup(), watched);
    }

    /**
     * Opens a mediated device and binds it to this iommufd; as {@link #openDevice(PciAddress)}.
     *
     * @param mediatedDevice the device's name
     * @return the device
     * @throws RuleViolation as {@link #openDevice(PciAddress)}
     * @throws VfioException as {@link #openDevice(PciAddress)}
     */
    public Device openDevice(UUID mediatedDevice) {
        Objects.requireNonNull(mediatedDevice, "mediatedDevice");
        return openDevice(mediatedDevice.toString(), null, vfio.groupOf(mediatedDevice), false);
    }

    private Device openDevice(String name, UUID vfToken, OptionalInt group, boolean watched) {
        checkOpen(Operation.DEVICE_BIND_IOMMUFD);
        OpenGroups open = vfio.kernel().openGroups();
        long groupKey = Group.key(vfio.kernel(), group);
        lock.lock();
        try {
            Rule.check(vfio.contract(), Operation.DEVICE_BIND_IOMMUFD, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !closed;
                }

                @Override
                public boolean groupOpen() {
                    return open.isOpen(groupKey);
                }

                @Override
                public boolean deviceBoundElsewhere() {
                    return open.isBound(groupKey, name);
                }
            }, () -> name);
            Device device = bind(name, vfToken, group, groupKey);
            open.bind(groupKey, name);
            devices.add(device, watched);
            return device;
        } finally {
            lock.unlock();
        }
    }

    private Device bind(String name, UUID vfToken, OptionalInt group, long groupKey) {
        Kernel kernel = vfio.kernel();
        String node = kernel.deviceNode(name)
                .orElseThrow(() -> new VfioException(Operation.OPEN_DEVICE, Errno.ENOENT, name + " has no node of its own"));
        DevicePort device = kernel.openDevice(node);
        try {
            int id;
            try {
                id = device.bind(port, vfToken);
            } catch (VfioException e) {
                throw group.isPresent() ? e.withDetail(Diagnosis.ofGroup(kernel, group.getAsInt())) : e;
            }
            return new Device(this, groupKey, device, device.info(), name, id);
        } catch (RuntimeException e) {
            Teardown.after(e, device::close);
            throw e;
        }
    }

    /**
     * Makes an address space ({@code IOMMU_IOAS_ALLOC}).
     *
     * @return an address space without devices and mappings
     * @throws RuleViolation if this is closed
     * @throws VfioException {@code ENOMEM} if the kernel has no memory
     */
    public Ioas allocateIoas() {
        lock.lock();
        try {
            checkOpen(Operation.IOAS_ALLOC);
            Ioas ioas = new Ioas(this, port.allocateIoas());
            spaces.add(ioas);
            vfio.opened(ioas);
            return ioas;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes a queue for page faults of devices ({@code IOMMU_FAULT_QUEUE_ALLOC}, since Linux 6.11).
     *
     * @return a queue that no page table uses
     * @throws RuleViolation if this is closed
     * @throws VfioException {@code EMFILE} if the process has too many files open, {@code ENOTTY} if the kernel is older
     */
    public FaultQueue allocateFaultQueue() {
        lock.lock();
        try {
            checkOpen(Operation.FAULT_QUEUE_ALLOC);
            FaultQueue queue = new FaultQueue(this, port.allocateFaultQueue());
            faultQueues.add(queue);
            vfio.opened(queue);
            return queue;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes this process the one that has what is mapped here by file ({@code IOMMU_IOAS_CHANGE_PROCESS}, since Linux
     * 6.13): pinned memory counts against its limit from now on, and no longer against that of the process that mapped it.
     * For a process that replaces another, which handed the iommufd over. Does nothing to what is counted here already.
     *
     * @throws RuleViolation if this is closed, or something is mapped here that is of no file
     * @throws VfioException {@code EINVAL} if another process mapped something that is of no file, {@code ENOMEM} over the
     *     limit on locked memory, {@code ENOTTY} if the kernel is older
     */
    public void changeProcess() {
        lock.lock();
        try {
            Rule.check(vfio.contract(), Operation.IOAS_CHANGE_PROCESS, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !closed;
                }

                @Override
                public boolean allMappedByFile() {
                    return spaces.stream().allMatch(Ioas::isMadeOfFiles);
                }
            });
            port.changeProcess();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Asks which address space the calls of a container use, if a program makes such on this iommufd
     * ({@code IOMMU_VFIO_IOAS_GET}). This library does not: {@link Vfio#openIommufdContainer} has an iommufd of its own. But
     * a program that was given this one by a {@link Handover} may.
     *
     * @return the address space; empty if there is none, or one that another process made
     * @throws RuleViolation if this is closed
     */
    public Optional<Ioas> containerIoas() {
        lock.lock();
        try {
            checkOpen(Operation.IOMMU_VFIO_IOAS);
            OptionalInt id = port.containerIoas();
            return spaces.stream()
                    .filter(ioas -> id.isPresent() && ioas.id == id.getAsInt())
                    .findFirst();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Chooses the address space that the calls of a container use ({@code IOMMU_VFIO_IOAS_SET}); see
     * {@link #containerIoas}. Without one the kernel makes one when a group is attached. What such a program maps there this
     * library does not know.
     *
     * @param ioas the address space
     * @throws RuleViolation if this or the address space is closed
     * @throws IllegalArgumentException if the address space is another iommufd's
     */
    public void chooseContainerIoas(Ioas ioas) {
        Objects.requireNonNull(ioas, "ioas");
        if (ioas.iommufd() != this) {
            throw new IllegalArgumentException("the address space is another iommufd's");
        }
        lock.lock();
        try {
            checkOpen(Operation.IOMMU_VFIO_IOAS);
            Rule.check(vfio.contract(), Operation.IOMMU_VFIO_IOAS, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !ioas.closed();
                }
            });
            port.containerIoas(ioas.id);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Has the calls of a container use no address space ({@code IOMMU_VFIO_IOAS_CLEAR}); see {@link #containerIoas}.
     *
     * @throws RuleViolation if this is closed
     */
    public void clearContainerIoas() {
        lock.lock();
        try {
            checkOpen(Operation.IOMMU_VFIO_IOAS);
            port.clearContainerIoas();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Tells how pinned memory counts against the limit on locked memory ({@code IOMMU_OPTION_RLIMIT_MODE}).
     *
     * @return true if for this process alone, as with a container; false if for all processes of the user together
     * @throws RuleViolation if this is closed
     * @throws VfioException {@code EPERM} without CAP_SYS_RESOURCE
     */
    public boolean countsMemoryByProcess() {
        lock.lock();
        try {
            checkOpen(Operation.IOMMU_OPTION);
            return port.option(RLIMIT_MODE, 0) != 0;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Chooses how pinned memory counts ({@code IOMMU_OPTION_RLIMIT_MODE}), before anything else is done with the iommufd.
     *
     * @param byProcess true for this process alone, false for the user
     * @throws RuleViolation if a device is bound or an address space made, or this is closed
     * @throws VfioException {@code EPERM} without CAP_SYS_RESOURCE
     */
    public void countMemoryByProcess(boolean byProcess) {
        lock.lock();
        try {
            Rule.check(vfio.contract(), Operation.IOMMU_OPTION, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !closed;
                }

                @Override
                public boolean iommufdEmpty() {
                    return spaces.isEmpty() && faultQueues.isEmpty() && devices.number() == 0;
                }
            });
            port.option(RLIMIT_MODE, 0, byProcess ? 1 : 0);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Closes the iommufd and all it owns: the devices, the address spaces with all mappings, the fault queues, then the file.
     * Idempotent.
     *
     * <p>While a {@link PeerUser} of a device is registered, nothing is detached and the address spaces stay in the kernel;
     * only this process's mappings end. Once it was handed over ({@link Handover#send(Iommufd)}), the mappings stay, too.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        Teardown.once(lock, () -> closed, teardown -> {
            closed = true;
            teardown.step(devices::closeAll);
            List.copyOf(spaces).reversed().forEach(ioas -> teardown.step(ioas::close));
            List.copyOf(faultQueues).reversed().forEach(queue -> teardown.step(queue::close));
            port.close();
            if (!unsure) { // no device is there to reach what the kernel would not unmap or destroy
                List.copyOf(spaces).forEach(ioas -> ioas.dropped(teardown));
            }
            vfio.forget(this);
        });
    }

    Vfio vfio() {
        return vfio;
    }

    // ---- what is attached where; the lock is held

    /** Attaches a device. One that is attached takes the attached devices of its group along. */
    void attach(Device device, PageTable table) {
        if (table.ioas().iommufd() != this) {
            throw new IllegalArgumentException(device.name() + " is bound to another iommufd than that of the page table");
        }
        List<Device> group = devices.all().stream()
                .filter(other -> other.attachedTo() != null && other.groupKey() == device.groupKey())
                .toList();
        Rule.check(vfio.contract(), Operation.DEVICE_ATTACH_IOMMUFD_PT, new Facts() {
            @Override
            public boolean handleOpen() {
                return device.isOpen() && !table.ioas().closed() && !closed(table);
            }

            @Override
            public boolean mappingsAligned() {
                return table.ioas().isMadeOf(vfio.kernel().pageSize());
            }

            @Override
            public boolean groupAttachedElsewhere() {
                return device.attachedTo() == null && group.stream().anyMatch(other -> other.attachedTo() != table);
            }
        });
        device.port().attach(switch (table) {
            case Ioas ioas -> ioas.id;
            case Hwpt hwpt -> hwpt.id;
            case NestedHwpt nested -> nested.id;
        });
        if (device.attachedTo() == null) {
            device.attachedTo(table);
        } else if (device.attachedTo() != table) {
            group.forEach(this::forgetFaultsOf);
            group.forEach(other -> other.attachedTo(table));
        }
        spaces.forEach(Ioas::limitsChanged);
    }

    private static boolean closed(PageTable table) {
        return switch (table) {
            case Ioas ioas -> ioas.closed();
            case Hwpt hwpt -> hwpt.closed();
            case NestedHwpt nested -> nested.closed();
        };
    }

    /** Attaches a PASID of a device. */
    void attachPasid(Device device, int pasid, Hwpt table) {
        if (table.ioas().iommufd() != this) {
            throw new IllegalArgumentException(device.name() + " is bound to another iommufd than that of the page table");
        }
        Rule.check(vfio.contract(), Operation.DEVICE_ATTACH_PASID, new Facts() {
            @Override
            public boolean handleOpen() {
                return device.isOpen() && !table.ioas().closed() && !table.closed();
            }

            @Override
            public int pasid() {
                return pasid;
            }

            @Override
            public boolean tablesTakePasids() {
                PageTable own = device.attachedTo();
                return table.takesPasids() && (own == null || own instanceof Hwpt hwpt && hwpt.takesPasids());
            }
        });
        device.port().attachPasid(pasid, table.id);
        spaces.forEach(Ioas::limitsChanged);
    }

    /** Detaches a device; does nothing if it is not attached. */
    void detach(Device device) {
        if (device.attachedTo() != null) {
            try {
                device.port().detach();
            } catch (RuntimeException e) {
                unsure = true;
                throw e;
            }
            forgetFaultsOf(device);
            device.attachedTo(null);
            spaces.forEach(Ioas::limitsChanged);
        }
    }

    private void forgetFaultsOf(Device device) {
        faultQueues.forEach(queue -> queue.forgetFaultsOf(device));
    }

    /** Has another process all of it? The lock is held. */
    boolean isHandedOver() {
        return handedOver;
    }

    /** Another process has the file from now on. The lock is held. */
    void handedOver() {
        handedOver = true;
    }

    /** Has another process a device or all of it? Then closing takes nothing from it. The lock is held. */
    boolean isShared() {
        return handedOver || users.heldByPeer();
    }

    /** A device is closing. The kernel would not give the number of its virtual one again if that stayed. */
    void leave(Device device) {
        Teardown teardown = new Teardown();
        teardown.step(() -> leave(device, _ -> true));
        VirtualDevice virtual = virtualDevices.get(device);
        if (virtual != null) {
            teardown.step(virtual::close);
        }
        teardown.finish();
    }

    /** A device is closing, or what it is attached to. */
    private void leave(Device device, Predicate<PageTable> which) {
        Teardown teardown = new Teardown();
        teardown.step(() -> device.leavePasids(which, !isShared()));
        if (device.attachedTo() != null && which.test(device.attachedTo())) {
            if (isShared()) {
                device.attachedTo(null);
            } else {
                teardown.step(() -> detach(device));
            }
        }
        teardown.finish();
    }

    /** Detaches all devices from some page tables. */
    void detachFrom(Predicate<PageTable> which) {
        Teardown teardown = new Teardown();
        devices.all().forEach(device -> teardown.step(() -> leave(device, which)));
        teardown.finish();
    }

    /** Is a device attached to an address space? */
    boolean hasAttached(Ioas ioas) {
        return devices.all().stream()
                .anyMatch(device -> device.attachedTo() != null && device.attachedTo().ioas() == ioas);
    }

    /** An address space was closed. */
    void forget(Ioas ioas) {
        spaces.remove(ioas);
        vfio.closed(ioas);
    }

    /** Has a guest a number for a device? The lock is held. */
    boolean hasVirtual(Device device) {
        return virtualDevices.containsKey(device);
    }

    /** A guest has a number for a device. The lock is held. */
    void add(VirtualDevice virtual) {
        virtualDevices.put(virtual.device(), virtual);
    }

    /** It has none any more. The lock is held. */
    void forget(VirtualDevice virtual) {
        virtualDevices.remove(virtual.device());
    }

    /** Destroys what is closed, or leaves it in the kernel for other processes' devices. The lock is held. */
    void destroy(int object, Teardown teardown) {
        if (!isShared()) {
            teardown.step(() -> port.destroy(object));
        }
    }

    /** A fault queue was closed. The lock is held. */
    void forget(FaultQueue queue) {
        faultQueues.remove(queue);
        vfio.closed(queue);
    }

    /** Returns the number of a fault queue; empty for null. */
    OptionalInt idOf(FaultQueue faults) {
        if (faults == null) {
            return OptionalInt.empty();
        }
        if (faults.iommufd() != this) {
            throw new IllegalArgumentException("the fault queue is another iommufd's");
        }
        return OptionalInt.of(faults.id);
    }

    void checkOpen(Operation operation) {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, "");
        }
    }
}
