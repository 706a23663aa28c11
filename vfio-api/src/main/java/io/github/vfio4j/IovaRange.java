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
     * Returns all that a device can name whose addresses have so many bits.
     *
     * @param bits 1 to 64
     * @return from 0 on
     * @throws IllegalArgumentException if no address has so many bits
     */
    public static IovaRange ofBits(int bits) {
        if (bits < 1 || bits > Long.SIZE) {
            throw new IllegalArgumentException("an address of 1 to 64 bits, not " + bits);
        }
        return new IovaRange(0, -1L >>> Long.SIZE - bits);
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
