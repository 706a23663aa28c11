package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.KvmVm;
import io.github.vfio4j.NoIommu;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.VfioException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A device that no IOMMU covers: used only by a program that says so, and never mapped for. */
class NoIommuKernelTest extends KernelTest {
    private static final int EDU = 0x11e8;

    private PciAddress address;
    private int number;

    @BeforeEach
    void bind() {
        Optional<PciAddress> device = machine.deviceWithoutIommu();
        assumeTrue(device.isPresent(), "this kernel has no-IOMMU mode");
        address = device.get();
        number = groupOf(address);
    }

    @Test
    void theUsualRoadsDoNotLeadToIt() {
        VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.openGroup(number));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        assertThat(catchThrowableOfType(VfioException.class, () -> vfio.openDevice(address))).isNotNull();
        assertRefused(Rule.GROUP_OPEN_UNSAFE, () -> vfio.openGroup(number, Path.of("/dev/vfio/noiommu-" + number)));
    }

    @Test
    void anotherNameOfTheNodeIsNoWayAround() {
        Path alias = machine.aliasOf("noiommu-" + number);
        assertRefused(Rule.GROUP_OPEN_UNSAFE, () -> vfio.openGroup(number, alias));
    }

    @Test
    void aGroupWithAnIommuIsNotOpenedSo() {
        int real = groupOf(machine.loner());
        VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.openUnsafeNoIommuGroup(real));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
    }

    @Test
    void itIsNotGivenToKvm() {
        Group group = vfio.openUnsafeNoIommuGroup(number);
        Container container = vfio.openContainer();
        container.attach(group);
        container.setUnsafeNoIommu();
        KvmVm vm = vfio.openKvmVm();
        assertRefused(Rule.EXTERNAL_TRANSLATED, () -> vm.add(group));
    }

    @Test
    void itsDeviceIsUsedWithoutMappings() {
        Group group = vfio.openUnsafeNoIommuGroup(number);
        assertThat(group.translated()).isFalse();
        Container container = vfio.openContainer();
        container.attach(group);
        assertRefused(Rule.SET_IOMMU_TYPE, () -> container.setIommu(IommuType.TYPE1_V2));
        NoIommu none = container.setUnsafeNoIommu();
        assertRefused(Rule.SET_IOMMU_ONCE, container::setUnsafeNoIommu);
        Device device = none.openDevice(group, address);
        assertThat(device.config().read16(2)).isEqualTo(EDU);
        RuleViolation violation =
                assertRefused(Rule.MAP_TRANSLATED, () -> device.iommu().allocate(4096, Access.READ));
        assertThat(violation.getMessage()).contains("physical memory");
        assertRefused(Rule.UNSET_DEVICE_OPEN, () -> container.detach(group));
        device.close();
        container.detach(group);
        assertRefused(Rule.DEVICE_NEEDS_CONTAINER, () -> none.openDevice(group, address));
        container.attach(group); // the container is as new
        assertRefused(Rule.DEVICE_NEEDS_IOMMU, () -> none.openDevice(group, address));
        container.setUnsafeNoIommu().openDevice(group, address);
    }

    @Test
    void itTakesNoTokenAsNoVirtualFunction() {
        Group group = vfio.openUnsafeNoIommuGroup(number);
        Container container = vfio.openContainer();
        container.attach(group);
        NoIommu none = container.setUnsafeNoIommu();
        VfioException e =
                catchThrowableOfType(VfioException.class, () -> none.openDevice(group, address, UUID.randomUUID()));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(e).hasMessageContaining(Rule.DEVICE_TOKEN_TAKEN.broken());
    }

    @Test
    void nobodyRoutesItsMessages() {
        assumeTrue(machine.remapsInterrupts(), "without interrupt remapping messages need no route");
        Group group = vfio.openUnsafeNoIommuGroup(number);
        Container container = vfio.openContainer();
        container.attach(group);
        Device device = container.setUnsafeNoIommu().openDevice(group, address);
        VfioException e = catchThrowableOfType(VfioException.class, () -> device.irq(PciIrq.MSI).enable());
        assertThat(e.errno()).isEqualTo(Errno.ENOTSUPP);
        assertThat(e.rule()).contains(Rule.SET_IRQS_ROUTED);
        device.irq(PciIrq.INTX).enable();
    }

    @Test
    void groupsWithAndWithoutAnIommuShareNoContainer() {
        Group group = vfio.openUnsafeNoIommuGroup(number);
        Group real = openGroupOf(machine.loner());
        Container container = vfio.openContainer();
        container.attach(real);
        assertRefused(Rule.SET_CONTAINER_KINDS, () -> container.attach(group));
        assertRefused(Rule.SET_IOMMU_TYPE, container::setUnsafeNoIommu);
        container.detach(real);
        container.attach(group);
        assertRefused(Rule.SET_CONTAINER_KINDS, () -> container.attach(real));
    }

    @Test
    void closingTheContainerClosesItsDevices() {
        Group group = vfio.openUnsafeNoIommuGroup(number);
        Container container = vfio.openContainer();
        container.attach(group);
        container.setUnsafeNoIommu().openDevice(group, address);
        container.close();
        assertThat(group.status().containerSet()).isFalse();
    }
}
