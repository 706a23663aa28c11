package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.IrqRequest.INTX;
import static io.github.vfio4j.sim.IrqRequest.MSI;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_irq_info;
import io.github.vfio4j.spi.Facts;

/**
 * The interrupts of a mediated device: one INTx or one MSI, as the kernel's sample driver mtty has them, or none of any
 * kind, as mdpy and mbochs. INTx masks itself when it fires and is lost while it is masked. Nothing is known of the
 * interrupts before somebody asked for the device's info (VFIO_DEVICE_GET_INFO).
 */
final class EmulatedInterrupts {
    private static final int OFF = -1;

    private final SimMachine machine;
    private final boolean some;
    private boolean infoGiven; // once and for all; guarded by this
    private int on = OFF; // guarded by this
    private EventFd trigger; // guarded by this
    private boolean masked; // guarded by this

    EmulatedInterrupts(SimMachine machine, boolean some) {
        this.machine = machine;
        this.some = some;
    }

    /** Somebody asked for the device's info. Returns how many indexes there are. */
    synchronized int infoGiven() {
        infoGiven = true;
        return indexes();
    }

    private int indexes() {
        return infoGiven ? VFIO_PCI_NUM_IRQS() : 0;
    }

    /** VFIO_DEVICE_GET_IRQ_INFO. */
    synchronized int info(UserMemory argument) {
        InfoStruct info = new InfoStruct(argument, vfio_irq_info.layout());
        int index = vfio_irq_info.index(info.fields);
        KernelError.check(machine.profile(), Operation.DEVICE_GET_IRQ_INFO, new Facts() {
            @Override
            public boolean irqIndexKnown() {
                return index >= 0 && index < indexes();
            }

            @Override
            public boolean irqIndexPresent() {
                return index == INTX || index == MSI || !some;
            }
        });
        if (!some) {
            vfio_irq_info.count(info.fields, 0);
            info.write();
            return 0;
        }
        int more = index == INTX
                ? VFIO_IRQ_INFO_MASKABLE() | VFIO_IRQ_INFO_AUTOMASKED()
                : VFIO_IRQ_INFO_NORESIZE();
        vfio_irq_info.flags(info.fields, VFIO_IRQ_INFO_EVENTFD() | more);
        vfio_irq_info.count(info.fields, 1);
        info.write();
        return 0;
    }

    /** VFIO_DEVICE_SET_IRQS. The kernel's lock is held. */
    synchronized int set(SimProcess caller, UserMemory argument) {
        if (!some) {
            throw new KernelError(Errno.EINVAL);
        }
        // The driver takes the number of indexes for the number of interrupts of each.
        IrqRequest asked = new IrqRequest(machine, caller, argument, _ -> indexes());
        boolean oneAction = asked.triggers() || asked.masks() || asked.unmasks();
        boolean message = asked.index == MSI;
        boolean isOn = on == asked.index;
        if (!oneAction && (message || asked.index == INTX)) {
            return 0; // nothing is done, nor refused
        }
        asked.check(new Facts() {
            @Override
            public boolean irqActionSupported() {
                return asked.index == INTX || message && asked.triggers();
            }

            @Override
            public boolean otherIrqsEnabled() {
                return asked.triggers() && on != OFF && !isOn;
            }

            @Override
            public boolean irqsEnabled() {
                return isOn || asked.triggers() && asked.isEvents();
            }

            @Override
            public boolean theIrqNamed() {
                return asked.start == 0 && asked.count == 1 || asked.disables();
            }

            @Override
            public boolean irqMaskEventGiven() {
                return !asked.triggers() && asked.isEvents();
            }
        });
        if (asked.disables()) {
            disable();
        } else if (asked.isEvents()) {
            disable(); // also if the new one is none
            EventFd event = asked.event(0);
            on = event == null ? OFF : asked.index;
            trigger = event;
        } else if (asked.chooses(0)) {
            if (asked.triggers()) {
                raise();
            } else {
                masked = asked.masks();
            }
        }
        return 0;
    }

    /** The device has something to say. */
    synchronized void raise() {
        if (trigger != null && !masked) {
            masked = on == INTX;
            trigger.signal();
        }
    }

    /** The last close, or the eventfd is taken away. */
    synchronized void disable() {
        on = OFF;
        trigger = null;
        masked = false;
    }
}
