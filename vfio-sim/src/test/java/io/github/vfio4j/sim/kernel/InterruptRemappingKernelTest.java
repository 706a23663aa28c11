package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Container;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import java.util.UUID;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** Where interrupts are not remapped, as behind a virtio-iommu, no program gets a device, and is told what waives that. */
class InterruptRemappingKernelTest extends KernelTest {
    private static final String WAIVES_TYPE1 = "vfio_iommu_type1.allow_unsafe_interrupts=1";
    private static final String WAIVES_IOMMUFD = "iommufd.allow_unsafe_interrupts=1";

    InterruptRemappingKernelTest() {
        super(MachineUnderTest.startWithoutInterruptRemapping());
    }

    @Test
    void noIommuIsSet() {
        Container container = vfio.openContainer();
        container.attach(openGroupOf(machine.loner()));
        assertNeedsRemapping(Rule.SET_IOMMU_INTERRUPTS, WAIVES_TYPE1, () -> container.setIommu(IommuType.TYPE1_V2));
    }

    @Test
    void noGroupJoinsAContainerWithAnIommu() {
        UUID mediated = machine.mediatedDevice().orElse(null);
        assumeTrue(mediated != null, "this kernel has no driver of mediated devices");
        Container container = vfio.openContainer();
        container.attach(vfio.openGroup(vfio.groupOf(mediated).orElseThrow()));
        container.setIommu(IommuType.TYPE1_V2);
        Group group = openGroupOf(machine.loner());
        assertNeedsRemapping(Rule.SET_CONTAINER_INTERRUPTS, WAIVES_TYPE1, () -> container.attach(group));
    }

    @Test
    void noDeviceIsOpenedThroughAGroupOfAnIommufd() {
        assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        Container container = vfio.openIommufdContainer();
        Group group = openGroupOf(machine.loner());
        container.attach(group);
        assertNeedsRemapping(
                Rule.DEVICE_COMPAT_INTERRUPTS,
                WAIVES_IOMMUFD,
                () -> container.setIommu(IommuType.TYPE1_V2).openDevice(group, machine.loner()));
    }

    @Test
    void noDeviceIsBoundByItsOwnNode() {
        assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        assertNeedsRemapping(
                Rule.BIND_IOMMUFD_INTERRUPTS, WAIVES_IOMMUFD, () -> vfio.openIommufd().openDevice(machine.loner()));
    }

    @Test
    void theShortRoadSaysSoToo() {
        VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.openDevice(machine.loner()));
        assertThat(e.errno()).isEqualTo(Errno.EPERM);
        assertThat(e).hasMessageContaining(machine.hasIommufd() ? WAIVES_IOMMUFD : WAIVES_TYPE1);
    }

    private static void assertNeedsRemapping(Rule rule, String waiver, ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e.errno()).isEqualTo(Errno.EPERM);
        assertThat(e).hasMessageContaining(rule.broken()).hasMessageContaining(waiver);
    }
}
