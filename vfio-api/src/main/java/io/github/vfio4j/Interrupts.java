package io.github.vfio4j;

import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.IrqAction;
import io.github.vfio4j.spi.Kernel;
import java.util.Objects;

/**
 * The enabled interrupts of one index of a device. Closing this, or the device, disables them: nothing fires any more,
 * and whoever waits for one of them is woken with an exception.
 *
 * <p>A reset of the device does not disable them. All methods are safe from any thread.
 */
public final class Interrupts implements AutoCloseable {
    private final Device device;
    private final Irq irq;
    private final Interrupt[] members; // by number; guarded by the device's lock
    private int allocated; // vectors that the kernel has; guarded by the device's lock
    private volatile boolean enabled;

    Interrupts(Device device, Irq irq) {
        this.device = device;
        this.irq = irq;
        this.members = new Interrupt[irq.info().count()];
    }

    /**
     * Returns the index that these belong to.
     *
     * @return the index
     */
    public Irq irq() {
        return irq;
    }

    /**
     * Returns one of the interrupts.
     *
     * @param number its number within the index, counted from 0: the vector of MSI and MSI-X, else 0
     * @return always the same object
     * @throws IndexOutOfBoundsException if this one was not enabled
     */
    public Interrupt get(int number) {
        device.lock().lock();
        try {
            if (number < 0 || number >= members.length || members[number] == null) {
                throw new IndexOutOfBoundsException(irq + ": interrupt " + number + " was not enabled");
            }
            return members[number];
        } finally {
            device.lock().unlock();
        }
    }

    /**
     * Enables more interrupts while these stay enabled. Always possible within the vectors that the kernel allocated at
     * the first time; beyond them only if {@link IrqInfo#noResize} says no, as for MSI-X since Linux 6.5.
     *
     * @param start the first one
     * @param count how many, at least 1
     * @throws IllegalArgumentException if one of them is enabled
     * @throws RuleViolation if the index has no such interrupts, vectors cannot be added, or these are disabled
     * @throws VfioException what the kernel refuses with; those that were enabled before stay enabled
     */
    public void add(int start, int count) {
        device.lock().lock();
        try {
            set(start, count, true);
        } finally {
            device.lock().unlock();
        }
    }

    /**
     * Raises interrupts as if the device had ({@code VFIO_IRQ_SET_ACTION_TRIGGER} with {@code VFIO_IRQ_SET_DATA_BOOL}):
     * a test of the way from the kernel to the program.
     *
     * @param start the first one
     * @param chosen for each from there on, whether to raise it
     * @throws IndexOutOfBoundsException if one of them was not enabled
     * @throws RuleViolation if these are disabled
     */
    public void trigger(int start, boolean... chosen) {
        Objects.requireNonNull(chosen, "chosen");
        device.lock().lock();
        try {
            for (int i = 0; i < chosen.length; i++) {
                get(start + i);
            }
            check(IrqAction.TRIGGER, start, chosen.length, false);
            if (chosen.length > 0) {
                device.port().setIrqs(irq.info().index(), IrqAction.TRIGGER, start, chosen);
            }
        } finally {
            device.lock().unlock();
        }
    }

    /**
     * Disables the interrupts ({@code VFIO_DEVICE_SET_IRQS} with a count of 0; of s390's channel devices and adjunct
     * processors, with -1 in the place of the eventfd). Idempotent.
     *
     * @throws VfioException if the kernel refuses; the eventfds are closed all the same
     */
    @Override
    public void close() {
        device.lock().lock();
        try {
            disable();
        } finally {
            device.lock().unlock();
        }
    }

    /** The device's lock is held. */
    void enable(int start, int count) {
        set(start, count, false);
        enabled = true;
    }

    /** The device's lock is held. */
    void disable() {
        if (!enabled) {
            return;
        }
        enabled = false;
        device.vfio().closed(this);
        irq.disabled();
        Teardown teardown = new Teardown();
        teardown.step(this::disableIndex);
        for (Interrupt member : members) {
            if (member != null) {
                teardown.step(member::release);
            }
        }
        teardown.finish();
    }

    /** Another handle of the same device, in this process or another one, may have disabled the index. */
    private void disableIndex() {
        try {
            if (irq.disabledByEvent()) {
                device.port().setIrqs(irq.info().index(), IrqAction.TRIGGER, 0, new EventPort[members.length]);
            } else {
                device.port().setIrqs(irq.info().index(), IrqAction.TRIGGER, 0, 0);
            }
        } catch (VfioException e) {
            if (!e.errno().equals(Errno.EINVAL)) {
                throw e;
            }
        }
    }

    /** Refuses what cannot be enabled, or added to what is. The device's lock is held. */
    void checkAsked(int start, int count, boolean adding) {
        if (count < 1) {
            throw new IllegalArgumentException("at least 1 interrupt is enabled, not " + count);
        }
        Rule.check(device.vfio().contract(), Operation.DEVICE_SET_IRQS, new Request(IrqAction.TRIGGER, start, count) {
            @Override
            public boolean deviceRequested() {
                return irq.exclusive() && device.requested();
            }

            @Override
            public boolean irqsEnabled() {
                return enabled || !adding;
            }

            @Override
            public boolean irqsBeyondEnabled() {
                return adding && irq.info().noResize() && start + count > allocated;
            }
        });
    }

    private void set(int start, int count, boolean adding) {
        checkAsked(start, count, adding);
        if (!adding && irq.enabled()) {
            throw new IllegalStateException(
                    irq + " is enabled: add interrupts to what enable() returned, or close that first");
        }
        for (int i = start; i < start + count; i++) {
            if (members[i] != null) {
                throw new IllegalArgumentException(members[i] + " is enabled");
            }
        }
        EventPort[] events = open(count);
        try {
            int available = device.port().setIrqs(irq.info().index(), IrqAction.TRIGGER, start, events);
            if (available > 0) {
                throw new TooFewVectors(irq.toString(), start + count, available);
            }
        } catch (RuntimeException e) {
            close(events);
            throw e;
        }
        for (int i = 0; i < count; i++) {
            members[start + i] = new Interrupt(device, this, start + i, events[i]);
        }
        allocated = Math.max(allocated, start + count);
    }

    private EventPort[] open(int count) {
        EventPort[] events = new EventPort[count];
        try {
            for (int i = 0; i < count; i++) {
                events[i] = kernel().openEvent();
            }
            return events;
        } catch (RuntimeException e) {
            close(events);
            throw e;
        }
    }

    private static void close(EventPort[] events) {
        for (EventPort event : events) {
            if (event != null) {
                event.close();
            }
        }
    }

    /** Checks what is about to be done with interrupts that are enabled. The device's lock is held. */
    void check(IrqAction action, int start, int count, boolean secondUnmaskEvent) {
        Rule.check(device.vfio().contract(), Operation.DEVICE_SET_IRQS, new Request(action, start, count) {
            @Override
            public boolean irqsEnabled() {
                return enabled;
            }

            @Override
            public boolean irqUnmaskEventSet() {
                return secondUnmaskEvent;
            }
        });
    }

    boolean enabled() {
        return enabled;
    }

    Kernel kernel() {
        return device.vfio().kernel();
    }

    /** What every request to set interrupts of this index has in common. */
    private class Request implements Facts {
        private final IrqAction action;
        private final int start;
        private final int count;

        Request(IrqAction action, int start, int count) {
            this.action = action;
            this.start = start;
            this.count = count;
        }

        @Override
        public boolean handleOpen() {
            return device.isOpen();
        }

        @Override
        public long irqStart() {
            return start;
        }

        @Override
        public long irqCount() {
            return count;
        }

        @Override
        public long irqsOfIndex() {
            return irq.info().count();
        }

        @Override
        public boolean irqActionSupported() {
            return action == IrqAction.TRIGGER || irq.info().maskable();
        }

        @Override
        public boolean otherIrqsEnabled() {
            return action == IrqAction.TRIGGER && device.otherEnabled(irq);
        }
    }
}
