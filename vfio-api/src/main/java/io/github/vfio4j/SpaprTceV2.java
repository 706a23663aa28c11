package io.github.vfio4j;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * PowerPC's second IOMMU interface ({@code VFIO_SPAPR_TCE_v2_IOMMU}); from {@link Container#setSpaprTceV2}. The program
 * makes windows besides the default one, and memory is registered before it is mapped: that pins it and counts it against
 * the limit on locked memory. The memory of a {@link DmaBuffer} the library registers itself, unless it lies in memory that
 * the program {@linkplain #registerMemory registered}, and takes that back when the last buffer of it closes. A program
 * registers memory that KVM maps for a virtual machine, and memory whose parts it maps: parts that overlap, or that are
 * no whole pages of the machine, Linux would not register.
 */
public final class SpaprTceV2 extends SpaprTce {
    // Guarded by lock.
    private final Map<Long, Piece> pieces = new HashMap<>(); // what the library registered for buffers, by IOVA
    private final Map<Piece, Integer> buffersOf = new HashMap<>(); // how many of them have the same one
    private final TreeMap<Long, MemorySegment> registered = new TreeMap<>(); // what the program did, by address

    /** Memory of the program, by its address in it. */
    private record Piece(long address, long size) {}

    SpaprTceV2(Container container) {
        super(container);
    }

    @Override
    public SpaprVersion version() {
        return SpaprVersion.V2;
    }

    /**
     * Registers memory for DMA ({@code VFIO_IOMMU_SPAPR_REGISTER_MEMORY}): pins it. It stays so until
     * {@link #unregisterMemory} or the end of this IOMMU; keep its arena open as long.
     *
     * @param memory native memory that can be written; address and size are multiples of the machine's page
     * @throws IllegalArgumentException if it is not
     * @throws RuleViolation if this IOMMU has ended
     * @throws VfioException {@code EBUSY} if just this is registered, {@code EINVAL} if it overlaps what is,
     *     {@code ENOMEM} over the limit on locked memory, {@code EFAULT} if there is no memory
     */
    public void registerMemory(MemorySegment memory) {
        Objects.requireNonNull(memory, "memory");
        lock.lock();
        try {
            checkAlive(Operation.SPAPR_REGISTER_MEMORY);
            long page = machinePage();
            if (!memory.isNative() || memory.isReadOnly()) {
                throw new IllegalArgumentException("the kernel needs native memory that can be written");
            }
            if (memory.byteSize() == 0 || ((memory.address() | memory.byteSize()) & (page - 1)) != 0) {
                throw new IllegalArgumentException("address and size are multiples of %d bytes, not 0x%x and %d"
                        .formatted(page, memory.address(), memory.byteSize()));
            }
            port().registerMemory(memory.address(), memory.byteSize());
            registered.put(memory.address(), memory);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes a registration back ({@code VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY}).
     *
     * @param memory what was registered, as a whole
     * @throws IllegalArgumentException if it was not, or not any more
     * @throws RuleViolation if this IOMMU has ended
     * @throws VfioException {@code EBUSY} while some of it is mapped
     */
    public void unregisterMemory(MemorySegment memory) {
        Objects.requireNonNull(memory, "memory");
        lock.lock();
        try {
            checkAlive(Operation.SPAPR_UNREGISTER_MEMORY);
            MemorySegment known = registered.get(memory.address());
            if (known == null || known.byteSize() != memory.byteSize()) {
                throw new IllegalArgumentException("the memory is not registered (any more)");
            }
            port().unregisterMemory(memory.address(), memory.byteSize());
            registered.remove(memory.address());
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes a window for all groups of the container ({@code VFIO_IOMMU_SPAPR_TCE_CREATE}). The platform chooses where it
     * begins. Its table takes memory, which counts against the limit on locked memory.
     *
     * @param pageSize bytes, one of {@link SpaprInfo.DynamicWindows#pageSizes}
     * @param size bytes, a power of two, at least one page
     * @param levels of the table, at least 1 and at most {@link SpaprInfo.DynamicWindows#levels}
     * @return the window
     * @throws IllegalArgumentException if one of these is something else
     * @throws UnsupportedOperationException if the kernel tells of no windows that can be made
     * @throws RuleViolation if this IOMMU has ended
     * @throws VfioException {@code ENOSPC} if there are as many windows as can be, {@code ENOMEM} over the limit on locked
     *     memory, {@code EPERM} if the platform makes none, {@code EINVAL} if it makes none such
     */
    public SpaprWindow createWindow(long pageSize, long size, int levels) {
        lock.lock();
        try {
            checkAlive(Operation.SPAPR_CREATE_WINDOW);
            SpaprInfo.DynamicWindows possible = port().info()
                    .dynamicWindows()
                    .orElseThrow(() -> new UnsupportedOperationException("no windows can be made"));
            if (Long.bitCount(pageSize) != 1 || (possible.pageSizes() & pageSize) == 0) {
                throw new IllegalArgumentException(
                        "a window has pages of one of the sizes 0x%x, not %d".formatted(possible.pageSizes(), pageSize));
            }
            if (Long.bitCount(size) != 1 || Long.compareUnsigned(size, pageSize) < 0) {
                throw new IllegalArgumentException(
                        "a window has a power of two of bytes, at least %d, not %d".formatted(pageSize, size));
            }
            if (levels < 1 || levels > possible.levels()) {
                throw new IllegalArgumentException(
                        "a window's table has 1 to %d levels, not %d".formatted(possible.levels(), levels));
            }
            knownWindows(); // the default one, before there is another
            long start = port().createWindow(Long.numberOfTrailingZeros(pageSize), size, levels);
            SpaprWindow window = new SpaprWindow(new IovaRange(start, start + size - 1), pageSize, levels);
            add(window);
            return window;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Removes a window from all groups of the container ({@code VFIO_IOMMU_SPAPR_TCE_REMOVE}). The default one can be
     * removed, too, where the platform allows it.
     *
     * @param window one of {@link #windows}
     * @throws IllegalArgumentException if it is none of them
     * @throws IllegalStateException while buffers are mapped there
     * @throws RuleViolation if this IOMMU has ended
     * @throws VfioException {@code EPERM} if the platform does not let it go
     */
    public void removeWindow(SpaprWindow window) {
        Objects.requireNonNull(window, "window");
        lock.lock();
        try {
            checkAlive(Operation.SPAPR_REMOVE_WINDOW);
            if (!knownWindows().contains(window)) {
                throw new IllegalArgumentException(window + " is no window of this IOMMU (any more)");
            }
            if (!isEmpty(window)) {
                throw new IllegalStateException("memory is mapped in " + window + ": close these buffers first");
            }
            port().removeWindow(window.range().first());
            remove(window);
        } finally {
            lock.unlock();
        }
    }

    @Override
    void mapInKernel(long iova, long address, long size, Access access) {
        Piece piece = new Piece(address, size);
        boolean byProgram = isRegistered(piece);
        boolean first = !byProgram && !buffersOf.containsKey(piece);
        if (first) {
            port().registerMemory(address, size);
        }
        try {
            container.port.mapDma(iova, address, size, access.flags());
        } catch (RuntimeException e) {
            if (first) {
                Teardown.after(e, () -> port().unregisterMemory(address, size));
            }
            throw e;
        }
        if (!byProgram) {
            pieces.put(iova, piece);
            buffersOf.merge(piece, 1, Integer::sum);
        }
    }

    /** Does it lie in memory that the program registered? */
    private boolean isRegistered(Piece piece) {
        Map.Entry<Long, MemorySegment> below = registered.floorEntry(piece.address);
        return below != null && piece.address - below.getKey() + piece.size <= below.getValue().byteSize();
    }

    /** The memory is kept if a step fails; a second time does what is left. */
    @Override
    void unmapInKernel(DmaBuffer buffer) {
        super.unmapInKernel(buffer);
        Piece piece = pieces.get(buffer.iova());
        if (piece != null && buffersOf.get(piece) == 1) {
            port().unregisterMemory(piece.address, piece.size);
        }
        forgotten(buffer);
    }

    /** What is left at the end, the kernel takes back itself. */
    @Override
    void forgotten(DmaBuffer buffer) {
        Piece piece = pieces.remove(buffer.iova());
        if (piece != null) {
            buffersOf.computeIfPresent(piece, (_, buffers) -> buffers == 1 ? null : buffers - 1);
        }
    }
}
