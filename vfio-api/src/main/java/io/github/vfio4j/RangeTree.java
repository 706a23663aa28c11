package io.github.vfio4j;

/**
 * Ranges of IOVAs that do not overlap, each with what is there, in a balanced tree by address. Every range knows the longest one
 * below it. All operations take a number of steps that is logarithmic in the number of ranges. Addresses are unsigned. For one
 * thread at a time.
 *
 * @param <V> what is in a range
 */
final class RangeTree<V> {
    Range<V> root;
    private long made; // ranges so far

    /** A range, and the ranges around it: a treap, a tree by address and a heap by weight. */
    static final class Range<V> {
        final V value;
        private final int weight;
        long first;
        long last;
        /** The longest range from here on down, as its last address less its first. */
        long longest;

        private Range<V> parent;
        Range<V> left;
        Range<V> right;

        private Range(long first, long last, V value, int weight) {
            this.first = first;
            this.last = last;
            this.longest = last - first;
            this.value = value;
            this.weight = weight;
        }

        /** Returns whether the longest range changed. */
        private boolean update() {
            long most = last - first;
            if (left != null && Long.compareUnsigned(left.longest, most) > 0) {
                most = left.longest;
            }
            if (right != null && Long.compareUnsigned(right.longest, most) > 0) {
                most = right.longest;
            }
            boolean changed = longest != most;
            longest = most;
            return changed;
        }
    }

    boolean isEmpty() {
        return root == null;
    }

    /** Returns the last range that begins at or before an address, or null. */
    Range<V> floor(long address) {
        Range<V> found = null;
        Range<V> range = root;
        while (range != null) {
            if (Long.compareUnsigned(address, range.first) < 0) {
                range = range.left;
            } else {
                found = range;
                range = range.right;
            }
        }
        return found;
    }

    /** Returns the range that an address is in, or null. */
    Range<V> at(long address) {
        Range<V> range = floor(address);
        return range == null || Long.compareUnsigned(address, range.last) > 0 ? null : range;
    }

    /** Returns the lowest range, or null. */
    Range<V> lowest() {
        return root == null ? null : lowest(root);
    }

    private static <V> Range<V> lowest(Range<V> range) {
        Range<V> lowest = range;
        while (lowest.left != null) {
            lowest = lowest.left;
        }
        return lowest;
    }

    /** Returns the range that follows a range, or null. */
    Range<V> next(Range<V> range) {
        if (range.right != null) {
            return lowest(range.right);
        }
        Range<V> below = range;
        while (below.parent != null && below.parent.right == below) {
            below = below.parent;
        }
        return below.parent;
    }

    /** Adds a range that overlaps none; returns it. */
    Range<V> add(long first, long last, V value) {
        Range<V> range = new Range<>(first, last, value, mix(made++));
        Range<V> parent = null;
        Range<V> place = root;
        boolean left = false;
        while (place != null) {
            parent = place;
            left = Long.compareUnsigned(first, place.first) < 0;
            place = left ? place.left : place.right;
        }
        range.parent = parent;
        if (parent == null) {
            root = range;
        } else if (left) {
            parent.left = range;
        } else {
            parent.right = range;
        }
        while (range.parent != null && range.parent.weight < range.weight) {
            lift(range);
        }
        updateFrom(range.parent);
        return range;
    }

    /** Removes a range of the tree. */
    void remove(Range<V> range) {
        while (range.left != null && range.right != null) {
            lift(range.left.weight > range.right.weight ? range.left : range.right);
        }
        Range<V> child = range.left != null ? range.left : range.right;
        replace(range, child);
        updateFrom(range.parent);
    }

    /** Moves the ends of a range of the tree, which stays between its neighbours. */
    void resize(Range<V> range, long first, long last) {
        range.first = first;
        range.last = last;
        updateFrom(range);
    }

    /** Puts a range above its parent; what is above both is not updated. */
    private void lift(Range<V> range) {
        Range<V> parent = range.parent;
        replace(parent, range);
        Range<V> between;
        if (parent.left == range) {
            between = range.right;
            parent.left = between;
            range.right = parent;
        } else {
            between = range.left;
            parent.right = between;
            range.left = parent;
        }
        if (between != null) {
            between.parent = parent;
        }
        parent.parent = range;
        parent.update();
        range.update();
    }

    /** Puts another range, or none, where a range hangs. */
    private void replace(Range<V> range, Range<V> other) {
        Range<V> parent = range.parent;
        if (parent == null) {
            root = other;
        } else if (parent.left == range) {
            parent.left = other;
        } else {
            parent.right = other;
        }
        if (other != null) {
            other.parent = parent;
        }
    }

    /** Updates a range and those above, as far as something changes. */
    private static <V> void updateFrom(Range<V> range) {
        Range<V> changed = range;
        while (changed != null && changed.update()) {
            changed = changed.parent;
        }
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

    private static int height(Range<?> range) {
        return range == null ? 0 : 1 + Math.max(height(range.left), height(range.right));
    }
}
