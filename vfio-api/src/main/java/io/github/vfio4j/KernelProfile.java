package io.github.vfio4j;

import java.util.Objects;

/**
 * A line of kernels whose VFIO answers alike. Where the lines differ, {@linkplain Rule#errno(KernelProfile) rules}
 * say how.
 */
public enum KernelProfile {
    /**
     * No Linux of today: VFIO by its documents of 2013 to 2017, for a simulated kernel. An external user of a group counts
     * like an open device, it is taken only from a protected group, and a group that is not viable may be in a container
     * but gives no device. What the documents do not say is as in {@link #V6_1}.
     */
    DOCUMENTS("VFIO by its documents of 2013 to 2017"),
    /** Linux 6.1 as Debian maintains it: groups and containers alone. */
    V6_1("Linux 6.1"),
    /** Linux 6.12. */
    V6_12("Linux 6.12"),
    /** Linux 7.2. */
    V7_2("Linux 7.2");

    private final String title;

    KernelProfile(String title) {
        this.title = title;
    }

    /**
     * Is this line older than another?
     *
     * @param other the other line
     * @return true if it is older
     */
    public boolean isBefore(KernelProfile other) {
        Objects.requireNonNull(other, "other");
        return compareTo(other) < 0;
    }

    /** Returns the name for people, such as {@code Linux 6.12}. */
    @Override
    public String toString() {
        return title;
    }
}
