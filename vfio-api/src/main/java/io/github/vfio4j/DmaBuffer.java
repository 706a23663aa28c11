package io.github.vfio4j;

import io.github.vfio4j.spi.Kernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Function;

/**
 * Memory that devices reach at an IOVA. The memory stays until no device can reach it any more: closing unmaps it from
 * the IOMMU first, then ends the segment, then gives the memory back. What the program {@linkplain AddressSpace#map brought}
 * stays the program's: closing unmaps it and does no more.
 *
 * <p>The segment may be used from any thread. What a device writes or reads while the program runs (rings, completions)
 * needs ordered accesses, never plain ones: a {@link #slice} has them. Ring the doorbell with
 * {@link Mmio#write32Release}.
 */
public final class DmaBuffer implements AutoCloseable {
    private final DmaMemory memory; // null for what the program brought
    private final AddressSpace iommu;
    private final MemorySegment segment;
    private final Arena arena; // null for what the program brought
    private final long iova;
    private final Access access;
    private final Object lock = new Object();
    // Guarded by lock.
    private Mapping mapping; // what the slices are parts of; null without any
    private volatile boolean freed; // and read without it
    RangeTree.Range<DmaBuffer> mapped; // where; null if nowhere; guarded by the address space's lock

    private DmaBuffer(DmaMemory memory, AddressSpace iommu, MemorySegment segment, Arena arena, long iova, Access access) {
        this.memory = memory;
        this.iommu = iommu;
        this.segment = segment;
        this.arena = arena;
        this.iova = iova;
        this.access = access;
    }

    static DmaBuffer allocate(
            Kernel kernel, AddressSpace iommu, long iova, long size, Access access, PageSize pages) {
        return make(arena -> DmaMemory.allocate(kernel, size, pages, arena), iommu, iova, access);
    }

    static DmaBuffer map(Kernel kernel, AddressSpace iommu, long iova, DmaFile file, Access access) {
        return make(arena -> DmaMemory.map(kernel, file.port, arena), iommu, iova, access);
    }

    /** A buffer of memory that the program brought. */
    static DmaBuffer of(MemorySegment memory, AddressSpace iommu, long iova, Access access) {
        return new DmaBuffer(null, iommu, memory, null, iova, access);
    }

    private static DmaBuffer make(
            Function<Arena, DmaMemory.Seen> get, AddressSpace iommu, long iova, Access access) {
        Arena arena = Arena.ofShared();
        try {
            DmaMemory.Seen seen = get.apply(arena);
            return new DmaBuffer(seen.memory(), iommu, seen.segment(), arena, iova, access);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** Makes a buffer of the same memory in another address space. This one stays mapped until it is made. */
    DmaBuffer share(AddressSpace other, long otherIova, Access otherAccess) {
        if (memory == null) {
            return of(segment, other, otherIova, otherAccess);
        }
        Arena another = Arena.ofShared();
        try {
            return new DmaBuffer(memory, other, memory.share(another), another, otherIova, otherAccess);
        } catch (RuntimeException e) {
            another.close();
            throw e;
        }
    }

    /**
     * Returns the memory as the program sees it. Slices of it cost nothing.
     *
     * @return {@link #size} bytes; any access after the close throws {@link IllegalStateException}, unless the program
     *     brought the memory
     */
    public MemorySegment segment() {
        return segment;
    }

    /**
     * Returns the address of the first byte as devices see it.
     *
     * @return the IOVA, unsigned; byte {@code n} of the segment is at {@code iova() + n}
     */
    public long iova() {
        return iova;
    }

    /**
     * Returns where in the buffer an IOVA is, such as one that a device reports: the offset in {@link #segment}.
     *
     * @param iova the devices' address
     * @return bytes from the start
     * @throws IndexOutOfBoundsException if it is not in this buffer
     * @throws IllegalStateException if, besides, the buffer is closed
     */
    public long offsetOf(long iova) {
        long offset = iova - this.iova;
        if (Long.compareUnsigned(offset, size()) >= 0) {
            checkOpen();
            throw new IndexOutOfBoundsException("IOVA 0x%x is not in the %s".formatted(iova, this));
        }
        return offset;
    }

    /**
     * Returns the size, which may be more than was asked for.
     *
     * @return bytes
     */
    public long size() {
        return segment.byteSize();
    }

    /**
     * Returns a part of the memory for a program and a device to use at the same time. What is kept of it lasts as long
     * as the buffer: make slices when a driver starts, not for each packet.
     *
     * @param offset where it begins, a multiple of 8
     * @param size bytes
     * @return the slice
     * @throws IndexOutOfBoundsException if the buffer ends before
     * @throws IllegalArgumentException if the offset is misaligned
     * @throws IllegalStateException if the buffer is closed
     * @throws UnsupportedOperationException if the program brought the memory: use the {@link #segment}
     */
    public DmaSlice slice(long offset, long size) {
        synchronized (lock) {
            checkOpen();
            if (memory == null) {
                throw new UnsupportedOperationException(
                        "the library cannot hold on to memory that the program brought: use the segment");
            }
            MemorySegment part = segment.asSlice(offset, size);
            if (offset % Long.BYTES != 0) {
                throw new IllegalArgumentException("a slice begins at a multiple of 8, not at " + offset);
            }
            if (mapping == null) {
                mapping = memory.map();
            }
            return new DmaSlice(part, iova + offset, mapping.part(offset, size));
        }
    }

    private void checkOpen() {
        if (arena == null ? freed : !arena.scope().isAlive()) {
            throw new IllegalStateException(this + " is closed");
        }
    }

    AddressSpace space() {
        return iommu;
    }

    /** Is it memory of a file? */
    boolean ofFile() {
        return memory.ofFile();
    }

    /**
     * Returns what devices may do with the memory.
     *
     * @return the access
     */
    public Access access() {
        return access;
    }

    /**
     * Unmaps the memory from the IOMMU ({@code VFIO_IOMMU_UNMAP_DMA}, {@code IOMMU_IOAS_UNMAP}) and gives it back. Idempotent; also done when the
     * IOMMU ends. When this returns without an exception, no device reaches the memory.
     *
     * @throws VfioException if the kernel does not unmap it; the memory is kept then
     * @throws IllegalStateException if a native call keeps using the segment for 10 seconds; the memory is unmapped from
     *     the IOMMU then, and a second close may free it
     */
    @Override
    public void close() {
        iommu.unmap(this);
        freeMemory();
    }

    /** No device reaches the memory any more. */
    void freeMemory() {
        synchronized (lock) {
            if (freed) {
                return;
            }
            if (memory != null) {
                Teardown.close(arena);
                if (mapping != null) {
                    mapping.end();
                }
                memory.release();
            }
            freed = true;
            iommu.freed(this);
        }
    }

    /** Names it by its IOVAs. */
    @Override
    public String toString() {
        return "buffer at IOVA 0x%x to 0x%x".formatted(iova, iova + segment.byteSize() - 1);
    }
}
