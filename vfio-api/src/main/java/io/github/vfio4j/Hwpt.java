package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A page table of the hardware that the program made of an address space ({@code IOMMU_HWPT_ALLOC}), for devices behind
 * the IOMMU of the one that it was made for. What is mapped in the address space is mapped here. A program needs one to
 * track which pages its devices write; else it attaches devices to the {@link Ioas} itself.
 *
 * <p>All methods are safe from any thread.
 */
public final class Hwpt implements PageTable, AutoCloseable {
    final int id;
    private final Ioas ioas;
    private final Set<HwptFlag> flags;
    private final FaultQueue faults; // null for none
    private final List<NestedHwpt> nested = new ArrayList<>(); // guarded by the iommufd's lock; oldest first
    private final List<Viommu> viommus = new ArrayList<>(); // guarded by the iommufd's lock; oldest first
    private DirtyTracking tracking; // null while it is off; guarded by the address space's lock
    private volatile boolean closed;

    Hwpt(Ioas ioas, int id, Set<HwptFlag> flags, FaultQueue faults) {
        this.ioas = ioas;
        this.faults = faults;
        this.id = id;
        this.flags = flags;
        if (faults != null) {
            faults.add(this);
        }
    }

    @Override
    public Ioas ioas() {
        return ioas;
    }

    /**
     * Starts to track which pages the devices of this page table write ({@code IOMMU_HWPT_SET_DIRTY_TRACKING}).
     *
     * @return the tracking; the same object while it is on
     * @throws RuleViolation if the page table was not made for it, or is closed
     * @throws VfioException what the IOMMU's driver gives
     */
    public DirtyTracking trackDirtyPages() {
        ioas.lock.lock();
        try {
            Rule.check(ioas.contract, Operation.HWPT_SET_DIRTY_TRACKING, new Alive());
            if (tracking == null) {
                ioas.iommufd().port.trackDirtyPages(id, true);
                tracking = new DirtyTracking(new Tracker());
            }
            return tracking;
        } finally {
            ioas.lock.unlock();
        }
    }

    /**
     * Nests a guest's page table in this one ({@code IOMMU_HWPT_ALLOC} with data of the hardware), to attach devices to.
     * The IOMMU of the VM nests nothing: what the kinds of hardware take is tested on made bytes, the rest with the IOMMU that
     * kernels have to test iommufd.
     *
     * @param device whose IOMMU to make it for; bound to the same iommufd
     * @param table the guest's page table, of the kind of the device's IOMMU
     * @return the nested page table, without devices
     * @throws RuleViolation if this was not made with {@link HwptFlag#NEST_PARENT}, or this or the device is closed
     * @throws IllegalArgumentException if the device is not bound to the same iommufd
     * @throws VfioException {@code EOPNOTSUPP} if the IOMMU nests nothing, {@code EINVAL} if it is none of its tables
     */
    public NestedHwpt nest(Device device, GuestPageTable table) {
        return nestWith(device, table, null);
    }

    /**
     * Nests a guest's page table in this one, whose devices' page faults end in a queue ({@code IOMMU_HWPT_FAULT_ID_VALID});
     * otherwise as {@link #nest(Device, GuestPageTable)}.
     *
     * @param device whose IOMMU to make it for; bound to the same iommufd
     * @param table the guest's page table, of the kind of the device's IOMMU
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
        Iommufd iommufd = ioas.iommufd();
        int deviceId = device.idIn(iommufd);
        OptionalInt queue = iommufd.idOf(faults);
        iommufd.lock.lock();
        try {
            Rule.check(ioas.contract, Operation.HWPT_ALLOC, new Alive() {
                @Override
                public boolean handleOpen() {
                    return super.handleOpen() && device.isOpen() && (faults == null || !faults.closed());
                }

                @Override
                public boolean parentMayNest() {
                    return flags.contains(HwptFlag.NEST_PARENT);
                }
            });
            NestedHwpt made = new NestedHwpt(this, null, iommufd.port.allocateNested(deviceId, id, table, queue), faults);
            nested.add(made);
            iommufd.vfio().opened(made);
            return made;
        } finally {
            iommufd.lock.unlock();
        }
    }

    /**
     * Makes a virtual IOMMU of this page table, which maps the guest's memory ({@code IOMMU_VIOMMU_ALLOC}, since Linux 6.13).
     *
     * @param device whose IOMMU it is a part of; bound to the same iommufd
     * @param type its kind
     * @return the virtual IOMMU
     * @throws RuleViolation if this was not made with {@link HwptFlag#NEST_PARENT}, or this or the device is closed
     * @throws IllegalArgumentException if the device is not bound to the same iommufd
     * @throws VfioException {@code EOPNOTSUPP} if the IOMMU is of another kind, {@code ENOTTY} if the kernel is older
     */
    public Viommu allocateViommu(Device device, ViommuType type) {
        Objects.requireNonNull(device, "device");
        Objects.requireNonNull(type, "type");
        Iommufd iommufd = ioas.iommufd();
        int deviceId = device.idIn(iommufd);
        iommufd.lock.lock();
        try {
            Rule.check(ioas.contract, Operation.VIOMMU_ALLOC, new Alive() {
                @Override
                public boolean handleOpen() {
                    return super.handleOpen() && device.isOpen();
                }

                @Override
                public boolean parentMayNest() {
                    return flags.contains(HwptFlag.NEST_PARENT);
                }
            });
            Viommu made = new Viommu(this, type, iommufd.port.allocateViommu(deviceId, id, type));
            viommus.add(made);
            iommufd.vfio().opened(made);
            return made;
        } finally {
            iommufd.lock.unlock();
        }
    }

    /** A virtual IOMMU was closed. The iommufd's lock is held. */
    void forget(Viommu viommu) {
        viommus.remove(viommu);
        ioas.iommufd().vfio().closed(viommu);
    }

    /** A nested page table was closed. The iommufd's lock is held. */
    void forget(NestedHwpt table) {
        nested.remove(table);
        ioas.iommufd().vfio().closed(table);
    }

    /**
     * Detaches the devices that are attached here, then destroys the page table ({@code IOMMU_DESTROY}). What is mapped in
     * the address space stays. What is nested here is closed first, and so are virtual IOMMUs. Idempotent; also done when the address space is closed.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        Iommufd iommufd = ioas.iommufd();
        Teardown.once(iommufd.lock, () -> closed, teardown -> {
            ioas.lock.lock(); // what reads dirty pages has read them
            closed = true;
            ioas.lock.unlock();
            List.copyOf(nested).reversed().forEach(table -> teardown.step(table::close));
            List.copyOf(viommus).reversed().forEach(viommu -> teardown.step(viommu::close));
            teardown.step(() -> iommufd.detachFrom(this::equals));
            iommufd.destroy(id, teardown);
            if (faults != null) {
                faults.remove(this);
            }
            ioas.forget(this);
        });
    }

    boolean closed() {
        return closed;
    }

    boolean takesPasids() {
        return flags.contains(HwptFlag.PASID);
    }

    private class Alive implements Facts {
        @Override
        public boolean handleOpen() {
            return !closed;
        }

        @Override
        public boolean dirtyTrackingSupported() {
            return flags.contains(HwptFlag.DIRTY_TRACKING);
        }
    }

    private final class Tracker implements DirtyTracking.Tracker {
        @Override
        public DirtyBitmap read(DirtyTracking asked, DmaBuffer buffer) {
            ioas.lock.lock();
            try {
                ioas.checkMapped(buffer);
                return dirtyPages(asked, buffer.iova(), buffer.size(), true);
            } finally {
                ioas.lock.unlock();
            }
        }

        @Override
        public DirtyBitmap read(DirtyTracking asked, long iova, long size) {
            ioas.lock.lock();
            try {
                return dirtyPages(asked, iova, size, true);
            } finally {
                ioas.lock.unlock();
            }
        }

        @Override
        public DirtyBitmap unmap(DirtyTracking asked, DmaBuffer buffer) {
            ioas.lock.lock();
            try {
                ioas.checkMapped(buffer);
                DirtyBitmap dirty = dirtyPages(asked, buffer.iova(), buffer.size(), false);
                ioas.unmap(buffer);
                return dirty;
            } finally {
                ioas.lock.unlock();
            }
        }

        private DirtyBitmap dirtyPages(DirtyTracking asked, long iova, long size, boolean clear) {
            Rule.check(ioas.contract, Operation.HWPT_GET_DIRTY_BITMAP, new Alive() {
                @Override
                public boolean handleOpen() {
                    return super.handleOpen() && tracking == asked;
                }

                @Override
                public long iova() {
                    return iova;
                }

                @Override
                public long size() {
                    return size;
                }

                @Override
                public boolean dirtyRangeAligned() {
                    return ((iova | size) & (ioas.smallestPage() - 1)) == 0;
                }
            });
            long page = ioas.smallestPage();
            long[] words = DirtyBitmap.words(size, page);
            ioas.iommufd().port.dirtyPages(id, iova, size, page, words, clear);
            return new DirtyBitmap(iova, size, page, words);
        }

        @Override
        public void stop(DirtyTracking asked) {
            ioas.lock.lock();
            try {
                if (tracking == asked) {
                    if (!closed) {
                        ioas.iommufd().port.trackDirtyPages(id, false);
                    }
                    tracking = null;
                }
            } finally {
                ioas.lock.unlock();
            }
        }
    }
}
