package io.github.vfio4j;

import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.Kernel;
import io.github.vfio4j.spi.WaitPort;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * Waits for many interrupts in one thread, of one device or of several (epoll). From {@link Vfio#openWaiter}.
 *
 * <p>An interrupt leaves it when it is closed. When none is left, or this is closed, waits end with an exception, so that
 * no thread waits for what cannot come. All methods are safe from any thread, and several threads may wait at once: each
 * count goes to one of them. The notes on waiting of {@link Interrupt} hold here, too.
 */
public final class Waiter implements AutoCloseable {
    private static final int WAKE = -1;
    private static final int MOST_AT_ONCE = 32;

    private final Kernel kernel;
    private final String name;
    private final Consumer<Waiter> onClose;
    private final WaitPort port;
    /** Can be read exactly while nobody shall wait: when this is closed, or has no interrupt. */
    private final EventPort wake;
    private final AtomicReference<int[]> spare = new AtomicReference<>();
    private final ReentrantLock lock = new ReentrantLock();
    // Written under lock, each time as a new array. The index is the token; null is free.
    private volatile Interrupt[] members = {};
    private volatile boolean closed;

    Waiter(Kernel kernel, String name, Consumer<Waiter> onClose) {
        this.kernel = kernel;
        this.name = name;
        this.onClose = onClose;
        this.port = kernel.openWait();
        EventPort event = null;
        try {
            event = kernel.openEvent();
            event.write();
            port.add(event, WAKE);
            wake = event;
        } catch (RuntimeException e) {
            if (event != null) {
                event.close();
            }
            port.close();
            throw e;
        }
    }

    /**
     * Lets waits also wait for an interrupt. One that is in already stays in.
     *
     * @param interrupt an interrupt of the same kernel
     * @throws RuleViolation if the interrupt or this is closed
     */
    public void add(Interrupt interrupt) {
        Objects.requireNonNull(interrupt, "interrupt");
        if (interrupt.interrupts().kernel() != kernel) {
            throw new IllegalArgumentException(interrupt + " belongs to another kernel");
        }
        lock.lock();
        try {
            checkOpen(Operation.EPOLL_CTL);
            if (tokenOf(interrupt) >= 0) {
                return;
            }
            // Who closes the interrupt sees this waiter from here on, or this sees that it is closed.
            interrupt.waiters.add(this);
            try {
                interrupt.checkOpen(Operation.EPOLL_CTL);
                boolean first = isEmpty();
                int token = put(interrupt);
                try {
                    port.add(interrupt.event, token);
                } catch (RuntimeException e) {
                    clear(token);
                    throw e;
                }
                if (first) {
                    wake.read();
                }
            } catch (RuntimeException e) {
                interrupt.waiters.remove(this);
                throw e;
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Lets waits not wait for an interrupt any more. Does nothing if it is not in.
     *
     * @param interrupt the interrupt
     */
    public void remove(Interrupt interrupt) {
        Objects.requireNonNull(interrupt, "interrupt");
        lock.lock();
        try {
            int token = tokenOf(interrupt);
            if (closed || token < 0) {
                return;
            }
            clear(token);
            interrupt.waiters.remove(this);
            if (isEmpty()) {
                wake.write();
            }
            port.remove(interrupt.event);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits until at least one of the interrupts fires, takes the counts of those that did, and calls the handler for
     * each, in this thread. What the handler throws comes out of here; counts that were not handed to it yet stay with
     * their interrupts.
     *
     * @param timeout how long at most, in steps of a millisecond; 0 does not wait, {@code ChronoUnit.FOREVER} sets no
     *     limit
     * @param handler what to call
     * @return how often the handler was called; 0 after the time
     * @throws RuleViolation if this is closed or has no interrupt, or that comes about during the wait
     * @throws IllegalArgumentException if the time is negative
     */
    public int await(Duration timeout, InterruptHandler handler) {
        Objects.requireNonNull(handler, "handler");
        long nanos = nanos(timeout);
        long start = System.nanoTime();
        int[] tokens = spare.getAndSet(null);
        if (tokens == null) {
            tokens = new int[MOST_AT_ONCE];
        }
        try {
            long left = nanos;
            while (true) {
                int ready = block(tokens, left);
                int handled = hand(tokens, ready, handler);
                if (handled > 0 || left <= 0) {
                    return handled;
                }
                left = nanos - (System.nanoTime() - start);
            }
        } finally {
            spare.set(tokens);
        }
    }

    private int hand(int[] tokens, int ready, InterruptHandler handler) {
        int handled = 0;
        for (int i = 0; i < ready && !closed; i++) {
            Interrupt[] now = members;
            Interrupt interrupt = tokens[i] == WAKE ? null : now[tokens[i]];
            long count = interrupt == null ? 0 : interrupt.take();
            if (count != 0) {
                handler.fired(interrupt, count);
                handled++;
            }
        }
        return handled;
    }

    /** Waits until something may have fired: tokens of members, or of nobody. */
    int block(int[] tokens, long nanos) {
        if (isEmpty()) {
            checkOpen(Operation.EPOLL_WAIT);
            throw new RuleViolation(Rule.HANDLE_OPEN, Operation.EPOLL_WAIT, name + ": no interrupt is left to wait for");
        }
        checkOpen(Operation.EPOLL_WAIT);
        try {
            return port.await(tokens, millis(nanos));
        } catch (VfioException e) {
            checkOpen(Operation.EPOLL_WAIT); // it was closed in between
            throw e;
        }
    }

    /** Ends all waits. The interrupts stay enabled. Idempotent. */
    @Override
    public void close() {
        Teardown teardown = new Teardown();
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            teardown.step(wake::write);
            for (Interrupt member : members) {
                if (member != null) {
                    member.waiters.remove(this);
                }
            }
            port.close(); // once nobody waits any more
            wake.close();
        } finally {
            lock.unlock();
        }
        onClose.accept(this);
        teardown.finish();
    }

    boolean isEmpty() {
        for (Interrupt member : members) {
            if (member != null) {
                return false;
            }
        }
        return true;
    }

    private int tokenOf(Interrupt interrupt) {
        return Arrays.asList(members).indexOf(interrupt);
    }

    /** Gives an interrupt a token. The lock is held. */
    private int put(Interrupt interrupt) {
        int free = Arrays.asList(members).indexOf(null);
        int token = free >= 0 ? free : members.length;
        Interrupt[] more = Arrays.copyOf(members, Math.max(members.length, token + 1));
        more[token] = interrupt;
        members = more;
        return token;
    }

    /** Frees a token. The lock is held. */
    private void clear(int token) {
        Interrupt[] fewer = members.clone();
        fewer[token] = null;
        members = fewer;
    }

    private void checkOpen(Operation operation) {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, name);
        }
    }

    static long nanos(Duration timeout) {
        Objects.requireNonNull(timeout, "timeout");
        if (timeout.isNegative()) {
            throw new IllegalArgumentException("a wait takes no negative time: " + timeout);
        }
        return TimeUnit.NANOSECONDS.convert(timeout); // at most Long.MAX_VALUE
    }

    /** Rounds up, so that no wait ends before its time. */
    static int millis(long nanos) {
        if (nanos <= 0) {
            return 0;
        }
        return (int) Math.min((nanos - 1) / 1_000_000 + 1, Integer.MAX_VALUE);
    }
}
