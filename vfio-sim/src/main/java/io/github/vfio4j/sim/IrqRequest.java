package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_irq_set;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.function.IntUnaryOperator;

/** What VFIO_DEVICE_SET_IRQS asks for, as far as it is checked without a look at the device. The kernel's lock is held. */
final class IrqRequest {
    static final int INTX = VFIO_PCI_INTX_IRQ_INDEX();
    static final int MSI = VFIO_PCI_MSI_IRQ_INDEX();
    static final int MSIX = VFIO_PCI_MSIX_IRQ_INDEX();
    static final int ERR = VFIO_PCI_ERR_IRQ_INDEX();
    static final int REQ = VFIO_PCI_REQ_IRQ_INDEX();

    private static final int NOTHING = -1; // in place of a descriptor

    final int index;
    final int start;
    final int count;
    private final SimMachine machine;
    private final SimProcess caller;
    private final int flags;
    private final byte[] chosen; // of BOOL
    private final int[] descriptors; // of EVENTFD

    /**
     * Reads a request.
     *
     * @param irqsOfIndex how many interrupts an index has
     */
    IrqRequest(SimMachine machine, SimProcess caller, UserMemory argument, IntUnaryOperator irqsOfIndex) {
        this.machine = machine;
        this.caller = caller;
        long data = vfio_irq_set.data$offset();
        InfoStruct struct = new InfoStruct(argument, vfio_irq_set.layout(), data);
        MemorySegment set = struct.fields;
        flags = vfio_irq_set.flags(set);
        index = vfio_irq_set.index(set);
        long first = Integer.toUnsignedLong(vfio_irq_set.start(set));
        long number = Integer.toUnsignedLong(vfio_irq_set.count(set));
        long bytes = number * width();
        boolean known = index >= 0 && index < VFIO_PCI_NUM_IRQS();
        check(new Facts() {
            @Override
            public boolean irqIndexKnown() {
                return known;
            }

            @Override
            public boolean irqFlagsKnown() {
                return (flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK() | VFIO_IRQ_SET_ACTION_TYPE_MASK())) == 0;
            }

            @Override
            public long irqStart() {
                return first;
            }

            @Override
            public long irqCount() {
                return number;
            }

            @Override
            public long irqsOfIndex() {
                return irqsOfIndex.applyAsInt(index);
            }

            @Override
            public boolean irqDataOfOneKind() {
                return Integer.bitCount(flags & VFIO_IRQ_SET_DATA_TYPE_MASK()) == 1;
            }

            @Override
            public boolean irqDataCovered() {
                return bytes <= struct.argsz() - data;
            }

            @Override
            public boolean irqDataReadable() {
                return bytes <= argument.size() - data;
            }
        });
        start = (int) first;
        count = (int) number;
        chosen = new byte[isBool() ? count : 0];
        descriptors = new int[isEvents() ? count : 0];
        for (int i = 0; i < chosen.length; i++) {
            chosen[i] = argument.readByte(data + i);
        }
        for (int i = 0; i < descriptors.length; i++) {
            descriptors[i] = argument.readInt(data + (long) i * Integer.BYTES);
        }
    }

    /** Fails by the first rule that the facts break. */
    void check(Facts facts) {
        KernelError.check(machine.profile(), Operation.DEVICE_SET_IRQS, facts);
    }

    private int width() {
        return isBool() ? Byte.BYTES : isEvents() ? Integer.BYTES : 0;
    }

    boolean isNone() {
        return (flags & VFIO_IRQ_SET_DATA_NONE()) != 0;
    }

    private boolean isBool() {
        return (flags & VFIO_IRQ_SET_DATA_BOOL()) != 0;
    }

    boolean isEvents() {
        return (flags & VFIO_IRQ_SET_DATA_EVENTFD()) != 0;
    }

    private int action() {
        return flags & VFIO_IRQ_SET_ACTION_TYPE_MASK();
    }

    boolean masks() {
        return action() == VFIO_IRQ_SET_ACTION_MASK();
    }

    boolean unmasks() {
        return action() == VFIO_IRQ_SET_ACTION_UNMASK();
    }

    boolean triggers() {
        return action() == VFIO_IRQ_SET_ACTION_TRIGGER();
    }

    /** Does it disable an index that is enabled? */
    boolean disables() {
        return triggers() && isNone() && count == 0;
    }

    /** Is an interrupt meant, counted from the first one, where the data is not eventfds? */
    boolean chooses(int number) {
        return isNone() || chosen[number] != 0;
    }

    /** The descriptor for an interrupt, counted from the first one. */
    int descriptor(int number) {
        return descriptors[number];
    }

    /** The eventfd of a descriptor; null if it is negative. */
    EventFd event(int number) {
        return event(number, new Facts() {});
    }

    /** The eventfd of a descriptor, where more can be wrong than that. */
    EventFd event(int number, Facts others) {
        int descriptor = descriptors[number];
        SimFile file = descriptor < 0 ? null : caller.files().find(descriptor).orElse(null);
        check(new Facts() {
            @Override
            public boolean irqsBeyondEnabled() {
                return others.irqsBeyondEnabled();
            }

            @Override
            public boolean namedFileNegative() {
                return others.namedFileNegative();
            }

            @Override
            public boolean namedFileOpen() {
                return descriptor < 0 || file != null;
            }

            @Override
            public boolean namedFileIsEvent() {
                return descriptor < 0 || file instanceof EventFdFile;
            }

            @Override
            public boolean irqUnmaskEventSet() {
                return others.irqUnmaskEventSet();
            }

            @Override
            public boolean irqLineTaken() {
                return others.irqLineTaken();
            }
        });
        return file == null ? null : ((EventFdFile) file).event;
    }

    /** Does a descriptor take the eventfd away? */
    boolean takesAway(int number) {
        return descriptors[number] == NOTHING;
    }
}
