package io.github.vfio4j.sim;

import io.github.vfio4j.Operation;
import io.github.vfio4j.spi.Facts;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * A device that is bound to a VFIO driver (Linux: struct vfio_device). The first open gives it power, the last close takes
 * it; a mapping of a BAR counts as an open file. All that reaches the model goes through the device's lock, one at a time.
 */
abstract class GroupDevice {
    final VfioGroup group;

    /** Before the kernel's lock in order. Held while the model is called. */
    final ReentrantLock lock = new ReentrantLock();

    /** Opens, and open files; unbinding waits for 0. Guarded by the kernel's lock. */
    int references;

    /** It is about to be unbound: newer kernels no longer open it. Guarded by the kernel's lock. */
    boolean leaving;

    /** The number in the name of its own node. */
    final int index;

    private final SimMachine machine;
    // Guarded by the kernel's lock.
    private int openCount;
    private boolean openByNode;
    private BoundDevice bound;

    GroupDevice(SimMachine machine, VfioGroup group) {
        this.machine = machine;
        this.group = group;
        this.index = machine.freeDeviceIndex();
    }

    SimMachine machine() {
        return machine;
    }

    /** Does a name mean this device, whatever options follow? */
    abstract boolean isNamed(DeviceName name);

    /** Is it of those that take the token that is shown, if one is? The kernel's lock is held. */
    abstract boolean takes(Optional<UUID> shown);

    /**
     * Is it opened with what is shown (vfio_pci_core_match_token_uuid)? A physical function whose virtual ones nobody has
     * open takes a token for its own. The kernel's lock is held.
     */
    abstract boolean match(Optional<UUID> shown);

    /** The device's lock is held. */
    abstract void powerOn();

    /** The device's lock is held. */
    abstract void powerOff();

    /** Makes another open file of it. */
    abstract SimFile newFile();

    /** Is it open, so that the model has power? The kernel's lock is held. */
    boolean isOpen() {
        return openCount > 0;
    }

    /** Drops a reference. The kernel's lock is held. */
    void unreference() {
        references--;
        machine.kernel().changed();
    }

    /** Does its driver stand between it and memory, in place of an IOMMU? */
    abstract boolean isEmulated();

    /** Makes it an object of an iommufd. The kernel's lock is held. */
    abstract BoundDevice bindTo(Iommufd iommufd);

    /**
     * What it is in an iommufd, from the first open to the last close; null if it was not opened with one. The kernel's lock
     * is held.
     */
    BoundDevice bound() {
        return bound;
    }

    /** Is it open by its own node? The kernel's lock is held. */
    boolean isOpenByNode() {
        return openByNode;
    }

    /** The path of its own node. */
    String node() {
        return "/dev/vfio/devices/vfio" + index;
    }

    /**
     * Opens the device through its group.
     *
     * @param caller who gets the descriptor
     * @param check what refuses; runs under the kernel's lock
     * @return the descriptor
     */
    int open(SimProcess caller, Runnable check) {
        lock.lock();
        try {
            int fd;
            boolean first;
            machine.kernel().lock();
            try {
                check.run();
                fd = caller.files().reserve();
                first = openCount == 0;
                try {
                    if (first && group.iommufd() != null) {
                        bindForGroup(group.iommufd().iommufd);
                    }
                } catch (KernelError e) {
                    caller.files().cancel(fd);
                    throw e;
                }
                openCount++;
                references++;
                if (bound == null) {
                    group.deviceOpened(first);
                }
            } finally {
                machine.kernel().unlock();
            }
            Undo.unless(
                    () -> {
                        if (first) {
                            powerOn(); // the model may throw
                        }
                        machine.kernel().lock();
                        try {
                            caller.install(fd, newFile());
                        } finally {
                            machine.kernel().unlock();
                        }
                    },
                    () -> {
                        machine.kernel().lock();
                        caller.files().cancel(fd);
                        closed();
                        machine.kernel().unlock();
                    });
            return fd;
        } finally {
            lock.unlock();
        }
    }

    /** The iommufd stands for a container: the device is attached at once. */
    private void bindForGroup(Iommufd iommufd) {
        if (group.iommuGroup().type == GroupType.NO_IOMMU) {
            return;
        }
        bound = bindTo(iommufd);
        Facts throughTheGroup = new Facts() {
            @Override
            public boolean groupInContainer() {
                return true;
            }
        };
        Undo.unless(
                () -> bound.attach(iommufd.compat.id, Operation.GROUP_GET_DEVICE_FD, throughTheGroup),
                () -> {
                    bound.unbind();
                    bound = null;
                });
    }

    /**
     * Opens the device by its own node.
     *
     * @param check what refuses, and else finds the iommufd; runs under the kernel's lock
     */
    void openBound(Supplier<Iommufd> check) {
        lock.lock();
        try {
            machine.kernel().lock();
            try {
                bound = bindTo(check.get());
                openCount++;
                openByNode = true;
                group.deviceBound(1);
            } finally {
                machine.kernel().unlock();
            }
            Undo.unless(this::powerOn, this::unbind); // the model may throw
        } finally {
            lock.unlock();
        }
    }

    /** Closes a device that was opened so. */
    void closeBound() {
        lock.lock();
        try {
            try {
                powerOff();
            } finally {
                unbind();
            }
        } finally {
            lock.unlock();
        }
    }

    private void unbind() {
        machine.kernel().lock();
        try {
            openCount--;
            openByNode = false;
            bound.unbind();
            bound = null;
            group.deviceBound(-1);
        } finally {
            machine.kernel().unlock();
        }
    }

    /** A file of the device that its group gave is released: with the last one the model loses its power. */
    void close() {
        lock.lock();
        try {
            boolean last;
            machine.kernel().lock();
            try {
                last = openCount == 1;
            } finally {
                machine.kernel().unlock();
            }
            try {
                if (last) {
                    powerOff();
                }
            } finally {
                machine.kernel().lock();
                closed();
                machine.kernel().unlock();
            }
        } finally {
            lock.unlock();
        }
    }

    private void closed() {
        boolean last = --openCount == 0;
        if (bound == null) {
            group.deviceClosed(last);
        } else if (last) {
            bound.unbind();
            bound = null;
        }
        unreference();
    }
}
