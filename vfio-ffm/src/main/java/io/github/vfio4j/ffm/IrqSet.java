package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_SET_IRQS;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_SET_ACTION_MASK;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_SET_ACTION_TRIGGER;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_SET_ACTION_UNMASK;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_SET_DATA_BOOL;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_SET_DATA_EVENTFD;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_SET_DATA_NONE;

import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_irq_set;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.IrqAction;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;

/** {@code VFIO_DEVICE_SET_IRQS}: a {@code struct vfio_irq_set} with its data behind it. */
final class IrqSet {
    private static final long DATA = vfio_irq_set.data$offset();

    private final Fd device;
    private final int index;
    private final IrqAction action;
    private final int start;

    IrqSet(Fd device, int index, IrqAction action, int start) {
        this.device = device;
        this.index = index;
        this.action = action;
        this.start = start;
    }

    void none(int count) {
        send(VFIO_IRQ_SET_DATA_NONE(), count, 0, _ -> {});
    }

    void bools(boolean[] chosen) {
        send(VFIO_IRQ_SET_DATA_BOOL(), chosen.length, Byte.BYTES, set -> {
            for (int i = 0; i < chosen.length; i++) {
                set.set(ValueLayout.JAVA_BYTE, DATA + i, (byte) (chosen[i] ? 1 : 0));
            }
        });
    }

    int events(EventPort[] events) {
        int held = 0;
        try {
            for (EventPort event : events) {
                if (event != null) {
                    ((FfmEvent) event).fd.hold(Operation.DEVICE_SET_IRQS);
                }
                held++;
            }
            return send(VFIO_IRQ_SET_DATA_EVENTFD(), events.length, Integer.BYTES, set -> {
                for (int i = 0; i < events.length; i++) {
                    int number = events[i] == null ? -1 : ((FfmEvent) events[i]).fd.number;
                    set.set(ValueLayout.JAVA_INT, DATA + (long) i * Integer.BYTES, number);
                }
            });
        } finally {
            for (int i = 0; i < held; i++) {
                if (events[i] != null) {
                    ((FfmEvent) events[i]).fd.release();
                }
            }
        }
    }

    /** More than some hundred interrupts at once do not fit into a frame, and no program enables them often. */
    private int send(int dataType, int count, int width, Consumer<MemorySegment> data) {
        long bytes = DATA + (long) count * width;
        Frame frame = device.begin(Operation.DEVICE_SET_IRQS);
        try {
            if (bytes <= Frame.ARG_BYTES) {
                return send(frame, frame.arg, bytes, dataType, count, data);
            }
            try (Arena arena = Arena.ofConfined()) {
                return send(frame, arena.allocate(bytes, 8), bytes, dataType, count, data);
            }
        } finally {
            device.end(frame);
        }
    }

    private int send(
            Frame frame, MemorySegment set, long bytes, int dataType, int count, Consumer<MemorySegment> data) {
        vfio_irq_set.argsz(set, (int) bytes);
        vfio_irq_set.flags(set, dataType | actionFlag());
        vfio_irq_set.index(set, index);
        vfio_irq_set.start(set, start);
        vfio_irq_set.count(set, count);
        data.accept(set);
        int result = device.syscalls.ioctl(frame, device.number, VFIO_DEVICE_SET_IRQS(), set);
        return (int) device.check(Operation.DEVICE_SET_IRQS, result);
    }

    private int actionFlag() {
        return switch (action) {
            case MASK -> VFIO_IRQ_SET_ACTION_MASK();
            case UNMASK -> VFIO_IRQ_SET_ACTION_UNMASK();
            case TRIGGER -> VFIO_IRQ_SET_ACTION_TRIGGER();
        };
    }
}
