package io.github.vfio4j.sim;

/**
 * The INTx line of a function between its device and the program. The line is level-triggered: it masks itself when it
 * fires, and fires again when it is unmasked while the device still asserts it. Guarded by the lock of {@link Interrupts}.
 */
final class IntxLine {
    private final EventFd.Consumer unmasker;
    private boolean asserted; // by the device
    private boolean messages; // MSI or MSI-X is on, so the device asserts no line
    private boolean disabled; // as the program wrote DisINTx
    private boolean on;
    private boolean masked;
    private EventFd trigger;
    private EventFd unmaskEvent;

    /**
     * Makes a line that nobody listens to.
     *
     * @param unmask what the unmask event does when it is signalled
     * @param forget what is to be done when its last descriptor was closed
     */
    IntxLine(Runnable unmask, Runnable forget) {
        unmasker = new EventFd.Consumer(unmask, forget);
    }

    /** The function was given power. */
    void powerOn() {
        asserted = false;
        disabled = false;
    }

    void asserted(boolean now) {
        asserted = now;
        fire();
    }

    void messages(boolean now) {
        messages = now;
    }

    /** Changing DisINTx masks and unmasks, whoever masked it last. */
    void disabled(boolean now) {
        if (now && !disabled) {
            disabled = true;
            mask();
        } else if (!now && disabled) {
            disabled = false;
            unmask();
        }
    }

    boolean pending() {
        return asserted && !messages;
    }

    void enable(EventFd event) {
        on = true;
        trigger = event;
        masked = disabled;
        fire();
    }

    void setTrigger(EventFd event) {
        trigger = event;
    }

    void disable() {
        setUnmaskEvent(null);
        on = false;
        masked = false;
        trigger = null;
    }

    /** Signals the program, unless it has disabled INTx; whether it is masked does not matter. */
    void signal() {
        if (trigger != null && !disabled) {
            trigger.signal();
        }
    }

    private void fire() {
        if (on && !masked && pending()) {
            masked = true;
            signal();
        }
    }

    void mask() {
        masked = on;
    }

    /** It stays masked and fires again if the device still asserts it. */
    void unmask() {
        if (masked && !disabled) {
            masked = pending();
            if (masked) {
                signal();
            }
        }
    }

    boolean hasUnmaskEvent() {
        return unmaskEvent != null;
    }

    /** Takes the event away if there is one, and sets another one or none. */
    void setUnmaskEvent(EventFd event) {
        if (unmaskEvent != null) {
            unmaskEvent.release(unmasker);
        }
        unmaskEvent = event;
        if (event != null) {
            event.consume(unmasker);
        }
    }
}
