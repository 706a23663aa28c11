package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.Rule.*;
import static io.github.vfio4j.ffm.gen.iommufd_h.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.RuleCase.Calls.ABSENT;
import static io.github.vfio4j.sim.differential.RuleCases.*;
import static io.github.vfio4j.sim.differential.Step.*;

import io.github.vfio4j.Rule;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** What shows the rules of iommufd, and of devices by their own nodes. Linux 6.1 has neither. */
final class IommufdCases {
    private static final int EPERM = 1;
    private static final int ENOENT = 2;
    private static final int EIO = 5;
    private static final int EBADF = 9;
    private static final int EFAULT = 14;
    private static final int EBUSY = 16;
    private static final int EEXIST = 17;
    private static final int ENODEV = 19;
    private static final int ENOTTY = 25;
    private static final int EINVAL = 22;
    private static final int ENOSPC = 28;
    private static final int EOVERFLOW = 75;
    private static final int EBADFD = 77;
    private static final int EMSGSIZE = 90;
    private static final int EOPNOTSUPP = 95;
    private static final int EADDRINUSE = 98;

    static final int IOMMUFD = 0;
    static final int GROUP = 1;
    static final int DEVICE = 2;
    static final int EVENT = 3;
    static final int OTHER = 4;
    private static final int OTHER_IOMMUFD = 5;
    private static final int UNSAFE_GROUP = 6;

    static final int FIXED = IOMMU_IOAS_MAP_FIXED_IOVA();
    private static final int WRITEABLE = IOMMU_IOAS_MAP_WRITEABLE();
    static final int READABLE = IOMMU_IOAS_MAP_READABLE();
    static final int READ_WRITE = READABLE | WRITEABLE;
    static final int NOBODY = 77; // no object has this number
    static final long MSI = 0xfee0_0000L;

    static final Step OPEN_IOMMUFD = open(IOMMUFD, "/dev/iommu");
    static final Step OPEN_DEVICE = open(DEVICE, "/dev/vfio/devices/$cdev_00:04.0");
    static final Step OPEN_GROUP = open(GROUP, "/dev/vfio/$edu");

    /** The objects' numbers: a device that is bound first, then an address space, and the page table of both. */
    static final int BOUND_DEVICE = 1;

    static final int IOAS = 2;
    static final int HWPT = 3;
    static final Step[] BOUND = {OPEN_IOMMUFD, OPEN_DEVICE, bind(DEVICE, fd(IOMMUFD)), alloc()};
    static final Step[] ATTACHED = then(BOUND, attach(DEVICE, IOAS));
    static final Step[] MAPPED = then(ATTACHED, map(FIXED | READ_WRITE, 0x10000, 0, 0x2000));

    /** A file of two pages, in the place of an event. */
    static final Step MEMORY = memfd(EVENT, 0x2000);

    /** A part of a BAR of three pages, in the same place, where the kernel shares those. */
    static final Step[] SHARING = then(BOUND, shareBar(0x4000, 0x3000));

    /** The device's BARs are out of reach. */
    static final Step DECODE_OFF = pwrite(DEVICE, "0000", ((long) VFIO_PCI_CONFIG_REGION_INDEX() << 40) + 4);

    /** A file that is no memory. One that holds the iommufd would stay with it for ever if it was mapped. */
    static final Step NO_MEMORY = eventfd(EVENT, 0, 0);

    /** The device to test with, number 3, of an owner, number 2, attached to an address space, number 1, by a page table, 4. */
    static final Step[] MOCK = then(new Step[] {OPEN_IOMMUFD, alloc()}, mock(1));

    private static final int SELFTEST = 0xdeadbeef; // the type of what its driver has
    private static final long PAGE = 0x200_0000; // an IOVA that its IOMMU translates
    private static final int MOCK_DEVICE = 3;
    private static final int MOCK_TABLE = 5; // the first that is made

    static final Step CHANGE_PROCESS = ioctl(IOMMUFD, IOMMU_IOAS_CHANGE_PROCESS(), u32(8), u32(0));

    /** An address space alone, number 1. */
    static final Step[] ALONE = {OPEN_IOMMUFD, alloc()};

    /** Two devices of one group, numbers 1 and 2. */
    static final Step[] TWO_BOUND = {
        OPEN_IOMMUFD,
        open(DEVICE, "/dev/vfio/devices/$cdev_01:01.0"),
        open(OTHER, "/dev/vfio/devices/$cdev_01:02.0"),
        bind(DEVICE, fd(IOMMUFD)),
    };

    /** An iommufd in place of a container: its address space is number 1. */
    static final Step[] COMPAT = {
        OPEN_IOMMUFD, OPEN_GROUP, ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(IOMMUFD))
    };

    static final Step GET_DEVICE = getDevice(DEVICE, GROUP, text(TwinMachine.EDU));
    static final Step[] COMPAT_OPEN = then(COMPAT, GET_DEVICE);
    private static final Step[] COMPAT_SHARED = {
        OPEN_IOMMUFD,
        open(GROUP, "/dev/vfio/$shared"),
        ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(IOMMUFD)),
        getDevice(DEVICE, GROUP, text(TwinMachine.SHARED.get(0)))
    };
    private static final Step GET_OTHER = getDevice(OTHER, GROUP, text(TwinMachine.SHARED.get(1)));

    /** A group without an IOMMU in an iommufd. */
    private static final Step[] COMPAT_UNSAFE = TwinMachine.giveUnsafe(
            OPEN_IOMMUFD,
            open(UNSAFE_GROUP, Generator.UNSAFE_GROUP),
            ioctl(UNSAFE_GROUP, VFIO_GROUP_SET_CONTAINER(), fd(IOMMUFD)));

    private static final String WARNS = "Linux 7.2 warns of itself in its log";

    private IommufdCases() {}

    static void add() {
        devices();
        objects();
        mapping();
        pageTables();
        virtualIommus();
        compat();
    }

    private static void devices() {
        calls(DEVICE_BOUND, EINVAL, OPEN_DEVICE, ioctl(DEVICE, VFIO_DEVICE_GET_INFO(), u32(16), u32(0), u32(0), u32(0)));
        simulated(CDEV_NODE_EXISTS, "SimIommufdTest#oldKernelsHaveNeitherNode", "the suite looks for the nodes first");
        simulated(CDEV_NODE_ACCESS, "SimIommufdTest#anUnprivilegedProcessNeedsToBeLetIn", OF_ROOT);
        unshown(CDEV_STAYS, RACE);
        simulated(IOMMUFD_NODE_EXISTS, "SimIommufdTest#oldKernelsHaveNeitherNode", "the suite looks for the nodes first");
        simulated(IOMMUFD_NODE_ACCESS, "SimIommufdTest#anUnprivilegedProcessNeedsToBeLetIn", OF_ROOT);

        calls(BIND_IOMMUFD_NEGATIVE, EINVAL, OPEN_DEVICE, bind(DEVICE, fd(NEGATIVE)));
        calls(
                BIND_IOMMUFD_OWN_FILE,
                EINVAL,
                open(OTHER, "/dev/vfio/vfio"),
                OPEN_GROUP,
                ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(OTHER)),
                ioctl(OTHER, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()),
                GET_DEVICE,
                OPEN_IOMMUFD,
                bind(DEVICE, fd(IOMMUFD)));
        calls(BIND_IOMMUFD_GROUP_CLOSED, EBUSY, OPEN_IOMMUFD, OPEN_GROUP, OPEN_DEVICE, bind(DEVICE, fd(IOMMUFD)));
        calls(BIND_IOMMUFD_ONCE, EINVAL, then(BOUND, bind(DEVICE, fd(IOMMUFD))));
        calls(BIND_IOMMUFD_ONCE, EINVAL, then(BOUND, bind(DEVICE, fd(NOT_OPEN))));
        tested(BIND_IOMMUFD_TOKEN_TAKEN, "SriovKernelTest#byItsOwnNodeADeviceThatIsNoneOfBothTakesNoToken");
        tested(
                BIND_IOMMUFD_TOKEN,
                "SriovKernelTest#byItsOwnNodeAVirtualFunctionNeedsATokenOnlyWhereTheKernelTakesOneThere");
        calls(BIND_IOMMUFD_FD_OPEN, EBADF, OPEN_DEVICE, bind(DEVICE, fd(NOT_OPEN)));
        calls(BIND_IOMMUFD_FD_KIND, EBADFD, eventfd(EVENT, 0, 0), OPEN_DEVICE, bind(DEVICE, fd(EVENT)));
        calls(
                BIND_IOMMUFD_DEVICE_ONCE,
                EINVAL,
                then(BOUND, open(OTHER, "/dev/vfio/devices/$cdev_00:04.0"), bind(OTHER, fd(IOMMUFD))));
        unshown(BIND_IOMMUFD_COHERENT, HARDWARE);
        tested(BIND_IOMMUFD_INTERRUPTS, "InterruptRemappingKernelTest#noDeviceIsBoundByItsOwnNode");
        calls(
                BIND_IOMMUFD_OWNERSHIP,
                EPERM,
                then(TWO_BOUND, open(OTHER_IOMMUFD, "/dev/iommu"), bind(OTHER, fd(OTHER_IOMMUFD))));
        unshown(BIND_IOMMUFD_DOMAIN_BUSY, HARDWARE);
        unshown(BIND_IOMMUFD_BUSY, RACE);
        calls(GROUP_OPEN_CDEV, EBUSY, then(BOUND, OPEN_GROUP));

        simulated(
                ATTACH_PASID_DRIVER,
                "SimIommufdTest#aMediatedDeviceHasNoPasids",
                "the cases know no mediated device by its own node");
        tested(ATTACH_PASID, "IommufdKernelTest#aPasidIsAttachedToAPageTableThatWasMadeForIt");
        since72(ATTACH_PASID_TABLE, EINVAL, then(BOUND, attachPasid(IOAS)));
        since72(ATTACH_PASID_TABLE, EINVAL, then(BOUND, allocHwpt(0, BOUND_DEVICE, IOAS), attachPasid(HWPT)));
        since72(
                ATTACH_PASID_TABLE,
                EINVAL,
                then(ATTACHED, allocHwpt(IOMMU_HWPT_ALLOC_PASID(), BOUND_DEVICE, IOAS), attachPasid(4)));
        RuleCases.calls(ATTACH_PASID_SUPPORTED, ABSENT, EINVAL, ABSENT, then(BOUND, attachPasid(IOAS)));
        since72(ATTACH_KNOWN, ENOENT, then(BOUND, attachPasid(NOBODY)));
        since72(ATTACH_KNOWN, ENOENT, then(ATTACHED, attachPasid(NOBODY)));
        since72(ATTACH_KIND, EINVAL, then(BOUND, attachPasid(BOUND_DEVICE)));

        calls(ATTACH_KNOWN, ENOENT, then(BOUND, attach(DEVICE, NOBODY)));
        calls(ATTACH_KIND, EINVAL, then(BOUND, attach(DEVICE, BOUND_DEVICE)));
        Step[] apart = then(TWO_BOUND, bind(OTHER, fd(IOMMUFD)), alloc(), alloc(), attach(DEVICE, 3));
        calls(ATTACH_TOGETHER, EINVAL, then(apart, attach(OTHER, 4)));
        calls(
                ATTACH_TOGETHER,
                EINVAL,
                then(apart, map(4, FIXED | READ_WRITE, MSI, address(Region.RAM, 0), 0x1000), attach(OTHER, 4)));
        calls(
                ATTACH_RESERVED,
                EADDRINUSE,
                then(BOUND, map(FIXED | READ_WRITE, MSI, 0, 0x1000), attach(DEVICE, IOAS)));
        calls(
                ATTACH_ALIGNED,
                EADDRINUSE,
                then(BOUND, map(FIXED | READ_WRITE, 0x10001, 0, 1), attach(DEVICE, IOAS)));
        simulated(ATTACH_PERMISSION, "SimCompatTest#aMappingWithoutPermissionKeepsDevicesOut", WARNS);
        int both = FIXED | READ_WRITE;
        since72(ATTACH_FILE, EINVAL, then(BOUND, NO_MEMORY, mapFile(both, IOAS, fd(EVENT), 0x1000), attach(DEVICE, IOAS)));
        since72(ATTACH_FILE, EINVAL, then(BOUND, MEMORY, mapFile(both, IOAS, fd(EVENT), 0x3000), attach(DEVICE, IOAS)));
        calls(
                ATTACH_MEMORY,
                EFAULT,
                then(
                        BOUND,
                        map(IOAS, FIXED | READ_WRITE, 0x10000, address(Region.NO_ACCESS, 0), 0x1000),
                        attach(DEVICE, IOAS)));
        // A device that moves is asked what it cannot use once the page table is filled, a new one before.
        Field inaccessible = address(Region.NO_ACCESS, 0);
        Step[] toMove = then(ATTACHED, alloc());
        calls(ATTACH_MEMORY, EFAULT, then(toMove, map(4, both, MSI, inaccessible, 0x1000), attach(DEVICE, 4)));
        calls(ATTACH_RESERVED, EADDRINUSE, then(toMove, map(4, both, MSI, address(Region.RAM, 0), 0x1000), attach(DEVICE, 4)));
        calls(ATTACH_RESERVED, EADDRINUSE, then(BOUND, map(IOAS, both, MSI, inaccessible, 0x1000), attach(DEVICE, IOAS)));
        simulated(ATTACH_MEMLOCK, "SimIommufdTest#whatIsPinnedCountsForTheUser", OF_ROOT);
        unshown(ATTACH_BUSY, RACE);

        calls(
                HOT_RESET_NO_GROUPS,
                EINVAL,
                then(TWO_BOUND, ioctl(DEVICE, VFIO_DEVICE_PCI_HOT_RESET(), u32(16), u32(0), u32(1), fd(IOMMUFD))));
        calls(
                HOT_RESET_NO_GROUPS,
                EINVAL,
                then(BOUND, ioctl(DEVICE, VFIO_DEVICE_PCI_HOT_RESET(), u32(16), u32(0), u32(1), fd(IOMMUFD))));
    }

    private static void objects() {
        calls(DESTROY_KNOWN, ENOENT, OPEN_IOMMUFD, ioctl(IOMMUFD, IOMMU_DESTROY(), u32(8), u32(NOBODY)));
        calls(DESTROY_UNUSED, EBUSY, then(BOUND, ioctl(IOMMUFD, IOMMU_DESTROY(), u32(8), u32(BOUND_DEVICE))));

        calls(IOAS_ALLOW_KNOWN, ENOENT, OPEN_IOMMUFD, allow(NOBODY, 0));
        calls(IOAS_ALLOW_KNOWN, ENOENT, OPEN_IOMMUFD, ranges(0x2000, 0x1000), allow(NOBODY, 1));
        calls(IOAS_ALLOW_RANGES, EINVAL, then(ALONE, ranges(0x2000, 0x1000), allow(1, 1)));
        calls(IOAS_ALLOW_RESERVED, EADDRINUSE, then(ATTACHED, ranges(0x1000, MSI), allow(IOAS, 1)));
        calls(IOAS_RANGES_KNOWN, ENOENT, OPEN_IOMMUFD, iovaRanges(NOBODY, 0));
        calls(IOAS_RANGES_ROOM, EMSGSIZE, then(ATTACHED, iovaRanges(IOAS, 1)));

        calls(OPTION_KNOWN, ENOENT, OPEN_IOMMUFD, option(IOMMU_OPTION_HUGE_PAGES(), NOBODY, 0));
        simulated(OPTION_PRIVILEGE, "SimIommufdTest#howMemoryIsCountedIsForThePrivileged", OF_ROOT);
        calls(OPTION_FIRST, EBUSY, then(ALONE, option(IOMMU_OPTION_RLIMIT_MODE(), 0, 1)));
        calls(OPTION_VALUE, EINVAL, OPEN_IOMMUFD, option(IOMMU_OPTION_RLIMIT_MODE(), 0, 2));
        calls(OPTION_LARGE_PAGES, EINVAL, then(MAPPED, option(IOMMU_OPTION_HUGE_PAGES(), IOAS, 0)));
        calls(
                OPTION_ALIGNED,
                EADDRINUSE,
                then(ALONE, map(1, FIXED | READ_WRITE, 0x10001, address(Region.RAM, 0), 1), option(IOMMU_OPTION_HUGE_PAGES(), 1, 0)));
        calls(VFIO_IOAS_EXISTS, ENODEV, OPEN_IOMMUFD, vfioIoas(IOMMU_VFIO_IOAS_GET(), 0));
        calls(VFIO_IOAS_KNOWN, ENOENT, OPEN_IOMMUFD, vfioIoas(IOMMU_VFIO_IOAS_SET(), NOBODY));
    }

    private static void mapping() {
        Field ram = address(Region.RAM, 0);
        calls(IOAS_MAP_LIMIT, EOVERFLOW, then(ALONE, map(1, FIXED | READ_WRITE, -1, ram, 0x1000)));
        calls(IOAS_MAP_PERMISSION, EINVAL, then(ALONE, map(1, FIXED, 0x10000, ram, 0x1000)));
        calls(IOAS_MAP_KNOWN, ENOENT, then(ALONE, map(NOBODY, FIXED | READ_WRITE, 0x10000, ram, 0x1000)));
        calls(IOAS_MAP_SIZE, EINVAL, then(ALONE, map(1, FIXED | READ_WRITE, 0x10000, ram, 0)));
        RuleCases.calls(
                IOAS_MAP_ALL_FIRST, ABSENT, EINVAL, EOVERFLOW, then(ALONE, map(1, FIXED | READ_WRITE, 0x10000, ram, -2)));
        calls(IOAS_MAP_ALL, EINVAL, then(ALONE, map(1, FIXED | READ_WRITE, 0, u64(0), -2)));
        calls(IOAS_MAP_ADDRESS_WRAP, EOVERFLOW, then(ALONE, map(1, FIXED | READ_WRITE, 0x10000, u64(-0x1000), 0x1000)));
        calls(
                IOAS_MAP_ADDRESS_WRAP,
                EOVERFLOW,
                then(ATTACHED, map(IOAS, FIXED | READ_WRITE, 0x10000, u64(-0x1000), 0x1001)));
        calls(IOAS_MAP_SIZE_ALIGNED, EINVAL, then(ATTACHED, map(FIXED | READ_WRITE, 0x10000, 0, 0x1001)));
        calls(IOAS_MAP_SIZE_ALIGNED, EINVAL, then(ATTACHED, map(READ_WRITE, 0, 0, (1L << 63) + 1)));
        calls(IOAS_MAP_HALF, EOVERFLOW, then(ALONE, map(1, READ_WRITE, 0, ram, 1L << 63)));
        calls(IOAS_MAP_HALF, EOVERFLOW, then(ATTACHED, map(READ_WRITE, 0, 1, 1L << 63)));
        calls(IOAS_MAP_PLACE_ALIGNED, EINVAL, then(ATTACHED, map(READ_WRITE, 0, 1, 0x1000)));
        calls(
                IOAS_MAP_PLACE_ALIGNED,
                EINVAL,
                then(ATTACHED, ranges(0x10000, 0x10fff), allow(IOAS, 1), map(READ_WRITE, 0, 1, 0x2000)));
        calls(
                IOAS_MAP_PLACE,
                ENOSPC,
                then(ALONE, ranges(0x10000, 0x10fff), allow(1, 1), map(1, READ_WRITE, 0, ram, 0x2000)));
        calls(IOAS_MAP_IOVA_ALIGNED, EINVAL, then(ATTACHED, map(FIXED | READ_WRITE, 0x10001, 0, 0x1000)));
        calls(IOAS_MAP_IOVA_ALIGNED, EINVAL, then(ATTACHED, map(FIXED | READ_WRITE, -0xfff, 0, 0x2000)));
        calls(IOAS_MAP_WRAP, EOVERFLOW, then(ALONE, map(1, FIXED | READ_WRITE, -0x1000, ram, 0x2000)));
        calls(IOAS_MAP_RANGE, EINVAL, then(ATTACHED, map(FIXED | READ_WRITE, MSI, 0, 0x1000)));
        calls(IOAS_MAP_RANGE, EINVAL, then(MAPPED, map(FIXED | READ_WRITE, 0x10000, 0, MSI)));
        calls(IOAS_MAP_OVERLAP, EEXIST, then(MAPPED, map(FIXED | READ_WRITE, 0x11000, 0, 0x2000)));
        Step[] readable = then(ATTACHED, map(FIXED | READABLE, 0x10000, 0, 0x1000));
        calls(IOAS_MAP_OVERLAP, EEXIST, then(readable, copy(FIXED | READ_WRITE, 0x10000, 0x10000, 0x1000)));
        calls(IOAS_MAP_WRITABLE, EPERM, then(readable, copy(FIXED | READ_WRITE, 0x20000, 0x10000, 0x1000)));
        calls(
                IOAS_MAP_WRITABLE,
                EPERM,
                then(
                        ATTACHED,
                        alloc(),
                        map(4, FIXED | READABLE, 0x10000, address(Region.RAM, 1), 0x1000),
                        copy(FIXED | READ_WRITE, 4, IOAS, 0x20000, 0x10000, 0x1000)));
        calls(IOAS_MAP_ADDRESS_ALIGNED, EINVAL, then(ATTACHED, map(FIXED | READ_WRITE, 0x10000, 1, 0x1000)));
        calls(
                IOAS_MAP_ADDRESS_ALIGNED,
                EINVAL,
                then(ATTACHED, map(IOAS, FIXED | READ_WRITE, 0x10000, address(Region.NO_ACCESS, 1), 0x1000)));
        calls(
                IOAS_MAP_MEMORY,
                EFAULT,
                then(ATTACHED, map(IOAS, FIXED | READ_WRITE, 0x10000, address(Region.NO_ACCESS, 0), 0x1000)));
        simulated(IOAS_MAP_MEMLOCK, "SimIommufdTest#whatIsPinnedCountsForTheUser", OF_ROOT);

        int both = FIXED | READ_WRITE;
        calls(IOAS_COPY_LIMIT, EOVERFLOW, then(MAPPED, copy(both, 0x20000, -1, 0x1000)));
        calls(IOAS_COPY_PERMISSION, EINVAL, then(MAPPED, copy(FIXED, 0x20000, 0x10000, 0x1000)));
        calls(IOAS_COPY_KNOWN, ENOENT, then(MAPPED, copy(both, NOBODY, IOAS, 0x20000, 0x10000, 0x1000)));
        calls(IOAS_COPY_SIZE, EINVAL, then(MAPPED, copy(both, 0x20000, 0x10000, 0)));
        calls(IOAS_COPY_WRAP, EOVERFLOW, then(MAPPED, copy(both, 0x20000, -0x1000, 0x2000)));
        calls(IOAS_COPY_MAPPED, ENOENT, then(MAPPED, copy(both, 0x20000, 0x11000, 0x2000)));
        calls(IOAS_COPY_TARGET, ENOENT, then(MAPPED, copy(both, IOAS, NOBODY, 0x20000, 0x10000, 0x1000)));

        since72(IOAS_MAP_FILE_LIMIT, EOVERFLOW, then(ALONE, mapFile(both, 1, fd(NOT_OPEN), -1)));
        since72(IOAS_MAP_FILE_LIMIT, EOVERFLOW, then(ALONE, mapFile(FIXED, 1, fd(NOT_OPEN), -1)));
        since72(IOAS_MAP_FILE_PERMISSION, EINVAL, then(ALONE, mapFile(FIXED, 1, fd(NOT_OPEN), 0x1000)));
        since72(IOAS_MAP_FILE_PERMISSION, EINVAL, then(ALONE, mapFile(FIXED, NOBODY, fd(NOT_OPEN), 0x1000)));
        since72(IOAS_MAP_FILE_KNOWN, ENOENT, then(ALONE, mapFile(both, NOBODY, fd(NOT_OPEN), 0x1000)));
        since72(IOAS_MAP_FILE_KNOWN, ENOENT, then(ALONE, mapFile(both, NOBODY, fd(NOT_OPEN), -0x1000, 0x2000)));
        since72(IOAS_MAP_FILE_FD_OPEN, EBADF, then(ALONE, mapFile(both, 1, fd(NOT_OPEN), 0x1000)));
        since72(IOAS_MAP_FILE_FD_OPEN, EBADF, then(ALONE, mapFile(both, 1, fd(NOT_OPEN), -2)));
        since72(IOAS_MAP_FILE_WRAP, EOVERFLOW, then(ALONE, mapFile(both, 1, fd(NOT_OPEN), -0x1000, 0x2000)));
        since72(IOAS_MAP_SIZE, EINVAL, then(ALONE, mapFile(both, 1, fd(NOT_OPEN), 0)));
        since72(IOAS_MAP_FILE_FD_KIND, EINVAL, then(ATTACHED, mapFile(both, IOAS, fd(IOMMUFD), 0x1000)));
        since72(IOAS_MAP_FILE_FD_KIND, EINVAL, then(ATTACHED, MEMORY, mapFile(both, IOAS, fd(EVENT), 0x3000)));
        since72(
                IOAS_MAP_FILE_FD_KIND,
                EINVAL,
                then(
                        ATTACHED,
                        alloc(),
                        NO_MEMORY,
                        mapFile(both, 4, fd(EVENT), 0x1000),
                        copy(both, 4, IOAS, 0x20000, 0x10000, 0x1000)));
        since72(IOAS_MAP_FILE_DMA_BUF_RANGE, EINVAL, then(SHARING, mapFile(both, IOAS, fd(EVENT), 0x1000, 0x3000)));
        since72(IOAS_MAP_FILE_DMA_BUF_RANGE, EINVAL, then(SHARING, DECODE_OFF, mapFile(both, IOAS, fd(EVENT), 0x3000, 0x1000)));
        since72(
                IOAS_MAP_FILE_DMA_BUF_RANGE,
                EINVAL,
                then(BOUND, shareBar(0, 0x1000, 0x8000, 0x1000), mapFile(both, IOAS, fd(EVENT), 0x2000, 0x1000)));
        since72(
                IOAS_MAP_FILE_DMA_BUF_KIND,
                EOPNOTSUPP,
                then(BOUND, shareBar(0, 0x1000, 0x8000, 0x1000), mapFile(both, IOAS, fd(EVENT), 0x1000)));
        since72(
                IOAS_MAP_FILE_DMA_BUF_REACH,
                ENODEV,
                then(BOUND, shareBar(0, 0x1000, 0x8000, 0x1000), DECODE_OFF, mapFile(both, IOAS, fd(EVENT), 0x1000)));
        since72(
                IOAS_MAP_FILE_DMA_BUF_KIND,
                EOPNOTSUPP,
                then(MAPPED, shareBar(0, 0x1000, 0x8000, 0x1000), mapFile(both, IOAS, fd(EVENT), 0x1000)));
        since72(IOAS_MAP_FILE_DMA_BUF_REACH, ENODEV, then(SHARING, DECODE_OFF, mapFile(both, IOAS, fd(EVENT), 0x1000)));
        since72(
                IOAS_MAP_FILE_DMA_BUF_REACH,
                ENODEV,
                then(SHARING, close(DEVICE), mapFile(both, IOAS, fd(EVENT), 0x1000)));
        since72(
                IOAS_MAP_FILE_DMA_BUF_REACH,
                ENODEV,
                then(SHARING, mapFile(both, IOAS, fd(EVENT), 0x1000), DECODE_OFF, mapFile(both, IOAS, fd(EVENT), 0x1000)));
        since72(IOAS_MAP_OVERLAP, EEXIST, then(MAPPED, mapFile(both, IOAS, fd(IOMMUFD), 0x1000)));
        since72(IOAS_MAP_ADDRESS_ALIGNED, EINVAL, then(ATTACHED, MEMORY, mapFile(both, IOAS, fd(EVENT), 1, 0x1000)));
        RuleCases.calls(
                IOMMUFD_OPERATION_KNOWN, ABSENT, ENOTTY, ABSENT, then(ALONE, mapFile(both, 1, fd(NOT_OPEN), 0x1000)));
        RuleCases.calls(
                IOMMUFD_OPERATION_KNOWN, ABSENT, ENOTTY, ABSENT, then(ALONE, mapFile(both, 1, fd(NOT_OPEN), -1)));

        since72(CHANGE_PROCESS_FILES, EINVAL, then(ALONE, map(1, both, 0x10000, ram, 0x1000), CHANGE_PROCESS));
        since72(
                CHANGE_PROCESS_FILES,
                EINVAL,
                then(ATTACHED, MEMORY, mapFile(both, IOAS, fd(EVENT), 0x2000), alloc(), map(4, both, 0x10000, ram, 0x1000), CHANGE_PROCESS));
        simulated(CHANGE_PROCESS_MEMLOCK, "SimIommufdTest#whatAProcessTakesOverCountsForIt", OF_ROOT);
        RuleCases.calls(IOMMUFD_OPERATION_KNOWN, ABSENT, ENOTTY, ABSENT, then(ALONE, CHANGE_PROCESS));

        calls(IOAS_UNMAP_KNOWN, ENOENT, then(ALONE, unmap(NOBODY, 0x10000, 0x1000)));
        calls(IOAS_UNMAP_KNOWN, ENOENT, then(ALONE, unmap(NOBODY, -1, 0x1000)));
        calls(IOAS_UNMAP_LIMIT, EOVERFLOW, then(ALONE, unmap(1, -1, 0x1000)));
        calls(IOAS_UNMAP_SIZE, EINVAL, then(ALONE, unmap(1, 0x10000, 0)));
        calls(IOAS_UNMAP_WRAP, EOVERFLOW, then(ALONE, unmap(1, -0x1000, 0x2000)));
        calls(IOAS_UNMAP_WRAP, EOVERFLOW, then(MAPPED, unmap(IOAS, 0x11000, -0x10000)));
        calls(IOAS_UNMAP_WHOLE, ENOENT, then(MAPPED, unmap(IOAS, 0x10000, 0x1000)));
        calls(IOAS_UNMAP_MAPPED, ENOENT, then(MAPPED, unmap(IOAS, 0x20000, 0x1000)));
    }

    private static void pageTables() {
        calls(HWPT_DEVICE, ENOENT, then(ALONE, allocHwpt(0, NOBODY, 1)));
        calls(HWPT_PARENT, EINVAL, then(BOUND, allocHwpt(0, BOUND_DEVICE, NOBODY)));
        calls(
                HWPT_SUPPORTED,
                EOPNOTSUPP,
                then(BOUND, allocHwpt(IOMMU_HWPT_ALLOC_DIRTY_TRACKING(), BOUND_DEVICE, IOAS)));
        calls(
                HWPT_RESERVED,
                EADDRINUSE,
                then(BOUND, map(FIXED | READ_WRITE, 1L << 60, 0, 0x1000), allocHwpt(0, BOUND_DEVICE, IOAS)));
        tested(HWPT_NEST_PARENT, "IommufdKernelTest#aPageTableIsNestedOnlyInOneThatWasMadeForIt");
        Step data = put(0x8000, 1, 0);
        int faults = IOMMU_HWPT_FAULT_ID_VALID();
        int nests = IOMMU_HWPT_ALLOC_NEST_PARENT();
        since72(HWPT_NEST_PARENT, EINVAL, then(MOCK, data, allocHwpt(0, MOCK_DEVICE, 1), nest(0, MOCK_DEVICE, MOCK_TABLE, 0)));
        calls(HWPT_NEST_PARENT, EINVAL, then(BOUND, allocHwpt(0, BOUND_DEVICE, IOAS), nest(0, BOUND_DEVICE, HWPT, 0)));
        since72(HWPT_SUPPORTED, EOPNOTSUPP, then(MOCK, allocHwpt(faults | nests, MOCK_DEVICE, 1, NOBODY)));
        since72(
                HWPT_FAULT_QUEUE,
                ENOENT,
                then(
                        MOCK,
                        data,
                        allocHwpt(nests, MOCK_DEVICE, 1),
                        nest(faults, MOCK_DEVICE, MOCK_TABLE, NOBODY)));
        since72(HWPT_FAULT_QUEUE, ENOENT, then(MOCK, allocHwpt(faults, MOCK_DEVICE, 1, NOBODY)));
        since72(HWPT_SUPPORTED, EOPNOTSUPP, then(MOCK, allocHwpt(0, MOCK_DEVICE, 1), allocHwpt(0, MOCK_DEVICE, MOCK_TABLE)));
        since72(HWPT_DEVICE, ENOENT, then(MOCK, allocHwpt(0, NOBODY, NOBODY)));
        tested(FAULT_UNANSWERED, "FaultQueueKernelTest#theKernelTakesNoAnswerToWhatItDidNotAsk");
        tested(FAULT_UNANSWERED, "FaultQueueKernelTest#aFaultIsReadAndAnswered");
        tested(
                ATTACH_PAGE_REQUESTS,
                "FaultQueueKernelTest#aDeviceThatRequestsNoPagesIsNotAttachedWhereTheyAreHandled");
        simulated(HWPT_PERMISSION, "SimCompatTest#aMappingWithoutPermissionKeepsDevicesOut", WARNS);
        since72(
                HWPT_FILE,
                EINVAL,
                then(
                        BOUND,
                        NO_MEMORY,
                        mapFile(FIXED | READ_WRITE, IOAS, fd(EVENT), 0x1000),
                        allocHwpt(0, BOUND_DEVICE, IOAS)));
        calls(
                HWPT_MEMORY,
                EFAULT,
                then(
                        BOUND,
                        map(IOAS, FIXED | READ_WRITE, 0x10000, address(Region.NO_ACCESS, 0), 0x1000),
                        allocHwpt(0, BOUND_DEVICE, IOAS)));
        simulated(HWPT_MEMLOCK, "SimIommufdTest#whatIsPinnedCountsForTheUser", OF_ROOT);
        calls(
                HW_INFO_DEVICE,
                ENOENT,
                then(ALONE, ioctl(IOMMUFD, IOMMU_GET_HW_INFO(), u32(40), u32(0), u32(NOBODY), u32(0), u64(0), u64(0), u64(0))));
        Step[] table = then(BOUND, allocHwpt(0, BOUND_DEVICE, IOAS));
        calls(HWPT_TRACK_KNOWN, ENOENT, then(BOUND, track(NOBODY)));
        calls(HWPT_TRACK_SUPPORTED, EOPNOTSUPP, then(table, track(HWPT)));
        calls(HWPT_DIRTY_KNOWN, ENOENT, then(BOUND, dirty(NOBODY, 0x10000, 0x1000)));
        calls(HWPT_DIRTY_KNOWN, ENOENT, then(BOUND, dirty(NOBODY, -0x1000, 0x2000)));
        calls(HWPT_DIRTY_WRAP, EOVERFLOW, then(table, dirty(HWPT, -0x1000, 0x2000)));
        calls(HWPT_DIRTY_WRAP, EOVERFLOW, then(table, dirty(HWPT, -0x1000, 0x2001)));
        calls(HWPT_DIRTY_ALIGNED, EINVAL, then(table, dirty(HWPT, 0x10000, 0x1001)));
        calls(HWPT_DIRTY_SUPPORTED, EOPNOTSUPP, then(table, dirty(HWPT, 0x10000, 0x1000)));
    }

    private static void virtualIommus() {
        int nests = IOMMU_HWPT_ALLOC_NEST_PARENT();
        Step[] parent = then(MOCK, allocHwpt(nests, MOCK_DEVICE, 1));
        Step[] virtual = then(parent, viommu(SELFTEST, MOCK_DEVICE, MOCK_TABLE));
        int number = 6; // of the virtual IOMMU
        since72(VIOMMU_DEVICE, ENOENT, then(parent, viommu(SELFTEST, NOBODY, MOCK_TABLE)));
        since72(VIOMMU_DEVICE, ENOENT, then(parent, viommu(1, NOBODY, MOCK_TABLE)));
        since72(VIOMMU_SUPPORTED, EOPNOTSUPP, then(parent, viommu(1, MOCK_DEVICE, MOCK_TABLE)));
        since72(VIOMMU_SUPPORTED, EOPNOTSUPP, then(BOUND, viommu(1, BOUND_DEVICE, NOBODY)));
        since72(VIOMMU_PARENT, ENOENT, then(parent, viommu(SELFTEST, MOCK_DEVICE, NOBODY)));
        since72(
                VIOMMU_NEST_PARENT,
                EINVAL,
                then(MOCK, allocHwpt(0, MOCK_DEVICE, 1), viommu(SELFTEST, MOCK_DEVICE, MOCK_TABLE)));
        tested(VIOMMU_NEST_PARENT, "VirtualIommuKernelTest#aVirtualIommuIsMadeOfAPageTableThatWasMadeForIt");
        RuleCases.calls(IOMMUFD_OPERATION_KNOWN, ABSENT, ENOTTY, ABSENT, then(ALONE, viommu(1, NOBODY, NOBODY)));

        since72(VDEVICE_VIOMMU, ENOENT, then(virtual, vdevice(NOBODY, MOCK_DEVICE, 1)));
        since72(VDEVICE_DEVICE, ENOENT, then(virtual, vdevice(number, NOBODY, 1)));
        since72(
                VDEVICE_IOMMU,
                EINVAL,
                then(virtual, OPEN_DEVICE, bind(DEVICE, fd(IOMMUFD)), vdevice(number, number + 1, 1)));
        Step[] known = then(virtual, vdevice(number, MOCK_DEVICE, 5));
        since72(VDEVICE_ONCE, EEXIST, then(known, vdevice(number, MOCK_DEVICE, 6)));
        // a second device: owner 8, device 9
        since72(VDEVICE_ID, EEXIST, then(known, mock(1), vdevice(number, 9, 5)));
        tested(VDEVICE_ONCE, "VirtualIommuKernelTest#aDeviceHasOneNumberAndANumberIsThatOfOneDevice");
        tested(VDEVICE_ID, "VirtualIommuKernelTest#aDeviceHasOneNumberAndANumberIsThatOfOneDevice");
        tested(ATTACH_VIRTUAL, "VirtualIommuKernelTest#aGuestsPageTableTakesADeviceThatHasANumber");

        since72(VEVENTQ_DEPTH, EINVAL, then(virtual, veventq(number, 0)));
        since72(VEVENTQ_DEPTH, EINVAL, then(virtual, veventq(NOBODY, 0)));
        tested(VEVENTQ_DEPTH, "VirtualIommuKernelTest#aQueueIsNoDeeperThanTheKernelLetsIt");
        since72(VEVENTQ_VIOMMU, ENOENT, then(virtual, veventq(NOBODY, 1)));
        tested(VEVENTQ_ONCE, "VirtualIommuKernelTest#aQueueIsForOneKindOfEvents");

        since72(HW_QUEUE_SIZE, EINVAL, then(virtual, hwQueue(number, SELFTEST, 0, PAGE, 0)));
        since72(HW_QUEUE_SIZE, EINVAL, then(virtual, hwQueue(number, SELFTEST, 0, -1, 0)));
        since72(HW_QUEUE_WRAP, EOVERFLOW, then(virtual, hwQueue(NOBODY, SELFTEST, 0, -0x1000, 0x2000)));
        since72(HW_QUEUE_VIOMMU, ENOENT, then(virtual, hwQueue(NOBODY, 1, 0, PAGE, 0x1000)));
        since72(HW_QUEUE_SUPPORTED, EOPNOTSUPP, then(virtual, hwQueue(number, 1, 0, PAGE, 0x1000)));
        since72(HW_QUEUE_MAPPED, ENOENT, then(virtual, hwQueue(number, SELFTEST, 0, PAGE, 0x1000)));
        Step[] mapped = then(virtual, map(1, FIXED | READ_WRITE, PAGE, address(Region.RAM, 0), 0x1000));
        Step[] queue = then(mapped, hwQueue(number, SELFTEST, 0, PAGE, 0x1000));
        since72(HW_QUEUE_MAPPED, ENOENT, then(queue, hwQueue(number, SELFTEST, 0, PAGE + 0x1000, 0x1000)));
        since72(HW_QUEUE_INDEX, EEXIST, then(queue, hwQueue(number, SELFTEST, 0, PAGE, 0x1000)));
        since72(HW_QUEUE_ORDER, EIO, then(mapped, hwQueue(number, SELFTEST, 1, PAGE, 0x1000)));
        tested(HW_QUEUE_INDEX, "VirtualIommuKernelTest#queuesOfTheHardwareAreMadeInOrder");
        tested(HW_QUEUE_ORDER, "VirtualIommuKernelTest#queuesOfTheHardwareAreMadeInOrder");
        since72(IOAS_UNMAP_QUEUE, EBUSY, then(queue, unmap(1, PAGE, 0x1000)));
        tested(IOAS_UNMAP_QUEUE, "VirtualIommuKernelTest#theMemoryOfAQueueStaysMapped");
    }

    private static void compat() {
        calls(COMPAT_EXTENSION_IOAS, ENODEV, OPEN_IOMMUFD, ioctl(IOMMUFD, VFIO_CHECK_EXTENSION(), VFIO_DMA_CC_IOMMU()));
        simulated(COMPAT_SET_PRIVILEGE, "SimCompatTest#withoutAnIommuEachStepTakesAPrivilege", OF_ROOT);
        calls(COMPAT_SET_TYPE, EINVAL, then(COMPAT, ioctl(IOMMUFD, VFIO_SET_IOMMU(), VFIO_DMA_CC_IOMMU())));
        calls(COMPAT_SET_NEEDS_GROUP, ENODEV, OPEN_IOMMUFD, ioctl(IOMMUFD, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()));
        calls(
                COMPAT_SET_LARGE_PAGES,
                EINVAL,
                then(COMPAT_OPEN, dmaMap(0x10000, 0, 0x1000), ioctl(IOMMUFD, VFIO_SET_IOMMU(), VFIO_TYPE1_IOMMU())));
        calls(
                COMPAT_SET_ALIGNED,
                EADDRINUSE,
                then(COMPAT, dmaMap(0x10001, 0, 1), ioctl(IOMMUFD, VFIO_SET_IOMMU(), VFIO_TYPE1_IOMMU())));
        calls(COMPAT_INFO_NEEDS_IOAS, ENODEV, OPEN_IOMMUFD, info(64));
        calls(COMPAT_MAP_NEEDS_IOAS, ENODEV, OPEN_IOMMUFD, dmaMap(0x10000, 0, 0x1000));
        simulated(COMPAT_MAP_PERMISSION, "SimCompatTest#aMappingWithoutPermissionKeepsDevicesOut", WARNS);
        calls(COMPAT_UNMAP_NEEDS_IOAS, ENODEV, OPEN_IOMMUFD, dmaUnmap(0x10000, 0x1000, 0));
        calls(COMPAT_UNMAP_NEEDS_IOAS, ENODEV, OPEN_IOMMUFD, dmaUnmap(0x10000, 0x1000, VFIO_DMA_UNMAP_FLAG_ALL()));
        calls(COMPAT_UNMAP_ALL_RANGE, EINVAL, then(COMPAT, dmaUnmap(0x10000, 0x1000, VFIO_DMA_UNMAP_FLAG_ALL())));
        Step[] v1 = then(COMPAT, ioctl(IOMMUFD, VFIO_SET_IOMMU(), VFIO_TYPE1_IOMMU()), dmaMap(0x10000, 0, 0x3000));
        calls(COMPAT_UNMAP_CUT, EINVAL, then(v1, dmaUnmap(0x10000, 0x1001, 0)));

        calls(
                SET_CONTAINER_COMPAT_KINDS,
                EINVAL,
                then(COMPAT_UNSAFE, OPEN_GROUP, ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(IOMMUFD))));
        calls(
                DEVICE_COMPAT_PRIVILEGE,
                EPERM,
                then(
                        COMPAT_UNSAFE,
                        alloc(),
                        vfioIoas(IOMMU_VFIO_IOAS_SET(), 1),
                        getDevice(DEVICE, UNSAFE_GROUP, text(TwinMachine.UNSAFE))));
        tested(DEVICE_COMPAT_INTERRUPTS, "InterruptRemappingKernelTest#noDeviceIsOpenedThroughAGroupOfAnIommufd");
        Step[] moved = then(
                COMPAT_SHARED,
                ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0),
                open(OTHER_IOMMUFD, "/dev/iommu"),
                ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(OTHER_IOMMUFD)));
        calls(DEVICE_COMPAT_OWNERSHIP, EPERM, then(moved, GET_OTHER));
        calls(
                DEVICE_COMPAT_OWNERSHIP,
                EPERM,
                then(moved, vfioIoas(OTHER_IOMMUFD, IOMMU_VFIO_IOAS_CLEAR(), 0), GET_OTHER));
        calls(DEVICE_COMPAT_IOAS, ENODEV, then(COMPAT, vfioIoas(IOMMU_VFIO_IOAS_CLEAR(), 0), GET_DEVICE));
        calls(
                DEVICE_COMPAT_TOGETHER,
                EINVAL,
                then(COMPAT_SHARED, alloc(), vfioIoas(IOMMU_VFIO_IOAS_SET(), 4), GET_OTHER));
        calls(
                DEVICE_COMPAT_TOGETHER,
                EINVAL,
                then(
                        COMPAT_SHARED,
                        alloc(),
                        map(4, FIXED | READ_WRITE, MSI, address(Region.RAM, 0), 0x1000),
                        vfioIoas(IOMMU_VFIO_IOAS_SET(), 4),
                        GET_OTHER));
        calls(DEVICE_COMPAT_RESERVED, EADDRINUSE, then(COMPAT, dmaMap(MSI, 0, 0x1000), GET_DEVICE));
        simulated(DEVICE_COMPAT_PERMISSION, "SimCompatTest#aMappingWithoutPermissionKeepsDevicesOut", WARNS);
        since72(
                DEVICE_COMPAT_FILE,
                EINVAL,
                then(COMPAT, NO_MEMORY, mapFile(FIXED | READ_WRITE, 1, fd(EVENT), 0x1000), GET_DEVICE));
        calls(
                DEVICE_COMPAT_MEMORY,
                EFAULT,
                then(COMPAT, dmaMap(address(Region.NO_ACCESS, 0), 0x10000, 0x1000), GET_DEVICE));
        simulated(DEVICE_COMPAT_MEMLOCK, "SimCompatTest#whatIsMappedCountsWhenADeviceIsOpened", OF_ROOT);
    }

    // ---- how the lines are made

    /** Not that of {@link RuleCases}, which asks this class for its lines when it is initialized. */
    static Step[] then(Step[] first, Step... more) {
        return Stream.concat(Stream.of(first), Stream.of(more)).toArray(Step[]::new);
    }

    private static void calls(Rule rule, int errno, Step... steps) {
        RuleCases.calls(rule, ABSENT, errno, errno, steps);
    }

    private static void since72(Rule rule, int errno, Step... steps) {
        RuleCases.calls(rule, ABSENT, ABSENT, errno, steps);
    }

    static Step bind(int device, Field iommufd) {
        return ioctl(device, VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(0), iommufd, u32(0));
    }

    static Step attach(int device, int to) {
        return ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(12), u32(0), u32(to));
    }

    static Step attachPasid(int to) {
        return ioctl(DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(16), u32(1), u32(to), u32(5));
    }

    static Step alloc() {
        return ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(12), u32(0), u32(0));
    }

    static Step map(int flags, long iova, long offset, long size) {
        return map(IOAS, flags, iova, address(Region.RAM, offset), size);
    }

    static Step map(int ioas, int flags, long iova, Field memory, long size) {
        return ioctl(
                IOMMUFD, IOMMU_IOAS_MAP(), u32(40), u32(flags), u32(ioas), u32(0), memory, u64(size), u64(iova));
    }

    /** Shares parts of the first BAR, each given by where it starts and how long it is. */
    static Step shareBar(long... parts) {
        Stream<Field> head = Stream.of(
                u32(24 + parts.length * Long.BYTES),
                u32(VFIO_DEVICE_FEATURE_GET() | VFIO_DEVICE_FEATURE_DMA_BUF()),
                u32(0), u32(0), u32(0), u32(parts.length / 2));
        Field[] fields = Stream.concat(head, LongStream.of(parts).mapToObj(Step::u64)).toArray(Field[]::new);
        return ioctlInto(EVENT, DEVICE, VFIO_DEVICE_FEATURE(), fields);
    }

    static Step mapFile(int flags, int ioas, Field file, long size) {
        return mapFile(flags, ioas, file, 0, size);
    }

    static Step mapFile(int flags, int ioas, Field file, long start, long size) {
        return ioctl(
                IOMMUFD,
                IOMMU_IOAS_MAP_FILE(),
                u32(40), u32(flags), u32(ioas), file, u64(start), u64(size), u64(0x10000));
    }

    static Step copy(int flags, long to, long from, long size) {
        return copy(flags, IOAS, IOAS, to, from, size);
    }

    static Step copy(int flags, int source, int target, long to, long from, long size) {
        return ioctl(
                IOMMUFD, IOMMU_IOAS_COPY(), u32(40), u32(flags), u32(target), u32(source), u64(size), u64(to), u64(from));
    }

    static Step unmap(int ioas, long iova, long size) {
        return ioctl(IOMMUFD, IOMMU_IOAS_UNMAP(), u32(24), u32(ioas), u64(iova), u64(size));
    }

    /** Leaves one range in the program's memory, for {@link #allow}. */
    static Step ranges(long first, long last) {
        return put(0x8000, first, last);
    }

    static Step allow(int ioas, int count) {
        return ioctl(
                IOMMUFD, IOMMU_IOAS_ALLOW_IOVAS(), u32(24), u32(ioas), u32(count), u32(0), address(Region.RAM, 0x8000));
    }

    private static Step iovaRanges(int ioas, int room) {
        return ioctl(
                IOMMUFD,
                IOMMU_IOAS_IOVA_RANGES(),
                u32(32),
                u32(ioas),
                u32(room),
                u32(0),
                address(Region.RAM, 0x8000),
                u64(0));
    }

    /** IOMMU_OPTION with IOMMU_OPTION_OP_SET, which is 0. */
    static Step option(int option, int object, long value) {
        return ioctl(IOMMUFD, IOMMU_OPTION(), u32(24), u32(option), u32(0), u32(object), u64(value));
    }

    static Step vfioIoas(int operation, int ioas) {
        return vfioIoas(IOMMUFD, operation, ioas);
    }

    private static Step vfioIoas(int iommufd, int operation, int ioas) {
        return ioctl(iommufd, IOMMU_VFIO_IOAS(), u32(12), u32(ioas), u32(operation));
    }

    static Step allocHwpt(int flags, int device, int parent) {
        return ioctl(
                IOMMUFD, IOMMU_HWPT_ALLOC(), u32(24), u32(flags), u32(device), u32(parent), u32(0), u32(0));
    }

    private static Step viommu(int type, int device, int parent) {
        return ioctl(
                IOMMUFD,
                IOMMU_VIOMMU_ALLOC(),
                u32(40), u32(0), u32(type), u32(device), u32(parent), u32(0), u32(0), u32(0), u64(0));
    }

    private static Step vdevice(int viommu, int device, long number) {
        return ioctl(IOMMUFD, IOMMU_VDEVICE_ALLOC(), u32(24), u32(viommu), u32(device), u32(0), u64(number));
    }

    private static Step veventq(int viommu, int depth) {
        return ioctl(
                IOMMUFD,
                IOMMU_VEVENTQ_ALLOC(),
                u32(32), u32(0), u32(viommu), u32(0xbeefbeef), u32(depth), u32(0), u32(0), u32(0));
    }

    private static Step hwQueue(int viommu, int type, int index, long iova, long size) {
        return ioctl(
                IOMMUFD,
                IOMMU_HW_QUEUE_ALLOC(),
                u32(40), u32(0), u32(viommu), u32(type), u32(index), u32(0), u64(iova), u64(size));
    }

    private static Step allocHwpt(int flags, int device, int parent, int faults) {
        return allocHwpt(flags, device, parent, 0, 0, u64(0), faults);
    }

    /** Nests a page table of the mock's driver, whose data is put at 0x8000. */
    private static Step nest(int flags, int device, int parent, int faults) {
        return allocHwpt(flags, device, parent, 0xdead, 4, address(Region.RAM, 0x8000), faults);
    }

    private static Step allocHwpt(int flags, int device, int parent, int type, int length, Field data, int faults) {
        return ioctl(
                IOMMUFD,
                IOMMU_HWPT_ALLOC(),
                u32(48),
                u32(flags),
                u32(device),
                u32(parent),
                u32(0),
                u32(0),
                u32(type),
                u32(length),
                data,
                u32(faults),
                u32(0));
    }

    /** IOMMU_TEST_CMD with IOMMU_TEST_OP_MOCK_DOMAIN. */
    private static Step mock(int ioas) {
        return ioctl(
                IOMMUFD,
                IOMMU_DESTROY() + 32,
                u32(72), u32(2), u32(ioas), u32(0), u64(0), u64(0), u64(0), u64(0), u64(0), u64(0), u32(0), u32(0));
    }

    private static Step track(int table) {
        return ioctl(IOMMUFD, IOMMU_HWPT_SET_DIRTY_TRACKING(), u32(16), u32(1), u32(table), u32(0));
    }

    private static Step dirty(int table, long iova, long size) {
        return ioctl(
                IOMMUFD,
                IOMMU_HWPT_GET_DIRTY_BITMAP(),
                u32(48),
                u32(table),
                u32(0),
                u32(0),
                u64(iova),
                u64(size),
                u64(0x1000),
                address(Region.RAM, 0x8000));
    }

    static Step dmaMap(long iova, long offset, long size) {
        return dmaMap(address(Region.RAM, offset), iova, size);
    }

    static Step dmaMap(Field memory, long iova, long size) {
        int access = VFIO_DMA_MAP_FLAG_READ() | VFIO_DMA_MAP_FLAG_WRITE();
        return ioctl(IOMMUFD, VFIO_IOMMU_MAP_DMA(), u32(32), u32(access), memory, u64(iova), u64(size));
    }

    static Step dmaUnmap(long iova, long size, int flags) {
        return ioctl(IOMMUFD, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32(flags), u64(iova), u64(size));
    }

    private static Step info(int room) {
        return ioctl(IOMMUFD, VFIO_IOMMU_GET_INFO(), u32(room), u32(0), u64(0), u64(0), u64(0), u64(0), u64(0), u64(0), u64(0));
    }
}
