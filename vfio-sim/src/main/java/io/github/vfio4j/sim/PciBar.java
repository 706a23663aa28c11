package io.github.vfio4j.sim;

/**
 * A base address register of a simulated PCI function.
 *
 * @param index 0 to 5
 * @param size bytes, a power of two; at least a page if {@code mappable}
 * @param mappable whether a program may map it; otherwise each access calls the model
 */
public record PciBar(int index, long size, boolean mappable) {
    /**
     * Makes a BAR.
     *
     * @throws IllegalArgumentException if index or size cannot be
     */
    public PciBar {
        if (index < 0 || index > 5) {
            throw new IllegalArgumentException("BAR index " + index + " is not 0 to 5");
        }
        if (Long.bitCount(size) != 1 || size < (mappable ? 4096 : 4)) {
            throw new IllegalArgumentException("BAR size " + size + " is no power of two, or too small");
        }
    }
}
