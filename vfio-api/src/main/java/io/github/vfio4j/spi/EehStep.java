package io.github.vfio4j.spi;

/** What a {@code VFIO_EEH_PE_OP} does that has neither argument nor answer. */
public enum EehStep {
    /** {@code VFIO_EEH_PE_DISABLE}. */
    DISABLE,
    /** {@code VFIO_EEH_PE_ENABLE}. */
    ENABLE,
    /** {@code VFIO_EEH_PE_UNFREEZE_IO}. */
    UNFREEZE_IO,
    /** {@code VFIO_EEH_PE_UNFREEZE_DMA}. */
    UNFREEZE_DMA,
    /** {@code VFIO_EEH_PE_RESET_DEACTIVATE}. */
    RESET_DEACTIVATE,
    /** {@code VFIO_EEH_PE_RESET_HOT}. */
    RESET_HOT,
    /** {@code VFIO_EEH_PE_RESET_FUNDAMENTAL}. */
    RESET_FUNDAMENTAL,
    /** {@code VFIO_EEH_PE_CONFIGURE}. */
    CONFIGURE
}
