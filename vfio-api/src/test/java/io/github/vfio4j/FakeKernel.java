package io.github.vfio4j;

import io.github.vfio4j.spi.BindingPort;
import io.github.vfio4j.spi.ContainerPort;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.DmaFilePort;
import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.FaultQueuePort;
import io.github.vfio4j.spi.FeaturePort;
import io.github.vfio4j.spi.GraphicsPort;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.HotResetInfo;
import io.github.vfio4j.spi.HandoverPort;
import io.github.vfio4j.spi.IommufdPort;
import io.github.vfio4j.spi.IrqAction;
import io.github.vfio4j.spi.Kernel;
import io.github.vfio4j.spi.KvmPort;
import io.github.vfio4j.spi.ListenPort;
import io.github.vfio4j.spi.MediatedPort;
import io.github.vfio4j.spi.OpenGroups;
import io.github.vfio4j.spi.SpaprPort;
import io.github.vfio4j.spi.VirtualEventQueuePort;
import io.github.vfio4j.spi.WaitPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntFunction;

/** A kernel that agrees to everything, writes down what it is asked, and fails where a test says so. */
final class FakeKernel implements Kernel {
    private static final long CONFIG = 1L << 40;

    static final PciAddress ADDRESS = PciAddress.parse("0000:00:04.0");

    final List<String> calls = new ArrayList<>();
    final Map<Operation, Errno> failures = new HashMap<>();
    List<IovaRange> ranges = List.of(new IovaRange(0, -1));
    boolean readOnly; // regions other than configuration space
    /** Addresses that may be used again. */
    final Set<Long> givenBack = ConcurrentHashMap.newKeySet();

    long unmapsLess;
    long unmapsAll;
    boolean keepsTopMappings = true;
    DeviceInfo deviceInfo = new DeviceInfo(DeviceInfo.Bus.OTHER, true, 2, 1, List.of());
    IntFunction<IrqInfo> irqInfo = index -> new IrqInfo(index, 1, true, false, false, true);
    /** Configuration space, if a test cares. */
    ByteBuffer config;

    /** The device's features, if a test cares. */
    FeaturePort features;

    /** The device's screen, if a test cares. */
    GraphicsPort graphics;

    /** A device's own node, if a test cares. */
    String deviceNode;

    /** Nodes that the program may not open. */
    List<String> inaccessible = List.of();

    /** The page faults that the next read of a fault queue gives. */
    final List<FaultQueuePort.Fault> faults = new ArrayList<>();

    int vectorsAvailable;
    int eventsLeft = Integer.MAX_VALUE;

    private final OpenGroups openGroups = new OpenGroups();

    private void called(Operation operation, String call) {
        calls.add(call);
        if (failures.containsKey(operation)) {
            throw new VfioException(operation, failures.get(operation), "fake");
        }
    }

    /** Returns the calls since the last time and forgets them. */
    List<String> newCalls() {
        List<String> result = List.copyOf(calls);
        calls.clear();
        return result;
    }

    @Override
    public String name() {
        return "fake";
    }

    @Override
    public OpenGroups openGroups() {
        return openGroups;
    }

    @Override
    public long pageSize() {
        return 4096;
    }

    @Override
    public ContainerPort openContainer() {
        called(Operation.OPEN_CONTAINER, "open container");
        return new ContainerPort() {
            @Override
            public int apiVersion() {
                called(Operation.GET_API_VERSION, "version");
                return 0;
            }

            @Override
            public int checkExtension(int extension) {
                return 1;
            }

            @Override
            public void setIommu(int type) {
                called(Operation.SET_IOMMU, "set iommu " + type);
            }

            @Override
            public Type1Info iommuInfo() {
                return new Type1Info(
                        4096, ranges, OptionalInt.of(65535), Optional.of(new DirtyTrackingInfo(4096, 1 << 28)));
            }

            @Override
            public boolean keepsTopMappings() {
                return keepsTopMappings;
            }

            @Override
            public void giveAddress(long iova, long address, long size) {
                called(Operation.IOMMU_MAP_DMA, "give address of %x+%x".formatted(iova, size));
            }

            @Override
            public long unmapAll() {
                called(Operation.IOMMU_UNMAP_DMA, "unmap all");
                return unmapsAll;
            }

            @Override
            public long takeAddresses(long iova, long size) {
                called(Operation.IOMMU_UNMAP_DMA, "take addresses of %x+%x".formatted(iova, size));
                return size;
            }

            @Override
            public long unmapDma(long iova, long size, long pageSize, long[] bitmap) {
                called(Operation.IOMMU_UNMAP_DMA, "unmap %x+%x, dirty pages".formatted(iova, size));
                return size - unmapsLess;
            }

            @Override
            public void trackDirtyPages(boolean on) {
                called(Operation.IOMMU_DIRTY_PAGES, "track dirty pages: " + on);
            }

            @Override
            public void dirtyPages(long iova, long size, long pageSize, long[] bitmap) {
                called(Operation.IOMMU_DIRTY_PAGES, "dirty pages of %x+%x".formatted(iova, size));
                bitmap[0] = 5;
            }

            @Override
            public void mapDma(long iova, long address, long size, int flags) {
                called(Operation.IOMMU_MAP_DMA, "map %x+%x".formatted(iova, size));
            }

            @Override
            public long unmapDma(long iova, long size) {
                called(Operation.IOMMU_UNMAP_DMA, "unmap %x+%x".formatted(iova, size));
                return size - unmapsLess;
            }

            @Override
            public SpaprPort spapr() {
                throw new UnsupportedOperationException("no test with this kernel is on PowerPC");
            }

            @Override
            public void close() {
                calls.add("close container");
            }
        };
    }

    @Override
    public ContainerPort openIommufdContainer() {
        return openContainer();
    }

    @Override
    public long deviceNumber(String path) {
        return path.hashCode();
    }

    @Override
    public GroupPort openGroup(String path) {
        called(Operation.OPEN_GROUP, "open group");
        return new GroupPort() {
            @Override
            public long deviceNumber() {
                return FakeKernel.this.deviceNumber(path);
            }

            @Override
            public GroupStatus status() {
                return new GroupStatus(true, true);
            }

            @Override
            public void setContainer(ContainerPort container) {
                called(Operation.GROUP_SET_CONTAINER, "set container");
            }

            @Override
            public void unsetContainer() {
                called(Operation.GROUP_UNSET_CONTAINER, "unset container");
            }

            @Override
            public DevicePort openDevice(String name, UUID vfToken) {
                called(Operation.GROUP_GET_DEVICE_FD, "open device");
                return new FakeDevice();
            }

            @Override
            public void close() {
                calls.add("close group");
            }
        };
    }

    @Override
    public IommufdPort openIommufd() {
        called(Operation.OPEN_IOMMUFD, "open iommufd");
        return new FakeIommufd();
    }

    @Override
    public Optional<String> deviceNode(String name) {
        return Optional.ofNullable(deviceNode);
    }

    @Override
    public DevicePort openDevice(String path) {
        called(Operation.OPEN_DEVICE, "open " + path);
        return new FakeDevice();
    }

    @Override
    public MemorySegment allocate(long bytes, PageSize pages, Arena arena) {
        called(Operation.MEMORY_ALLOCATE, "allocate %x".formatted(bytes));
        return arena.allocate(bytes, 4096);
    }

    @Override
    public DmaFilePort createDmaFile(long bytes, PageSize pages) {
        throw new UnsupportedOperationException("no test with this kernel has files of memory");
    }

    @Override
    public MemorySegment view(long address, long bytes, Arena arena) {
        return arena.allocate(bytes, 4096);
    }

    @Override
    public void free(long address, long bytes) {
        called(Operation.MEMORY_FREE, "free %x".formatted(bytes));
    }

    @Override
    public void vacate(long address, long bytes) {
        called(Operation.MEMORY_FREE, "vacate %x".formatted(bytes));
    }

    @Override
    @SuppressWarnings("restricted")
    public MemorySegment memory() {
        return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    }

    @Override
    public void giveBack(long address, long bytes) {
        givenBack.add(address);
    }

    @Override
    public EventPort openEvent() {
        if (eventsLeft-- == 0) {
            throw new VfioException(Operation.EVENTFD_CREATE, Errno.EMFILE, "fake");
        }
        called(Operation.EVENTFD_CREATE, "open event");
        return new FakeEvent();
    }

    @Override
    public WaitPort openWait() {
        throw new UnsupportedOperationException("no test with this kernel waits");
    }

    @Override
    public KvmSupport kvmSupport() {
        return new KvmSupport(true, false);
    }

    @Override
    public KvmSupport kvmSupport(int vm) {
        return new KvmSupport(true, false);
    }

    @Override
    public KvmPort openKvm() {
        called(Operation.OPEN_KVM, "open kvm");
        return new FakeKvm();
    }

    @Override
    public KvmPort adoptKvm(int vm) {
        called(Operation.KVM_CREATE_DEVICE, "adopt kvm " + vm);
        return new FakeKvm();
    }

    @Override
    public ListenPort listen(String address) {
        throw new UnsupportedOperationException("no test with this kernel listens");
    }

    @Override
    public HandoverPort connect(String address) {
        called(Operation.HANDOVER_CONNECT, "connect " + address);
        return new FakeHandover();
    }

    @Override
    public List<PciDevice> pciDevices() {
        return List.of(pciDevice(ADDRESS));
    }

    @Override
    public PciDevice pciDevice(PciAddress address) {
        return new PciDevice(address, 1, 2, 3, Optional.of("vfio-pci"), OptionalInt.of(4));
    }

    @Override
    public boolean isWithoutIommu(long deviceNumber) {
        return deviceNumber == "/dev/vfio/noiommu-9".hashCode();
    }

    @Override
    public OptionalInt mediatedDeviceGroup(UUID name) {
        return OptionalInt.of(7);
    }

    @Override
    public List<String> groupMembers(int group) {
        return List.of(ADDRESS.toString());
    }

    @Override
    public MediatedPort mediated() {
        throw new UnsupportedOperationException("no test with this kernel makes mediated devices");
    }

    @Override
    public BindingPort binding() {
        return (BindingPort) Proxy.newProxyInstance(
                BindingPort.class.getClassLoader(), new Class<?>[] {BindingPort.class}, (_, method, arguments) -> {
                    if (!method.getName().equals("nodeAccess")) {
                        throw new UnsupportedOperationException("no test with this kernel binds");
                    }
                    return inaccessible.contains(arguments[0]) ? Optional.of(Errno.EACCES) : Optional.empty();
                });
    }

    private final class FakeEvent implements EventPort {
        private long count;

        @Override
        public long read() {
            long result = count;
            count = 0;
            return result;
        }

        @Override
        public void write() {
            count++;
        }

        @Override
        public void close() {
            calls.add("close event");
        }

        @Override
        public String toString() {
            return "event";
        }
    }

    private final class FakeEventQueue implements VirtualEventQueuePort {
        private final int id;

        FakeEventQueue(int id) {
            this.id = id;
        }

        @Override
        public int id() {
            return id;
        }

        @Override
        public List<VirtualEvent> read() {
            return List.of(new VirtualEvent.Lost(0));
        }

        @Override
        public void close() {
            calls.add("close event queue");
        }
    }

    private final class FakeFaultQueue implements FaultQueuePort {
        private final int id;

        FakeFaultQueue(int id) {
            this.id = id;
        }

        @Override
        public int id() {
            return id;
        }

        @Override
        public List<Fault> read() {
            calls.add("read faults");
            List<Fault> all = List.copyOf(faults);
            faults.clear();
            return all;
        }

        @Override
        public void respond(int cookie, boolean success) {
            called(Operation.FAULT_QUEUE_WRITE, "answer %d: %b".formatted(cookie, success));
        }

        @Override
        public void close() {
            calls.add("close fault queue");
        }
    }

    private final class FakeKvm implements KvmPort {
        @Override
        public void add(GroupPort group) {
            called(Operation.KVM_FILE_ADD, "kvm add group");
        }

        @Override
        public void add(DevicePort device) {
            called(Operation.KVM_FILE_ADD, "kvm add device");
        }

        @Override
        public void remove(GroupPort group) {
            called(Operation.KVM_FILE_DEL, "kvm del group");
        }

        @Override
        public void remove(DevicePort device) {
            called(Operation.KVM_FILE_DEL, "kvm del device");
        }

        @Override
        public boolean takesSpaprTables() {
            return false;
        }

        @Override
        public void setSpaprTce(GroupPort group, int table) {
            throw new UnsupportedOperationException("no test with this kernel is on PowerPC");
        }

        @Override
        public void close() {
            calls.add("close kvm");
        }
    }

    private final class FakeHandover implements HandoverPort {
        @Override
        public void send(GroupPort group, String name) {
            called(Operation.HANDOVER_SEND, "send group " + name);
        }

        @Override
        public void send(DevicePort device, String name) {
            called(Operation.HANDOVER_SEND, "send device " + name);
        }

        @Override
        public void send(DmaFilePort file) {
            called(Operation.HANDOVER_SEND, "send memory");
        }

        @Override
        public void send(IommufdPort iommufd) {
            called(Operation.HANDOVER_SEND, "send iommufd");
        }

        @Override
        public DmaFilePort receiveDmaFile() {
            throw new UnsupportedOperationException("no test with this kernel receives");
        }

        @Override
        public IommufdPort receiveIommufd() {
            throw new UnsupportedOperationException("no test with this kernel receives");
        }

        @Override
        public Received<GroupPort> receiveGroup() {
            throw new UnsupportedOperationException("no test with this kernel receives");
        }

        @Override
        public Received<DevicePort> receiveDevice() {
            throw new UnsupportedOperationException("no test with this kernel receives");
        }

        @Override
        public void close() {
            calls.add("close connection");
        }
    }

    private final class FakeIommufd implements IommufdPort {
        private int objects;

        @Override
        public int allocateIoas() {
            called(Operation.IOAS_ALLOC, "allocate ioas");
            return ++objects;
        }

        @Override
        public void destroy(int object) {
            called(Operation.IOMMU_DESTROY, "destroy " + object);
        }

        @Override
        public IoasInfo info(int ioas) {
            return new IoasInfo(ranges, 4096);
        }

        @Override
        public void allow(int ioas, List<IovaRange> allowed) {
            called(Operation.IOAS_ALLOW_IOVAS, "allow " + allowed);
        }

        @Override
        public void map(int ioas, long iova, long address, long size, Access access) {
            called(Operation.IOAS_MAP, "map %x+%x in %d".formatted(iova, size, ioas));
        }

        @Override
        public void map(int ioas, long iova, DmaFilePort file, Access access) {
            throw new UnsupportedOperationException("no test with this kernel has files of memory");
        }

        @Override
        public void copy(int source, long sourceIova, int ioas, long iova, long size, Access access) {
            called(Operation.IOAS_COPY, "copy %x+%x in %d".formatted(iova, size, ioas));
        }

        @Override
        public long unmap(int ioas, long iova, long size) {
            called(Operation.IOAS_UNMAP, "unmap %x+%x in %d".formatted(iova, size, ioas));
            return size - unmapsLess;
        }

        @Override
        public int allocateHwpt(int device, int ioas, Set<HwptFlag> flags, OptionalInt faults) {
            called(Operation.HWPT_ALLOC, "allocate hwpt in " + ioas + with(faults));
            return ++objects;
        }

        @Override
        public int allocateNested(int device, int parent, GuestPageTable table, OptionalInt faults) {
            called(Operation.HWPT_ALLOC, "nest in " + parent + with(faults));
            return ++objects;
        }

        private static String with(OptionalInt faults) {
            return faults.isPresent() ? " with faults to " + faults.getAsInt() : "";
        }

        @Override
        public NewViommu allocateViommu(int device, int parent, ViommuType type) {
            called(Operation.VIOMMU_ALLOC, "allocate viommu of " + parent);
            return new NewViommu(++objects, 0, 0);
        }

        @Override
        public int allocateVirtualDevice(int viommu, int device, long virtualId) {
            called(Operation.VDEVICE_ALLOC, "allocate vdevice %d of %d".formatted(virtualId, viommu));
            return ++objects;
        }

        @Override
        public VirtualEventQueuePort allocateEventQueue(int viommu, VirtualEventType type, int depth) {
            called(Operation.VEVENTQ_ALLOC, "allocate event queue of " + viommu);
            return new FakeEventQueue(++objects);
        }

        @Override
        public int allocateHardwareQueue(int viommu, int index, long iova, long size) {
            called(Operation.HW_QUEUE_ALLOC, "allocate hardware queue %d of %d".formatted(index, viommu));
            return ++objects;
        }

        @Override
        public int invalidate(int viommu, List<SmmuCommand> commands) {
            called(Operation.HWPT_INVALIDATE, "%d commands to %d".formatted(commands.size(), viommu));
            return commands.size();
        }

        @Override
        public long map(long offset, long size) {
            throw new UnsupportedOperationException("no virtual IOMMU here has a page");
        }

        @Override
        public FaultQueuePort allocateFaultQueue() {
            called(Operation.FAULT_QUEUE_ALLOC, "allocate fault queue");
            return new FakeFaultQueue(++objects);
        }

        @Override
        public void invalidate(int hwpt, long address, long pages, boolean leavesOnly) {
            called(Operation.HWPT_INVALIDATE, "forget %x+%d of %d".formatted(address, pages, hwpt));
        }

        @Override
        public void trackDirtyPages(int hwpt, boolean on) {
            called(Operation.HWPT_SET_DIRTY_TRACKING, "track dirty pages of %d: %b".formatted(hwpt, on));
        }

        @Override
        public void dirtyPages(int hwpt, long iova, long size, long pageSize, long[] bitmap, boolean clear) {
            called(Operation.HWPT_GET_DIRTY_BITMAP, "dirty pages of %x+%x, clear: %b".formatted(iova, size, clear));
            bitmap[0] = 5;
        }

        @Override
        public IommuHardware hardware(int device) {
            return new IommuHardware(1, 1, 20, ByteBuffer.allocate(8));
        }

        @Override
        public IommuHardware hardware(int device, int type) {
            return hardware(device);
        }

        @Override
        public void changeProcess() {
            called(Operation.IOAS_CHANGE_PROCESS, "change process");
        }

        @Override
        public OptionalInt containerIoas() {
            return OptionalInt.empty();
        }

        @Override
        public void containerIoas(int ioas) {
            called(Operation.IOMMU_VFIO_IOAS, "container ioas " + ioas);
        }

        @Override
        public void clearContainerIoas() {
            called(Operation.IOMMU_VFIO_IOAS, "no container ioas");
        }

        @Override
        public long option(int option, int object) {
            return 1;
        }

        @Override
        public void option(int option, int object, long value) {
            called(Operation.IOMMU_OPTION, "option %d of %d: %d".formatted(option, object, value));
        }

        @Override
        public void close() {
            calls.add("close iommufd");
        }
    }

    private final class FakeDevice implements DevicePort {
        @Override
        public DeviceInfo info() {
            called(Operation.DEVICE_GET_INFO, "device info");
            return deviceInfo;
        }

        @Override
        public int bind(IommufdPort iommufd, UUID vfToken) {
            called(Operation.DEVICE_BIND_IOMMUFD, "bind");
            return 1;
        }

        @Override
        public void attach(int pageTable) {
            called(Operation.DEVICE_ATTACH_IOMMUFD_PT, "attach to " + pageTable);
        }

        @Override
        public void detach() {
            called(Operation.DEVICE_DETACH_IOMMUFD_PT, "detach");
        }

        @Override
        public void attachPasid(int pasid, int pageTable) {
            called(Operation.DEVICE_ATTACH_PASID, "attach pasid %d to %d".formatted(pasid, pageTable));
        }

        @Override
        public void detachPasid(int pasid) {
            called(Operation.DEVICE_DETACH_PASID, "detach pasid " + pasid);
        }

        @Override
        public RegionInfo regionInfo(int index) {
            if (config != null && index == PciConfig.REGION) {
                return new RegionInfo(index, true, true, config.capacity(), CONFIG, List.of(), false, Optional.empty());
            }
            List<RegionInfo.Area> areas = index == 0 ? List.of(new RegionInfo.Area(0, 4096)) : List.of();
            return new RegionInfo(index, true, !readOnly, 4096, index * 0x1000L, areas, false, Optional.empty());
        }

        @Override
        public IrqInfo irqInfo(int index) {
            return irqInfo.apply(index);
        }

        @Override
        public void setIrqs(int index, IrqAction action, int start, int count) {
            called(Operation.DEVICE_SET_IRQS, "%s irq %d: %d+%d".formatted(action, index, start, count));
        }

        @Override
        public void setIrqs(int index, IrqAction action, int start, boolean[] chosen) {
            String text = "%s irq %d: %d %s".formatted(action, index, start, Arrays.toString(chosen));
            called(Operation.DEVICE_SET_IRQS, text);
        }

        @Override
        public int setIrqs(int index, IrqAction action, int start, EventPort[] events) {
            called(
                    Operation.DEVICE_SET_IRQS,
                    "%s irq %d: %d %s".formatted(action, index, start, Arrays.toString(events)));
            return vectorsAvailable;
        }

        @Override
        public void reset() {
            called(Operation.DEVICE_RESET, "reset");
        }

        @Override
        public FeaturePort features() {
            return features;
        }

        @Override
        public GraphicsPort graphics() {
            return graphics;
        }

        @Override
        public HotResetInfo hotResetInfo() {
            return new HotResetInfo(
                    List.of(new AffectedDevice(ADDRESS, OptionalInt.of(4), Optional.empty())), Optional.empty());
        }

        @Override
        public void hotReset(List<GroupPort> groups) {
            called(Operation.PCI_HOT_RESET, "hot reset of " + groups.size());
        }

        @Override
        public void ioEventFd(long offset, int width, long value, EventPort event) {
            String when = event == null ? "never" : "at " + event;
            called(Operation.IOEVENTFD, "write %x to %x as %d %s".formatted(value, offset, width, when));
        }

        @Override
        public long read(long offset, MemorySegment target) {
            called(Operation.REGION_READ, "read");
            if (offset >= CONFIG) {
                MemorySegment from = MemorySegment.ofArray(config.array());
                MemorySegment.copy(from, offset - CONFIG, target, 0, target.byteSize());
                return target.byteSize();
            }
            target.fill((byte) 2); // memory decode is on, if it is the command register
            return target.byteSize();
        }

        @Override
        public long write(long offset, MemorySegment source) {
            called(Operation.REGION_WRITE, "write");
            if (offset >= CONFIG) {
                MemorySegment to = MemorySegment.ofArray(config.array());
                MemorySegment.copy(source, 0, to, offset - CONFIG, source.byteSize());
                return source.byteSize();
            }
            return source.byteSize() - 1; // a short write
        }

        @Override
        public long map(long offset, long size, boolean writable) {
            called(Operation.REGION_MAP, "map bar");
            MemorySegment bar = Arena.global().allocate(size, 4096); // a page or few, for as long as the tests run
            return bar.address();
        }

        @Override
        public void unmap(long address, long size) {
            called(Operation.REGION_UNMAP, "unmap bar");
        }

        @Override
        public void close() {
            calls.add("close device");
        }
    }
}
