package io.github.vfio4j.sim;

import java.util.Optional;

/**
 * The behaviour of a simulated mediated device: its driver plays a device, and does DMA, if any, on its behalf. It looks
 * like a PCI device with the nine regions of vfio-pci, none of which can be mapped, and has one interrupt, INTx or MSI.
 *
 * <p>The device is powered while it is open. One call comes at a time.
 */
public interface MediatedModel {
    /**
     * Returns the size of a region.
     *
     * @param index the region: 0 to 5 are BARs, 7 is configuration space
     * @return bytes, always the same; 0 for a region that it lacks
     */
    long size(int index);

    /**
     * The device was opened: start from the state after a reset.
     *
     * @param bus the way to its interrupt
     */
    void powerOn(MediatedBus bus);

    /** The device was closed. */
    void powerOff();

    /**
     * A read of a region.
     *
     * @param index the region
     * @param offset bytes from its start, a multiple of {@code width}
     * @param width 1, 2 or 4 bytes
     * @return the value
     */
    long read(int index, long offset, int width);

    /**
     * A write to a region.
     *
     * @param index the region
     * @param offset bytes from its start, a multiple of {@code width}
     * @param width 1, 2 or 4 bytes
     * @param value the value
     */
    void write(int index, long offset, int width, long value);

    /**
     * Returns what a move to another machine takes along (migration). The device stands still.
     *
     * @return the state; empty for a device that cannot be moved
     */
    default Optional<byte[]> save() {
        return Optional.empty();
    }

    /**
     * Returns how much of a saved state never changes. It travels ahead, while the device works (pre-copy).
     *
     * @return how many of the first bytes of {@link #save}, always the same
     */
    default int earlyBytes() {
        return 0;
    }

    /**
     * Takes over a state that was saved. The device stands still.
     *
     * @param state what came
     * @return false if that is no state of such a device
     */
    default boolean load(byte[] state) {
        return false;
    }
}
