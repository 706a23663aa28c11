package io.github.vfio4j.examples.models;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A simulated virtio network card without the legacy interface: two split queues of up to 256, with event index and
 * without, no offloads, no interrupts. Its structures are in BAR 4, where each access calls the model; the notifications,
 * which drivers map, are in BAR 2. It looks at what the driver makes available only when it was notified, as real devices
 * do, so that a driver which fails to notify it comes to a halt.
 */
public final class VirtioNetModel implements PciModel, Wire.End {
    private static final int COMMON_BAR = 4;
    private static final int NOTIFY_BAR = 2;
    private static final int BAR_BYTES = 4096;
    private static final int COMMON_OFFSET = 0x000;
    private static final int DEVICE_OFFSET = 0x400;
    private static final int NOTIFY_MULTIPLIER = 4;
    private static final int NOT_NOTIFIED = -1;

    private static final int QUEUES = 2;
    private static final int RECEIVE = 0;
    private static final int TRANSMIT = 1;
    private static final int MOST_ENTRIES = 256;
    private static final int HEADER_BYTES = 12;

    private static final long FEATURE_MAC = 1L << 5;
    private static final long FEATURE_STATUS = 1L << 16;
    private static final long FEATURE_EVENT_INDEX = 1L << 29;
    private static final long FEATURE_VERSION_1 = 1L << 32;
    private static final long FEATURE_ACCESS_PLATFORM = 1L << 33;
    private static final int FEATURES_OK = 8;
    private static final int DRIVER_OK = 4;

    private static final VarHandle INT32 = JAVA_INT.varHandle().withInvokeExactBehavior();

    /** A queue as the driver described it. Guarded by the model. */
    private static final class Queue {
        private int size = MOST_ENTRIES;
        private boolean enabled;
        private long descriptors;
        private long available;
        private long used;
        private int next; // of the available ring
        private int done; // of the used ring
    }

    private final long macAddress;
    private final long features;
    private final MemorySegment small = Arena.ofAuto().allocate(16, 8); // guarded by this
    private final MemorySegment frame = Arena.ofAuto().allocate(1 << 16, 8); // guarded by this
    private Queue[] queues; // guarded by this
    private int status; // guarded by this
    private int queueSelect; // guarded by this
    private int deviceFeatureSelect; // guarded by this
    private int driverFeatureSelect; // guarded by this
    private long driverFeatures; // guarded by this
    private PciBus bus; // guarded by this; null without power
    private Poller poller;
    private volatile Wire wire;
    private volatile long missed;
    private volatile long notified;

    /**
     * Makes a card.
     *
     * @param macAddress 48 bits; the first byte on the wire is the lowest
     * @param eventIndex whether it offers VIRTIO_F_EVENT_IDX
     */
    public VirtioNetModel(long macAddress, boolean eventIndex) {
        this.macAddress = macAddress;
        this.features = FEATURE_MAC
                | FEATURE_STATUS
                | FEATURE_VERSION_1
                | FEATURE_ACCESS_PLATFORM
                | (eventIndex ? FEATURE_EVENT_INDEX : 0);
        resetState();
    }

    /**
     * Returns how many frames it dropped because the driver had given it no memory for them.
     *
     * @return the number since the model was made
     */
    public long missed() {
        return missed;
    }

    /**
     * Returns how often it was notified.
     *
     * @return the number since the model was made
     */
    public long notified() {
        return notified;
    }

    @Override
    public void plug(Wire newWire) {
        wire = newWire;
    }

    @Override
    public PciIdentity identity() {
        return new PciIdentity(0x1af4, 0x1041, 0x020000);
    }

    @Override
    public List<PciBar> bars() {
        return List.of(new PciBar(NOTIFY_BAR, BAR_BYTES, true), new PciBar(COMMON_BAR, BAR_BYTES, false));
    }

    @Override
    public List<byte[]> vendorCapabilities() {
        return List.of(
                capability(1, COMMON_BAR, COMMON_OFFSET, 56),
                capability(2, NOTIFY_BAR, 0, QUEUES * NOTIFY_MULTIPLIER),
                capability(4, COMMON_BAR, DEVICE_OFFSET, 8));
    }

    private static byte[] capability(int type, int bar, int offset, int length) {
        int bytes = type == 2 ? 20 : 16;
        ByteBuffer body = ByteBuffer.allocate(bytes - 2).order(ByteOrder.LITTLE_ENDIAN);
        body.put((byte) bytes).put((byte) type).put((byte) bar).put(new byte[3]).putInt(offset).putInt(length);
        if (type == 2) {
            body.putInt(NOTIFY_MULTIPLIER);
        }
        return body.array();
    }

    @Override
    public void powerOn(PciBus newBus) {
        MemorySegment notifications = newBus.bar(NOTIFY_BAR);
        for (int i = 0; i < QUEUES; i++) {
            INT32.setRelease(notifications, (long) i * NOTIFY_MULTIPLIER, NOT_NOTIFIED);
        }
        synchronized (this) {
            bus = newBus;
            resetState();
        }
        poller = new Poller("virtio-net model", () -> look(notifications));
    }

    @Override
    public synchronized void reset() {
        resetState();
    }

    @Override
    public void powerOff() {
        poller.stop();
        synchronized (this) { // a frame may be on its way in
            bus = null;
        }
    }

    private void resetState() {
        queues = new Queue[] {new Queue(), new Queue()};
        status = 0;
        driverFeatures = 0;
    }

    @Override
    public synchronized long read(int bar, long offset, int width) {
        if (offset >= DEVICE_OFFSET) {
            int at = (int) (offset - DEVICE_OFFSET);
            return at < 6 ? macAddress >>> 8 * at : wire == null ? 0 : 1;
        }
        Queue queue = queueSelect < QUEUES ? queues[queueSelect] : null;
        return switch ((int) offset) {
            case 4 -> deviceFeatureSelect < 2 ? features >>> 32 * deviceFeatureSelect & 0xffff_ffffL : 0;
            case 16, 26 -> 0xffff;
            case 18 -> QUEUES;
            case 20 -> status;
            case 22 -> queueSelect;
            case 24 -> queue == null ? 0 : queue.size;
            case 28 -> queue != null && queue.enabled ? 1 : 0;
            case 30 -> queueSelect;
            default -> 0;
        };
    }

    @Override
    public synchronized void write(int bar, long offset, int width, long value) {
        Queue queue = queueSelect < QUEUES ? queues[queueSelect] : new Queue();
        switch ((int) offset) {
            case 0 -> deviceFeatureSelect = (int) value;
            case 8 -> driverFeatureSelect = (int) value;
            case 12 -> driverFeatures = driverFeatureSelect == 0
                    ? driverFeatures & ~0xffff_ffffL | value
                    : driverFeatures & 0xffff_ffffL | value << 32;
            case 20 -> status((int) value);
            case 22 -> queueSelect = (int) value;
            case 24 -> queue.size = (int) value;
            case 28 -> queue.enabled = value == 1;
            case 32 -> queue.descriptors = queue.descriptors & ~0xffff_ffffL | value;
            case 36 -> queue.descriptors = queue.descriptors & 0xffff_ffffL | value << 32;
            case 40 -> queue.available = queue.available & ~0xffff_ffffL | value;
            case 44 -> queue.available = queue.available & 0xffff_ffffL | value << 32;
            case 48 -> queue.used = queue.used & ~0xffff_ffffL | value;
            case 52 -> queue.used = queue.used & 0xffff_ffffL | value << 32;
            default -> {}
        }
    }

    private void status(int value) {
        if (value == 0) {
            resetState();
            return;
        }
        boolean agreed = (driverFeatures & ~features) == 0 && (driverFeatures & FEATURE_VERSION_1) != 0;
        status = agreed ? value : value & ~FEATURES_OK;
    }

    private boolean look(MemorySegment notifications) {
        boolean any = false;
        for (int i = 0; i < QUEUES; i++) {
            if ((int) INT32.getAndSet(notifications, (long) i * NOTIFY_MULTIPLIER, NOT_NOTIFIED) != NOT_NOTIFIED) {
                notified++;
                any = true;
                if (i == TRANSMIT) {
                    transmit();
                }
            }
        }
        return any;
    }

    /** Sends everything that is available, then says when it wants to hear of more, and looks once more. */
    private void transmit() {
        while (true) {
            MemorySegment sent;
            synchronized (this) {
                Queue queue = queues[TRANSMIT];
                if (bus == null || (status & DRIVER_OK) == 0 || !queue.enabled) {
                    return;
                }
                int index = index(queue);
                if (index == queue.next) {
                    wantNotification(queue);
                    index = index(queue);
                }
                if (index < 0 || index == queue.next) {
                    return;
                }
                sent = next(queue);
            }
            Wire out = wire;
            if (out != null && sent != null) {
                out.send(this, sent); // without the lock: the other side has one, too
            }
        }
    }

    /** Reads the index of the available ring; -1 if it cannot be reached. Flags and index are one word. */
    private int index(Queue queue) {
        MemorySegment word = small.asSlice(0, 4);
        return bus.dmaRead(queue.available, word) ? word.get(JAVA_INT, 0) >>> 16 : -1;
    }

    private void wantNotification(Queue queue) {
        if ((driverFeatures & FEATURE_EVENT_INDEX) != 0) {
            MemorySegment event = small.asSlice(0, 2);
            event.set(JAVA_SHORT, 0, (short) queue.next);
            bus.dmaWrite(queue.used + 4 + 8L * queue.size, event);
        }
        VarHandle.fullFence(); // the driver sees this before its index is read again, or this sees its index
    }

    /** Takes the next frame out of the memory that the driver made available, and gives that memory back. */
    private MemorySegment next(Queue queue) {
        int descriptor = takeAvailable(queue);
        long[] memory = descriptor(queue, descriptor);
        MemorySegment sent = null;
        if (memory != null && memory[1] > HEADER_BYTES && memory[1] <= frame.byteSize()) {
            MemorySegment whole = frame.asSlice(0, memory[1]);
            sent = bus.dmaRead(memory[0], whole) ? whole.asSlice(HEADER_BYTES) : null;
        }
        give(queue, descriptor, 0);
        return sent;
    }

    private int takeAvailable(Queue queue) {
        MemorySegment entry = small.asSlice(0, 2);
        bus.dmaRead(queue.available + 4 + 2L * (queue.next & queue.size - 1), entry);
        queue.next = queue.next + 1 & 0xffff;
        return Short.toUnsignedInt(entry.get(JAVA_SHORT, 0));
    }

    /** Returns address and length of a descriptor, or null if it cannot be reached. */
    private long[] descriptor(Queue queue, int number) {
        if (!bus.dmaRead(queue.descriptors + 16L * number, small)) {
            return null;
        }
        return new long[] {small.get(JAVA_LONG, 0), Integer.toUnsignedLong(small.get(JAVA_INT, 8))};
    }

    private void give(Queue queue, int descriptor, int written) {
        MemorySegment entry = small.asSlice(0, 8);
        entry.set(JAVA_INT, 0, descriptor);
        entry.set(JAVA_INT, 4, written);
        bus.dmaWrite(queue.used + 4 + 8L * (queue.done & queue.size - 1), entry);
        queue.done = queue.done + 1 & 0xffff;
        MemorySegment word = small.asSlice(8, 4);
        word.set(JAVA_INT, 0, queue.done << 16);
        bus.dmaWrite(queue.used, word); // after the entry
    }

    @Override
    public synchronized void receive(MemorySegment arriving) {
        Queue queue = queues[RECEIVE];
        if (bus == null || (status & DRIVER_OK) == 0 || !queue.enabled) {
            return;
        }
        int index = index(queue);
        if (index < 0 || index == queue.next) {
            missed++;
            return;
        }
        int descriptor = takeAvailable(queue);
        long[] memory = descriptor(queue, descriptor);
        long bytes = HEADER_BYTES + arriving.byteSize();
        int written = 0;
        if (memory != null && bytes <= memory[1]) {
            small.fill((byte) 0).set(JAVA_SHORT, 10, (short) 1); // num_buffers
            boolean whole = bus.dmaWrite(memory[0], small.asSlice(0, HEADER_BYTES))
                    && bus.dmaWrite(memory[0] + HEADER_BYTES, arriving);
            written = whole ? (int) bytes : 0;
        }
        give(queue, descriptor, written);
    }
}
