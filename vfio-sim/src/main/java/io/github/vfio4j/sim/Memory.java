package io.github.vfio4j.sim;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Optional;

/**
 * Physical memory of the machine: what an anonymous mmap got, or the memory of a BAR. Pages that were given back are
 * gone: devices that still reach for them fault. (Linux would keep pinned pages for the device; but a driver that gives
 * memory back under its device has a bug, and shall hear of it.) The memory of a BAR that is gone stays for as long as this
 * object is reachable: a program that closes its device may have threads that are about to touch it. All methods are safe
 * from any thread.
 */
final class Memory {
    static final long PAGE = 4096;

    private final Arena arena; // null if the memory ends when nobody refers to it
    private final MemorySegment segment;
    private final boolean ram;
    private final long alignment;
    private final Runnable end;
    private final BitSet gone = new BitSet(); // by page; guarded by this

    private Memory(Arena arena, long bytes, boolean ram, long alignment, Runnable end) {
        this.arena = arena;
        this.ram = ram;
        this.alignment = alignment;
        this.end = end;
        try {
            this.segment = (arena == null ? Arena.ofAuto() : arena).allocate(bytes, alignment);
        } catch (RuntimeException | Error e) {
            if (arena != null) {
                arena.close();
            }
            throw e;
        }
    }

    /** Allocates zeroed memory of a program. */
    static Memory ofProgram(long bytes) {
        return new Memory(Arena.ofShared(), bytes, true, PAGE, () -> {});
    }

    /**
     * Allocates zeroed memory of a program, made of huge pages.
     *
     * @param page the size of one
     * @param end what to do when it has all been given back
     */
    static Memory ofHugePages(long bytes, long page, Runnable end) {
        return new Memory(Arena.ofShared(), bytes, true, page, end);
    }

    /** Allocates the zeroed memory of a BAR. */
    static Memory ofBar(long bytes) {
        return new Memory(null, bytes, false, PAGE, () -> {});
    }

    /** Allocates the zeroed memory of a file. What is mapped of it keeps it, and so does what devices reach. */
    static Memory ofFile(long bytes, long page) {
        return new Memory(null, bytes, true, page, () -> {});
    }

    /** Is it RAM, which counts when it is pinned? */
    boolean isRam() {
        return ram;
    }

    long address() {
        return segment.address();
    }

    MemorySegment segment() {
        return segment;
    }

    /** Returns a part of it, unless it is gone. */
    synchronized Optional<MemorySegment> live(long offset, long bytes) {
        int page = gone.nextSetBit(Math.toIntExact(offset / PAGE));
        return page >= 0 && page * PAGE < offset + bytes ? Optional.empty() : Optional.of(segment.asSlice(offset, bytes));
    }

    /** Gives whole pages back; the memory ends with its last page. */
    synchronized void giveBack(long offset, long bytes) {
        leave(offset, bytes);
        free();
    }

    /** Takes whole pages from the program and its devices, and keeps them for a thread that touches them too late. */
    synchronized void leave(long offset, long bytes) {
        boolean before = allGone();
        gone.set(Math.toIntExact(offset / PAGE), Math.toIntExact((offset + bytes + PAGE - 1) / PAGE));
        if (!before && allGone()) {
            end.run();
        }
    }

    private boolean allGone() {
        return gone.cardinality() == (segment.byteSize() + PAGE - 1) / PAGE;
    }

    /** Frees the memory if all of it is gone. */
    synchronized void free() {
        if (arena != null && allGone() && arena.scope().isAlive()) {
            arena.close();
        }
    }

    /** The size of the pages that it is made of. */
    long pageSize() {
        return alignment;
    }

    void giveBackAll() {
        giveBack(0, segment.byteSize());
    }
}
