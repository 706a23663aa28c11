package io.github.vfio4j;

import io.github.vfio4j.RangeTree.Range;

/**
 * The IOVAs at which nothing is mapped. All operations take a number of steps that is logarithmic in the number of free ranges,
 * but for a search for huge pages, which may look at ranges that are long enough and lie badly. Addresses are unsigned. For one
 * thread at a time.
 */
final class FreeIovas {
    /** What {@link #find} returns when there is no place. No range that is found ends at the very top. */
    static final long NONE = -1;

    private final RangeTree<Void> ranges = new RangeTree<>();

    FreeIovas() {
        ranges.add(0, -1, null);
    }

    /**
     * Finds the lowest place.
     *
     * @param size how many addresses in a row
     * @param unit what the first one is a multiple of, a power of two
     * @param within where
     * @return the first address, or {@link #NONE}
     */
    long find(long size, long unit, IovaRange within) {
        return find(ranges.root, size - 1, unit, within.first(), within.last());
    }

    /** The same with the size less one, so that all addresses are a size, too. */
    private static long find(Range<Void> top, long more, long unit, long lowest, long highest) {
        Range<Void> range = top;
        while (range != null && Long.compareUnsigned(range.longest, more) >= 0) {
            if (Long.compareUnsigned(range.first, lowest) > 0) {
                long found = find(range.left, more, unit, lowest, highest);
                if (found != NONE) {
                    return found;
                }
            }
            long start = Long.compareUnsigned(range.first, lowest) > 0 ? range.first : lowest;
            long aligned = start + unit - 1 & -unit;
            long last = Long.compareUnsigned(range.last, highest) < 0 ? range.last : highest;
            if (Long.compareUnsigned(aligned, start) >= 0 // there is a multiple
                    && Long.compareUnsigned(aligned, last) <= 0
                    && Long.compareUnsigned(last - aligned, more) >= 0) {
                return aligned;
            }
            if (Long.compareUnsigned(range.last, highest) >= 0) {
                return NONE;
            }
            range = range.right;
        }
        return NONE;
    }

    /** Takes a range, all of which is free. */
    void take(long first, long last) {
        Range<Void> range = ranges.at(first);
        if (range == null || Long.compareUnsigned(range.last, last) < 0) {
            throw new IllegalArgumentException("not free: " + new IovaRange(first, last));
        }
        long rest = range.last;
        if (range.first == first && rest == last) {
            ranges.remove(range);
        } else if (range.first == first) {
            ranges.resize(range, last + 1, rest);
        } else {
            ranges.resize(range, range.first, first - 1);
            if (rest != last) {
                ranges.add(last + 1, rest, null);
            }
        }
    }

    /** Gives a range back, nothing of which is free. */
    void give(long first, long last) {
        Range<Void> before = ranges.floor(first);
        Range<Void> after = before == null ? ranges.lowest() : ranges.next(before);
        Range<Void> below = before != null && before.last == first - 1 ? before : null;
        Range<Void> above = after != null && after.first == last + 1 ? after : null;
        if (below != null && above != null) {
            // One of two neighbours has the other above it in the tree and is cheap to remove.
            if (above.left == null) {
                ranges.remove(above);
                ranges.resize(below, below.first, above.last);
            } else {
                ranges.remove(below);
                ranges.resize(above, below.first, above.last);
            }
        } else if (below != null) {
            ranges.resize(below, below.first, last);
        } else if (above != null) {
            ranges.resize(above, first, above.last);
        } else {
            ranges.add(first, last, null);
        }
    }

    /** Returns how many ranges lie on the longest way down. */
    int height() {
        return ranges.height();
    }
}
