package io.github.vfio4j;

import io.github.vfio4j.spi.ContainerPort;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.Facts;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

/**
 * A VFIO container: an IO address space that groups share ({@code /dev/vfio/vfio}). It starts empty. Attach a group,
 * then set the IOMMU; the object which that returns maps memory and opens devices.
 *
 * <p>All methods are safe from any thread. Lock order: container, then group, then device, then IOMMU.
 */
public final class Container implements AutoCloseable {
    private static final int NOIOMMU = 8; // VFIO_NOIOMMU_IOMMU

    final ReentrantLock lock = new ReentrantLock();
    final ContainerPort port;

    private final Vfio vfio;
    private final boolean iommufd;
    // Guarded by lock.
    private final List<Group> groups = new ArrayList<>();
    private AddressSpace iommu;
    private NoIommu noIommu; // one of the two at most
    private boolean groupsLost; // a group is in the kernel's container still that is none of groups
    private volatile boolean cuts;
    private volatile boolean closed;

    /** @param iommufd whether it is an iommufd that stands in for a container */
    Container(Vfio vfio, ContainerPort port, boolean iommufd) {
        this.vfio = vfio;
        this.iommufd = iommufd;
        this.port = port;
    }

    /**
     * Asks the kernel whether this container can have an IOMMU type ({@code VFIO_CHECK_EXTENSION}).
     *
     * @param type the type
     * @return true if the kernel offers it
     * @throws RuleViolation if the container is closed
     */
    public boolean supports(IommuType type) {
        Objects.requireNonNull(type, "type");
        checkOpen(Operation.CHECK_EXTENSION);
        return offers(type.number());
    }

    /**
     * Asks the kernel whether this container can have a version of PowerPC's IOMMU ({@code VFIO_CHECK_EXTENSION}).
     *
     * @param version the version
     * @return true if the kernel offers it
     * @throws RuleViolation if the container is closed
     */
    public boolean supports(SpaprVersion version) {
        Objects.requireNonNull(version, "version");
        checkOpen(Operation.CHECK_EXTENSION);
        return offers(version.number());
    }

    /**
     * Puts a group into this container ({@code VFIO_GROUP_SET_CONTAINER}). From here on the IOMMU blocks all DMA of the
     * group's devices that no mapping allows. Groups may also join after the IOMMU was set.
     *
     * @param group an open group of the same kernel, in no container
     * @throws RuleViolation if the group is in a container, or either is closed
     * @throws VfioException {@code EPERM} if a member of the group is bound to a host driver (the message names it),
     *     {@code ENODEV} if the group's devices were bound away, or what attaching to the IOMMU gives
     */
    public void attach(Group group) {
        Objects.requireNonNull(group, "group");
        lock.lock();
        try {
            group.lock.lock();
            try {
                if (group.vfio().kernel() != vfio.kernel()) {
                    throw new IllegalArgumentException(
                            "the group belongs to " + group.vfio().kernelName() + ", the container to "
                                    + vfio.kernelName());
                }
                Rule.check(vfio.contract(), Operation.GROUP_SET_CONTAINER, membership(group));
                try {
                    group.port.setContainer(port);
                } catch (VfioException e) {
                    throw e.withDetail(Diagnosis.ofGroup(vfio.kernel(), group.number()));
                }
                group.container = this;
                groups.add(group);
                if (iommu != null) {
                    iommu.limitsChanged();
                }
            } finally {
                group.lock.unlock();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes a group out of this container ({@code VFIO_GROUP_UNSET_CONTAINER}). When the last one leaves, the kernel
     * drops every mapping and the IOMMU: the container is as new, and its {@link Type1} has ended.
     *
     * @param group a group of this container without open devices
     * @throws RuleViolation if the group is not in this container, a device of it is open, or, under
     *     {@link Contract#STRICT}, an {@link ExternalUser} is registered; the message names them
     * @throws VfioException {@code EBUSY} if a device of the group is open in another process
     */
    public void detach(Group group) {
        Objects.requireNonNull(group, "group");
        lock.lock();
        try {
            group.lock.lock();
            try {
                Rule.check(
                        vfio.contract(),
                        Operation.GROUP_UNSET_CONTAINER,
                        membership(group),
                        () -> group.externalUsers().stream()
                                .map(ExternalUser::toString)
                                .collect(Collectors.joining(", ")));
                take(group, group.port::unsetContainer);
            } finally {
                group.lock.unlock();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Gives the container its IOMMU ({@code VFIO_SET_IOMMU}). Only now is there anything to map memory or open devices
     * with.
     *
     * @param type the type; {@link IommuType#TYPE1_V2} unless there is a reason
     * @return the IOMMU, valid until the last group leaves
     * @throws RuleViolation if the container holds no group, has its IOMMU, or the kernel does not offer the type
     * @throws VfioException {@code EPERM} if interrupts cannot be isolated, or what attaching gives; the groups stay
     *     in the container then, and another type may be tried
     */
    public Type1 setIommu(IommuType type) {
        Objects.requireNonNull(type, "type");
        lock.lock();
        try {
            setType(type.number());
            cuts |= iommufd && type == IommuType.TYPE1;
            Type1 made = new Type1(this, type);
            iommu = made;
            return made;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Gives the container PowerPC's IOMMU in its first version ({@code VFIO_SET_IOMMU} with
     * {@code VFIO_SPAPR_TCE_IOMMU}); otherwise as {@link #setIommu}.
     *
     * @return the IOMMU, valid until the group leaves
     * @throws RuleViolation as {@link #setIommu}
     * @throws VfioException {@code EBUSY} if the container has several groups, or what attaching gives
     */
    public SpaprTceV1 setSpaprTceV1() {
        lock.lock();
        try {
            setType(SpaprVersion.V1.number());
            SpaprTceV1 made = new SpaprTceV1(this);
            iommu = made;
            return made;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Gives the container PowerPC's IOMMU in its second version ({@code VFIO_SET_IOMMU} with
     * {@code VFIO_SPAPR_TCE_v2_IOMMU}); otherwise as {@link #setIommu}.
     *
     * @return the IOMMU, valid until the last group leaves
     * @throws RuleViolation as {@link #setIommu}
     * @throws VfioException {@code EINVAL} if no windows can be made, {@code EPERM} if the groups are of different
     *     platforms, or what attaching gives
     */
    public SpaprTceV2 setSpaprTceV2() {
        lock.lock();
        try {
            setType(SpaprVersion.V2.number());
            SpaprTceV2 made = new SpaprTceV2(this);
            iommu = made;
            return made;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Lets the devices of groups without an IOMMU be opened ({@code VFIO_SET_IOMMU} with {@code VFIO_NOIOMMU_IOMMU}).
     * <strong>Unsafe:</strong> nothing keeps such a device from any memory of the machine.
     *
     * @return the way to the devices, valid until the last group leaves
     * @throws RuleViolation if the container holds no group, it is set already, or the groups have an IOMMU
     * @throws VfioException {@code EPERM} without CAP_SYS_RAWIO
     */
    public NoIommu setUnsafeNoIommu() {
        lock.lock();
        try {
            setType(NOIOMMU);
            noIommu = new NoIommu(this);
            return noIommu;
        } finally {
            lock.unlock();
        }
    }

    private boolean offers(int type) {
        return port.checkExtension(type) > 0;
    }

    /** Does an iommufd stand in for the container? Then its mappings are of the iommufd, and stay when groups leave. */
    boolean isIommufd() {
        return iommufd;
    }

    /** Does the kernel unmap parts of mappings? An iommufd does from the first type on, whatever type comes later. */
    boolean cuts() {
        return cuts;
    }

    private void setType(int type) {
        Rule.check(vfio.contract(), Operation.SET_IOMMU, new Facts() {
            @Override
            public boolean handleOpen() {
                return !closed;
            }

            @Override
            public int groupsInContainer() {
                return groups.size();
            }

            @Override
            public boolean iommuSet() {
                return Container.this.iommuSet();
            }

            @Override
            public boolean iommuTypeSupported() {
                return offers(type);
            }
        });
        port.setIommu(type);
    }

    /**
     * Opens a device of a group.
     *
     * @param vfToken the token of the physical function; null for none
     * @param through the IOMMU that protects from it; null for none
     * @param set whether the IOMMU is still there
     * @param watched whether to hear when the device is asked back, and of its errors
     */
    Device openDevice(
            Group group, String name, UUID vfToken, AddressSpace through, BooleanSupplier set, boolean watched) {
        group.lock.lock();
        try {
            Rule.check(vfio.contract(), Operation.GROUP_GET_DEVICE_FD, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !group.closed();
                }

                @Override
                public boolean groupInContainer() {
                    return group.container != null;
                }

                @Override
                public boolean groupInThisContainer() {
                    return group.container == Container.this;
                }

                @Override
                public boolean iommuSet() {
                    return set.getAsBoolean();
                }

                @Override
                public boolean groupViable() {
                    return group.port.status().viable();
                }
            });
            DevicePort device;
            try {
                device = group.port.openDevice(name, vfToken);
            } catch (VfioException e) {
                throw e.withDetail(Diagnosis.ofGroup(vfio.kernel(), group.number()));
            }
            Device handle;
            try {
                handle = new Device(through, group, device, device.info(), name);
            } catch (RuntimeException e) {
                Teardown.after(e, device::close);
                throw e;
            }
            group.devices.add(handle, watched);
            return handle;
        } finally {
            group.lock.unlock();
        }
    }

    /**
     * Closes the container and all it owns: the devices of its groups, what KVM has of these groups, the mappings, the
     * memberships of its groups (which stay open), then the file. A group with a {@link PeerUser} stays in the kernel's
     * container, where the IOMMU goes on protecting the machine from what the other process does. Idempotent.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        Teardown.once(lock, () -> closed, teardown -> {
            closed = true;
            for (Group group : List.copyOf(groups).reversed()) {
                group.lock.lock();
                try {
                    teardown.step(group::closeDevices);
                    teardown.step(() -> group.users.dropKvm(null));
                    teardown.step(() -> leave(group));
                } finally {
                    group.lock.unlock();
                }
            }
            if (iommu != null) {
                teardown.step(iommu::release);
            }
            port.close();
            vfio.forget(this);
        });
    }

    Vfio vfio() {
        return vfio;
    }

    boolean closed() {
        return closed;
    }

    /**
     * Takes a group out because its handle is about to close. Where the kernel refuses (a device of the group is open in
     * another process), the group stays in the kernel's container but is lost to this one. Locks of both are held.
     */
    void loseGroup(Group group) {
        Teardown teardown = new Teardown();
        if (!teardown.step(() -> leave(group)) && group.container == this) {
            teardown.step(() -> abandon(group));
        }
        teardown.finish();
    }

    /** Gives a group up that stays in the kernel's container. With the last one go this process's mappings. */
    private void abandon(Group group) {
        Teardown teardown = new Teardown();
        if (groups.size() == 1 && iommu != null) {
            teardown.step(iommu::release);
        }
        groupsLost = true;
        group.lost();
        left(group);
        teardown.finish();
    }

    /** The lock is held. */
    boolean iommuSet() {
        return iommu != null || noIommu != null;
    }

    /** Takes a group out as part of a close: nothing is refused for order. Locks of both are held. */
    private void leave(Group group) {
        if (group.users.heldByPeer()) {
            abandon(group);
            return;
        }
        Runnable unset = () -> {
            try {
                group.port.unsetContainer();
            } catch (VfioException e) {
                // The kernel takes a group out by itself when its last device is bound to another driver.
                if (!e.errno().equals(Errno.EINVAL)) {
                    throw e;
                }
            }
        };
        take(group, unset);
    }

    /** Takes a group out; the last one ends the IOMMU. If {@code unset} throws, nothing has changed. */
    private void take(Group group, Runnable unset) {
        Runnable leave = () -> {
            unset.run();
            left(group);
        };
        AddressSpace last = groups.size() == 1 ? iommu : null;
        if (last != null && (groupsLost || iommufd)) { // the kernel keeps the mappings: those of a group, or the iommufd's
            leave.run();
            last.release();
        } else if (last != null) {
            last.end(leave);
        } else {
            leave.run();
        }
    }

    private void left(Group group) {
        group.container = null;
        groups.remove(group);
        if (groups.isEmpty()) {
            iommu = null;
            if (noIommu != null) {
                noIommu.end();
                noIommu = null;
            }
        } else if (iommu != null) {
            iommu.limitsChanged();
        }
    }

    private Facts membership(Group group) {
        return new Facts() {
            @Override
            public boolean handleOpen() {
                return !closed && !group.closed();
            }

            @Override
            public boolean groupInContainer() {
                return group.inContainer();
            }

            @Override
            public boolean groupInThisContainer() {
                return group.container == Container.this;
            }

            @Override
            public int devicesOpen() {
                return group.devices.number();
            }

            @Override
            public int externalUsers() {
                return group.externalUsers().size();
            }

            @Override
            public boolean groupsOfOtherKind() {
                return groups.stream().anyMatch(other -> other.translated() != group.translated());
            }

            @Override
            public boolean addressMissing() {
                return iommu != null && iommu.addressMissing();
            }
        };
    }

    private void checkOpen(Operation operation) {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, "");
        }
    }
}
