package io.github.vfio4j;

import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.HandoverPort;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * A connection to another process of this machine, a Unix socket, through which groups and devices are handed over
 * ({@code SCM_RIGHTS}). The file itself is shared: the other process gets a descriptor of its own for the same open file.
 * From {@link Vfio#connect} or {@link HandoverListener#accept}.
 *
 * <p>A message is one descriptor and a text, {@code group 26}, {@code device 0000:06:0d.0}, {@code memory} or
 * {@code iommufd}, on a socket of type {@code SOCK_SEQPACKET}; so a program in another language can be the other process.
 *
 * <p>All methods are safe from any thread; one that waits is ended by {@link #close}. Waiting keeps a platform thread.
 */
public final class Handover implements AutoCloseable {
    private final Vfio vfio;
    private final HandoverPort port;
    private final String peer;
    private volatile boolean closed;

    Handover(Vfio vfio, HandoverPort port, String peer) {
        this.vfio = vfio;
        this.port = port;
        this.peer = peer;
    }

    /**
     * Hands a group over ({@code sendmsg}). Does not wait for the other process to receive it; the message keeps the file
     * open until it does.
     *
     * @param group an open group of the same kernel
     * @return the other process's use of it, registered until you release it
     * @throws RuleViolation if this or the group is closed, or, under {@link Contract#STRICT}, the group is not protected
     *     by an IOMMU or not viable
     * @throws VfioException {@code EPIPE} if the other end is closed, {@code EAGAIN} if it does not receive
     */
    public PeerUser send(Group group) {
        Objects.requireNonNull(group, "group");
        return send(group, null);
    }

    /**
     * Hands a device over ({@code sendmsg}), as {@link #send(Group)}. Of one that was opened by its own node the other
     * process gets the file with its binding: it reaches what the device reaches.
     *
     * @param device an open device that this process opened
     * @return the other process's use of it, registered until you release it
     * @throws RuleViolation as {@link #send(Group)}
     * @throws VfioException as {@link #send(Group)}
     * @throws IllegalArgumentException if another process handed the device over
     */
    public PeerUser send(Device device) {
        Objects.requireNonNull(device, "device");
        return device.openedBy() == OpenedBy.CDEV ? sendByNode(device) : send(device.group(), device);
    }

    private PeerUser sendByNode(Device device) {
        checkSameKernel(device.vfio());
        checkOpen(Operation.HANDOVER_SEND);
        Iommufd iommufd = device.iommufd();
        iommufd.lock.lock();
        try {
            device.checkOpen(Operation.HANDOVER_SEND);
            port.send(device.port(), device.name());
            PeerUser user = new PeerUser(peer, iommufd.users, null, device);
            iommufd.users.add(user);
            return user;
        } finally {
            iommufd.lock.unlock();
        }
    }

    private void checkSameKernel(Vfio other) {
        if (other.kernel() != vfio.kernel()) {
            throw new IllegalArgumentException("the connection and what it is to carry are of different kernels");
        }
    }

    private PeerUser send(Group group, Device device) {
        checkSameKernel(group.vfio());
        checkOpen(Operation.HANDOVER_SEND);
        return group.locked(() -> {
            group.checkExternalUser(Operation.HANDOVER_SEND, device);
            if (device == null) {
                port.send(group.port, Integer.toString(group.number()));
            } else {
                port.send(device.port(), device.name());
            }
            PeerUser user = new PeerUser(peer, group.users, group, device);
            group.users.add(user);
            return user;
        });
    }

    /**
     * Hands a file of memory over ({@code sendmsg}). Both processes have the same memory then.
     *
     * @param file an open file of the same kernel
     * @throws RuleViolation if this or the file is closed
     * @throws VfioException as {@link #send(Group)}
     */
    public void send(DmaFile file) {
        Objects.requireNonNull(file, "file");
        checkSameKernel(file.vfio());
        checkOpen(Operation.HANDOVER_SEND);
        if (file.closed()) {
            throw new RuleViolation(Rule.HANDLE_OPEN, Operation.HANDOVER_SEND, file.toString());
        }
        port.send(file.port);
    }

    /**
     * Hands an iommufd over with all it has in the kernel, to a process that replaces this one ({@code sendmsg}). From
     * here on closing it, its devices, address spaces and page tables closes this process's files and takes its memory from
     * this process: nothing is detached, destroyed or unmapped in the kernel. So devices that were handed over
     * ({@link #send(Device)}) go on working with what is mapped. Map files ({@link Ioas#map}): the other process can see
     * such memory, if it gets the files, and count it as its own ({@link Iommufd#changeProcess}). What is closed, unmapped
     * or detached by itself before is gone as ever, and so is a buffer that is closed by itself.
     *
     * @param iommufd an open iommufd of the same kernel
     * @throws RuleViolation if this or the iommufd is closed
     * @throws VfioException as {@link #send(Group)}
     */
    public void send(Iommufd iommufd) {
        Objects.requireNonNull(iommufd, "iommufd");
        checkSameKernel(iommufd.vfio());
        checkOpen(Operation.HANDOVER_SEND);
        iommufd.lock.lock();
        try {
            iommufd.checkOpen(Operation.HANDOVER_SEND);
            port.send(iommufd.port);
            iommufd.handedOver();
        } finally {
            iommufd.lock.unlock();
        }
    }

    /**
     * Waits for a file of memory ({@code recvmsg}). What comes is checked: that it is one descriptor, and of memory whose
     * size is sealed ({@code statx}, {@code F_GET_SEALS}).
     *
     * @return the file
     * @throws RuleViolation as {@link #receiveGroup}
     * @throws VfioException as {@link #receiveGroup}
     */
    public DmaFile receiveDmaFile() {
        return vfio.keepReceived(new DmaFile(vfio, receive(port::receiveDmaFile)));
    }

    /**
     * Waits for an iommufd ({@code recvmsg}). What comes is checked: that it is one descriptor, and of an iommufd
     * ({@code IOMMU_IOAS_IOVA_RANGES}). What the other process made of it goes on to be there, and has no handles here:
     * {@link Iommufd#changeProcess} makes its mappings this process's, and new address spaces and devices can be added.
     *
     * @return the iommufd
     * @throws RuleViolation as {@link #receiveGroup}
     * @throws VfioException as {@link #receiveGroup}
     */
    public Iommufd receiveIommufd() {
        return vfio.keepReceived(new Iommufd(vfio, receive(port::receiveIommufd)));
    }

    /**
     * Waits for a group ({@code recvmsg}). What comes is checked: that it is one descriptor, and of a group
     * ({@code VFIO_GROUP_GET_STATUS}, and the device number if {@code /dev/vfio} shows that group).
     *
     * @return the group
     * @throws RuleViolation if this is closed, also while it waits
     * @throws VfioException {@code ECONNRESET} if the other end is closed, {@code EBADMSG} if something else came: the
     *     message is lost then and its descriptors are closed
     */
    public ReceivedGroup receiveGroup() {
        HandoverPort.Received<GroupPort> received = receive(port::receiveGroup);
        ReceivedGroup group = new ReceivedGroup(vfio, Integer.parseInt(received.name()), received.port());
        return vfio.keepReceived(group);
    }

    /**
     * Waits for a device ({@code recvmsg}). What comes is checked: that it is one descriptor, and of a device
     * ({@code VFIO_DEVICE_GET_INFO}). The device's IOMMU stays with the other process: {@link Device#iommu} has none.
     *
     * @return the device
     * @throws RuleViolation as {@link #receiveGroup}
     * @throws VfioException as {@link #receiveGroup}
     */
    public Device receiveDevice() {
        HandoverPort.Received<DevicePort> received = receive(port::receiveDevice);
        Device device;
        try {
            device = new Device(new OpenDevices(vfio), received.port(), received.port().info(), received.name());
        } catch (RuntimeException e) {
            received.port().close();
            throw e;
        }
        device.own(() -> vfio.forget(device));
        return vfio.keepReceived(device);
    }

    private <T> T receive(Supplier<T> wait) {
        checkOpen(Operation.HANDOVER_RECEIVE);
        try {
            return wait.get();
        } catch (VfioException e) {
            checkOpen(Operation.HANDOVER_RECEIVE); // closed while it waited
            throw e;
        }
    }

    /**
     * Closes the connection; who waits here gets a {@link RuleViolation}. What was handed over stays with its new owner,
     * and its {@link PeerUser} stays registered; what nobody received is closed when the other end is. Idempotent.
     */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            port.close();
            vfio.forget(this);
        }
    }

    private void checkOpen(Operation operation) {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, peer);
        }
    }
}
