package io.github.vfio4j;

/** What a device may be able to do beyond the rest, one for each {@code VFIO_DEVICE_FEATURE_...}. */
public enum DeviceFeature {
    /** A token that opens the virtual functions of a physical one. */
    PCI_VF_TOKEN,
    /** Moving the device's state to another machine. */
    MIGRATION,
    /** The states in which a move goes. */
    MIG_DEVICE_STATE,
    /** Low power until left. */
    LOW_POWER_ENTRY,
    /** Low power until the device wakes, which is told. */
    LOW_POWER_ENTRY_WITH_WAKEUP,
    /** Leaving low power. */
    LOW_POWER_EXIT,
    /** The device's own log of the memory that it wrote. */
    DMA_LOGGING_START,
    /** Ending that log. */
    DMA_LOGGING_STOP,
    /** Reading that log. */
    DMA_LOGGING_REPORT,
    /** How much there is to move. Since Linux 6.2. */
    MIG_DATA_SIZE,
    /** Bus mastering where no configuration space has the bit. Since Linux 6.6. */
    BUS_MASTER,
    /** Sharing parts of BARs with other devices. Since Linux 6.19. */
    DMA_BUF,
    /** Being told when what was said about a move starts anew. Since Linux 7. */
    MIG_PRECOPY_INFO_V2
}
