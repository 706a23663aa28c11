package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Device;
import io.github.vfio4j.Group;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Vfio;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A bus behind a bridge with two groups of devices, and what resets it. */
class SimBusResetTest {
    private static final int INFO = 0x3b70;
    private static final int RESET = 0x3b71;
    private static final PciAddress FIRST = PciAddress.parse("0000:02:01.0");
    private static final PciAddress SECOND = PciAddress.parse("0000:02:02.0");
    private static final PciAddress OTHERS = PciAddress.parse("0001:02:1f.7"); // of another domain

    private final TestModel first = new TestModel();
    private final TestModel second = new TestModel();
    private SimMachine machine;
    private RawProcess p;
    private RawProcess.Rig rig;

    private void use(KernelProfile kernel) {
        machine = SimMachine.builder()
                .kernel(kernel)
                .device(FIRST, first, 3, SimMachine.VFIO_PCI)
                .device(SECOND, second, 4, SimMachine.VFIO_PCI)
                .device(OTHERS, new TestModel(), 5, SimMachine.VFIO_PCI)
                .build();
        p = RawProcess.on(machine);
        rig = p.openDevice(3, FIRST.toString());
    }

    private int reset(int... groups) {
        MemorySegment reset = p.memory(12 + 4L * groups.length);
        reset.set(INT, 0, 12); // argsz is not compared with the count
        reset.set(INT, 8, groups.length);
        for (int i = 0; i < groups.length; i++) {
            reset.set(INT, 12 + 4L * i, groups[i]);
        }
        return p.ioctl(rig.device(), RESET, reset);
    }

    @ParameterizedTest
    @EnumSource
    void infoListsTheBus(KernelProfile kernel) {
        use(kernel);
        MemorySegment info = p.memory(28);
        info.set(INT, 0, 28);
        info.set(INT, 4, -1);
        assertThat(p.ioctl(rig.device(), INFO, info)).isZero();
        assertThat(info.get(INT, 4)).isZero();
        assertThat(info.get(INT, 8)).isEqualTo(2);
        assertThat(info.get(INT, 12)).isEqualTo(3);
        assertThat(info.get(INT, 16)).isEqualTo(0x08_02_0000); // devfn, bus, segment
        assertThat(info.get(INT, 20)).isEqualTo(4);
        assertThat(info.get(INT, 24)).isEqualTo(0x10_02_0000);
    }

    @Test
    void infoWithoutRoomTellsTheCount() {
        use(KernelProfile.V7_2);
        MemorySegment info = p.memory(28);
        info.set(INT, 0, 27);
        assertThat(p.ioctl(rig.device(), INFO, info)).isEqualTo(-ENOSPC);
        assertThat(info.get(INT, 8)).isEqualTo(2);
        assertThat(info.get(INT, 12)).isZero();
        assertThat(p.ioctl(rig.device(), INFO, p.ints(28, 0, 0))).isEqualTo(-EFAULT);
    }

    @ParameterizedTest
    @EnumSource
    void theGroupsOfAllDevicesOfTheBusAreNeeded(KernelProfile kernel) {
        use(kernel);
        int other = p.openGroup(4);
        assertThat(reset()).isEqualTo(-EINVAL);
        assertThat(reset(rig.group())).isEqualTo(-EINVAL);
        assertThat(reset(other)).isEqualTo(-EINVAL);
        assertThat(reset(rig.group(), rig.group())).isEqualTo(-EINVAL);
        assertThat(reset(rig.group(), other, other)).isEqualTo(-EINVAL); // more than devices
        assertThat(reset(99, rig.device())).isEqualTo(-EBADF); // the first one decides
        assertThat(reset(rig.device(), 99)).isEqualTo(-EINVAL);
        assertThat(first.events).containsExactly("on");
        assertThat(reset(rig.group(), other)).isZero();
        assertThat(first.events).containsExactly("on", "reset");
        assertThat(second.events).isEmpty(); // it is not open
    }

    @Test
    void everyOpenDeviceOfTheBusIsReset() {
        use(KernelProfile.V7_2);
        RawProcess.Rig other = p.openDevice(4, SECOND.toString());
        assertThat(reset(other.group(), rig.group())).isZero();
        assertThat(first.events).containsExactly("on", "reset");
        assertThat(second.events).containsExactly("on", "reset");
    }

    @Test
    void aDeviceWithoutAVfioDriverHinders() {
        use(KernelProfile.V7_2);
        int other = p.openGroup(4);
        p.close(other);
        machine.unbind(SECOND);
        assertThat(reset(rig.group())).isEqualTo(-EINVAL);
        machine.bind(SECOND, SimMachine.VFIO_PCI);
        assertThat(reset(rig.group(), p.openGroup(4))).isZero();
    }

    @Test
    void theLibraryNamesTheDeviceThatIsNotOurs() {
        use(KernelProfile.V7_2);
        p.close(rig.device());
        p.close(rig.group());
        try (Vfio vfio = machine.open()) {
            Device device = vfio.openDevice(FIRST, OpenedBy.GROUP);
            RuleViolation e = catchThrowableOfType(RuleViolation.class, device::hotReset);
            assertThat(e.rule()).contains(Rule.HOT_RESET_OWNED);
            assertThat(e).hasMessageContaining(SECOND + " of group 4");
            Group other = vfio.openGroup(4);
            device.hotReset(other);
            other.close();
            e = catchThrowableOfType(RuleViolation.class, () -> device.hotReset(other));
            assertThat(e.rule()).contains(Rule.HANDLE_OPEN);
        }
    }

    @Test
    void theLibraryNamesTheDeviceThatIsNotTheIommufds() {
        use(KernelProfile.V7_2);
        p.close(rig.device());
        p.close(rig.group());
        try (Vfio vfio = machine.open()) {
            Iommufd iommufd = vfio.openIommufd();
            Device device = iommufd.openDevice(FIRST);
            Device other = iommufd.openDevice(SECOND);
            device.hotReset();
            other.close();
            RuleViolation e = catchThrowableOfType(RuleViolation.class, device::hotReset);
            assertThat(e.rule()).contains(Rule.HOT_RESET_OWNED);
            assertThat(e).hasMessageContaining(SECOND + ", which is not ours");
            vfio.openDevice(SECOND); // by another iommufd
            assertThat(catchThrowableOfType(RuleViolation.class, device::hotReset).rule()).contains(Rule.HOT_RESET_OWNED);
        }
    }
}
