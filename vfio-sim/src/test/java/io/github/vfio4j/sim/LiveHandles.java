package io.github.vfio4j.sim;

import io.github.vfio4j.Access;
import io.github.vfio4j.Binder;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceCapability;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DirtyTrackingInfo;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Edid;
import io.github.vfio4j.EehError;
import io.github.vfio4j.Errno;
import io.github.vfio4j.FaultQueue;
import io.github.vfio4j.Graphics;
import io.github.vfio4j.GraphicsPlane;
import io.github.vfio4j.Group;
import io.github.vfio4j.GroupMember;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.Handover;
import io.github.vfio4j.HandoverListener;
import io.github.vfio4j.Hwpt;
import io.github.vfio4j.HwptFlag;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.InterruptHandler;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.KvmVm;
import io.github.vfio4j.MediatedDevices;
import io.github.vfio4j.Migration;
import io.github.vfio4j.MigrationState;
import io.github.vfio4j.NoIommu;
import io.github.vfio4j.PageFault;
import io.github.vfio4j.PageFaultGroup;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.ReceivedGroup;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.Rule;
import io.github.vfio4j.SmmuCommand;
import io.github.vfio4j.SpaprInfo;
import io.github.vfio4j.SpaprTceV1;
import io.github.vfio4j.SpaprTceV2;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.Viommu;
import io.github.vfio4j.ViommuType;
import io.github.vfio4j.VirtualEvent;
import io.github.vfio4j.VirtualEventType;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.sim.kernel.MockIommu;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.Arena;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.WildcardType;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;

/** A program on a machine of its own that has a live handle of every kind, or several, and knows what to hand to each. */
final class LiveHandles implements AutoCloseable {
    static final PciAddress FIRST = PciAddress.parse("0000:01:00.0");
    static final PciAddress SLEEPER = PciAddress.parse("0000:02:00.0");
    static final PciAddress SENT = PciAddress.parse("0000:03:00.0");
    static final PciAddress BY_NODE = PciAddress.parse("0000:04:00.0");
    static final PciAddress FREE = PciAddress.parse("0000:05:00.0");
    private static final PciAddress ON_POWER_V1 = PciAddress.parse("0000:07:00.0");
    private static final PciAddress ON_POWER_V2 = PciAddress.parse("0000:08:00.0");
    static final PciAddress BARE = PciAddress.parse("0000:06:00.0");
    static final UUID MEDIATED = UUID.fromString("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001");
    private static final UUID WITH_A_SCREEN = UUID.fromString("83b8f4f2-509f-382f-3c1e-e6bfe0fa1002");
    private static final UUID CHANNEL = UUID.fromString("83b8f4f2-509f-382f-3c1e-e6bfe0fa1003");
    static final int PAGE = 4096;

    /** A handle and the way of opening devices that it belongs to, so that what is handed to it fits. */
    record Handle(String way, Object object) {
        @Override
        public String toString() {
            return object.getClass().getSimpleName() + (way.isEmpty() ? "" : " " + way);
        }
    }

    static final String BY_GROUP = "by a group";
    static final String BY_POWER_V1 = "by the first version on PowerPC";
    static final String BY_POWER_V2 = "by the second version on PowerPC";
    static final String BY_IOMMUFD = "by an iommufd";
    static final String VIRTUAL = "of a virtual IOMMU";
    private static final String VIRTUAL_PAGE = "of a virtual IOMMU's page"; // which ends with no device
    private static final String ASLEEP = "in low power";
    private static final String OF_MEDIATED = "of a mediated device";
    private static final String OF_A_CHANNEL = "of a channel";
    private static final String WITH_SCREEN = "with a screen";
    private static final String WITHOUT_IOMMU = "without an IOMMU";
    private static final String HANDED_OVER = "handed over";

    private final SimMachine machine = SimMachine.builder()
            .device(FIRST, new TestModel(4, 4), 26, SimMachine.VFIO_PCI)
            .device(SLEEPER, new WithPin(), 27, SimMachine.VFIO_PCI)
            .device(SENT, new TestModel(), 28, SimMachine.VFIO_PCI)
            .device(BY_NODE, new TestModel(4, 0), 29, SimMachine.VFIO_PCI)
            .device(FREE, new TestModel(), 30, "")
            .device(ON_POWER_V1, new TestModel(), 41, SimMachine.VFIO_PCI)
            .device(ON_POWER_V2, new TestModel(), 42, SimMachine.VFIO_PCI)
            .allowNoIommu(true)
            .deviceWithoutIommu(BARE, new TestModel(), SimMachine.VFIO_PCI)
            .mediatedDevice(MEDIATED, new MttyModel())
            .mediatedParent(Samples.MTTY)
            .mediatedDevice(WITH_A_SCREEN, new MbochsModel())
            .mediatedDevice(CHANNEL, new ChannelModel())
            .iommu(29, new SimIommu(0x7f_ffff_ffffL, 0x4020_1000L, false, List.of(), true))
            .build();
    private final SimProcess process = machine.startProcess();
    private final Arena arena = Arena.ofShared();
    private final List<String> calls = Collections.synchronizedList(new ArrayList<>());
    private final List<Handle> handles = new ArrayList<>();
    private final List<Object> values = new ArrayList<>();

    private static final class WithPin extends TestModel {
        @Override
        public int interruptPin() {
            return 1;
        }
    }

    LiveHandles() {
        CallFilter filter = (call, request, _) -> {
            if (!call.equals("sysfs")) {
                calls.add(call.equals("ioctl") ? "ioctl 0x%x".formatted(request) : call);
            }
            return CallFilter.PASS;
        };
        MockIommu mock = new MockIommu(
                FilteredCalls.of(OtherMachines.of(SimPorts.syscalls(process)), filter),
                FilteredCalls.of(SimPorts.sysfs(machine), filter),
                FilteredCalls.of(SimPorts.notes(process), filter));
        Vfio vfio = add("", mock.vfio());
        openByGroup(vfio);
        openByIommufd(vfio);
        openVirtual(vfio, mock);
        openOnPower(vfio);
        openAsleep(vfio);
        openMediated(vfio);
        openWithScreen(vfio);
        openChannel(vfio);
        openWithoutIommu(vfio);
        handOver(vfio);
        Binder binder = add("", vfio.binder());
        add("", binder.bind(FREE, Duration.ZERO));
        MediatedDevices mediated = add("", vfio.mediatedDevices());
        values.add(add("", mediated.type("mtty", "mtty-2")));
        add("", mediated.create(mediated.type("mtty", "mtty-2")));
        values.add(vfio.pciDevice(FIRST));
        values.add(GroupMember.Use.VFIO);
        values.add(FIRST);
        values.add(MEDIATED);
        values.add(new IovaRange(0x10_0000, 0x1f_ffff));
        values.add(Errno.EINVAL);
        values.add(Duration.ZERO);
        values.add(Instant.now());
        values.add(Path.of("/dev/vfio/26"));
        values.add("/tmp/nobody");
        values.add(OptionalInt.empty());
        values.add(Optional.empty());
        values.add(new Throwable());
        values.add(new RegionInfo.Area(0, PAGE));
        values.add(new DirtyTrackingInfo(PAGE, PAGE));
        values.add(new DeviceCapability.Unknown(1, 1));
        values.add(new GuestPageTable.ArmSmmuV3(1, 1));
        values.add(DeviceCapability.Unknown.class);
        values.add((byte) 1);
        values.add(MigrationState.STOP);
        values.add(Rule.HANDLE_OPEN);
        values.add(ByteBuffer.allocate(8));
        values.add(arena.allocate(4));
        values.add((InterruptHandler) (_, _) -> {});
        values.add((Consumer<Object>) _ -> {});
        values.add(new Facts() {});
        values.add(new FfmKernel(
                "simulated", SimPorts.syscalls(process), SimPorts.sysfs(machine), SimPorts.notes(process)));
    }

    private <T> T add(String way, T handle) {
        handles.add(new Handle(way, handle));
        return handle;
    }

    private void openByGroup(Vfio vfio) {
        Container container = add(BY_GROUP, vfio.openContainer());
        Group group = add(BY_GROUP, vfio.openGroup(26));
        container.attach(group);
        Type1 iommu = add(BY_GROUP, container.setIommu(IommuType.TYPE1_V2));
        Device device = add(BY_GROUP, iommu.openDevice(group, FIRST));
        values.add(add(BY_GROUP, device.region(0)).info());
        values.add(device.info());
        add(BY_GROUP, device.region(0).map());
        add(BY_GROUP, device.region(2).ioEventFd(0, 4, 1));
        add(BY_GROUP, device.config());
        add(BY_GROUP, device.features().exportDmaBuf(device.region(0), List.of(new RegionInfo.Area(0, PAGE))));
        add(BY_GROUP, device.features());
        Interrupts interrupts = add(BY_GROUP, add(BY_GROUP, device.irq(PciIrq.MSIX)).enable(0, 2));
        Interrupt interrupt = add(BY_GROUP, interrupts.get(0));
        add(BY_GROUP, vfio.openWaiter()).add(interrupt);
        DmaBuffer buffer = add(BY_GROUP, iommu.allocate(PAGE, Access.READ_WRITE));
        add(BY_GROUP, buffer.slice(0, PAGE));
        DirtyTracking tracking = add(BY_GROUP, iommu.trackDirtyPages());
        values.add(tracking.read(buffer));
        KvmVm vm = add(BY_GROUP, vfio.openKvmVm());
        add(BY_GROUP, vm.add(device));
    }

    private void openByIommufd(Vfio vfio) {
        Iommufd iommufd = add(BY_IOMMUFD, vfio.openIommufd());
        Device device = add(BY_IOMMUFD, iommufd.openDevice(BY_NODE));
        Ioas space = add(BY_IOMMUFD, iommufd.allocateIoas());
        Hwpt table = add(BY_IOMMUFD, space.allocateHwpt(device, true));
        device.attach(table);
        DmaBuffer buffer = add(BY_IOMMUFD, space.allocate(PAGE, Access.READ_WRITE));
        add(BY_IOMMUFD, table.trackDirtyPages()).read(buffer);
        add(BY_IOMMUFD, vfio.createDmaFile(PAGE));
        add(BY_IOMMUFD, iommufd.allocateFaultQueue());
        PageFault fault = new PageFault(
                Optional.of(device), OptionalInt.empty(), 1, Set.of(PageFault.Permission.READ), PAGE, 0);
        values.add(fault);
        values.add(new PageFaultGroup(1, List.of(fault)));
    }

    private void openVirtual(Vfio vfio, MockIommu mock) {
        Iommufd iommufd = add(VIRTUAL, vfio.openIommufd());
        Device device = add(VIRTUAL, mock.open(iommufd).device);
        Ioas space = add(VIRTUAL, iommufd.allocateIoas());
        Hwpt parent = add(VIRTUAL, space.allocateHwpt(device, HwptFlag.NEST_PARENT));
        FaultQueue faults = add(VIRTUAL, iommufd.allocateFaultQueue());
        Viommu viommu = add(VIRTUAL, parent.allocateViommu(device, ViommuType.TEGRA241_CMDQV));
        add(VIRTUAL, viommu.addDevice(device, 1));
        GuestPageTable table = new GuestPageTable.ArmSmmuV3(1, 0);
        device.attach(add(VIRTUAL, viommu.nest(device, table, faults)));
        add(VIRTUAL, viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, 1));
        DmaBuffer memory = space.allocateAt(0x200_0000, PAGE, Access.READ_WRITE); // stays mapped for the queue
        add(VIRTUAL, space.allocate(PAGE, Access.READ_WRITE));
        add(VIRTUAL, viommu.allocateHardwareQueue(0, memory.iova(), PAGE));
        add(VIRTUAL_PAGE, viommu.page().orElseThrow());
        values.add(new SmmuCommand(1, 1));
        values.add(new VirtualEvent.Lost(1));
    }

    private void openOnPower(Vfio vfio) {
        Container first = add(BY_POWER_V1, vfio.openContainer());
        Group group = add(BY_POWER_V1, vfio.openGroup(41));
        first.attach(group);
        SpaprTceV1 v1 = add(BY_POWER_V1, first.setSpaprTceV1());
        v1.enable();
        add(BY_POWER_V1, v1.openDevice(group, ON_POWER_V1));
        add(BY_POWER_V1, v1.allocate(PAGE, Access.READ_WRITE));
        Container second = add(BY_POWER_V2, vfio.openContainer());
        Group other = add(BY_POWER_V2, vfio.openGroup(42));
        second.attach(other);
        SpaprTceV2 v2 = add(BY_POWER_V2, second.setSpaprTceV2());
        add(BY_POWER_V2, v2.openDevice(other, ON_POWER_V2));
        add(BY_POWER_V2, v2.allocate(PAGE, Access.READ_WRITE));
        add(BY_POWER_V2, v2.eeh().orElseThrow()).enable();
        SpaprInfo info = v2.info();
        values.add(info);
        values.add(info.dynamicWindows().orElseThrow());
        values.add(v2.windows().getFirst());
        values.add(new EehError(EehError.Width.BITS_32, EehError.Function.DMA_READ_DATA, 0, -1));
    }

    private void openAsleep(Vfio vfio) {
        Container container = vfio.openContainer();
        Group group = vfio.openGroup(27);
        container.attach(group);
        Device device = container.setIommu(IommuType.TYPE1_V2).openDevice(group, SLEEPER);
        Interrupts interrupts = add(ASLEEP, device.irq(PciIrq.INTX).enable());
        add(ASLEEP, add(ASLEEP, interrupts.get(0)).unmaskEvent());
        add(ASLEEP, device.features().enterLowPowerUntilWoken());
    }

    private void openMediated(Vfio vfio) {
        Container container = vfio.openContainer();
        Group group = vfio.openGroup(vfio.groupOf(MEDIATED).orElseThrow());
        container.attach(group);
        Device device = container.setIommu(IommuType.TYPE1_V2).openDevice(group, MEDIATED);
        Migration migration = add(OF_MEDIATED, device.features().migration());
        add(OF_MEDIATED, migration.change(MigrationState.STOP_COPY).orElseThrow());
    }

    private void openWithScreen(Vfio vfio) {
        Container container = vfio.openContainer();
        Group group = vfio.openGroup(vfio.groupOf(WITH_A_SCREEN).orElseThrow());
        container.attach(group);
        Device device = add(WITH_SCREEN, container.setIommu(IommuType.TYPE1_V2).openDevice(group, WITH_A_SCREEN));
        Graphics graphics = add(WITH_SCREEN, device.graphics());
        graphics.ways(); // asked once
        Edid edid = add(WITH_SCREEN, graphics.edid().orElseThrow());
        values.add(edid.limits());
        GraphicsPlane.Storage storage = new GraphicsPlane.InRegion(0);
        values.add(storage);
        values.add(new GraphicsPlane.InDmaBuf(1));
        values.add(new GraphicsPlane.Hotspot(1, 1));
        values.add(new GraphicsPlane(
                GraphicsPlane.Kind.PRIMARY, 0x34325258, 0, 640, 480, 2560, 2560 * 480, 0, 0, Optional.empty(), storage));
    }

    private void openChannel(Vfio vfio) {
        Container container = vfio.openContainer();
        Group group = vfio.openGroup(vfio.groupOf(CHANNEL).orElseThrow());
        container.attach(group);
        Device device = add(OF_A_CHANNEL, container.setIommu(IommuType.TYPE1_V2).openDevice(group, CHANNEL));
        add(OF_A_CHANNEL, device.ccw()).read();
    }

    private void openWithoutIommu(Vfio vfio) {
        Container container = vfio.openContainer();
        Group group = add(WITHOUT_IOMMU, vfio.openUnsafeNoIommuGroup(vfio.pciDevice(BARE).iommuGroup().orElseThrow()));
        container.attach(group);
        NoIommu noIommu = add(WITHOUT_IOMMU, container.setUnsafeNoIommu());
        noIommu.openDevice(group, BARE);
    }

    private void handOver(Vfio vfio) {
        Container container = vfio.openContainer();
        Group group = add(HANDED_OVER, vfio.openGroup(28));
        container.attach(group);
        container.setIommu(IommuType.TYPE1_V2);
        HandoverListener listener = add(HANDED_OVER, vfio.listen("/tmp/bad-input"));
        Handover sender = add(HANDED_OVER, vfio.connect("/tmp/bad-input"));
        Handover receiver = listener.accept();
        add(HANDED_OVER, sender.send(group));
        ReceivedGroup received = add(HANDED_OVER, receiver.receiveGroup());
        received.status();
    }

    /** All handles, in the order in which they were made. */
    List<Handle> handles() {
        return handles;
    }

    /** The live handles and values on which a method of a type can be called. */
    List<Handle> receivers(Class<?> type) {
        List<Handle> all = new ArrayList<>(handles);
        values.forEach(value -> all.add(new Handle("", value)));
        if (type.isEnum()) {
            all.add(new Handle("", type.getEnumConstants()[0]));
        }
        return all.stream().filter(handle -> type.isInstance(handle.object())).toList();
    }

    /** Returns the one handle of a type that was opened in a way, or the first. */
    <T> T the(Class<T> type, String way) {
        return type.cast(receivers(type).stream()
                .filter(handle -> way.isEmpty() || handle.way().equals(way))
                .findFirst()
                .orElseThrow()
                .object());
    }

    /** Something valid to hand to a handle that was opened in a way; empty if nobody thought of such a thing. */
    Optional<Object> argument(Type type, String way) {
        if (type instanceof ParameterizedType generic && generic.getRawType() instanceof Class<?> raw) {
            if (raw == Set.class) {
                return argument(generic.getActualTypeArguments()[0], way).map(Set::of);
            }
            return Collection.class.isAssignableFrom(raw)
                    ? argument(generic.getActualTypeArguments()[0], way).map(List::of)
                    : argument(raw, way);
        }
        if (type instanceof WildcardType wildcard) {
            return argument(wildcard.getUpperBounds()[0], way);
        }
        Class<?> wanted = (Class<?>) type;
        if (wanted.isArray()) {
            return argument(wanted.getComponentType(), way).map(element -> {
                Object array = java.lang.reflect.Array.newInstance(wanted.getComponentType(), 1);
                java.lang.reflect.Array.set(array, 0, element);
                return array;
            });
        }
        if (wanted == int.class) {
            return Optional.of(1);
        } else if (wanted == long.class) {
            return Optional.of((long) PAGE);
        } else if (wanted == boolean.class) {
            return Optional.of(true);
        } else if (wanted == byte.class) {
            return Optional.of((byte) 1);
        } else if (wanted == short.class) {
            return Optional.of((short) 1);
        }
        List<Handle> fitting = receivers(wanted);
        Optional<Handle> best = fitting.stream()
                .filter(handle -> handle.way().equals(way))
                .findFirst()
                .or(() -> fitting.stream().findFirst());
        return best.map(Handle::object)
                .or(() -> Optional.ofNullable(wanted.getEnumConstants()).map(constants -> constants[0]));
    }

    /** The system calls since the last time that this was asked; reads of sysfs are none. */
    List<String> newCalls() {
        synchronized (calls) {
            List<String> all = List.copyOf(calls);
            calls.clear();
            return all;
        }
    }

    /** What is open, mapped and pinned. */
    List<String> held() {
        return machine.leaks();
    }

    @Override
    public void close() {
        machine.close();
        arena.close();
    }
}
