package io.github.vfio4j.sim;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Predicate;

/** What a queue of an iommufd holds to be read (Linux: struct iommufd_eventq). */
final class EventQueue<E> implements Readiness {
    private final Deque<E> events = new ArrayDeque<>(); // guarded by this
    private final Set<EpollFile> watchers = new HashSet<>(); // guarded by this

    synchronized void add(E event) {
        events.addLast(event);
        watchers.forEach(EpollFile::changed);
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
    public synchronized boolean readable() {
        return !events.isEmpty();
    }

    @Override
    public synchronized void watch(EpollFile watcher) {
        watchers.add(watcher);
    }

    @Override
    public synchronized void unwatch(EpollFile watcher) {
        watchers.remove(watcher);
    }

    /** The file was closed for good: nobody waits for it any more. */
    synchronized void closed() {
        watchers.forEach(watcher -> watcher.forget(this));
        watchers.clear();
    }
}
