package io.github.vfio4j;

/**
 * The interrupt indexes of an adjunct processor of s390 ({@code VFIO_AP_..._IRQ_INDEX} of linux/vfio.h), one interrupt
 * each; Linux 6.1 has none of them. The library watches none of them by itself. Such a device has no regions: it has these
 * and its reset. Linux triggers none of them by hand ({@link Interrupt#trigger} is answered with {@code EINVAL}).
 *
 * <p>Tested on made bytes alone: no such machine was at hand.
 */
public enum ApIrq {
    /** Fires when the host asks for the device back. Close the device then. */
    REQ("REQ"),
    /** Fires when the adapters, domains or control domains of the device changed. Linux 6.12 lacks it. */
    CFG_CHG("CFG_CHG");

    private final String title;

    ApIrq(String title) {
        this.title = title;
    }

    /**
     * Returns the index.
     *
     * @return the number in linux/vfio.h
     */
    public int index() {
        return ordinal();
    }

    /** Returns the name for people, such as {@code REQ}. */
    @Override
    public String toString() {
        return title;
    }
}
