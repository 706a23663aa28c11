package io.github.vfio4j;

import io.github.vfio4j.spi.DmaFilePort;
import io.github.vfio4j.spi.Kernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Memory that one buffer has, or several in different address spaces. The last one gives it back. */
final class DmaMemory {
    private final Kernel kernel;
    private final long address;
    private final long size;
    private final boolean ofFile;
    // Guarded by this.
    private int users;
    private AddressRange range; // null if nobody accesses the memory by its address

    private DmaMemory(Kernel kernel, long address, long size, boolean ofFile) {
        this.kernel = kernel;
        this.address = address;
        this.size = size;
        this.ofFile = ofFile;
        this.users = 1;
    }

    /** Memory as its first user sees it. */
    record Seen(DmaMemory memory, MemorySegment segment) {}

    /** Gets zeroed memory for a first user. */
    static Seen allocate(Kernel kernel, long size, PageSize pages, Arena arena) {
        MemorySegment segment = kernel.allocate(size, pages, arena);
        return new Seen(new DmaMemory(kernel, segment.address(), size, false), segment);
    }

    /** Maps a file's memory for a first user. It stays when the file is closed. */
    static Seen map(Kernel kernel, DmaFilePort file, Arena arena) {
        MemorySegment segment = file.map(arena);
        return new Seen(new DmaMemory(kernel, segment.address(), segment.byteSize(), true), segment);
    }

    boolean ofFile() {
        return ofFile;
    }

    /** Lets another user see the memory; the caller keeps it from being given back meanwhile. */
    MemorySegment share(Arena arena) {
        MemorySegment segment = kernel.view(address, size, arena);
        synchronized (this) {
            users++;
        }
        return segment;
    }

    /** Lets a user access the memory by its address. */
    synchronized Mapping map() {
        if (range == null) {
            range = new AddressRange(kernel, address, size);
        }
        return new Mapping(kernel, range, size, true);
    }

    /** A user ends; no device reaches the memory by it any more. */
    void release() {
        synchronized (this) {
            if (users > 1) {
                users--;
                return;
            }
            if (range != null) {
                kernel.vacate(address, size);
                range.release();
                range = null; // we do not keep it reachable
                return;
            }
        }
        kernel.free(address, size);
    }
}
