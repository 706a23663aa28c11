package io.github.vfio4j;

import io.github.vfio4j.spi.DmaFilePort;

/**
 * Memory that a file without a name holds ({@code memfd_create}), from {@link Vfio#createDmaFile(long)}. {@link Ioas#map}
 * lets devices reach it, and the program. Unlike other memory it belongs to no process: whoever has the file has the memory,
 * and what is mapped by file stays where another process takes an iommufd over.
 *
 * <p>The file keeps its size: it is sealed against growing and shrinking, so that nobody who has it can take memory away
 * that somebody else accesses.
 *
 * <p>All methods are safe from any thread.
 */
public final class DmaFile implements AutoCloseable {
    final DmaFilePort port;
    private final Vfio vfio;
    private volatile boolean closed;

    DmaFile(Vfio vfio, DmaFilePort port) {
        this.vfio = vfio;
        this.port = port;
    }

    /**
     * Returns the size, which may be more than was asked for.
     *
     * @return bytes, whole pages
     */
    public long size() {
        return port.size();
    }

    /**
     * Closes this process's descriptor of the file. What is mapped stays, and keeps the memory. Idempotent.
     */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            port.close();
            vfio.forget(this);
        }
    }

    boolean closed() {
        return closed;
    }

    Vfio vfio() {
        return vfio;
    }

    /** Names it by its size. */
    @Override
    public String toString() {
        return "file of %d bytes of memory".formatted(size());
    }
}
