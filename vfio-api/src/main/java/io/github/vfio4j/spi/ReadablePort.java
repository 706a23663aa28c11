package io.github.vfio4j.spi;

/** An open file that a {@link WaitPort} can wait for until there is something to read. */
public interface ReadablePort extends AutoCloseable {
    /** Closes the file once no call uses it any more. Does nothing when it is closed. */
    @Override
    void close();
}
