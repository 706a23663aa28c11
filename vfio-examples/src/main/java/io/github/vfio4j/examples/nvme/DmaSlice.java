package io.github.vfio4j.examples.nvme;

import java.lang.foreign.MemorySegment;

/** A part of a DMA buffer: where the program and where the device finds it. */
record DmaSlice(MemorySegment segment, long iova) {}
