package io.github.vfio4j;

import io.github.vfio4j.spi.EventPort;

/** The event that unmasks an interrupt; from {@link Interrupt#unmaskEvent}. Safe from any thread. */
public final class UnmaskEvent implements AutoCloseable {
    final EventPort event;

    private final Interrupt interrupt;

    UnmaskEvent(Interrupt interrupt, EventPort event) {
        this.interrupt = interrupt;
        this.event = event;
    }

    /**
     * Unmasks the interrupt (a write of the eventfd). If the device still asserts its line, it fires again. The kernel
     * does it soon, not necessarily before this returns.
     *
     * @throws VfioException {@code EBADF} if this or the interrupt is closed
     */
    public void signal() {
        event.write();
    }

    /** Lets the interrupt be unmasked by {@link Interrupt#unmask} alone, again. Idempotent. */
    @Override
    public void close() {
        interrupt.close(this);
    }
}
