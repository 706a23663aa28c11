package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * A sequence about iommufds from a seed: devices of two groups by their own nodes and through a group, address spaces,
 * page tables and mappings of memory and of files at the edges of the rules, PASIDs, and an iommufd in place of a
 * container. Nothing in it harms a real kernel: PASID 0, which would be the device itself, is never attached, every
 * mapping of a container lets devices read or write, and no file is mapped that holds an iommufd: the two would stay for
 * ever.
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
    private static final int SLOTS = 10;

    private static final long FILE_BYTES = 0x3000;

    private static final int MOST_OBJECTS = 5;
    private static final long MSI = 0xfee0_0000L;
    private static final long RANGES = 0x8000;
    private static final long[] IOVAS = {
        0, 0x1000, 0x2000, 0x3000, 0x4000, 0x10000, 0x10800, 0x123, MSI - 0x1000, MSI, 0x7f_ffff_f000L, 1L << 39, -0x1000, -1
    };
    private static final long[] SIZES = {0x1000, 0x1000, 0x1000, 0x2000, 0x3000, 0x800, 0x1001, 1, 0, -1};

    private final SplittableRandom random;
    private final Deque<Step> wayIn;
    private int left;

    IommufdSequence(long seed, int steps) {
        random = new SplittableRandom(seed);
        left = steps;
        List<Step> way = random.nextInt(3) == 0 ? throughTheGroup() : byTheNode();
        wayIn = new ArrayDeque<>(way.subList(0, random.nextInt(2, way.size() + 1)));
        wayIn.addFirst(put(RANGES, 0x1000, 0x1fff)); // or what another sequence left there would count
    }

    /** A program's usual way in, or the beginning of it. */
    private static List<Step> byTheNode() {
        return List.of(
                open(IOMMUFD, "/dev/iommu"),
                open(FIRST_DEVICE, "/dev/vfio/devices/$cdev_00:04.0"),
                ioctl(FIRST_DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(0), fd(IOMMUFD), u32(0)),
                ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(12), u32(0), u32(0)),
                ioctl(FIRST_DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(12), u32(0), u32(2)),
                open(OTHER_DEVICE, "/dev/vfio/devices/$cdev_00:08.0"),
                ioctl(OTHER_DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(0), fd(IOMMUFD), u32(0)));
    }

    private static List<Step> throughTheGroup() {
        return List.of(
                open(IOMMUFD, "/dev/iommu"),
                open(GROUP, "/dev/vfio/$edu"),
                ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(IOMMUFD)),
                getDevice(GROUP_DEVICE, GROUP, text(TwinMachine.EDU)));
    }

    @Override
    public Optional<Step> next() {
        if (!wayIn.isEmpty()) {
            return Optional.of(wayIn.remove());
        }
        if (left-- == 0) {
            return Optional.empty();
        }
        return Optional.of(
                switch (random.nextInt(37)) {
                    case 0, 1, 2, 3, 4 -> opening();
                    case 5, 6 -> bind();
                    case 7, 8, 9 -> attach();
                    case 10 -> detach();
                    case 11, 12 -> ioctl(iommufd(), IOMMU_IOAS_ALLOC(), u32(12), u32(0), u32(0));
                    case 13 -> ioctl(iommufd(), IOMMU_DESTROY(), u32(8), object());
                    case 14, 15, 16, 17 -> map();
                    case 18, 19 -> ioctl(iommufd(), IOMMU_IOAS_UNMAP(), u32(24), object(), iova(), size());
                    case 20 -> copy();
                    case 21 -> pageTable();
                    case 22 -> ranges();
                    case 23 -> option();
                    case 24 -> ofGroup();
                    case 25, 26, 27 -> ofContainer();
                    case 28 -> ofDevice();
                    case 29 -> dup(COPY, random.nextInt(COPY));
                    case 30, 31 -> random.nextInt(3) == 0 ? file() : mapFile();
                    case 32, 33 -> pasid();
                    case 34 -> ioctl(iommufd(), IOMMU_IOAS_CHANGE_PROCESS(), u32(8), u32(0));
                    case 35 -> ioctl(iommufd(), IOMMU_VFIO_IOAS(), u32(12), object(), u32(random.nextInt(4)));
                    default -> close(random.nextInt(SLOTS));
                });
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
            case 3 -> open(GROUP, "/dev/vfio/$edu");
            case 4 -> open(CONTAINER, "/dev/vfio/vfio");
            case 5 -> open(FIRST_DEVICE, "/dev/vfio/devices/$cdev_00:04.0");
            case 6 -> open(SECOND_DEVICE, "/dev/vfio/devices/$cdev_00:04.0");
            default -> open(OTHER_DEVICE, "/dev/vfio/devices/$cdev_00:08.0");
        };
    }

    private Step bind() {
        int to = random.nextInt(8) == 0 ? (int) one(CONTAINER, NEGATIVE, NOT_OPEN, GROUP) : iommufd();
        return ioctl(device(), VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(0), fd(to), u32(0));
    }

    private Step attach() {
        return ioctl(device(), VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(12), u32(0), object());
    }

    private Step detach() {
        return ioctl(device(), VFIO_DEVICE_DETACH_IOMMUFD_PT(), u32(8), u32(0));
    }

    private Step map() {
        int flags = flags();
        // Where the kernel places larger memory depends on how it is aligned.
        Field size = (flags & IOMMU_IOAS_MAP_FIXED_IOVA()) == 0 ? u64(0x1000) : size();
        return ioctl(iommufd(), IOMMU_IOAS_MAP(), u32(40), u32(flags), object(), u32(0), memory(), size, iova());
    }

    private Step file() {
        return random.nextInt(4) == 0 ? eventfd(FILE, 0, 0) : memfd(FILE, FILE_BYTES);
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
        int flags = (int) one(0, 0, 0, IOMMU_HWPT_ALLOC_DIRTY_TRACKING(), IOMMU_HWPT_ALLOC_PASID());
        return ioctl(iommufd(), IOMMU_HWPT_ALLOC(), u32(24), u32(flags), object(), object(), u32(0), u32(0));
    }

    private Step ranges() {
        return switch (random.nextInt(3)) {
            case 0 -> put(RANGES, one(IOVAS), one(IOVAS));
            case 1 -> ioctl(
                    iommufd(),
                    IOMMU_IOAS_ALLOW_IOVAS(),
                    u32(24),
                    object(),
                    u32(random.nextInt(2)),
                    u32(0),
                    address(Region.RAM, RANGES));
            default -> ioctl(
                    iommufd(),
                    IOMMU_IOAS_IOVA_RANGES(),
                    u32(32),
                    object(),
                    u32(random.nextInt(4)),
                    u32(0),
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
            default -> getDevice(GROUP_DEVICE, GROUP, text(TwinMachine.EDU));
        };
    }

    /** On an iommufd, and now and then on a container. */
    private Step ofContainer() {
        int file = random.nextInt(6) == 0 ? CONTAINER : iommufd();
        return switch (random.nextInt(8)) {
            case 0 -> ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(file));
            case 1 -> getDevice(GROUP_DEVICE, GROUP, text(TwinMachine.EDU));
            case 2 -> ioctl(file, VFIO_SET_IOMMU(), one(1, 3));
            case 3 -> ioctl(file, VFIO_CHECK_EXTENSION(), one(1, 3, 4, 6, 9, 10));
            case 4 -> ioctl(file, VFIO_IOMMU_GET_INFO(), u32((int) one(16, 24, 40, 56, 88, 120, 200)), u32(0), u64(0), u32(0), u32(0));
            case 5, 6 -> ioctl(file, VFIO_IOMMU_MAP_DMA(), u32(32), u32((int) one(1, 2, 3)), memory(), iova(), size());
            default -> ioctl(
                    file, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32((int) one(0, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL())), iova(), size());
        };
    }

    private Step ofDevice() {
        return switch (random.nextInt(3)) {
            case 0 -> ioctl(device(), VFIO_DEVICE_GET_INFO(), u32(16), u32(0), u32(0), u32(0));
            case 1 -> pread(device(), 4, 7L << 40);
            default -> ioctl(
                    device(), VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), u32(64), u32(0), u32(0), u64(0), u64(0), u64(0));
        };
    }
}
