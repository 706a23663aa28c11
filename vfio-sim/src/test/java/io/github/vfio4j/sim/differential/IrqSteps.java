package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntSupplier;

/**
 * The generated steps about interrupts: what a program does with them, every kind of data and action, at the edges of
 * start, count and argsz, with several eventfds and with what is none. Nothing here makes a real device assert its line.
 */
final class IrqSteps {
    private static final int INTX = VFIO_PCI_INTX_IRQ_INDEX();
    private static final int MSI = VFIO_PCI_MSI_IRQ_INDEX();
    private static final int MSIX = VFIO_PCI_MSIX_IRQ_INDEX();
    private static final int ERR = VFIO_PCI_ERR_IRQ_INDEX();
    private static final int REQ = VFIO_PCI_REQ_IRQ_INDEX();
    private static final int NONE = VFIO_IRQ_SET_DATA_NONE();
    private static final int BOOL = VFIO_IRQ_SET_DATA_BOOL();
    private static final int EVENTFD = VFIO_IRQ_SET_DATA_EVENTFD();
    private static final int MASK = VFIO_IRQ_SET_ACTION_MASK();
    private static final int UNMASK = VFIO_IRQ_SET_ACTION_UNMASK();
    private static final int TRIGGER = VFIO_IRQ_SET_ACTION_TRIGGER();
    private static final int HEADER = 20;
    private static final int MOST_FIELDS = 8;
    private static final long COMMAND = ((long) VFIO_PCI_CONFIG_REGION_INDEX() << 40) + 4;

    private final SplittableRandom random;
    private final IntSupplier events;
    private final IntSupplier others;

    /**
     * Makes steps by chance.
     *
     * @param events gives an eventfd, nearly always
     * @param others gives a file that is none
     */
    IrqSteps(SplittableRandom random, IntSupplier events, IntSupplier others) {
        this.random = random;
        this.events = events;
        this.others = others;
    }

    /** A step with a device. */
    Step with(int device) {
        int which = random.nextInt(100);
        if (which < 10) {
            return info(device);
        } else if (which < 12) {
            return ioctl(device, chance(50) ? VFIO_DEVICE_SET_IRQS() : VFIO_DEVICE_GET_IRQ_INFO(), 0);
        } else if (which < 20) { // bit 10 disables INTx
            return pwrite(device, pick("0600", "0604", "0604", "0200", "0204"), COMMAND);
        } else if (which < 60) {
            return usual(device);
        }
        return any(device);
    }

    /** A step with a mediated device, which has serial ports that raise interrupts. */
    Step withMediated(int device) {
        int which = random.nextInt(100);
        if (which < 10) {
            return ioctl(device, VFIO_DEVICE_GET_INFO(), u32(argsz(16)), u32(-1), u32(0), u32(0), u32(0), u32(0));
        } else if (which < 30) {
            return switch (random.nextInt(5)) {
                case 0 -> pwrite(device, pick("00", "01", "02", "04", "08", "0f"), 1); // which events interrupt
                case 1 -> pwrite(device, pick("01", "07"), 2); // makes the FIFO ready
                case 2 -> pwrite(device, pick("08", "03", "00", "0b"), 4); // the modem
                case 3 -> pread(device, 1, 0);
                default -> pwrite(device, "41", 0);
            };
        }
        return with(device);
    }

    private Step info(int device) {
        int index = chance(90) ? random.nextInt(5) : oneOf(5, -1, 100, Integer.MIN_VALUE);
        return ioctl(device, VFIO_DEVICE_GET_IRQ_INFO(), u32(argsz(16)), u32(oneOf(0, -1)), u32(index), u32(0));
    }

    /** What a program would do. */
    private Step usual(int device) {
        int index = oneOf(INTX, INTX, MSI, MSIX, MSIX, REQ, ERR);
        int several = index == MSIX ? random.nextInt(1, 6) : 1;
        return switch (random.nextInt(12)) {
            case 0, 1, 2, 3 -> set(device, EVENTFD | TRIGGER, index, 0, several);
            case 4 -> set(device, EVENTFD | TRIGGER, MSIX, random.nextInt(5), 1);
            case 5 -> set(device, NONE | TRIGGER, index, 0, 0);
            case 6 -> set(device, NONE | TRIGGER, index, 0, several);
            case 7 -> set(device, BOOL | TRIGGER, index, 0, several);
            case 8 -> set(device, oneOf(NONE, BOOL) | MASK, INTX, 0, 1);
            case 9 -> set(device, oneOf(NONE, BOOL) | UNMASK, INTX, 0, 1);
            default -> set(device, EVENTFD | UNMASK, INTX, 0, 1);
        };
    }

    private Step any(int device) {
        int index = chance(94) ? oneOf(INTX, INTX, MSI, MSI, MSIX, MSIX, ERR, REQ) : oneOf(5, -1, 100);
        int data = chance(90) ? oneOf(NONE, BOOL, EVENTFD, EVENTFD) : oneOf(0, 3, 5, 6, 7);
        int action = chance(60) ? TRIGGER : chance(70) ? oneOf(MASK, UNMASK) : oneOf(0, 0x18, 0x28, 0x30, 0x38, 0x40, 0x60, 1 << 31);
        int start = chance(70) ? 0 : oneOf(1, 2, 4, 5, -1, Integer.MAX_VALUE);
        int count = chance(60) ? 1 : oneOf(0, 0, 2, 3, 5, 6, 1000, -1, Integer.MIN_VALUE);
        return set(device, data | action, index, start, count);
    }

    private Step set(int device, int flags, int index, int start, int count) {
        List<Field> fields = new ArrayList<>();
        int width = (flags & EVENTFD) != 0 ? Integer.BYTES : (flags & BOOL) != 0 ? 1 : 0;
        int given = Math.clamp(count, 0, MOST_FIELDS);
        fields.add(u32(argsz(HEADER + width * given)));
        fields.add(u32(flags));
        fields.add(u32(index));
        fields.add(u32(start));
        fields.add(u32(count));
        for (int bytes = 0; bytes < width * given; bytes += Integer.BYTES) {
            fields.add(width == 1 ? u32(random.nextInt() & 0x0101_0101) : event());
        }
        return ioctl(device, VFIO_DEVICE_SET_IRQS(), fields.toArray(Field[]::new));
    }

    private Field event() {
        int which = random.nextInt(100);
        if (which < 72) {
            return fd(events.getAsInt());
        } else if (which < 88) {
            return u32(-1);
        } else if (which < 92) {
            return u32(oneOf(-2, Integer.MIN_VALUE));
        }
        return fd(which < 96 ? others.getAsInt() : NOT_OPEN);
    }

    private int argsz(int right) {
        return chance(93) ? right : oneOf(right - 1, right + 1, right + 4, right - 4, 0, -1, 4096);
    }

    private boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    private int oneOf(int... values) {
        return values[random.nextInt(values.length)];
    }

    private String pick(String... values) {
        return values[random.nextInt(values.length)];
    }
}
