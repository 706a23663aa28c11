package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Group files: open, status, into and out of containers. */
class SimGroupTest {
    private static final PciAddress FIRST = PciAddress.parse("0000:01:00.0");
    private static final PciAddress SECOND = PciAddress.parse("0000:01:00.1");

    private final SimMachine machine = SimMachine.builder()
            .device(FIRST, new TestModel(), 26, SimMachine.VFIO_PCI)
            .device(PciAddress.parse("0000:02:00.0"), new TestModel(), 27, SimMachine.VFIO_PCI)
            .build();
    private final RawProcess p = RawProcess.on(machine);

    // ---- open

    @Test
    void aGroupWithoutAVfioDeviceHasNoNode() {
        assertThat(p.openGroup(28)).isEqualTo(-ENOENT);
    }

    @Test
    void aGroupIsOpenOnce() {
        assertThat(p.openGroup(26)).isEqualTo(3);
        assertThat(p.openGroup(26)).isEqualTo(-EBUSY);
        assertThat(p.openGroup(27)).isEqualTo(4);
    }

    @Test
    void anotherProcessCannotOpenItEither() {
        int group = p.openGroup(26);
        RawProcess other = RawProcess.on(machine);
        assertThat(other.openGroup(26)).isEqualTo(-EBUSY);
        p.close(group);
        assertThat(other.openGroup(26)).isEqualTo(3);
    }

    @Test
    void anAliasIsTheSameGroup() {
        machine.addAlias("/tmp/my-group", "/dev/vfio/26");
        assertThat(p.open("/tmp/my-group")).isEqualTo(3);
        assertThat(p.openGroup(26)).isEqualTo(-EBUSY);
    }

    @Test
    void anAliasThatOutlivesItsGroupLeadsNowhere() {
        machine.addAlias("/tmp/my-group", "/dev/vfio/26");
        machine.unbind(FIRST);
        assertThat(p.open("/tmp/my-group")).isEqualTo(-ENXIO);
        assertThat(p.openGroup(26)).isEqualTo(-ENOENT);
    }

    @Test
    void aGroupThatEndsWhileItIsOpenedIsEnodev() {
        VfioGroup found = machine.vfioGroups().stream()
                .filter(group -> group.iommuGroup().number == 26)
                .findFirst()
                .orElseThrow();
        machine.unbind(FIRST);
        assertThat(found.gone()).isTrue();
        assertThatExceptionOfType(KernelError.class)
                .isThrownBy(() -> GroupFile.open(machine, p.process, found))
                .returns(ENODEV, KernelError::errno);
    }

    @Test
    void statTellsTheDeviceNumberOfANodeAndOfItsAlias() {
        machine.addAlias("/tmp/my-group", "/dev/vfio/27");
        long ofNode = deviceNumber(Syscalls.AT_FDCWD, "/dev/vfio/27", 0);
        assertThat(deviceNumber(Syscalls.AT_FDCWD, "/tmp/my-group", 0)).isEqualTo(ofNode);
        assertThat(deviceNumber(p.openGroup(27), "", Syscalls.AT_EMPTY_PATH)).isEqualTo(ofNode);
        assertThat(deviceNumber(Syscalls.AT_FDCWD, "/dev/vfio/26", 0)).isNotEqualTo(ofNode);
        assertThat(deviceNumber(Syscalls.AT_FDCWD, "/dev/vfio/vfio", 0)).isEqualTo(10L << 32 | 196);
    }

    @Test
    void statFailsForWhatIsNotThere() {
        Frame frame = new Frame();
        assertThat(p.calls.statx(frame, Syscalls.AT_FDCWD, "/dev/vfio/99", 0)).isEqualTo(-ENOENT);
        assertThat(p.calls.statx(frame, 77, "", Syscalls.AT_EMPTY_PATH)).isEqualTo(-EBADF);
        assertThat(p.calls.statx(frame, Syscalls.AT_FDCWD, "", 0)).isEqualTo(-ENOENT);
    }

    @Test
    void anUnprivilegedProcessNeedsToBeLetIn() {
        RawProcess user = new RawProcess(machine.startUnprivilegedProcess());
        assertThat(user.openGroup(26)).isEqualTo(-EACCES);
        machine.allowGroup(26);
        assertThat(user.openGroup(26)).isEqualTo(3);
        assertThat(user.openContainer()).isEqualTo(4);
    }

    @Test
    void theDirectoryIsNoFile() {
        assertThat(p.open("/dev/vfio")).isEqualTo(-EISDIR);
    }

    // ---- VFIO_GROUP_GET_STATUS

    @Test
    void aFreshGroupIsViable() {
        assertThat(p.status(p.openGroup(26))).isEqualTo(VIABLE);
    }

    @Test
    void aGroupInAContainerSaysSo() {
        int group = p.openGroup(26);
        assertThat(p.setContainer(group, p.openContainer())).isZero();
        assertThat(p.status(group)).isEqualTo(VIABLE | CONTAINER_SET);
    }

    @Test
    void statusChecksItsArgument() {
        int group = p.openGroup(26);
        assertThat(p.ioctl(group, GROUP_GET_STATUS, p.ints(8))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(group, GROUP_GET_STATUS, p.ints(7, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(group, GROUP_GET_STATUS, 0)).isEqualTo(-EFAULT);
        MemorySegment large = p.ints(12, -1, -1);
        assertThat(p.ioctl(group, GROUP_GET_STATUS, large)).isZero();
        assertThat(large.get(INT, 4)).isEqualTo(VIABLE);
        assertThat(large.get(INT, 8)).isEqualTo(-1); // nothing beyond the struct is written
    }

    // ---- VFIO_GROUP_SET_CONTAINER

    @Test
    void aGroupJoinsOneContainer() {
        int group = p.openGroup(26);
        int container = p.openContainer();
        assertThat(p.setContainer(group, container)).isZero();
        assertThat(p.setContainer(group, container)).isEqualTo(-EINVAL);
        assertThat(p.setContainer(group, p.openContainer())).isEqualTo(-EINVAL);
    }

    @Test
    void setContainerReadsADescriptor() {
        int group = p.openGroup(26);
        assertThat(p.ioctl(group, GROUP_SET_CONTAINER, 0)).isEqualTo(-EFAULT);
        assertThat(p.ioctl(group, GROUP_SET_CONTAINER, p.memory(3))).isEqualTo(-EFAULT);
        assertThat(p.setContainer(group, -1)).isEqualTo(-EBADF);
        assertThat(p.setContainer(group, 99)).isEqualTo(-EBADF);
    }

    @ParameterizedTest
    @EnumSource
    void onlyAContainerIsAContainer(KernelProfile kernel) {
        SimMachine other = SimMachine.builder().kernel(kernel).device(FIRST, new TestModel()).build();
        RawProcess q = RawProcess.on(other);
        int group = q.openGroup(0);
        int expected = kernel.isBefore(KernelProfile.V6_12) ? EINVAL : EBADFD;
        assertThat(q.setContainer(group, group)).isEqualTo(-expected);
        assertThat(q.setContainer(group, q.eventfd(0, 0))).isEqualTo(-expected);
    }

    @Test
    void theDescriptorIsLookedAtFirstAndItsKindLast() {
        int group = p.openGroup(26);
        RawProcess.check(p.setContainer(group, p.openContainer()));
        assertThat(p.setContainer(group, 99)).isEqualTo(-EBADF);
        assertThat(p.setContainer(group, group)).isEqualTo(-EINVAL);
    }

    @Test
    void aMemberWithAHostDriverKeepsTheGroupOut() {
        SimMachine shared = SimMachine.builder()
                .device(FIRST, new TestModel(), 26, SimMachine.VFIO_PCI)
                .device(SECOND, new TestModel(), 26, "e1000")
                .build();
        RawProcess q = RawProcess.on(shared);
        int group = q.openGroup(26);
        int container = q.openContainer();
        assertThat(q.status(group)).isZero();
        assertThat(q.setContainer(group, container)).isEqualTo(-EPERM);
        shared.unbind(SECOND);
        assertThat(q.status(group)).isEqualTo(VIABLE);
        assertThat(q.setContainer(group, container)).isZero();
    }

    @Test
    void aHostDriverIsFoundBeforeAnAddressThatIsMissing() {
        SimMachine shared = SimMachine.builder()
                .device(FIRST, new TestModel(), 26, SimMachine.VFIO_PCI)
                .device(SECOND, new TestModel(), 26, "e1000")
                .device(PciAddress.parse("0000:02:00.0"), new TestModel(), 27, SimMachine.VFIO_PCI)
                .build();
        RawProcess q = RawProcess.on(shared);
        int container = q.openContainer();
        check(q.setContainer(q.openGroup(27), container));
        check(q.setIommu(container, TYPE1V2));
        check(q.map(container, 0x10000, q.mmap(4096), 4096, READ));
        assertThat(q.unmap(container, 0x10000, 4096, UNMAP_VADDR)).isEqualTo(4096);
        int group = q.openGroup(26);
        assertThat(q.setContainer(group, container)).isEqualTo(-EPERM);
        shared.unbind(SECOND);
        assertThat(q.setContainer(group, container)).isEqualTo(-EBUSY);
    }

    @Test
    void aGroupThatIsGoneIsSoWhateverItShouldJoin() {
        int group = p.openGroup(26);
        machine.unbind(FIRST);
        assertThat(p.setContainer(group, group)).isEqualTo(-ENODEV);
        assertThat(p.setContainer(group, 99)).isEqualTo(-EBADF);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "pci-stub", "pcieport", "vfio-pci"})
    void aMemberWithoutADriverOrWithAHarmlessOneDoesNot(String driver) {
        SimMachine shared = SimMachine.builder()
                .device(FIRST, new TestModel(), 26, SimMachine.VFIO_PCI)
                .device(SECOND, new TestModel(), 26, driver)
                .build();
        RawProcess q = RawProcess.on(shared);
        int group = q.openGroup(26);
        assertThat(q.status(group)).isEqualTo(VIABLE);
        assertThat(q.setContainer(group, q.openContainer())).isZero();
    }

    @Test
    void aGroupMayJoinAContainerThatHasItsIommu() {
        int container = p.openContainer();
        int first = p.openGroup(26);
        RawProcess.check(p.setContainer(first, container));
        RawProcess.check(p.setIommu(container, TYPE1V2));
        int second = p.openGroup(27);
        assertThat(p.setContainer(second, container)).isZero();
        assertThat(p.deviceFd(second, "0000:02:00.0")).isPositive();
    }

    // ---- VFIO_GROUP_UNSET_CONTAINER

    @Test
    void onlyAGroupInAContainerLeavesOne() {
        int group = p.openGroup(26);
        assertThat(p.unsetContainer(group)).isEqualTo(-EINVAL);
        RawProcess.check(p.setContainer(group, p.openContainer()));
        assertThat(p.unsetContainer(group)).isZero();
        assertThat(p.unsetContainer(group)).isEqualTo(-EINVAL);
    }

    @Test
    void aGroupWithAnOpenDeviceStays() {
        RawProcess.Rig rig = p.openDevice(26, "0000:01:00.0");
        assertThat(p.unsetContainer(rig.group())).isEqualTo(-EBUSY);
        p.close(rig.device());
        assertThat(p.unsetContainer(rig.group())).isZero();
        assertThat(p.setContainer(rig.group(), rig.container())).isZero();
    }

    // ---- anything else

    @Test
    void aGroupHasNoOtherOperations() {
        int group = p.openGroup(26);
        assertThat(p.ioctl(group, SET_IOMMU, TYPE1V2)).isEqualTo(-ENOTTY);
        assertThat(p.ioctl(group, IOMMU_MAP_DMA, p.memory(32))).isEqualTo(-ENOTTY);
        assertThat(p.pread(group, p.memory(8), 0)).isEqualTo(-EINVAL);
        assertThat(p.pwrite(group, p.memory(8), 0)).isEqualTo(-EINVAL);
        assertThat(p.mmapFile(group, 0, 4096)).isEqualTo(-ENODEV);
    }

    private long deviceNumber(int fd, String path, int flags) {
        Frame frame = new Frame();
        RawProcess.check(p.calls.statx(frame, fd, path, flags));
        return (long) frame.arg.get(INT, 128) << 32 | frame.arg.get(INT, 132);
    }
}
