package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.Kernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * An IO address space of an iommufd ({@code IOMMU_IOAS_ALLOC}). Memory can be mapped before and after devices are
 * attached: {@link Device#attach}. From the first attached device on it is pinned.
 *
 * <p>All methods are safe from any thread.
 */
public final class Ioas extends AddressSpace implements PageTable, AutoCloseable {
    private static final long EVERYTHING = -1; // with IOVA 0
    private static final int HUGE_PAGES = 1; // IOMMU_OPTION_HUGE_PAGES

    final int id;
    private final Iommufd iommufd;
    private final List<Hwpt> pageTables = new ArrayList<>(); // guarded by the iommufd's lock; oldest first
    private List<IovaRange> allowed = List.of(); // guarded by lock
    private IoasInfo info; // as the kernel said; null if that has changed. Guarded by lock
    private volatile boolean closed;

    Ioas(Iommufd iommufd, int id) {
        super(iommufd.vfio(), Operation.IOAS_MAP, Operation.IOAS_UNMAP);
        this.iommufd = iommufd;
        this.id = id;
    }

    /**
     * Returns this.
     *
     * @return this address space
     */
    @Override
    public Ioas ioas() {
        return this;
    }

    /**
     * Asks the kernel what can be mapped here ({@code IOMMU_IOAS_IOVA_RANGES}). It changes when devices are attached or
     * detached.
     *
     * @return the limits now
     * @throws RuleViolation if this address space is closed
     */
    public IoasInfo info() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOAS_IOVA_RANGES, alive());
            return iommufd.port.info(id);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public List<IovaRange> ranges() {
        return info().ranges();
    }

    @Override
    public long granule() {
        return info().granule();
    }

    /**
     * Promises IOVAs to the program ({@code IOMMU_IOAS_ALLOW_IOVAS}): a device that needs some of them for itself is not
     * attached from now on. The library maps nowhere else by its own choice. Replaces what was promised before.
     *
     * @param ranges inside the {@link #ranges}, apart from each other; none to end the promise
     * @throws RuleViolation if they are not like that, or this address space is closed
     */
    public void allow(List<IovaRange> ranges) {
        List<IovaRange> wanted = Given.elements(ranges, "ranges");
        lock.lock();
        try {
            Rule.check(contract, Operation.IOAS_ALLOW_IOVAS, alive());
            Rule.check(contract, Operation.IOAS_ALLOW_IOVAS, new Alive() {
                @Override
                public boolean rangesApart() {
                    return wanted.stream().allMatch(one -> one.first() != one.last())
                            && wanted.stream().noneMatch(one -> wanted.stream()
                                    .anyMatch(other -> other != one && meets(one, other)));
                }

                @Override
                public boolean reservedIsFree() {
                    return wanted.stream()
                            .allMatch(one -> usable().stream().anyMatch(range -> range.contains(one)));
                }
            });
            iommufd.port.allow(id, wanted);
            allowed = wanted;
        } finally {
            lock.unlock();
        }
    }

    private static boolean meets(IovaRange one, IovaRange other) {
        return Long.compareUnsigned(one.first(), other.last()) <= 0
                && Long.compareUnsigned(other.first(), one.last()) <= 0;
    }

    /**
     * Maps a file's memory, all of it, for the devices here and for the program, at an IOVA of the library's choice
     * ({@code mmap}, {@code IOMMU_IOAS_MAP_FILE}, since Linux 6.13). The memory is pinned while a device is attached.
     *
     * @param file the file; it may be mapped several times and closed at any time
     * @param access what the devices may do
     * @return a buffer of the file's memory
     * @throws RuleViolation if this address space or the file is closed
     * @throws IllegalArgumentException if the file is another kernel's
     * @throws VfioException {@code ENOTTY} if the kernel is older, {@code ENOMEM} over the limit on locked memory,
     *     {@code ENOSPC} without a free range of IOVAs
     */
    public DmaBuffer map(DmaFile file, Access access) {
        return map(OptionalLong.empty(), file, access);
    }

    /**
     * Maps a file's memory at a given IOVA; as {@link #map(DmaFile, Access)}.
     *
     * @param iova the devices' address, a multiple of the IOMMU's smallest page
     * @param file the file
     * @param access what the devices may do
     * @return a buffer of the file's memory
     * @throws RuleViolation as {@link #map(DmaFile, Access)}, or if the range is misaligned, overlaps a mapping or is
     *     outside what can be mapped
     * @throws IllegalArgumentException as {@link #map(DmaFile, Access)}
     * @throws VfioException as {@link #map(DmaFile, Access)}
     */
    public DmaBuffer mapAt(long iova, DmaFile file, Access access) {
        return map(OptionalLong.of(iova), file, access);
    }

    private DmaBuffer map(OptionalLong wantedIova, DmaFile file, Access access) {
        Objects.requireNonNull(file, "file");
        Objects.requireNonNull(access, "access");
        Kernel kernel = iommufd.vfio().kernel();
        if (file.vfio().kernel() != kernel) {
            throw new IllegalArgumentException("the address space and the file are of different kernels");
        }
        lock.lock();
        try {
            Rule.check(contract, Operation.IOAS_MAP_FILE, new Alive() {
                @Override
                public boolean handleOpen() {
                    return super.handleOpen() && !file.closed();
                }
            });
            long unit = Math.max(file.port.pageSize(), smallestPage());
            long iova = wantedIova.isPresent() ? wantedIova.getAsLong() : freeIova(file.size(), unit);
            Rule.check(contract, Operation.IOAS_MAP_FILE, new Request(iova, file.size()));
            DmaBuffer buffer = DmaBuffer.map(kernel, this, iova, file, access);
            return keep(buffer, () -> iommufd.port.map(id, iova, file.port, access));
        } finally {
            lock.unlock();
        }
    }

    /**
     * Maps the memory of a buffer of another address space also here ({@code IOMMU_IOAS_COPY}), at an IOVA of the library's
     * choice. Memory is pinned and counted once, however often it is mapped.
     *
     * @param buffer a buffer of an address space of the same iommufd
     * @param access what the devices here may do
     * @return another buffer of the same memory, which is given back when all are closed
     * @throws RuleViolation if devices here may write and those there may not, or this address space is closed
     * @throws IllegalArgumentException if the buffer is not mapped, or in an address space of another iommufd
     * @throws VfioException {@code ENOSPC} without a free range of IOVAs
     */
    public DmaBuffer copy(DmaBuffer buffer, Access access) {
        return copy(OptionalLong.empty(), buffer, access);
    }

    /**
     * Maps the memory of a buffer of another address space also here, at a given IOVA; as {@link #copy(DmaBuffer, Access)}.
     *
     * @param iova the devices' address here, a multiple of the IOMMU's smallest page
     * @param buffer a buffer of an address space of the same iommufd
     * @param access what the devices here may do
     * @return another buffer of the same memory
     * @throws RuleViolation as {@link #copy(DmaBuffer, Access)}, or if the range is misaligned, overlaps a mapping or is
     *     outside what can be mapped
     * @throws IllegalArgumentException as {@link #copy(DmaBuffer, Access)}
     */
    public DmaBuffer copyAt(long iova, DmaBuffer buffer, Access access) {
        return copy(OptionalLong.of(iova), buffer, access);
    }

    private DmaBuffer copy(OptionalLong wantedIova, DmaBuffer buffer, Access access) {
        Objects.requireNonNull(buffer, "buffer");
        Objects.requireNonNull(access, "access");
        if (!(buffer.space() instanceof Ioas source) || source.iommufd != iommufd) {
            throw new IllegalArgumentException(buffer + " is in no address space of this iommufd");
        }
        iommufd.lock.lock(); // two copies in opposite directions would wait for each other
        lock.lock();
        source.lock.lock();
        try {
            Rule.check(contract, Operation.IOAS_COPY, alive());
            source.checkMapped(buffer);
            long iova = wantedIova.isPresent() ? wantedIova.getAsLong() : freeIova(buffer.size(), smallestPage());
            Rule.check(contract, Operation.IOAS_COPY, new Request(iova, buffer.size()) {
                @Override
                public long sourceIova() {
                    return buffer.iova();
                }

                @Override
                public boolean sourceWritable() {
                    return access == Access.READ || buffer.access() != Access.READ;
                }
            });
            DmaBuffer copy = buffer.share(this, iova, access);
            return keep(copy, () -> iommufd.port.copy(source.id, buffer.iova(), id, iova, buffer.size(), access));
        } finally {
            source.lock.unlock();
            lock.unlock();
            iommufd.lock.unlock();
        }
    }

    /**
     * Makes a page table of the hardware, to attach devices to ({@code IOMMU_HWPT_ALLOC}). What is mapped here is mapped
     * there, and pinned from now on.
     *
     * @param device whose IOMMU to make it for; bound to the same iommufd
     * @param dirtyTracking whether it shall track which pages devices write ({@code IOMMU_HWPT_ALLOC_DIRTY_TRACKING}):
     *     {@link IommuHardware#tracksDirtyPages} tells whether it can
     * @return the page table, without devices
     * @throws RuleViolation if the device or this address space is closed
     * @throws IllegalArgumentException if the device is not bound to the same iommufd
     * @throws VfioException {@code EOPNOTSUPP} if the IOMMU has no such page tables, {@code EADDRINUSE} if something is
     *     mapped that it cannot map, {@code ENOMEM} over the limit on locked memory
     */
    public Hwpt allocateHwpt(Device device, boolean dirtyTracking) {
        return dirtyTracking ? allocateHwpt(device, HwptFlag.DIRTY_TRACKING) : allocateHwpt(device);
    }

    /**
     * Makes a page table of the hardware that can do what is asked for; otherwise as {@link #allocateHwpt(Device, boolean)}.
     *
     * @param device whose IOMMU to make it for; bound to the same iommufd
     * @param flags what it shall be able to do
     * @return the page table, without devices
     * @throws RuleViolation as {@link #allocateHwpt(Device, boolean)}
     * @throws IllegalArgumentException as {@link #allocateHwpt(Device, boolean)}
     * @throws VfioException as {@link #allocateHwpt(Device, boolean)}; {@code EOPNOTSUPP} also if the kernel does not know a
     *     flag
     */
    public Hwpt allocateHwpt(Device device, HwptFlag... flags) {
        return allocateHwptWith(device, null, flags);
    }

    /**
     * Makes a page table of the hardware whose devices' page faults end in a queue ({@code IOMMU_HWPT_FAULT_ID_VALID}; up
     * to Linux 6.12 {@linkplain Hwpt#nest(Device, GuestPageTable, FaultQueue) nested} ones alone have queues); otherwise as
     * {@link #allocateHwpt(Device, HwptFlag...)}.
     *
     * @param device whose IOMMU to make it for; bound to the same iommufd
     * @param faults a fault queue of the same iommufd
     * @param flags what it shall be able to do
     * @return the page table, without devices
     * @throws RuleViolation as {@link #allocateHwpt(Device, boolean)}, or if the queue is closed
     * @throws IllegalArgumentException as {@link #allocateHwpt(Device, boolean)}, or if the queue is another iommufd's
     * @throws VfioException as {@link #allocateHwpt(Device, HwptFlag...)}; {@code EOPNOTSUPP} also if others shall be nested in
     *     the page table
     */
    public Hwpt allocateHwpt(Device device, FaultQueue faults, HwptFlag... flags) {
        return allocateHwptWith(device, Objects.requireNonNull(faults, "faults"), flags);
    }

    private Hwpt allocateHwptWith(Device device, FaultQueue faults, HwptFlag... flags) {
        Objects.requireNonNull(device, "device");
        Set<HwptFlag> wanted = Set.copyOf(Given.elements(flags, "flags"));
        int deviceId = device.idIn(iommufd);
        OptionalInt queue = iommufd.idOf(faults);
        iommufd.lock.lock();
        try {
            Rule.check(contract, Operation.HWPT_ALLOC, new Alive() {
                @Override
                public boolean handleOpen() {
                    return super.handleOpen() && device.isOpen() && (faults == null || !faults.closed());
                }
            });
            Hwpt hwpt = new Hwpt(this, iommufd.port.allocateHwpt(deviceId, id, wanted, queue), wanted, faults);
            pageTables.add(hwpt);
            limitsChanged();
            iommufd.vfio().opened(hwpt);
            return hwpt;
        } finally {
            iommufd.lock.unlock();
        }
    }

    /** A page table was closed. The iommufd's lock is held. */
    void forget(Hwpt hwpt) {
        pageTables.remove(hwpt);
        limitsChanged();
        iommufd.vfio().closed(hwpt);
    }

    /**
     * Tells whether large pages of the IOMMU are used where memory allows it ({@code IOMMU_OPTION_HUGE_PAGES}).
     *
     * @return true unless they were turned off
     * @throws RuleViolation if this address space is closed
     */
    public boolean usesHugePages() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_OPTION, alive());
            return iommufd.port.option(HUGE_PAGES, id) != 0;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Chooses whether large pages of the IOMMU are used ({@code IOMMU_OPTION_HUGE_PAGES}). Without them every page is mapped
     * by itself: slower, and a range can be unmapped wherever two pages meet.
     *
     * @param huge whether to use them
     * @throws RuleViolation if they are turned off while something is mapped for an attached device, or this address space
     *     is closed
     */
    public void useHugePages(boolean huge) {
        iommufd.lock.lock();
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_OPTION, new Alive() {
                @Override
                public boolean largePagesUnused() {
                    return huge || isEmpty() || pageTables.isEmpty() && !iommufd.hasAttached(Ioas.this);
                }
            });
            iommufd.port.option(HUGE_PAGES, id, huge ? 1 : 0);
        } finally {
            lock.unlock();
            iommufd.lock.unlock();
        }
    }

    /**
     * Detaches the devices that are attached here, destroys the address space with all mappings, then frees the memory
     * ({@code VFIO_DEVICE_DETACH_IOMMUFD_PT}, {@code IOMMU_DESTROY}). The devices stay open. Idempotent; also done when the
     * iommufd is closed.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same, and memory that may
     *     still be mapped is kept until the iommufd is closed
     */
    @Override
    public void close() {
        Teardown.once(iommufd.lock, () -> closed, teardown -> {
            closed = true;
            teardown.step(() -> iommufd.detachFrom(table -> table.ioas() == this));
            List.copyOf(pageTables).reversed().forEach(hwpt -> teardown.step(hwpt::close));
            if (iommufd.isHandedOver()) {
                dropped(teardown); // with what is mapped, which another process has
            } else if (iommufd.isShared()) { // it stays in the kernel for other processes' devices
                teardown.step(this::release);
                iommufd.forget(this);
            } else if (teardown.step(() -> iommufd.port.destroy(id))) {
                dropped(teardown);
            } else {
                teardown.step(this::release);
            }
        });
    }

    /** The kernel has it no more: nothing is mapped. The iommufd's lock is held. */
    void dropped(Teardown teardown) {
        teardown.step(() -> end(() -> {}));
        iommufd.forget(this);
    }

    Iommufd iommufd() {
        return iommufd;
    }

    boolean closed() {
        return closed;
    }

    /** Does every mapping begin and end with a page? */
    boolean isMadeOf(long page) {
        lock.lock();
        try {
            return all().stream()
                    .allMatch(buffer -> ((buffer.iova() | buffer.size()) & (page - 1)) == 0);
        } finally {
            lock.unlock();
        }
    }

    /** Is everything that is mapped memory of files? */
    boolean isMadeOfFiles() {
        lock.lock();
        try {
            return all().stream().allMatch(DmaBuffer::ofFile);
        } finally {
            lock.unlock();
        }
    }

    /** A device was attached or detached: ask again. */
    void limitsChanged() {
        lock.lock();
        try {
            info = null;
        } finally {
            lock.unlock();
        }
    }

    // ---- the kernel's part of an address space

    private IoasInfo limits() {
        if (info == null) {
            info = iommufd.port.info(id);
        }
        return info;
    }

    @Override
    Facts alive() {
        return new Alive();
    }

    @Override
    Facts request(long iova, long address, long size) {
        return new Request(iova, size) {
            @Override
            public long address() {
                return address;
            }
        };
    }

    @Override
    long smallestPage() {
        return limits().granule();
    }

    @Override
    List<IovaRange> usable() {
        return limits().ranges();
    }

    @Override
    List<IovaRange> places() {
        return allowed.isEmpty() ? usable() : allowed;
    }

    @Override
    boolean finds(long iova, long size) {
        return true;
    }

    @Override
    void mapInKernel(long iova, long address, long size, Access access) {
        iommufd.port.map(id, iova, address, size, access);
    }

    @Override
    long unmapInKernel(long iova, long size) {
        return inRange(iova, size).isEmpty() ? 0 : iommufd.port.unmap(id, iova, size); // it refuses to unmap nothing
    }

    @Override
    long unmapAllInKernel() {
        return iommufd.port.unmap(id, 0, EVERYTHING);
    }

    private class Alive implements Facts {
        @Override
        public boolean handleOpen() {
            return !closed;
        }
    }

    /** A range that is to be mapped or unmapped. */
    private class Request extends Alive {
        private final long iova;
        private final long size;

        Request(long iova, long size) {
            this.iova = iova;
            this.size = size;
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
        public long granule() {
            return smallestPage();
        }

        @Override
        public boolean overlapsMapping() {
            return overlaps(iova, size);
        }

        @Override
        public boolean cutsMapping() {
            return cuts(iova, size);
        }

        @Override
        public boolean insideIovaRange() {
            return insideUsable(iova, size);
        }
    }
}
