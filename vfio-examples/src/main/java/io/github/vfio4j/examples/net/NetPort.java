package io.github.vfio4j.examples.net;

/**
 * A network port that a program polls. Packets are numbers of a {@link PacketPool}; they are handed over, never copied.
 *
 * <p>For one thread at a time, the one that uses the pool. {@link #receive} and {@link #send} neither allocate nor lock nor
 * wait. When the device or the memory is closed while a thread is at work here, that thread gets an
 * {@link IllegalStateException}: at once, or after some ten thousand looks at an empty ring.
 */
public interface NetPort extends AutoCloseable {
    /**
     * Takes packets that arrived. They belong to the caller then, who sends them or gives them back to the pool.
     *
     * @param packets where to put them, from index 0 on
     * @param most how many at most
     * @return how many
     */
    int receive(int[] packets, int most);

    /**
     * Sends packets. Those that were accepted belong to the port, which gives them back to the pool when they are out;
     * the others still belong to the caller.
     *
     * @param packets the packets, from index 0 on
     * @param count how many
     * @return how many were accepted; fewer than {@code count} when the ring is full
     */
    int send(int[] packets, int count);

    /**
     * Returns the port's own address.
     *
     * @return 48 bits; the first byte on the wire is the lowest
     */
    long macAddress();

    /**
     * Tells whether there is a link.
     *
     * @return true if packets can come and go
     */
    boolean linkUp();

    /**
     * Returns what was counted since the start.
     *
     * @return a snapshot
     */
    PortStatistics statistics();

    /** Stops the device: when this returns, it uses the memory no more, and the pool has the packets. Idempotent. */
    @Override
    void close();
}
