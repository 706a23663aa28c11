package io.github.vfio4j.spi;

/** What a {@code VFIO_DEVICE_SET_IRQS} does, {@code VFIO_IRQ_SET_ACTION_...}. */
public enum IrqAction {
    /** Masks interrupts. */
    MASK,
    /** Unmasks interrupts, or says by what event they are to be unmasked. */
    UNMASK,
    /** Raises interrupts, or says what event they are to raise. */
    TRIGGER
}
