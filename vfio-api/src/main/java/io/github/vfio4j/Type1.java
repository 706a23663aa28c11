package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.Kernel;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * The IOMMU of a container: what {@code VFIO_SET_IOMMU} gives. Maps memory for the devices of the container's groups, and
 * opens them. It ends when the container's last group leaves; every mapping ends with it.
 *
 * <p>All methods are safe from any thread.
 */
public final class Type1 {
    /** Page 0 is never handed out: many devices take address 0 for "none". */
    private static final long LOWEST_IOVA = 0x10000;

    private static final int DMA_CC = 4; // VFIO_DMA_CC_IOMMU
    private static final int UPDATE_VADDR = 10; // VFIO_UPDATE_VADDR

    private static final IovaRange EVERYTHING = new IovaRange(0, -1);

    private final Kernel kernel;
    private final Contract contract;
    private final Container container;
    private final IommuType type;
    private final ReentrantLock lock = new ReentrantLock();
    // Guarded by lock; by IOVA, unsigned.
    private final TreeMap<Long, DmaBuffer> mappings = new TreeMap<>(Long::compareUnsigned);
    private final Set<DmaBuffer> withoutAddress = new HashSet<>(); // of those in mappings
    private Type1Info limits;
    private DirtyTracking tracking; // null while it is off
    private final boolean losesTopMappings;
    private volatile boolean ended;

    Type1(Container container, IommuType type) {
        this.kernel = container.vfio().kernel();
        this.contract = container.vfio().contract();
        this.container = container;
        this.type = type;
        this.losesTopMappings = !container.port.keepsTopMappings();
    }

    /**
     * Returns the type that was set.
     *
     * @return the type
     */
    public IommuType type() {
        return type;
    }

    /**
     * Asks the kernel for the limits ({@code VFIO_IOMMU_GET_INFO}). They change when groups join or leave.
     *
     * @return the limits now
     * @throws RuleViolation if this IOMMU has ended
     */
    public Type1Info info() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_GET_INFO, alive());
            return container.port.iommuInfo();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Opens a device of a group in this IOMMU's container ({@code VFIO_GROUP_GET_DEVICE_FD}). The first open of a PCI
     * device enables it, resets it if it can be reset, and turns bus mastering off. The device is watched: see
     * {@link Device#requested}.
     *
     * @param group the device's group
     * @param address the device
     * @return the device
     * @throws RuleViolation if the group is closed or not in this container, or this IOMMU has ended
     * @throws VfioException {@code ENODEV} if the group has no such device on a VFIO driver, or what opening it gives
     */
    public Device openDevice(Group group, PciAddress address) {
        return container.openDevice(group, address.toString(), this, () -> !ended, true);
    }

    /**
     * Opens a device without watching it: spares two eventfds, and nobody hears when the device is asked back or reports
     * an error. Otherwise as {@link #openDevice(Group, PciAddress)}.
     *
     * @param group the device's group
     * @param address the device
     * @return the device
     * @throws RuleViolation as {@link #openDevice(Group, PciAddress)}
     * @throws VfioException as {@link #openDevice(Group, PciAddress)}
     */
    public Device openDeviceUnwatched(Group group, PciAddress address) {
        return container.openDevice(group, address.toString(), this, () -> !ended, false);
    }

    /**
     * Opens a mediated device of a group in this IOMMU's container ({@code VFIO_GROUP_GET_DEVICE_FD}). Its driver in the
     * kernel does all DMA for it, and reaches no more than what is mapped here.
     *
     * @param group the device's group: {@link Vfio#groupOf}
     * @param mediatedDevice the device's name
     * @return the device
     * @throws RuleViolation as {@link #openDevice(Group, PciAddress)}
     * @throws VfioException as {@link #openDevice(Group, PciAddress)}
     */
    public Device openDevice(Group group, UUID mediatedDevice) {
        return container.openDevice(group, mediatedDevice.toString(), this, () -> !ended, false);
    }

    /**
     * Tells whether all IOMMUs of the container make DMA coherent with the caches, whatever a device asks for
     * ({@code VFIO_DMA_CC_IOMMU}). On x86 DMA is coherent in any case, unless a device asks for no snooping.
     *
     * @return true if they do, and with mediated devices alone
     * @throws RuleViolation if this IOMMU has ended
     */
    public boolean coherent() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_GET_INFO, alive());
            return container.port.checkExtension(DMA_CC) > 0;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Gets memory that devices can reach, at an IOVA of the library's choice ({@code mmap}, {@code VFIO_IOMMU_MAP_DMA}).
     * The memory is zeroed, pinned, and rounded up to whole pages.
     *
     * <p>Allocate once and slice: each buffer costs system calls, one of the container's limited mappings, and its own
     * shared arena, whose close stops all threads for a moment.
     *
     * @param bytes the size
     * @param access what the devices may do
     * @return the buffer
     * @throws RuleViolation if this IOMMU has ended or {@code bytes} is 0
     * @throws VfioException {@code ENOMEM} over the limit on locked memory or without memory, {@code ENOSPC} without
     *     a free mapping or a free range of IOVAs
     */
    public DmaBuffer allocate(long bytes, Access access) {
        return allocate(OptionalLong.empty(), bytes, access);
    }

    /**
     * Gets memory that devices can reach at a given IOVA.
     *
     * @param iova the devices' address, a multiple of the IOMMU's smallest page
     * @param bytes the size
     * @param access what the devices may do
     * @return the buffer
     * @throws RuleViolation as {@link #allocate(long, Access)}, or if the range is misaligned, overlaps a mapping or is
     *     outside what the IOMMU can map
     * @throws VfioException as {@link #allocate(long, Access)}
     */
    public DmaBuffer allocateAt(long iova, long bytes, Access access) {
        return allocate(OptionalLong.of(iova), bytes, access);
    }

    private DmaBuffer allocate(OptionalLong wantedIova, long bytes, Access access) {
        if (bytes < 0 || bytes > Long.MAX_VALUE / 2) {
            throw new IllegalArgumentException("a size in bytes between 1 and 2^62, not " + bytes);
        }
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_MAP_DMA, new Alive() { // what needs no question to the kernel
                @Override
                public long size() {
                    return bytes == 0 ? 0 : granule();
                }
            });
            Type1Info now = limits();
            long granule = Math.max(kernel.pageSize(), now.granule());
            long size = (bytes + granule - 1) / granule * granule;
            long iova = wantedIova.isPresent() ? wantedIova.getAsLong() : freeIova(size);
            Rule.check(contract, Operation.IOMMU_MAP_DMA, request(iova, size, now.granule()));
            DmaBuffer buffer = DmaBuffer.allocate(kernel, this, iova, size, access);
            try {
                container.port.mapDma(iova, buffer.segment().address(), size, access.flags());
            } catch (RuntimeException e) {
                buffer.freeMemory();
                throw e;
            }
            mappings.put(iova, buffer);
            container.vfio().opened(buffer);
            return buffer;
        } finally {
            lock.unlock();
        }
    }

    // ---- unmapping

    /**
     * Unmaps a range ({@code VFIO_IOMMU_UNMAP_DMA}) and closes the buffers that were mapped there. Of a type1 v2 IOMMU a
     * range may hold several buffers and gaps, and cuts none. A type1 v1 IOMMU takes the first buffer in the range as its
     * measure: if that starts before the range, nothing at all is unmapped; else every buffer that starts in the range
     * goes, also the part of it that lies behind the range. Before Linux 7 nothing is unmapped in a range that ends at the
     * very top of the address space.
     *
     * @param iova where the range starts, a multiple of the IOMMU's smallest page
     * @param size bytes, a multiple of the smallest page
     * @return how many bytes were unmapped: look at this, 0 is no error
     * @throws RuleViolation if the range is misaligned, empty, wraps or cuts a buffer, or this IOMMU has ended
     * @throws VfioException if the kernel unmaps another number of bytes; all memory is kept then
     */
    public long unmap(long iova, long size) {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_UNMAP_DMA, alive());
            Rule.check(contract, Operation.IOMMU_UNMAP_DMA, request(iova, size, limits().granule()));
            boolean finds = !(type == IommuType.TYPE1 && startsBefore(iova))
                    && !(losesTopMappings && iova + size == 0); // the end of the range is 0 there: nothing lies before it
            List<DmaBuffer> gone = finds ? inRange(iova, size) : List.of();
            return unmap(gone, () -> container.port.unmapDma(iova, size));
        } finally {
            lock.unlock();
        }
    }

    /**
     * Unmaps everything ({@code VFIO_DMA_UNMAP_FLAG_ALL}) and closes all buffers.
     *
     * @return how many bytes were unmapped
     * @throws RuleViolation if this IOMMU has ended
     * @throws VfioException if the kernel unmaps another number of bytes; all memory is kept then
     */
    public long unmapAll() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_UNMAP_DMA, alive());
            return unmap(List.copyOf(mappings.values()), container.port::unmapAll);
        } finally {
            lock.unlock();
        }
    }

    /** Unmaps a buffer unless it is unmapped; when this returns, no device can reach it. */
    void unmap(DmaBuffer buffer) {
        lock.lock();
        try {
            if (mappings.get(buffer.iova()) == buffer) {
                checkUnmapped(List.of(buffer), container.port.unmapDma(buffer.iova(), buffer.size()));
                forget(buffer);
            }
        } finally {
            lock.unlock();
        }
    }

    private long unmap(List<DmaBuffer> gone, LongSupplier unmap) {
        long unmapped = unmap.getAsLong();
        checkUnmapped(gone, unmapped);
        gone.forEach(this::forget);
        Teardown teardown = new Teardown();
        gone.forEach(buffer -> teardown.step(buffer::freeMemory));
        teardown.finish();
        return unmapped;
    }

    private static void checkUnmapped(List<DmaBuffer> gone, long unmapped) {
        long expected = gone.stream().mapToLong(DmaBuffer::size).sum();
        if (unmapped != expected) {
            throw new VfioException(
                    Operation.IOMMU_UNMAP_DMA,
                    Errno.EIO,
                    "the kernel unmapped %d of %d bytes: %s; the memory is kept"
                            .formatted(unmapped, expected, gone));
        }
    }

    private void forget(DmaBuffer buffer) {
        mappings.remove(buffer.iova());
        withoutAddress.remove(buffer);
    }

    // ---- dirty pages

    /**
     * Starts to track which pages devices write ({@code VFIO_IOMMU_DIRTY_PAGES_FLAG_START}).
     *
     * @return the tracking; the same object while it is on
     * @throws RuleViolation if this is a type1 v1 IOMMU, or has ended
     * @throws VfioException {@code ENOMEM} if the kernel has no memory for the bitmaps
     */
    public DirtyTracking trackDirtyPages() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_DIRTY_PAGES, alive());
            if (tracking == null) {
                container.port.trackDirtyPages(true);
                tracking = new DirtyTracking(this);
            }
            return tracking;
        } finally {
            lock.unlock();
        }
    }

    void stopTracking(DirtyTracking stopped) {
        lock.lock();
        try {
            if (tracking == stopped) {
                if (!ended) {
                    container.port.trackDirtyPages(false);
                }
                tracking = null;
            }
        } finally {
            lock.unlock();
        }
    }

    DirtyBitmap dirtyPages(DirtyTracking asked, DmaBuffer buffer) {
        lock.lock();
        try {
            checkMapped(buffer);
            return dirtyPages(asked, buffer.iova(), buffer.size());
        } finally {
            lock.unlock();
        }
    }

    DirtyBitmap dirtyPages(DirtyTracking asked, long iova, long size) {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_DIRTY_PAGES, alive());
            long page = limits().granule();
            Rule.check(contract, Operation.IOMMU_DIRTY_PAGES, new Request(iova, size, page) {
                @Override
                public boolean dirtyBitmapFits() {
                    long most = limits().dirtyTracking().map(DirtyTrackingInfo::largestBitmap).orElse(0L);
                    return Long.compareUnsigned(size / page, most * Byte.SIZE) <= 0;
                }

                @Override
                public boolean dirtyTracking() {
                    return tracking == asked;
                }

                @Override
                public boolean dirtyBitmapsApart() {
                    return inRange(iova, size).stream()
                            .allMatch(buffer -> (buffer.iova() - iova) % (page * Long.SIZE) == 0);
                }
            });
            long[] words = bitmap(size, page);
            container.port.dirtyPages(iova, size, page, words);
            return new DirtyBitmap(iova, size, page, words);
        } finally {
            lock.unlock();
        }
    }

    DirtyBitmap unmapDirty(DirtyTracking asked, DmaBuffer buffer) {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_UNMAP_DMA, alive());
            long page = limits().granule();
            Rule.check(contract, Operation.IOMMU_UNMAP_DMA, new Request(buffer.iova(), buffer.size(), page) {
                @Override
                public boolean dirtyTracking() {
                    return tracking == asked;
                }
            });
            checkMapped(buffer);
            long[] words = bitmap(buffer.size(), page);
            checkUnmapped(
                    List.of(buffer), container.port.unmapDma(buffer.iova(), buffer.size(), page, words));
            forget(buffer);
            return new DirtyBitmap(buffer.iova(), buffer.size(), page, words);
        } finally {
            lock.unlock();
        }
    }

    private static long[] bitmap(long size, long page) {
        return new long[Math.toIntExact((size / page + Long.SIZE - 1) / Long.SIZE)];
    }

    // ---- addresses

    /**
     * Tells whether the kernel can take and give addresses of mappings ({@code VFIO_UPDATE_VADDR}): not while a group of
     * mediated devices is in the container.
     *
     * @return true if it can
     * @throws RuleViolation if this IOMMU has ended
     */
    public boolean updatesAddresses() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_GET_INFO, alive());
            return container.port.checkExtension(UPDATE_VADDR) > 0;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes the kernel forget where a buffer's memory is in this program ({@code VFIO_DMA_UNMAP_FLAG_VADDR}); devices keep
     * reaching the memory. What needs the address waits or is refused until it is {@linkplain #giveAddress given anew}: no
     * group may join the container meanwhile. For programs that hand a container to another process.
     *
     * @param buffer a buffer of this IOMMU
     * @throws RuleViolation if the buffer lost its address already, a group of mediated devices is in the container, or
     *     this IOMMU has ended
     * @throws IllegalArgumentException if the buffer is not mapped in this IOMMU
     */
    public void takeAddress(DmaBuffer buffer) {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_UNMAP_DMA, alive());
            Rule.check(
                    contract,
                    Operation.IOMMU_UNMAP_DMA,
                    new Request(buffer.iova(), buffer.size(), limits().granule()) {
                        @Override
                        public boolean addressesToTake() {
                            return true;
                        }

                        @Override
                        public boolean emulatedGroupAttached() {
                            return !updatesAddresses();
                        }

                        @Override
                        public boolean addressMissing() {
                            return withoutAddress.contains(buffer);
                        }
                    });
            checkMapped(buffer);
            long taken = container.port.takeAddresses(buffer.iova(), buffer.size());
            withoutAddress.add(buffer);
            checkUnmapped(List.of(buffer), taken);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Tells the kernel where a buffer's memory is in this program ({@code VFIO_DMA_MAP_FLAG_VADDR}), after it
     * {@linkplain #takeAddress forgot}.
     *
     * @param buffer a buffer of this IOMMU that lost its address
     * @throws RuleViolation if the buffer has its address or is not mapped, or this IOMMU has ended
     * @throws VfioException {@code ENOMEM} over the limit on locked memory, if another process had mapped it
     */
    public void giveAddress(DmaBuffer buffer) {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_MAP_DMA, alive());
            Rule.check(contract, Operation.IOMMU_MAP_DMA, new Request(buffer.iova(), buffer.size(), limits().granule()) {
                @Override
                public boolean overlapsMapping() {
                    return false; // it is to be there
                }

                @Override
                public boolean addressHasTarget() {
                    return mappings.get(buffer.iova()) == buffer;
                }

                @Override
                public boolean addressAwaited() {
                    return withoutAddress.contains(buffer);
                }
            });
            container.port.giveAddress(buffer.iova(), buffer.segment().address(), buffer.size());
            withoutAddress.remove(buffer);
        } finally {
            lock.unlock();
        }
    }

    /** Does a buffer have no address, so that no group may join? */
    boolean addressMissing() {
        lock.lock();
        try {
            return !withoutAddress.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    // ---- the container's doings

    /** The memory of a buffer was given back. */
    void freed(DmaBuffer buffer) {
        container.vfio().closed(buffer);
    }

    /** A group joined or left: ask again. */
    void limitsChanged() {
        lock.lock();
        try {
            limits = null;
        } finally {
            lock.unlock();
        }
    }

    /** Ends with the last group's leave, which {@code leave} asks of the kernel; the kernel drops all mappings. */
    void end(Runnable leave) {
        lock.lock();
        try {
            leave.run();
            ended = true;
            List<DmaBuffer> dropped = List.copyOf(mappings.values());
            mappings.clear();
            withoutAddress.clear();
            Teardown teardown = new Teardown();
            dropped.forEach(buffer -> teardown.step(buffer::freeMemory));
            teardown.finish();
        } finally {
            lock.unlock();
        }
    }

    /** Ends while the kernel keeps the group: unmaps one by one, and keeps the memory of what cannot be unmapped. */
    void release() {
        lock.lock();
        try {
            Teardown teardown = new Teardown();
            for (DmaBuffer buffer : List.copyOf(mappings.values())) {
                if (teardown.step(() -> unmap(buffer))) {
                    teardown.step(buffer::freeMemory);
                }
            }
            ended = true;
            teardown.finish();
        } finally {
            lock.unlock();
        }
    }

    private Type1Info limits() {
        if (limits == null) {
            limits = container.port.iommuInfo();
        }
        return limits;
    }

    private long freeIova(long size) {
        List<IovaRange> ranges = limits().ranges();
        for (IovaRange range : ranges.isEmpty() ? List.of(EVERYTHING) : ranges) {
            long candidate = Long.compareUnsigned(range.first(), LOWEST_IOVA) < 0 ? LOWEST_IOVA : range.first();
            Map.Entry<Long, DmaBuffer> below = mappings.floorEntry(candidate);
            if (below != null && Long.compareUnsigned(end(below.getValue()), candidate) > 0) {
                candidate = end(below.getValue());
            }
            while (fits(candidate, size, range)) {
                Map.Entry<Long, DmaBuffer> next = mappings.ceilingEntry(candidate);
                if (next == null || Long.compareUnsigned(next.getKey() - candidate, size) >= 0) {
                    return candidate;
                }
                candidate = end(next.getValue());
            }
        }
        throw new VfioException(
                Operation.IOMMU_MAP_DMA,
                Errno.ENOSPC,
                "no %d bytes of free IOVAs in a row in %s".formatted(size, ranges));
    }

    private static boolean fits(long start, long size, IovaRange range) {
        long last = start + size - 1;
        return Long.compareUnsigned(last, start) >= 0
                && Long.compareUnsigned(start, range.first()) >= 0
                && Long.compareUnsigned(last, range.last()) <= 0
                && last != -1; // before Linux 7 a mapping that ends at the very top cannot be found again
    }

    private static long end(DmaBuffer buffer) {
        return buffer.iova() + buffer.size();
    }

    private void checkMapped(DmaBuffer buffer) {
        if (mappings.get(buffer.iova()) != buffer) {
            throw new IllegalArgumentException(buffer + " is not mapped in this IOMMU (any more)");
        }
    }

    /** The buffers that start in a range. The lock is held. */
    private List<DmaBuffer> inRange(long iova, long size) {
        return List.copyOf(mappings.subMap(iova, true, iova + size - 1, true).values());
    }

    /** Does a buffer begin before an IOVA and reach over it? The lock is held. */
    private boolean startsBefore(long iova) {
        Map.Entry<Long, DmaBuffer> below = mappings.lowerEntry(iova);
        return below != null && Long.compareUnsigned(last(below.getValue()), iova) >= 0;
    }

    private static long last(DmaBuffer buffer) {
        return buffer.iova() + buffer.size() - 1;
    }

    /** What needs no question to the kernel. */
    private Facts alive() {
        return new Alive();
    }

    private class Alive implements Facts {
        @Override
        public boolean handleOpen() {
            return !container.closed();
        }

        @Override
        public boolean iommuSet() {
            return !ended;
        }

        @Override
        public boolean type1V2() {
            return type == IommuType.TYPE1_V2;
        }
    }

    private Facts request(long iova, long size, long granule) {
        return new Request(iova, size, granule);
    }

    /** A range that is to be mapped, unmapped or read. */
    private class Request extends Alive {
        private final long iova;
        private final long size;
        private final long granule;

        Request(long iova, long size, long granule) {
            this.iova = iova;
            this.size = size;
            this.granule = granule;
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
            return granule;
        }

        @Override
        public boolean topIsLost() {
            return losesTopMappings;
        }

        @Override
        public boolean overlapsMapping() {
            Map.Entry<Long, DmaBuffer> below = mappings.floorEntry(iova + size - 1);
            return below != null && Long.compareUnsigned(last(below.getValue()), iova) >= 0;
        }

        @Override
        public boolean cutsMapping() {
            if (type != IommuType.TYPE1_V2) {
                return false;
            }
            Map.Entry<Long, DmaBuffer> below = mappings.floorEntry(iova + size - 1);
            boolean reachesOut = below != null && Long.compareUnsigned(last(below.getValue()), iova + size - 1) > 0;
            return startsBefore(iova) || reachesOut;
        }

        @Override
        public boolean insideIovaRange() {
            List<IovaRange> ranges = limits().ranges();
            IovaRange wanted = new IovaRange(iova, iova + size - 1);
            return ranges.isEmpty() || ranges.stream().anyMatch(range -> range.contains(wanted));
        }
    }
}
