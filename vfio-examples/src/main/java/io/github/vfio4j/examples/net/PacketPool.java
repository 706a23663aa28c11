package io.github.vfio4j.examples.net;

import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.DmaSlice;

/**
 * Packets in memory that devices reach, each a buffer of 2 KiB, numbered from 0. Room for a device's own header is before
 * each packet's data. For one thread at a time; no method but the constructor allocates.
 */
public final class PacketPool {
    /** What {@link #take} returns when no packet is left. */
    public static final int NONE = -1;

    /** Bytes of a buffer before the data. */
    public static final int HEADROOM = 64;

    /** The most bytes that a packet has. */
    public static final int MOST_BYTES = 2048 - HEADROOM;

    private static final int BUFFER_SHIFT = 11;

    private final DmaSlice data;
    private final long firstIova;
    private final int[] lengths;
    private final int[] free;
    private final boolean[] taken;
    private int freeCount;

    /**
     * Makes a pool of as many packets as fit.
     *
     * @param memory memory that the devices may read and write; whoever gives it closes it, after the ports
     */
    public PacketPool(DmaBuffer memory) {
        this.data = memory.slice(0, memory.size());
        this.firstIova = data.iova() + HEADROOM;
        int count = (int) (memory.size() >>> BUFFER_SHIFT);
        this.lengths = new int[count];
        this.free = new int[count];
        this.taken = new boolean[count];
        for (int i = 0; i < count; i++) {
            free[i] = count - 1 - i;
        }
        freeCount = count;
    }

    /**
     * Returns how much memory so many packets need.
     *
     * @param packets the number
     * @return bytes
     */
    public static long bytesFor(int packets) {
        return (long) packets << BUFFER_SHIFT;
    }

    /**
     * Returns how many packets there are.
     *
     * @return the number, taken or not
     */
    public int size() {
        return lengths.length;
    }

    /**
     * Returns how many packets can be taken.
     *
     * @return the number
     */
    public int available() {
        return freeCount;
    }

    /**
     * Takes a packet.
     *
     * @return its number, or {@link #NONE}
     */
    public int take() {
        if (freeCount == 0) {
            return NONE;
        }
        int packet = free[--freeCount];
        taken[packet] = true;
        return packet;
    }

    /**
     * Takes packets.
     *
     * @param packets where to put them
     * @param from the index of the first
     * @param count how many, no more than are {@link #available}
     */
    public void take(int[] packets, int from, int count) {
        int rest = freeCount - count;
        System.arraycopy(free, rest, packets, from, count);
        for (int i = from; i < from + count; i++) {
            taken[packets[i]] = true;
        }
        freeCount = rest;
    }

    /**
     * Gives a packet back.
     *
     * @param packet one that was taken
     * @throws IllegalStateException if it was given back already
     */
    public void give(int packet) {
        if (!taken[packet]) {
            throw alreadyGiven(packet);
        }
        taken[packet] = false;
        free[freeCount++] = packet;
    }

    /**
     * Gives packets back.
     *
     * @param packets among others, those that were taken
     * @param from the index of the first
     * @param count how many
     * @throws IllegalStateException if one was given back already; those before it have been given back now
     */
    public void give(int[] packets, int from, int count) {
        int to = freeCount;
        try {
            for (int i = from; i < from + count; i++) {
                int packet = packets[i];
                if (!taken[packet]) {
                    throw alreadyGiven(packet);
                }
                taken[packet] = false;
                free[to++] = packet;
            }
        } finally {
            freeCount = to;
        }
    }

    private static IllegalStateException alreadyGiven(int packet) {
        return new IllegalStateException("packet " + packet + " was given back already");
    }

    /**
     * Returns how long a packet is.
     *
     * @param packet the packet
     * @return bytes
     */
    public int length(int packet) {
        return lengths[packet];
    }

    /**
     * Says how long a packet is.
     *
     * @param packet the packet
     * @param bytes up to {@link #MOST_BYTES}
     */
    public void length(int packet, int bytes) {
        lengths[packet] = bytes;
    }

    /**
     * Returns where devices find a packet's data; the headroom is before it.
     *
     * @param packet the packet
     * @return the IOVA
     */
    public long iova(int packet) {
        return firstIova + (Integer.toUnsignedLong(packet) << BUFFER_SHIFT);
    }

    /**
     * Returns the memory of all packets.
     *
     * @return in which a packet's data is at {@link #offset}
     */
    public DmaSlice data() {
        return data;
    }

    /**
     * Returns where a packet's data begins in {@link #data}.
     *
     * @param packet the packet
     * @return bytes, a multiple of 64
     */
    public static long offset(int packet) {
        return (Integer.toUnsignedLong(packet) << BUFFER_SHIFT) + HEADROOM; // the JIT sees that it is not negative
    }
}
