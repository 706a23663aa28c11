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
    private static final long RX_END_OF_PACKET = 1L << 33;
    private static final long RX_ERRORS = 0xffL << 40;
    private static final long TX_END_OF_PACKET = 1L << 24;
    private static final long TX_INSERT_CRC = 1L << 25;
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

    private final int[] txPackets;
    /** By place of the first packet of a burst: the place of its last, which alone reports when it is out. */
    private final int[] txLast;

    private int rxHead;
    private int txTail;
    private int txOldest;
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
        this.txPackets = new int[entries];
        this.txLast = new int[entries];
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
        int count = 0;
        int head = rxHead;
        while (count < most) {
            long entry = (long) head << DESCRIPTOR_SHIFT;
            // Acquire: the packet, which the device wrote before, is seen after it.
            long word = rx.read64Acquire(entry + WORD);
            if ((word & DONE) == 0) {
                break;
            }
            int packet = rxPackets[head];
            int next = packet;
            if ((word & RX_ERRORS) != 0 || (word & RX_END_OF_PACKET) == 0) {
                bad++;
            } else if ((next = pool.take()) == PacketPool.NONE) {
                next = packet; // this one stays in the ring, and what is in it is lost
                withoutBuffer++;
            } else {
                int length = (int) word & 0xffff;
                pool.length(packet, length);
                packets[count++] = packet;
                receivedBytes += length;
            }
            rxPackets[head] = next;
            // Plain: the device does not look at the entry before the tail register says so, which is a release.
            rx.write64Plain(entry, pool.iova(next));
            rx.write64Plain(entry + WORD, 0L);
            head = head + 1 & mask;
        }
        if (head != rxHead) {
            rxHead = head;
            received += count;
            registers.write32Release(RDT, head - 1 & mask);
        } else if (++idle % IDLE_LOOKS == 0) {
            registers.flush(STATUS); // the ring is only memory: this notices that the device is closed
        }
        return count;
    }

    @Override
    public int send(int[] packets, int count) {
        takeBack();
        int tail = txTail;
        int room = txOldest - tail - 1 & mask;
        int accepted = Math.min(count, room);
        if (accepted == 0) {
            return 0;
        }
        long bytes = 0;
        int last = tail + accepted - 1 & mask;
        txLast[tail] = last;
        for (int i = 0; i < accepted; i++) {
            int packet = packets[i];
            int length = pool.length(packet);
            long entry = (long) tail << DESCRIPTOR_SHIFT;
            txPackets[tail] = packet;
            tx.write64Plain(entry, pool.iova(packet));
            tx.write64Plain(
                    entry + WORD, length | TX_END_OF_PACKET | TX_INSERT_CRC | (tail == last ? TX_REPORT : 0L));
            bytes += length;
            tail = tail + 1 & mask;
        }
        txTail = tail;
        sent += accepted;
        sentBytes += bytes;
        registers.write32Release(TDT, tail);
        return accepted;
    }

    /** Gives the packets of bursts that are out back to the pool. */
    private void takeBack() {
        while (txOldest != txTail) {
            int last = txLast[txOldest];
            if ((tx.read64Acquire(((long) last << DESCRIPTOR_SHIFT) + WORD) & DONE) == 0) {
                return;
            }
            int end = last + 1 & mask;
            while (txOldest != end) {
                pool.give(txPackets[txOldest]);
                txOldest = txOldest + 1 & mask;
            }
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
        for (; txOldest != txTail; txOldest = txOldest + 1 & mask) {
            pool.give(txPackets[txOldest]);
        }
    }
}
