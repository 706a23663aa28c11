package io.github.vfio4j.spi;

/** An open dma-buf. */
public interface DmaBufPort extends AutoCloseable {
    /** Closes the file. Does nothing when it is closed. */
    @Override
    void close();
}
