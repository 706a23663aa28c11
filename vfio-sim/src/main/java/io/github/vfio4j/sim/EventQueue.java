package io.github.vfio4j.sim;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Predicate;

/** What a queue of an iommufd holds to be read (Linux: struct iommufd_eventq). */
final class EventQueue<E> extends Readiness {
    private final Deque<E> events = new ArrayDeque<>(); // guarded by this

    synchronized void add(E event) {
        events.addLast(event);
        tellWatchers();
    }

    /** The oldest one; null if there is none. */
    synchronized E first() {
        return events.peekFirst();
    }

    /** The newest one; null if there is none. */
    synchronized E last() {
        return events.peekLast();
    }

    synchronized void removeFirst() {
        events.removeFirst();
    }

    synchronized void removeIf(Predicate<E> which) {
        events.removeIf(which);
    }

    @Override
    synchronized boolean readable() {
        return !events.isEmpty();
    }
}
