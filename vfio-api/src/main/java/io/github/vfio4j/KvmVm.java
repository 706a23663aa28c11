package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.KvmPort;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The VFIO device of a KVM virtual machine ({@code KVM_DEV_TYPE_VFIO}): what tells KVM which groups and devices the
 * machine has. KVM then handles their DMA's cache coherency, and gives itself to drivers that need it.
 *
 * <p>The order on Linux: attach the group and set the IOMMU, add the group here, then open its devices. A driver that
 * needs the virtual machine gets it when the device is first opened; adding the group later does not reach it.
 *
 * <p>All methods are safe from any thread, and belong into the process that made the virtual machine: Linux answers
 * {@code EIO} to any other.
 */
public final class KvmVm implements AutoCloseable {
    private final Vfio vfio;
    private final KvmPort port;
    /** Taken under a group's or an iommufd's lock; nothing else is taken under it. */
    private final ReentrantLock lock = new ReentrantLock();
    // Guarded by lock; oldest first.
    private final List<KvmUser> users = new ArrayList<>();
    private volatile boolean closed;

    KvmVm(Vfio vfio, KvmPort port) {
        this.vfio = vfio;
        this.port = port;
    }

    /**
     * Gives KVM a group ({@code KVM_DEV_VFIO_FILE_ADD}).
     *
     * @param group an open group of the same kernel
     * @return KVM's use of it
     * @throws RuleViolation if this or the group is closed, KVM has the group already, or, under
     *     {@link Contract#STRICT}, the group is not protected by an IOMMU or not viable
     * @throws VfioException {@code EIO} in another process than the one that made the virtual machine
     */
    public KvmUser add(Group group) {
        Objects.requireNonNull(group, "group");
        return add(group, null);
    }

    /**
     * Gives KVM a device ({@code KVM_DEV_VFIO_FILE_ADD}). For a device that was opened through its group it is the group
     * that matters to KVM. One that was opened by its own node KVM knows by its file; it is bound already, so a driver that
     * needs the virtual machine does not get it.
     *
     * @param device an open device that this process opened
     * @return KVM's use of it
     * @throws RuleViolation as {@link #add(Group)}
     * @throws VfioException {@code EINVAL} before Linux 6.6, which takes groups alone
     * @throws IllegalArgumentException if another process handed the device over
     */
    public KvmUser add(Device device) {
        Objects.requireNonNull(device, "device");
        return device.openedBy() == OpenedBy.CDEV ? addByNode(device) : add(device.group(), device);
    }

    private KvmUser addByNode(Device device) {
        checkSameKernel(device.vfio());
        Iommufd iommufd = device.iommufd();
        iommufd.lock.lock();
        try {
            device.checkOpen(Operation.KVM_FILE_ADD);
            return add(iommufd.users, null, device);
        } finally {
            iommufd.lock.unlock();
        }
    }

    private KvmUser add(Group group, Device device) {
        checkSameKernel(group.vfio());
        if (closed) { // before the group is asked for its status
            throw new RuleViolation(Rule.HANDLE_OPEN, Operation.KVM_FILE_ADD, "");
        }
        return group.locked(() -> {
            group.checkExternalUser(Operation.KVM_FILE_ADD, device);
            return add(group.users, group, device);
        });
    }

    private void checkSameKernel(Vfio other) {
        if (other.kernel() != vfio.kernel()) {
            throw new IllegalArgumentException("the virtual machine and what it is given are of different kernels");
        }
    }

    /** The registry's lock is held. */
    private KvmUser add(ExternalUsers registry, Group group, Device device) {
        lock.lock();
        try {
            Rule.check(vfio.contract(), Operation.KVM_FILE_ADD, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !closed;
                }

                @Override
                public boolean kvmHasFile() {
                    return users.stream().anyMatch(user -> user.uses(group, device));
                }
            });
            if (device == null) {
                port.add(group.port);
            } else {
                port.add(device.port());
            }
            KvmUser user = new KvmUser(this, registry, group, device);
            users.add(user);
            registry.add(user);
            return user;
        } finally {
            lock.unlock();
        }
    }

    /** The lock of the user's registry is held. */
    void setSpaprTce(Group group, int table) {
        lock.lock();
        try {
            port.setSpaprTce(group.port, table);
        } finally {
            lock.unlock();
        }
    }

    /** The lock of the user's registry is held. */
    void remove(KvmUser user) {
        lock.lock();
        try {
            try {
                if (user.device().isPresent()) {
                    port.remove(user.device().get().port());
                } else {
                    port.remove(user.group().orElseThrow().port);
                }
            } catch (VfioException e) {
                if (!e.errno().equals(Errno.ENOENT)) { // somebody else took it from KVM: done all the same
                    throw e;
                }
            }
            users.remove(user);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Tells whether KVM can be given tables of translations ({@code KVM_HAS_DEVICE_ATTR} of
     * {@code KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE}), as on PowerPC.
     *
     * @return true if {@link KvmUser#setSpaprTce} is there
     * @throws RuleViolation if this is closed
     * @throws VfioException {@code EIO} in another process than the one that made the virtual machine
     */
    public boolean takesSpaprTables() {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, Operation.KVM_HAS_ATTRIBUTE, "");
        }
        return port.takesSpaprTables();
    }

    /**
     * Lists what KVM has.
     *
     * @return a snapshot, oldest first
     */
    public List<KvmUser> users() {
        lock.lock();
        try {
            return List.copyOf(users);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes everything from KVM and closes its VFIO device; a virtual machine that the library made ends with it.
     * Idempotent.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same, and the close of the
     *     file ends KVM's use in any case
     */
    @Override
    public void close() {
        List<KvmUser> last;
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            last = List.copyOf(users).reversed();
        } finally {
            lock.unlock();
        }
        Teardown teardown = new Teardown();
        for (KvmUser user : last) {
            user.lock().lock();
            try {
                teardown.step(user::drop);
            } finally {
                user.lock().unlock();
            }
        }
        port.close();
        vfio.forget(this);
        teardown.finish();
    }
}
