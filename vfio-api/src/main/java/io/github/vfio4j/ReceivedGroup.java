package io.github.vfio4j;

import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.GroupPort;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A group that another process opened and handed over ({@link Handover#receiveGroup}). Both processes have the same open
 * file now: either can open devices through it, and the group stays open until both have closed it.
 *
 * <p>{@link #status} tells what can be done with it. If it is in a container, that is the other process's: the memory
 * that its devices reach is mapped there, and {@link #openDevice} gives devices. If it is in none, {@link #attachTo} puts
 * it into one of this process.
 *
 * <p>All methods are safe from any thread.
 */
public final class ReceivedGroup implements AutoCloseable {
    private final Vfio vfio;
    private final int number;
    private final GroupPort port;
    private final OpenDevices devices;
    private final ReentrantLock lock;
    private volatile boolean closed;

    ReceivedGroup(Vfio vfio, int number, GroupPort port) {
        this.vfio = vfio;
        this.number = number;
        this.port = port;
        this.devices = new OpenDevices(vfio);
        this.lock = devices.lock;
    }

    /**
     * Returns the group's number, as the other process said.
     *
     * @return the number
     */
    public int number() {
        return number;
    }

    /**
     * Asks the kernel for the group's state ({@code VFIO_GROUP_GET_STATUS}). The other process can change it at any time.
     *
     * @return the state
     * @throws RuleViolation if this is closed
     * @throws VfioException {@code ENODEV} if the group's last device was bound away from VFIO
     */
    public GroupStatus status() {
        checkOpen(Operation.GROUP_GET_STATUS);
        return port.status();
    }

    /**
     * Opens a device through the other process's container ({@code VFIO_GROUP_GET_DEVICE_FD}). Its registers and
     * interrupts are as those of any device; its {@link Device#iommu} is in the other process.
     *
     * @param address the device
     * @return the device
     * @throws RuleViolation if this is closed, or the group is in no container
     * @throws VfioException {@code EINVAL} if the container has no IOMMU, {@code ENODEV} if the group has no such device
     */
    public Device openDevice(PciAddress address) {
        return open(address, null);
    }

    /**
     * Opens a virtual function whose physical one is bound to vfio-pci, or a physical one with virtual ones in use; as
     * {@link Type1#openDevice(Group, PciAddress, UUID)}.
     *
     * @param address the device
     * @param vfToken the token of the physical function
     * @return the device
     * @throws RuleViolation as {@link #openDevice(PciAddress)}
     * @throws VfioException {@code EACCES} if the token is wrong, {@code EINVAL} if the device takes none, and as
     *     {@link #openDevice(PciAddress)}
     */
    public Device openDevice(PciAddress address, UUID vfToken) {
        return open(address, Objects.requireNonNull(vfToken, "vfToken"));
    }

    private Device open(PciAddress address, UUID vfToken) {
        Objects.requireNonNull(address, "address");
        lock.lock();
        try {
            Rule.check(vfio.contract(), Operation.GROUP_GET_DEVICE_FD, membership());
            DevicePort opened;
            try {
                opened = port.openDevice(address.toString(), vfToken);
            } catch (VfioException e) {
                throw e.withDetail(Diagnosis.ofGroup(vfio.kernel(), number));
            }
            try {
                Device device = new Device(devices, opened, opened.info(), address.toString());
                devices.add(device);
                return device;
            } catch (RuntimeException e) {
                opened.close();
                throw e;
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes it a group of this process and puts it into a container ({@code VFIO_GROUP_SET_CONTAINER}). This handle is
     * spent then: the group has taken its file over.
     *
     * @param container a container of the same kernel
     * @return the group
     * @throws RuleViolation if the group is in a container, is open in this process besides, or a handle is closed
     * @throws VfioException as {@link Container#attach}; this handle stays as it is then
     */
    public Group attachTo(Container container) {
        Objects.requireNonNull(container, "container");
        lock.lock();
        try {
            Rule.check(vfio.contract(), Operation.GROUP_SET_CONTAINER, membership());
            Group group = vfio.take(number, port, container);
            closed = true;
            vfio.forget(this);
            return group;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Closes the devices that were opened here, then this process's copy of the file. What the other process has is not
     * touched. Idempotent.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        Teardown.once(lock, () -> closed, teardown -> {
            teardown.step(devices::closeAll);
            closed = true;
            port.close();
            vfio.forget(this);
        });
    }

    private Facts membership() {
        return new Facts() {
            @Override
            public boolean handleOpen() {
                return !closed;
            }

            @Override
            public boolean groupInContainer() {
                return port.status().containerSet();
            }
        };
    }

    private void checkOpen(Operation operation) {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, "");
        }
    }
}
