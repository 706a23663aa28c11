package io.github.vfio4j.sim;

import java.util.HashSet;
import java.util.Set;

/** What epoll files wait for. It tells them of each change, and may hold its own lock then. */
abstract class Readiness {
    private final Set<EpollFile> watchers = new HashSet<>(); // guarded by this

    /** Would a read get something? */
    abstract boolean readable();

    /** Tells an epoll file of changes from now on. */
    final synchronized void watch(EpollFile watcher) {
        watchers.add(watcher);
    }

    final synchronized void unwatch(EpollFile watcher) {
        watchers.remove(watcher);
    }

    /** Something changed. */
    final synchronized void tellWatchers() {
        watchers.forEach(EpollFile::changed);
    }

    /** The file was closed for good: nobody waits for it any more. */
    synchronized void closed() {
        watchers.forEach(watcher -> watcher.forget(this));
        watchers.clear();
    }
}
