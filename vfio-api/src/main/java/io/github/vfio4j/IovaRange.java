package io.github.vfio4j;

import java.util.Objects;

/**
 * A range of IO virtual addresses, both ends included. Addresses are unsigned.
 *
 * @param first the first address
 * @param last the last address
 */
public record IovaRange(long first, long last) {
    /**
     * Makes a range.
     *
     * @throws IllegalArgumentException if {@code last} is below {@code first} (unsigned)
     */
    public IovaRange {
        if (Long.compareUnsigned(last, first) < 0) {
            throw new IllegalArgumentException("an IOVA range that ends before it starts: " + text(first, last));
        }
    }

    /**
     * Tells whether a range lies wholly inside this one.
     *
     * @param that the other range
     * @return true if every address of {@code that} is in this range
     */
    public boolean contains(IovaRange that) {
        Objects.requireNonNull(that, "that");
        return Long.compareUnsigned(first, that.first) <= 0 && Long.compareUnsigned(that.last, last) <= 0;
    }

    /** Returns both ends in hexadecimal, such as {@code 0x0-0xfedfffff}. */
    @Override
    public String toString() {
        return text(first, last);
    }

    private static String text(long first, long last) {
        return "0x" + Long.toHexString(first) + "-0x" + Long.toHexString(last);
    }
}
