package io.github.vfio4j;

import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.Kernel;
import io.github.vfio4j.spi.ReadablePort;
import io.github.vfio4j.spi.WaitPort;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;

/** Waits for what comes in a queue of an iommufd, until the queue is closed. */
final class QueueWait {
    private static final int QUEUE = 0;
    private static final int WAKE = 1;

    private final Kernel kernel;
    private final ReadablePort queue;
    private final Operation operation; // the one that reads the queue
    private WaitPort port; // null until somebody waits; guarded by this
    private EventPort wake; // as the port; can be read once nobody shall wait
    private boolean closed; // guarded by this

    QueueWait(Kernel kernel, ReadablePort queue, Operation operation) {
        this.kernel = kernel;
        this.queue = queue;
        this.operation = operation;
    }

    /** Waits until a poll gives something; polls at least once. */
    <T> List<T> await(Duration timeout, Supplier<List<T>> poll) {
        long nanos = Waiter.nanos(timeout);
        long start = System.nanoTime();
        List<T> found = poll.get();
        long left = nanos;
        while (found.isEmpty() && left > 0) {
            block(left);
            found = poll.get();
            left = nanos - (System.nanoTime() - start);
        }
        return found;
    }

    private void block(long nanos) {
        WaitPort waits = port();
        try {
            waits.await(new int[2], Waiter.millis(nanos));
        } catch (VfioException e) {
            synchronized (this) {
                if (!closed) {
                    throw e;
                }
            }
        }
    }

    private synchronized WaitPort port() {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, "");
        }
        if (port == null) {
            WaitPort opened = kernel.openWait();
            EventPort event = null;
            try {
                event = kernel.openEvent();
                opened.add(event, WAKE);
                opened.add(queue, QUEUE);
            } catch (RuntimeException e) {
                if (event != null) {
                    event.close();
                }
                opened.close();
                throw e;
            }
            wake = event;
            port = opened;
        }
        return port;
    }

    /** Wakes who waits; nobody waits any more. The queue's file is open still. */
    synchronized void close() {
        closed = true;
        if (port != null) {
            wake.write();
            port.close();
            wake.close();
        }
    }
}
