package io.github.vfio4j.examples.models;

import java.lang.foreign.MemorySegment;

/** The cable between two simulated network cards. */
public final class Wire {
    /** A card's end of it. */
    public interface End {
        /**
         * A frame arrives, in the sender's thread.
         *
         * @param frame what arrives, until this returns
         */
        void receive(MemorySegment frame);

        /**
         * The cable is plugged in.
         *
         * @param wire where to send to from now on
         */
        void plug(Wire wire);
    }

    private final End one;
    private final End other;

    private Wire(End one, End other) {
        this.one = one;
        this.other = other;
    }

    /**
     * Connects two cards, or a card with itself.
     *
     * @param one a card
     * @param other another one, or the same
     */
    public static void connect(End one, End other) {
        Wire wire = new Wire(one, other);
        one.plug(wire);
        other.plug(wire);
    }

    void send(End from, MemorySegment frame) {
        (from == one ? other : one).receive(frame);
    }
}
