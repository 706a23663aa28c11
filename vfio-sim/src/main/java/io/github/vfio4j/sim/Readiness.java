package io.github.vfio4j.sim;

/** What an epoll file waits for. It tells of each change, and may hold its own lock then. */
interface Readiness {
    /** Would a read get something? */
    boolean readable();

    /** Tells an epoll file of changes from now on. */
    void watch(EpollFile watcher);

    void unwatch(EpollFile watcher);
}
