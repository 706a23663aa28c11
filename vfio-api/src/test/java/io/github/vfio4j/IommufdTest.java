package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.spi.FaultQueuePort;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the kernel is asked on the way of iommufd, and in which order. */
class IommufdTest {
    private static final String NODE = "/dev/vfio/devices/vfio3";

    private final FakeKernel kernel = new FakeKernel();
    private final Vfio vfio = Vfio.on(kernel, Contract.STRICT);

    @BeforeEach
    void theDeviceHasANode() {
        kernel.deviceNode = NODE;
    }

    @Test
    void theShortRoadTakesTheNodeWhereThereIsOne() {
        Device device = vfio.openDevice(FakeKernel.ADDRESS);
        assertThat(device.openedBy()).isEqualTo(OpenedBy.CDEV);
        assertThat(vfio.wayTo(FakeKernel.ADDRESS)).isEqualTo(OpenedBy.CDEV);
        assertThat(kernel.newCalls())
                .containsExactly("open iommufd", "open " + NODE, "bind", "device info", "allocate ioas", "attach to 1");
        device.close();
        assertThat(kernel.newCalls()).containsExactly("detach", "close device", "destroy 1", "close iommufd");
    }

    @Test
    void theShortRoadTakesTheGroupWhereThereIsNoNode() {
        kernel.deviceNode = null;
        assertThat(vfio.openDevice(FakeKernel.ADDRESS).openedBy()).isEqualTo(OpenedBy.GROUP);
    }

    @Test
    void theShortRoadTakesTheGroupWhereTheNodeMayNotBeOpened() {
        kernel.inaccessible = List.of(NODE);
        assertThat(vfio.wayTo(FakeKernel.ADDRESS)).isEqualTo(OpenedBy.GROUP);
        kernel.inaccessible = List.of("/dev/iommu");
        assertThat(vfio.wayTo(FakeKernel.ADDRESS)).isEqualTo(OpenedBy.GROUP);
    }

    @Test
    void theShortRoadGoesWhereItIsTold() {
        Device device = vfio.openDevice(FakeKernel.ADDRESS, OpenedBy.GROUP);
        assertThat(device.openedBy()).isEqualTo(OpenedBy.GROUP);
        device.close();
        assertThatThrownBy(() -> vfio.openDevice(FakeKernel.ADDRESS, OpenedBy.PEER))
                .isInstanceOf(IllegalArgumentException.class);
        kernel.deviceNode = null;
        assertThatThrownBy(() -> vfio.openDevice(FakeKernel.ADDRESS, OpenedBy.CDEV))
                .isInstanceOf(VfioException.class)
                .hasMessageContaining("ENOENT");
        assertThat(kernel.calls).last().isEqualTo("close iommufd");
    }

    @Test
    void whatFailsOnTheShortRoadLeavesNothingOpen() {
        kernel.failures.put(Operation.DEVICE_ATTACH_IOMMUFD_PT, Errno.ENOMEM);
        assertThatThrownBy(() -> vfio.openDevice(FakeKernel.ADDRESS)).hasMessageContaining("ENOMEM");
        assertThat(kernel.newCalls()).endsWith("close device", "destroy 1", "close iommufd");
        kernel.failures.clear();
        kernel.failures.put(Operation.DEVICE_BIND_IOMMUFD, Errno.EPERM);
        assertThatThrownBy(() -> vfio.openDevice(FakeKernel.ADDRESS)).hasMessageContaining("EPERM");
        assertThat(kernel.newCalls()).endsWith("close device", "close iommufd");
        kernel.failures.clear();
        vfio.openDevice(FakeKernel.ADDRESS);
    }

    @Test
    void memoryThatTheKernelKeepsMappedIsKept() {
        Iommufd iommufd = vfio.openIommufd();
        Ioas ioas = iommufd.allocateIoas();
        DmaBuffer buffer = ioas.allocate(4096, Access.READ_WRITE);
        kernel.failures.put(Operation.IOMMU_DESTROY, Errno.EBUSY);
        kernel.failures.put(Operation.IOAS_UNMAP, Errno.EBUSY);
        kernel.newCalls();
        assertThatThrownBy(ioas::close).hasMessageContaining("EBUSY");
        assertThat(kernel.newCalls()).containsExactly("destroy 1", "unmap 10000+1000 in 1");
        assertThat(buffer.segment().scope().isAlive()).isTrue();
        iommufd.close();
        assertThat(kernel.newCalls()).containsExactly("close iommufd", "free 1000");
        assertThat(buffer.segment().scope().isAlive()).isFalse();
    }

    @Test
    void memoryIsKeptForeverWhereADeviceMayStillReachIt() {
        Device device = vfio.openDevice(FakeKernel.ADDRESS);
        DmaBuffer buffer = device.iommu().allocate(4096, Access.READ_WRITE);
        kernel.failures.put(Operation.DEVICE_DETACH_IOMMUFD_PT, Errno.EIO);
        kernel.failures.put(Operation.IOMMU_DESTROY, Errno.EBUSY);
        kernel.failures.put(Operation.IOAS_UNMAP, Errno.EBUSY);
        assertThatThrownBy(device::close).hasMessageContaining("EIO");
        assertThat(buffer.segment().scope().isAlive()).isTrue();
    }

    @Test
    void memoryIsUnmappedBeforeItIsFreed() {
        Device device = vfio.openDevice(FakeKernel.ADDRESS);
        device.iommu().allocate(4096, Access.READ);
        kernel.newCalls();
        device.close();
        assertThat(kernel.newCalls())
                .containsExactly(
                        "detach", "close device", "destroy 1", "free 1000", "close iommufd");
    }

    @Test
    void aPasidIsDetachedBeforeItsPageTableIsDestroyed() {
        Iommufd iommufd = vfio.openIommufd();
        Device device = iommufd.openDevice(FakeKernel.ADDRESS);
        Ioas ioas = iommufd.allocateIoas();
        Hwpt first = ioas.allocateHwpt(device, HwptFlag.PASID);
        Hwpt second = ioas.allocateHwpt(device, HwptFlag.PASID, HwptFlag.DIRTY_TRACKING);
        device.attachPasid(5, first);
        device.attachPasid(6, second);
        device.attachPasid(7, first);
        device.attachPasid(7, second);
        assertThat(kernel.newCalls()).endsWith(
                "attach pasid 5 to 2", "attach pasid 6 to 3", "attach pasid 7 to 2", "attach pasid 7 to 3");
        device.detachPasid(5);
        device.detachPasid(5); // does nothing
        assertThat(kernel.newCalls()).containsExactly("detach pasid 5");
        first.close();
        assertThat(kernel.newCalls()).containsExactly("destroy 2");
        second.close();
        assertThat(kernel.newCalls()).containsExactly("detach pasid 6", "detach pasid 7", "destroy 3");
        Hwpt third = ioas.allocateHwpt(device, HwptFlag.PASID);
        device.attachPasid(5, third);
        kernel.newCalls();
        device.close();
        assertThat(kernel.newCalls()).containsExactly("detach pasid 5", "close device");
    }

    @Test
    void aPasidIsAttachedWhereAllPageTablesAreMadeForIt() {
        Iommufd iommufd = vfio.openIommufd();
        Device device = iommufd.openDevice(FakeKernel.ADDRESS);
        Ioas ioas = iommufd.allocateIoas();
        Hwpt plain = ioas.allocateHwpt(device);
        Hwpt forPasids = ioas.allocateHwpt(device, HwptFlag.PASID);
        assertBroken(Rule.ATTACH_PASID_TABLE, () -> device.attachPasid(5, plain));
        assertBroken(Rule.ATTACH_PASID, () -> device.attachPasid(0, forPasids));
        device.attach(ioas);
        assertBroken(Rule.ATTACH_PASID_TABLE, () -> device.attachPasid(5, forPasids));
        device.attach(forPasids);
        device.attachPasid(5, forPasids);
        forPasids.close();
        assertBroken(Rule.HANDLE_OPEN, () -> device.attachPasid(5, forPasids));
        assertThatThrownBy(() -> device.attachPasid(1 << 20, plain)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> device.detachPasid(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aNestedPageTableGoesBeforeTheOneThatItIsNestedIn() {
        Iommufd iommufd = vfio.openIommufd();
        Device device = iommufd.openDevice(FakeKernel.ADDRESS);
        Ioas ioas = iommufd.allocateIoas();
        GuestPageTable table = new GuestPageTable.ArmSmmuV3(1, 2);
        Hwpt plain = ioas.allocateHwpt(device);
        assertBroken(Rule.HWPT_NEST_PARENT, () -> plain.nest(device, table));
        Hwpt parent = ioas.allocateHwpt(device, HwptFlag.NEST_PARENT);
        NestedHwpt nested = parent.nest(device, table);
        assertThat(nested.parent()).isSameAs(parent);
        assertThat(nested.ioas()).isSameAs(ioas);
        kernel.newCalls();
        device.attach(nested);
        nested.changed(0x5000, 3, true);
        assertThat(kernel.newCalls()).containsExactly("attach to 4", "forget 5000+3 of 4");
        parent.close();
        nested.close();
        assertThat(kernel.newCalls()).containsExactly("detach", "destroy 4", "destroy 3");
        assertBroken(Rule.HANDLE_OPEN, () -> nested.changed(0, -1, false));
        assertBroken(Rule.HANDLE_OPEN, () -> device.attach(nested));
        assertBroken(Rule.HANDLE_OPEN, () -> parent.nest(device, table));
    }

    @Test
    void aFaultQueueClosesItsFileBeforeItIsDestroyed() {
        Iommufd iommufd = vfio.openIommufd();
        Device device = iommufd.openDevice(FakeKernel.ADDRESS);
        Ioas ioas = iommufd.allocateIoas();
        FaultQueue queue = iommufd.allocateFaultQueue();
        kernel.newCalls();
        Hwpt table = ioas.allocateHwpt(device, queue);
        Hwpt parent = ioas.allocateHwpt(device, HwptFlag.NEST_PARENT);
        NestedHwpt nested = parent.nest(device, new GuestPageTable.ArmSmmuV3(1, 2), queue);
        assertThat(kernel.newCalls())
                .containsExactly("allocate hwpt in 1 with faults to 2", "allocate hwpt in 1", "nest in 4 with faults to 2");
        device.attach(nested);
        kernel.newCalls();
        queue.close();
        assertThat(kernel.newCalls())
                .containsExactly("detach", "destroy 5", "destroy 3", "close fault queue", "destroy 2");
        assertBroken(Rule.HANDLE_OPEN, () -> device.attach(table));
        queue.close();
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void whatIsMadeOfAVirtualIommuGoesBeforeIt() {
        Iommufd iommufd = vfio.openIommufd();
        Device device = iommufd.openDevice(FakeKernel.ADDRESS);
        Ioas ioas = iommufd.allocateIoas();
        Hwpt plain = ioas.allocateHwpt(device);
        assertBroken(Rule.VIOMMU_NEST_PARENT, () -> plain.allocateViommu(device, ViommuType.TEGRA241_CMDQV));
        Hwpt parent = ioas.allocateHwpt(device, HwptFlag.NEST_PARENT);
        kernel.newCalls();
        Viommu viommu = parent.allocateViommu(device, ViommuType.TEGRA241_CMDQV);
        VirtualDevice virtual = viommu.addDevice(device, 5);
        NestedHwpt nested = viommu.nest(device, new GuestPageTable.ArmSmmuV3(1, 2));
        VirtualEventQueue events = viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, 8);
        HardwareQueue first = viommu.allocateHardwareQueue(0, 0x10000, 4096);
        HardwareQueue second = viommu.allocateHardwareQueue(1, 0x20000, 4096);
        device.attach(nested);
        assertThat(viommu.invalidate(List.of(new SmmuCommand(1, 2)))).isEqualTo(1);
        assertThat(events.poll()).containsExactly(new VirtualEvent.Lost(0));
        assertThat(viommu.page()).isEmpty();
        assertThat(kernel.newCalls())
                .containsExactly(
                        "allocate viommu of 3",
                        "allocate vdevice 5 of 4",
                        "nest in 4",
                        "allocate event queue of 4",
                        "allocate hardware queue 0 of 4",
                        "allocate hardware queue 1 of 4",
                        "attach to 6",
                        "1 commands to 4");
        assertBroken(Rule.VDEVICE_ONCE, () -> viommu.addDevice(device, 6));
        assertBroken(Rule.VEVENTQ_ONCE, () -> viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, 8));
        assertBroken(Rule.VEVENTQ_DEPTH, () -> viommu.allocateEventQueue(VirtualEventType.TEGRA241_CMDQV, 0));
        assertBroken(Rule.HW_QUEUE_INDEX, () -> viommu.allocateHardwareQueue(1, 0, 4096));
        assertBroken(Rule.HW_QUEUE_ORDER, () -> viommu.allocateHardwareQueue(3, 0, 4096));
        first.close();
        assertThat(kernel.newCalls()).containsExactly("destroy 9", "destroy 8");
        second.close();
        virtual.close();
        viommu.addDevice(device, 5);
        kernel.newCalls();
        parent.close();
        assertThat(kernel.newCalls())
                .containsExactly("destroy 10", "close event queue", "destroy 7", "detach", "destroy 6", "destroy 4", "destroy 3");
        assertBroken(Rule.HANDLE_OPEN, () -> viommu.addDevice(device, 6));
        assertBroken(Rule.HANDLE_OPEN, events::poll);
        assertBroken(Rule.HANDLE_OPEN, viommu::page);
    }

    @Test
    void aDeviceTakesItsVirtualOneWithIt() {
        Iommufd iommufd = vfio.openIommufd();
        Device device = iommufd.openDevice(FakeKernel.ADDRESS);
        Hwpt parent = iommufd.allocateIoas().allocateHwpt(device, HwptFlag.NEST_PARENT);
        Viommu viommu = parent.allocateViommu(device, ViommuType.ARM_SMMUV3);
        viommu.addDevice(device, 5);
        assertBroken(Rule.HW_QUEUE_SUPPORTED, () -> viommu.allocateHardwareQueue(0, 0, 4096));
        kernel.newCalls();
        device.close();
        assertThat(kernel.newCalls()).containsExactly("destroy 4", "close device");
        assertBroken(Rule.HANDLE_OPEN, () -> viommu.addDevice(device, 5));
    }

    @Test
    void aGroupOfFaultsEndsWithItsLastOne() {
        Iommufd iommufd = vfio.openIommufd();
        Device device = iommufd.openDevice(FakeKernel.ADDRESS);
        FaultQueue queue = iommufd.allocateFaultQueue();
        Set<PageFault.Permission> read = Set.of(PageFault.Permission.READ);
        kernel.faults.add(new FaultQueuePort.Fault(1, OptionalInt.of(5), false, 3, read, 0x1000, 0, 77));
        kernel.faults.add(new FaultQueuePort.Fault(1, OptionalInt.of(5), true, 3, read, 0x2000, 8192, 77));
        kernel.faults.add(new FaultQueuePort.Fault(9, OptionalInt.empty(), true, 3, read, 0x3000, 0, 78));
        List<PageFaultGroup> groups = queue.poll();
        assertThat(groups)
                .containsExactly(
                        new PageFaultGroup(
                                77,
                                List.of(
                                        new PageFault(Optional.of(device), OptionalInt.of(5), 3, read, 0x1000, 0),
                                        new PageFault(Optional.of(device), OptionalInt.of(5), 3, read, 0x2000, 8192))),
                        new PageFaultGroup(
                                78, List.of(new PageFault(Optional.empty(), OptionalInt.empty(), 3, read, 0x3000, 0))));
        kernel.newCalls();
        queue.answer(groups.get(1), PageResponse.INVALID);
        queue.answer(groups.get(0), PageResponse.SUCCESS);
        assertThat(kernel.newCalls()).containsExactly("answer 78: false", "answer 77: true");
        assertBroken(Rule.FAULT_UNANSWERED, () -> queue.answer(groups.get(0), PageResponse.SUCCESS));
        PageFaultGroup made = new PageFaultGroup(1, List.of());
        assertBroken(Rule.FAULT_UNANSWERED, () -> queue.answer(made, PageResponse.SUCCESS));
    }

    private void assertBroken(Rule rule, ThrowingCallable call) {
        kernel.newCalls();
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(RuleViolation.class, e -> assertThat(e.rule()).contains(rule));
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void aNodeOfAnotherGroupIsNoHindrance() {
        vfio.openGroup(27);
        vfio.openDevice(FakeKernel.ADDRESS, OpenedBy.CDEV);
        assertThatThrownBy(() -> vfio.openGroup(4))
                .isInstanceOfSatisfying(
                        RuleViolation.class, e -> assertThat(e.rule()).contains(Rule.GROUP_OPEN_CDEV));
        assertThat(vfio.pciDevice(FakeKernel.ADDRESS).iommuGroup()).isEqualTo(OptionalInt.of(4));
    }
}
