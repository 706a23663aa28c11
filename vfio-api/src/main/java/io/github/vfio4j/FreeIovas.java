package io.github.vfio4j;

/**
 * The IOVAs at which nothing is mapped, as a balanced tree of ranges by address, in which every node knows the longest range
 * below it. All operations take a number of steps that is logarithmic in the number of ranges, but for a search for huge
 * pages, which may look at ranges that are long enough and lie badly. Addresses are unsigned. For one thread at a time.
 */
final class FreeIovas {
    /** What {@link #find} returns when there is no place. No range that is found ends at the very top. */
    static final long NONE = -1;

    private Range root = new Range(0, -1);
    private long made; // ranges so far

    /** A range, and the ranges around it: a treap, a tree by address and a heap by weight. */
    private static final class Range {
        long first;
        long last;
        /** The longest range from here on down, as its last address less its first. */
        long longest;
        int weight;
        Range left;
        Range right;

        Range(long first, long last) {
            this.first = first;
            this.last = last;
            this.longest = last - first;
        }

        void update() {
            longest = longer(last - first, longer(longest(left), longest(right)));
        }
    }

    /** Two ranges, or trees of them: those before an address, and the others. */
    private record Halves(Range below, Range above) {}

    /**
     * Finds the lowest place.
     *
     * @param size how many addresses in a row
     * @param unit what the first one is a multiple of, a power of two
     * @param within where
     * @return the first address, or {@link #NONE}
     */
    long find(long size, long unit, IovaRange within) {
        return find(root, size - 1, unit, within.first(), within.last());
    }

    /** The same with the size less one, so that all addresses are a size, too. */
    private static long find(Range range, long more, long unit, long lowest, long highest) {
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
        Range range = at(first);
        if (range == null || Long.compareUnsigned(range.last, last) < 0) {
            throw new IllegalArgumentException("not free: " + new IovaRange(first, last));
        }
        long rest = range.last;
        if (range.first == first && rest == last) {
            remove(range);
        } else if (range.first == first) {
            resize(first, last + 1, rest);
        } else {
            resize(range.first, range.first, first - 1);
            if (rest != last) {
                insert(last + 1, rest);
            }
        }
    }

    /** Gives a range back, nothing of which is free. */
    void give(long first, long last) {
        Range below = first == 0 ? null : at(first - 1);
        Range above = last == -1 ? null : at(last + 1);
        if (below != null && above != null) {
            remove(above);
            resize(below.first, below.first, above.last);
        } else if (below != null) {
            resize(below.first, below.first, last);
        } else if (above != null) {
            resize(above.first, first, above.last);
        } else {
            insert(first, last);
        }
    }

    /** Returns the free range that an address is in, or null. */
    private Range at(long address) {
        Range range = root;
        while (range != null) {
            if (Long.compareUnsigned(address, range.first) < 0) {
                range = range.left;
            } else if (Long.compareUnsigned(address, range.last) > 0) {
                range = range.right;
            } else {
                return range;
            }
        }
        return null;
    }

    /** Moves the ends of the range that begins at an address, which stays between its neighbours. */
    private void resize(long key, long first, long last) {
        resize(root, key, first, last);
    }

    private static void resize(Range range, long key, long first, long last) {
        int order = Long.compareUnsigned(key, range.first);
        if (order < 0) {
            resize(range.left, key, first, last);
        } else if (order > 0) {
            resize(range.right, key, first, last);
        } else {
            range.first = first;
            range.last = last;
        }
        range.update();
    }

    private void insert(long first, long last) {
        Range range = new Range(first, last);
        range.weight = mix(made++);
        Halves around = split(root, first);
        root = merge(merge(around.below(), range), around.above());
    }

    private void remove(Range range) {
        Halves around = split(root, range.first);
        root = merge(around.below(), range.last == -1 ? null : split(around.above(), range.last + 1).above());
    }

    /** Splits by where ranges begin. */
    private static Halves split(Range range, long address) {
        if (range == null) {
            return new Halves(null, null);
        }
        if (Long.compareUnsigned(range.first, address) < 0) {
            Halves right = split(range.right, address);
            range.right = right.below();
            range.update();
            return new Halves(range, right.above());
        }
        Halves left = split(range.left, address);
        range.left = left.above();
        range.update();
        return new Halves(left.below(), range);
    }

    /** Joins two trees, all ranges of the one below all of the other. */
    private static Range merge(Range below, Range above) {
        if (below == null || above == null) {
            return below == null ? above : below;
        }
        if (below.weight > above.weight) {
            below.right = merge(below.right, above);
            below.update();
            return below;
        }
        above.left = merge(below, above.left);
        above.update();
        return above;
    }

    private static long longest(Range range) {
        return range == null ? 0 : range.longest;
    }

    private static long longer(long one, long other) {
        return Long.compareUnsigned(one, other) > 0 ? one : other;
    }

    /** Weights that look like chance and are the same in every run. */
    private static int mix(long number) {
        long z = (number + 1) * 0x9e37_79b9_7f4a_7c15L;
        return (int) ((z ^ z >>> 32) * 0xd6e8_feb8_6659_fd93L >>> 32);
    }

    /** Returns how many ranges lie on the longest way down. */
    int height() {
        return height(root);
    }

    private static int height(Range range) {
        return range == null ? 0 : 1 + Math.max(height(range.left), height(range.right));
    }
}
