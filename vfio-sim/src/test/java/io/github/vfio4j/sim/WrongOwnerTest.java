package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.DmaFile;
import io.github.vfio4j.FaultQueue;
import io.github.vfio4j.Features;
import io.github.vfio4j.Group;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.Handover;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.KvmVm;
import io.github.vfio4j.NestedHwpt;
import io.github.vfio4j.NoIommu;
import io.github.vfio4j.PageFaultGroup;
import io.github.vfio4j.PageResponse;
import io.github.vfio4j.Region;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.Rule;
import io.github.vfio4j.SpaprTce;
import io.github.vfio4j.SpaprTceV2;
import io.github.vfio4j.SpaprWindow;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.Viommu;
import io.github.vfio4j.ViommuType;
import io.github.vfio4j.Waiter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What belongs to another device, container, iommufd or kernel is refused, and nothing is sent that changes anything. */
@Timeout(60)
class WrongOwnerTest {
    private static final long PAGE = LiveHandles.PAGE;
    /** Limits of an IOMMU, what it can do, the status of a group, the devices that a reset would reach. */
    private static final Set<String> QUESTIONS = Set.of("ioctl 0x3b70", "ioctl 0x3b67", "ioctl 0x3b84", "ioctl 0x3b65");

    private static final LiveHandles LIVE = new LiveHandles();
    private static final LiveHandles OTHER = new LiveHandles();

    private record Wrong(String what, ThrowingCallable call, Optional<Rule> rule) {
        @Override
        public String toString() {
            return what;
        }
    }

    @AfterAll
    static void end() {
        LIVE.close();
        OTHER.close();
    }

    @ParameterizedTest(name = "{0} is refused")
    @MethodSource({"ofAnotherKernel", "ofTheSameProgram"})
    void isRefused(Wrong wrong) {
        List<String> before = LIVE.held();
        List<String> others = OTHER.held();
        LIVE.newCalls();
        OTHER.newCalls();
        Throwable refusal = catchThrowable(wrong.call);
        if (wrong.rule.isPresent()) {
            assertThat(refusal).as(wrong.what).isInstanceOf(VfioException.class);
            assertThat(((VfioException) refusal).rule()).as(wrong.what).isEqualTo(wrong.rule);
        } else {
            assertThat(refusal).as(wrong.what).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(LIVE.newCalls()).as(wrong.what).allMatch(QUESTIONS::contains);
        assertThat(OTHER.newCalls()).as(wrong.what).allMatch(QUESTIONS::contains);
        assertThat(LIVE.held()).as(wrong.what).isEqualTo(before);
        assertThat(OTHER.held()).as(wrong.what).isEqualTo(others);
    }

    private static Wrong argument(String what, ThrowingCallable call) {
        return new Wrong(what, call, Optional.empty());
    }

    private static Wrong rule(Rule rule, String what, ThrowingCallable call) {
        return new Wrong(what, call, Optional.of(rule));
    }

    static List<Wrong> ofAnotherKernel() {
        List<Wrong> all = new ArrayList<>();
        Group group = OTHER.the(Group.class, LiveHandles.BY_GROUP);
        Device device = OTHER.the(Device.class, LiveHandles.BY_GROUP);
        Device byNode = OTHER.the(Device.class, LiveHandles.BY_IOMMUFD);
        DmaBuffer buffer = OTHER.the(DmaBuffer.class, LiveHandles.BY_GROUP);
        DmaBuffer ofIoas = OTHER.the(DmaBuffer.class, LiveHandles.BY_IOMMUFD);
        Interrupt interrupt = OTHER.the(Interrupt.class, LiveHandles.BY_GROUP);
        Container container = LIVE.the(Container.class, "");
        all.add(argument("attaching a group of another kernel", () -> container.attach(group)));
        all.add(rule(Rule.UNSET_NEEDS_CONTAINER, "detaching a group of another kernel", () -> container.detach(group)));
        Type1 type1 = LIVE.the(Type1.class, "");
        all.add(rule(Rule.DEVICE_NEEDS_THIS_CONTAINER, "opening a device of another kernel's group", () -> type1.openDevice(group, LiveHandles.FIRST)));
        all.add(argument("taking the address of another kernel's buffer", () -> type1.takeAddress(buffer)));
        all.add(rule(Rule.MAP_ADDRESS_AWAITED, "giving the address of another kernel's buffer", () -> type1.giveAddress(buffer)));
        Ioas ioas = LIVE.the(Ioas.class, "");
        all.add(argument("copying another kernel's buffer", () -> ioas.copy(ofIoas, Access.READ)));
        all.add(argument("a page table with another kernel's fault queue", () -> ioas.allocateHwpt(
                LIVE.the(Device.class, LiveHandles.BY_IOMMUFD), OTHER.the(FaultQueue.class, ""))));
        Viommu viommu = LIVE.the(Viommu.class, "");
        GuestPageTable table = new GuestPageTable.ArmSmmuV3(1, 0);
        all.add(argument("a virtual IOMMU for another kernel's device", () -> viommu.parent().allocateViommu(
                byNode, ViommuType.ARM_SMMUV3)));
        all.add(argument("a guest's page table for another kernel's device", () -> viommu.nest(byNode, table)));
        all.add(argument("a guest's number of another kernel's device", () -> viommu.addDevice(byNode, 5)));
        all.add(argument("mapping another kernel's file", () -> ioas.map(OTHER.the(DmaFile.class, ""), Access.READ)));
        all.add(argument("a page table for another kernel's device", () -> ioas.allocateHwpt(byNode, false)));
        Device own = LIVE.the(Device.class, LiveHandles.BY_IOMMUFD);
        all.add(argument("attaching to another kernel's address space", () -> own.attach(OTHER.the(Ioas.class, ""))));
        all.add(argument("adding another kernel's group to a virtual machine", () -> LIVE.the(KvmVm.class, "").add(group)));
        all.add(argument("adding another kernel's device to a virtual machine", () -> LIVE.the(KvmVm.class, "").add(device)));
        all.add(argument("adding another kernel's device by its own node to a virtual machine", () -> LIVE.the(KvmVm.class, "")
                .add(byNode)));
        all.add(argument("sending another kernel's device by its own node", () -> LIVE.the(Handover.class, "").send(byNode)));
        all.add(argument("sending another kernel's file", () -> LIVE.the(Handover.class, "").send(OTHER.the(DmaFile.class, ""))));
        all.add(argument("sending another kernel's iommufd", () -> LIVE.the(Handover.class, "").send(OTHER.the(Iommufd.class, ""))));
        all.add(argument("sending another kernel's group", () -> LIVE.the(Handover.class, "").send(group)));
        all.add(argument("sending another kernel's device", () -> LIVE.the(Handover.class, "").send(device)));
        all.add(argument("waiting for another kernel's interrupt", () -> LIVE.the(Waiter.class, "").add(interrupt)));
        all.add(argument("a hot reset with another kernel's group", () -> LIVE.the(Device.class, LiveHandles.BY_GROUP)
                .hotReset(group)));
        return all;
    }

    static List<Wrong> ofTheSameProgram() {
        List<Wrong> all = new ArrayList<>();
        Vfio vfio = LIVE.the(Vfio.class, "");
        Group bare = LIVE.the(Group.class, "without an IOMMU");
        Group group = LIVE.the(Group.class, LiveHandles.BY_GROUP);
        Container container = LIVE.the(Container.class, "");
        Container empty = vfio.openContainer();
        Iommufd secondIommufd = vfio.openIommufd();
        Ioas second = secondIommufd.allocateIoas();
        DmaBuffer ofSecond = second.allocate(PAGE, Access.READ_WRITE);
        Ioas third = LIVE.the(Iommufd.class, "").allocateIoas();
        DmaBuffer ofThird = third.allocate(PAGE, Access.READ_WRITE);
        all.add(rule(Rule.UNSET_NEEDS_CONTAINER, "detaching another container's group", () -> empty.detach(group)));
        all.add(rule(Rule.UNSET_NEEDS_CONTAINER, "detaching a group that is without an IOMMU elsewhere", () -> container.detach(bare)));
        DmaBuffer buffer = LIVE.the(DmaBuffer.class, LiveHandles.BY_GROUP);
        Type1 type1 = LIVE.the(Type1.class, "");
        all.add(rule(Rule.DEVICE_NEEDS_THIS_CONTAINER, "opening a device of another container's group", () -> type1.openDevice(bare, LiveHandles.BARE)));
        for (String way : List.of(LiveHandles.BY_POWER_V1, LiveHandles.BY_POWER_V2)) {
            SpaprTce power = LIVE.the(SpaprTce.class, way);
            all.add(rule(Rule.DEVICE_NEEDS_THIS_CONTAINER, "opening a device of another container's group " + way, () -> power.openDevice(group, LiveHandles.FIRST)));
        }
        SpaprTceV2 power = LIVE.the(SpaprTceV2.class, "");
        SpaprWindow stranger = new SpaprWindow(new IovaRange(1L << 40, (1L << 41) - 1), PAGE, 1);
        all.add(argument("removing another IOMMU's window", () -> power.removeWindow(stranger)));
        all.add(argument("unregistering memory that is not registered", () -> power.unregisterMemory(buffer.segment())));
        all.add(rule(Rule.DEVICE_NEEDS_THIS_CONTAINER, "opening a translated device without an IOMMU", () -> LIVE.the(NoIommu.class, "")
                .openDevice(group, LiveHandles.FIRST)));
        DmaBuffer ofIoas = LIVE.the(DmaBuffer.class, LiveHandles.BY_IOMMUFD);
        Ioas ioas = LIVE.the(Ioas.class, "");
        DirtyTracking tracking = LIVE.the(DirtyTracking.class, LiveHandles.BY_GROUP);
        all.add(argument("dirty pages of an iommufd's buffer by a container", () -> tracking.read(ofIoas)));
        all.add(argument("unmapping an iommufd's buffer by a container's tracking", () -> tracking.unmap(ofIoas)));
        DirtyTracking ofTable = LIVE.the(DirtyTracking.class, LiveHandles.BY_IOMMUFD);
        all.add(argument("dirty pages of another address space's buffer", () -> ofTable.read(ofThird)));
        all.add(argument("unmapping another address space's buffer by a page table's tracking", () -> ofTable.unmap(ofThird)));
        all.add(argument("copying a container's buffer", () -> ioas.copy(buffer, Access.READ)));
        all.add(argument("copying another iommufd's buffer", () -> ioas.copy(ofSecond, Access.READ)));
        Device byNode = LIVE.the(Device.class, LiveHandles.BY_IOMMUFD);
        Device byGroup = LIVE.the(Device.class, LiveHandles.BY_GROUP);
        all.add(argument("attaching to another iommufd's address space", () -> byNode.attach(second)));
        all.add(argument("another iommufd's address space for containers", () -> LIVE.the(Iommufd.class, "")
                .chooseContainerIoas(second)));
        all.add(argument("a page table for another iommufd's device", () -> second.allocateHwpt(byNode, false)));
        FaultQueue faults = secondIommufd.allocateFaultQueue();
        Viommu viommu = LIVE.the(Viommu.class, "");
        Device virtual = LIVE.the(Device.class, LiveHandles.VIRTUAL);
        GuestPageTable table = new GuestPageTable.ArmSmmuV3(1, 0);
        all.add(argument("a guest's page table with another iommufd's fault queue", () -> viommu.nest(virtual, table, faults)));
        all.add(argument("a guest's number of another iommufd's device", () -> viommu.addDevice(byNode, 5)));
        all.add(argument("attaching another iommufd's device to a guest's page table", () -> byNode.attach(
                LIVE.the(NestedHwpt.class, ""))));
        all.add(argument("a page table with another iommufd's fault queue", () -> ioas.allocateHwpt(byNode, faults)));
        all.add(rule(Rule.FAULT_UNANSWERED, "answering page faults of nobody", () -> faults.answer(
                new PageFaultGroup(1, List.of()), PageResponse.SUCCESS)));
        all.add(argument("a page table for a group's device", () -> ioas.allocateHwpt(byGroup, false)));
        Region region = byNode.region(0);
        all.add(argument("sharing another device's region", () -> LIVE.the(Features.class, LiveHandles.BY_GROUP)
                .exportDmaBuf(region, List.of(new RegionInfo.Area(0, PAGE)))));
        return all;
    }
}
