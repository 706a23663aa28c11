package io.github.vfio4j.spi;

/** A socket that other processes connect to. */
public interface ListenPort extends AutoCloseable {
    /**
     * Waits for a process that connects.
     *
     * @return the connection
     */
    HandoverPort accept();

    /** Ends what waits here, removes the socket's file, and closes the socket. Does nothing when it is closed. */
    @Override
    void close();
}
