package io.github.vfio4j.sim;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A mapping of an address space of an iommufd (Linux: struct iopt_area): a part of some pages. */
final class Area extends IoMapping {
    final DmaPages pages;

    /** Where in the pages it starts, in bytes. */
    final long start;

    /** How many queues of hardware are in it: it stays mapped while there is one. */
    int queues;

    Area(long iova, long size, int access, DmaPages pages, long start) {
        super(iova, size, access);
        this.pages = pages;
        this.start = start;
    }

    /** A part of it, with the same pages. */
    Area part(long first, long last) {
        return new Area(first, last - first + 1, access, pages, start + (first - iova));
    }

    void pin() {
        pages.pin(start, size);
    }

    void unpin() {
        pages.unpin(start, size);
    }

    @Override
    Optional<MemorySegment> memory(long offset, long bytes) {
        return pages.memory(start + offset, bytes);
    }
}
