package io.github.vfio4j;

import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.HotResetInfo;
import io.github.vfio4j.spi.Kernel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * An open VFIO device: its regions, its configuration space, its interrupts, its reset. Opened through
 * {@link Type1#openDevice} or {@link Iommufd#openDevice}, so the IOMMU protects the machine from it. A driver need not
 * know which.
 *
 * <p>All methods are safe from any thread. Closing it ends its mapped regions first: an access to one throws then,
 * where a raw mapping would kill the program.
 */
public final class Device implements AutoCloseable {
    private static final int BARS = 6;
    private static final int PASID_BITS = 20; // of PCI Express
    private static final int MOST_IO_EVENT_FDS = 1000; // VFIO_PCI_IOEVENTFD_MAX

    private final Features features;
    private final Graphics graphics;
    private final AddressSpace iommu; // of the group's container, if it was opened through one
    private final Group group; // null for one of a group that this process has no handle of
    private final Iommufd iommufd; // null for one that was not opened by its own node
    private final long groupKey; // of one that was
    private int idInIommufd;
    // Guarded by the iommufd's lock.
    private PageTable attachedTo; // null for none
    private final Map<Integer, Hwpt> pasids = new TreeMap<>();
    private final OpenDevices owner;
    private final DevicePort port;
    private final DeviceInfo info;
    private final String name;
    private final ReentrantLock lock = new ReentrantLock();
    // Guarded by lock.
    private final Map<Integer, Region> regions = new HashMap<>();
    private final Irq[] irqs;
    private final Deque<Mapping> mappings = new ArrayDeque<>();
    private final List<IoEventFd> ioEventFds = new ArrayList<>();
    private final List<AutoCloseable> handles = new ArrayList<>(); // what else ends with the device
    private List<Runnable> owned = List.of(); // what to do after its close
    private PciConfig config;
    private Ccw ccw;
    private volatile DeviceWatch watch; // null for one that is not watched
    private volatile boolean closed;

    /** One whose IOMMU is here. */
    Device(AddressSpace iommu, Group group, DevicePort port, DeviceInfo info, String name) {
        this(iommu, group, null, 0, group.devices, port, info, name);
    }

    /** One that was opened by its own node. */
    Device(Iommufd iommufd, long groupKey, DevicePort port, DeviceInfo info, String name, int id) {
        this(null, null, iommufd, groupKey, iommufd.devices, port, info, name);
        idInIommufd = id;
    }

    /** One whose IOMMU is another process's. */
    Device(OpenDevices owner, DevicePort port, DeviceInfo info, String name) {
        this(null, null, null, 0, owner, port, info, name);
    }

    private Device(
            AddressSpace iommu,
            Group group,
            Iommufd iommufd,
            long groupKey,
            OpenDevices owner,
            DevicePort port,
            DeviceInfo info,
            String name) {
        this.iommu = iommu;
        this.group = group;
        this.iommufd = iommufd;
        this.groupKey = groupKey;
        this.owner = owner;
        this.port = port;
        this.info = info;
        this.name = name;
        this.irqs = new Irq[info.irqs()];
        this.features = new Features(this, port.features());
        this.graphics = new Graphics(this, port.graphics());
    }

    /**
     * Returns what the device has ({@code VFIO_DEVICE_GET_INFO}, asked when it was opened).
     *
     * @return the info
     */
    public DeviceInfo info() {
        return info;
    }

    /**
     * Returns the IO address space of the device: what stands between it and memory.
     *
     * @return the {@link Type1} or {@link SpaprTce} of its container, or the {@link Ioas} that it is attached to
     * @throws RuleViolation if there is none: the device is of a group without an IOMMU ({@link NoIommu})
     * @throws IllegalStateException if the device is bound to an iommufd and not attached: {@link #attach} it
     * @throws UnsupportedOperationException if another process handed the device or its group over: memory is mapped there
     */
    public AddressSpace iommu() {
        if (iommufd != null) {
            return attached()
                    .orElseThrow(() -> new IllegalStateException(
                            name + " is attached to no address space: device.attach(iommufd.allocateIoas())"))
                    .ioas();
        }
        Rule.check(vfio().contract(), Operation.IOMMU_MAP_DMA, new Facts() {
            @Override
            public boolean dmaTranslated() {
                return group == null || group.translated();
            }
        });
        if (iommu == null) {
            throw new UnsupportedOperationException(
                    "the container of " + name + " is in the process that handed it over: map memory there");
        }
        return iommu;
    }

    /**
     * Tells on which way the device was opened.
     *
     * @return the way
     */
    public OpenedBy openedBy() {
        return iommufd != null ? OpenedBy.CDEV : group != null ? OpenedBy.GROUP : OpenedBy.PEER;
    }

    /**
     * Attaches a device of an iommufd to an address space ({@code VFIO_DEVICE_ATTACH_IOMMUFD_PT}): it reaches what is
     * mapped there, and nothing else. An attached device moves, with all attached devices of its group, from one address
     * space to the other without a moment between.
     *
     * @param pageTable of the device's iommufd
     * @throws UnsupportedOperationException if the device was not opened by its own node
     * @throws IllegalArgumentException if the page table is another iommufd's
     * @throws RuleViolation if the device or the page table is closed, or another device of the group is attached to
     *     another page table
     * @throws VfioException {@code EADDRINUSE} if IOVAs are mapped that the device cannot use, {@code ENOMEM} over the
     *     limit on locked memory
     */
    public void attach(PageTable pageTable) {
        Objects.requireNonNull(pageTable, "pageTable");
        Iommufd own = iommufd();
        own.lock.lock();
        try {
            own.attach(this, pageTable);
        } finally {
            own.lock.unlock();
        }
    }

    /**
     * Detaches the device from its address space ({@code VFIO_DEVICE_DETACH_IOMMUFD_PT}): it reaches no memory any more.
     * Does nothing if it is not attached. Closing the device or the address space does the same.
     *
     * @throws UnsupportedOperationException if the device was not opened by its own node
     * @throws RuleViolation if the device is closed
     */
    public void detach() {
        Iommufd own = iommufd();
        own.lock.lock();
        try {
            checkOpen(Operation.DEVICE_DETACH_IOMMUFD_PT);
            own.detach(this);
        } finally {
            own.lock.unlock();
        }
    }

    /**
     * Attaches a PASID of a device of an iommufd to a page table ({@code VFIO_DEVICE_ATTACH_IOMMUFD_PT} with
     * {@code VFIO_DEVICE_ATTACH_PASID}, since Linux 6.15): DMA that carries the PASID reaches what is mapped there. One that
     * is attached moves there. Linux attaches PASIDs also of a device that has none, which never uses them; with one that has,
     * this is untested.
     *
     * @param pasid the PASID, below 2 to the power of {@link IommuHardware#pasidBits}, and not 0, which is the device itself
     * @param pageTable of the device's iommufd, made with {@link HwptFlag#PASID}
     * @throws UnsupportedOperationException if the device was not opened by its own node
     * @throws IllegalArgumentException if the PASID has more than 20 bits, or the page table is another iommufd's
     * @throws RuleViolation if the PASID is 0, the page table, or the one that the device is attached to, was not made for
     *     PASIDs, or one of these is closed
     * @throws VfioException {@code EINVAL} if the device has PASIDs and not this one, or the kernel is older, {@code EOPNOTSUPP} if
     *     its driver attaches none
     */
    public void attachPasid(int pasid, Hwpt pageTable) {
        Objects.requireNonNull(pageTable, "pageTable");
        checkPasid(pasid);
        Iommufd own = iommufd();
        own.lock.lock();
        try {
            own.attachPasid(this, pasid, pageTable);
            pasids.put(pasid, pageTable);
        } finally {
            own.lock.unlock();
        }
    }

    /**
     * Detaches a PASID ({@code VFIO_DEVICE_DETACH_IOMMUFD_PT} with {@code VFIO_DEVICE_DETACH_PASID}). Does nothing if it is
     * not attached. Closing the device or the page table does the same.
     *
     * @param pasid the PASID
     * @throws UnsupportedOperationException if the device was not opened by its own node
     * @throws IllegalArgumentException if the PASID has more than 20 bits
     * @throws RuleViolation if the device is closed
     */
    public void detachPasid(int pasid) {
        checkPasid(pasid);
        Iommufd own = iommufd();
        own.lock.lock();
        try {
            checkOpen(Operation.DEVICE_DETACH_PASID);
            if (pasids.containsKey(pasid)) {
                port.detachPasid(pasid);
                pasids.remove(pasid);
            }
        } finally {
            own.lock.unlock();
        }
    }

    private static void checkPasid(int pasid) {
        if (pasid < 0 || pasid >= 1 << PASID_BITS) {
            throw new IllegalArgumentException("a PASID is a number of 20 bits, not " + pasid);
        }
    }

    /** Gives up the PASIDs that are attached to some page tables; the iommufd's lock is held. */
    void leavePasids(Predicate<PageTable> which, boolean detach) {
        Teardown teardown = new Teardown();
        pasids.forEach((pasid, table) -> {
            if (detach && which.test(table)) {
                teardown.step(() -> port.detachPasid(pasid));
            }
        });
        pasids.values().removeIf(which);
        teardown.finish();
    }

    /**
     * Returns what the device is attached to ({@link #attach}).
     *
     * @return the page table; empty for a device that is not attached or was not opened by its own node
     */
    public Optional<PageTable> attached() {
        owner.lock.lock();
        try {
            return Optional.ofNullable(attachedTo);
        } finally {
            owner.lock.unlock();
        }
    }

    /** Returns what it is bound to. */
    Iommufd iommufd() {
        if (iommufd == null) {
            throw new UnsupportedOperationException(name
                    + " was opened through its group: the container has the address space; open the device through an"
                    + " iommufd to attach it by itself");
        }
        return iommufd;
    }

    /**
     * Asks what the IOMMU of the device is and can do ({@code IOMMU_GET_HW_INFO}).
     *
     * @return the hardware
     * @throws UnsupportedOperationException if the device was not opened by its own node
     * @throws RuleViolation if the device is closed
     */
    public IommuHardware iommuHardware() {
        Iommufd own = iommufd();
        own.lock.lock();
        try {
            checkOpen(Operation.GET_HW_INFO);
            return own.port.hardware(idInIommufd);
        } finally {
            own.lock.unlock();
        }
    }

    /**
     * Asks what the IOMMU of the device is as one of a given type ({@code IOMMU_GET_HW_INFO} with
     * {@code IOMMU_HW_INFO_FLAG_INPUT_TYPE}, since Linux 6.17): some IOMMUs have more to tell than they tell by themselves.
     *
     * @param type {@code IOMMU_HW_INFO_TYPE_...}; 0 is what the IOMMU tells by itself
     * @return the hardware
     * @throws UnsupportedOperationException if the device was not opened by its own node
     * @throws IllegalArgumentException if the type is negative
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code EOPNOTSUPP} if the IOMMU is not of that type, or the kernel is older
     */
    public IommuHardware iommuHardware(int type) {
        if (type < 0) {
            throw new IllegalArgumentException("a type of IOMMU is not negative: " + type);
        }
        Iommufd own = iommufd();
        own.lock.lock();
        try {
            checkOpen(Operation.GET_HW_INFO);
            return own.port.hardware(idInIommufd, type);
        } finally {
            own.lock.unlock();
        }
    }

    /** Returns the device's number in an iommufd. */
    int idIn(Iommufd asked) {
        if (iommufd != asked) {
            throw new IllegalArgumentException(name + " is not bound to the iommufd of the address space");
        }
        return idInIommufd;
    }

    /** The iommufd's lock is held. */
    PageTable attachedTo() {
        return attachedTo;
    }

    /** The iommufd's lock is held. */
    void attachedTo(PageTable pageTable) {
        attachedTo = pageTable;
    }

    /** Names the group of a device that was opened by its own node. */
    long groupKey() {
        return groupKey;
    }

    /**
     * Returns a region ({@code VFIO_DEVICE_GET_REGION_INFO}, asked once). On PCI 0 to 5 are the BARs, 6 is the ROM, 7 is
     * configuration space, 8 is VGA; more are device-specific.
     *
     * @param index the region
     * @return always the same object
     * @throws IndexOutOfBoundsException if the device has no such index
     * @throws RuleViolation if the device is closed
     * @throws VfioException if the kernel has no such region, as VGA on most devices ({@code EINVAL})
     */
    public Region region(int index) {
        lock.lock();
        try {
            checkOpen(Operation.DEVICE_GET_REGION_INFO);
            if (index < 0 || index >= info.regions()) {
                throw new IndexOutOfBoundsException(
                        name + " has regions 0 to " + (info.regions() - 1) + ", not " + index);
            }
            return anyRegion(index);
        } finally {
            lock.unlock();
        }
    }

    /** Returns a region, also one of those that some drivers have and do not count. */
    Region anyRegion(int index) {
        lock.lock();
        try {
            checkOpen(Operation.DEVICE_GET_REGION_INFO);
            Region region = regions.get(index);
            if (region == null) {
                region = new Region(this, port.regionInfo(index));
                regions.put(index, region);
            }
            return region;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns an interrupt index of a PCI device; as {@link #irq(int)}.
     *
     * @param irq which
     * @return always the same object
     * @throws UnsupportedOperationException if the device is not PCI
     */
    public Irq irq(PciIrq irq) {
        Objects.requireNonNull(irq, "irq");
        checkPci();
        return irq(irq.index());
    }

    /**
     * Returns an interrupt index of a channel device of s390; as {@link #irq(int)}.
     *
     * @param irq which
     * @return always the same object
     * @throws UnsupportedOperationException if the device is no channel device
     */
    public Irq irq(CcwIrq irq) {
        Objects.requireNonNull(irq, "irq");
        checkCcw();
        return irq(irq.index());
    }

    /**
     * Returns an interrupt index of an adjunct processor of s390; as {@link #irq(int)}.
     *
     * @param irq which
     * @return always the same object
     * @throws UnsupportedOperationException if the device is no adjunct processor
     */
    public Irq irq(ApIrq irq) {
        Objects.requireNonNull(irq, "irq");
        if (info.bus() != DeviceInfo.Bus.AP) {
            throw new UnsupportedOperationException(name + " is no adjunct processor of s390");
        }
        return irq(irq.index());
    }

    /**
     * Returns an interrupt index ({@code VFIO_DEVICE_GET_IRQ_INFO}, asked once). {@link PciIrq}, {@link CcwIrq} and
     * {@link ApIrq} name those of such devices.
     *
     * @param index the interrupt index
     * @return always the same object
     * @throws IndexOutOfBoundsException if the device has no such index
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code EINVAL} for an index that this device lacks, as the error interrupt of a device that
     *     is not PCI Express
     */
    public Irq irq(int index) {
        lock.lock();
        try {
            checkOpen(Operation.DEVICE_GET_IRQ_INFO);
            if (index < 0 || index >= irqs.length) {
                throw new IndexOutOfBoundsException(
                        name + " has interrupt indexes 0 to " + (irqs.length - 1) + ", not " + index);
            }
            if (irqs[index] == null) {
                irqs[index] = new Irq(this, port.irqInfo(index));
            }
            return irqs[index];
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns the configuration space of a PCI device.
     *
     * @return always the same object
     * @throws UnsupportedOperationException if the device is not PCI
     */
    public PciConfig config() {
        checkPci();
        lock.lock();
        try {
            if (config == null) {
                config = new PciConfig(this, region(PciConfig.REGION));
            }
            return config;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns the subchannel of a channel device of s390.
     *
     * @return always the same object
     * @throws UnsupportedOperationException if the device is no channel device
     */
    public Ccw ccw() {
        checkCcw();
        lock.lock();
        try {
            if (ccw == null) {
                ccw = new Ccw(this);
            }
            return ccw;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Resets the device ({@code VFIO_DEVICE_RESET}). Mappings of its BARs stay valid; the kernel keeps its command
     * register and BARs. May take 100 ms and more.
     *
     * @throws RuleViolation if the device is closed or cannot be reset
     * @throws VfioException {@code EAGAIN} while somebody else resets it
     */
    public void reset() {
        Rule.check(vfio().contract(), Operation.DEVICE_RESET, new Facts() {
            @Override
            public boolean handleOpen() {
                return !closed;
            }

            @Override
            public boolean resettable() {
                return info.resettable();
            }
        });
        port.reset();
    }

    /**
     * Returns what the device can do beyond the rest: low power, migration, logs of its DMA and others.
     *
     * @return always the same object
     */
    public Features features() {
        return features;
    }

    /**
     * Returns the screen of a mediated graphics device.
     *
     * @return always the same object, also for a device without a screen
     */
    public Graphics graphics() {
        return graphics;
    }

    /**
     * Lists the devices that a hot reset resets ({@code VFIO_DEVICE_GET_PCI_HOT_RESET_INFO}): all on the same bus, or in
     * the same slot.
     *
     * @return the devices, this one among them
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code ENODEV} if neither slot nor bus can be reset, as on a root bus
     */
    public List<AffectedDevice> affectedByHotReset() {
        checkOpen(Operation.GET_PCI_HOT_RESET_INFO);
        return port.hotResetInfo().devices();
    }

    /**
     * Resets the slot or bus of the device, and with it every device that {@link #affectedByHotReset} lists
     * ({@code VFIO_DEVICE_PCI_HOT_RESET}). The affected devices must be bound to vfio-pci and in groups that the program
     * has open; or, if this device was opened by its own node, be bound to the same iommufd or in groups whose open
     * devices are, which the kernel says of all together ({@code VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED}). Mappings of BARs
     * stay valid; the kernel restores configuration space. Takes a second and more.
     *
     * @param others the groups of the affected devices besides this device's own, which counts if this process opened it;
     *     they are not asked for if it was opened by its own node
     * @throws RuleViolation if an affected device is in none of these groups, or not the iommufd's (the message names it),
     *     or a handle is closed
     * @throws VfioException {@code ENODEV} if neither slot nor bus can be reset; {@code EINVAL} if an affected device is
     *     not bound to vfio-pci; {@code EBUSY} while a thread accesses one of them
     */
    public void hotReset(Group... others) {
        List<Group> groups = Given.elements(others, "others");
        checkOpen(Operation.GET_PCI_HOT_RESET_INFO);
        HotResetInfo info = port.hotResetInfo();
        List<AffectedDevice> affected = info.devices();
        Map<Integer, Group> given = new LinkedHashMap<>();
        if (group != null) {
            given.put(group.number(), group);
        }
        for (Group other : groups) {
            if (other.vfio().kernel() != vfio().kernel()) {
                throw new IllegalArgumentException("group " + other.number() + " belongs to another kernel");
            }
            given.put(other.number(), other);
        }
        Set<Integer> needed = new HashSet<>();
        affected.forEach(one -> one.group().ifPresent(needed::add));
        given.keySet().retainAll(needed); // the kernel takes no more groups than there are devices
        String foreign = affected.stream()
                .filter(one -> one.group().isPresent()
                        ? !given.containsKey(one.group().getAsInt())
                        : !one.owned().orElse(false))
                .map(one -> one.address()
                        + (one.group().isPresent() ? " of group " + one.group().getAsInt() : ", which is not ours"))
                .collect(Collectors.joining(", "));
        Rule.check(vfio().contract(), Operation.PCI_HOT_RESET, new Facts() {
            @Override
            public boolean handleOpen() {
                return !closed && given.values().stream().noneMatch(Group::closed);
            }

            @Override
            public boolean hotResetByDevice() {
                return iommufd != null;
            }

            @Override
            public long groupsGiven() {
                return iommufd != null ? 0 : Facts.super.groupsGiven();
            }

            @Override
            public boolean affectedNotOwned() {
                return !info.owned().orElse(foreign.isEmpty()); // the kernel says of all together whether they are ours
            }
        }, () -> foreign);
        port.hotReset(iommufd != null ? List.of() : given.values().stream().map(one -> one.port).toList());
    }

    /**
     * Ends all mappings of the device's regions: an access to one throws from now on. Regions can be mapped again.
     *
     * @throws RuleViolation if the device is closed
     * @throws VfioException if the kernel does not unmap one; the others are unmapped all the same
     */
    public void unmapRegions() {
        lock.lock();
        try {
            checkOpen(Operation.REGION_UNMAP);
            endAccess();
            Teardown teardown = new Teardown();
            unmap(teardown);
            teardown.finish();
        } finally {
            lock.unlock();
        }
    }

    /** Ends access to what is mapped. The lock is held. */
    private void endAccess() {
        mappings.forEach(Mapping::end);
    }

    /** Unmaps what nobody can access any more. The lock is held. */
    private void unmap(Teardown teardown) {
        regions.values().forEach(Region::unmapped);
        while (!mappings.isEmpty()) {
            AddressRange range = mappings.pop().range;
            if (teardown.step(() -> port.unmap(range.address, range.size))) {
                range.release();
            }
        }
    }

    /** The lock is held. */
    boolean regionsMapped() {
        return !mappings.isEmpty();
    }

    /**
     * Closes the device: ends its mapped regions, disables its interrupts, unmaps the regions, then closes the file. The
     * last close of a device in the machine turns bus mastering off and resets it. Idempotent.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        List<Runnable> last;
        owner.lock.lock();
        try {
            closeHandle();
            last = owned;
            owned = List.of();
        } finally {
            owner.lock.unlock();
        }
        Teardown teardown = new Teardown();
        last.forEach(teardown::step);
        teardown.finish();
    }

    /** Closes this handle alone. The group's lock is held. */
    void closeHandle() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            endAccess();
            closed = true;
            if (watch != null) {
                watch.end();
            }
            Teardown teardown = new Teardown();
            for (Irq irq : irqs) {
                if (irq != null) {
                    teardown.step(irq::disable);
                }
            }
            for (AutoCloseable handle : List.copyOf(handles)) {
                teardown.step(() -> close(handle));
            }
            ioEventFds.forEach(one -> end(teardown, one));
            ioEventFds.clear();
            unmap(teardown);
            if (group != null) {
                teardown.step(() -> group.users.dropKvm(this));
            }
            if (iommufd != null) {
                teardown.step(() -> iommufd.users.dropKvm(this));
                teardown.step(() -> iommufd.leave(this));
            }
            port.close();
            if (iommufd != null) {
                vfio().kernel().openGroups().unbind(groupKey, name);
            }
            owner.remove(this);
            teardown.finish();
        } finally {
            lock.unlock();
        }
    }

    /** Takes over what is to be done after its close. */
    void own(Runnable... last) {
        owner.lock.lock();
        try {
            owned = List.of(last);
        } finally {
            owner.lock.unlock();
        }
    }

    IoEventFd ioEventFd(RegionInfo region, long offset, int width, long value) {
        lock.lock();
        try {
            Rule.check(vfio().contract(), Operation.IOEVENTFD, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !closed;
                }

                @Override
                public boolean registerInBar() {
                    return isBar(region);
                }

                @Override
                public boolean registerInside() {
                    return offset >= 0 && offset <= region.size() - width;
                }

                @Override
                public boolean registerInMsixTable() {
                    return config()
                            .msixTable()
                            .filter(table -> table.overlaps(region.index(), offset, width))
                            .isPresent();
                }

                @Override
                public boolean registerEventSet() {
                    long at = region.offset() + offset;
                    return ioEventFds.stream()
                            .anyMatch(one -> one.offset == at && one.width == width && one.value == value);
                }

                @Override
                public long registerEventsLeft() {
                    return MOST_IO_EVENT_FDS - ioEventFds.size();
                }
            });
            EventPort event = vfio().kernel().openEvent();
            try {
                port.ioEventFd(region.offset() + offset, width, value, event);
            } catch (RuntimeException e) {
                event.close();
                throw e;
            }
            IoEventFd made = new IoEventFd(this, event, region.offset() + offset, width, value);
            ioEventFds.add(made);
            return made;
        } finally {
            lock.unlock();
        }
    }

    void close(IoEventFd ioEventFd) {
        lock.lock();
        try {
            if (ioEventFds.remove(ioEventFd)) {
                Teardown teardown = new Teardown();
                end(teardown, ioEventFd);
                teardown.finish();
            }
        } finally {
            lock.unlock();
        }
    }

    private static void close(AutoCloseable handle) {
        try {
            handle.close();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e); // no handle of a device throws one
        }
    }

    /** Keeps a handle, to be closed with the device. The lock is held. */
    <T extends AutoCloseable> T keep(T handle) {
        handles.add(handle);
        return handle;
    }

    /** A handle was closed. */
    void forget(AutoCloseable handle) {
        lock.lock();
        try {
            handles.remove(handle);
        } finally {
            lock.unlock();
        }
    }

    boolean isBar(RegionInfo region) {
        return info.pci() && region.index() < BARS;
    }

    private void end(Teardown teardown, IoEventFd one) {
        teardown.step(() -> port.ioEventFd(one.offset, one.width, one.value, null));
        teardown.step(one.event::close);
    }

    Mmio map(RegionInfo region, long offset, long size) {
        lock.lock();
        try {
            Rule.check(vfio().contract(), Operation.REGION_MAP, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !closed;
                }

                @Override
                public boolean deviceRequested() {
                    return requested();
                }

                @Override
                public boolean regionPartAligned() {
                    return offset % vfio().kernel().pageSize() == 0;
                }

                @Override
                public boolean regionMappable() {
                    return region.mappable(offset, size);
                }

                @Override
                public boolean memoryDecoded() {
                    return !info.pci() || config().memoryEnabled();
                }

                @Override
                public boolean poweredDown() {
                    return info.pci() && (features().inLowPower() || config().inD3());
                }
            });
            Kernel kernel = vfio().kernel();
            long address = port.map(region.offset() + offset, size, region.writable());
            Mapping mapping = new Mapping(kernel, new AddressRange(kernel, address, size), size, region.writable());
            mappings.push(mapping);
            return new Mmio(mapping);
        } finally {
            lock.unlock();
        }
    }

    /** Is another of those interrupt indexes enabled of which one can be? The lock is held. */
    boolean otherEnabled(Irq irq) {
        return irq.exclusive()
                && Arrays.stream(irqs).anyMatch(other -> other != null
                        && other != irq
                        && other.exclusive()
                        && other.enabled());
    }

    /** Arms the interrupts by which the kernel asks for the device and reports its errors. */
    void startWatching() {
        DeviceWatch armed = new DeviceWatch(this);
        armed.arm();
        watch = armed;
    }

    /** Returns null if the device is not watched. */
    DeviceWatch watch() {
        return watch;
    }

    private DeviceWatch watched() {
        checkOpen(Operation.DEVICE_SET_IRQS);
        if (watch == null) {
            throw new UnsupportedOperationException(name + " is not watched");
        }
        return watch;
    }

    /**
     * Was the device asked back? Then somebody waits until it is closed, such as an administrator who unbinds it from its
     * driver: end the work on it and close it. Meanwhile no region is mapped and no interrupt enabled under
     * {@link Contract#STRICT}.
     *
     * <p>A device is watched from its opening on ({@code VFIO_PCI_REQ_IRQ_INDEX}, one eventfd), unless it was opened with
     * {@link Type1#openDeviceUnwatched}, is another process's, or is open already in this one: the kernel tells one
     * handle. A program that enables {@link PciIrq#REQ} itself hears of it there instead.
     *
     * @return true from the first request on; false for a device that is not watched
     */
    public boolean requested() {
        return watch != null && watch.requested();
    }

    /**
     * Calls a handler when the device is asked back, once, in the thread of the {@linkplain Interrupt#onInterrupt
     * callbacks}. If the device is still open when the time is over, the library closes it: the threads that use it get
     * exceptions then.
     *
     * @param time how long the program may take, from the request on; the kernel itself waits as long as it takes
     * @param handler what to call; it may close the device
     * @throws IllegalArgumentException if the time is negative
     * @throws UnsupportedOperationException if the device is not watched (see {@link #requested}) or has no such interrupt
     * @throws RuleViolation if the device is closed
     */
    public void onRequest(Duration time, Consumer<DeviceRequest> handler) {
        Objects.requireNonNull(time, "time");
        Objects.requireNonNull(handler, "handler");
        if (time.isNegative()) {
            throw new IllegalArgumentException("a time to close the device in is not negative: " + time);
        }
        watched().onRequest(time, handler);
    }

    /**
     * Did the device report an error that it cannot correct ({@code VFIO_PCI_ERR_IRQ_INDEX}, PCI Express only)? What is
     * known of its state is gone then; a program should stop its DMA, reset or close it.
     *
     * @return true from the first error on; false for a device that is not watched (see {@link #requested}) or cannot
     *     report any
     */
    public boolean failed() {
        return watch != null && watch.failed();
    }

    /**
     * Calls a handler when the device reports an error that it cannot correct; as {@link #onRequest}.
     *
     * @param handler what to call
     * @throws UnsupportedOperationException if the device is not watched or cannot report errors
     * @throws RuleViolation if the device is closed
     */
    public void onError(Consumer<Device> handler) {
        Objects.requireNonNull(handler, "handler");
        watched().onError(handler);
    }

    private void checkPci() {
        if (!info.pci()) {
            throw new UnsupportedOperationException(name + " is no PCI device");
        }
    }

    private void checkCcw() {
        if (info.bus() != DeviceInfo.Bus.CCW) {
            throw new UnsupportedOperationException(name + " is no channel device of s390");
        }
    }

    /** Returns the group that it was opened through. One that was opened by its own node has {@link #iommufd()}. */
    Group group() {
        if (group == null) {
            throw new IllegalArgumentException(name + " belongs to the process that handed it over");
        }
        return group;
    }

    boolean isOpen() {
        return !closed;
    }

    Vfio vfio() {
        return owner.vfio();
    }

    DevicePort port() {
        return port;
    }

    String name() {
        return name;
    }

    ReentrantLock lock() {
        return lock;
    }

    void checkOpen(Operation operation) {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, name);
        }
    }
}
