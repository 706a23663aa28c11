package io.github.vfio4j;

import io.github.vfio4j.spi.Kernel;
import java.time.Duration;
import java.time.temporal.ChronoUnit;

/** The thread that calls the handlers of interrupts. It starts with the first and ends when no interrupt is left. */
final class Callbacks {
    private static final Duration FOREVER = ChronoUnit.FOREVER.getDuration();

    private final Kernel kernel;
    private Waiter waiter; // guarded by this; null while no thread runs
    private boolean closed; // guarded by this

    Callbacks(Kernel kernel) {
        this.kernel = kernel;
    }

    synchronized void add(Interrupt interrupt) {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, Operation.EPOLL_CREATE, "");
        }
        if (waiter != null) {
            waiter.add(interrupt);
            return;
        }
        Waiter first = new Waiter(kernel, "callbacks", _ -> {});
        try {
            first.add(interrupt);
        } catch (RuntimeException e) {
            first.close();
            throw e;
        }
        waiter = first;
        Thread.ofPlatform().daemon().name("vfio4j-callbacks").start(() -> run(first));
    }

    private void run(Waiter mine) {
        while (true) {
            try {
                mine.await(FOREVER, Callbacks::call);
            } catch (RuleViolation nothingLeft) {
                if (ends(mine)) {
                    return;
                }
            }
        }
    }

    private synchronized boolean ends(Waiter mine) {
        if (waiter == mine && !mine.isEmpty()) {
            return false; // an interrupt came in just now
        }
        if (waiter == mine) {
            waiter = null;
        }
        mine.close();
        return true;
    }

    private static void call(Interrupt interrupt, long count) {
        try {
            interrupt.call(count);
        } catch (Throwable t) { // whatever it is, the other interrupts must go on
            Thread thread = Thread.currentThread();
            thread.getUncaughtExceptionHandler().uncaughtException(thread, t);
        }
    }

    /** Ends the thread, without waiting for a handler that runs. */
    synchronized void close() {
        closed = true;
        if (waiter != null) {
            waiter.close();
            waiter = null;
        }
    }
}
