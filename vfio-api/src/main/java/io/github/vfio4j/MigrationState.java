package io.github.vfio4j;

/** The state of a device in a move to another machine ({@code enum vfio_device_mig_state}). */
public enum MigrationState {
    /** The device failed in a change of its state: reset it. It cannot be asked for. */
    ERROR,
    /** It does nothing. */
    STOP,
    /** It works as always. */
    RUNNING,
    /** It does nothing, and its state is read from the stream. */
    STOP_COPY,
    /** Its state is written to the stream. */
    RESUMING,
    /** It works, but starts nothing towards other devices. */
    RUNNING_P2P,
    /** It works, and its state is read meanwhile. */
    PRE_COPY,
    /** Both of these. */
    PRE_COPY_P2P;

    /** May a device in this state be asked to go to another? What else stands in between, the kernel walks through. */
    boolean leadsTo(MigrationState next) {
        boolean precopy = next == PRE_COPY || next == PRE_COPY_P2P;
        return this != ERROR && next != ERROR && !(precopy && this == STOP_COPY);
    }
}
