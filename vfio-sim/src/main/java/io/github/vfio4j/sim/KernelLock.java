package io.github.vfio4j.sim;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * The lock of a machine's kernel state. Whoever holds it calls no device model and waits for nobody. A file whose last
 * reference is dropped under the lock is released after it, by the same thread and before its system call returns, as
 * Linux does: a release may end a device model, which may need the lock's other users to go on.
 *
 * <p>Order of locks: the lock of a device (open, close, reset, access), this one, the lock of an IOMMU, then those that
 * call nobody (interrupts, eventfds, memory, fault log). A device model's own threads take none but the last two kinds.
 */
final class KernelLock {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private List<SimFile> dropped = new ArrayList<>(); // guarded by lock

    void lock() {
        lock.lock();
    }

    void unlock() {
        List<SimFile> last = List.of();
        if (lock.getHoldCount() == 1 && !dropped.isEmpty()) {
            last = dropped;
            dropped = new ArrayList<>();
        }
        lock.unlock();
        release(last.iterator());
    }

    /** Releases them all, even if the model of one throws. */
    private static void release(Iterator<SimFile> files) {
        if (files.hasNext()) {
            try {
                files.next().release();
            } finally {
                release(files);
            }
        }
    }

    /** Takes one more reference to a file. The lock is held. */
    void get(SimFile file) {
        file.references++;
    }

    /** Drops a reference to a file. The lock is held. */
    void put(SimFile file) {
        if (--file.references == 0) {
            dropped.add(file);
        }
    }

    /** Wakes those that wait for a change. The lock is held. */
    void changed() {
        changed.signalAll();
    }

    /** Waits until something is so. The lock is held once, and free meanwhile. Not interruptible. */
    void await(BooleanSupplier done) {
        await(done, Integer.MAX_VALUE, () -> {});
    }

    /** Waits until something is so, and urges at once and every so many seconds while it is not. */
    void await(BooleanSupplier done, int seconds, Runnable urge) {
        boolean interrupted = false;
        long rest = 0;
        while (!done.getAsBoolean()) {
            if (rest <= 0) {
                urge.run();
                rest = TimeUnit.SECONDS.toNanos(seconds);
            }
            long start = System.nanoTime();
            try {
                changed.awaitNanos(rest);
            } catch (InterruptedException e) {
                interrupted = true;
            }
            rest -= System.nanoTime() - start;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
