package io.github.vfio4j;

import io.github.vfio4j.RangeTree.Range;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.Kernel;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * An IO address space: what devices can reach, by IOVA. A driver maps its memory here, whichever way its devices were
 * opened: {@link Type1} is the one of a container's groups ({@link SpaprTce} on PowerPC), {@link Ioas} one of an iommufd.
 * Where no IOMMU translates there is none: {@link NoIommu}.
 *
 * <p>All methods are safe from any thread.
 */
public abstract sealed class AddressSpace permits Type1, SpaprTce, Ioas {
    /**
     * Where the library places what is mapped. Not at 0, which many devices take for "none"; and not at the very top, where
     * Linux before 7 does not find a mapping again.
     */
    private static final long LOWEST_PLACE = 0x10000;

    private static final long HIGHEST_PLACE = -2;
    private static final IovaRange EVERYTHING = new IovaRange(0, -1);

    final ReentrantLock lock = new ReentrantLock();
    final Contract contract;
    private final Vfio vfio;
    private final Kernel kernel;
    private final Operation map;
    private final Operation unmap;
    // Guarded by lock.
    private final RangeTree<DmaBuffer> mappings = new RangeTree<>();
    private final FreeIovas free = new FreeIovas();
    private volatile boolean ended;

    /**
     * Makes one without mappings.
     *
     * @param map what maps memory in the kernel
     * @param unmap what takes it out
     */
    AddressSpace(Vfio vfio, Operation map, Operation unmap) {
        this.vfio = vfio;
        this.kernel = vfio.kernel();
        this.contract = vfio.contract();
        this.map = map;
        this.unmap = unmap;
    }

    // ---- what differs; the lock is held in all of them

    /** What needs no question to the kernel. */
    abstract Facts alive();

    /** Refuses what is asked of an address space that has ended. */
    void checkAlive(Operation operation) {
        Rule.check(contract, operation, alive());
    }

    /** A range that is to be mapped or unmapped. */
    Facts request(long iova, long size) {
        return request(iova, 0, size);
    }

    /** A range that is to be mapped, and the memory that is to be there. */
    abstract Facts request(long iova, long address, long size);

    /** The smallest page, as the kernel said. */
    abstract long smallestPage();

    /** What can be mapped, as the kernel said; empty for everything. */
    abstract List<IovaRange> usable();

    /** Where the library may place what is mapped. */
    List<IovaRange> places() {
        return usable();
    }

    /** Does the kernel find what it is asked to unmap? */
    abstract boolean finds(long iova, long size);

    abstract void mapInKernel(long iova, long address, long size, Access access);

    /** Returns how many bytes the kernel unmapped. */
    abstract long unmapInKernel(long iova, long size);

    /** Returns how many bytes the kernel unmapped. */
    abstract long unmapAllInKernel();

    /** A group joined or left the container: ask the kernel again. The lock is not held. */
    void limitsChanged() {}

    /** Does a buffer have no address, so that no group may join? The lock is not held. */
    boolean addressMissing() {
        return false;
    }

    /** A buffer is mapped no more. */
    void forgotten(DmaBuffer buffer) {}

    // ---- limits

    /**
     * Asks the kernel which IOVAs can be mapped. They change when devices come or go.
     *
     * @return the ranges now, ascending; empty when the kernel names none, and then all can
     * @throws RuleViolation if this address space has ended
     */
    public abstract List<IovaRange> ranges();

    /**
     * Asks the kernel for the smallest page: the unit of every mapping.
     *
     * @return bytes, a power of two
     * @throws RuleViolation if this address space has ended
     */
    public abstract long granule();

    // ---- mapping

    /**
     * Gets memory that devices can reach, at an IOVA of the library's choice ({@code mmap}; {@code VFIO_IOMMU_MAP_DMA}
     * or {@code IOMMU_IOAS_MAP}).
     * The memory is zeroed, pinned, and rounded up to whole pages.
     *
     * <p>Allocate once and slice: each buffer costs system calls, one of the container's limited mappings, and its own
     * shared arena, whose close stops all threads for a moment.
     *
     * @param bytes the size
     * @param access what the devices may do
     * @return the buffer
     * @throws RuleViolation if this address space has ended or {@code bytes} is 0
     * @throws VfioException {@code ENOMEM} over the limit on locked memory or without memory, {@code ENOSPC} without
     *     a free mapping or a free range of IOVAs
     */
    public DmaBuffer allocate(long bytes, Access access) {
        return allocate(bytes, access, PageSize.BASE);
    }

    /**
     * Gets memory of given pages; otherwise as {@link #allocate(long, Access)}. Of huge pages, the size is rounded up to whole
     * ones, and the IOVA is aligned as they are.
     *
     * @param bytes the size
     * @param access what the devices may do
     * @param pages what the memory is made of
     * @return the buffer
     * @throws RuleViolation as {@link #allocate(long, Access)}
     * @throws VfioException besides, {@code ENOMEM} if too few huge pages are reserved, {@code EINVAL} if the machine has none
     *     of that size
     */
    public DmaBuffer allocate(long bytes, Access access, PageSize pages) {
        return allocate(OptionalLong.empty(), EVERYTHING, bytes, access, pages);
    }

    /**
     * Gets memory at IOVAs in a given range, such as the only ones that a device can name ({@link IovaRange#ofBits}).
     *
     * @param within where; the library chooses the lowest place that is free, never one below 64 KiB or at the very top
     * @param bytes the size
     * @param access what the devices may do
     * @return the buffer
     * @throws RuleViolation as {@link #allocate(long, Access)}
     * @throws VfioException as {@link #allocate(long, Access)}, {@code ENOSPC} if all of the range is taken
     */
    public DmaBuffer allocateWithin(IovaRange within, long bytes, Access access) {
        return allocateWithin(within, bytes, access, PageSize.BASE);
    }

    /**
     * Gets memory of given pages at IOVAs in a given range; otherwise as {@link #allocateWithin(IovaRange, long, Access)} and
     * {@link #allocate(long, Access, PageSize)}.
     *
     * @param within where
     * @param bytes the size
     * @param access what the devices may do
     * @param pages what the memory is made of
     * @return the buffer
     * @throws RuleViolation as {@link #allocate(long, Access)}
     * @throws VfioException as {@link #allocate(long, Access, PageSize)}, {@code ENOSPC} if all of the range is taken
     */
    public DmaBuffer allocateWithin(IovaRange within, long bytes, Access access, PageSize pages) {
        Objects.requireNonNull(within, "within");
        return allocate(OptionalLong.empty(), within, bytes, access, pages);
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
        return allocateAt(iova, bytes, access, PageSize.BASE);
    }

    /**
     * Gets memory of given pages at a given IOVA; otherwise as {@link #allocateAt(long, long, Access)}. Only where the IOVA is
     * aligned as the pages are does the IOMMU profit from huge ones.
     *
     * @param iova the devices' address, a multiple of the IOMMU's smallest page
     * @param bytes the size
     * @param access what the devices may do
     * @param pages what the memory is made of
     * @return the buffer
     * @throws RuleViolation as {@link #allocateAt(long, long, Access)}
     * @throws VfioException as {@link #allocate(long, Access, PageSize)}
     */
    public DmaBuffer allocateAt(long iova, long bytes, Access access, PageSize pages) {
        return allocate(OptionalLong.of(iova), EVERYTHING, bytes, access, pages);
    }

    /**
     * Maps memory that the program has, such as a file's or that of a library in C, at an IOVA of the library's choice
     * ({@code VFIO_IOMMU_MAP_DMA} or {@code IOMMU_IOAS_MAP}). It is pinned: its pages stay until it is unmapped, even if the
     * program gives the memory back before, and devices reach pages then that nobody else sees. Close the buffer first.
     *
     * <p>This costs one system call, and the close one more: no memory is got or given back, and no thread is stopped. But
     * nobody holds the program off from giving the memory back while other threads use it, so there are no
     * {@linkplain DmaBuffer#slice slices} of it.
     *
     * @param memory memory outside of the Java heap, from its first byte to its last a multiple of the smallest page
     * @param access what the devices may do
     * @return a buffer of this memory, whose close unmaps it from the IOMMU and leaves it to the program
     * @throws RuleViolation if this address space has ended, or the memory is misaligned or empty
     * @throws IllegalArgumentException if the memory is in the Java heap, or only to be read and devices may write
     * @throws IllegalStateException if the memory's arena is closed
     * @throws VfioException {@code EFAULT} if it is no memory, or the program itself may not write there and devices may;
     *     {@code ENOMEM} over the limit on locked memory, {@code ENOSPC} without a free mapping or a free range of IOVAs
     */
    public DmaBuffer map(MemorySegment memory, Access access) {
        return map(OptionalLong.empty(), memory, access);
    }

    /**
     * Maps memory that the program has at a given IOVA; otherwise as {@link #map(MemorySegment, Access)}. With the memory's
     * own address as the IOVA, program and devices use the same addresses, as far as the IOMMU reaches.
     *
     * @param iova the devices' address, a multiple of the IOMMU's smallest page
     * @param memory memory outside of the Java heap
     * @param access what the devices may do
     * @return a buffer of this memory
     * @throws RuleViolation as {@link #map(MemorySegment, Access)}, or if the range is misaligned, overlaps a mapping or is
     *     outside what the IOMMU can map
     * @throws IllegalArgumentException as {@link #map(MemorySegment, Access)}
     * @throws IllegalStateException as {@link #map(MemorySegment, Access)}
     * @throws VfioException as {@link #map(MemorySegment, Access)}
     */
    public DmaBuffer mapAt(long iova, MemorySegment memory, Access access) {
        return map(OptionalLong.of(iova), memory, access);
    }

    private DmaBuffer map(OptionalLong wantedIova, MemorySegment memory, Access access) {
        Objects.requireNonNull(memory, "memory");
        Objects.requireNonNull(access, "access");
        if (!memory.isNative()) {
            throw new IllegalArgumentException("memory of the Java heap moves about: map native memory");
        }
        if (memory.isReadOnly() && access != Access.READ) {
            throw new IllegalArgumentException("the program may only read this memory, so devices may not write it");
        }
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("the arena of the memory is closed");
        }
        long size = memory.byteSize();
        lock.lock();
        try {
            if (ended()) {
                checkAlive(map); // a look at many rules for one question
            }
            long iova = wantedIova.isPresent() || size == 0 ? wantedIova.orElse(0) : freeIova(size, smallestPage());
            Rule.check(contract, map, request(iova, memory.address(), size));
            return keep(DmaBuffer.of(memory, this, iova, access), () -> mapInKernel(iova, memory.address(), size, access));
        } finally {
            lock.unlock();
        }
    }

    private DmaBuffer allocate(
            OptionalLong wantedIova, IovaRange within, long bytes, Access access, PageSize pages) {
        Objects.requireNonNull(access, "access");
        Objects.requireNonNull(pages, "pages");
        if (bytes < 0 || bytes > Long.MAX_VALUE / 2) {
            throw new IllegalArgumentException("a size in bytes between 1 and 2^62, not " + bytes);
        }
        lock.lock();
        try {
            checkAlive(map);
            if (bytes == 0) {
                Rule.check(contract, map, request(wantedIova.orElse(0), 0));
            }
            long unit = Math.max(pages.hugeBytes(), Math.max(kernel.pageSize(), smallestPage()));
            long size = (bytes + unit - 1) / unit * unit;
            long iova = wantedIova.isPresent() ? wantedIova.getAsLong() : freeIova(within, size, unit);
            Rule.check(contract, map, request(iova, size));
            DmaBuffer buffer = DmaBuffer.allocate(kernel, this, iova, size, access, pages);
            return keep(buffer, () -> mapInKernel(iova, buffer.segment().address(), size, access));
        } finally {
            lock.unlock();
        }
    }

    /** Keeps a buffer that a call maps; gives its memory back if that fails. The lock is held. */
    DmaBuffer keep(DmaBuffer buffer, Runnable mapping) {
        try {
            mapping.run();
        } catch (RuntimeException e) {
            buffer.freeMemory();
            throw e;
        }
        buffer.mapped = mappings.add(buffer.iova(), buffer.iova() + buffer.size() - 1, buffer);
        free.take(buffer.mapped.first, buffer.mapped.last);
        vfio.opened(buffer);
        return buffer;
    }

    /**
     * Finds the lowest free range; the lock is held.
     *
     * @param unit what its start is a multiple of, a power of two
     */
    long freeIova(long size, long unit) {
        return freeIova(EVERYTHING, size, unit);
    }

    private long freeIova(IovaRange within, long size, long unit) {
        List<IovaRange> ranges = places();
        for (IovaRange range : ranges.isEmpty() ? List.of(EVERYTHING) : ranges) {
            long first = higher(LOWEST_PLACE, higher(range.first(), within.first()));
            long last = lower(HIGHEST_PLACE, lower(range.last(), within.last()));
            if (Long.compareUnsigned(first, last) <= 0) {
                long found = free.find(size, unit, new IovaRange(first, last));
                if (found != FreeIovas.NONE) {
                    return found;
                }
            }
        }
        throw new VfioException(
                map, Errno.ENOSPC, "no %d bytes of free IOVAs in a row in %s within %s".formatted(size, ranges, within));
    }

    private static long higher(long one, long other) {
        return Long.compareUnsigned(one, other) > 0 ? one : other;
    }

    private static long lower(long one, long other) {
        return Long.compareUnsigned(one, other) < 0 ? one : other;
    }

    // ---- unmapping

    /**
     * Unmaps a range ({@code VFIO_IOMMU_UNMAP_DMA}, {@code IOMMU_IOAS_UNMAP}) and closes the buffers that were mapped there. The range may hold
     * several buffers and gaps, and cuts none.
     *
     * @param iova where the range starts, a multiple of the IOMMU's smallest page
     * @param size bytes, a multiple of the smallest page
     * @return how many bytes were unmapped: look at this, 0 is no error
     * @throws RuleViolation if the range is misaligned, empty, wraps or cuts a buffer, or this address space has ended
     * @throws VfioException if the kernel unmaps another number of bytes; all memory is kept then
     */
    public long unmap(long iova, long size) {
        lock.lock();
        try {
            checkAlive(unmap);
            Rule.check(contract, unmap, request(iova, size));
            List<DmaBuffer> gone = finds(iova, size) ? inRange(iova, size) : List.of();
            return unmap(gone, () -> unmapInKernel(iova, size));
        } finally {
            lock.unlock();
        }
    }

    /**
     * Unmaps everything ({@code VFIO_DMA_UNMAP_FLAG_ALL}, {@code IOMMU_IOAS_UNMAP}) and closes all buffers.
     *
     * @return how many bytes were unmapped
     * @throws RuleViolation if this address space has ended
     * @throws VfioException if the kernel unmaps another number of bytes; all memory is kept then
     */
    public long unmapAll() {
        lock.lock();
        try {
            checkAlive(unmap);
            return unmap(all(), this::unmapAllInKernel);
        } finally {
            lock.unlock();
        }
    }

    /** Unmaps a buffer unless it is unmapped; when this returns, no device can reach it. */
    void unmap(DmaBuffer buffer) {
        lock.lock();
        try {
            if (buffer.mapped != null) {
                checkUnmapped(buffer, unmapInKernel(buffer.iova(), buffer.size()));
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
        free(gone);
        return unmapped;
    }

    private static void free(List<DmaBuffer> buffers) {
        Teardown teardown = new Teardown();
        buffers.forEach(buffer -> teardown.step(buffer::freeMemory));
        teardown.finish();
    }

    /** Keeps the memory if the kernel did not unmap exactly this. */
    void checkUnmapped(DmaBuffer gone, long unmapped) {
        if (unmapped != gone.size()) {
            throw notUnmapped(gone, unmapped, gone.size());
        }
    }

    private void checkUnmapped(List<DmaBuffer> gone, long unmapped) {
        long expected = 0;
        for (DmaBuffer buffer : gone) {
            expected += buffer.size();
        }
        if (unmapped != expected) {
            throw notUnmapped(gone, unmapped, expected);
        }
    }

    private VfioException notUnmapped(Object gone, long unmapped, long expected) {
        return new VfioException(
                unmap,
                Errno.EIO,
                "the kernel unmapped %d of %d bytes: %s; the memory is kept".formatted(unmapped, expected, gone));
    }

    /** The lock is held. */
    void forget(DmaBuffer buffer) {
        Range<DmaBuffer> range = buffer.mapped;
        buffer.mapped = null;
        mappings.remove(range);
        free.give(range.first, range.last);
        forgotten(buffer);
    }

    /** The memory of a buffer was given back. */
    void freed(DmaBuffer buffer) {
        vfio.closed(buffer);
    }

    // ---- its end

    /** Has it ended, and all mappings with it? */
    boolean ended() {
        return ended;
    }

    /** Ends with a step of the kernel by which it drops all mappings. If {@code last} throws, nothing has changed. */
    void end(Runnable last) {
        lock.lock();
        try {
            last.run();
            ended = true;
            List<DmaBuffer> dropped = all();
            dropped.forEach(this::forget);
            free(dropped);
        } finally {
            lock.unlock();
        }
    }

    /** Ends while the kernel keeps it: unmaps one by one, and keeps the memory of what cannot be unmapped. */
    void release() {
        lock.lock();
        try {
            Teardown teardown = new Teardown();
            for (DmaBuffer buffer : all()) {
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

    // ---- what is mapped; the lock is held

    boolean isEmpty() {
        return mappings.isEmpty();
    }

    boolean isMapped(DmaBuffer buffer) {
        return buffer.space() == this && buffer.mapped != null;
    }

    void checkMapped(DmaBuffer buffer) {
        if (!isMapped(buffer)) {
            throw new IllegalArgumentException(buffer + " is not mapped in this IOMMU (any more)");
        }
    }

    /** Every buffer. */
    List<DmaBuffer> all() {
        return inRange(0, 0); // which ends at the very top
    }

    /** The buffers that start in a range. */
    List<DmaBuffer> inRange(long iova, long size) {
        List<DmaBuffer> buffers = new ArrayList<>();
        Range<DmaBuffer> below = iova == 0 ? null : mappings.floor(iova - 1);
        Range<DmaBuffer> range = below == null ? mappings.lowest() : mappings.next(below);
        while (range != null && Long.compareUnsigned(range.first, iova + size - 1) <= 0) {
            buffers.add(range.value);
            range = mappings.next(range);
        }
        return buffers;
    }

    /** Does a buffer begin before an IOVA and reach over it? */
    boolean startsBefore(long iova) {
        Range<DmaBuffer> range = mappings.at(iova);
        return range != null && range.first != iova;
    }

    /** Does a buffer reach over the end of a range? */
    private boolean reachesOut(long iova, long size) {
        Range<DmaBuffer> range = mappings.at(iova + size - 1);
        return range != null && range.last != iova + size - 1;
    }

    boolean overlaps(long iova, long size) {
        Range<DmaBuffer> below = mappings.floor(iova + size - 1);
        return below != null && Long.compareUnsigned(below.last, iova) >= 0;
    }

    boolean cuts(long iova, long size) {
        return startsBefore(iova) || reachesOut(iova, size);
    }

    boolean insideUsable(long iova, long size) {
        List<IovaRange> ranges = usable();
        IovaRange wanted = new IovaRange(iova, iova + size - 1);
        for (IovaRange range : ranges) { // every mapping comes by here; a stream costs hundreds of instructions
            if (range.contains(wanted)) {
                return true;
            }
        }
        return ranges.isEmpty();
    }
}
