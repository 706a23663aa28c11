package io.github.vfio4j.ffm.port;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * {@code struct epoll_event} in an array of them. The kernel packs it on x86-64 alone ({@code EPOLL_PACKED} of
 * linux/eventpoll.h): 12 bytes there, 16 elsewhere.
 */
public final class EpollEvent {
    private static final boolean PACKED = System.getProperty("os.arch").equals("amd64");

    /** The size of one. */
    public static final int BYTES = PACKED ? 12 : 16;

    private static final long DATA = PACKED ? 4 : 8;
    private static final ValueLayout.OfInt EVENTS_LAYOUT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfLong DATA_LAYOUT = ValueLayout.JAVA_LONG_UNALIGNED;

    private EpollEvent() {}

    /**
     * Writes one.
     *
     * @param array the array
     * @param index which element
     * @param events {@code EPOLL...} bits
     * @param data what the kernel gives back with the event
     */
    public static void set(MemorySegment array, int index, int events, long data) {
        array.set(EVENTS_LAYOUT, (long) index * BYTES, events);
        array.set(DATA_LAYOUT, (long) index * BYTES + DATA, data);
    }

    /**
     * Reads which events there are.
     *
     * @param array the array
     * @param index which element
     * @return {@code EPOLL...} bits
     */
    public static int events(MemorySegment array, int index) {
        return array.get(EVENTS_LAYOUT, (long) index * BYTES);
    }

    /**
     * Reads what was given when the file was added.
     *
     * @param array the array
     * @param index which element
     * @return the data
     */
    public static long data(MemorySegment array, int index) {
        return array.get(DATA_LAYOUT, (long) index * BYTES + DATA);
    }
}
