package io.github.vfio4j.spi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A file that holds memory ({@code memfd_create}) and keeps its size. */
public interface DmaFilePort extends AutoCloseable {
    /**
     * Returns the size.
     *
     * @return bytes, a multiple of {@link #pageSize}
     */
    long size();

    /**
     * Returns what the memory is made of.
     *
     * @return bytes of one page, which may be a huge one
     */
    long pageSize();

    /**
     * Maps all of it into the process, shared with all others. As memory of {@link Kernel#allocate}, it is given back with
     * {@link Kernel#free} or {@link Kernel#vacate}, and may outlive the file.
     *
     * @param arena what the segment lives by; closing it does not unmap the memory
     * @return the memory
     */
    MemorySegment map(Arena arena);

    /** Closes the file; what is mapped stays. Does nothing when it is closed. */
    @Override
    void close();
}
