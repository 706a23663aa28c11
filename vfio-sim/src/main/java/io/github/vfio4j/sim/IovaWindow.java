package io.github.vfio4j.sim;

import io.github.vfio4j.IovaRange;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * The IOVAs that can be mapped (Linux: iova_list of struct vfio_iommu): what all IOMMUs of a container reach, without
 * what a group reserves. Empty until a group with an IOMMU joined: then everything can be mapped.
 *
 * @param ranges the ranges, ascending
 */
record IovaWindow(List<IovaRange> ranges) {
    static final IovaWindow EMPTY = new IovaWindow(List.of());

    IovaWindow {
        ranges = List.copyOf(ranges);
    }

    boolean isEmpty() {
        return ranges.isEmpty();
    }

    /** Can a range be mapped? */
    boolean allows(IovaRange wanted) {
        return isEmpty() || ranges.stream().anyMatch(range -> range.contains(wanted));
    }

    /** Does an IOMMU that reaches up to an IOVA lie apart from this window, or not reach what is mapped? */
    boolean conflicts(long lastIova, Predicate<IovaRange> mapped) {
        if (isEmpty()) {
            return false;
        }
        long last = ranges.getLast().last();
        return Long.compareUnsigned(lastIova, ranges.getFirst().first()) < 0
                || Long.compareUnsigned(lastIova, last) < 0 && mapped.test(new IovaRange(lastIova + 1, last));
    }

    /** The part of the window that an IOMMU reaches. */
    IovaWindow upTo(long lastIova) {
        if (isEmpty()) {
            return new IovaWindow(List.of(new IovaRange(0, lastIova)));
        }
        List<IovaRange> parts = new ArrayList<>();
        for (IovaRange range : ranges) {
            if (Long.compareUnsigned(lastIova, range.last()) > 0) {
                parts.add(range);
            } else if (Long.compareUnsigned(lastIova, range.first()) > 0) {
                parts.add(new IovaRange(range.first(), lastIova));
            }
        }
        return new IovaWindow(parts);
    }

    IovaWindow without(List<IovaRange> reserved) {
        List<IovaRange> parts = ranges;
        for (IovaRange hole : reserved) {
            List<IovaRange> rest = new ArrayList<>();
            for (IovaRange part : parts) {
                if (Long.compareUnsigned(hole.first(), part.last()) > 0
                        || Long.compareUnsigned(hole.last(), part.first()) < 0) {
                    rest.add(part);
                    continue;
                }
                if (Long.compareUnsigned(hole.first(), part.first()) > 0) {
                    rest.add(new IovaRange(part.first(), hole.first() - 1));
                }
                if (Long.compareUnsigned(hole.last(), part.last()) < 0) {
                    rest.add(new IovaRange(hole.last() + 1, part.last()));
                }
            }
            parts = rest;
        }
        return new IovaWindow(parts);
    }

    /** A group left: the window reaches up to an IOVA again, and only what the others reserve is left out. */
    IovaWindow refreshed(long lastIova, List<IovaRange> reserved) {
        if (isEmpty()) {
            return this;
        }
        IovaWindow whole = new IovaWindow(List.of(new IovaRange(ranges.getFirst().first(), lastIova))).without(reserved);
        return whole.isEmpty() ? this : whole;
    }
}
