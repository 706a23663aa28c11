package io.github.vfio4j.sim;

import io.github.vfio4j.PciAddress;

/**
 * The six base address registers of a function: those of its model, and one more for the MSI-X table if it has vectors.
 * The table starts that BAR, the pending bits are in its second half.
 */
final class PciBars {
    static final int COUNT = 6;

    private static final int MSIX_ENTRY = 16;
    private static final int LOWEST_ADDRESS = 0x8000_0000;
    private static final int ROOM_SHIFT = 28; // 256 MiB for each BAR

    private final PciBar[] bars = new PciBar[COUNT];
    private final int vectors;
    private final int msixBar;

    PciBars(PciAddress address, PciModel model) {
        for (PciBar bar : model.bars()) {
            if (bars[bar.index()] != null) {
                throw new IllegalArgumentException(address + " has two BARs " + bar.index());
            }
            if (bar.size() > 1L << ROOM_SHIFT) {
                throw new IllegalArgumentException("BAR %d of %s is larger than 256 MiB".formatted(bar.index(), address));
            }
            bars[bar.index()] = bar;
        }
        vectors = model.vectors();
        int msi = model.msiVectors();
        if (vectors < 0 || vectors > 2048 || msi < 0 || msi > 32 || Integer.bitCount(msi) > 1) {
            throw new IllegalArgumentException("%s has %d MSI-X and %d MSI vectors".formatted(address, vectors, msi));
        }
        msixBar = vectors == 0 ? -1 : free(address);
        if (msixBar >= 0) {
            long table = Long.highestOneBit(2L * vectors * MSIX_ENTRY - 1) << 1;
            bars[msixBar] = new PciBar(msixBar, Math.max(Memory.PAGE, table), true);
        }
    }

    boolean has(int index) {
        return index >= 0 && index < COUNT && bars[index] != null;
    }

    /** Bytes; 0 for a BAR that is not there. */
    long size(int index) {
        return has(index) ? bars[index].size() : 0;
    }

    boolean mappable(int index) {
        return has(index) && bars[index].mappable();
    }

    /** The BAR of the MSI-X table, or -1. */
    int msixBar() {
        return msixBar;
    }

    long msixTableSize() {
        return (long) vectors * MSIX_ENTRY;
    }

    long msixPendingOffset() {
        return size(msixBar) / 2;
    }

    /** Where the firmware put a BAR; 0 for one that is not there. */
    int physicalAddress(int index) {
        return has(index) ? LOWEST_ADDRESS + (index << ROOM_SHIFT) : 0;
    }

    private int free(PciAddress address) {
        for (int index : new int[] {4, 5, 3, 2, 1, 0}) {
            if (bars[index] == null) {
                return index;
            }
        }
        throw new IllegalArgumentException(address + " has no BAR left for its MSI-X table");
    }
}
