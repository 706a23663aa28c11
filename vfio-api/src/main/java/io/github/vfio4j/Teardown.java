package io.github.vfio4j;

import java.lang.foreign.Arena;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/** Steps that all run, whichever of them fail; the first failure is thrown at the end with the others suppressed. */
final class Teardown {
    private static final long ARENA_DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final long ARENA_PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

    private RuntimeException failure;

    /** Runs a step; tells whether it succeeded. */
    boolean step(Runnable step) {
        try {
            step.run();
            return true;
        } catch (RuntimeException e) {
            if (failure == null) {
                failure = e;
            } else if (failure != e) {
                failure.addSuppressed(e);
            }
            return false;
        }
    }

    /**
     * Closes a handle with its lock held, unless it is closed already.
     *
     * @param closed is it?
     * @param steps set that it is, and take the steps
     */
    static void once(Lock lock, BooleanSupplier closed, Consumer<Teardown> steps) {
        lock.lock();
        try {
            if (!closed.getAsBoolean()) {
                Teardown teardown = new Teardown();
                steps.accept(teardown);
                teardown.finish();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Takes a step back after a failure, which is thrown next; another failure goes with it. */
    static void after(RuntimeException cause, Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            cause.addSuppressed(e);
        }
    }

    /** Ends the teardown. */
    void finish() {
        if (failure != null) {
            throw failure;
        }
    }

    /**
     * Closes a shared arena. A native call that uses its memory holds it open: it is given time to end, since what comes
     * next is to unmap that memory.
     *
     * @throws IllegalStateException if a native call still uses the memory at the deadline; the arena is then open
     */
    static void close(Arena arena) {
        long start = System.nanoTime();
        while (arena.scope().isAlive()) {
            try {
                arena.close();
            } catch (IllegalStateException e) {
                if (System.nanoTime() - start > ARENA_DEADLINE_NANOS) {
                    throw new IllegalStateException(
                            "memory is still used by a native call (a read or write of it, in another thread) after"
                                    + " 10 s; end that call and close again",
                            e);
                }
                LockSupport.parkNanos(ARENA_PAUSE_NANOS);
            }
        }
    }
}
