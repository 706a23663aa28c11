package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * The counter behind an eventfd. Interrupts hold it beyond the close of its file (Linux: struct eventfd_ctx). A waiting
 * reader waits until a write comes, or until its process dies; a Java interrupt does not wake it, as none would wake a
 * thread in a system call.
 */
final class EventFd extends Readiness {
    /**
     * Somebody in the kernel who takes counts (Linux: struct virqfd). Called without the lock of the eventfd.
     *
     * @param signalled what to do at each signal; it must not wait
     * @param closed what to do when the last descriptor was closed: no signal comes any more
     */
    record Consumer(Runnable signalled, Runnable closed) {}

    private static final long MAX = -2; // ULLONG_MAX - 1

    private final boolean semaphore;
    private final List<Consumer> consumers = new ArrayList<>(); // guarded by this
    private long count; // unsigned; guarded by this

    EventFd(long initial, boolean semaphore) {
        this.count = initial;
        this.semaphore = semaphore;
    }

    /** The kernel adds 1 (eventfd_signal); at the limit the counter stays. */
    void signal() {
        List<Consumer> called;
        synchronized (this) {
            if (count != -1) {
                count++;
            }
            called = changed();
        }
        called.forEach(consumer -> consumer.signalled.run());
    }

    @Override
    synchronized boolean readable() {
        return count != 0;
    }

    @Override
    void closed() {
        List<Consumer> called;
        synchronized (this) {
            super.closed();
            called = List.copyOf(consumers);
            consumers.clear();
        }
        called.forEach(consumer -> consumer.closed.run());
    }

    /** Has somebody take the counts that come from now on. A count that is there stays, and he is called for it. */
    void consume(Consumer consumer) {
        boolean signalled;
        synchronized (this) {
            consumers.add(consumer);
            signalled = count != 0;
        }
        if (signalled) {
            consumer.signalled.run();
        }
    }

    /** Nobody takes counts for him any more. What is there goes with him (eventfd_ctx_remove_wait_queue). */
    synchronized void release(Consumer consumer) {
        if (consumers.remove(consumer)) {
            take();
            notifyAll(); // those that wait to write
        }
    }

    private long take() {
        long taken = semaphore && count != 0 ? 1 : count;
        count -= taken;
        return taken;
    }

    /** Tells who waits; who takes the count is to be called after this. */
    private List<Consumer> changed() {
        List<Consumer> called = List.copyOf(consumers); // also when 0 was written
        called.forEach(_ -> take());
        notifyAll();
        tellWatchers();
        return called;
    }

    synchronized long read(boolean block, BooleanSupplier dead) {
        await(block, dead, () -> count != 0);
        long value = take();
        notifyAll(); // those that wait to write
        return value;
    }

    void write(long value, boolean block, BooleanSupplier dead) {
        if (value == -1) {
            throw new KernelError(Errno.EINVAL);
        }
        List<Consumer> called;
        synchronized (this) {
            await(block, dead, () -> count != -1 && Long.compareUnsigned(value, MAX - count) <= 0);
            count += value;
            called = changed();
        }
        called.forEach(consumer -> consumer.signalled.run());
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
