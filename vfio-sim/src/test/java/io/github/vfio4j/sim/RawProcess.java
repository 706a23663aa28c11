package io.github.vfio4j.sim;

import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A process that speaks to its kernel in bytes: ioctl numbers and struct offsets are written out, as linux/vfio.h has
 * them. Every method returns what the kernel returned, or -errno.
 */
final class RawProcess {
    static final int GET_API_VERSION = 0x3b64;
    static final int CHECK_EXTENSION = 0x3b65;
    static final int SET_IOMMU = 0x3b66;
    static final int GROUP_GET_STATUS = 0x3b67;
    static final int GROUP_SET_CONTAINER = 0x3b68;
    static final int GROUP_UNSET_CONTAINER = 0x3b69;
    static final int GROUP_GET_DEVICE_FD = 0x3b6a;
    static final int DEVICE_GET_INFO = 0x3b6b;
    static final int DEVICE_GET_REGION_INFO = 0x3b6c;
    static final int DEVICE_GET_IRQ_INFO = 0x3b6d;
    static final int DEVICE_SET_IRQS = 0x3b6e;
    static final int DEVICE_RESET = 0x3b6f;
    static final int IOMMU_GET_INFO = 0x3b70;
    static final int IOMMU_MAP_DMA = 0x3b71;
    static final int IOMMU_UNMAP_DMA = 0x3b72;
    static final int IOMMU_DIRTY_PAGES = 0x3b75;

    static final int DEVICE_BIND_IOMMUFD = 0x3b76;
    static final int DEVICE_ATTACH_IOMMUFD_PT = 0x3b77;
    static final int DEVICE_DETACH_IOMMUFD_PT = 0x3b78;
    static final int IOMMU_DESTROY = 0x3b80;
    static final int IOAS_ALLOC = 0x3b81;
    static final int IOAS_ALLOW_IOVAS = 0x3b82;
    static final int IOAS_COPY = 0x3b83;
    static final int IOAS_IOVA_RANGES = 0x3b84;
    static final int IOAS_MAP = 0x3b85;
    static final int IOAS_MAP_FILE = 0x3b8f;
    static final int IOAS_CHANGE_PROCESS = 0x3b92;
    static final int IOAS_UNMAP = 0x3b86;
    static final int IOMMU_OPTION = 0x3b87;
    static final int VFIO_IOAS = 0x3b88;
    static final int HWPT_ALLOC = 0x3b89;
    static final int GET_HW_INFO = 0x3b8a;
    static final int HWPT_SET_DIRTY_TRACKING = 0x3b8b;
    static final int HWPT_GET_DIRTY_BITMAP = 0x3b8c;

    static final int TYPE1 = 1;
    static final int TYPE1V2 = 3;

    static final int READ = 1;
    static final int WRITE = 2;
    static final int VADDR = 4;

    static final int UNMAP_DIRTY = 1;
    static final int UNMAP_ALL = 2;
    static final int UNMAP_VADDR = 4;

    static final int DIRTY_START = 1;
    static final int DIRTY_STOP = 2;
    static final int DIRTY_GET = 4;

    static final int VIABLE = 1;
    static final int CONTAINER_SET = 2;

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    final SimProcess process;
    final Syscalls calls;
    private final Arena arena = Arena.ofAuto();

    RawProcess(SimProcess process) {
        this.process = process;
        this.calls = process.syscalls();
    }

    static RawProcess on(SimMachine machine) {
        return new RawProcess(machine.startProcess());
    }

    /** Memory of a given size: the kernel can see just that. */
    MemorySegment memory(long bytes) {
        return arena.allocate(bytes, 8);
    }

    /** A struct of ints. */
    MemorySegment ints(int... values) {
        MemorySegment memory = memory(4L * values.length);
        for (int i = 0; i < values.length; i++) {
            memory.set(INT, 4L * i, values[i]);
        }
        return memory;
    }

    int open(String path) {
        return calls.open(new Frame(), path, Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
    }

    int openContainer() {
        return open("/dev/vfio/vfio");
    }

    int openGroup(int group) {
        return open("/dev/vfio/" + group);
    }

    int close(int fd) {
        return calls.close(new Frame(), fd);
    }

    int ioctl(int fd, int request, long value) {
        return calls.ioctl(new Frame(), fd, request, value);
    }

    int ioctl(int fd, int request, MemorySegment argument) {
        return calls.ioctl(new Frame(), fd, request, argument);
    }

    int checkExtension(int container, int extension) {
        return ioctl(container, CHECK_EXTENSION, extension);
    }

    int setIommu(int container, int type) {
        return ioctl(container, SET_IOMMU, type);
    }

    int setContainer(int group, int container) {
        return ioctl(group, GROUP_SET_CONTAINER, ints(container));
    }

    int unsetContainer(int group) {
        return ioctl(group, GROUP_UNSET_CONTAINER, 0);
    }

    /** The flags of VFIO_GROUP_GET_STATUS, or -errno. */
    int status(int group) {
        MemorySegment status = ints(8, 0);
        int result = ioctl(group, GROUP_GET_STATUS, status);
        return result < 0 ? result : status.get(INT, 4);
    }

    int deviceFd(int group, String name) {
        return ioctl(group, GROUP_GET_DEVICE_FD, arena.allocateFrom(name));
    }

    int map(int container, long iova, long address, long size, int flags) {
        MemorySegment map = memory(32);
        map.set(INT, 0, 32);
        map.set(INT, 4, flags);
        map.set(LONG, 8, address);
        map.set(LONG, 16, iova);
        map.set(LONG, 24, size);
        return ioctl(container, IOMMU_MAP_DMA, map);
    }

    /** How many bytes were unmapped, or -errno. */
    long unmap(int container, long iova, long size, int flags) {
        MemorySegment unmap = memory(24);
        unmap.set(INT, 0, 24);
        unmap.set(INT, 4, flags);
        unmap.set(LONG, 8, iova);
        unmap.set(LONG, 16, size);
        int result = ioctl(container, IOMMU_UNMAP_DMA, unmap);
        if (result < 0 && unmap.get(LONG, 16) != size) {
            throw new AssertionError("a failed unmap wrote its size back");
        }
        return result < 0 ? result : unmap.get(LONG, 16);
    }

    long unmap(int container, long iova, long size) {
        return unmap(container, iova, size, 0);
    }

    /** An unmap that asks for the dirty pages besides: how many bytes were unmapped, or -errno. */
    long unmapDirty(int container, long iova, long size, long pageSize, long bytes, long bitmap) {
        MemorySegment unmap = memory(48);
        unmap.set(INT, 0, 48);
        unmap.set(INT, 4, UNMAP_DIRTY);
        unmap.set(LONG, 8, iova);
        unmap.set(LONG, 16, size);
        bitmap(unmap.asSlice(24), pageSize, bytes, bitmap);
        int result = ioctl(container, IOMMU_UNMAP_DMA, unmap);
        return result < 0 ? result : unmap.get(LONG, 16);
    }

    /** DIRTY_START, DIRTY_STOP, or whatever else a program may give. */
    int dirtyPages(int container, int flags) {
        return ioctl(container, IOMMU_DIRTY_PAGES, ints(8, flags));
    }

    int getDirty(int container, long iova, long size, long pageSize, long bytes, long bitmap) {
        MemorySegment get = memory(48);
        get.set(INT, 0, 48);
        get.set(INT, 4, DIRTY_GET);
        get.set(LONG, 8, iova);
        get.set(LONG, 16, size);
        bitmap(get.asSlice(24), pageSize, bytes, bitmap);
        return ioctl(container, IOMMU_DIRTY_PAGES, get);
    }

    private static void bitmap(MemorySegment struct, long pageSize, long bytes, long address) {
        struct.set(LONG, 0, pageSize);
        struct.set(LONG, 8, bytes);
        struct.set(LONG, 16, address);
    }

    /** Binds a device to an iommufd: its number there, or -errno. */
    int bind(int device, int iommufd) {
        return out(ints(16, 0, iommufd, 0), 12, device, DEVICE_BIND_IOMMUFD);
    }

    /** Attaches a device: the number of the page table, or -errno. */
    int attach(int device, int to) {
        return out(ints(12, 0, to), 8, device, DEVICE_ATTACH_IOMMUFD_PT);
    }

    int detach(int device) {
        return ioctl(device, DEVICE_DETACH_IOMMUFD_PT, ints(8, 0));
    }

    /** Makes an address space: its number, or -errno. */
    int ioasAlloc(int iommufd) {
        return out(ints(12, 0, 0), 8, iommufd, IOAS_ALLOC);
    }

    int destroy(int iommufd, int object) {
        return ioctl(iommufd, IOMMU_DESTROY, ints(8, object));
    }

    /** Maps at an IOVA; READ and WRITE are what devices may do. */
    int ioasMap(int iommufd, int ioas, long iova, long address, long size, int access) {
        return ioctl(iommufd, IOAS_MAP, ioasMapStruct(ioas, iova, address, size, access, true));
    }

    /** Maps the start of a file at an IOVA, to read and write. */
    int mapFile(int iommufd, int ioas, long iova, int file, long size) {
        MemorySegment map = ioasMapStruct(ioas, iova, 0, size, READ | WRITE, true);
        map.set(INT, 12, file);
        return ioctl(iommufd, IOAS_MAP_FILE, map);
    }

    int attachPasid(int device, int pageTable, int pasid) {
        return ioctl(device, DEVICE_ATTACH_IOMMUFD_PT, ints(16, 1, pageTable, pasid));
    }

    int changeProcess(int iommufd) {
        return ioctl(iommufd, IOAS_CHANGE_PROCESS, ints(8, 0));
    }

    /** Maps where the kernel likes: the IOVA, or -errno. */
    long ioasMap(int iommufd, int ioas, long address, long size, int access) {
        MemorySegment map = ioasMapStruct(ioas, 0, address, size, access, false);
        int result = ioctl(iommufd, IOAS_MAP, map);
        return result < 0 ? result : map.get(LONG, 32);
    }

    private MemorySegment ioasMapStruct(int ioas, long iova, long address, long size, int access, boolean fixed) {
        MemorySegment map = memory(40);
        map.set(INT, 0, 40);
        map.set(INT, 4, (fixed ? 1 : 0) | ((access & WRITE) != 0 ? 2 : 0) | ((access & READ) != 0 ? 4 : 0));
        map.set(INT, 8, ioas);
        map.set(LONG, 16, address);
        map.set(LONG, 24, size);
        map.set(LONG, 32, iova);
        return map;
    }

    /** How many bytes were unmapped, or -errno. */
    long ioasUnmap(int iommufd, int ioas, long iova, long size) {
        MemorySegment unmap = memory(24);
        unmap.set(INT, 0, 24);
        unmap.set(INT, 4, ioas);
        unmap.set(LONG, 8, iova);
        unmap.set(LONG, 16, size);
        int result = ioctl(iommufd, IOAS_UNMAP, unmap);
        return result < 0 ? result : unmap.get(LONG, 16);
    }

    /** Maps memory of an address space there once more, for reading. */
    int copy(int iommufd, int ioas, long to, long from, long size) {
        MemorySegment copy = memory(40);
        copy.set(INT, 0, 40);
        copy.set(INT, 4, 1 | 4);
        copy.set(INT, 8, ioas);
        copy.set(INT, 12, ioas);
        copy.set(LONG, 16, size);
        copy.set(LONG, 24, to);
        copy.set(LONG, 32, from);
        return ioctl(iommufd, IOAS_COPY, copy);
    }

    /** Makes a page table: its number, or -errno. */
    int hwptAlloc(int iommufd, int device, int ioas, int flags) {
        return out(ints(24, flags, device, ioas, 0, 0), 16, iommufd, HWPT_ALLOC);
    }

    int trackDirtyPages(int iommufd, int pageTable, boolean on) {
        return ioctl(iommufd, HWPT_SET_DIRTY_TRACKING, ints(16, on ? 1 : 0, pageTable, 0));
    }

    /** A bitmap of the pages of 4096 bytes that were written, 64 at most, or -errno; flag 1 keeps them. */
    long dirtyPages(int iommufd, int pageTable, long iova, long size, int flags) {
        MemorySegment get = memory(56);
        get.set(INT, 0, 48);
        get.set(INT, 4, pageTable);
        get.set(INT, 8, flags);
        get.set(LONG, 16, iova);
        get.set(LONG, 24, size);
        get.set(LONG, 32, 4096);
        get.set(LONG, 40, get.address() + 48);
        int result = ioctl(iommufd, HWPT_GET_DIRTY_BITMAP, get);
        return result < 0 ? result : get.get(LONG, 48);
    }

    /** IOMMU_OPTION_OP_SET. */
    int option(int iommufd, int option, int object, int value) {
        return ioctl(iommufd, IOMMU_OPTION, ints(24, option, 0, object, value, 0));
    }

    /** Chooses the address space of the container that an iommufd stands for. */
    int setVfioIoas(int iommufd, int ioas) {
        return ioctl(iommufd, VFIO_IOAS, ints(12, ioas, 1));
    }

    /** An int that an ioctl wrote into its argument, or -errno. */
    private int out(MemorySegment argument, long offset, int fd, int request) {
        int result = ioctl(fd, request, argument);
        return result < 0 ? result : argument.get(INT, offset);
    }

    /** Anonymous memory: its address, or -errno. */
    long mmap(long bytes) {
        return mmap(bytes, Syscalls.PROT_READ | Syscalls.PROT_WRITE);
    }

    long mmap(long bytes, int prot) {
        return calls.mmap(new Frame(), bytes, prot, Syscalls.MAP_PRIVATE | Syscalls.MAP_ANONYMOUS, -1, 0);
    }

    long mmapFile(int fd, long offset, long bytes) {
        int prot = Syscalls.PROT_READ | Syscalls.PROT_WRITE;
        return calls.mmap(new Frame(), bytes, prot, Syscalls.MAP_SHARED, fd, offset);
    }

    int munmap(long address, long bytes) {
        return calls.munmap(new Frame(), address, bytes);
    }

    /** What lies at an address that mmap gave. */
    MemorySegment at(long address) {
        return process.memory().at(address);
    }

    long pread(int fd, MemorySegment target, long offset) {
        return calls.pread(new Frame(), fd, target, offset);
    }

    long pwrite(int fd, MemorySegment source, long offset) {
        return calls.pwrite(new Frame(), fd, source, offset);
    }

    int eventfd(int initial, int flags) {
        return calls.eventfd(new Frame(), initial, flags);
    }

    /** The counter that a read of an eventfd gave, or -errno. */
    long readEventFd(int fd) {
        MemorySegment value = memory(8);
        long result = calls.read(new Frame(), fd, value);
        return result < 0 ? result : value.get(LONG, 0);
    }

    long writeEventFd(int fd, long value) {
        MemorySegment buffer = memory(8);
        buffer.set(LONG, 0, value);
        return calls.write(new Frame(), fd, buffer);
    }

    /** A group in a container with a type1 v2 IOMMU, and one of its devices open. */
    record Rig(int container, int group, int device) {}

    Rig openDevice(int group, String name) {
        int container = openContainer();
        int groupFd = openGroup(group);
        check(setContainer(groupFd, container));
        check(setIommu(container, TYPE1V2));
        return new Rig(container, groupFd, check(deviceFd(groupFd, name)));
    }

    /** For steps that the test is not about. */
    static int check(int result) {
        if (result < 0) {
            throw new AssertionError("a step of the preparation failed with errno " + -result);
        }
        return result;
    }

    /** Puts the device's command register: 2 is memory decode, 4 bus mastering. */
    void command(int device, int bits) {
        MemorySegment value = memory(2);
        value.set(SHORT, 0, (short) bits);
        check((int) pwrite(device, value, (7L << 40) + 4));
    }
}
