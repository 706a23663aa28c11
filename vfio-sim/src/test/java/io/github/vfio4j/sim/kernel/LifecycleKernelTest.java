package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.GroupStatus;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Rule;
import io.github.vfio4j.SpaprVersion;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import java.util.List;
import org.junit.jupiter.api.Test;

class LifecycleKernelTest extends KernelTest {
    // ---- finding devices

    @Test
    void aDeviceIsFoundWithItsDriverAndItsGroup() {
        PciDevice nvme = vfio.pciDevice(machine.nvme());
        assertThat(nvme.classCode()).isEqualTo(0x010802);
        assertThat(nvme.driver()).contains("vfio-pci");
        assertThat(nvme.iommuGroup()).isPresent();
        assertThat(vfio.pciDevices()).contains(nvme);
        assertThat(vfio.groupMembers(nvme.iommuGroup().getAsInt())).contains(nvme.address().toString());
    }

    @Test
    void siblingsAreInOneGroup() {
        assertThat(machine.siblings().stream().map(this::groupOf).distinct()).hasSize(1);
        assertThat(vfio.groupMembers(groupOf(machine.siblings().getFirst())))
                .containsAll(machine.siblings().stream().map(PciAddress::toString).toList());
    }

    @Test
    void aDeviceThatIsNotThereIsEnoent() {
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> vfio.pciDevice(PciAddress.parse("0000:ff:1f.7")));
        assertThat(e.operation()).isEqualTo(Operation.SYSFS_READ);
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
    }

    // ---- groups

    @Test
    void aGroupIsOpenedOnce() {
        Group group = openGroupOf(machine.nvme());
        assertRefused(Rule.GROUP_OPEN_ONCE, () -> openGroupOf(machine.nvme()));
        assertThat(group.status()).isEqualTo(new GroupStatus(true, false));
    }

    @Test
    void aGroupIsTheSameUnderAnotherName() {
        int number = groupOf(machine.nvme());
        try (Group _ = vfio.openGroup(number)) {
            assertRefused(Rule.GROUP_OPEN_ONCE, () -> vfio.openGroup(number, machine.aliasOf(number)));
        }
        try (Group group = vfio.openGroup(number, machine.aliasOf(number))) {
            assertThat(group.number()).isEqualTo(number);
            assertRefused(Rule.GROUP_OPEN_ONCE, () -> vfio.openGroup(number));
        }
    }

    @Test
    void aGroupCanBeOpenedAgainAfterItsClose() {
        openGroupOf(machine.nvme()).close();
        assertThat(openGroupOf(machine.nvme()).status().viable()).isTrue();
    }

    @Test
    void aGroupThatAnotherProcessHoldsIsEbusyAndSaysSo() throws Exception {
        int number = groupOf(machine.nvme());
        try (AutoCloseable _ = machine.otherProcessHolds(number)) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.openGroup(number));
            assertThat(e.operation()).isEqualTo(Operation.OPEN_GROUP);
            assertThat(e.errno()).isEqualTo(Errno.EBUSY);
            assertThat(e.getMessage()).contains("another process");
        }
        vfio.openGroup(number).close(); // the failed try left nothing behind
    }

    @Test
    void aGroupWithoutAVfioDriverIsEnoentAndSaysSo() {
        VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.openGroup(4711));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        assertThat(e.getMessage()).contains("no IOMMU group 4711");
    }

    // ---- SET_CONTAINER

    @Test
    void attachingAGroupSetsItsContainer() {
        Container container = vfio.openContainer();
        Group group = openGroupOf(machine.nvme());
        container.attach(group);
        assertThat(group.status()).isEqualTo(new GroupStatus(true, true));
    }

    @Test
    void aGroupIsInOneContainerOnly() {
        Container container = vfio.openContainer();
        Container other = vfio.openContainer();
        Group group = openGroupOf(machine.nvme());
        container.attach(group);
        assertRefused(Rule.SET_CONTAINER_ONCE, () -> container.attach(group));
        assertRefused(Rule.SET_CONTAINER_ONCE, () -> other.attach(group));
    }

    @Test
    void aMemberWithAHostDriverMakesSetContainerEpermAndIsNamed() {
        Container container = vfio.openContainer();
        Group group = openGroupOf(machine.siblings().getFirst());
        try (MachineUnderTest.HostDriver taken = machine.hostDriverTakesAMember()) {
            assertThat(group.status().viable()).isFalse();
            VfioException e = catchThrowableOfType(VfioException.class, () -> container.attach(group));
            assertThat(e.operation()).isEqualTo(Operation.GROUP_SET_CONTAINER);
            assertThat(e.errno()).isEqualTo(Errno.EPERM);
            assertThat(e.getMessage()).contains(taken.member() + " (host driver " + taken.driver() + ")");
        }
        container.attach(group); // and works once the member is back
    }

    // ---- SET_IOMMU

    @Test
    void anEmptyContainerHasNoIommuToSet() {
        Container container = vfio.openContainer();
        assertRefused(Rule.SET_IOMMU_NEEDS_GROUP, () -> container.setIommu(IommuType.TYPE1_V2));
    }

    @Test
    void theIommuIsSetOnce() {
        Container container = vfio.openContainer();
        container.attach(openGroupOf(machine.nvme()));
        container.setIommu(IommuType.TYPE1_V2);
        assertRefused(Rule.SET_IOMMU_ONCE, () -> container.setIommu(IommuType.TYPE1_V2));
        assertRefused(Rule.SET_IOMMU_ONCE, () -> container.setIommu(IommuType.TYPE1));
    }

    @Test
    void theKernelOffersBothType1Iommus() {
        Container container = vfio.openContainer();
        assertThat(container.supports(IommuType.TYPE1)).isTrue();
        assertThat(container.supports(IommuType.TYPE1_V2)).isTrue();
    }

    @Test
    void theIommusOfPowerPcAreNotOffered() {
        Container container = vfio.openContainer();
        container.attach(openGroupOf(machine.nvme()));
        assertThat(container.supports(SpaprVersion.V1)).isFalse();
        assertThat(container.supports(SpaprVersion.V2)).isFalse();
        assertRefused(Rule.SET_IOMMU_TYPE, container::setSpaprTceV1);
        assertRefused(Rule.SET_IOMMU_TYPE, container::setSpaprTceV2);
        assertThat(container.setIommu(IommuType.TYPE1_V2).info().granule()).isEqualTo(4096);
    }

    @Test
    void theIommuTellsItsLimits() {
        Container container = vfio.openContainer();
        container.attach(openGroupOf(machine.nvme()));
        Type1 iommu = container.setIommu(IommuType.TYPE1_V2);
        assertThat(iommu.info().granule()).isEqualTo(4096);
        assertThat(iommu.info().ranges()).isNotEmpty();
        assertThat(iommu.info().mappingsLeft()).hasValue(65535);
    }

    // ---- GET_DEVICE_FD

    @Test
    void aDeviceOpensOnceItsContainerHasTheIommu() {
        Stack nvme = open(machine.nvme());
        assertThat(nvme.device().info().pci()).isTrue();
        assertThat(nvme.device().info().regions()).isEqualTo(9);
        assertThat(nvme.device().info().irqs()).isEqualTo(5);
    }

    @Test
    void aDeviceOfAGroupOutsideTheContainerIsRefused() {
        Stack nvme = open(machine.nvme());
        Group outside = openGroupOf(machine.loner());
        assertRefused(
                Rule.DEVICE_NEEDS_CONTAINER, () -> nvme.iommu().openDevice(outside, machine.loner()));
        Container other = vfio.openContainer();
        other.attach(outside);
        assertRefused(
                Rule.DEVICE_NEEDS_THIS_CONTAINER, () -> nvme.iommu().openDevice(outside, machine.loner()));
    }

    @Test
    void aDeviceThatIsNotInTheGroupIsEnodevAndTheMembersAreNamed() {
        Stack nvme = open(machine.nvme());
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> nvme.iommu().openDevice(nvme.group(), machine.loner()));
        assertThat(e.operation()).isEqualTo(Operation.GROUP_GET_DEVICE_FD);
        assertThat(e.errno()).isEqualTo(Errno.ENODEV);
        assertThat(e.getMessage()).contains(machine.nvme() + " (driver vfio-pci)");
    }

    @Test
    void bothDevicesOfAGroupOpen() {
        List<PciAddress> siblings = machine.siblings();
        Stack first = open(siblings.getFirst());
        Device second = first.iommu().openDevice(first.group(), siblings.getLast());
        assertThat(second.config().read16(0)).isNotEqualTo(0xffff);
    }

    @Test
    void aDeviceOpensTwiceAsTheKernelAllows() {
        Stack nvme = open(machine.nvme());
        Device again = nvme.iommu().openDevice(nvme.group(), machine.nvme());
        again.close();
        assertRefused(Rule.UNSET_DEVICE_OPEN, () -> nvme.container().detach(nvme.group()));
        nvme.device().close();
        nvme.container().detach(nvme.group());
    }

    // ---- UNSET_CONTAINER

    @Test
    void aGroupWithAnOpenDeviceStaysInItsContainer() {
        Stack nvme = open(machine.nvme());
        assertRefused(Rule.UNSET_DEVICE_OPEN, () -> nvme.container().detach(nvme.group()));
        nvme.device().close();
        nvme.container().detach(nvme.group());
        assertThat(nvme.group().status().containerSet()).isFalse();
    }

    @Test
    void aMappedBarGoesWithItsDeviceSoThatTheGroupCanLeave() {
        Stack nvme = open(machine.nvme());
        nvme.device().region(0).map();
        nvme.device().close();
        nvme.container().detach(nvme.group());
        assertThat(nvme.group().status().containerSet()).isFalse();
    }

    @Test
    void onlyAGroupOfTheContainerLeavesIt() {
        Container container = vfio.openContainer();
        Container other = vfio.openContainer();
        Group group = openGroupOf(machine.nvme());
        assertRefused(Rule.UNSET_NEEDS_CONTAINER, () -> container.detach(group));
        other.attach(group);
        assertRefused(Rule.UNSET_NEEDS_CONTAINER, () -> container.detach(group));
        other.setIommu(IommuType.TYPE1_V2).openDevice(group, machine.nvme());
        assertRefused(Rule.UNSET_NEEDS_CONTAINER, () -> container.detach(group));
    }

    @Test
    void theLastGroupsLeaveEndsTheIommuAndItsMappings() {
        Container container = vfio.openContainer();
        Group group = openGroupOf(machine.nvme());
        container.attach(group);
        Type1 ended = container.setIommu(IommuType.TYPE1_V2);
        DmaBuffer memory = ended.allocate(4096, Access.READ_WRITE);
        container.detach(group);
        assertThat(memory.segment().scope().isAlive()).isFalse();
        assertRefused(Rule.INFO_NEEDS_IOMMU, ended::info);
        assertRefused(Rule.MAP_NEEDS_IOMMU, () -> ended.allocate(4096, Access.READ));
        assertRefused(Rule.DEVICE_NEEDS_CONTAINER, () -> ended.openDevice(group, machine.nvme()));
        memory.close(); // nothing left to do, and no error
    }

    @Test
    void aContainerIsAsNewAfterItsLastGroupLeft() {
        Container container = vfio.openContainer();
        Group group = openGroupOf(machine.nvme());
        container.attach(group);
        Type1 first = container.setIommu(IommuType.TYPE1_V2);
        container.detach(group);
        container.attach(group);
        Type1 second = container.setIommu(IommuType.TYPE1);
        assertThat(second).isNotSameAs(first);
        assertRefused(Rule.DEVICE_NEEDS_IOMMU, () -> first.openDevice(group, machine.nvme()));
        second.openDevice(group, machine.nvme());
    }

    @Test
    void groupsJoinAContainerThatHasItsIommu() {
        Stack nvme = open(machine.nvme());
        DmaBuffer memory = nvme.iommu().allocate(4096, Access.READ_WRITE);
        Group second = openGroupOf(machine.loner());
        nvme.container().attach(second);
        Device loner = nvme.iommu().openDevice(second, machine.loner());
        loner.close();
        nvme.container().detach(second);
        assertThat(memory.segment().scope().isAlive()).isTrue(); // another group is still there
    }

    // ---- the short road

    @Test
    void theShortRoadOpensAllAndClosesAll() {
        try (Device device = vfio.openDevice(machine.nvme())) {
            assertThat(device.config().read32(8) >>> 8).isEqualTo(0x010802);
            assertThat(device.iommu().granule()).isEqualTo(4096);
        }
        assertThat(machine.filesAndMappings()).isEmpty();
        vfio.openDevice(machine.nvme()).close();
    }

    @Test
    void theShortRoadLeavesNothingBehindWhenAStepFails() throws Exception {
        int number = groupOf(machine.nvme());
        try (AutoCloseable _ = machine.otherProcessHolds(number)) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.openDevice(machine.nvme()));
            assertThat(e.errno()).isEqualTo(Errno.EBUSY);
            assertThat(machine.filesAndMappings()).isEmpty();
        }
    }

    // ---- closed handles

    @Test
    void aClosedHandleReachesTheKernelNoMore() {
        Stack nvme = open(machine.nvme());
        Group other = openGroupOf(machine.loner());
        nvme.device().region(0);
        nvme.device().close();
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.device().reset());
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.device().region(0));
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.device().irq(0));
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.device().config());
        nvme.group().close();
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.group().status());
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.iommu().openDevice(nvme.group(), machine.nvme()));
        nvme.container().close();
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.container().supports(IommuType.TYPE1));
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.container().attach(other));
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.container().detach(other));
        assertRefused(Rule.HANDLE_OPEN, () -> nvme.container().setIommu(IommuType.TYPE1));
        vfio.close();
        assertRefused(Rule.HANDLE_OPEN, vfio::openContainer);
        assertRefused(Rule.HANDLE_OPEN, () -> vfio.openGroup(1));
    }

    @Test
    void closingTwiceDoesNothing() {
        Stack nvme = open(machine.nvme());
        DmaBuffer memory = nvme.iommu().allocate(4096, Access.READ);
        List<AutoCloseable> handles = List.of(memory, nvme.device(), nvme.group(), nvme.container(), vfio);
        for (AutoCloseable handle : handles) {
            closeQuietly(handle);
            List<String> before = machine.changes();
            closeQuietly(handle);
            assertThat(machine.changes()).as("%s", handle).isEqualTo(before);
        }
    }

    @Test
    void twoVfioObjectsOfOneProcessKnowOfEachOthersGroups() {
        try (Vfio second = machine.open();
                Group _ = openGroupOf(machine.nvme())) {
            assertRefused(Rule.GROUP_OPEN_ONCE, () -> second.openGroup(groupOf(machine.nvme())));
        }
    }

    private static void closeQuietly(AutoCloseable handle) {
        try {
            handle.close();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
