package io.github.vfio4j.examples.virtio;

import io.github.vfio4j.DmaSlice;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.examples.driver.DmaSlices;
import java.lang.invoke.VarHandle;

/**
 * A split virtqueue (section 2.6): a table of descriptors, a ring in which the driver makes them available, and a ring in
 * which the device gives them back, in any order. Each descriptor here is one piece of memory, and a token of the caller
 * goes with it.
 *
 * <p>Nobody tells the other side more than it wants to hear. The driver wants no interrupts. The device says, in the used
 * ring, at which index of the available ring it wants to be notified (event index), or whether at all; it looks at that
 * index again after it has said so. Therefore {@link #publish} must not read what the device wants before the device can
 * see the new index: without a full fence between this write and this read, each side could miss the other, and both would
 * wait for ever.
 *
 * <p>For one thread at a time; no method but the constructor allocates, locks or waits.
 */
final class VirtQueue {
    /** What {@link #take} returns when the device gave nothing back. */
    static final int NONE = -1;

    /** The device writes the memory, the driver does not. */
    static final int DEVICE_WRITES = 2;

    private static final int DESCRIPTOR_SHIFT = 4;
    private static final long WORD = 8; // of a descriptor: length, flags and next
    private static final int FLAGS_SHIFT = 32;
    private static final long INDEX = 2; // in both rings: behind the flags
    private static final long RING = 4;
    private static final int USED_SHIFT = 3;
    private static final int NO_INTERRUPTS = 1; // flag of the available ring
    private static final int NO_NOTIFICATIONS = 1; // flag of the used ring

    private final int number;
    private final int mask;
    private final boolean eventIndex;
    private final DmaSlice descriptors;
    private final DmaSlice available;
    private final DmaSlice used;
    private final long usedEvent; // where in the available ring the driver says when it wants an interrupt
    private final long availableEvent; // where in the used ring the device says when it wants a notification
    private final Mmio notifications;
    private final long notification;

    /** By descriptor. */
    private final int[] tokens;
    /** Descriptors that the device does not have; a stack. */
    private final int[] free;

    private int freeCount;
    private int availableIndex; // 16 bits count, as in the rings
    private int publishedIndex;
    private int usedIndex;
    private int usedLength;

    /**
     * Makes a queue and tells the device of it.
     *
     * @param size how many descriptors, a power of two
     * @param eventIndex whether VIRTIO_F_EVENT_IDX was agreed on
     */
    VirtQueue(VirtioDevice device, DmaSlices memory, int number, int size, boolean eventIndex) {
        this.number = number;
        this.mask = size - 1;
        this.eventIndex = eventIndex;
        this.descriptors = memory.take((long) size << DESCRIPTOR_SHIFT);
        this.usedEvent = RING + 2L * size;
        this.available = memory.take(usedEvent + 2);
        this.availableEvent = RING + ((long) size << USED_SHIFT);
        this.used = memory.take(availableEvent + 2);
        this.tokens = new int[size];
        this.free = new int[size];
        for (int i = 0; i < size; i++) {
            free[i] = size - 1 - i;
        }
        freeCount = size;
        available.write16Opaque(0, NO_INTERRUPTS);
        available.write16Opaque(usedEvent, -1); // as far away as can be
        this.notifications = device.notifications();
        this.notification =
                device.enableQueue(number, size, descriptors.iova(), available.iova(), used.iova());
    }

    /** Returns how many descriptors the device does not have. */
    int room() {
        return freeCount;
    }

    /** Makes memory available, not visibly before {@link #publish}. There must be room. */
    void add(int token, long iova, int bytes, int flags) {
        int descriptor = free[--freeCount];
        tokens[descriptor] = token;
        long entry = (long) descriptor << DESCRIPTOR_SHIFT;
        descriptors.write64Plain(entry, iova);
        descriptors.write64Plain(entry + WORD, bytes | (long) flags << FLAGS_SHIFT);
        available.write16Plain(RING + 2L * (availableIndex & mask), descriptor);
        availableIndex++;
    }

    /** Shows the device what was added, and notifies it if it wants to be. */
    void publish() {
        int before = publishedIndex;
        if (before == availableIndex) {
            return;
        }
        publishedIndex = availableIndex;
        available.write16Release(INDEX, availableIndex); // after all that was added
        VarHandle.fullFence(); // and before the device's wish is read
        if (isWanted(before)) {
            notifications.write16Release(notification, (short) number);
        }
    }

    /** Does the device want to hear of the way from an index to the current one? */
    private boolean isWanted(int before) {
        if (!eventIndex) {
            return (used.read16Opaque(0) & NO_NOTIFICATIONS) == 0;
        }
        int event = used.read16Opaque(availableEvent);
        int beyond = availableIndex - event - 1 & 0xffff;
        return beyond < (availableIndex - before & 0xffff);
    }

    /** Takes back what the device is done with: the token that was added with it. {@link #usedLength} is its own. */
    int take() {
        // Acquire: the entry, and the data that the device wrote, are seen after the index.
        if (used.read16Acquire(INDEX) == (usedIndex & 0xffff)) {
            return NONE;
        }
        long entry = RING + ((long) (usedIndex & mask) << USED_SHIFT);
        int descriptor = used.read32Plain(entry);
        usedLength = used.read32Plain(entry + 4);
        usedIndex++;
        free[freeCount++] = descriptor;
        return tokens[descriptor];
    }

    /** Returns how many bytes the device wrote into what was taken back last. */
    int usedLength() {
        return usedLength;
    }

    /** Keeps the index of the next interrupt as far away as can be. After what was taken. */
    void postponeInterrupts() {
        available.write16Opaque(usedEvent, usedIndex - 1);
    }

    /** Reads where notifications go, which means nothing to the device, and throws if it is closed. */
    void touchDevice() {
        notifications.flush(notification & -4);
    }

    /** Returns the token of a descriptor that the device has; of a device that was reset, in any order. */
    int takeUnused() {
        boolean[] idle = new boolean[mask + 1];
        for (int i = 0; i < freeCount; i++) {
            idle[free[i]] = true;
        }
        for (int descriptor = 0; descriptor <= mask; descriptor++) {
            if (!idle[descriptor]) {
                free[freeCount++] = descriptor;
                return tokens[descriptor];
            }
        }
        return NONE;
    }
}
