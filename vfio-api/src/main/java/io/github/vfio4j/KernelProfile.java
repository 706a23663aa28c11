package io.github.vfio4j;

/**
 * A line of Linux kernels whose VFIO answers alike. Where the lines differ, {@linkplain Rule#errno(KernelProfile) rules}
 * say how.
 */
public enum KernelProfile {
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
        return compareTo(other) < 0;
    }

    /** Returns the name for people, such as {@code Linux 6.12}. */
    @Override
    public String toString() {
        return title;
    }
}
