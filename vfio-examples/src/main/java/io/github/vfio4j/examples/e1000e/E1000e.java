package io.github.vfio4j.examples.e1000e;

import io.github.vfio4j.DmaSlice;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.net.NetException;
import io.github.vfio4j.examples.net.NetPort;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.examples.net.PortStatistics;

/**
 * An 82574L whose rings this program polls; interrupts are off. It receives everything (promiscuous) and leaves checksums
 * alone. Started by {@link #start}, stopped by {@link #close}.
 *
 * <p>Each ring holds descriptors of 16 bytes: the address of a packet, and a word with length, command and status. A tail
 * register tells the device how far the program is; a status bit in the descriptor tells the program how far the device
 * is, so that no register is read on the way of a packet.
 */
public final class E1000e implements NetPort {
    // Registers (section 10.2).
    private static final long CTRL = 0x0000;
    private static final long STATUS = 0x0008;
    private static final long ICR = 0x00c0;
    private static final long IMC = 0x00d8;
    private static final long RCTL = 0x0100;
    private static final long TCTL = 0x0400;
    private static final long TIPG = 0x0410;
    private static final long RDBA = 0x2800;
    private static final long RDLEN = 0x2808;
    private static final long RDH = 0x2810;
    private static final long RDT = 0x2818;
    private static final long TDBA = 0x3800;
    private static final long TDLEN = 0x3808;
    private static final long TDH = 0x3810;
    private static final long TDT = 0x3818;
    private static final long TXDCTL = 0x3828;
    private static final long MPC = 0x4010;
    private static final long MTA = 0x5200;
    private static final int MTA_ENTRIES = 128;
    private static final long RAL0 = 0x5400;
    private static final long RAH0 = 0x5404;

    private static final int CTRL_SPEED_DETECT = 1 << 5;
    private static final int CTRL_LINK_UP = 1 << 6;
    private static final int CTRL_RESET = 1 << 26;
    private static final int STATUS_LINK = 1 << 1;
    private static final int RCTL_ENABLE = 1 << 1;
    private static final int RCTL_PROMISCUOUS = 3 << 3; // unicast and multicast
    private static final int RCTL_BROADCAST = 1 << 15;
    private static final int RCTL_STRIP_CRC = 1 << 26;
    private static final int TCTL_ENABLE = 1 << 1;
    private static final int TCTL_PAD = 1 << 3;
    private static final int TCTL_COLLISIONS = 0x0f << 4 | 0x3f << 12;
    private static final int TXDCTL_ONE = 1 << 22; // section 10.2.6.8: to be written as 1
    private static final int INTER_PACKET_GAP = 0x00602008;

    // Descriptors (sections 7.1.4 and 7.2.10): the second word.
    private static final int DESCRIPTOR_SHIFT = 4;
    private static final long WORD = 8;
    private static final long DONE = 1L << 32;
    private static final long RX_WHOLE = DONE | 1L << 33; // and the end of the packet
    private static final long RX_ERRORS = 0xffL << 40;
    private static final long TX_WHOLE = 1L << 24 | 1L << 25; // the end of the packet, and a CRC behind it
    private static final long TX_REPORT = 1L << 27;

    private static final int MOST_ENTRIES = 4096;
    /** Looks at an empty ring between two looks at the device. */
    private static final int IDLE_LOOKS = 1 << 16;
    private static final int GONE = -1;
    private static final long RESET_NANOS = 100_000_000L;

    private final Mmio registers;
    private final PacketPool pool;
    private final DmaSlice rx;
    private final DmaSlice tx;
    private final int mask;
    private final long macAddress;

    /** By place in the ring: the packet that lies there. */
    private final int[] rxPackets;

    /** What was read of a burst. */
    private final long[] rxWords;

    private final int[] txPackets;
    /** By place of the first packet of a burst: the place of its last, which alone reports when it is out. */
    private final char[] txLast;

    // Without sign: the JIT knows then that no offset is negative.
    private char rxHead;
    private char txTail;
    private char txOldest;
    private boolean closed;
    private int idle;

    private long received;
    private long receivedBytes;
    private long sent;
    private long sentBytes;
    private long withoutBuffer;
    private long bad;
    private long missed;

    private E1000e(Mmio registers, DmaSlices memory, PacketPool pool, int entries) {
        if (entries < 8 || entries > MOST_ENTRIES || Integer.bitCount(entries) != 1) {
            throw new IllegalArgumentException("a ring has a power of two of entries, 8 to 4096, not " + entries);
        }
        if (pool.available() < entries) {
            throw new IllegalArgumentException(
                    "%d packets are too few for a ring of %d".formatted(pool.available(), entries));
        }
        this.registers = registers;
        this.pool = pool;
        this.mask = entries - 1;
        this.rx = memory.take((long) entries << DESCRIPTOR_SHIFT);
        this.tx = memory.take((long) entries << DESCRIPTOR_SHIFT);
        this.rxPackets = new int[entries];
        this.rxWords = new long[entries - 1]; // what the device fills at most
        this.txPackets = new int[entries];
        this.txLast = new char[entries];
        reset();
        this.macAddress = Integer.toUnsignedLong(registers.read32Opaque(RAL0))
                | (registers.read32Opaque(RAH0) & 0xffffL) << 32;
        startReceiver();
        startTransmitter();
        registers.write32Release(CTRL, registers.read32Opaque(CTRL) | CTRL_LINK_UP | CTRL_SPEED_DETECT);
        registers.flush(STATUS);
    }

    /**
     * Starts a controller: resets it, gives it its rings, and asks for a link, which {@link #linkUp} then shows.
     *
     * @param registers BAR 0, mapped; bus mastering is enabled
     * @param memory memory that the device may read and write, for the rings: 32 bytes an entry, in slices of 16 or more
     * @param pool packets in memory that it may read and write; a ring full of them is taken at once
     * @param entries the size of both rings, a power of two from 8 to 4096
     * @return the port
     * @throws NetException if the device does not come out of its reset
     * @throws IllegalArgumentException if the size cannot be, or memory or packets are too few
     */
    public static E1000e start(Mmio registers, DmaSlices memory, PacketPool pool, int entries) {
        return new E1000e(registers, memory, pool, entries);
    }

    private void reset() {
        registers.write32Opaque(IMC, -1);
        registers.write32Opaque(RCTL, 0);
        registers.write32Opaque(TCTL, 0);
        registers.flush(STATUS);
        registers.write32Release(CTRL, registers.read32Opaque(CTRL) | CTRL_RESET);
        long start = System.nanoTime();
        while ((registers.read32Acquire(CTRL) & CTRL_RESET) != 0) {
            if (System.nanoTime() - start > RESET_NANOS) {
                throw new NetException(
                        registers.read32Opaque(STATUS) == GONE
                                ? "the controller is gone: its registers read as all ones"
                                : "the controller did not come out of its reset within 100 ms");
            }
            Thread.onSpinWait();
        }
        registers.write32Opaque(IMC, -1); // the reset may have undone it
        registers.flush(ICR);
    }

    private void startReceiver() {
        for (int i = 0; i < MTA_ENTRIES; i++) {
            registers.write32Opaque(MTA + 4L * i, 0);
        }
        for (int i = 0; i <= mask; i++) {
            rxPackets[i] = pool.take();
            rx.write64Plain((long) i << DESCRIPTOR_SHIFT, pool.iova(rxPackets[i]));
        }
        registers.write64LowHighRelease(RDBA, rx.iova());
        registers.write32Opaque(RDLEN, mask + 1 << DESCRIPTOR_SHIFT);
        registers.write32Opaque(RDH, 0);
        registers.write32Opaque(RDT, 0);
        registers.write32Release(RCTL, RCTL_ENABLE | RCTL_PROMISCUOUS | RCTL_BROADCAST | RCTL_STRIP_CRC);
        registers.write32Release(RDT, mask); // all but one: full and empty must look different
    }

    private void startTransmitter() {
        registers.write64LowHighRelease(TDBA, tx.iova());
        registers.write32Opaque(TDLEN, mask + 1 << DESCRIPTOR_SHIFT);
        registers.write32Opaque(TDH, 0);
        registers.write32Opaque(TDT, 0);
        registers.write32Opaque(TXDCTL, TXDCTL_ONE);
        registers.write32Opaque(TIPG, INTER_PACKET_GAP);
        registers.write32Release(TCTL, TCTL_ENABLE | TCTL_PAD | TCTL_COLLISIONS);
    }

    @Override
    public int receive(int[] packets, int most) {
        if (most > 0 && (rxWord(rxHead) & DONE) != 0) {
            return take(packets, Math.min(most, rxWords.length));
        }
        if (++idle % IDLE_LOOKS == 0) {
            registers.flush(STATUS); // the ring is only memory: this notices that the device is closed
        }
        return 0;
    }

    /** The second word of an entry. Acquire: the packet, which the device wrote before, is seen after it. */
    private long rxWord(int place) {
        return rx.read64Acquire(((long) place << DESCRIPTOR_SHIFT) + WORD);
    }

    /**
     * Takes what is there, up to the end of the ring. A method of its own, because the JIT goes by how often each part of a
     * method ran: looks at an empty ring would make it take this for something that hardly happens. Its loops are short,
     * for the JIT keeps what a short loop needs in registers.
     */
    private int take(int[] packets, int most) {
        int head = rxHead;
        int arrived = rx.read64AcquireWhile(
                ((long) head << DESCRIPTOR_SHIFT) + WORD,
                1 << DESCRIPTOR_SHIFT,
                RX_WHOLE | RX_ERRORS,
                RX_WHOLE,
                rxWords,
                Math.min(most, rxPackets.length - head));
        int count = Math.min(arrived, pool.available());
        if (count == 0) {
            leave(arrived);
            return 0;
        }
        System.arraycopy(rxPackets, head, packets, 0, count);
        pool.take(rxPackets, head, count);
        long bytes = 0;
        for (int i = 0; i < count; i++) {
            long length = rxWords[i] & 0xffff;
            pool.length(packets[i], (int) length);
            bytes += length;
        }
        for (int i = head; i < head + count; i++) {
            offer(i, rxPackets[i]);
        }
        received += count;
        receivedBytes += bytes;
        advance(count);
        return count;
    }

    /** Leaves a packet in the ring, and loses what is in it: one for which no other is there, or one that is bad. */
    private void leave(int arrived) {
        if (arrived == 0) {
            bad++;
        } else {
            withoutBuffer++;
        }
        offer(rxHead, rxPackets[rxHead]);
        advance(1);
    }

    /** Plain: the device does not look at the entry before the tail register says so, which is a release. */
    private void offer(int place, int packet) {
        rx.write16BytesPlain((long) place << DESCRIPTOR_SHIFT, pool.iova(packet), 0);
    }

    private void advance(int entries) {
        rxHead = place(rxHead + entries);
        registers.write32Release(RDT, rxHead - 1 & mask);
    }

    @Override
    public int send(int[] packets, int count) {
        takeBack();
        int accepted = Math.min(count, txOldest - txTail - 1 & mask);
        if (accepted == 0) {
            return 0;
        }
        int first = txTail;
        int straight = Math.min(accepted, txPackets.length - first);
        put(packets, 0, straight);
        put(packets, straight, accepted - straight); // from the start of the ring on
        char last = place(txTail - 1);
        txLast[first] = last;
        tx.write64Plain(
                ((long) last << DESCRIPTOR_SHIFT) + WORD, pool.length(packets[accepted - 1]) | TX_WHOLE | TX_REPORT);
        sent += accepted;
        registers.write32Release(TDT, txTail);
        return accepted;
    }

    private void put(int[] packets, int from, int count) {
        int tail = txTail;
        long bytes = 0;
        System.arraycopy(packets, from, txPackets, tail, count);
        for (int i = tail; i < tail + count; i++) {
            int packet = txPackets[i];
            int length = pool.length(packet);
            bytes += length;
            tx.write16BytesPlain((long) i << DESCRIPTOR_SHIFT, pool.iova(packet), length | TX_WHOLE); // as above
        }
        sentBytes += bytes;
        txTail = place(tail + count);
    }

    /** The place in the ring, from a number that may be beyond its ends. */
    private char place(int number) {
        return (char) (number & mask);
    }

    /** Gives the packets of bursts that are out back to the pool. */
    private void takeBack() {
        while (txOldest != txTail) {
            int last = txLast[txOldest];
            if ((tx.read64Acquire(((long) last << DESCRIPTOR_SHIFT) + WORD) & DONE) == 0) {
                return;
            }
            if (last < txOldest) { // once around the ring
                pool.give(txPackets, txOldest, mask + 1 - txOldest);
                txOldest = 0;
            }
            pool.give(txPackets, txOldest, last + 1 - txOldest);
            txOldest = place(last + 1);
        }
    }

    @Override
    public long macAddress() {
        return macAddress;
    }

    @Override
    public boolean linkUp() {
        return (registers.read32Acquire(STATUS) & STATUS_LINK) != 0;
    }

    @Override
    public PortStatistics statistics() {
        missed += Integer.toUnsignedLong(registers.read32Opaque(MPC)); // reading sets it to 0
        return new PortStatistics(received, receivedBytes, sent, sentBytes, withoutBuffer, bad, missed);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        reset(); // ends all access to memory
        for (int packet : rxPackets) {
            pool.give(packet);
        }
        for (; txOldest != txTail; txOldest = place(txOldest + 1)) {
            pool.give(txPackets[txOldest]);
        }
    }
}
