package io.github.vfio4j.sim;

import java.lang.foreign.MemorySegment;

/** What a simulated mediated device sees of the machine: its interrupt, and its memory that programs may map. */
public interface MediatedBus {
    /**
     * Raises the device's interrupt: INTx or MSI, whichever the program enabled. INTx masks itself then, and while it is
     * masked an interrupt is lost; so it is while none is enabled.
     */
    void raise();

    /**
     * Returns the memory of a region that can be mapped. It is zeroed when the device is opened and ends with the last close;
     * regions that start at the same place in the device file have the same memory.
     *
     * @param index the region
     * @return all of it
     */
    MemorySegment memory(int index);
}
