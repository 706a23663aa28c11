package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.Kernel;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * An open IOMMU group ({@code /dev/vfio/N}): the devices that can only be isolated together. An open group alone protects
 * nothing: attach it to a container, then set the container's IOMMU.
 *
 * <p>All methods are safe from any thread.
 */
public final class Group implements AutoCloseable {
    final ReentrantLock lock;
    final OpenDevices devices;
    final GroupPort port;
    final ExternalUsers users;
    /** Written under the locks of the container and of this group. */
    volatile Container container;

    private final Vfio vfio;
    private final int number;
    private final boolean translated;
    /** It may be in a container of the kernel's that no handle of this process stands for. Guarded by lock. */
    private boolean lost;

    private volatile boolean closed;

    private Group(Vfio vfio, int number, GroupPort port, boolean translated) {
        this.vfio = vfio;
        this.translated = translated;
        this.number = number;
        this.port = port;
        this.devices = new OpenDevices(vfio);
        this.lock = devices.lock;
        this.users = new ExternalUsers(lock);
    }

    /** Makes a group of a file that another process opened, unless this process has the group open besides. */
    static Group received(Vfio vfio, int number, GroupPort port) {
        if (!vfio.kernel().openGroups().take(port.deviceNumber())) {
            throw new RuleViolation(Rule.GROUP_OPEN_ONCE, Operation.OPEN_GROUP, "group " + number);
        }
        return new Group(vfio, number, port, !vfio.kernel().isWithoutIommu(port.deviceNumber()));
    }

    static Group open(Vfio vfio, int number, String node, boolean unsafe) {
        Kernel kernel = vfio.kernel();
        long deviceNumber = kernel.deviceNumber(node);
        boolean translated = !kernel.isWithoutIommu(deviceNumber);
        Rule.check(vfio.contract(), Operation.OPEN_GROUP, new Facts() {
            @Override
            public boolean groupTranslated() {
                return translated;
            }

            @Override
            public boolean unsafeAllowed() {
                return unsafe;
            }

            @Override
            public boolean groupBoundByDevice() {
                return kernel.openGroups().hasBound(deviceNumber);
            }
        }, () -> node);
        if (!kernel.openGroups().take(deviceNumber)) {
            throw new RuleViolation(Rule.GROUP_OPEN_ONCE, Operation.OPEN_GROUP, node);
        }
        try {
            GroupPort port = kernel.openGroup(node);
            if (port.deviceNumber() != deviceNumber) { // the node was replaced between the two calls
                port.close();
                throw new VfioException(Operation.OPEN_GROUP, Errno.EAGAIN, node + " was replaced while it was opened");
            }
            return new Group(vfio, number, port, translated);
        } catch (RuntimeException e) {
            kernel.openGroups().giveBack(deviceNumber);
            throw e;
        }
    }

    /** Names a group in the registry of open groups, also where the kernel has no groups or a device has none. */
    static long key(Kernel kernel, OptionalInt number) {
        try {
            return number.isPresent() ? kernel.deviceNumber("/dev/vfio/" + number.getAsInt()) : -1;
        } catch (VfioException e) {
            if (!e.errno().equals(Errno.ENOENT)) {
                throw e;
            }
            return -2L - number.getAsInt(); // its node is not here, so nobody opens it by that
        }
    }

    /**
     * Returns the number of the group.
     *
     * @return the number in sysfs
     */
    public int number() {
        return number;
    }

    /**
     * Tells whether an IOMMU, or the driver of mediated devices, translates the DMA of the group's devices.
     *
     * @return false for a group that was opened with {@link Vfio#openUnsafeNoIommuGroup}
     */
    public boolean translated() {
        return translated;
    }

    /**
     * Asks the kernel for the group's state ({@code VFIO_GROUP_GET_STATUS}).
     *
     * @return the state
     * @throws RuleViolation if the group is closed
     * @throws VfioException {@code ENODEV} if the group's last device was bound away from VFIO
     */
    public GroupStatus status() {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, Operation.GROUP_GET_STATUS, "");
        }
        return port.status();
    }

    /**
     * Lists the users of the group and its devices outside this process's VFIO: KVM, other processes.
     *
     * @return a snapshot of those that are registered, oldest first
     */
    public List<ExternalUser> externalUsers() {
        return users.all();
    }

    /**
     * Closes the group: first its devices, then what KVM has of it, then its membership in a container, then the file. When
     * it is its container's last group, the kernel drops every mapping there. Idempotent.
     *
     * <p>While a {@link PeerUser} is registered, the group stays in the kernel's container and only this process's mappings
     * end; the file lives on in the other process.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        locked(() -> {
            closeLocked();
            return null;
        });
    }

    /** Does something under the locks of this group and of the container that it is in. */
    <T> T locked(Supplier<T> action) {
        while (true) {
            Container current = container;
            if (current != null) {
                current.lock.lock();
            }
            try {
                lock.lock();
                try {
                    if (container == current) {
                        return action.get();
                    }
                } finally {
                    lock.unlock();
                }
            } finally {
                if (current != null) {
                    current.lock.unlock();
                }
            }
        }
    }

    private void closeLocked() {
        if (closed) {
            return;
        }
        closed = true;
        Teardown teardown = new Teardown();
        teardown.step(this::closeDevices);
        teardown.step(() -> users.dropKvm(null));
        if (container != null) {
            teardown.step(() -> container.loseGroup(this));
        }
        long deviceNumber = port.deviceNumber();
        port.close();
        vfio.kernel().openGroups().giveBack(deviceNumber);
        vfio.forget(this);
        teardown.finish();
    }

    /** The lock is held. */
    void closeDevices() {
        devices.closeAll();
    }

    /**
     * Checks what must hold of this group before somebody outside uses it, or a device of it. The locks of the group and
     * its container are held.
     */
    void checkExternalUser(Operation operation, Device device) {
        if (closed || device != null && !device.isOpen()) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, device == null ? "group " + number : device.name());
        }
        Rule.check(vfio.contract(), Operation.GET_EXTERNAL_USER, new Facts() {
            @Override
            public boolean groupTranslated() {
                return translated;
            }

            @Override
            public boolean groupInContainer() {
                return container != null;
            }

            @Override
            public boolean iommuSet() {
                return container.iommuSet();
            }

            @Override
            public boolean groupViable() {
                return viable();
            }
        });
    }

    private boolean viable() {
        try {
            return port.status().viable();
        } catch (VfioException e) {
            if (e.errno().equals(Errno.ENODEV)) { // its last device was bound away
                return false;
            }
            throw e;
        }
    }

    /** It left its container's handle and may still be in the kernel's container. The lock is held. */
    void lost() {
        lost = true;
    }

    /** Is it in a container, be it one that no handle stands for? The lock is held. */
    boolean inContainer() {
        return container != null || lost && port.status().containerSet();
    }

    Vfio vfio() {
        return vfio;
    }

    boolean closed() {
        return closed;
    }
}
