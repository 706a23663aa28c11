package io.github.vfio4j.sim;

import java.lang.foreign.MemorySegment;

/** What a simulated PCI function sees of the machine: memory through the IOMMU, its BARs, its interrupts. */
public interface PciBus {
    /**
     * Returns the memory of a BAR that can be mapped. Driver and model share it: use ordered accesses.
     *
     * @param index the BAR
     * @return its memory, the size of the BAR, from powerOn to powerOff
     */
    MemorySegment bar(int index);

    /**
     * Reads memory by IOVA (DMA). Nothing is read, and a fault is recorded in the machine, when bus mastering is off, an
     * address is not mapped for reading, or its memory is gone.
     *
     * @param iova the address of the first byte
     * @param target where to put what is read; its size is read
     * @return true if all was read
     */
    boolean dmaRead(long iova, MemorySegment target);

    /**
     * Writes memory by IOVA (DMA). The last 8 bytes, if their address is a multiple of 8, are written as one, and after
     * all before them: whoever sees a part of them sees everything. Faults as {@link #dmaRead} does.
     *
     * @param iova the address of the first byte
     * @param source what to write; its size is written
     * @return true if all was written
     */
    boolean dmaWrite(long iova, MemorySegment source);

    /**
     * Raises an MSI or MSI-X vector. Nothing happens while the driver has not enabled it.
     *
     * @param vector the vector, from 0
     */
    void raise(int vector);

    /**
     * Asserts the interrupt line (INTx), or no more. The program is interrupted once, and again each time that it unmasks
     * the line and finds it asserted. While MSI or MSI-X is enabled the line counts as not asserted.
     *
     * @param asserted whether the device wants to be served
     */
    void setLine(boolean asserted);
}
