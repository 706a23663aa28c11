package io.github.vfio4j.examples.virtio;

import io.github.vfio4j.Device;
import io.github.vfio4j.DmaSlice;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.net.NetException;
import io.github.vfio4j.examples.net.NetPort;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.examples.net.PortStatistics;

/**
 * A virtio network card (section 5.1) whose two queues this program polls; it has no interrupts and no offloads. Started
 * by {@link #start}, stopped by {@link #close}. A header of 12 bytes goes with each packet, in the packet's headroom.
 */
public final class VirtioNet implements NetPort {
    private static final long MAC = 1L << 5;
    private static final long STATUS = 1L << 16;
    private static final long EVENT_INDEX = 1L << 29;
    private static final long ACCESS_PLATFORM = 1L << 33;
    private static final long ORDER_PLATFORM = 1L << 36;
    private static final long WANTED =
            MAC | STATUS | EVENT_INDEX | VirtioDevice.VERSION_1 | ACCESS_PLATFORM | ORDER_PLATFORM;

    private static final long CONFIG_STATUS = 6;
    private static final int STATUS_LINK = 1;

    private static final int RECEIVE = 0;
    private static final int TRANSMIT = 1;
    private static final int HEADER_BYTES = 12;
    /** Looks at an empty queue between two looks at the device. */
    private static final int IDLE_LOOKS = 1 << 16;

    private final VirtioDevice device;
    private final PacketPool pool;
    private final DmaSlice data;
    private final VirtQueue rx;
    private final VirtQueue tx;
    private final long macAddress;
    private final boolean hasStatus;
    private boolean closed;
    private int idle;

    private long received;
    private long receivedBytes;
    private long sent;
    private long sentBytes;
    private long withoutBuffer;
    private long bad;

    private VirtioNet(Device device, DmaSlices memory, PacketPool pool, int entries) {
        if (entries < 2 || Integer.bitCount(entries) != 1) {
            throw new IllegalArgumentException("a queue has a power of two of entries, not " + entries);
        }
        this.device = new VirtioDevice(device);
        this.pool = pool;
        this.data = pool.data();
        long features = this.device.negotiate(WANTED);
        if ((features & MAC) == 0) {
            throw new NetException("the device has no address of its own (VIRTIO_NET_F_MAC)");
        }
        hasStatus = (features & STATUS) != 0;
        boolean eventIndex = (features & EVENT_INDEX) != 0;
        int size = Math.min(entries, Math.min(this.device.queueSize(RECEIVE), this.device.queueSize(TRANSMIT)));
        if (size < 2 || Integer.bitCount(size) != 1) {
            throw new NetException("the device has no queue of a power of two, but of " + size);
        }
        if (pool.available() < size) {
            throw new IllegalArgumentException(
                    "%d packets are too few for a queue of %d".formatted(pool.available(), size));
        }
        rx = new VirtQueue(this.device, memory, RECEIVE, size, eventIndex);
        tx = new VirtQueue(this.device, memory, TRANSMIT, size, eventIndex);
        long mac = 0;
        for (int i = 0; i < 6; i++) {
            mac |= this.device.readSpecific(i, 1) << 8 * i;
        }
        macAddress = mac;
        this.device.start();
        while (rx.room() > 0) {
            offer(pool.take());
        }
        rx.publish();
    }

    /**
     * Starts a card: resets it, agrees on features, and gives it its queues.
     *
     * @param device a virtio network card with bus mastering enabled; whoever gives it closes it
     * @param memory memory that the device may read and write, for the queues: 32 bytes an entry and a page, in slices of
     *     16 or more
     * @param pool packets in memory that it may read and write; a queue full of them is taken at once
     * @param entries the size of both queues, a power of two; fewer if the device has fewer
     * @return the port
     * @throws NetException if it is no such card, or lacks what this driver needs
     * @throws IllegalArgumentException if the size cannot be, or memory or packets are too few
     */
    public static VirtioNet start(Device device, DmaSlices memory, PacketPool pool, int entries) {
        return new VirtioNet(device, memory, pool, entries);
    }

    private void offer(int packet) {
        rx.add(
                packet,
                pool.iova(packet) - HEADER_BYTES,
                HEADER_BYTES + PacketPool.MOST_BYTES,
                VirtQueue.DEVICE_WRITES);
    }

    @Override
    public int receive(int[] packets, int most) {
        int count = 0;
        boolean taken = false;
        while (count < most) {
            int packet = rx.take();
            if (packet == VirtQueue.NONE) {
                break;
            }
            taken = true;
            int length = rx.usedLength() - HEADER_BYTES;
            int next = packet;
            if (length <= 0 || length > PacketPool.MOST_BYTES) {
                bad++;
            } else if ((next = pool.take()) == PacketPool.NONE) {
                next = packet; // this one goes back to the device, and what is in it is lost
                withoutBuffer++;
            } else {
                pool.length(packet, length);
                packets[count++] = packet;
                receivedBytes += length;
            }
            offer(next);
        }
        if (taken) {
            received += count;
            rx.postponeInterrupts();
            rx.publish();
        } else if (++idle % IDLE_LOOKS == 0) {
            rx.touchDevice(); // the queue is only memory: this notices that the device is closed
        }
        return count;
    }

    @Override
    public int send(int[] packets, int count) {
        takeBack();
        int accepted = Math.min(count, tx.room());
        for (int i = 0; i < accepted; i++) {
            int packet = packets[i];
            int length = pool.length(packet);
            long header = PacketPool.offset(packet) - HEADER_BYTES;
            data.write32Plain(header, 0); // no offload of any kind
            data.write64Plain(header + 4, 0L);
            tx.add(packet, pool.iova(packet) - HEADER_BYTES, HEADER_BYTES + length, 0);
            sentBytes += length;
        }
        sent += accepted;
        tx.publish();
        return accepted;
    }

    private void takeBack() {
        int packet = tx.take();
        if (packet == VirtQueue.NONE) {
            return;
        }
        while (packet != VirtQueue.NONE) {
            pool.give(packet);
            packet = tx.take();
        }
        tx.postponeInterrupts();
    }

    @Override
    public long macAddress() {
        return macAddress;
    }

    @Override
    public boolean linkUp() {
        return !hasStatus || (device.readSpecific(CONFIG_STATUS, 2) & STATUS_LINK) != 0;
    }

    @Override
    public PortStatistics statistics() {
        return new PortStatistics(received, receivedBytes, sent, sentBytes, withoutBuffer, bad, 0);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        device.reset(); // ends all access to memory
        giveAll(rx);
        giveAll(tx);
    }

    private void giveAll(VirtQueue queue) {
        for (int packet = queue.takeUnused(); packet != VirtQueue.NONE; packet = queue.takeUnused()) {
            pool.give(packet);
        }
    }
}
