package io.github.vfio4j.sim;

import java.util.List;

/**
 * The behaviour of a simulated PCI function. Write one to test a driver without its hardware.
 *
 * <p>A model is powered while its device is open: {@link #powerOn} comes with the first open, {@link #powerOff} with the
 * last close, {@link #reset} between them. These three never overlap. A BAR that can be mapped is plain memory that
 * driver and model share ({@link PciBus#bar}): the model polls it, from a thread of its own that it starts in powerOn and
 * has ended when powerOff returns, and parks it when nothing happens. A BAR that cannot be mapped is read and written
 * through {@link #read} and {@link #write}, one call for each access, so that an access may have effects.
 */
public interface PciModel {
    /**
     * Returns what configuration space says the function is.
     *
     * @return the identity, always the same
     */
    PciIdentity identity();

    /**
     * Returns the base address registers that the function has.
     *
     * @return the BARs, always the same
     */
    List<PciBar> bars();

    /**
     * Returns how many MSI-X vectors the function has. Their table lies in a BAR of its own that the machine adds: one
     * that {@link #bars} leaves free.
     *
     * @return 0 to 2048, always the same; 0 for no MSI-X
     */
    default int vectors() {
        return 0;
    }

    /**
     * Returns how many MSI vectors the function has.
     *
     * @return 0, 1, 2, 4, 8, 16 or 32, always the same; 0 for no MSI
     */
    default int msiVectors() {
        return 0;
    }

    /**
     * Returns the pin by which the function asserts its interrupt line (INTx).
     *
     * @return 1 to 4 for INTA to INTD, always the same; 0 for no line
     */
    default int interruptPin() {
        return 0;
    }

    /**
     * Returns whether the function can mask its line on its own and tells whether it asserts it (DisINTx and the interrupt
     * status of PCI 2.3). Where not, it needs a line that it shares with nobody.
     *
     * @return true if it can, always the same
     */
    default boolean masksLine() {
        return true;
    }

    /**
     * Returns whether the function is a PCI Express one: with 4096 bytes of configuration space, power states, a reset of
     * the function by a write there, and extended capabilities (advanced error reporting, a serial number).
     *
     * @return true if it is, always the same
     */
    default boolean express() {
        return false;
    }

    /**
     * Returns the vendor-specific capabilities that configuration space lists (identifier 9), as virtio devices have them.
     *
     * @return for each what follows its identifier and the pointer to the next, always the same; the first byte is the
     *     length of the capability with these two
     */
    default List<byte[]> vendorCapabilities() {
        return List.of();
    }

    /**
     * Returns whether the function can be reset on its own. Where not, VFIO_DEVICE_RESET fails with EINVAL.
     *
     * @return true if it can, always the same
     */
    default boolean resettable() {
        return true;
    }

    /**
     * The device was opened: start from the state after a reset. Nothing to do for a device that does nothing by itself.
     *
     * @param bus the way to memory and to interrupts
     */
    default void powerOn(PciBus bus) {}

    /** The device was reset by its driver ({@code VFIO_DEVICE_RESET}). Mapped BARs keep their address. */
    default void reset() {}

    /** The device was closed: when this returns, the model touches neither BARs nor memory. */
    default void powerOff() {}

    /**
     * A read of a BAR that cannot be mapped.
     *
     * @param bar the BAR's index
     * @param offset bytes from its start, a multiple of {@code width}
     * @param width 1, 2, 4 or 8 bytes
     * @return the value
     */
    default long read(int bar, long offset, int width) {
        return -1;
    }

    /**
     * A write to a BAR that cannot be mapped.
     *
     * @param bar the BAR's index
     * @param offset bytes from its start, a multiple of {@code width}
     * @param width 1, 2, 4 or 8 bytes
     * @param value the value
     */
    default void write(int bar, long offset, int width, long value) {}
}
