package io.github.vfio4j;

import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.Kernel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * An open IOMMU group ({@code /dev/vfio/N}): the devices that can only be isolated together. An open group alone protects
 * nothing: attach it to a container, then set the container's IOMMU.
 *
 * <p>All methods are safe from any thread.
 */
public final class Group implements AutoCloseable {
    final ReentrantLock lock = new ReentrantLock();
    final GroupPort port;
    /** Written under the locks of the container and of this group. */
    volatile Container container;

    private final Vfio vfio;
    private final int number;
    // Guarded by lock; oldest first.
    private final List<Device> devices = new ArrayList<>();
    private volatile boolean closed;

    private Group(Vfio vfio, int number, GroupPort port) {
        this.vfio = vfio;
        this.number = number;
        this.port = port;
    }

    static Group open(Vfio vfio, int number, String node) {
        Kernel kernel = vfio.kernel();
        long deviceNumber = kernel.deviceNumber(node);
        if (!kernel.openGroups().take(deviceNumber)) {
            throw new RuleViolation(Rule.GROUP_OPEN_ONCE, Operation.OPEN_GROUP, node);
        }
        try {
            GroupPort port = kernel.openGroup(node);
            if (port.deviceNumber() != deviceNumber) { // the node was replaced between the two calls
                port.close();
                throw new VfioException(Operation.OPEN_GROUP, Errno.EAGAIN, node + " was replaced while it was opened");
            }
            return new Group(vfio, number, port);
        } catch (RuntimeException e) {
            kernel.openGroups().giveBack(deviceNumber);
            throw e;
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
     * Closes the group: first its devices, then its membership in a container, then the file. When it is its container's
     * last group, the kernel drops every mapping there. Idempotent.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        while (true) {
            Container current = container;
            if (current != null) {
                current.lock.lock();
            }
            try {
                lock.lock();
                try {
                    if (container == current) {
                        closeLocked();
                        return;
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
        Teardown teardown = new Teardown();
        for (Device device : List.copyOf(devices).reversed()) {
            teardown.step(device::closeHandle);
        }
        teardown.finish();
    }

    /** The lock is held. */
    void add(Device device) {
        devices.add(device);
    }

    /** The lock is held. */
    void remove(Device device) {
        devices.remove(device);
    }

    /** The lock is held. */
    int devicesOpen() {
        return devices.size();
    }

    Vfio vfio() {
        return vfio;
    }

    boolean closed() {
        return closed;
    }
}
