package io.github.vfio4j.examples;

import java.util.Locale;

/** Numbers as people write them, the same in every locale. */
final class Sizes {
    private static final String[] UNITS = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private Sizes() {}

    /** Bytes in the largest unit that gives a whole number, such as 64 KiB. */
    static String text(long bytes) {
        int unit = bytes == 0 ? 0 : Math.min(Long.numberOfTrailingZeros(bytes) / 10, UNITS.length - 1);
        return (bytes >> 10 * unit) + " " + UNITS[unit];
    }

    /** A number with its thousands apart, such as 65,536. */
    static String count(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    /** Nanoseconds as milliseconds, such as 1.5 ms. */
    static String milliseconds(long nanos) {
        return String.format(Locale.ROOT, "%.1f ms", nanos / 1e6);
    }
}
