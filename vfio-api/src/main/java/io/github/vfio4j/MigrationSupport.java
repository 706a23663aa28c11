package io.github.vfio4j;

/** What a device that can be moved is able to do ({@code VFIO_MIGRATION_...}). */
public enum MigrationSupport {
    /** Its state can be read while it is stopped. */
    STOP_COPY,
    /** It has the states whose names end with P2P. */
    P2P,
    /** Its state can be read while it works, to begin with. */
    PRE_COPY
}
