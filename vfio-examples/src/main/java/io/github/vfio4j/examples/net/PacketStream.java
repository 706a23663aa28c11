package io.github.vfio4j.examples.net;

import io.github.vfio4j.DmaSlice;

/**
 * Numbered packets that one port sends and a port, the same or another, should receive: counts what is lost, out of order
 * or changed. Each packet has a number and data that follows from it, of a length that follows from it; what a forwarder
 * may change are the two addresses alone.
 *
 * <p>For one thread, which calls {@link #send} and {@link #receive} again and again. They neither allocate nor lock nor
 * wait.
 */
public final class PacketStream {
    private static final int BURST = 32;
    private static final int SHORTEST = 64;
    private static final long TYPE = 12;
    private static final int EXPERIMENTAL = 0xb588; // the type 88b5 in the order of the wire
    private static final long NUMBER = 16;
    private static final long DATA = 24;
    private static final long ADDRESS = 0xffff_ffff_ffffL;

    private final PacketPool pool;
    private final DmaSlice data;
    private final NetPort from;
    private final NetPort to;
    private final long destination;
    private final long expectedDestination;
    private final long expectedSource;
    private final long seed;
    private final int longest;
    private final int window;
    private final int[] outgoing = new int[BURST];
    private final int[] incoming = new int[BURST];

    private long sent;
    private long received;
    private long next; // the number that should come next
    private long lost;
    private long reordered;
    private long corrupted;
    private long foreign;

    /**
     * Makes a stream.
     *
     * @param pool where both ports have their packets from
     * @param from the port that sends
     * @param to the port that receives
     * @param destination where the packets are sent to
     * @param expectedDestination their destination when they arrive
     * @param expectedSource their source when they arrive
     * @param seed what the data depends on
     * @param longest the longest packet, from 64 to 1514 bytes
     * @param window how many packets may be on the way; more are sent when some have arrived
     */
    public PacketStream(
            PacketPool pool,
            NetPort from,
            NetPort to,
            long destination,
            long expectedDestination,
            long expectedSource,
            long seed,
            int longest,
            int window) {
        if (longest < SHORTEST || longest > 1514) {
            throw new IllegalArgumentException("a packet has from 64 to 1514 bytes, not " + longest);
        }
        this.pool = pool;
        this.data = pool.data();
        this.from = from;
        this.to = to;
        this.destination = destination;
        this.expectedDestination = expectedDestination;
        this.expectedSource = expectedSource;
        this.seed = seed;
        this.longest = longest;
        this.window = window;
    }

    /**
     * Sends a burst, as far as window, pool and ring allow.
     *
     * @param until the number of packets to send in all
     * @return how many were sent
     */
    public int send(long until) {
        long room = Math.min(until - sent, window - (sent - received - lost));
        int count = 0;
        while (count < BURST && count < room) {
            int packet = pool.take();
            if (packet == PacketPool.NONE) {
                break;
            }
            fill(packet, sent + count);
            outgoing[count++] = packet;
        }
        int accepted = count == 0 ? 0 : from.send(outgoing, count);
        for (int i = accepted; i < count; i++) {
            pool.give(outgoing[i]);
        }
        sent += accepted;
        return accepted;
    }

    /**
     * Takes what arrived and checks it.
     *
     * @return how many packets arrived
     */
    public int receive() {
        int count = to.receive(incoming, BURST);
        for (int i = 0; i < count; i++) {
            check(incoming[i]);
            pool.give(incoming[i]);
        }
        return count;
    }

    /** Gives up on what has not arrived: it is lost. */
    public void giveUp() {
        lost += sent - next;
        next = sent;
    }

    private long word(long number) {
        long z = seed + number * 0x9e37_79b9_7f4a_7c15L;
        z = (z ^ z >>> 30) * 0xbf58_476d_1ce4_e5b9L;
        return z ^ z >>> 27;
    }

    private int length(long word) {
        return SHORTEST + (int) Long.remainderUnsigned(word, longest - SHORTEST + 1);
    }

    private void fill(int packet, long number) {
        long word = word(number);
        int length = length(word);
        long offset = PacketPool.offset(packet);
        long source = from.macAddress();
        data.write64Plain(offset, destination | source << 48);
        data.write64Plain(offset + 8, source >>> 16 | (long) EXPERIMENTAL << 32);
        data.write64Plain(offset + NUMBER, number);
        for (long at = DATA; at < length; at += Long.BYTES) {
            data.write64Plain(offset + at, word); // up to 7 bytes more than the packet has
            word = word * 0x5851_f42d_4c95_7f2dL + 0x1405_7b7e_f767_814fL;
        }
        pool.length(packet, length);
    }

    private void check(int packet) {
        long offset = PacketPool.offset(packet);
        if (data.read16Opaque(offset + TYPE) != EXPERIMENTAL) {
            foreign++; // somebody else's: it does not count
            return;
        }
        received++;
        long number = data.read64Plain(offset + NUMBER);
        if (number < 0 || number >= sent || !intact(packet, number)) {
            corrupted++;
        } else if (number < next) {
            reordered++;
            lost--; // it was only late
        } else {
            lost += number - next;
            next = number + 1;
        }
    }

    private boolean intact(int packet, long number) {
        long word = word(number);
        int length = length(word);
        long offset = PacketPool.offset(packet);
        long addresses = data.read64Plain(offset);
        long source = addresses >>> 48 | (data.read64Plain(offset + 8) & 0xffff_ffffL) << 16;
        if (pool.length(packet) != length
                || (addresses & ADDRESS) != expectedDestination
                || source != expectedSource) {
            return false;
        }
        for (long at = DATA; at < length; at += Long.BYTES) {
            long unused = Math.max(0, at + Long.BYTES - length) * Byte.SIZE;
            if ((data.read64Plain(offset + at) ^ word) << unused != 0) {
                return false;
            }
            word = word * 0x5851_f42d_4c95_7f2dL + 0x1405_7b7e_f767_814fL;
        }
        return true;
    }

    /**
     * Returns how many packets were sent.
     *
     * @return the number
     */
    public long sent() {
        return sent;
    }

    /**
     * Returns how many packets of this stream arrived, in whatever state.
     *
     * @return the number
     */
    public long received() {
        return received;
    }

    /**
     * Returns how many packets are missing although a later one arrived, or {@link #giveUp} was called. A packet that
     * arrives twice counts as one less.
     *
     * @return the number
     */
    public long lost() {
        return lost;
    }

    /**
     * Returns how many packets arrived after a later one.
     *
     * @return the number
     */
    public long reordered() {
        return reordered;
    }

    /**
     * Returns how many packets arrived with other data, another length or wrong addresses.
     *
     * @return the number
     */
    public long corrupted() {
        return corrupted;
    }

    /**
     * Returns how many packets are on the way.
     *
     * @return the number
     */
    public long onTheWay() {
        return sent - received - lost;
    }
}
