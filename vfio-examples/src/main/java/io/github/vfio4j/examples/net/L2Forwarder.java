package io.github.vfio4j.examples.net;

import io.github.vfio4j.DmaSlice;

/**
 * DPDK's l2fwd: what arrives at one port of a pair leaves by the other, with new addresses; a single port sends back what
 * it receives. Destination becomes 02:00:00:00:00:NN with the number of the port that the packet leaves by, source becomes
 * that port's own address. The packet itself stays where it is, and nothing else of it is read or written.
 *
 * <p>For one thread, which calls {@link #poll} again and again. It neither allocates nor locks nor waits.
 */
public final class L2Forwarder {
    /** Packets that are taken from a port at a time. */
    public static final int BURST = 32;

    private static final long LOCAL = 0x02; // the first byte of a destination
    private static final int LAST_BYTE = 40; // its shift

    private final PacketPool pool;
    private final DmaSlice data;
    private final NetPort[] ports;
    private final int[] burst = new int[BURST];
    private final long[] firstWords;
    private final int[] secondWords; // 4 bytes, the rest of the addresses
    private final long[] dropped;
    private long forwarded;

    /**
     * Makes a forwarder.
     *
     * @param pool where the ports have their packets from
     * @param ports one, or pairs: 0 and 1, 2 and 3
     */
    public L2Forwarder(PacketPool pool, NetPort... ports) {
        if (ports.length != 1 && ports.length % 2 != 0 || ports.length == 0) {
            throw new IllegalArgumentException("one port, or pairs of them, not " + ports.length);
        }
        this.pool = pool;
        this.data = pool.data();
        this.ports = ports.clone();
        this.firstWords = new long[ports.length];
        this.secondWords = new int[ports.length];
        this.dropped = new long[ports.length];
        for (int i = 0; i < ports.length; i++) {
            long source = ports[i].macAddress();
            firstWords[i] = destination(i) | source << 48;
            secondWords[i] = (int) (source >>> 16);
        }
    }

    /**
     * Returns the destination of packets that leave by a port.
     *
     * @param port its number
     * @return 48 bits; the first byte on the wire is the lowest
     */
    public static long destination(int port) {
        return LOCAL | (long) port << LAST_BYTE;
    }

    /**
     * Looks at each port once and forwards what arrived, up to {@link #BURST} packets each.
     *
     * @return how many packets arrived
     */
    public int poll() {
        int total = 0;
        for (int from = 0; from < ports.length; from++) {
            int count = ports[from].receive(burst, BURST);
            if (count > 0) {
                forward(ports.length == 1 ? 0 : from ^ 1, count);
                total += count;
            }
        }
        return total;
    }

    private void forward(int to, int count) {
        long firstWord = firstWords[to];
        int secondWord = secondWords[to];
        for (int i = 0; i < count; i++) {
            long offset = PacketPool.offset(burst[i]);
            data.write64Plain(offset, firstWord);
            data.write32Plain(offset + Long.BYTES, secondWord);
        }
        int sent = ports[to].send(burst, count);
        forwarded += sent;
        for (int i = sent; i < count; i++) {
            pool.give(burst[i]);
            dropped[to]++;
        }
    }

    /**
     * Returns how many packets left again.
     *
     * @return the number
     */
    public long forwarded() {
        return forwarded;
    }

    /**
     * Returns how many packets were dropped because the ring of the port that they should leave by was full.
     *
     * @param port its number
     * @return the number
     */
    public long dropped(int port) {
        return dropped[port];
    }
}
