package io.github.vfio4j.spi;

import io.github.vfio4j.PrecopyInfo;
import java.lang.foreign.MemorySegment;

/** An open migration data file. */
public interface MigrationPort extends AutoCloseable {
    /**
     * Reads a piece of the device's state.
     *
     * @param target native memory to fill
     * @return how many bytes; 0 if there is nothing at the moment ({@code ENOMSG}), -1 at the end
     */
    long read(MemorySegment target);

    /**
     * Writes a piece of the device's state.
     *
     * @param source native memory to write
     * @return how many bytes
     */
    long write(MemorySegment source);

    /**
     * {@code VFIO_MIG_GET_PRECOPY_INFO}.
     *
     * @return what is left
     */
    PrecopyInfo precopyInfo();

    /** Closes the file once no call uses it any more. Does nothing when it is closed. */
    @Override
    void close();
}
