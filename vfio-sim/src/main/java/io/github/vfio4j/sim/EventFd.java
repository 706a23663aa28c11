package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;

/**
 * The counter behind an eventfd. Interrupts hold it beyond the close of its file (Linux: struct eventfd_ctx). A waiting
 * reader waits until a write comes, or until its process dies; a Java interrupt does not wake it, as none would wake a
 * thread in a system call.
 */
final class EventFd {
    private static final long MAX = -2; // ULLONG_MAX - 1

    private final boolean semaphore;
    private final Set<EpollFile> watchers = new HashSet<>(); // guarded by this
    private final List<Runnable> consumers = new ArrayList<>(); // guarded by this
    private long count; // unsigned; guarded by this

    EventFd(long initial, boolean semaphore) {
        this.count = initial;
        this.semaphore = semaphore;
    }

    /** The kernel adds 1 (eventfd_signal); at the limit the counter stays. */
    synchronized void signal() {
        if (count != -1) {
            count++;
        }
        changed();
    }

    /** Would a read get something? */
    synchronized boolean readable() {
        return count != 0;
    }

    /** Tells an epoll file of changes from now on. */
    synchronized void watch(EpollFile watcher) {
        watchers.add(watcher);
    }

    synchronized void unwatch(EpollFile watcher) {
        watchers.remove(watcher);
    }

    /** The file was closed for good: nobody waits for it any more. */
    synchronized void closed() {
        watchers.forEach(watcher -> watcher.forget(this));
        watchers.clear();
    }

    /**
     * Has the kernel take the count whenever there is one, and call somebody (virqfd). What is called must not wait.
     *
     * @param consumer what to call, from now on and now if there is a count
     */
    synchronized void consume(Runnable consumer) {
        consumers.add(consumer);
        changed();
    }

    synchronized void release(Runnable consumer) {
        consumers.remove(consumer);
    }

    private void changed() {
        if (count != 0 && !consumers.isEmpty()) {
            count = 0;
            consumers.forEach(Runnable::run);
        }
        notifyAll();
        watchers.forEach(EpollFile::changed);
    }

    synchronized long read(boolean block, BooleanSupplier dead) {
        await(block, dead, () -> count != 0);
        long value = semaphore ? 1 : count;
        count -= value;
        notifyAll(); // those that wait to write
        return value;
    }

    synchronized void write(long value, boolean block, BooleanSupplier dead) {
        if (value == -1) {
            throw new KernelError(Errno.EINVAL);
        }
        await(block, dead, () -> count != -1 && Long.compareUnsigned(value, MAX - count) <= 0);
        count += value;
        changed();
    }

    /** Lets those who wait see that their process died. */
    synchronized void wake() {
        notifyAll();
    }

    private void await(boolean block, BooleanSupplier dead, BooleanSupplier ready) {
        boolean interrupted = false;
        try {
            while (!ready.getAsBoolean()) {
                if (!block) {
                    throw new KernelError(Errno.EAGAIN);
                }
                if (dead.getAsBoolean()) {
                    throw new KernelError(Errno.EINTR);
                }
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
