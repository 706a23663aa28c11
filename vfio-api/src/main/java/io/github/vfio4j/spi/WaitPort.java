package io.github.vfio4j.spi;

/** An open epoll file: waits for many eventfds and queues at once. Level-triggered: what is not read is reported again. */
public interface WaitPort extends AutoCloseable {
    /**
     * Adds a file, {@code EPOLL_CTL_ADD}.
     *
     * @param file a file that is not in it
     * @param token what is reported when it can be read
     */
    void add(ReadablePort file, int token);

    /**
     * Removes a file, {@code EPOLL_CTL_DEL}.
     *
     * @param file a file that is in it
     */
    void remove(ReadablePort file);

    /**
     * Waits until files can be read, {@code epoll_wait}. Several threads may wait at the same time.
     *
     * @param tokens is filled with the tokens of those that can be read, as many as fit
     * @param millis how long to wait; 0 does not wait, -1 waits without limit
     * @return how many tokens there are; 0 after the time, or when a signal ended the wait
     */
    int await(int[] tokens, int millis);

    /** Closes the file once no thread waits any more: make an eventfd readable first. Does nothing when it is closed. */
    @Override
    void close();
}
