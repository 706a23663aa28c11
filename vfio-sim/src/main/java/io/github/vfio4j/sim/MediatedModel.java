package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_PCI_NUM_REGIONS;
import static io.github.vfio4j.sim.DeviceFile.REGION_SHIFT;

import io.github.vfio4j.RegionInfo;
import java.util.Optional;

/**
 * The behaviour of a simulated mediated device: its driver plays a device, and does DMA, if any, on its behalf. It looks
 * like a PCI device with the nine regions of vfio-pci, or more, and may have one interrupt, INTx or MSI, and a screen.
 *
 * <p>The device is powered while it is open. One call comes at a time.
 */
public interface MediatedModel {
    /**
     * Returns how many regions it counts.
     *
     * @return 9 or more, always the same
     */
    default int regions() {
        return VFIO_PCI_NUM_REGIONS();
    }

    /**
     * Tells whether it knows a region; some drivers know more than they count.
     *
     * @param index the region
     * @return true if the kernel tells of it
     */
    default boolean hasRegion(int index) {
        return index >= 0 && index < regions();
    }

    /**
     * Returns where a region starts in the device file.
     *
     * @param index a region
     * @return bytes, whole pages for one that can be mapped
     */
    default long offset(int index) {
        return (long) index << REGION_SHIFT;
    }

    /**
     * Finds the region that a place in the device file is in.
     *
     * @param offset where in the file
     * @return the region; for a place in none, one that ends before it
     */
    default int regionAt(long offset) {
        return (int) (offset >>> REGION_SHIFT);
    }

    /**
     * Tells whether programs can map a region: it is memory then, and {@link #read} and {@link #write} hear nothing of it.
     *
     * @param index the region
     * @return true if so
     */
    default boolean mappable(int index) {
        return false;
    }

    /**
     * Returns what a region is that is the device's own ({@code VFIO_REGION_INFO_CAP_TYPE}).
     *
     * @param index the region
     * @return its type, always the same; empty for none
     */
    default Optional<RegionInfo.Type> type(int index) {
        return Optional.empty();
    }

    /**
     * Tells whether it has an interrupt.
     *
     * @return always the same; false if it counts the interrupts of a PCI device and has none
     */
    default boolean interrupts() {
        return true;
    }

    /**
     * Returns its screen.
     *
     * @return the screen, or always empty
     */
    default Optional<ScreenModel> screen() {
        return Optional.empty();
    }

    /**
     * Returns the size of a region.
     *
     * @param index a region that it knows: 0 to 5 are BARs, 7 is configuration space
     * @return bytes, always the same; 0 for a region that it lacks
     */
    long size(int index);

    /**
     * The device was opened: start from the state after a reset.
     *
     * @param bus the way to its interrupt and its memory
     */
    void powerOn(MediatedBus bus);

    /** The device was closed. */
    void powerOff();

    /** The device was reset by its driver ({@code VFIO_DEVICE_RESET}). */
    default void reset() {}

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
     * @return the state, always of the same size; empty for a device that cannot be moved
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
     * Tells whether a state that comes is one of such a device, as soon as what travels ahead is all there.
     *
     * @param early the first bytes, as many as {@link #earlyBytes} says
     * @return false if not: then the write that brought the last of them fails with EFAULT
     */
    default boolean accepts(byte[] early) {
        return true;
    }

    /**
     * Takes over a state that was saved. The device stands still.
     *
     * @param state what came, as many bytes as {@link #save} returns
     * @return false if that is no state of such a device, which fails then (VFIO_DEVICE_STATE_ERROR)
     */
    default boolean load(byte[] state) {
        return false;
    }
}
