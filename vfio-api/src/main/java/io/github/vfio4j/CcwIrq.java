package io.github.vfio4j;

/**
 * The interrupt indexes of a channel device of s390 ({@code VFIO_CCW_..._IRQ_INDEX} of linux/vfio.h), one interrupt each.
 * The library watches none of them by itself.
 *
 * <p>Tested on made bytes alone: no such machine was at hand.
 */
public enum CcwIrq {
    /** Fires when the subchannel has a status: read it with {@link Ccw#read}. */
    IO("I/O"),
    /** Fires when there is a channel report word: take it with {@link Ccw#takeReport}. */
    CRW("CRW"),
    /** Fires when the host asks for the device back. Close the device then. */
    REQ("REQ");

    private final String title;

    CcwIrq(String title) {
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

    /** Returns the name for people, such as {@code I/O}. */
    @Override
    public String toString() {
        return title;
    }
}
