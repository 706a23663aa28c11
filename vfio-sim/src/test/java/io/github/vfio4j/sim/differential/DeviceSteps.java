package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Region.PAGE;
import static io.github.vfio4j.sim.differential.Step.*;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Resets of a bus, features of devices, and eventfds that write registers.
 *
 * <p>Left out are features of mediated devices ({@link MediatedSequence} has them); low power with a wakeup event (when
 * the device falls asleep, and so what wakes it, depends on the moment); what makes one more descriptor inside a struct; and
 * registers far beyond the regions of devices: some kernels take what seems negative for an address.
 */
final class DeviceSteps {
    private static final int LAST_FEATURE = 14; // some more than there are
    private static final int WAYS = 3;

    private final Generator generator;

    DeviceSteps(Generator generator) {
        this.generator = generator;
    }

    Step any() {
        return switch (generator.oneOf(0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3)) {
            case 0 -> hotResetInfo();
            case 1 -> hotReset();
            case 2 -> feature();
            default -> ioEventFd();
        };
    }

    private Step hotResetInfo() {
        int device = generator.device();
        if (generator.chance(3)) {
            return ioctl(device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), 0);
        }
        int room = generator.oneOf(0, 0, 1, 2, 3, 3, 3, 8);
        Stream<Field> head = Stream.of(u32(generator.argsz(12 + 8 * room)), u32(generator.oneOf(0, 0, -1)), u32(generator.oneOf(0, -1)));
        Field[] fields = Stream.concat(head, Stream.generate(() -> u64(0)).limit(room)).toArray(Field[]::new);
        return ioctl(device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), fields);
    }

    private Step hotReset() {
        int device = generator.device();
        if (generator.chance(3)) {
            return ioctl(device, VFIO_DEVICE_PCI_HOT_RESET(), 0);
        }
        List<Field> fields = new ArrayList<>();
        int given = generator.oneOf(0, 1, 1, 1, 1, 2, 3, 4);
        fields.add(u32(generator.argsz(12 + 4 * given)));
        fields.add(u32(generator.chance(92) ? 0 : generator.oneOf(1, -1)));
        fields.add(u32(generator.chance(90) ? given : generator.oneOf(0, given + 1, 100, -1)));
        int group = generator.group();
        for (int i = 0; i < given; i++) {
            fields.add(fd(generator.chance(60) ? group : generator.chance(85) ? generator.group() : generator.anyFile()));
        }
        return ioctl(device, VFIO_DEVICE_PCI_HOT_RESET(), fields.toArray(Field[]::new));
    }

    private Step feature() {
        int device = generator.device();
        if (generator.isMediated(device)) {
            device = NOT_OPEN;
        }
        if (generator.chance(3)) {
            return ioctl(device, VFIO_DEVICE_FEATURE(), 0);
        }
        int number = generator.chance(85) ? generator.below(LAST_FEATURE) : generator.oneOf(100, 0xffff);
        int ways = generator.oneOf(0, 1, 1, 2, 2, WAYS) << 16;
        int probe = generator.chance(30) ? VFIO_DEVICE_FEATURE_PROBE() : 0;
        int more = generator.chance(95) ? 0 : generator.oneOf(1 << 19, 1 << 31);
        List<Field> data = new ArrayList<>(generator.chance(85) ? data(number) : List.of());
        int size = 8 + data.stream().mapToInt(Field::size).sum();
        data.addFirst(u32(number | ways | probe | more));
        data.addFirst(u32(generator.argsz(size)));
        while (data.stream().mapToInt(Field::size).sum() < 64) {
            data.add(u64(-1)); // nothing that means anything
        }
        return ioctl(device, VFIO_DEVICE_FEATURE(), data.toArray(Field[]::new));
    }

    /** What comes with a feature. */
    private List<Field> data(int number) {
        if (number == VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP()) {
            return List.of(fd(generator.pick(List.of(NEGATIVE, NOT_OPEN))), u32(0));
        } else if (number == VFIO_DEVICE_FEATURE_DMA_BUF()) {
            return dmaBuf();
        }
        return generator.pick(List.of(List.of(), List.of(u64(0)), List.of(u64(0), u64(0))));
    }

    /** Parts of a BAR to be shared, and always something that is wrong with them. */
    private List<Field> dmaBuf() {
        int bar = generator.oneOf(0, 0, 2, 1, 6, 7, 100);
        boolean flags = generator.chance(20);
        int count = generator.oneOf(0, 1, 1);
        long offset = generator.oneOf(1L, 8L, 1L << 30, -PAGE);
        long length = generator.oneOf(0L, PAGE, 1L, 1L << 40);
        return List.of(u32(bar), u32(0), u32(flags ? 1 : 0), u32(count), u64(offset), u64(length));
    }

    private Step ioEventFd() {
        int device = generator.device();
        if (generator.chance(3)) {
            return ioctl(device, VFIO_DEVICE_IOEVENTFD(), 0);
        }
        int width = generator.chance(88) ? generator.oneOf(1, 2, 4, 4, 4, 8) : generator.oneOf(0, 3, 5, 15, 16, 20, -1);
        long region = generator.chance(75) ? generator.oneOf(0L, 0L, 2L) : generator.oneOf(1L, 3L, 5L, 6L, 7L, 8L, 9L);
        long at = generator.chance(80) ? generator.oneOf(4L, 4L, 4L, PAGE) : generator.oneOf(5L, (1L << 20) - 4, (1L << 20) - 1, 1L << 20, 16 << 20, 1L << 39);
        boolean event = generator.chance(80);
        Field descriptor = event ? fd(generator.event()) : u32(generator.oneOf(-1, -1, -1, -2));
        return ioctl(device, VFIO_DEVICE_IOEVENTFD(), u32(generator.argsz(32)), u32(width), u64((region << 40) + at), u64(generator.oneOf(0L, 0L, 1L)), descriptor, u32(0));
    }
}
