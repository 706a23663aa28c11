package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.IommufdPort;
import io.github.vfio4j.spi.Kernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A virtual IOMMU ({@code IOMMU_VIOMMU_ALLOC}, since Linux 6.13): the part of a real one that a guest has; from
 * {@link Hwpt#allocateViommu}. Page tables of the guest are {@linkplain #nest nested} in it, its devices are known to the
 * guest by {@linkplain #addDevice numbers}, it has the hardware {@linkplain #invalidate forget}, and tells the guest
 * {@linkplain #allocateEventQueue events}.
 *
 * <p>The VM of the tests has no such hardware: what Arm's and NVIDIA's drivers take and give is tested on made bytes, the
 * rest on Linux with the IOMMU that kernels have to test iommufd.
 *
 * <p>All methods are safe from any thread.
 */
public final class Viommu implements AutoCloseable {
    final int id;
    private final Hwpt parent;
    private final ViommuType type;
    private final IommufdPort.NewViommu made;
    private final List<OfViommu> parts = new ArrayList<>(); // guarded by the iommufd's lock; oldest first
    private Mapping page; // null while it is not mapped; guarded by the iommufd's lock
    private volatile boolean closed;

    Viommu(Hwpt parent, ViommuType type, IommufdPort.NewViommu made) {
        this.parent = parent;
        this.type = type;
        this.made = made;
        this.id = made.id();
    }

    /**
     * Returns the page table that it was made of, which maps the guest's memory.
     *
     * @return the host's page table
     */
    public Hwpt parent() {
        return parent;
    }

    /**
     * Returns its kind.
     *
     * @return the kind
     */
    public ViommuType type() {
        return type;
    }

    /**
     * Nests a guest's page table in the one that this was made of ({@code IOMMU_HWPT_ALLOC} with data of the hardware). A
     * device of which the guest's page table is to translate needs a {@linkplain #addDevice number} before it is attached.
     *
     * @param device whose IOMMU to make it for; bound to the same iommufd
     * @param table the guest's page table, of the kind of this virtual IOMMU
     * @return the nested page table, without devices
     * @throws RuleViolation if this or the device is closed
     * @throws IllegalArgumentException if the device is not bound to the same iommufd
     * @throws VfioException {@code EINVAL} if the device is behind another IOMMU, and what the IOMMU's driver gives
     */
    public NestedHwpt nest(Device device, GuestPageTable table) {
        return nestWith(device, table, null);
    }

    /**
     * Nests a guest's page table, whose devices' page faults end in a queue ({@code IOMMU_HWPT_FAULT_ID_VALID}); otherwise as
     * {@link #nest(Device, GuestPageTable)}.
     *
     * @param device whose IOMMU to make it for; bound to the same iommufd
     * @param table the guest's page table, of the kind of this virtual IOMMU
     * @param faults a fault queue of the same iommufd
     * @return the nested page table, without devices
     * @throws RuleViolation as {@link #nest(Device, GuestPageTable)}, or if the queue is closed
     * @throws IllegalArgumentException as {@link #nest(Device, GuestPageTable)}, or if the queue is another iommufd's
     * @throws VfioException as {@link #nest(Device, GuestPageTable)}
     */
    public NestedHwpt nest(Device device, GuestPageTable table, FaultQueue faults) {
        return nestWith(device, table, Objects.requireNonNull(faults, "faults"));
    }

    private NestedHwpt nestWith(Device device, GuestPageTable table, FaultQueue faults) {
        Objects.requireNonNull(device, "device");
        Objects.requireNonNull(table, "table");
        Iommufd iommufd = iommufd();
        int deviceId = device.idIn(iommufd);
        OptionalInt queue = iommufd.idOf(faults);
        iommufd.lock.lock();
        try {
            check(Operation.HWPT_ALLOC, new Alive() {
                @Override
                public boolean handleOpen() {
                    return super.handleOpen() && device.isOpen() && (faults == null || !faults.closed());
                }
            });
            int nested = iommufd.port.allocateNested(deviceId, id, table, queue);
            return opened(new NestedHwpt(parent, this, nested, faults));
        } finally {
            iommufd.lock.unlock();
        }
    }

    /**
     * Tells by which number the guest knows a device ({@code IOMMU_VDEVICE_ALLOC}).
     *
     * @param device a device behind the same IOMMU, bound to the same iommufd
     * @param virtualId the number: SMMUv3's StreamID
     * @return the virtual device
     * @throws RuleViolation if the device has a number already, another device has this one, or this or the device is closed
     * @throws IllegalArgumentException if the device is not bound to the same iommufd
     * @throws VfioException {@code EINVAL} if the device is behind another IOMMU
     */
    public VirtualDevice addDevice(Device device, long virtualId) {
        Objects.requireNonNull(device, "device");
        Iommufd iommufd = iommufd();
        int deviceId = device.idIn(iommufd);
        iommufd.lock.lock();
        try {
            check(Operation.VDEVICE_ALLOC, new Alive() {
                @Override
                public boolean handleOpen() {
                    return super.handleOpen() && device.isOpen();
                }

                @Override
                public boolean deviceIsVirtual() {
                    return iommufd.hasVirtual(device);
                }

                @Override
                public boolean virtualIdTaken() {
                    return parts.stream()
                            .anyMatch(part -> part instanceof VirtualDevice other && other.virtualId() == virtualId);
                }
            });
            int number = iommufd.port.allocateVirtualDevice(id, deviceId, virtualId);
            VirtualDevice virtual = opened(new VirtualDevice(this, device, virtualId, number));
            iommufd.add(virtual);
            return virtual;
        } finally {
            iommufd.lock.unlock();
        }
    }

    /**
     * Makes a queue for events of one kind ({@code IOMMU_VEVENTQ_ALLOC}).
     *
     * @param events the kind
     * @param depth how many events it holds at most, 1 or more; Linux 7.2 takes up to 524288
     * @return the queue
     * @throws RuleViolation if there is a queue for this kind, the depth is not positive, or this is closed
     * @throws VfioException {@code EINVAL} if the kernel makes no queue as deep, {@code EMFILE} if the process has too many
     *     files open
     */
    public VirtualEventQueue allocateEventQueue(VirtualEventType events, int depth) {
        Objects.requireNonNull(events, "events");
        Iommufd iommufd = iommufd();
        iommufd.lock.lock();
        try {
            check(Operation.VEVENTQ_ALLOC, new Alive() {
                @Override
                public boolean eventQueueDepthFits() {
                    return depth > 0;
                }

                @Override
                public boolean eventQueueExists() {
                    return parts.stream()
                            .anyMatch(part -> part instanceof VirtualEventQueue other && other.type() == events);
                }
            });
            return opened(new VirtualEventQueue(this, events, iommufd.port.allocateEventQueue(id, events, depth)));
        } finally {
            iommufd.lock.unlock();
        }
    }

    /**
     * Gives the IOMMU a queue of the guest's commands to take from by itself ({@code IOMMU_HW_QUEUE_ALLOC} with
     * {@code IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV}). Queues are made in the order of their indices.
     *
     * @param index which queue, from 0 on
     * @param iova the first IOVA of its memory in the {@linkplain #parent page table} that this was made of: the guest's own
     *     address; a multiple of the size
     * @param size bytes: a power of two
     * @return the queue
     * @throws RuleViolation if the index is taken, or the one before is not; the range has no size or wraps around; or this
     *     has no such queues or is closed
     * @throws VfioException {@code ENOENT} if the memory is not mapped, {@code EFAULT} if it is not contiguous, {@code EINVAL}
     *     if there is no queue with this index, or misaligned
     */
    public HardwareQueue allocateHardwareQueue(int index, long iova, long size) {
        if (index < 0) {
            throw new IllegalArgumentException("an index is not negative: " + index);
        }
        Iommufd iommufd = iommufd();
        iommufd.lock.lock();
        try {
            check(Operation.HW_QUEUE_ALLOC, new Alive() {
                @Override
                public long iova() {
                    return iova;
                }

                @Override
                public long size() {
                    return size;
                }

                @Override
                public boolean hardwareQueuesSupported() {
                    return type == ViommuType.TEGRA241_CMDQV;
                }

                @Override
                public boolean hardwareQueueTaken() {
                    return hasQueue(index);
                }

                @Override
                public boolean hardwareQueueBeforeExists() {
                    return index == 0 || hasQueue(index - 1);
                }
            });
            return opened(new HardwareQueue(this, index, iommufd.port.allocateHardwareQueue(id, index, iova, size)));
        } finally {
            iommufd.lock.unlock();
        }
    }

    private boolean hasQueue(int index) {
        return parts.stream().anyMatch(part -> part instanceof HardwareQueue queue && queue.index() == index);
    }

    /**
     * Has the IOMMU forget what the guest asks it to, in SMMUv3's commands ({@code IOMMU_HWPT_INVALIDATE} with
     * {@code IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3}).
     *
     * @param commands the commands, which are done in order
     * @return how many were done: all, or those before the first one that the kernel refused
     * @throws RuleViolation if this is closed
     * @throws VfioException {@code EIO} if the kernel refuses the very first one
     */
    public int invalidate(List<SmmuCommand> commands) {
        List<SmmuCommand> wanted = Given.elements(commands, "commands");
        Iommufd iommufd = iommufd();
        iommufd.lock.lock();
        try {
            check(Operation.HWPT_INVALIDATE, new Alive());
            return wanted.isEmpty() ? 0 : iommufd.port.invalidate(id, wanted);
        } finally {
            iommufd.lock.unlock();
        }
    }

    /**
     * Maps the page of registers that a guest drives its queues with ({@code mmap}; Tegra241's VINTF page 0), for a program
     * that plays the guest. It ends with this.
     *
     * @return the registers, the same each time; empty if there is none
     * @throws RuleViolation if this is closed
     */
    public Optional<Mmio> page() {
        Iommufd iommufd = iommufd();
        iommufd.lock.lock();
        try {
            check(Operation.VIOMMU_MAP, new Alive());
            if (made.mapSize() == 0) {
                return Optional.empty();
            }
            if (page == null) {
                Kernel kernel = iommufd.vfio().kernel();
                long address = iommufd.port.map(made.mapOffset(), made.mapSize());
                page = new Mapping(kernel, new AddressRange(kernel, address, made.mapSize()), made.mapSize(), true);
            }
            return Optional.of(new Mmio(page));
        } finally {
            iommufd.lock.unlock();
        }
    }

    /** The queues with a higher index, the highest first. */
    List<HardwareQueue> queuesAbove(int index) {
        return List.copyOf(parts).reversed().stream()
                .filter(part -> part instanceof HardwareQueue queue && queue.index() > index)
                .map(HardwareQueue.class::cast)
                .toList();
    }

    private void check(Operation operation, Facts facts) {
        Rule.check(iommufd().vfio().contract(), operation, facts);
    }

    private <T extends OfViommu> T opened(T part) {
        parts.add(part);
        iommufd().vfio().opened(part);
        return part;
    }

    /** Something of it was closed. The iommufd's lock is held. */
    void forget(OfViommu part) {
        parts.remove(part);
        iommufd().vfio().closed(part);
    }

    Iommufd iommufd() {
        return parent.ioas().iommufd();
    }

    /**
     * Closes what was made of it, newest first, unmaps its page, then destroys the virtual IOMMU ({@code IOMMU_DESTROY}).
     * Idempotent; also done when the page table is closed that it was made of.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        Iommufd iommufd = iommufd();
        Teardown.once(iommufd.lock, () -> closed, teardown -> {
            closed = true;
            List.copyOf(parts).reversed().forEach(part -> teardown.step(part::close));
            if (page != null) {
                page.end();
                AddressRange range = page.range;
                if (teardown.step(() -> iommufd.vfio().kernel().vacate(range.address, range.size))) {
                    range.release();
                }
            }
            iommufd.destroy(id, teardown);
            parent.forget(this);
        });
    }

    private class Alive implements Facts {
        @Override
        public boolean handleOpen() {
            return !closed;
        }
    }
}
