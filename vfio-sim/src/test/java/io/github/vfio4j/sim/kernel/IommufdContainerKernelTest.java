package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Type1;
import io.github.vfio4j.VfioException;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An iommufd in place of a container: what a program knows of containers holds. */
class IommufdContainerKernelTest extends KernelTest {
    private static final long MSI = 0xfee00000L;

    private Container container;
    private Group group;

    @BeforeEach
    void openContainer() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        container = vfio.openIommufdContainer();
        group = openGroupOf(machine.loner());
    }

    private Type1 iommu() {
        container.attach(group);
        return container.setIommu(IommuType.TYPE1_V2);
    }

    @Test
    void aDeviceMovesData() {
        Type1 iommu = iommu();
        Device device = iommu.openDevice(group, machine.loner());
        assertThat(device.openedBy()).isEqualTo(OpenedBy.GROUP);
        assertThat(device.iommu()).isSameAs(iommu);
        EduDma.checkBothWays(device);
    }

    @Test
    void theStepsHaveTheOrderOfAContainers() {
        assertRefused(Rule.SET_IOMMU_NEEDS_GROUP, () -> container.setIommu(IommuType.TYPE1_V2));
        container.attach(group);
        assertThat(group.status().containerSet()).isTrue();
        Container another = vfio.openContainer();
        assertRefused(Rule.SET_CONTAINER_ONCE, () -> another.attach(group));
        Type1 iommu = container.setIommu(IommuType.TYPE1_V2);
        assertRefused(Rule.SET_IOMMU_ONCE, () -> container.setIommu(IommuType.TYPE1_V2));
        Device device = iommu.openDevice(group, machine.loner());
        assertRefused(Rule.UNSET_DEVICE_OPEN, () -> container.detach(group));
        device.close();
        container.detach(group);
        assertRefused(Rule.MAP_NEEDS_IOMMU, () -> iommu.allocate(4096, Access.READ));
    }

    @Test
    void theFirstVersionOfType1WouldUnmapPartsOfBuffers() {
        assertThat(container.supports(IommuType.TYPE1_V2)).isTrue();
        assertThat(container.supports(IommuType.TYPE1)).isTrue();
        container.attach(group);
        Type1 iommu = container.setIommu(IommuType.TYPE1);
        iommu.allocateAt(0x100000, 16384, Access.READ_WRITE);
        assertRefused(Rule.COMPAT_UNMAP_PART, () -> iommu.unmap(0x100000, 8192));
        assertRefused(Rule.COMPAT_UNMAP_PART, () -> iommu.unmap(0x102000, 8192));
        assertRefused(Rule.COMPAT_UNMAP_PART, () -> iommu.unmap(0x101000, 4096));
        assertThat(iommu.unmap(0xff000, 32768)).isEqualTo(16384);
        EduDma.checkBothWays(iommu.openDevice(group, machine.loner()));
    }

    @Test
    void theSecondVersionAfterTheFirstWouldDoSoToo() {
        container.attach(group);
        container.setIommu(IommuType.TYPE1);
        container.detach(group);
        Type1 iommu = iommu();
        iommu.allocateAt(0x100000, 16384, Access.READ_WRITE);
        assertRefused(Rule.COMPAT_UNMAP_PART, () -> iommu.unmap(0x100000, 8192));
        assertThat(iommu.unmapsAll()).isTrue();
        assertThat(iommu.unmapAll()).isEqualTo(16384);
    }

    @Test
    void dirtyPagesAreNotTracked() {
        Type1 iommu = iommu();
        assertRefused(Rule.DIRTY_TYPE, iommu::trackDirtyPages);
        assertThat(iommu.updatesAddresses()).isFalse();
    }

    @Test
    void theMappingsEndWithTheLastGroup() {
        Type1 iommu = iommu();
        DmaBuffer buffer = iommu.allocateAt(0x100000, 8192, Access.READ_WRITE);
        container.detach(group);
        assertThatThrownBy(() -> buffer.segment().get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        Type1 again = iommu();
        again.allocateAt(0x100000, 8192, Access.READ_WRITE);
        EduDma.checkBothWays(again.openDevice(group, machine.loner()));
    }

    @Test
    void theRangesShrinkWhenADeviceIsOpened() {
        Type1 iommu = iommu();
        DmaBuffer inTheWay = iommu.allocateAt(MSI, 4096, Access.READ);
        VfioException e = catchThrowableOfType(VfioException.class, () -> iommu.openDevice(group, machine.loner()));
        assertThat(e.errno()).isEqualTo(Errno.EADDRINUSE);
        assertThat(e.rule()).contains(Rule.DEVICE_COMPAT_RESERVED);
        inTheWay.close();
        iommu.openDevice(group, machine.loner());
        assertThat(iommu.ranges()).noneMatch(range -> range.contains(new IovaRange(MSI, MSI + 4095)));
        assertRefused(Rule.IOAS_MAP_RANGE, () -> iommu.allocateAt(MSI, 4096, Access.READ));
    }

    @Test
    void itsMappingsKeepTheRules() {
        Type1 iommu = iommu();
        iommu.openDevice(group, machine.loner());
        iommu.allocateAt(0x200000, 8192, Access.READ_WRITE);
        assertRefused(Rule.IOAS_MAP_OVERLAP, () -> iommu.allocateAt(0x201000, 4096, Access.READ));
        assertRefused(Rule.IOAS_UNMAP_WHOLE, () -> iommu.unmap(0x201000, 4096));
        assertThat(iommu.unmap(0x300000, 4096)).isZero();
        assertThat(iommu.unmap(0x200000, 16384)).isEqualTo(8192);
        iommu.allocate(4096, Access.READ);
        assertThat(iommu.unmapAll()).isEqualTo(4096);
    }

    @Test
    void groupsShareIt() {
        Assumptions.assumeTrue(machine.siblingsDoDma(), "QEMU does not let these devices reach memory");
        Type1 iommu = iommu();
        Group second = openGroupOf(machine.siblings().getLast());
        container.attach(second);
        Device first = iommu.openDevice(group, machine.loner());
        Device other = iommu.openDevice(second, machine.siblings().getLast());
        EduDma.checkBothWays(first);
        first.close();
        container.detach(group);
        EduDma.checkBothWays(other);
    }

    @Test
    void everythingClosesInAnyOrder() {
        for (List<Integer> order : List.of(List.of(0, 1, 2, 3), List.of(3, 2, 1, 0), List.of(1, 3, 0, 2))) {
            Container own = vfio.openIommufdContainer();
            Group ownGroup = openGroupOf(machine.siblings().getLast());
            own.attach(ownGroup);
            Type1 iommu = own.setIommu(IommuType.TYPE1_V2);
            DmaBuffer buffer = iommu.allocate(8192, Access.READ);
            Device device = iommu.openDevice(ownGroup, machine.siblings().getLast());
            List<Runnable> closes = List.of(own::close, ownGroup::close, device::close, buffer::close);
            order.forEach(index -> closes.get(index).run());
        }
    }
}
