package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.ffm.port.EpollEvent;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * An open epoll file. Waits for files to become readable, level-triggered: eventfds and the queues of an iommufd; other
 * kinds of files and of events it does not know. Those that were reported go behind the others, so that each gets its turn.
 *
 * <p>What it waits for tells it of each change, and may hold its own lock then: whoever holds the lock of this file asks
 * none of them.
 */
final class EpollFile extends UnseekableFile {
    private static final int MOST_EVENTS = Integer.MAX_VALUE / 16; // EP_MAX_EVENTS

    private record Item(int fd, PollableFile file, int events, long data) {}

    private final List<Item> items = new ArrayList<>(); // in the order of their turns; guarded by this
    private long changes; // guarded by this

    static EpollFile open(int flags) {
        if ((flags & ~Syscalls.EPOLL_CLOEXEC) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        return new EpollFile();
    }

    /** epoll_ctl on a file that may be none. The kernel's lock is held. */
    static void control(SimFile epoll, int operation, int fd, SimFile target, MemorySegment event) {
        if (!(target instanceof PollableFile) && !(target instanceof EpollFile)) {
            throw new KernelError(Errno.EPERM); // it cannot be polled
        }
        if (epoll == target || !(epoll instanceof EpollFile file)) {
            throw new KernelError(Errno.EINVAL);
        }
        if (!(target instanceof PollableFile pollable)) {
            throw new UnsupportedOperationException("the simulated epoll does not wait for another one");
        }
        file.control(operation, fd, pollable, event);
    }

    private void control(int operation, int fd, PollableFile file, MemorySegment event) {
        switch (operation) {
            case Syscalls.EPOLL_CTL_ADD -> {
                int events = EpollEvent.events(event, 0);
                if (events != Syscalls.EPOLLIN) {
                    throw new UnsupportedOperationException("the simulated epoll waits for EPOLLIN alone: " + events);
                }
                add(new Item(fd, file, events, EpollEvent.data(event, 0)));
                file.readiness().watch(this);
                changed();
            }
            case Syscalls.EPOLL_CTL_DEL -> {
                if (remove(fd, file)) {
                    file.readiness().unwatch(this);
                }
            }
            default -> throw new KernelError(Errno.EINVAL);
        }
    }

    private synchronized void add(Item added) {
        if (items.stream().anyMatch(item -> item.fd == added.fd && item.file == added.file)) {
            throw new KernelError(Errno.EEXIST);
        }
        items.add(added);
    }

    /** Returns whether that was the last descriptor of the file here. */
    private synchronized boolean remove(int fd, PollableFile file) {
        if (!items.removeIf(item -> item.fd == fd && item.file == file)) {
            throw new KernelError(Errno.ENOENT);
        }
        return items.stream().noneMatch(item -> item.file == file);
    }

    /** All files of something were closed for good. */
    synchronized void forget(Readiness gone) {
        items.removeIf(item -> item.file.readiness() == gone);
    }

    /** Something that it waits for changed. */
    synchronized void changed() {
        changes++;
        notifyAll();
    }

    @Override
    void wake() {
        changed();
    }

    /** epoll_wait. The program's memory has room. */
    int await(MemorySegment events, int most, int millis, BooleanSupplier dead) {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        while (true) {
            List<Item> candidates;
            long seen;
            synchronized (this) {
                candidates = List.copyOf(items);
                seen = changes;
            }
            List<Item> ready = candidates.stream()
                    .filter(item -> item.file.readiness().readable())
                    .limit(most)
                    .toList();
            if (!ready.isEmpty()) {
                report(ready, events);
                return ready.size();
            }
            if (dead.getAsBoolean()) {
                throw new KernelError(Errno.EINTR);
            }
            if (!sleep(seen, millis < 0, end)) {
                return 0;
            }
        }
    }

    private synchronized void report(List<Item> ready, MemorySegment events) {
        for (int i = 0; i < ready.size(); i++) {
            Item item = ready.get(i);
            EpollEvent.set(events, i, item.events, item.data);
            if (items.remove(item)) {
                items.add(item);
            }
        }
    }

    /** Sleeps until something changes; false if the time is over before. A Java interrupt does not end it. */
    private synchronized boolean sleep(long seen, boolean forever, long end) {
        boolean interrupted = false;
        try {
            while (changes == seen) {
                long left = end - System.nanoTime();
                if (!forever && left <= 0) {
                    return false;
                }
                try {
                    if (forever) {
                        wait();
                    } else {
                        TimeUnit.NANOSECONDS.timedWait(this, Math.max(left, 1_000));
                    }
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            return true;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    static void checkMost(int most) {
        if (most <= 0 || most > MOST_EVENTS) {
            throw new KernelError(Errno.EINVAL);
        }
    }

    @Override
    void release() {
        List<Item> last;
        synchronized (this) {
            last = List.copyOf(items);
            items.clear();
        }
        last.forEach(item -> item.file.readiness().unwatch(this));
    }

    @Override
    public String toString() {
        return "epoll";
    }
}
