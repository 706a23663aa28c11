package io.github.vfio4j;

/** The state of a partitionable endpoint of PowerPC ({@code VFIO_EEH_PE_STATE_...} of linux/vfio.h); from {@link Eeh#state}. */
public enum PeState {
    /** It works. */
    NORMAL(0),
    /** It is being reset. */
    RESET(1),
    /** DMA and I/O are stopped: it is frozen. */
    STOPPED(2),
    /** DMA is stopped, registers can be read. */
    STOPPED_DMA(4),
    /** Not known now: the host is at it. Ask again. */
    UNAVAILABLE(5);

    private final int number;

    PeState(int number) {
        this.number = number;
    }

    /**
     * Returns the number in {@code linux/vfio.h}.
     *
     * @return the number
     */
    public int number() {
        return number;
    }
}
