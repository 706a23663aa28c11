package io.github.vfio4j;

import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.IrqAction;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * One enabled interrupt: a vector of MSI or MSI-X, the INTx line, the error or the request interrupt. The kernel counts
 * in an eventfd how often it fired. Taking the count sets it back to 0; each count goes to one taker, so none is seen
 * twice and none is lost.
 *
 * <p>Three ways to take it: {@link #poll} does not wait; {@link #await} waits for this one; a {@link Waiter} waits for
 * many in one thread, and {@link #onInterrupt} leaves that to a thread of the library. All methods are safe from any
 * thread. Once the interrupts are closed, all of them throw a {@link RuleViolation}; so do waits that were going on.
 *
 * <p>A wait blocks in the kernel. A virtual thread keeps its carrier thread meanwhile, so wait in platform threads.
 * {@link Thread#interrupt} does not end a wait; closing the interrupts does. In the steady state a wait allocates nothing.
 *
 * <p>Memory order: a message interrupt arrives behind what the device wrote to memory before it, and reading that memory
 * after the count was taken shows it. INTx has no such order: read a register of the device first.
 */
public final class Interrupt {
    /** Where a wait for this one interrupt puts what it need not know. */
    private static final int[] IGNORED = new int[1];

    final EventPort event;
    /** Who waits for this among others. */
    final CopyOnWriteArrayList<Waiter> waiters = new CopyOnWriteArrayList<>();

    private final Device device;
    private final Interrupts interrupts;
    private final int number;
    private Waiter own; // guarded by this
    private UnmaskEvent unmaskEvent; // guarded by the device's lock
    private volatile InterruptHandler handler;

    Interrupt(Device device, Interrupts interrupts, int number, EventPort event) {
        this.device = device;
        this.interrupts = interrupts;
        this.number = number;
        this.event = event;
    }

    /**
     * Returns its number within the index, counted from 0.
     *
     * @return the vector of MSI and MSI-X, else 0
     */
    public int number() {
        return number;
    }

    /**
     * Takes the count without waiting (a read of the eventfd).
     *
     * @return how often it fired since the count was last taken; 0 if it did not
     */
    public long poll() {
        checkOpen(Operation.EVENTFD_READ);
        return take();
    }

    /**
     * Waits until it fires and takes the count.
     *
     * @param timeout how long at most, in steps of a millisecond; 0 does not wait, {@code ChronoUnit.FOREVER} sets no
     *     limit
     * @return how often it fired since the count was last taken, or 0 after the time
     * @throws RuleViolation if the interrupt is closed, or is closed during the wait
     * @throws IllegalArgumentException if the time is negative
     */
    public long await(Duration timeout) {
        long nanos = Waiter.nanos(timeout);
        long start = System.nanoTime();
        long count = poll();
        if (count != 0 || nanos == 0) {
            return count;
        }
        Waiter waiter = own();
        long left = nanos;
        while (count == 0 && left > 0) {
            waiter.block(IGNORED, left);
            count = take();
            left = nanos - (System.nanoTime() - start);
        }
        return count;
    }

    /**
     * Has a handler called each time it fires, by one daemon thread that all devices of a {@link Vfio} share. A handler
     * should be short. What it throws goes to that thread's uncaught exception handler, and the next interrupt is handled
     * as usual. A handler may close the device. A call that has begun may outlast a close by another thread.
     *
     * @param callback what to call, in place of an earlier one
     * @throws VfioException {@code EMFILE} if the process has too many files open
     */
    public void onInterrupt(InterruptHandler callback) {
        Objects.requireNonNull(callback, "callback");
        checkOpen(Operation.EPOLL_CTL);
        synchronized (this) {
            InterruptHandler earlier = handler;
            handler = callback;
            if (earlier == null) {
                try {
                    device.vfio().callbacks().add(this);
                } catch (RuntimeException e) {
                    handler = null;
                    throw e;
                }
            }
        }
    }

    /**
     * Raises it as if the device had ({@code VFIO_IRQ_SET_ACTION_TRIGGER} with {@code VFIO_IRQ_SET_DATA_NONE}): a test of
     * the way from the kernel to the program.
     */
    public void trigger() {
        set(IrqAction.TRIGGER);
    }

    /**
     * Masks it ({@code VFIO_IRQ_SET_ACTION_MASK}): it does not fire until it is unmasked. The kernel masks INTx by itself
     * when it fires.
     *
     * @throws RuleViolation if {@link IrqInfo#maskable} says no
     */
    public void mask() {
        set(IrqAction.MASK);
    }

    /**
     * Unmasks it ({@code VFIO_IRQ_SET_ACTION_UNMASK}). If the device still asserts its line, it fires again at once.
     *
     * @throws RuleViolation if {@link IrqInfo#maskable} says no
     */
    public void unmask() {
        set(IrqAction.UNMASK);
    }

    /**
     * Lets an event unmask it ({@code VFIO_IRQ_SET_ACTION_UNMASK} with {@code VFIO_IRQ_SET_DATA_EVENTFD}; a resampled
     * interrupt): cheaper than {@link #unmask} for each interrupt.
     *
     * @return the event; closed with the interrupt
     * @throws RuleViolation if {@link IrqInfo#maskable} says no, or it has such an event
     */
    public UnmaskEvent unmaskEvent() {
        device.lock().lock();
        try {
            interrupts.check(IrqAction.UNMASK, number, 1, unmaskEvent != null);
            EventPort unmask = interrupts.kernel().openEvent();
            try {
                setUnmaskEvent(unmask);
            } catch (RuntimeException e) {
                unmask.close();
                throw e;
            }
            unmaskEvent = new UnmaskEvent(this, unmask);
            return unmaskEvent;
        } finally {
            device.lock().unlock();
        }
    }

    void close(UnmaskEvent closing) {
        device.lock().lock();
        try {
            if (unmaskEvent != closing) {
                return;
            }
            unmaskEvent = null;
            Teardown teardown = new Teardown();
            teardown.step(() -> setUnmaskEvent(null));
            closing.event.close();
            teardown.finish();
        } finally {
            device.lock().unlock();
        }
    }

    private void setUnmaskEvent(EventPort unmask) {
        int index = interrupts.irq().info().index();
        device.port().setIrqs(index, IrqAction.UNMASK, number, new EventPort[] {unmask});
    }

    private void set(IrqAction action) {
        device.lock().lock();
        try {
            interrupts.check(action, number, 1, false);
            device.port().setIrqs(interrupts.irq().info().index(), action, number, 1);
        } finally {
            device.lock().unlock();
        }
    }

    /** Takes the count; 0 also once it is closed. */
    long take() {
        if (!open()) {
            return 0;
        }
        try {
            return event.read();
        } catch (VfioException e) {
            if (open()) {
                throw e;
            }
            return 0;
        }
    }

    void call(long count) {
        handler.fired(this, count);
    }

    boolean open() {
        return interrupts.enabled();
    }

    Interrupts interrupts() {
        return interrupts;
    }

    void checkOpen(Operation operation) {
        if (!open()) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, toString());
        }
    }

    private synchronized Waiter own() {
        checkOpen(Operation.EPOLL_WAIT);
        if (own == null) {
            Waiter waiter = new Waiter(interrupts.kernel(), toString(), _ -> {});
            try {
                waiter.add(this);
            } catch (RuntimeException e) {
                waiter.close();
                throw e;
            }
            own = waiter;
        }
        return own;
    }

    /** Wakes who waits, then closes the eventfds. The kernel uses them no more; nobody begins to wait any more. */
    void release() {
        Teardown teardown = new Teardown();
        synchronized (this) {
            if (own != null) {
                teardown.step(own::close);
            }
        }
        for (Waiter waiter : waiters) {
            teardown.step(() -> waiter.remove(this));
        }
        if (unmaskEvent != null) {
            teardown.step(unmaskEvent.event::close);
            unmaskEvent = null;
        }
        teardown.step(event::close);
        teardown.finish();
    }

    /** Returns what it is of and its number, such as {@code 0000:06:0d.0 MSI-X 3}. */
    @Override
    public String toString() {
        return interrupts.irq() + " " + number;
    }
}
