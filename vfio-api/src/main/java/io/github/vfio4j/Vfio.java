package io.github.vfio4j;

import io.github.vfio4j.spi.ContainerPort;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.Kernel;
import io.github.vfio4j.spi.KernelProvider;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.ServiceLoader;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * The way in: one kernel's VFIO. From here come containers, groups and devices, and the list of what the machine has.
 *
 * <p>All methods are safe from any thread. {@link #close} closes everything that was opened through this object.
 */
public final class Vfio implements AutoCloseable {
    private static final int API_VERSION = 0; // VFIO_API_VERSION of linux/vfio.h

    private final Kernel kernel;
    private final Contract contract;
    private final ReentrantLock lock = new ReentrantLock();
    // Newest first, the order in which they are closed. Guarded by lock.
    private final ArrayDeque<Container> containers = new ArrayDeque<>();
    private final ArrayDeque<Group> groups = new ArrayDeque<>();
    private final ArrayDeque<Iommufd> iommufds = new ArrayDeque<>();
    private final ArrayDeque<Waiter> waiters = new ArrayDeque<>();
    // What has to do with users outside: KVM, sockets, what came through them.
    private final ArrayDeque<AutoCloseable> outside = new ArrayDeque<>();
    private final Callbacks callbacks;
    private volatile boolean closed;
    private volatile OpenHandles openHandles; // null unless somebody wants to hear of lost ones

    private Vfio(Kernel kernel, Contract contract) {
        this.kernel = kernel;
        this.contract = contract;
        this.callbacks = new Callbacks(kernel);
    }

    /**
     * Returns the VFIO of the kernel that this program runs on, under {@link Contract#STRICT}. Opens nothing yet.
     *
     * @return a new object; several in one process know of each other's open groups
     * @throws IllegalStateException if no backend is there: {@code vfio-ffm} belongs on the class path or module path,
     *     with {@code --enable-native-access} for it
     */
    public static Vfio open() {
        return open(Contract.STRICT);
    }

    /**
     * Returns the VFIO of the kernel that this program runs on. Opens nothing yet.
     *
     * @param contract what to refuse
     * @return a new object; several in one process know of each other's open groups
     * @throws IllegalStateException as {@link #open()}
     */
    public static Vfio open(Contract contract) {
        Objects.requireNonNull(contract, "contract");
        KernelProvider provider = ServiceLoader.load(KernelProvider.class)
                .findFirst()
                .orElseThrow(() -> new IllegalStateException(
                        "no kernel behind vfio4j: put io.github.vfio4j:vfio-ffm on the class path or the module path"));
        return on(provider.kernel(), contract);
    }

    /**
     * Returns the VFIO of a given kernel; for backends.
     *
     * @param kernel the kernel
     * @param contract what to refuse
     * @return a new object
     */
    @SuppressWarnings("exports") // a backend hands a kernel in; a user has none to hand in
    public static Vfio on(Kernel kernel, Contract contract) {
        return new Vfio(Objects.requireNonNull(kernel, "kernel"), Objects.requireNonNull(contract, "contract"));
    }

    /**
     * Returns what this object refuses.
     *
     * @return the contract
     */
    public Contract contract() {
        return contract;
    }

    /**
     * Names the kernel.
     *
     * @return a text such as {@code Linux 6.12.107}; a simulated kernel says that it is one
     */
    public String kernelName() {
        return kernel.name();
    }

    /**
     * Lists the PCI functions of the machine as sysfs shows them, ascending by address.
     *
     * @return a snapshot
     * @throws VfioException if sysfs cannot be read
     */
    public List<PciDevice> pciDevices() {
        return kernel.pciDevices();
    }

    /**
     * Looks a PCI function up in sysfs: its driver and its IOMMU group.
     *
     * @param address the function
     * @return a snapshot
     * @throws VfioException {@code ENOENT} if there is no such function
     */
    public PciDevice pciDevice(PciAddress address) {
        Objects.requireNonNull(address, "address");
        return kernel.pciDevice(address);
    }

    /**
     * Lists the members of an IOMMU group: what is isolated together, and given to a program together.
     *
     * @param number the group
     * @return the kernel's names of the devices; PCI functions are named by their address
     * @throws VfioException {@code ENOENT} if there is no such group
     */
    public List<String> groupMembers(int number) {
        Given.groupNumber(number);
        return kernel.groupMembers(number);
    }

    /**
     * Looks up the group of a mediated device in sysfs.
     *
     * @param mediatedDevice the device's name
     * @return the group's number; empty if the device is bound to no VFIO driver
     * @throws VfioException {@code ENOENT} if there is no such device
     */
    public OptionalInt groupOf(UUID mediatedDevice) {
        Objects.requireNonNull(mediatedDevice, "mediatedDevice");
        return kernel.mediatedDeviceGroup(mediatedDevice);
    }

    /**
     * Returns what binds functions to vfio-pci and back.
     *
     * @return a binder; needs no close
     */
    public Binder binder() {
        return new Binder(this);
    }

    /**
     * Returns what makes and removes mediated devices.
     *
     * @return needs no close
     */
    public MediatedDevices mediatedDevices() {
        return new MediatedDevices(this);
    }

    /** Refuses to unbind or remove a device that this program has open: the write would wait for the program itself. */
    void checkNotOpen(Operation operation, String device) {
        List<OpenDevices> opened = new ArrayList<>();
        lock.lock();
        try {
            groups.forEach(group -> opened.add(group.devices));
            iommufds.forEach(iommufd -> opened.add(iommufd.devices));
        } finally {
            lock.unlock();
        }
        Rule.check(contract, operation, new Facts() {
            @Override
            public boolean deviceOpenHere() {
                return opened.stream().anyMatch(devices -> devices.has(device));
            }
        }, () -> device);
    }

    /**
     * Opens a container, an empty IO address space ({@code open("/dev/vfio/vfio")}, {@code VFIO_GET_API_VERSION}).
     *
     * @return the container
     * @throws VfioException {@code ENOENT} without the VFIO driver, {@code EACCES} without permission
     */
    public Container openContainer() {
        checkOpen(Operation.OPEN_CONTAINER);
        return container(kernel.openContainer(), false);
    }

    /**
     * Opens an iommufd to stand in for a container ({@code open("/dev/iommu")}, {@code VFIO_GET_API_VERSION}): groups, a
     * {@link Type1} and all the rest are used as with a container. For programs that are to run on kernels without
     * containers; a new one opens devices by their own nodes ({@link #openIommufd}). What differs: a device takes its place
     * in the address space when it is opened, so nothing that it cannot use may be mapped then; there is no dirty tracking,
     * and no taking and giving of addresses; of {@link IommuType#TYPE1} it would unmap parts of buffers, which is refused.
     *
     * @return the container
     * @throws VfioException {@code ENOENT} if the kernel has no iommufd, {@code EACCES} without permission
     */
    public Container openIommufdContainer() {
        checkOpen(Operation.OPEN_IOMMUFD);
        return container(kernel.openIommufdContainer(), true);
    }

    private Container container(ContainerPort port, boolean iommufd) {
        Container container = new Container(this, port, iommufd);
        try {
            int version = container.port.apiVersion();
            if (version != API_VERSION) {
                throw new VfioException(
                        Operation.GET_API_VERSION,
                        Errno.EOPNOTSUPP,
                        "the kernel speaks VFIO API version " + version + ", this library version " + API_VERSION);
            }
        } catch (RuntimeException e) {
            Teardown.after(e, container::close);
            throw e;
        }
        return keep(Operation.OPEN_CONTAINER, containers, container, container::close);
    }

    /**
     * Opens a group ({@code open("/dev/vfio/N")}). A group is open at most once in the whole machine.
     *
     * @param number the group's number, as in {@link PciDevice#iommuGroup}
     * @return the group
     * @throws RuleViolation if this process has the group open
     * @throws VfioException {@code ENOENT} if no device of the group is bound to vfio-pci, {@code EBUSY} if another
     *     process or a device that is still open holds it, {@code EACCES} without permission
     */
    public Group openGroup(int number) {
        return openGroup(number, Path.of("/dev/vfio/" + number));
    }

    /**
     * Opens a group whose node is somewhere else than in {@code /dev/vfio}, as in a container of the system.
     *
     * @param number the group's number
     * @param node its node
     * @return the group
     * @throws RuleViolation if this process has the group open, under whatever name, or the node is that of a group without
     *     an IOMMU
     * @throws VfioException as {@link #openGroup(int)}
     */
    public Group openGroup(int number, Path node) {
        Objects.requireNonNull(node, "node");
        return openGroup(number, node, false);
    }

    /**
     * Opens a group without an IOMMU ({@code open("/dev/vfio/noiommu-N")}). <strong>Unsafe:</strong> its devices reach all
     * memory of the machine, and a program with such a device can do anything. The kernel must be told to allow it
     * ({@code vfio.enable_unsafe_noiommu_mode=1}, which taints it), and the program needs CAP_SYS_RAWIO.
     *
     * @param number the group's number
     * @return the group; {@link Container#setUnsafeNoIommu} opens its devices
     * @throws RuleViolation if this process has the group open
     * @throws VfioException {@code EPERM} without CAP_SYS_RAWIO, or as {@link #openGroup(int)}
     */
    public Group openUnsafeNoIommuGroup(int number) {
        return openGroup(number, Path.of("/dev/vfio/noiommu-" + number), true);
    }

    private Group openGroup(int number, Path node, boolean unsafe) {
        Given.groupNumber(number);
        checkOpen(Operation.OPEN_GROUP);
        Group group;
        try {
            group = Group.open(this, number, node.toString(), unsafe);
        } catch (RuleViolation e) {
            throw e;
        } catch (VfioException e) {
            throw e.withDetail(Diagnosis.ofGroup(kernel, number));
        }
        return keep(Operation.OPEN_GROUP, groups, group, group::close);
    }

    /**
     * Opens an iommufd ({@code open("/dev/iommu")}): address spaces, and devices by their own nodes.
     *
     * @return an iommufd without devices and address spaces
     * @throws VfioException {@code ENOENT} if the kernel has none (Linux before 6.6, or built without), {@code EACCES}
     *     without permission
     */
    public Iommufd openIommufd() {
        checkOpen(Operation.OPEN_IOMMUFD);
        Iommufd iommufd = new Iommufd(this, kernel.openIommufd());
        return keep(Operation.OPEN_IOMMUFD, iommufds, iommufd, iommufd::close);
    }

    /**
     * Opens a device the short way: on the {@linkplain #wayTo way} that the kernel offers. See
     * {@link #openDevice(PciAddress, OpenedBy)}; {@link Device#openedBy} tells which.
     *
     * @param address the device, bound to vfio-pci
     * @return the device; {@link Device#iommu} maps memory for it
     * @throws RuleViolation as the steps do
     * @throws VfioException as the steps do; nothing stays open then
     */
    public Device openDevice(PciAddress address) {
        return openDevice(address, wayTo(address));
    }

    /**
     * Tells which way the short road takes: by the device's own node if the kernel makes one and this program may open it
     * and the iommufd, else through its group.
     *
     * @param address the device
     * @return {@link OpenedBy#CDEV} or {@link OpenedBy#GROUP}
     * @throws VfioException if sysfs cannot be read
     */
    public OpenedBy wayTo(PciAddress address) {
        Objects.requireNonNull(address, "address");
        checkOpen(Operation.OPEN_DEVICE);
        boolean offered = kernel.deviceNode(address.toString())
                .filter(node -> kernel.binding().nodeAccess(node).isEmpty()
                        && kernel.binding().nodeAccess("/dev/iommu").isEmpty())
                .isPresent();
        return offered ? OpenedBy.CDEV : OpenedBy.GROUP;
    }

    /**
     * Opens a device the short way. The device owns all that is opened besides, and closes it with itself.
     *
     * <ul>
     *   <li>{@link OpenedBy#GROUP}: finds its group, opens group and container, attaches, sets a type1 v2 IOMMU, opens the
     *       device. Another device of the same group needs the straight road: a group is open once.
     *   <li>{@link OpenedBy#CDEV}: opens an iommufd and the device's own node, binds the device, makes an address space,
     *       attaches the device. Another device of the same group needs the straight road: it must be bound to the same
     *       iommufd.
     * </ul>
     *
     * @param address the device, bound to vfio-pci
     * @param way one of these two
     * @return the device; {@link Device#iommu} maps memory for it
     * @throws RuleViolation as the steps do
     * @throws VfioException as the steps do; nothing stays open then
     */
    public Device openDevice(PciAddress address, OpenedBy way) {
        return open(address, way, null);
    }

    /**
     * Opens a virtual function whose physical one is bound to vfio-pci, or a physical one with virtual ones in use, the
     * short way. As {@link #openDevice(PciAddress, OpenedBy)}, with a token as
     * {@link Type1#openDevice(Group, PciAddress, UUID)} and {@link Iommufd#openDevice(PciAddress, UUID)} take it.
     *
     * @param address the device, bound to vfio-pci
     * @param way one of these two
     * @param vfToken the token of the physical function
     * @return the device; {@link Device#iommu} maps memory for it
     * @throws RuleViolation as the steps do
     * @throws VfioException as the steps do; nothing stays open then
     */
    public Device openDevice(PciAddress address, OpenedBy way, UUID vfToken) {
        return open(address, way, Objects.requireNonNull(vfToken, "vfToken"));
    }

    private Device open(PciAddress address, OpenedBy way, UUID vfToken) {
        Objects.requireNonNull(address, "address");
        Objects.requireNonNull(way, "way");
        checkOpen(Operation.OPEN_DEVICE);
        return switch (way) {
            case GROUP -> openByGroup(address, vfToken);
            case CDEV -> openByNode(address, vfToken);
            case PEER -> throw new IllegalArgumentException("a device of another process is received: see Handover");
        };
    }

    private Device openByNode(PciAddress address, UUID vfToken) {
        Iommufd iommufd = openIommufd();
        try {
            Device device = iommufd.open(address, vfToken, true);
            device.attach(iommufd.allocateIoas());
            device.own(iommufd::close);
            return device;
        } catch (RuntimeException e) {
            Teardown.after(e, iommufd::close);
            throw e;
        }
    }

    private Device openByGroup(PciAddress address, UUID vfToken) {
        PciDevice found = pciDevice(address);
        int number = found.iommuGroup()
                .orElseThrow(() -> new VfioException(
                        Operation.OPEN_GROUP,
                        Errno.ENODEV,
                        address + " is in no IOMMU group: turn the IOMMU on (firmware, and intel_iommu=on or its like)"));
        Container container = openContainer();
        try {
            Group group = openGroup(number);
            try {
                container.attach(group);
                Device device = container.setIommu(IommuType.TYPE1_V2).open(group, address, vfToken, true);
                device.own(container::close, group::close);
                return device;
            } catch (RuntimeException e) {
                Teardown.after(e, group::close);
                throw e;
            }
        } catch (RuntimeException e) {
            Teardown.after(e, container::close);
            throw e;
        }
    }

    /**
     * Opens a waiter, with which one thread waits for many interrupts ({@code epoll_create1}).
     *
     * @return a waiter for nothing yet
     * @throws VfioException {@code EMFILE} if the process has too many files open
     */
    public Waiter openWaiter() {
        checkOpen(Operation.EPOLL_CREATE);
        Waiter waiter = new Waiter(kernel, "waiter", this::forget);
        return keep(Operation.EPOLL_CREATE, waiters, waiter, waiter::close);
    }

    /**
     * Makes a file that holds zeroed memory for devices ({@code memfd_create}, {@code fallocate}). {@link Ioas#map} lets
     * devices reach it.
     *
     * @param bytes the size, rounded up to whole pages
     * @return the file
     * @throws IllegalArgumentException if the size is not between 1 and 2^62
     * @throws VfioException {@code ENOMEM} or {@code ENOSPC} without memory, {@code EINVAL} before Linux 6.3
     */
    public DmaFile createDmaFile(long bytes) {
        return createDmaFile(bytes, PageSize.BASE);
    }

    /**
     * Makes a file that holds memory of given pages; otherwise as {@link #createDmaFile(long)}.
     *
     * @param bytes the size, rounded up to whole pages
     * @param pages what the memory is made of
     * @return the file
     * @throws IllegalArgumentException as {@link #createDmaFile(long)}
     * @throws VfioException besides, {@code ENOSPC} if too few huge pages are reserved, {@code ENODEV} if the machine has
     *     none of that size
     */
    public DmaFile createDmaFile(long bytes, PageSize pages) {
        Objects.requireNonNull(pages, "pages");
        checkOpen(Operation.MEMFD_CREATE);
        if (bytes <= 0 || bytes > Long.MAX_VALUE / 2) {
            throw new IllegalArgumentException("a size in bytes between 1 and 2^62, not " + bytes);
        }
        long unit = Math.max(pages.hugeBytes(), kernel.pageSize());
        long size = (bytes + unit - 1) / unit * unit;
        return keepOutside(Operation.MEMFD_CREATE, new DmaFile(this, kernel.createDmaFile(size, pages)));
    }

    /**
     * Tells what this machine's KVM can do with groups and devices ({@code open("/dev/kvm")}, {@code KVM_GET_API_VERSION},
     * {@code KVM_CREATE_VM}, then as {@link #kvmSupport(int)}). The virtual machine that is asked is gone afterwards.
     *
     * @return what virtual machines of the usual type can do
     * @throws VfioException {@code ENOENT} without KVM, {@code EACCES} without permission
     */
    public KvmSupport kvmSupport() {
        checkOpen(Operation.OPEN_KVM);
        return kernel.kvmSupport();
    }

    /**
     * Tells what a KVM virtual machine that the program made can do with groups and devices ({@code KVM_CHECK_EXTENSION},
     * {@code KVM_CREATE_DEVICE} with {@code KVM_CREATE_DEVICE_TEST}). Makes nothing, so that its VFIO device is left for
     * whoever is to make it.
     *
     * @param descriptor the number of the virtual machine's file descriptor in this process
     * @return what this virtual machine can do
     * @throws VfioException {@code EBADF} if no file is open there, {@code EIO} if another process made the virtual machine,
     *     {@code ENOTTY} or {@code EINVAL} if the file is something else, such as {@code /dev/kvm} itself
     */
    public KvmSupport kvmSupport(int descriptor) {
        checkOpen(Operation.KVM_CHECK_EXTENSION);
        return kernel.kvmSupport(descriptor);
    }

    /**
     * Makes a KVM virtual machine and its VFIO device ({@code open("/dev/kvm")}, {@code KVM_CREATE_VM},
     * {@code KVM_CREATE_DEVICE}). {@link #kvmSupport()} tells beforehand whether KVM has such a device.
     *
     * @return the VFIO device of a virtual machine of its own
     * @throws VfioException {@code ENOENT} without KVM, {@code EACCES} without permission, {@code ENODEV} if KVM has no
     *     VFIO device
     */
    public KvmVm openKvmVm() {
        checkOpen(Operation.OPEN_KVM);
        return keepOutside(Operation.OPEN_KVM, new KvmVm(this, kernel.openKvm()));
    }

    /**
     * Makes the VFIO device of a KVM virtual machine that the program made by itself ({@code KVM_CREATE_DEVICE}). The
     * descriptor stays the program's; this object has a copy of it.
     *
     * @param descriptor the number of the virtual machine's file descriptor in this process
     * @return the VFIO device of that virtual machine
     * @throws VfioException {@code EBADF} if no file is open there, {@code EBUSY} if the virtual machine has a VFIO device,
     *     {@code EIO} if another process made it, {@code ENOTTY} or {@code EINVAL} if the file is something else
     */
    public KvmVm adoptKvmVm(int descriptor) {
        checkOpen(Operation.KVM_CREATE_DEVICE);
        return keepOutside(Operation.KVM_CREATE_DEVICE, new KvmVm(this, kernel.adoptKvm(descriptor)));
    }

    /**
     * Waits for other processes at an address, to hand groups and devices over ({@code socket}, {@code bind},
     * {@code listen}).
     *
     * @param address the path of a socket that is not there yet; or {@code @} and a name in Linux's abstract namespace,
     *     which every process of the network namespace may connect to
     * @return what accepts connections
     * @throws VfioException {@code EADDRINUSE} if the address is taken
     */
    public HandoverListener listen(String address) {
        Objects.requireNonNull(address, "address");
        checkOpen(Operation.HANDOVER_LISTEN);
        return keepOutside(Operation.HANDOVER_LISTEN, new HandoverListener(this, kernel.listen(address), address));
    }

    /**
     * Connects to a process that listens ({@code socket}, {@code connect}).
     *
     * @param address as {@link #listen} takes it
     * @return the connection
     * @throws VfioException {@code ENOENT} or {@code ECONNREFUSED} if nobody listens there, {@code EACCES} without
     *     permission
     */
    public Handover connect(String address) {
        Objects.requireNonNull(address, "address");
        checkOpen(Operation.HANDOVER_CONNECT);
        Handover connection = new Handover(this, kernel.connect(address), "the process at " + address);
        return keepOutside(Operation.HANDOVER_CONNECT, connection);
    }

    /**
     * Reports handles that the program lost: when this object and all that was opened through it can be reached no more,
     * and some of it is still open. That may be long after, or never if the program ends before. A handle that is still
     * referred to keeps this object, and with it all others, from being lost. What cannot be closed at {@link #close} is
     * reported then.
     *
     * <p>Lost handles are reported and not closed. A device may still reach the memory that was mapped for it, and where
     * the program is wrong about its handles it may be wrong about the device, too: closing in the background, at some
     * moment, would stop the device or take its memory away under other threads, and hide the mistake. So the files
     * stay open, and the memory stays where devices may reach it, until the process ends; then the kernel takes the
     * devices away first and the memory afterwards.
     *
     * <p>Costs a little for each handle that is opened and closed, more with the places; nothing for accesses to
     * registers and memory, and nothing at all if this is not called.
     *
     * @param places whether to remember where each handle was opened
     * @param listener is told all lost handles at once, in a thread of the library; must not refer to this object or to
     *     a handle, or they will never be lost
     * @throws IllegalStateException if something was opened through this object already, this was called before, or this
     *     object is closed
     */
    public void reportLost(boolean places, Consumer<List<LostHandle>> listener) {
        Objects.requireNonNull(listener, "listener");
        lock.lock();
        try {
            if (closed) {
                throw new IllegalStateException("this Vfio is closed: nothing is opened through it any more");
            }
            boolean used = Stream.of(containers, groups, iommufds, waiters, outside)
                    .anyMatch(handles -> !handles.isEmpty());
            if (used || openHandles != null) {
                throw new IllegalStateException("ask for lost handles once, before anything is opened");
            }
            openHandles = new OpenHandles(this, places, listener);
        } finally {
            lock.unlock();
        }
    }

    /** A handle was opened through this object. */
    void opened(Object handle) {
        OpenHandles all = openHandles;
        if (all != null) {
            all.opened(handle);
        }
    }

    /** A handle was closed for good. */
    void closed(Object handle) {
        OpenHandles all = openHandles;
        if (all != null) {
            all.closed(handle);
        }
    }

    /**
     * Closes every container, group, iommufd, device and waiter that was opened through this object, in reverse order, and
     * before them what was received from other processes, connections to these, and KVM's use. Idempotent. Bindings to
     * vfio-pci and mediated devices stay: {@link Binding#close} and {@link MediatedDevice#close} end one, before or after this.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        List<Container> lastContainers;
        List<Group> lastGroups;
        List<Iommufd> lastIommufds;
        List<Waiter> lastWaiters;
        List<AutoCloseable> lastOutside;
        lock.lock();
        try {
            closed = true;
            lastContainers = List.copyOf(containers);
            lastGroups = List.copyOf(groups);
            lastIommufds = List.copyOf(iommufds);
            lastWaiters = List.copyOf(waiters);
            lastOutside = List.copyOf(outside);
        } finally {
            lock.unlock();
        }
        Teardown teardown = new Teardown();
        lastOutside.forEach(handle -> teardown.step(closing(handle)));
        lastContainers.forEach(container -> teardown.step(container::close));
        lastGroups.forEach(group -> teardown.step(group::close));
        lastIommufds.forEach(iommufd -> teardown.step(iommufd::close));
        lastWaiters.forEach(waiter -> teardown.step(waiter::close));
        teardown.step(callbacks::close);
        OpenHandles left = openHandles;
        if (left != null) {
            teardown.step(left::end);
        }
        teardown.finish();
    }

    Kernel kernel() {
        return kernel;
    }

    Callbacks callbacks() {
        return callbacks;
    }

    /** Puts a new handle to the others, unless all is closed meanwhile: then it is closed, too. */
    private <T> T keep(Operation operation, ArrayDeque<T> others, T handle, Runnable close) {
        lock.lock();
        try {
            if (!closed) {
                others.push(handle);
                opened(handle);
                return handle;
            }
        } finally {
            lock.unlock();
        }
        close.run();
        throw new RuleViolation(Rule.HANDLE_OPEN, operation, "");
    }

    /** Keeps what came through a connection. */
    <T extends AutoCloseable> T keepReceived(T handle) {
        return keepOutside(Operation.HANDOVER_RECEIVE, handle);
    }

    private <T extends AutoCloseable> T keepOutside(Operation operation, T handle) {
        keep(operation, outside, handle, closing(handle));
        return handle;
    }

    /** Makes a group of this process of a file that another one opened. If it fails, the file is as it was. */
    Group take(int number, GroupPort port, Container container) {
        Group group = Group.received(this, number, port);
        try {
            container.attach(group);
        } catch (RuntimeException e) {
            kernel.openGroups().giveBack(port.deviceNumber());
            throw e;
        }
        return keep(Operation.OPEN_GROUP, groups, group, group::close);
    }

    /** The closes of this library throw no checked exception. */
    private static Runnable closing(AutoCloseable handle) {
        return () -> {
            try {
                handle.close();
            } catch (RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        };
    }

    /** A handle was closed. */
    void forget(Object handle) {
        lock.lock();
        try {
            containers.remove(handle);
            groups.remove(handle);
            iommufds.remove(handle);
            waiters.remove(handle);
            outside.remove(handle);
            closed(handle);
        } finally {
            lock.unlock();
        }
    }

    private void checkOpen(Operation operation) {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, "");
        }
    }
}
