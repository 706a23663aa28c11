package io.github.vfio4j.examples;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

/** Threads that work side by side, each on its own. */
final class Crew {
    /** What one of them does. */
    interface Task<W> {
        void run(W worker, int number);
    }

    private Crew() {}

    /** Has each worker do its part in a thread of its own; what the first to fail threw comes out when all have ended. */
    static <W> void run(List<W> workers, Task<W> task) {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < workers.size(); i++) {
            W worker = workers.get(i);
            int number = i;
            threads.add(Thread.ofPlatform()
                    .name("worker " + number)
                    .uncaughtExceptionHandler((_, e) -> failure.compareAndSet(null, e))
                    .start(() -> task.run(worker, number)));
        }
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        switch (failure.get()) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new AssertionError(e);
        }
    }
}
