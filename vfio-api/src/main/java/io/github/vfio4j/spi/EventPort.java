package io.github.vfio4j.spi;

/** An open eventfd: a counter that a kernel adds to and a program reads, or the other way round. */
public interface EventPort extends ReadablePort {
    /**
     * Takes what was counted since the last read. Does not wait.
     *
     * @return the count, 0 if nothing was counted
     */
    long read();

    /** Adds one. */
    void write();

    /** Closes the file once no call uses it any more. Does nothing when it is closed. */
    @Override
    void close();
}
