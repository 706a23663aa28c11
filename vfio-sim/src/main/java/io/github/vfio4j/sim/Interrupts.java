package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * The interrupts of a device: which index is on, and which eventfd each vector signals. Of INTx, MSI and MSI-X at most
 * one is on. A change waits for a signal in flight, so nothing is signalled any more when the call that disabled it
 * returns. No function here has an INTx line.
 */
final class Interrupts {
    private static final int OFF = -1;

    /** What a change carries for each vector. */
    sealed interface Data {
        /** Nothing. */
        record None() implements Data {}

        /** A byte for each vector: not 0 means act. */
        record Bools(byte[] bools) implements Data {}

        /** A descriptor for each vector: -1 means none. */
        record EventFds(int[] descriptors, IntFunction<EventFd> lookup) implements Data {}
    }

    private final SimMachine machine;
    private final PciFunction function;
    private int on = OFF; // the index of MSI or MSI-X; guarded by this
    private int enabled; // vectors that were allocated; guarded by this
    private EventFd[] triggers = {}; // guarded by this
    private final EventFd[] notices = new EventFd[VFIO_PCI_NUM_IRQS()]; // of ERR and REQ, by index; guarded by this

    Interrupts(SimMachine machine, PciFunction function) {
        this.machine = machine;
        this.function = function;
    }

    /** How many vectors an index has; empty for one that GET_IRQ_INFO refuses. */
    Optional<Integer> count(int index) {
        if (index == VFIO_PCI_INTX_IRQ_INDEX()) {
            return Optional.of(0);
        } else if (index == VFIO_PCI_MSI_IRQ_INDEX()) {
            return Optional.of(function.model.msiVectors());
        } else if (index == VFIO_PCI_MSIX_IRQ_INDEX()) {
            return Optional.of(function.model.vectors());
        } else if (index == VFIO_PCI_REQ_IRQ_INDEX()) {
            return Optional.of(1);
        } else if (index == VFIO_PCI_ERR_IRQ_INDEX() && function.model.express()) {
            return Optional.of(1);
        }
        return Optional.empty();
    }

    /** What GET_IRQ_INFO says of an index. */
    int flags(int index) {
        if (index == VFIO_PCI_INTX_IRQ_INDEX()) {
            return VFIO_IRQ_INFO_EVENTFD() | VFIO_IRQ_INFO_MASKABLE() | VFIO_IRQ_INFO_AUTOMASKED();
        }
        boolean resizable = index == VFIO_PCI_MSIX_IRQ_INDEX() && growsWhileOn();
        return VFIO_IRQ_INFO_EVENTFD() | (resizable ? 0 : VFIO_IRQ_INFO_NORESIZE());
    }

    /** Can MSI-X get vectors while it is on? Not where there is none. */
    private boolean growsWhileOn() {
        return function.model.vectors() > 0 && !machine.profile().isBefore(KernelProfile.V6_12);
    }

    synchronized boolean msixEnabled() {
        return on == VFIO_PCI_MSIX_IRQ_INDEX();
    }

    synchronized boolean msiEnabled() {
        return on == VFIO_PCI_MSI_IRQ_INDEX();
    }

    /** The device raises a vector. */
    synchronized void raise(int vector) {
        if (vector >= 0 && vector < triggers.length && triggers[vector] != null) {
            triggers[vector].signal();
        }
    }

    /** Somebody wants the device back. Returns whether the user can hear it. */
    synchronized boolean request() {
        return notify(VFIO_PCI_REQ_IRQ_INDEX());
    }

    /** The device reports an error that it cannot correct. */
    synchronized void error() {
        notify(VFIO_PCI_ERR_IRQ_INDEX());
    }

    private boolean notify(int index) {
        if (notices[index] != null) {
            notices[index].signal();
        }
        return notices[index] != null;
    }

    /** The last close. */
    synchronized void disableAll() {
        disable();
        Arrays.fill(notices, null);
    }

    /** VFIO_DEVICE_SET_IRQS with ACTION_TRIGGER; start and count are within the index. Returns the ioctl's result. */
    synchronized int trigger(int index, int start, int count, Data data) {
        if (index == VFIO_PCI_REQ_IRQ_INDEX() || index == VFIO_PCI_ERR_IRQ_INDEX()) {
            return triggerNotice(index, count, data);
        }
        if (on == index && count == 0 && data instanceof Data.None) {
            disable();
            return 0;
        }
        if (on != OFF && on != index) {
            throw new KernelError(Errno.EINVAL);
        }
        if (data instanceof Data.EventFds eventFds) {
            return on == index ? set(start, eventFds) : enable(index, start + count, start, eventFds);
        }
        boolean beyond = start + count > enabled && machine.profile().isBefore(KernelProfile.V6_12);
        if (on != index || beyond) {
            throw new KernelError(Errno.EINVAL);
        }
        for (int i = 0; i < count; i++) {
            if (!(data instanceof Data.Bools(byte[] bools)) || bools[i] != 0) {
                raise(start + i);
            }
        }
        return 0;
    }

    private int enable(int index, int vectors, int start, Data.EventFds eventFds) {
        if (vectors == 0) {
            throw new KernelError(Errno.ERANGE);
        }
        if (index == VFIO_PCI_MSI_IRQ_INDEX() && vectors > 1 && !machine.interruptRemapping()) {
            return 1; // without interrupt remapping there is one MSI vector; nothing is enabled
        }
        on = index;
        enabled = vectors;
        triggers = new EventFd[function.model.vectors() + function.model.msiVectors()];
        try {
            return set(start, eventFds);
        } catch (KernelError e) {
            disable();
            throw e;
        }
    }

    /** Sets the eventfds from a vector on; an error clears those that this call touched. */
    private int set(int start, Data.EventFds eventFds) {
        if (machine.profile().isBefore(KernelProfile.V6_12) && start + eventFds.descriptors().length > enabled) {
            throw new KernelError(Errno.EINVAL);
        }
        int vector = start;
        try {
            for (int descriptor : eventFds.descriptors()) {
                triggers[vector] = null;
                if (descriptor >= 0) {
                    if (vector >= enabled && !(on == VFIO_PCI_MSIX_IRQ_INDEX() && growsWhileOn())) {
                        throw new KernelError(Errno.EINVAL);
                    }
                    triggers[vector] = eventFds.lookup().apply(descriptor);
                }
                vector++;
            }
            return 0;
        } catch (KernelError e) {
            for (int touched = start; touched <= vector; touched++) {
                triggers[touched] = null;
            }
            throw e;
        }
    }

    private int triggerNotice(int index, int count, Data data) {
        if (count > 1) {
            throw new KernelError(Errno.EINVAL);
        }
        switch (data) {
            case Data.None() -> {
                if (notices[index] == null) {
                    throw new KernelError(Errno.EINVAL);
                } else if (count == 1) {
                    notify(index);
                } else {
                    notices[index] = null;
                }
            }
            case Data.Bools(byte[] bools) -> {
                if (count == 0) {
                    throw new KernelError(Errno.EINVAL);
                } else if (bools[0] != 0) {
                    notify(index);
                }
            }
            case Data.EventFds eventFds -> setNotice(index, count, eventFds);
        }
        return 0;
    }

    private void setNotice(int index, int count, Data.EventFds eventFds) {
        if (count == 0) {
            throw new KernelError(Errno.EINVAL);
        }
        int descriptor = eventFds.descriptors()[0];
        if (descriptor >= 0) {
            notices[index] = eventFds.lookup().apply(descriptor);
        } else if (descriptor == -1) {
            notices[index] = null;
        } else if (!machine.profile().isBefore(KernelProfile.V6_12)) {
            throw new KernelError(Errno.EINVAL); // Linux 6.1 ignores it
        }
    }

    private void disable() {
        on = OFF;
        enabled = 0;
        triggers = new EventFd[0];
    }
}
