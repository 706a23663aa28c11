package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.IrqRequest.ERR;
import static io.github.vfio4j.sim.IrqRequest.INTX;
import static io.github.vfio4j.sim.IrqRequest.MSI;
import static io.github.vfio4j.sim.IrqRequest.MSIX;
import static io.github.vfio4j.sim.IrqRequest.REQ;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.spi.Facts;
import java.util.Arrays;

/**
 * The interrupts of a function: which index is on, and which eventfd each signals. Of INTx, MSI and MSI-X at most one is
 * on. A change waits for a signal in flight, so nothing is signalled any more when the call that disabled it returns.
 *
 * <p>All interrupts of a machine have one lock, for a signal may reach another device, whose INTx it unmasks. It comes
 * after the kernel's lock and the device's.
 */
final class Interrupts {
    private static final int OFF = -1;

    private final SimMachine machine;
    private final PciFunction function;
    private final Object lock; // guards the rest
    private int on = OFF; // the index of INTx, MSI or MSI-X
    private int enabled; // vectors that were allocated
    private EventFd[] triggers = {}; // of MSI or MSI-X
    private final EventFd[] notices = new EventFd[VFIO_PCI_NUM_IRQS()]; // of ERR and REQ, by index
    private final IntxLine line = new IntxLine(this::unmaskLine, this::forgetUnmaskEvent);

    Interrupts(SimMachine machine, PciFunction function) {
        this.machine = machine;
        this.function = function;
        this.lock = machine.interruptLock();
    }

    /** Has the function an index? */
    boolean has(int index) {
        return index != ERR || function.model.express();
    }

    /** How many interrupts an index has. */
    int count(int index) {
        if (index == INTX) {
            return function.model.interruptPin() == 0 ? 0 : 1;
        } else if (index == MSI) {
            return function.model.msiVectors();
        } else if (index == MSIX) {
            return function.model.vectors();
        }
        return has(index) ? 1 : 0;
    }

    /** What GET_IRQ_INFO says of an index. */
    int flags(int index) {
        if (index == INTX) {
            return VFIO_IRQ_INFO_EVENTFD() | VFIO_IRQ_INFO_MASKABLE() | VFIO_IRQ_INFO_AUTOMASKED();
        }
        boolean resizable = index == MSIX && growsWhileOn();
        return VFIO_IRQ_INFO_EVENTFD() | (resizable ? 0 : VFIO_IRQ_INFO_NORESIZE());
    }

    /** Can MSI-X get vectors while it is on? Not where there is none. */
    private boolean growsWhileOn() {
        return function.model.vectors() > 0 && !older();
    }

    private boolean older() {
        return machine.profile().isBefore(KernelProfile.V6_12);
    }

    boolean msixEnabled() {
        synchronized (lock) {
            return on == MSIX;
        }
    }

    boolean msiEnabled() {
        synchronized (lock) {
            return on == MSI;
        }
    }

    /** The device raises a vector. */
    void raise(int vector) {
        synchronized (lock) {
            if (vector >= 0 && vector < triggers.length && triggers[vector] != null) {
                triggers[vector].signal();
            }
        }
    }

    /** Somebody wants the device back. Returns whether the user can hear it. */
    boolean request() {
        return notify(REQ);
    }

    /** The device reports an error that it cannot correct. */
    void error() {
        notify(ERR);
    }

    private boolean notify(int index) {
        synchronized (lock) {
            if (notices[index] != null) {
                notices[index].signal();
            }
            return notices[index] != null;
        }
    }

    // ---- the line of INTx

    /** The device asserts its line, or no more. */
    void assertLine(boolean asserted) {
        synchronized (lock) {
            line.asserted(asserted);
        }
    }

    /** The command register disables INTx, or no more (DisINTx). */
    void disableLine(boolean disabled) {
        synchronized (lock) {
            line.disabled(disabled);
        }
    }

    /** The interrupt status bit: a device that sends messages asserts no line. */
    boolean linePending() {
        synchronized (lock) {
            return line.pending();
        }
    }

    /** The unmask event was signalled. */
    private void unmaskLine() {
        synchronized (lock) {
            line.unmask();
        }
    }

    /** The last descriptor of the unmask event was closed. */
    private void forgetUnmaskEvent() {
        synchronized (lock) {
            line.setUnmaskEvent(null);
        }
    }

    /** Does somebody use the line, and he or this function cannot share it? The lock is held. */
    private boolean lineTaken() {
        return machine.functions().stream()
                .filter(other -> other != function && other.interruptLine() == function.interruptLine())
                .filter(other -> !other.model.masksLine() || !function.model.masksLine())
                .anyMatch(other -> other.ownedByHost()
                        || other.vfio().filter(device -> device.interrupts.on == INTX).isPresent());
    }

    // ---- VFIO_DEVICE_SET_IRQS

    /** Does what is asked, or fails by a rule. Returns the ioctl's result. The kernel's lock is held. */
    int set(IrqRequest asked) {
        synchronized (lock) {
            asked.check(new State(asked));
            if (!asked.triggers()) {
                setMask(asked);
                return 0;
            }
            if (asked.index == REQ || asked.index == ERR) {
                setNotice(asked);
                return 0;
            }
            if (asked.disables()) {
                disable();
                return 0;
            }
            if (!asked.isEvents()) {
                trigger(asked);
                return 0;
            }
            if (asked.index == INTX) {
                setLineEvent(asked);
                return 0;
            }
            return on == asked.index ? setVectors(asked) : enableVectors(asked);
        }
    }

    private void trigger(IrqRequest asked) {
        for (int i = 0; i < asked.count; i++) {
            if (asked.chooses(i) && asked.index == INTX) {
                line.signal();
            } else if (asked.chooses(i)) {
                raise(asked.start + i);
            }
        }
    }

    private void setMask(IrqRequest asked) {
        if (asked.isEvents()) { // only unmasking
            line.setUnmaskEvent(asked.event(0, new Facts() {
                @Override
                public boolean irqUnmaskEventSet() {
                    return asked.descriptor(0) >= 0 && line.hasUnmaskEvent();
                }
            }));
        } else if (asked.chooses(0)) {
            if (asked.masks()) {
                line.mask();
            } else {
                line.unmask();
            }
        }
    }

    private void setLineEvent(IrqRequest asked) {
        EventFd event = asked.event(0, new Facts() {
            @Override
            public boolean irqLineTaken() {
                return on == OFF && lineTaken();
            }
        });
        if (on == OFF) {
            on = INTX;
            line.enable(event);
        } else {
            line.setTrigger(event);
        }
    }

    private int enableVectors(IrqRequest asked) {
        int vectors = asked.start + asked.count;
        if (asked.index == MSI && vectors > 1 && !machine.interruptRemapping()) {
            return 1; // without interrupt remapping there is one MSI vector; nothing is enabled
        }
        on = asked.index;
        line.messages(true);
        enabled = vectors;
        triggers = new EventFd[count(asked.index)];
        try {
            return setVectors(asked);
        } catch (KernelError e) {
            disable();
            throw e;
        }
    }

    /** Sets the eventfds from a vector on; an error clears those that this call touched. */
    private int setVectors(IrqRequest asked) {
        boolean beyond = older() && (asked.start >= enabled || asked.start + asked.count > enabled);
        asked.check(new Facts() {
            @Override
            public boolean irqsBeyondEnabled() { // older kernels look at all vectors at once, and at the first of none
                return beyond;
            }
        });
        int vector = asked.start;
        try {
            for (int i = 0; i < asked.count; i++) {
                int current = vector;
                boolean given = asked.descriptor(i) >= 0;
                triggers[current] = null;
                triggers[current] = asked.event(i, new Facts() {
                    @Override
                    public boolean irqsBeyondEnabled() {
                        return given && current >= enabled && !(on == MSIX && growsWhileOn());
                    }
                });
                vector++;
            }
            return 0;
        } catch (KernelError e) {
            Arrays.fill(triggers, asked.start, vector + 1, null);
            throw e;
        }
    }

    private void setNotice(IrqRequest asked) {
        if (asked.disables()) {
            notices[asked.index] = null;
        } else if (!asked.isEvents()) {
            if (asked.chooses(0)) {
                notify(asked.index);
            }
        } else {
            EventFd event = asked.event(0, new Facts() {
                @Override
                public boolean namedFileNegative() {
                    return asked.descriptor(0) < 0 && !asked.takesAway(0);
                }
            });
            if (event != null || asked.takesAway(0)) {
                notices[asked.index] = event;
            }
        }
    }

    private void disable() {
        if (on == INTX) {
            line.disable();
        }
        on = OFF;
        enabled = 0;
        triggers = new EventFd[0];
        line.messages(false);
    }

    /** The last close. */
    void disableAll() {
        synchronized (lock) {
            disable();
            Arrays.fill(notices, null);
        }
    }

    /** A device that was just given power asserts nothing. */
    void powerOn() {
        synchronized (lock) {
            line.powerOn();
        }
    }

    /** What the state says about a request. The lock is held. */
    private class State implements Facts {
        private final IrqRequest asked;
        private final boolean notice;
        private final boolean message;
        private final boolean isOn;

        State(IrqRequest asked) {
            this.asked = asked;
            notice = asked.index == REQ || asked.index == ERR;
            message = asked.index == MSI || asked.index == MSIX;
            isOn = on == asked.index;
        }

        @Override
        public boolean irqActionSupported() {
            return asked.triggers() || asked.index == INTX && (asked.masks() || asked.unmasks());
        }

        @Override
        public boolean otherIrqsEnabled() {
            return asked.triggers() && !notice && on != OFF && !isOn;
        }

        @Override
        public boolean irqsEnabled() {
            if (notice) {
                return !asked.isNone() || notices[asked.index] != null;
            }
            return isOn || asked.triggers() && asked.isEvents();
        }

        @Override
        public boolean theIrqNamed() {
            return message || asked.count == 1 || asked.disables();
        }

        @Override
        public boolean irqMaskEventGiven() {
            return asked.masks() && asked.isEvents();
        }

        @Override
        public boolean noIrqsAllocated() {
            return message && asked.isEvents() && !isOn && asked.start + asked.count == 0;
        }

        @Override
        public boolean irqMessagesRouted() {
            boolean enables = message && asked.isEvents() && !isOn;
            return !enables || function.group.type != GroupType.NO_IOMMU || !machine.interruptRemapping();
        }

        @Override
        public boolean irqsTriggeredBeyondEnabled() {
            return message && !asked.isEvents() && !asked.disables() && asked.start + asked.count > enabled;
        }
    }
}
