package io.github.vfio4j;

import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.Kernel;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The IOMMU of a container: what {@code VFIO_SET_IOMMU} gives. Maps memory for the devices of the container's groups, and
 * opens them. It ends when the container's last group leaves; every mapping ends with it.
 *
 * <p>All methods are safe from any thread.
 */
public final class Type1 {
    /** Page 0 is never handed out: many devices take address 0 for "none". */
    private static final long LOWEST_IOVA = 0x10000;

    private static final IovaRange EVERYTHING = new IovaRange(0, -1);

    private final Kernel kernel;
    private final Contract contract;
    private final Container container;
    private final IommuType type;
    private final ReentrantLock lock = new ReentrantLock();
    // Guarded by lock; by IOVA, unsigned.
    private final TreeMap<Long, DmaBuffer> mappings = new TreeMap<>(Long::compareUnsigned);
    private Type1Info limits;
    private volatile boolean ended;

    Type1(Container container, IommuType type) {
        this.kernel = container.vfio().kernel();
        this.contract = container.vfio().contract();
        this.container = container;
        this.type = type;
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
            Rule.check(contract, Operation.IOMMU_GET_INFO, new Facts() {
                @Override
                public boolean iommuSet() {
                    return !ended;
                }
            });
            return container.port.iommuInfo();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Opens a device of a group in this IOMMU's container ({@code VFIO_GROUP_GET_DEVICE_FD}). The first open of a PCI
     * device enables it, resets it if it can be reset, and turns bus mastering off.
     *
     * @param group the device's group
     * @param address the device
     * @return the device
     * @throws RuleViolation if the group is closed or not in this container, or this IOMMU has ended
     * @throws VfioException {@code ENODEV} if the group has no such device on a VFIO driver, or what opening it gives
     */
    public Device openDevice(Group group, PciAddress address) {
        group.lock.lock();
        try {
            Rule.check(contract, Operation.GROUP_GET_DEVICE_FD, new Facts() {
                @Override
                public boolean handleOpen() {
                    return !group.closed();
                }

                @Override
                public boolean groupInContainer() {
                    return group.container != null;
                }

                @Override
                public boolean groupInThisContainer() {
                    return group.container == container;
                }

                @Override
                public boolean iommuSet() {
                    return !ended;
                }
            });
            DevicePort port;
            try {
                port = group.port.openDevice(address.toString());
            } catch (VfioException e) {
                throw e.withDetail(Diagnosis.ofGroup(kernel, group.number()));
            }
            try {
                Device device = new Device(this, group, port, port.info(), address.toString());
                group.add(device);
                return device;
            } catch (RuntimeException e) {
                port.close();
                throw e;
            }
        } finally {
            group.lock.unlock();
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
        return allocate(-1, bytes, access);
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
        if (iova == -1) { // the mark for "any"; misaligned in any case
            throw new RuleViolation(Rule.MAP_ALIGNED, Operation.IOMMU_MAP_DMA, "IOVA 0xffffffffffffffff");
        }
        return allocate(iova, bytes, access);
    }

    private DmaBuffer allocate(long wantedIova, long bytes, Access access) {
        if (bytes < 0 || bytes > Long.MAX_VALUE / 2) {
            throw new IllegalArgumentException("a size in bytes between 1 and 2^62, not " + bytes);
        }
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_MAP_DMA, new Facts() { // what needs no question to the kernel
                @Override
                public boolean iommuSet() {
                    return !ended;
                }

                @Override
                public long size() {
                    return bytes == 0 ? 0 : granule();
                }
            });
            Type1Info now = limits();
            long granule = Math.max(kernel.pageSize(), now.granule());
            long size = (bytes + granule - 1) / granule * granule;
            long iova = wantedIova == -1 ? freeIova(size) : wantedIova;
            Rule.check(contract, Operation.IOMMU_MAP_DMA, request(iova, size, now.granule()));
            DmaBuffer buffer = DmaBuffer.allocate(kernel, this, iova, size, access);
            try {
                container.port.mapDma(iova, buffer.segment().address(), size, access.flags());
            } catch (RuntimeException e) {
                buffer.freeMemory();
                throw e;
            }
            mappings.put(iova, buffer);
            return buffer;
        } finally {
            lock.unlock();
        }
    }

    /** Unmaps a buffer unless it is unmapped; when this returns, no device can reach it. */
    void unmap(DmaBuffer buffer) {
        lock.lock();
        try {
            if (mappings.get(buffer.iova()) != buffer) {
                return;
            }
            long unmapped = container.port.unmapDma(buffer.iova(), buffer.size());
            if (Long.compareUnsigned(unmapped, buffer.size()) < 0) {
                throw new VfioException(
                        Operation.IOMMU_UNMAP_DMA,
                        Errno.EINVAL,
                        "the kernel unmapped %d of %d bytes at IOVA 0x%x; the memory is kept"
                                .formatted(unmapped, buffer.size(), buffer.iova()));
            }
            mappings.remove(buffer.iova());
        } finally {
            lock.unlock();
        }
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

    private Facts request(long iova, long size, long granule) {
        return new Facts() {
            @Override
            public boolean iommuSet() {
                return !ended;
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
            public boolean overlapsMapping() {
                Map.Entry<Long, DmaBuffer> below = mappings.floorEntry(iova + size - 1);
                return below != null && Long.compareUnsigned(end(below.getValue()), iova) > 0;
            }

            @Override
            public boolean insideIovaRange() {
                List<IovaRange> ranges = limits().ranges();
                IovaRange wanted = new IovaRange(iova, iova + size - 1);
                return ranges.isEmpty() || ranges.stream().anyMatch(range -> range.contains(wanted));
            }
        };
    }
}
