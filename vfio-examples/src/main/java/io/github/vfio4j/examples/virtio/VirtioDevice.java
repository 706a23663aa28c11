package io.github.vfio4j.examples.virtio;

import io.github.vfio4j.Device;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.Region;
import io.github.vfio4j.examples.net.NetException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What every virtio device on PCI has (section 4.1): capabilities that say where its structures are, and from these its
 * status, its features, its queues and its own configuration.
 *
 * <p>The structures for the start are read and written by system calls, each one access of its width: nothing there is in
 * a hurry. Only the notifications of queues, which are on the way of packets, are mapped.
 */
final class VirtioDevice {
    // Capabilities (section 4.1.4).
    private static final int CAPABILITY_LIST = 0x34;
    private static final int VENDOR_SPECIFIC = 0x09;
    private static final int TYPE = 3;
    private static final int BAR = 4;
    private static final int OFFSET = 8;
    private static final int NOTIFY_MULTIPLIER = 16;
    private static final int MOST_CAPABILITIES = 64;

    private static final int COMMON = 1;
    private static final int NOTIFY = 2;
    private static final int DEVICE = 4;

    // Common configuration (section 4.1.4.3).
    private static final long DEVICE_FEATURE_SELECT = 0;
    private static final long DEVICE_FEATURE = 4;
    private static final long DRIVER_FEATURE_SELECT = 8;
    private static final long DRIVER_FEATURE = 12;
    private static final long CONFIG_VECTOR = 16;
    private static final long STATUS = 20;
    private static final long QUEUE_SELECT = 22;
    private static final long QUEUE_SIZE = 24;
    private static final long QUEUE_VECTOR = 26;
    private static final long QUEUE_ENABLE = 28;
    private static final long QUEUE_NOTIFY_OFFSET = 30;
    private static final long QUEUE_DESCRIPTORS = 32;
    private static final long QUEUE_DRIVER = 40;
    private static final long QUEUE_DEVICE = 48;
    private static final int NO_VECTOR = 0xffff;

    // Status (section 2.1).
    private static final int ACKNOWLEDGE = 1;
    private static final int DRIVER = 2;
    private static final int DRIVER_OK = 4;
    private static final int FEATURES_OK = 8;
    private static final int NEEDS_RESET = 64;

    static final long VERSION_1 = 1L << 32;

    private static final long RESET_NANOS = 1_000_000_000L;
    private static final ValueLayout.OfLong INT64 = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Where a structure is. */
    private record Place(Region region, long offset) {}

    private final Place common;
    private final Place notify;
    private final Place specific;
    private final long notifyMultiplier;
    private final Mmio notifications;
    private final MemorySegment scratch = Arena.ofAuto().allocate(INT64);
    private final MemorySegment[] parts = new MemorySegment[Integer.BYTES + 1]; // of scratch, by width

    VirtioDevice(Device device) {
        PciConfig config = device.config();
        Place[] places = new Place[DEVICE + 1];
        long multiplier = 0;
        int at = config.read8(CAPABILITY_LIST) & ~3;
        for (int i = 0; at != 0 && i < MOST_CAPABILITIES; i++) {
            int type = config.read8(at + TYPE);
            // The first of a type is the one that the device likes best.
            if (config.read8(at) == VENDOR_SPECIFIC && type <= DEVICE && places[type] == null) {
                places[type] = new Place(
                        device.region(config.read8(at + BAR)), Integer.toUnsignedLong(config.read32(at + OFFSET)));
                if (type == NOTIFY) {
                    multiplier = Integer.toUnsignedLong(config.read32(at + NOTIFY_MULTIPLIER));
                }
            }
            at = config.read8(at + 1) & ~3;
        }
        common = places[COMMON];
        notify = places[NOTIFY];
        specific = places[DEVICE];
        if (common == null || notify == null || specific == null) {
            throw new NetException("no modern virtio device: its structures are not in its capabilities");
        }
        for (int width = 1; width <= Integer.BYTES; width *= 2) {
            parts[width] = scratch.asSlice(0, width);
        }
        notifyMultiplier = multiplier;
        notifications = notify.region().map();
    }

    /** Back to the state before any driver; it uses no memory when this returns. */
    void reset() {
        write(common, STATUS, 1, 0);
        long start = System.nanoTime();
        while (read(common, STATUS, 1) != 0) {
            if (System.nanoTime() - start > RESET_NANOS) {
                throw new NetException("the device did not come out of its reset within 1 s");
            }
            Thread.onSpinWait();
        }
    }

    /**
     * Agrees with the device on features (section 3.1.1).
     *
     * @param wanted what the driver can make use of
     * @return what of this the device has, too
     */
    long negotiate(long wanted) {
        reset();
        addStatus(ACKNOWLEDGE);
        addStatus(DRIVER);
        long agreed = 0;
        for (int half = 0; half < 2; half++) {
            write(common, DEVICE_FEATURE_SELECT, 4, half);
            agreed |= read(common, DEVICE_FEATURE, 4) << 32 * half & wanted;
        }
        if ((agreed & VERSION_1) == 0) {
            throw new NetException("the device has no modern interface (VIRTIO_F_VERSION_1)");
        }
        for (int half = 0; half < 2; half++) {
            write(common, DRIVER_FEATURE_SELECT, 4, half);
            write(common, DRIVER_FEATURE, 4, agreed >>> 32 * half & 0xffff_ffffL);
        }
        addStatus(FEATURES_OK);
        if ((read(common, STATUS, 1) & FEATURES_OK) == 0) {
            throw new NetException("the device does not go with features 0x%x".formatted(agreed));
        }
        write(common, CONFIG_VECTOR, 2, NO_VECTOR);
        return agreed;
    }

    /** Returns how large a queue can be; 0 if there is none. */
    int queueSize(int queue) {
        write(common, QUEUE_SELECT, 2, queue);
        return (int) read(common, QUEUE_SIZE, 2);
    }

    /** Tells the device of a queue and returns where its notifications go. */
    long enableQueue(int queue, int size, long descriptors, long available, long used) {
        write(common, QUEUE_SELECT, 2, queue);
        write(common, QUEUE_SIZE, 2, size);
        write(common, QUEUE_VECTOR, 2, NO_VECTOR);
        write64(QUEUE_DESCRIPTORS, descriptors);
        write64(QUEUE_DRIVER, available);
        write64(QUEUE_DEVICE, used);
        long offset = notify.offset() + read(common, QUEUE_NOTIFY_OFFSET, 2) * notifyMultiplier;
        write(common, QUEUE_ENABLE, 2, 1);
        return offset;
    }

    /** The queues are there: the device begins to work. */
    void start() {
        addStatus(DRIVER_OK);
        if ((read(common, STATUS, 1) & NEEDS_RESET) != 0) {
            throw new NetException("the device needs a reset: it found something wrong");
        }
    }

    Mmio notifications() {
        return notifications;
    }

    /** Reads from the device's own configuration. */
    long readSpecific(long offset, int width) {
        return read(specific, offset, width);
    }

    private void addStatus(int bit) {
        write(common, STATUS, 1, read(common, STATUS, 1) | bit);
    }

    /** As two registers of 32 bits, which the specification wants of a driver (section 4.1.3.1). */
    private void write64(long offset, long value) {
        write(common, offset, 4, value & 0xffff_ffffL);
        write(common, offset + 4, 4, value >>> 32);
    }

    private long read(Place place, long offset, int width) {
        scratch.set(INT64, 0, 0L);
        place.region().read(place.offset() + offset, parts[width]);
        return scratch.get(INT64, 0);
    }

    private void write(Place place, long offset, int width, long value) {
        scratch.set(INT64, 0, value);
        place.region().write(place.offset() + offset, parts[width]);
    }
}
