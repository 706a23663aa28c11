package io.github.vfio4j.examples.models;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * The thread of a model: looks for work again and again, spins for a moment when there is none, and then sleeps between
 * looks, so that an idle device leaves the processor to others.
 */
final class Poller {
    private static final int SPINS = 200;
    private static final long PARK_NANOS = 20_000;
    private static final int SHORT_SLEEPS = 500;
    private static final long LONG_PARK_NANOS = 500_000;

    private final Thread thread;
    private volatile boolean stopped;

    /**
     * Starts it.
     *
     * @param name the thread's name
     * @param look looks for work and does it; tells whether there was any
     */
    Poller(String name, BooleanSupplier look) {
        thread = Thread.ofPlatform().daemon().name(name).start(() -> poll(look));
    }

    private void poll(BooleanSupplier look) {
        int idle = 0;
        while (!stopped) {
            if (look.getAsBoolean()) {
                idle = 0;
            } else if (++idle < SPINS) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(this, idle < SPINS + SHORT_SLEEPS ? PARK_NANOS : LONG_PARK_NANOS);
            }
        }
    }

    /** Ends the thread and waits for it. */
    void stop() {
        stopped = true;
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
