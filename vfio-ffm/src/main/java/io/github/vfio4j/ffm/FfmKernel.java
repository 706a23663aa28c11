package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KvmSupport;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PageSize;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.BindingPort;
import io.github.vfio4j.spi.ContainerPort;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.DmaFilePort;
import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.HandoverPort;
import io.github.vfio4j.spi.IommufdPort;
import io.github.vfio4j.spi.Kernel;
import io.github.vfio4j.spi.KvmPort;
import io.github.vfio4j.spi.ListenPort;
import io.github.vfio4j.spi.MediatedPort;
import io.github.vfio4j.spi.OpenGroups;
import io.github.vfio4j.spi.WaitPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;

/** A kernel behind its ports. Linux or a simulated one: what is here cannot tell. */
public final class FfmKernel implements Kernel {
    private static final String CONTAINER_NODE = "/dev/vfio/vfio";
    private static final String IOMMUFD_NODE = "/dev/iommu";
    private static final long PAGE_SIZE = 4096; // of x86-64, which is what is simulated

    private final String name;
    private final Syscalls syscalls;
    private final PciTree tree;
    private final PciBinding binding;
    private final MediatedTree mediated;
    private final long pageSize;
    private final OpenGroups openGroups = new OpenGroups();

    /**
     * Makes a kernel of its ports, with pages of 4 KiB.
     *
     * @param name what it is, for people
     * @param syscalls the system calls of this process
     * @param sysfs the sysfs tree
     * @param notes what programs note for later ones
     */
    public FfmKernel(String name, Syscalls syscalls, SysFs sysfs, Notes notes) {
        this(name, syscalls, sysfs, notes, PAGE_SIZE);
    }

    /**
     * Makes a kernel of its ports.
     *
     * @param name what it is, for people
     * @param syscalls the system calls of this process
     * @param sysfs the sysfs tree
     * @param notes what programs note for later ones
     * @param pageSize bytes of a page
     */
    public FfmKernel(String name, Syscalls syscalls, SysFs sysfs, Notes notes, long pageSize) {
        this.pageSize = pageSize;
        this.name = name;
        this.syscalls = syscalls;
        this.tree = new PciTree(sysfs);
        this.binding = new PciBinding(syscalls, sysfs, notes);
        this.mediated = new MediatedTree(sysfs);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public OpenGroups openGroups() {
        return openGroups;
    }

    @Override
    public long pageSize() {
        return pageSize;
    }

    @Override
    public ContainerPort openContainer() {
        return FfmContainer.of(Fd.open(Operation.OPEN_CONTAINER, syscalls, CONTAINER_NODE));
    }

    @Override
    public ContainerPort openIommufdContainer() {
        return FfmContainer.ofIommufd(Fd.open(Operation.OPEN_IOMMUFD, syscalls, IOMMUFD_NODE));
    }

    @Override
    public long deviceNumber(String path) {
        return deviceNumber(Syscalls.AT_FDCWD, path, 0, path);
    }

    @Override
    public GroupPort openGroup(String path) {
        Fd fd = Fd.open(Operation.OPEN_GROUP, syscalls, path);
        try {
            return new FfmGroup(fd, deviceNumber(fd.number, "", Syscalls.AT_EMPTY_PATH, path));
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    private long deviceNumber(int fd, String path, int flags, String subject) {
        Statx stat = Statx.of(syscalls, fd, path, flags);
        if (stat.errno() != 0) {
            throw new VfioException(Operation.OPEN_GROUP, new Errno(stat.errno()), subject);
        }
        return stat.deviceNumber();
    }

    @Override
    public IommufdPort openIommufd() {
        return new FfmIommufd(Fd.open(Operation.OPEN_IOMMUFD, syscalls, IOMMUFD_NODE));
    }

    @Override
    public Optional<String> deviceNode(String name) {
        return tree.deviceNode(name);
    }

    @Override
    public DevicePort openDevice(String path) {
        return new FfmDevice(Fd.open(Operation.OPEN_DEVICE, syscalls, path));
    }

    @Override
    public MemorySegment allocate(long bytes, PageSize pages, Arena arena) {
        long address = syscalls.mmap(
                new Frame(),
                bytes,
                Syscalls.PROT_READ | Syscalls.PROT_WRITE,
                Syscalls.MAP_PRIVATE | Syscalls.MAP_ANONYMOUS | hugePages(pages),
                -1,
                0);
        if (address < 0) {
            String reserve = pages == PageSize.BASE
                    ? ""
                    : " of huge pages: reserve some first, in /sys/kernel/mm/hugepages/hugepages-%dkB/nr_hugepages"
                            .formatted(pages.hugeBytes() >> 10);
            throw new VfioException(Operation.MEMORY_ALLOCATE, new Errno((int) -address), bytes + " bytes" + reserve);
        }
        MemorySegment memory = segment(address, bytes, arena);
        // A page that nobody wrote yet is the kernel's page of zeros. Before Linux 6.2 it stays pinned as that when it is
        // mapped for devices that only read: the program's first write gets another page, and no device ever sees it.
        for (long page = 0; page < bytes; page += pageSize) {
            memory.set(ValueLayout.JAVA_BYTE, page, (byte) 0);
        }
        return memory;
    }

    private static int hugePages(PageSize pages) {
        return pages == PageSize.BASE
                ? 0
                : Syscalls.MAP_HUGETLB | Long.numberOfTrailingZeros(pages.hugeBytes()) << Syscalls.MAP_HUGE_SHIFT;
    }

    @Override
    public DmaFilePort createDmaFile(long bytes, PageSize pages) {
        return FfmDmaFile.create(syscalls, bytes, Math.max(pages.hugeBytes(), pageSize), hugePages(pages));
    }

    @Override
    public MemorySegment view(long address, long bytes, Arena arena) {
        return segment(address, bytes, arena);
    }

    @Override
    public void free(long address, long bytes) {
        checkFreed(syscalls.munmap(new Frame(), address, bytes), bytes);
    }

    @Override
    public void vacate(long address, long bytes) {
        checkFreed(syscalls.vacate(new Frame(), address, bytes), bytes);
    }

    private static void checkFreed(int result, long bytes) {
        if (result < 0) {
            throw new VfioException(Operation.MEMORY_FREE, new Errno(-result), bytes + " bytes");
        }
    }

    @Override
    @SuppressWarnings("restricted") // reinterpret: who accesses memory by it sees to it that there is some
    public MemorySegment memory() {
        return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    }

    @Override
    public void giveBack(long address, long bytes) {
        syscalls.giveBack(address, bytes);
    }

    @Override
    public EventPort openEvent() {
        return FfmEvent.open(syscalls);
    }

    @Override
    public WaitPort openWait() {
        return FfmWait.open(syscalls);
    }

    @Override
    public KvmSupport kvmSupport() {
        return FfmKvm.support(syscalls);
    }

    @Override
    public KvmSupport kvmSupport(int vm) {
        return FfmKvm.support(syscalls, vm);
    }

    @Override
    public KvmPort openKvm() {
        return FfmKvm.open(syscalls);
    }

    @Override
    public KvmPort adoptKvm(int vm) {
        return FfmKvm.adopt(syscalls, vm);
    }

    @Override
    public ListenPort listen(String address) {
        return FfmListen.open(syscalls, address);
    }

    @Override
    public HandoverPort connect(String address) {
        return FfmHandover.connect(syscalls, address);
    }

    @Override
    public List<PciDevice> pciDevices() {
        return tree.devices();
    }

    @Override
    public PciDevice pciDevice(PciAddress address) {
        return tree.device(address);
    }

    @Override
    public boolean isWithoutIommu(long deviceNumber) {
        return tree.isWithoutIommu(deviceNumber >>> 32, deviceNumber & 0xffff_ffffL);
    }

    @Override
    public OptionalInt mediatedDeviceGroup(UUID name) {
        return tree.mediatedDeviceGroup(name);
    }

    @Override
    public List<String> groupMembers(int group) {
        return tree.groupMembers(group);
    }

    @Override
    public MediatedPort mediated() {
        return mediated;
    }

    @Override
    public BindingPort binding() {
        return binding;
    }

    /** Makes a segment of what the kernel mapped. The mapping must stay until the arena is closed. */
    @SuppressWarnings("restricted") // reinterpret: address and size are those of a mapping that mmap just made
    static MemorySegment segment(long address, long size, Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(size, arena, null);
    }
}
