package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.AffectedDevice;
import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class HotResetKernelTest extends KernelTest {
    private final PciAddress address = machine.siblings().getFirst();

    @Test
    void aDeviceOnARootBusHasNoHotReset() {
        Device nvme = open(machine.nvme()).device();
        VfioException e = catchThrowableOfType(VfioException.class, nvme::affectedByHotReset);
        assertThat(e.errno()).isEqualTo(Errno.ENODEV);
        assertThat(e.rule()).contains(Rule.HOT_RESET_INFO_SUPPORTED);
        assertThat(catchThrowableOfType(VfioException.class, nvme::hotReset).errno()).isEqualTo(Errno.ENODEV);
    }

    @Test
    void allDevicesOfTheBusAreAffected() {
        assumeTrue(machine.siblingsHaveABus(), "a root bus has no reset");
        List<AffectedDevice> affected = open(address).device().affectedByHotReset();
        assertThat(affected).extracting(AffectedDevice::address).containsAll(machine.siblings());
        assertThat(affected).extracting(one -> one.address().bus()).containsOnly(address.bus());
        assertThat(affected).extracting(AffectedDevice::group).containsOnly(OptionalInt.of(groupOf(address)));
    }

    @Test
    void aHotResetKeepsConfigurationAndMappings() {
        assumeTrue(machine.siblingsHaveABus(), "a root bus has no reset");
        Stack stack = open(address);
        Device sibling = stack.iommu().openDevice(stack.group(), machine.siblings().getLast());
        PciConfig config = sibling.config();
        config.enableBusMaster();
        Mmio registers = sibling.region(0).map();
        int before = registers.read32Opaque(0);
        stack.device().hotReset();
        assertThat(registers.read32Opaque(0)).isEqualTo(before);
        assertThat(config.busMasterEnabled()).isTrue();
        assertThat(config.memoryEnabled()).isTrue();
    }

    @Test
    void groupsThatAreNotAffectedDoNotHinder() {
        assumeTrue(machine.siblingsHaveABus(), "a root bus has no reset");
        Stack stack = open(address);
        Group unrelated = openGroupOf(machine.nvme());
        stack.device().hotReset(unrelated, stack.group());
        unrelated.close();
        stack.device().hotReset(unrelated); // it is not asked for
    }

    @Test
    void anAffectedDeviceWithoutADriverHindersTheReset() {
        assumeTrue(machine.siblingsHaveABus(), "a root bus has no reset");
        Stack stack = open(address);
        PciAddress third = stack.device().affectedByHotReset().stream()
                .map(AffectedDevice::address)
                .filter(one -> !machine.siblings().contains(one))
                .findFirst()
                .orElseThrow();
        machine.unbind(third);
        try {
            VfioException e = catchThrowableOfType(VfioException.class, () -> stack.device().hotReset());
            assertThat(e.errno()).isEqualTo(Errno.EINVAL);
            assertThat(e).hasMessageContaining(Rule.HOT_RESET_BOUND.broken());
        } finally {
            machine.bindToVfio(third);
        }
        stack.device().hotReset();
    }

    @Test
    void aClosedDeviceIsNotReset() {
        Device device = open(address).device();
        device.close();
        assertRefused(Rule.HANDLE_OPEN, device::hotReset);
        assertRefused(Rule.HANDLE_OPEN, device::affectedByHotReset);
    }
}
