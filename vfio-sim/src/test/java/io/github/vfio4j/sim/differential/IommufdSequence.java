package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;

import io.github.vfio4j.ffm.port.Syscalls;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * A sequence about iommufds from a seed, in which two processes may take part: devices of two groups, or two of one, by
 * their own nodes and through a group, address spaces, page tables and mappings of memory and of files at the edges of
 * the rules, PASIDs, queues of faults, interrupts, parts of BARs as dma-bufs, and an iommufd in place of a container. What
 * needs an IOMMU that tracks dirty pages, nests page tables or has parts for guests is refused.
 *
 * <p>Nothing in it harms a real kernel: PASID 0, which would be the device itself, is never attached, every mapping of
 * a container lets devices read or write, and no file is mapped that holds an iommufd: the two would stay for ever.
 */
final class IommufdSequence implements Lockstep.Source {
    private static final int IOMMUFD = 0;
    private static final int SECOND_IOMMUFD = 1;
    private static final int GROUP = 2;
    private static final int CONTAINER = 3;
    private static final int FIRST_DEVICE = 4;
    private static final int SECOND_DEVICE = 5;
    private static final int OTHER_DEVICE = 6;
    private static final int GROUP_DEVICE = 7;
    private static final int COPY = 8;
    private static final int FILE = 9;
    private static final int FAULTS = 10;
    private static final int EVENT = 11;
    private static final int SLOTS = 12;
    private static final int BAR = 0; // the only mapping
    private static final long COMMAND = ((long) VFIO_PCI_CONFIG_REGION_INDEX() << 40) + 4;

    private static final long FILE_BYTES = 0x3000;

    private static final int MOST_OBJECTS = 6;
    private static final int SHARED = 150; // one of so many is about two of one group, which are slow to close
    private static final int WITH_CARD = 8; // one of so many has a card with more interrupts, which is slow to close
    private static final int ABOUT_INTERRUPTS = 5; // one of so many is mostly about interrupts
    private static final int LAST_FEATURE = 14; // some more than there are
    private static final long MSI = 0xfee0_0000L;
    private static final long RANGES = 0x8000; // two of them
    private static final long EACH_RANGE = 16;
    private static final long DATA = 0x9000; // what a driver of an IOMMU may be given
    private static final long[] IOVAS = {
        0, 0x1000, 0x2000, 0x3000, 0x4000, 0x10000, 0x10800, 0x123, MSI - 0x1000, MSI, 0x7f_ffff_f000L, 1L << 39, -0x1000, -1
    };
    private static final long[] SIZES = {0x1000, 0x1000, 0x1000, 0x2000, 0x3000, 0x800, 0x1001, 1, 0, -1};

    private final SplittableRandom random;
    private final String group;
    private final String name; // of the device of the first two slots
    private final String other; // of the one of the third
    private final boolean secondTakesPart;
    private final boolean aboutInterrupts;
    private final IrqSteps irqs;
    private final Deque<Step> wayIn;
    private int left;

    IommufdSequence(long seed, int steps) {
        random = new SplittableRandom(seed);
        left = steps;
        boolean shared = random.nextInt(SHARED) == 0;
        group = shared ? "/dev/vfio/$shared" : "/dev/vfio/$edu";
        name = shared ? TwinMachine.SHARED.get(0) : TwinMachine.EDU;
        other = shared ? TwinMachine.SHARED.get(1) : random.nextInt(WITH_CARD) == 0 ? TwinMachine.CARD : TwinMachine.TESTDEV;
        aboutInterrupts = !shared && random.nextInt(ABOUT_INTERRUPTS) == 0;
        irqs = new IrqSteps(random, () -> random.nextInt(4) == 0 ? FILE : EVENT, () -> IOMMUFD);
        secondTakesPart = random.nextInt(3) == 0;
        List<Step> way = random.nextInt(3) == 0 ? throughTheGroup() : byTheNode();
        wayIn = new ArrayDeque<>(way.subList(0, random.nextInt(2, way.size() + 1)));
        inMemory().forEach(step -> {
            wayIn.addFirst(step);
            if (secondTakesPart) {
                wayIn.addFirst(second(step));
            }
        });
    }

    /** What lies in a program's memory, or what another sequence left there would count. */
    private static List<Step> inMemory() {
        return List.of(
                eventfd(EVENT, 0, 0),
                put(RANGES, 0x1000, 0x1fff),
                put(RANGES + EACH_RANGE, 0x10000, 0x1ffff),
                put(DATA, 0, 0));
    }

    /** A program's usual way in, or the beginning of it. */
    private List<Step> byTheNode() {
        return List.of(
                open(IOMMUFD, "/dev/iommu"),
                open(FIRST_DEVICE, node(name)),
                ioctl(FIRST_DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(0), fd(IOMMUFD), u32(0)),
                ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(12), u32(0), u32(0)),
                ioctl(FIRST_DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(12), u32(0), u32(2)),
                open(OTHER_DEVICE, node(other)),
                ioctl(OTHER_DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(0), fd(IOMMUFD), u32(0)));
    }

    private static String node(String device) {
        return "/dev/vfio/devices/$cdev_" + device.substring("0000:".length());
    }

    private List<Step> throughTheGroup() {
        return List.of(
                open(IOMMUFD, "/dev/iommu"),
                open(GROUP, group),
                ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(IOMMUFD)),
                getDevice(GROUP_DEVICE, GROUP, text(name)));
    }

    @Override
    public Optional<Step> next() {
        if (!wayIn.isEmpty()) {
            return Optional.of(wayIn.remove());
        }
        if (left-- == 0) {
            return Optional.empty();
        }
        if (!secondTakesPart || random.nextInt(4) != 0) {
            return Optional.of(odd(any()));
        }
        if (random.nextInt(3) != 0) {
            return Optional.of(second(odd(any())));
        }
        int slot = random.nextInt(SLOTS);
        return Optional.of(random.nextInt(4) == 0 ? second(pass(slot, slot)) : pass(slot, slot));
    }

    private Step any() {
        if (aboutInterrupts && random.nextInt(2) == 0) {
            return interrupts();
        }
        return switch (random.nextInt(50)) {
            case 0, 1, 2, 3, 4 -> opening();
            case 5, 6 -> bind();
            case 7, 8, 9 -> attach();
            case 10 -> detach();
            case 11, 12 -> ioctl(iommufd(), IOMMU_IOAS_ALLOC(), u32(12), u32(0), u32(0));
            case 13 -> ioctl(iommufd(), IOMMU_DESTROY(), u32(8), object());
            case 14, 15, 16, 17 -> mapMemory();
            case 18, 19 -> ioctl(iommufd(), IOMMU_IOAS_UNMAP(), u32(24), object(), iova(), size());
            case 20 -> copy();
            case 21 -> pageTable();
            case 22 -> ranges();
            case 23 -> option();
            case 24 -> ofGroup();
            case 25, 26, 27 -> ofContainer();
            case 28, 36, 37 -> ofDevice();
            case 29 -> dup(COPY, random.nextInt(COPY));
            case 30, 31 -> random.nextInt(5) < 2 ? file() : mapFile();
            case 32, 33 -> pasid();
            case 34 -> ioctl(iommufd(), IOMMU_IOAS_CHANGE_PROCESS(), u32(8), u32(0));
            case 35 -> ioctl(iommufd(), IOMMU_VFIO_IOAS(), u32(12), object(), u32(random.nextInt(4)));
            case 38, 39 -> dirtyPages();
            case 40 -> hardwareInfo();
            case 41 -> invalidate();
            case 42, 43 -> virtual();
            case 44 -> random.nextBoolean() ? unmap(BAR) : map(BAR, deviceWithBars(), 0x1000, 3, Syscalls.MAP_SHARED, 0);
            case 45, 46 -> faults();
            case 47, 48 -> interrupts();
            default -> close(random.nextInt(SLOTS));
        };
    }

    /** Sometimes says that a struct has another size, or puts it where the program's memory ends. */
    private Step odd(Step step) {
        if (random.nextInt(16) != 0 || !(step instanceof IoctlStruct call) || call.into() >= 0) {
            return step;
        }
        int whole = call.fields().stream().mapToInt(Field::size).sum();
        if (random.nextBoolean()) {
            // Whether its size is read for a command that the kernel lacks is up to the kernel's configuration.
            return cut(random.nextInt(3) == 0 ? whole : random.nextInt(Integer.BYTES, whole + 1), step);
        }
        if (!(call.fields().getFirst() instanceof Field.U32(int size))) {
            return step;
        }
        List<Field> fields = new ArrayList<>(call.fields());
        fields.set(0, u32((int) one(size - 8, size - 4, size - 1, size + 1, size + 4, size + 8, 0, 4, 8, 12)));
        return ioctl(call.fd(), call.request(), fields.toArray(Field[]::new));
    }

    @Override
    public void answered(Step step, Outcome outcome) {
        // The numbers of objects are few, so that most of them exist.
    }

    private long one(long... values) {
        return values[random.nextInt(values.length)];
    }

    private int iommufd() {
        return random.nextInt(8) == 0 ? SECOND_IOMMUFD : IOMMUFD;
    }

    private int device() {
        return (int) one(FIRST_DEVICE, FIRST_DEVICE, SECOND_DEVICE, OTHER_DEVICE, GROUP_DEVICE);
    }

    /** One whose BARs are compared: the simulated machine puts the table of the card's vectors into another one. */
    private int deviceWithBars() {
        int device = device();
        return device == OTHER_DEVICE && other.equals(TwinMachine.CARD) ? FIRST_DEVICE : device;
    }

    /** What is to be 0, mostly. */
    private Field reserved() {
        return u32(random.nextInt(10) == 0 ? 1 : 0);
    }

    private Field object() {
        return u32(random.nextInt(MOST_OBJECTS + 1));
    }

    private Field iova() {
        return u64(one(IOVAS));
    }

    private Field size() {
        return u64(one(SIZES));
    }

    /** As much memory as there is, whatever size is asked for. */
    private Field memory() {
        return switch (random.nextInt(12)) {
            case 0 -> address(Region.NO_ACCESS, 0);
            case 1 -> address(Region.READ_ONLY, 0);
            case 2 -> address(Region.HOLE, 0);
            case 3 -> address(Region.RAM, 0x45);
            default -> address(Region.RAM, one(0x10000, 0x11000, 0x20000));
        };
    }

    private int flags() {
        return (int) one(0, 1, 1, 1, 1) | (int) one(0, 2, 4, 6, 6, 6);
    }

    private Step opening() {
        return switch (random.nextInt(8)) {
            case 0, 1 -> open(IOMMUFD, "/dev/iommu");
            case 2 -> open(SECOND_IOMMUFD, "/dev/iommu");
            case 3 -> open(GROUP, group);
            case 4 -> open(CONTAINER, "/dev/vfio/vfio");
            case 5 -> open(FIRST_DEVICE, node(name));
            case 6 -> open(SECOND_DEVICE, node(name));
            default -> open(OTHER_DEVICE, node(other));
        };
    }

    private Step bind() {
        int to = random.nextInt(8) == 0 ? (int) one(CONTAINER, NEGATIVE, NOT_OPEN, GROUP) : iommufd();
        return random.nextInt(10) == 0
                ? ioctl(
                        device(),
                        VFIO_DEVICE_BIND_IOMMUFD(),
                        u32(24), u32(random.nextInt(3)), fd(to), u32(0), address(Region.RAM, DATA))
                : ioctl(device(), VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(0), fd(to), u32(0));
    }

    private Step attach() {
        return ioctl(device(), VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(12), u32(0), object());
    }

    private Step detach() {
        return ioctl(device(), VFIO_DEVICE_DETACH_IOMMUFD_PT(), u32(8), u32(0));
    }

    private Step mapMemory() {
        int flags = flags();
        // Where the kernel places larger memory depends on how it is aligned.
        Field size = (flags & IOMMU_IOAS_MAP_FIXED_IOVA()) == 0 ? u64(0x1000) : size();
        return ioctl(iommufd(), IOMMU_IOAS_MAP(), u32(40), u32(flags), object(), u32(0), memory(), size, iova());
    }

    private Step file() {
        return switch (random.nextInt(8)) {
            case 0 -> eventfd(FILE, 0, 0);
            case 1, 2, 3, 4 -> dmaBuf();
            default -> memfd(FILE, FILE_BYTES);
        };
    }

    /** A part of a BAR, or two, to be shared. Of the parts at most one is wrong. */
    private Step dmaBuf() {
        int bar = (int) one(0, 0, 0, 0, 0, 1, 2, 6);
        long offset = one(0, 0, 0x1000, 0x4000, 0x800, 1L << 30);
        long length = one(0x1000, 0x1000, 0x3000, 0x3000, 0, 1L << 40);
        int parts = (int) one(1, 1, 1, 2, 0);
        return ioctlInto(
                FILE,
                deviceWithBars(),
                VFIO_DEVICE_FEATURE(),
                u32(random.nextInt(10) == 0 ? 40 : 56),
                u32(VFIO_DEVICE_FEATURE_GET() | VFIO_DEVICE_FEATURE_DMA_BUF()),
                u32(bar), u32(random.nextInt(10) == 0 ? 1 : 0), reserved(), u32(parts),
                u64(0x8000), u64(0x1000),
                u64(offset), u64(length));
    }

    /** What can be signalled is read now and then, and makes way for another one. */
    private Step interrupts() {
        return switch (random.nextInt(12)) {
            case 0 -> eventfd(EVENT, random.nextInt(2), 0);
            case 1, 2, 3 -> read(EVENT, 8);
            case 4 -> random.nextInt(3) == 0 ? close(EVENT) : write(EVENT, "0100000000000000");
            default -> irqs.with(device());
        };
    }

    private Step mapFile() {
        int flags = flags();
        Field size = (flags & IOMMU_IOAS_MAP_FIXED_IOVA()) == 0 ? u64(0x1000) : size();
        int file = random.nextInt(8) == 0 ? (int) one(NOT_OPEN, NEGATIVE) : FILE;
        Field start = u64(one(0, 0, 0x1000, 0x2000, FILE_BYTES, 0x45, -0x1000));
        return ioctl(iommufd(), IOMMU_IOAS_MAP_FILE(), u32(40), u32(flags), object(), fd(file), start, size, iova());
    }

    /** Attaches, moves or detaches one of two PASIDs. */
    private Step pasid() {
        Field pasid = u32((int) one(5, 5, 5, 6));
        return random.nextInt(3) == 0
                ? ioctl(device(), VFIO_DEVICE_DETACH_IOMMUFD_PT(), u32(12), u32(VFIO_DEVICE_DETACH_PASID()), pasid)
                : ioctl(device(), VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(16), u32(VFIO_DEVICE_ATTACH_PASID()), object(), pasid);
    }

    private Step copy() {
        int flags = flags() | IOMMU_IOAS_MAP_FIXED_IOVA();
        return ioctl(iommufd(), IOMMU_IOAS_COPY(), u32(40), u32(flags), object(), object(), size(), iova(), iova());
    }

    private Step pageTable() {
        int flags = (int) one(
                0, 0, 0,
                IOMMU_HWPT_ALLOC_PASID(),
                IOMMU_HWPT_ALLOC_PASID(),
                IOMMU_HWPT_ALLOC_DIRTY_TRACKING(),
                IOMMU_HWPT_ALLOC_NEST_PARENT(),
                IOMMU_HWPT_FAULT_ID_VALID(),
                1 << 4);
        if (random.nextInt(3) != 0) {
            return ioctl(iommufd(), IOMMU_HWPT_ALLOC(), u32(24), u32(flags), object(), object(), u32(0), reserved());
        }
        return ioctl(
                iommufd(),
                IOMMU_HWPT_ALLOC(),
                u32(48),
                u32(flags),
                object(),
                object(),
                u32(0),
                reserved(),
                u32((int) one(0, 0, 1, 2, 99)),
                u32((int) one(0, 0, 4, 24)),
                address(Region.RAM, DATA),
                object(),
                reserved());
    }

    private Step faults() {
        return switch (random.nextInt(5)) {
            case 0, 1, 2 -> makeFaultQueue(FAULTS, iommufd(), random.nextInt(10) == 0 ? 1 : 0);
            case 3 -> read(FAULTS, (int) one(40, 80, 0, 7));
            default -> write(FAULTS, random.nextBoolean() ? "0100000000000000" : "01000000");
        };
    }

    private Step dirtyPages() {
        int flags = (int) one(0, 0, 1, 1, 2);
        return random.nextBoolean()
                ? ioctl(iommufd(), IOMMU_HWPT_SET_DIRTY_TRACKING(), u32(16), u32(flags), object(), reserved())
                : ioctl(
                        iommufd(),
                        IOMMU_HWPT_GET_DIRTY_BITMAP(),
                        u32(48),
                        object(),
                        u32(flags),
                        reserved(),
                        iova(),
                        size(),
                        u64(one(0x1000, 0x1000, 0x1000, 0, 0x800, 0x2000, 1L << 63)),
                        bitmap(0xc000, 0));
    }

    /** What the real IOMMU tells of itself is hidden ({@link Masks}). */
    private Step hardwareInfo() {
        return ioctl(
                iommufd(),
                IOMMU_GET_HW_INFO(),
                u32(40),
                u32((int) one(0, 0, 0, 1, 2)),
                object(),
                u32((int) one(0, 0, 8, 16, 64)),
                random.nextInt(4) == 0 ? memory() : address(Region.RAM, DATA),
                u32((int) one(0, 0, 99)),
                reserved(),
                u64(0));
    }

    private Step invalidate() {
        return ioctl(
                iommufd(),
                IOMMU_HWPT_INVALIDATE(),
                u32(32),
                object(),
                random.nextInt(6) == 0 ? u64(0) : address(Region.RAM, DATA),
                u32(random.nextInt(3)),
                u32((int) one(16, 16, 16, 0, 0x1001)),
                u32((int) one(0, 1, 1, 2)),
                reserved());
    }

    /** Parts of an IOMMU for a guest, which the real one does not have. */
    private Step virtual() {
        return switch (random.nextInt(4)) {
            case 0 -> ioctl(
                    iommufd(),
                    IOMMU_VIOMMU_ALLOC(),
                    u32(40), reserved(), u32(random.nextInt(4)), object(), object(), u32(0), reserved(), reserved(), u64(0));
            case 1 -> ioctl(iommufd(), IOMMU_VDEVICE_ALLOC(), u32(24), object(), object(), u32(0), u64(1));
            case 2 -> ioctl(
                    iommufd(),
                    IOMMU_VEVENTQ_ALLOC(),
                    u32(32), reserved(), object(), u32(random.nextInt(3)), u32(random.nextInt(2)), u32(0), u32(0), reserved());
            default -> ioctl(
                    iommufd(),
                    IOMMU_HW_QUEUE_ALLOC(),
                    u32(40), reserved(), object(), u32(random.nextInt(3)), u32(0), u32(0), iova(), size());
        };
    }

    private Step ranges() {
        return switch (random.nextInt(3)) {
            case 0 -> put(RANGES + one(0, 0, EACH_RANGE), one(IOVAS), one(IOVAS));
            case 1 -> ioctl(
                    iommufd(),
                    IOMMU_IOAS_ALLOW_IOVAS(),
                    u32(24),
                    object(),
                    u32(random.nextInt(3)),
                    reserved(),
                    address(Region.RAM, RANGES));
            default -> ioctl(
                    iommufd(),
                    IOMMU_IOAS_IOVA_RANGES(),
                    u32(32),
                    object(),
                    u32(random.nextInt(4)),
                    reserved(),
                    bitmap(0xc000, 0),
                    u64(0));
        };
    }

    private Step option() {
        return random.nextBoolean()
                ? ioctl(
                        iommufd(),
                        IOMMU_OPTION(),
                        u32(24),
                        u32(random.nextInt(3)),
                        u32(random.nextInt(2)),
                        object(),
                        u64(random.nextInt(3)))
                : ioctl(iommufd(), IOMMU_VFIO_IOAS(), u32(12), object(), u32(random.nextInt(3)));
    }

    private Step ofGroup() {
        return switch (random.nextInt(6)) {
            case 0, 1 -> ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd((int) one(IOMMUFD, IOMMUFD, SECOND_IOMMUFD, CONTAINER)));
            case 2 -> ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0);
            case 3 -> ioctl(GROUP, VFIO_GROUP_GET_STATUS(), u32(8), u32(0));
            default -> getDevice(GROUP_DEVICE, GROUP, text(name));
        };
    }

    /** On an iommufd, and now and then on a container. */
    private Step ofContainer() {
        int file = random.nextInt(6) == 0 ? CONTAINER : iommufd();
        return switch (random.nextInt(8)) {
            case 0 -> ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(file));
            case 1 -> getDevice(GROUP_DEVICE, GROUP, text(name));
            case 2 -> ioctl(file, VFIO_SET_IOMMU(), one(1, 3));
            case 3 -> ioctl(file, VFIO_CHECK_EXTENSION(), one(1, 3, 4, 6, 9, 10));
            case 4 -> ioctl(file, VFIO_IOMMU_GET_INFO(), u32((int) one(16, 24, 40, 56, 88, 120, 200)), u32(0), u64(0), u32(0), u32(0));
            case 5, 6 -> ioctl(file, VFIO_IOMMU_MAP_DMA(), u32(32), u32((int) one(1, 2, 3)), memory(), iova(), size());
            default -> ioctl(
                    file, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32((int) one(0, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL())), iova(), size());
        };
    }

    private Step ofDevice() {
        return switch (random.nextInt(9)) {
            case 0 -> ioctl(device(), VFIO_DEVICE_GET_INFO(), u32(16), u32(0), u32(0), u32(0));
            case 8 -> pwrite(device(), random.nextInt(3) == 0 ? "0000" : "0600", COMMAND);
            case 1 -> pread(device(), 4, 7L << 40);
            case 2 -> ioctl(
                    deviceWithBars(), VFIO_DEVICE_GET_REGION_INFO(), u32(32), u32(0), u32(random.nextInt(10)), u32(0), u64(0), u64(0));
            case 3 -> ioctl(device(), VFIO_DEVICE_GET_IRQ_INFO(), u32(16), u32(0), u32(random.nextInt(6)), u32(0));
            case 4 -> ioctl(device(), VFIO_DEVICE_RESET(), 0);
            case 5 -> feature();
            case 6 -> ioctl(
                    device(),
                    VFIO_DEVICE_PCI_HOT_RESET(),
                    u32(16), u32(0), u32(random.nextInt(2)), fd((int) one(IOMMUFD, GROUP, NOT_OPEN)));
            default -> ioctl(
                    device(), VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), u32(64), u32(0), u32(0), u64(0), u64(0), u64(0));
        };
    }

    /** Mostly asks whether there is one. None is got: one is a descriptor. Low power is entered and left. */
    private Step feature() {
        int way = random.nextInt(4) == 0 ? VFIO_DEVICE_FEATURE_GET() : VFIO_DEVICE_FEATURE_SET();
        int feature = random.nextInt(3) == 0
                ? VFIO_DEVICE_FEATURE_SET()
                        | (random.nextBoolean() ? VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY() : VFIO_DEVICE_FEATURE_LOW_POWER_EXIT())
                : VFIO_DEVICE_FEATURE_PROBE() | way | random.nextInt(LAST_FEATURE);
        return ioctl(device(), VFIO_DEVICE_FEATURE(), u32(random.nextInt(8) == 0 ? 24 : 8), u32(feature), u64(0), u64(0));
    }
}
