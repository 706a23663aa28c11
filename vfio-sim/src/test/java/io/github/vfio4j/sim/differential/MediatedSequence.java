package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;

import io.github.vfio4j.ffm.port.Syscalls;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A sequence about one mediated device from a seed, through its group or by its own node: of mtty the ports, the
 * interrupts, and the way of its state out and in again; of mdpy and mbochs the screen and the monitor; of all the
 * regions, the features, and the log of what they write.
 *
 * <p>Nothing in it harms a real kernel, whose sample drivers check little: every opening resets the device, for one that
 * was closed while it resumed has no file to resume from; a state that is loaded has an empty FIFO; a picture is opened
 * once and is small, for the memory of one that is never opened is lost; no access reaches out of a region, or into one
 * that is empty; and a group is given to no iommufd. What the drivers leave as it was on their stack is not compared.
 */
final class MediatedSequence implements Lockstep.Source {
    private static final int IOMMUFD = 0;
    private static final int CONTAINER = 1;
    private static final int GROUP = 2;
    private static final int DEVICE = 3;
    private static final int COPY = 4;
    private static final int STREAM = 5;
    private static final int SECOND_STREAM = 6;
    private static final int PICTURE = 7;
    private static final int SECOND_PICTURE = 8;
    private static final int EVENT = 9;
    private static final int SECOND_EVENT = 10;
    private static final int SLOTS = 11;
    private static final int BAR = 0; // the only mapping

    private static final int MOST_OBJECTS = 4;
    private static final int LAST_FEATURE = 14; // some more than there are
    private static final int PLANE = 64; // bytes that tell of a picture
    private static final long RANGES = 0x8000;
    private static final long[] IOVAS = {0, 0x1000, 0x2000, 0x10000, 0x800, -0x1000, -1};
    private static final long[] SIZES = {0x1000, 0x1000, 0x2000, 0x10000, 0x800, 0, -0x1000};

    // Of mbochs.
    private static final long REGISTERS = 0x1000;
    private static final long SCREEN = REGISTERS + 0x500;
    private static final long MONITOR = 0x2000;
    private static final long DESCRIPTION = MONITOR + 0x800;

    private enum Driver {
        MTTY("$mtty", TwinMachine.MTTYS.getFirst(), 0),
        MDPY("$mdpy", TwinMachine.MDPY, 0x1000),
        MBOCHS("$mbochs", TwinMachine.MBOCHS, 0x3000);

        final String group;
        final String uuid;
        final long memory; // where it would be mapped

        Driver(String group, String uuid, long memory) {
            this.group = group;
            this.uuid = uuid;
            this.memory = memory;
        }
    }

    private final SplittableRandom random;
    private final Driver driver;
    private final boolean byNode;
    private final IrqSteps irqs;
    private final Deque<Step> planned = new ArrayDeque<>();
    private final Set<Integer> streams = new HashSet<>(); // that are open
    private int left;

    MediatedSequence(long seed, int steps) {
        random = new SplittableRandom(seed);
        left = steps;
        driver = Driver.values()[(int) one(0, 0, 0, 1, 2, 2)];
        byNode = random.nextBoolean();
        irqs = new IrqSteps(random, () -> (int) one(EVENT, SECOND_EVENT), () -> (int) one(CONTAINER, STREAM));
        List<Step> way = wayIn();
        planned.addAll(random.nextInt(8) == 0 ? way.subList(0, random.nextInt(way.size())) : way);
        planned.add(eventfd(EVENT, 0, 0));
        planned.add(eventfd(SECOND_EVENT, 1, 0));
        if (driver == Driver.MTTY) {
            planned.addAll(quiet());
        }
    }

    /**
     * What is to be run after a sequence that is about mediated devices: it resets mtty. If the device was closed while it
     * resumed, the next program to change its state would make the kernel read a file that is not there.
     */
    static Lockstep.Source afterwards() {
        return Lockstep.Source.of(List.of(
                open(CONTAINER, Generator.CONTAINER),
                open(GROUP, "/dev/vfio/" + Driver.MTTY.group),
                ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER)),
                ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()),
                fresh(DEVICE, getDevice(DEVICE, GROUP, text(Driver.MTTY.uuid)))));
    }

    private List<Step> wayIn() {
        List<Step> opened = byNode
                ? List.of(
                        open(IOMMUFD, "/dev/iommu"),
                        open(DEVICE, "/dev/vfio/devices/$cdev_" + driver.uuid),
                        opening(),
                        ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(12), u32(0), u32(0)),
                        ioctl(DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(12), u32(0), u32(2)))
                : List.of(
                        open(CONTAINER, Generator.CONTAINER),
                        open(GROUP, "/dev/vfio/" + driver.group),
                        ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER)),
                        ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()),
                        opening());
        return Stream.concat(opened.stream(), Stream.of(info(16))).toList();
    }

    /** Makes a device of the file, and resets it. */
    private Step opening() {
        return fresh(
                DEVICE,
                byNode
                        ? ioctl(DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(0), fd(IOMMUFD), u32(0))
                        : getDevice(DEVICE, GROUP, text(driver.uuid)));
    }

    /** The ports keep what a sequence before left in them. */
    private static List<Step> quiet() {
        return Stream.of(0L, 1L << 40)
                .flatMap(port -> Stream.of(
                        pwrite(DEVICE, "00", port + 3),
                        pwrite(DEVICE, "00", port + 1),
                        pwrite(DEVICE, "00", port + 4),
                        pwrite(DEVICE, "07", port + 2),
                        pwrite(DEVICE, "00", port), // does not overrun
                        pwrite(DEVICE, "07", port + 2)))
                .toList();
    }

    @Override
    public Optional<Step> next() {
        if (!planned.isEmpty()) {
            return Optional.of(planned.remove());
        }
        return left-- == 0 ? Optional.empty() : Optional.of(any());
    }

    @Override
    public void answered(Step step, Outcome outcome) {
        if (step instanceof MigrationState change && outcome.result() == 1) {
            streams.add(change.into());
        } else if (step instanceof Close(int slot)) {
            streams.remove(slot);
        }
    }

    private long one(long... values) {
        return values[random.nextInt(values.length)];
    }

    private String pick(String... values) {
        return values[random.nextInt(values.length)];
    }

    private int device() {
        return random.nextInt(16) == 0 ? COPY : DEVICE;
    }

    /** Plans some steps, and returns the first. */
    private Step firstOf(List<Step> steps) {
        planned.addAll(steps.subList(1, steps.size()));
        return steps.getFirst();
    }

    private Step any() {
        return switch (random.nextInt(40)) {
            case 0 -> info((int) one(16, 16, 24, 15, 0));
            case 1, 2 -> regionInfo();
            case 3, 4 -> interrupts();
            case 5, 6, 7 -> feature();
            case 8, 9 -> logging();
            case 10, 11 -> screen();
            case 12 -> ioctl(device(), VFIO_DEVICE_RESET(), 0);
            case 13 -> config();
            case 14 -> outside();
            case 15 -> random.nextBoolean() ? unmap(BAR) : mapping();
            case 16 -> dup(COPY, random.nextInt(SLOTS));
            case 17 -> close(random.nextInt(SLOTS));
            case 18, 19 -> again();
            case 20, 21 -> ofIommu();
            default -> switch (driver) {
                case MTTY -> ofMtty();
                case MDPY -> memory();
                case MBOCHS -> ofMbochs();
            };
        };
    }

    /** Something of the way in. */
    private Step again() {
        List<Step> way = wayIn();
        return random.nextInt(4) == 0 ? firstOf(way) : way.get(random.nextInt(way.size()));
    }

    private Step info(int argsz) {
        return ioctl(device(), VFIO_DEVICE_GET_INFO(), u32(argsz), u32(-1), u32(0), u32(0), u32(0), u32(0));
    }

    /** Of regions that there are: what is told of an empty one is up to the driver. */
    private Step regionInfo() {
        int index = (int) switch (driver) {
            case MTTY -> one(0, 1, 2, 6, 7, 8, 9, -1);
            case MDPY -> one(0, 7, 16, 9, 17, -1);
            case MBOCHS -> one(0, 2, 7, 9, 9, 10, -1);
        };
        int argsz = (int) one(32, 32, 32, 31, 0);
        return ioctl(device(), VFIO_DEVICE_GET_REGION_INFO(), u32(argsz), u32(0), u32(index), u32(0), u64(0), u64(0));
    }

    private Step interrupts() {
        return switch (random.nextInt(8)) {
            case 0, 1 -> read((int) one(EVENT, SECOND_EVENT), 8);
            case 2 -> eventfd((int) one(EVENT, SECOND_EVENT), 0, 0);
            case 3 -> ioctl(device(), VFIO_DEVICE_GET_IRQ_INFO(), u32(16), u32(0), u32(random.nextInt(6)), u32(0));
            default -> irqs.with(device());
        };
    }

    /** What changes the state is done by a step of its own, for it makes a descriptor. */
    private Step feature() {
        int number = random.nextInt(LAST_FEATURE);
        int way = (int) one(VFIO_DEVICE_FEATURE_GET(), VFIO_DEVICE_FEATURE_SET(), 0);
        boolean probe = number == VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE() || random.nextInt(3) == 0;
        int flags = number | way | (probe ? VFIO_DEVICE_FEATURE_PROBE() : 0);
        int argsz = (int) one(8, 16, 24, 40, 7);
        return ioctl(
                device(), VFIO_DEVICE_FEATURE(), u32(argsz), u32(flags), u64(0), u64(0), u64(0), u64(0), u64(-1));
    }

    private Step logging() {
        int probe = random.nextInt(4) == 0 ? VFIO_DEVICE_FEATURE_PROBE() : 0;
        return switch (random.nextInt(4)) {
            case 0 -> put(RANGES + 16 * random.nextInt(2), one(IOVAS), one(SIZES));
            case 1 -> ioctl(
                    device(),
                    VFIO_DEVICE_FEATURE(),
                    u32((int) one(32, 32, 32, 31, 8)),
                    u32(VFIO_DEVICE_FEATURE_SET() | VFIO_DEVICE_FEATURE_DMA_LOGGING_START() | probe),
                    u64(one(0x1000, 0x1000, 0, 0x800, 0x2000, 3)),
                    u32((int) one(1, 1, 2, 2, 0, 257, -1)),
                    u32((int) one(0, 0, 0, 1)),
                    random.nextInt(6) == 0 ? u64(0) : address(Region.RAM, RANGES));
            case 2 -> ioctl(
                    device(),
                    VFIO_DEVICE_FEATURE(),
                    u32((int) one(8, 8, 16)),
                    u32(VFIO_DEVICE_FEATURE_SET() | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP() | probe),
                    u64(0));
            default -> ioctl(
                    device(),
                    VFIO_DEVICE_FEATURE(),
                    u32((int) one(40, 40, 40, 39, 8)),
                    u32(VFIO_DEVICE_FEATURE_GET() | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT() | probe),
                    u64(one(IOVAS)),
                    u64(one(SIZES)),
                    u64(one(0x1000, 0x1000, 0x2000, 0, 0x800, 0x1800)),
                    bitmap(0xc000, random.nextInt(2)));
        };
    }

    private Step screen() {
        return switch (random.nextInt(8)) {
            case 0 -> ioctl(device(), VFIO_DEVICE_GET_GFX_DMABUF(), u32(0x7fff_ffff));
            case 1, 2 -> openPicture((int) one(PICTURE, SECOND_PICTURE), DEVICE);
            default -> query();
        };
    }

    private Step query() {
        int flags = (int) one(1, 2, 2, 3, 4, 4, 5, 6, 0, 8);
        int number = (int) one(1, 1, 1, 2);
        return queryPlane(ioctl(
                DEVICE,
                VFIO_DEVICE_QUERY_GFX_PLANE(),
                u32((int) one(PLANE, PLANE, PLANE, PLANE - 4, PLANE - 5, 0)),
                u32(flags), u32(number), u32(0),
                u64(0), u64(0), u64(0), u64(0), u64(0), u64(-1)));
    }

    /** What it is. */
    private Step config() {
        long at = driver == Driver.MTTY ? 7L << 40 : 0;
        if (random.nextInt(4) == 0) {
            return pwrite(DEVICE, pick("07", "0700", "07000000"), at + one(0, 4, 0x3d));
        }
        return register(DEVICE, at + one(0, 0, 1, 2, 3), 1);
    }

    private Step outside() {
        long at = switch (driver) {
            case MTTY -> one(6L << 40, 8L << 40, 9L << 40, (8L << 40) + 4);
            case MDPY -> one(0x100, 0xffc, 0x201000, 1L << 40);
            case MBOCHS -> one(0x100, 0xffc, 0x403000, 1L << 40);
        };
        return random.nextInt(3) == 0 ? pwrite(DEVICE, pick("", "00", "00000000"), at) : pread(DEVICE, (int) one(0, 1, 4), at);
    }

    private Step mapping() {
        long offset = random.nextInt(6) == 0 ? one(0, 0x1000, 0x2000, 0x3000, 7L << 40) : driver.memory;
        long size = one(0x1000, 0x1000, 0x200000, 0x400000, 0x401000);
        return map(BAR, DEVICE, size, (int) one(1, 3), (int) one(Syscalls.MAP_SHARED, Syscalls.MAP_SHARED, Syscalls.MAP_PRIVATE), offset);
    }

    private Step ofIommu() {
        if (!byNode) {
            return switch (random.nextInt(4)) {
                case 0 -> ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0);
                case 1 -> ioctl(CONTAINER, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32(0), u64(0x10000), u64(0x1000));
                default -> ioctl(
                        CONTAINER, VFIO_IOMMU_MAP_DMA(), u32(32), u32(3), address(Region.RAM, 0x10000), u64(0x10000), u64(0x1000));
            };
        }
        Field object = u32(random.nextInt(MOST_OBJECTS + 1));
        return switch (random.nextInt(9)) {
            case 0 -> ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(12), u32(0), u32(0));
            case 1 -> ioctl(IOMMUFD, IOMMU_DESTROY(), u32(8), object);
            case 2 -> ioctl(DEVICE, VFIO_DEVICE_DETACH_IOMMUFD_PT(), u32(8), u32(0));
            case 3 -> ioctl(DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(16), u32(VFIO_DEVICE_ATTACH_PASID()), object, u32(5));
            case 4 -> ioctl(IOMMUFD, IOMMU_HWPT_ALLOC(), u32(24), u32(0), object, u32(2), u32(0), u32(0));
            case 5 -> ioctl(
                    IOMMUFD,
                    IOMMU_IOAS_MAP(),
                    u32(40), u32(7), object, u32(0),
                    address(Region.RAM, 0x10000 + one(0, 0, 0x45)), u64(one(0x1000, 0x800)), u64(one(0x10000, 0x123)));
            case 6 -> ioctl(IOMMUFD, IOMMU_IOAS_UNMAP(), u32(24), object, u64(0), u64(-1));
            default -> ioctl(DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(12), u32(0), object);
        };
    }

    // ---- mtty

    private Step ofMtty() {
        return switch (random.nextInt(20)) {
            case 0, 1, 2 -> written();
            case 3, 4 -> register(DEVICE, port() + random.nextInt(1, 8), 1);
            case 5 -> pread(DEVICE, (int) one(1, 1, 4), port()); // what an empty FIFO gives lay on a stack
            case 6 -> interrupts();
            case 7, 8, 9, 10, 11 -> change();
            case 12, 13, 14 -> read(stream(), (int) one(200, 200, 24, 10, 1, 0));
            case 15, 16 -> writeState(stream(), state(), (int) one(96, 96, 97, 72, 24, 14, 10, 36, 0));
            case 17 -> whole();
            case 18 -> ioctl(stream(), VFIO_MIG_GET_PRECOPY_INFO(), u32((int) one(24, 24, 24, 23, 32)), u32(0), u64(7), u64(7), u64(-1));
            default -> pread(stream(), 8, 0);
        };
    }

    private long port() {
        return (long) random.nextInt(2) << 40;
    }

    private int stream() {
        return streams.isEmpty() || random.nextInt(12) == 0
                ? (int) one(STREAM, SECOND_STREAM, EVENT)
                : streams.stream().sorted().toList().get(random.nextInt(streams.size()));
    }

    private Step written() {
        return switch (random.nextInt(10)) {
            case 0, 1, 2, 3 -> pwrite(DEVICE, pick("41", "7a", "41424344"), port());
            case 4, 5 -> pwrite(DEVICE, pick("00", "01", "02", "04", "08", "0f", "ff"), port() + 1);
            case 6 -> pwrite(DEVICE, pick("00", "01", "07", "c1"), port() + 2);
            case 7 -> pwrite(DEVICE, pick("00", "03", "83"), port() + 3);
            case 8 -> pwrite(DEVICE, pick("00", "08", "03", "0b", "20"), port() + 4);
            default -> pwrite(DEVICE, pick("5a", "a5"), port() + one(5, 6, 7, 7));
        };
    }

    /** Changes the state, or asks for it. */
    private Step change() {
        int free = streams.contains(STREAM) ? SECOND_STREAM : STREAM;
        if (streams.contains(free)) {
            return close((int) one(STREAM, SECOND_STREAM));
        }
        int flags = (int) (random.nextInt(8) != 0
                ? VFIO_DEVICE_FEATURE_SET()
                : one(
                        VFIO_DEVICE_FEATURE_GET(),
                        VFIO_DEVICE_FEATURE_GET(),
                        0,
                        VFIO_DEVICE_FEATURE_PROBE(),
                        VFIO_DEVICE_FEATURE_PROBE() | VFIO_DEVICE_FEATURE_SET(),
                        VFIO_DEVICE_FEATURE_GET() | VFIO_DEVICE_FEATURE_SET()));
        int argsz = random.nextInt(12) == 0 ? (int) one(8, 15, 24, 0) : 16;
        int state = random.nextInt(16) == 0 ? (int) one(0, 8, -1) : random.nextInt(1, 8);
        return migrationState(free, device(), argsz, flags, state);
    }

    /** Takes a state in as a whole. */
    private Step whole() {
        int slot = streams.contains(STREAM) ? SECOND_STREAM : STREAM;
        if (streams.contains(slot)) {
            return close(slot);
        }
        return firstOf(List.of(
                migrationState(slot, DEVICE, 16, VFIO_DEVICE_FEATURE_SET(), VFIO_DEVICE_STATE_RESUMING()),
                writeState(slot, state(), (int) one(MttyState.BYTES, MttyState.HEADER)),
                writeState(slot, state(), (int) one(MttyState.BYTES - MttyState.HEADER, 0)),
                migrationState(slot, DEVICE, 16, VFIO_DEVICE_FEATURE_SET(), VFIO_DEVICE_STATE_STOP())));
    }

    private MttyState state() {
        return new MttyState((int) one(0, 0, 0, 0, 0, 0, 1, 2, 3, 4), (int) one(0, 0x11, 0x5a), (int) one(0, 0, 2, 0xf));
    }

    // ---- the screens

    /** Only whether it can be read and written: a sample reads and writes elsewhere than it is told. */
    private Step memory() {
        long at = driver.memory + one(0, 4, 0x1000, 0x10001);
        return switch (random.nextInt(4)) {
            case 0 -> query();
            case 1 -> pwrite(DEVICE, pick("", "41", "41424344", "4142434445"), at);
            default -> pread(DEVICE, (int) one(0, 1, 2, 4, 7, 16), at);
        };
    }

    private Step ofMbochs() {
        return switch (random.nextInt(16)) {
            case 0 -> memory();
            case 1, 2, 3 -> show();
            case 4 -> pwrite(DEVICE, pick("4000", "4800", "0000", "0100", "ffff", "2000"), SCREEN + 2 * random.nextInt(0, 7));
            case 5 -> pwrite(DEVICE, pick("40", "40000000"), SCREEN + 2 * random.nextInt(0, 7));
            case 6, 7 -> register(DEVICE, SCREEN + one(0, 2, 4, 6, 8, 10, 12, 20, 0x100), (int) one(1, 2, 2, 2, 4));
            case 8, 9 -> register(DEVICE, MONITOR + 4 * random.nextInt(6), 4);
            case 10 -> pwrite(DEVICE, pick("00000000", "01000000", "02000000", "80000000", "00040000"), MONITOR + 4 * random.nextInt(6));
            case 11 -> firstOf(List.of(
                    pwrite(DEVICE, pick("02000000", "01000000"), MONITOR + 20),
                    pwrite(DEVICE, pick("10000000", "04000000"), MONITOR + 8),
                    pwrite(DEVICE, description(), DESCRIPTION),
                    pwrite(DEVICE, "01000000", MONITOR + 20),
                    register(DEVICE, REGISTERS, 16)));
            case 12 -> pwrite(DEVICE, description(), DESCRIPTION + random.nextInt(0x3f0));
            case 13 -> register(DEVICE, DESCRIPTION + random.nextInt(0x3f0), (int) one(1, 4, 16));
            case 14 -> register(DEVICE, REGISTERS + random.nextInt(0x3f0), (int) one(1, 4, 16));
            default -> pwrite(DEVICE, pick("", "41", "4142"), MONITOR + random.nextInt(24));
        };
    }

    private String description() {
        return random.ints(random.nextInt(1, 17), 0, 256).mapToObj("%02x"::formatted).collect(Collectors.joining());
    }

    /** Sets the screen up and asks what it shows, in a few pages. */
    private Step show() {
        String height = pick("4000", "4800", "5000", "5800", "3f00", "ffff");
        int take = (int) one(PICTURE, SECOND_PICTURE);
        return firstOf(Stream.concat(
                        Stream.of(
                                pwrite(DEVICE, pick("4000", "4400", "4800", "3f00"), SCREEN + 2),
                                pwrite(DEVICE, height, SCREEN + 4),
                                pwrite(DEVICE, pick("2000", "2000", "2000", "1800"), SCREEN + 6),
                                pwrite(DEVICE, pick("0100", "0100", "4100", "0000"), SCREEN + 8),
                                pwrite(DEVICE, pick("0000", "0000", "6000"), SCREEN + 12),
                                shown()),
                        random.nextBoolean() ? Stream.of(close(take), openPicture(take, DEVICE)) : Stream.of())
                .toList());
    }

    private static Step shown() {
        return queryPlane(ioctl(
                DEVICE,
                VFIO_DEVICE_QUERY_GFX_PLANE(),
                u32(PLANE), u32(VFIO_GFX_PLANE_TYPE_DMABUF()), u32(1), u32(0),
                u64(0), u64(0), u64(0), u64(0), u64(0), u64(-1)));
    }
}
