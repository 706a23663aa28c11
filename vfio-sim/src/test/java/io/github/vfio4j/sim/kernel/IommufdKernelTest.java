package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Access;
import io.github.vfio4j.AffectedDevice;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.Hwpt;
import io.github.vfio4j.HwptFlag;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.IommuHardware;
import io.github.vfio4j.IommuRegisters;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** Devices by their own nodes, on kernels that have such. */
class IommufdKernelTest extends KernelTest {
    private Iommufd iommufd;

    @BeforeEach
    void openIommufd() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        iommufd = vfio.openIommufd();
    }

    // ---- the steps

    @Test
    void aDeviceMovesDataThroughTheAddressSpaceThatItIsAttachedTo() {
        Device device = iommufd.openDevice(machine.loner());
        assertThat(device.openedBy()).isEqualTo(OpenedBy.CDEV);
        Ioas ioas = iommufd.allocateIoas();
        device.attach(ioas);
        assertThat(device.attached()).contains(ioas);
        assertThat(device.iommu()).isSameAs(ioas);
        EduDma.checkBothWays(device);
    }

    @Test
    void memoryMayBeMappedBeforeTheDeviceIsAttached() {
        Ioas ioas = iommufd.allocateIoas();
        DmaBuffer before = ioas.allocate(8192, Access.READ_WRITE);
        Device device = iommufd.openDevice(machine.loner());
        device.attach(ioas);
        DmaBuffer after = ioas.allocate(8192, Access.READ_WRITE);
        Mmio registers = EduDma.ready(device);
        before.segment().set(ValueLayout.JAVA_LONG, 0, 0x1122334455667788L);
        EduDma.toDevice(registers, before.iova());
        EduDma.fromDevice(registers, after.iova());
        assertThat(after.segment().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0x1122334455667788L);
    }

    @Test
    void aDetachedDeviceReachesNothing() {
        Device device = iommufd.openDevice(machine.loner());
        Ioas ioas = iommufd.allocateIoas();
        device.attach(ioas);
        DmaBuffer memory = ioas.allocate(8192, Access.READ_WRITE);
        Mmio registers = EduDma.ready(device);
        memory.segment().set(ValueLayout.JAVA_LONG, 0, 1);
        EduDma.toDevice(registers, memory.iova());
        device.detach();
        memory.segment().set(ValueLayout.JAVA_LONG, 0, 2);
        EduDma.fromDevice(registers, memory.iova());
        assertThat(memory.segment().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(2);
        assertThat(device.attached()).isEmpty();
        assertThatThrownBy(device::iommu).isInstanceOf(IllegalStateException.class).hasMessageContaining("attach");
        device.detach(); // does nothing
        device.attach(ioas);
        EduDma.fromDevice(registers, memory.iova());
        assertThat(memory.segment().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(1);
    }

    @Test
    void anAttachedDeviceMovesToAnotherAddressSpace() {
        Assumptions.assumeTrue(machine.pageTablesReachAtOnce(), "page tables reach nothing before a device is attached");
        Device device = iommufd.openDevice(machine.loner());
        Ioas first = iommufd.allocateIoas();
        Ioas second = iommufd.allocateIoas();
        device.attach(first);
        DmaBuffer here = first.allocateAt(0x100000, 4096, Access.READ_WRITE);
        DmaBuffer there = second.allocateAt(0x100000, 4096, Access.READ_WRITE);
        here.segment().set(ValueLayout.JAVA_LONG, 0, 11);
        there.segment().set(ValueLayout.JAVA_LONG, 0, 22);
        Mmio registers = EduDma.ready(device);
        EduDma.toDevice(registers, 0x100000);
        device.attach(second);
        assertThat(device.iommu()).isSameAs(second);
        first.close();
        EduDma.fromDevice(registers, 0x100000);
        assertThat(there.segment().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(11);
    }

    @Test
    void theRangesShrinkWithTheDevicesThatAreAttached() {
        Ioas ioas = iommufd.allocateIoas();
        assertThat(ioas.info().ranges()).singleElement().satisfies(all -> assertThat(all.last()).isEqualTo(-1));
        Device device = iommufd.openDevice(machine.loner());
        device.attach(ioas);
        assertThat(ioas.granule()).isEqualTo(4096);
        assertThat(ioas.ranges()).hasSizeGreaterThan(1).noneMatch(range -> range.contains(new IovaRange(0xfee00000L, 0xfee00fffL)));
        assertRefused(Rule.IOAS_MAP_RANGE, () -> ioas.allocateAt(0xfee00000L, 4096, Access.READ));
        device.detach();
        ioas.allocateAt(0xfee00000L, 4096, Access.READ).close();
    }

    @Test
    void aDeviceIsNotAttachedWhereSomethingIsMappedThatItCannotUse() {
        Ioas ioas = iommufd.allocateIoas();
        DmaBuffer buffer = ioas.allocateAt(0xfee00000L, 4096, Access.READ);
        Device device = iommufd.openDevice(machine.loner());
        VfioException e = catchThrowableOfType(VfioException.class, () -> device.attach(ioas));
        assertThat(e.errno()).isEqualTo(Errno.EADDRINUSE);
        assertThat(e).hasMessageContaining(Rule.ATTACH_RESERVED.broken());
        assertThat(device.attached()).isEmpty();
        buffer.close();
        device.attach(ioas);
    }

    @Test
    void whatIsMappedBeforeTheFirstDeviceIsMadeOfPagesToo() {
        Ioas ioas = iommufd.allocateIoas();
        assertThat(ioas.granule()).isOne();
        DmaBuffer odd = ioas.allocateAt(0x100800, 4096, Access.READ);
        Device device = iommufd.openDevice(machine.loner());
        assertRefused(Rule.ATTACH_ALIGNED, () -> device.attach(ioas));
        odd.close();
        device.attach(ioas);
    }

    @Test
    void mappingsKeepTheRulesOfAnyAddressSpace() {
        Ioas ioas = iommufd.allocateIoas();
        iommufd.openDevice(machine.loner()).attach(ioas);
        DmaBuffer buffer = ioas.allocateAt(0x200000, 8192, Access.READ_WRITE);
        assertRefused(Rule.IOAS_MAP_OVERLAP, () -> ioas.allocateAt(0x201000, 4096, Access.READ));
        assertRefused(Rule.IOAS_MAP_IOVA_ALIGNED, () -> ioas.allocateAt(0x203800, 4096, Access.READ));
        assertRefused(Rule.IOAS_MAP_SIZE, () -> ioas.allocate(0, Access.READ));
        assertRefused(Rule.IOAS_UNMAP_WHOLE, () -> ioas.unmap(0x201000, 4096));
        assertRefused(Rule.IOAS_UNMAP_SIZE, () -> ioas.unmap(0x200000, 0));
        assertThat(ioas.unmap(0x300000, 4096)).isZero();
        assertThat(ioas.unmap(0x200000, 16384)).isEqualTo(8192);
        assertThatThrownBy(() -> buffer.segment().get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        ioas.allocate(4096, Access.READ);
        ioas.allocate(4096, Access.WRITE);
        assertThat(ioas.unmapAll()).isEqualTo(8192);
        assertThat(ioas.unmapAll()).isZero();
    }

    // ---- what is promised, copied, chosen

    @Test
    void whatIsPromisedNoDeviceTakes() {
        Ioas ioas = iommufd.allocateIoas();
        IovaRange interrupts = new IovaRange(0xfee00000L, 0xfeefffffL);
        ioas.allow(List.of(interrupts));
        assertThat(ioas.allocate(4096, Access.READ).iova()).isEqualTo(0xfee00000L);
        ioas.unmapAll();
        Device device = iommufd.openDevice(machine.loner());
        VfioException e = catchThrowableOfType(VfioException.class, () -> device.attach(ioas));
        assertThat(e.errno()).isEqualTo(Errno.EADDRINUSE);
        ioas.allow(List.of());
        device.attach(ioas);
        assertRefused(Rule.IOAS_ALLOW_RESERVED, () -> ioas.allow(List.of(interrupts)));
        assertRefused(
                Rule.IOAS_ALLOW_RANGES,
                () -> ioas.allow(List.of(new IovaRange(0x100000, 0x1fffff), new IovaRange(0x1ff000, 0x2fffff))));
        ioas.allow(List.of(new IovaRange(0x800000, 0x8fffff), new IovaRange(0x400000, 0x400fff)));
        assertThat(ioas.allocate(8192, Access.READ).iova()).isEqualTo(0x800000);
        assertThat(ioas.allocate(4096, Access.READ).iova()).isEqualTo(0x802000);
    }

    @Test
    void aCopyIsTheSameMemoryInAnotherAddressSpace() {
        Device device = iommufd.openDevice(machine.loner());
        Ioas here = iommufd.allocateIoas();
        Ioas there = iommufd.allocateIoas();
        device.attach(there);
        DmaBuffer original = here.allocate(8192, Access.READ_WRITE);
        DmaBuffer copy = there.copy(original, Access.READ_WRITE);
        DmaBuffer placed = there.copyAt(0x700000, original, Access.READ);
        assertThat(placed.iova()).isEqualTo(0x700000);
        original.segment().set(ValueLayout.JAVA_LONG, 8, 33);
        assertThat(copy.segment().get(ValueLayout.JAVA_LONG, 8)).isEqualTo(33);
        here.close();
        assertThatThrownBy(() -> original.segment().get(ValueLayout.JAVA_LONG, 8))
                .isInstanceOf(IllegalStateException.class);
        Mmio registers = EduDma.ready(device);
        EduDma.toDevice(registers, placed.iova());
        copy.segment().set(ValueLayout.JAVA_LONG, 8, 44);
        EduDma.fromDevice(registers, copy.iova());
        assertThat(placed.segment().get(ValueLayout.JAVA_LONG, 8)).isEqualTo(33);
        copy.close();
        placed.close();
        assertThat(there.unmapAll()).isZero();
    }

    @Test
    void aCopyAllowsNoMoreThanTheOriginal() {
        Ioas here = iommufd.allocateIoas();
        Ioas there = iommufd.allocateIoas();
        DmaBuffer original = here.allocate(4096, Access.READ);
        assertRefused(Rule.IOAS_MAP_WRITABLE, () -> there.copy(original, Access.WRITE));
        there.copyAt(0x100000, original, Access.READ);
        assertRefused(Rule.IOAS_MAP_OVERLAP, () -> there.copyAt(0x100000, original, Access.READ));
        here.copy(original, Access.READ); // also in the same address space
        original.close();
        assertThatThrownBy(() -> there.copy(original, Access.READ)).isInstanceOf(IllegalArgumentException.class);
        Ioas foreign = vfio.openIommufd().allocateIoas();
        DmaBuffer stranger = foreign.allocate(4096, Access.READ);
        assertThatThrownBy(() -> there.copy(stranger, Access.READ)).isInstanceOf(IllegalArgumentException.class);
        DmaBuffer another = here.allocate(4096, Access.READ);
        there.close();
        assertRefused(Rule.HANDLE_OPEN, () -> there.copy(another, Access.READ));
    }

    @Test
    void howMemoryIsCountedIsChosenFirst() {
        assertThat(iommufd.countsMemoryByProcess()).isFalse();
        iommufd.countMemoryByProcess(true);
        assertThat(iommufd.countsMemoryByProcess()).isTrue();
        Ioas ioas = iommufd.allocateIoas();
        assertRefused(Rule.OPTION_FIRST, () -> iommufd.countMemoryByProcess(false));
        ioas.close();
        iommufd.countMemoryByProcess(false);
        assertThat(iommufd.countsMemoryByProcess()).isFalse();
    }

    @Test
    void hugePagesAreTurnedOffBeforeTheyAreUsed() {
        Ioas ioas = iommufd.allocateIoas();
        assertThat(ioas.usesHugePages()).isTrue();
        Device device = iommufd.openDevice(machine.loner());
        device.attach(ioas);
        ioas.allocate(4096, Access.READ);
        assertRefused(Rule.OPTION_LARGE_PAGES, () -> ioas.useHugePages(false));
        ioas.unmapAll();
        ioas.useHugePages(false);
        assertThat(ioas.usesHugePages()).isFalse();
        EduDma.checkBothWays(device);
        ioas.useHugePages(true);
    }

    @Test
    void theAddressSpaceOfContainersIsChosen() {
        assertThat(iommufd.containerIoas()).isEmpty();
        Ioas ioas = iommufd.allocateIoas();
        Ioas other = iommufd.allocateIoas();
        iommufd.chooseContainerIoas(ioas);
        iommufd.chooseContainerIoas(other);
        assertThat(iommufd.containerIoas()).contains(other);
        other.close();
        assertThat(iommufd.containerIoas()).isEmpty();
        assertRefused(Rule.HANDLE_OPEN, () -> iommufd.chooseContainerIoas(other));
        iommufd.chooseContainerIoas(ioas);
        iommufd.clearContainerIoas();
        assertThat(iommufd.containerIoas()).isEmpty();
        Ioas foreign = vfio.openIommufd().allocateIoas();
        assertThatThrownBy(() -> iommufd.chooseContainerIoas(foreign)).isInstanceOf(IllegalArgumentException.class);
    }

    // ---- page tables of the hardware

    @Test
    void aDeviceIsAttachedToAPageTableThatTheProgramMade() {
        Assumptions.assumeTrue(machine.pageTablesReachAtOnce(), "page tables reach nothing before a device is attached");
        Device device = iommufd.openDevice(machine.loner());
        Ioas ioas = iommufd.allocateIoas();
        Hwpt hwpt = ioas.allocateHwpt(device, false);
        device.attach(hwpt);
        assertThat(device.attached()).contains(hwpt);
        assertThat(device.iommu()).isSameAs(ioas);
        EduDma.checkBothWays(device);
        assertRefused(Rule.HWPT_TRACK_SUPPORTED, hwpt::trackDirtyPages);
        hwpt.close();
        assertThat(device.attached()).isEmpty();
        assertRefused(Rule.HANDLE_OPEN, () -> device.attach(hwpt));
        device.attach(ioas.allocateHwpt(device, false));
        ioas.close(); // with its page table
        assertThat(device.attached()).isEmpty();
    }

    @Test
    void thePageTableOfAnAddressSpaceIsAnotherThanOneThatTheProgramMade() {
        Assumptions.assumeTrue(machine.pageTablesReachAtOnce(), "page tables reach nothing before a device is attached");
        Assumptions.assumeTrue(machine.siblingsDoDma(), "QEMU does not let these devices reach memory");
        Device first = iommufd.openDevice(machine.siblings().getFirst());
        Device second = iommufd.openDevice(machine.siblings().getLast());
        Ioas ioas = iommufd.allocateIoas();
        Hwpt hwpt = ioas.allocateHwpt(first, false);
        first.attach(hwpt);
        assertRefused(Rule.ATTACH_TOGETHER, () -> second.attach(ioas));
        second.attach(hwpt);
        EduDma.checkBothWays(second);
    }

    @Test
    void aPasidIsAttachedToAPageTableThatWasMadeForIt() {
        Device device = iommufd.openDevice(machine.loner());
        Ioas ioas = iommufd.allocateIoas();
        Hwpt plain = ioas.allocateHwpt(device);
        assertThat(assertRefused(Rule.ATTACH_PASID, () -> device.attachPasid(0, plain)).errno()).isEqualTo(Errno.EINVAL);
        assertThat(assertRefused(Rule.ATTACH_PASID_TABLE, () -> device.attachPasid(5, plain)).errno())
                .isEqualTo(Errno.EINVAL);
        device.detachPasid(5); // does nothing
        assertThat(device.iommuHardware().pasidBits()).isZero();
        Hwpt forPasids;
        try {
            forPasids = ioas.allocateHwpt(device, HwptFlag.PASID);
        } catch (VfioException e) { // an older kernel
            assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP);
            assertThat(e.rule()).contains(Rule.HWPT_SUPPORTED);
            return;
        }
        device.attachPasid(5, forPasids); // which a device without PASIDs never uses
        device.detachPasid(5);
        device.attachPasid(6, forPasids);
        forPasids.close(); // detaches it
        device.attachPasid(7, ioas.allocateHwpt(device, HwptFlag.PASID));
        device.close();
        ioas.close();
    }

    @Test
    void aPageTableIsNestedOnlyInOneThatWasMadeForIt() {
        Device device = iommufd.openDevice(machine.loner());
        Ioas ioas = iommufd.allocateIoas();
        Hwpt plain = ioas.allocateHwpt(device, false);
        GuestPageTable table = new GuestPageTable.Vtd(0x10000, 48, false, false, false);
        assertThat(assertRefused(Rule.HWPT_NEST_PARENT, () -> plain.nest(device, table)).errno()).isEqualTo(Errno.EINVAL);
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> ioas.allocateHwpt(device, HwptFlag.NEST_PARENT));
        assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP); // neither IOMMU nests anything
        assertThat(e.rule()).contains(Rule.HWPT_SUPPORTED);
    }

    @Test
    void theKernelTellsWhatTheIommuIs() {
        Device device = iommufd.openDevice(machine.loner());
        IommuHardware hardware = device.iommuHardware();
        assertThat(hardware.type()).isBetween(0, 4);
        if (hardware.type() == 1) { // VT-d: flags, reserved, capability and extended capability registers
            assertThat(hardware.data().remaining()).isEqualTo(24);
            assertThat(hardware.data().getLong(8)).isNotZero();
            IommuRegisters.Vtd registers = (IommuRegisters.Vtd) hardware.registers().orElseThrow();
            assertThat(registers.capability()).isEqualTo(hardware.data().getLong(8));
            assertThat(registers.extendedCapability()).isEqualTo(hardware.data().getLong(16));
        } else if (hardware.type() == 4) { // AMD's two feature registers
            assertThat(hardware.data().remaining()).isEqualTo(16);
            assertThat(hardware.registers())
                    .contains(new IommuRegisters.Amd(hardware.data().getLong(0), hardware.data().getLong(8)));
        } else if (hardware.type() == 0) {
            assertThat(hardware.data().remaining()).isZero();
        }
        int another = hardware.type() == 4 ? 1 : 4;
        VfioException e = catchThrowableOfType(VfioException.class, () -> device.iommuHardware(another));
        assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP);
        try {
            assertThat(device.iommuHardware(0)).isEqualTo(hardware);
            assertThat(hardware.mayUseAts()).as("the kernel tells, and edu is of conventional PCI").isFalse();
        } catch (VfioException older) {
            assertThat(older.errno()).isEqualTo(Errno.EOPNOTSUPP);
        }
        device.close();
        assertRefused(Rule.HANDLE_OPEN, device::iommuHardware);
    }

    @Test
    void dirtyPagesAreTrackedWhereTheIommuCan() {
        Device device = iommufd.openDevice(machine.loner());
        Ioas ioas = iommufd.allocateIoas();
        if (!device.iommuHardware().tracksDirtyPages()) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> ioas.allocateHwpt(device, true));
            assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP);
            assertThat(e.rule()).contains(Rule.HWPT_SUPPORTED);
            return;
        }
        Hwpt hwpt = ioas.allocateHwpt(device, true);
        device.attach(hwpt);
        DmaBuffer buffer = ioas.allocate(16384, Access.READ_WRITE);
        Mmio registers = EduDma.ready(device);
        try (DirtyTracking tracking = hwpt.trackDirtyPages()) {
            assertThat(tracking.read(buffer).dirtyPages()).isZero();
            EduDma.fromDevice(registers, buffer.iova() + 8192);
            assertThat(tracking.read(buffer).isDirty(2)).isTrue();
            assertThat(tracking.read(buffer).dirtyPages()).isZero();
            EduDma.fromDevice(registers, buffer.iova());
            assertThat(tracking.unmap(buffer).dirtyPages()).isOne();
        }
    }

    // ---- one group, one way

    @Test
    void aDeviceIsNotBoundTwice() {
        iommufd.openDevice(machine.loner());
        assertRefused(Rule.BIND_IOMMUFD_DEVICE_ONCE, () -> iommufd.openDevice(machine.loner()));
        iommufd.close();
        vfio.openIommufd().openDevice(machine.loner());
    }

    @Test
    void aDeviceOfAnOpenGroupIsNotBound() {
        Group group = openGroupOf(machine.loner());
        assertRefused(Rule.BIND_IOMMUFD_GROUP_CLOSED, () -> iommufd.openDevice(machine.loner()));
        group.close();
        iommufd.openDevice(machine.loner());
    }

    @Test
    void theGroupOfABoundDeviceIsNotOpened() {
        Device device = iommufd.openDevice(machine.loner());
        assertRefused(Rule.GROUP_OPEN_CDEV, () -> openGroupOf(machine.loner()));
        device.close();
        openGroupOf(machine.loner());
    }

    @Test
    void devicesOfAGroupShareAPageTable() {
        Assumptions.assumeTrue(machine.pageTablesReachAtOnce(), "page tables reach nothing before a device is attached");
        Assumptions.assumeTrue(machine.siblingsDoDma(), "QEMU does not let these devices reach memory");
        Device first = iommufd.openDevice(machine.siblings().getFirst());
        Device second = iommufd.openDevice(machine.siblings().getLast());
        Ioas ioas = iommufd.allocateIoas();
        Ioas other = iommufd.allocateIoas();
        first.attach(ioas);
        assertRefused(Rule.ATTACH_TOGETHER, () -> second.attach(other));
        second.attach(ioas);
        first.attach(other); // takes the second one along
        assertThat(second.attached()).contains(other);
        ioas.close();
        first.close();
        assertThat(second.attached()).contains(other);
        EduDma.checkBothWays(second);
    }

    @Test
    void devicesOfAGroupAreBoundToOneIommufd() {
        iommufd.openDevice(machine.siblings().getFirst());
        Iommufd other = vfio.openIommufd();
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> other.openDevice(machine.siblings().getLast()));
        assertThat(e.errno()).isEqualTo(Errno.EPERM);
        assertThat(e).hasMessageContaining(Rule.BIND_IOMMUFD_OWNERSHIP.broken());
    }

    @Test
    void aMemberWithAHostDriverIsNamed() {
        try (MachineUnderTest.HostDriver host = machine.hostDriverTakesAMember()) {
            VfioException e = catchThrowableOfType(
                    VfioException.class, () -> iommufd.openDevice(machine.siblings().getFirst()));
            assertThat(e.errno()).isEqualTo(Errno.EPERM);
            assertThat(e).hasMessageContaining(host.member().toString()).hasMessageContaining(host.driver());
        }
    }

    @Test
    void aDeviceOfAGroupIsNotAttachedByItself() {
        Device device = open(machine.loner()).device();
        assertThat(device.openedBy()).isEqualTo(OpenedBy.GROUP);
        assertThat(device.attached()).isEmpty();
        assertThatThrownBy(() -> device.attach(iommufd.allocateIoas())).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void aPageTableOfAnotherIommufdIsRefused() {
        Device device = iommufd.openDevice(machine.loner());
        Ioas foreign = vfio.openIommufd().allocateIoas();
        assertThatThrownBy(() -> device.attach(foreign)).isInstanceOf(IllegalArgumentException.class);
    }

    // ---- the short road

    @Test
    void theShortRoadTakesTheDevicesOwnNode() {
        Device device = vfio.openDevice(machine.loner());
        assertThat(device.openedBy()).isEqualTo(OpenedBy.CDEV);
        assertThat(vfio.wayTo(machine.loner())).isEqualTo(OpenedBy.CDEV);
        EduDma.checkBothWays(device);
        device.close();
        assertThat(vfio.openDevice(machine.loner(), OpenedBy.GROUP).openedBy()).isEqualTo(OpenedBy.GROUP);
    }

    @Test
    void aDeviceWithoutAnIommuHasNoNode() {
        Optional<PciAddress> bare = machine.deviceWithoutIommu();
        Assumptions.assumeTrue(bare.isPresent(), "this kernel gives no device without an IOMMU");
        assertThat(vfio.wayTo(bare.get())).isEqualTo(OpenedBy.GROUP);
        VfioException e = catchThrowableOfType(VfioException.class, () -> iommufd.openDevice(bare.get()));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        assertThat(e.rule()).contains(Rule.CDEV_NODE_EXISTS);
    }

    @Test
    void aHotResetNeedsNoGroupsAndNamesADeviceThatIsNotOurs() {
        Assumptions.assumeTrue(machine.siblingsHaveABus(), "a root bus has no reset");
        Device first = iommufd.openDevice(machine.siblings().getFirst());
        List<AffectedDevice> affected = first.affectedByHotReset();
        assertThat(affected).extracting(AffectedDevice::address).containsAll(machine.siblings());
        assertThat(affected).extracting(AffectedDevice::owned).containsOnly(Optional.of(true)); // all of the group
        first.hotReset();
        assertThat(first.config().memoryEnabled()).isTrue();
        first.close();
        assertRefused(Rule.HANDLE_OPEN, first::hotReset);
    }

    // ---- what a driver sees

    @Test
    void interruptsRegistersAndResetAreThoseOfAnyDevice() {
        Device device = iommufd.openDevice(machine.nvme());
        assertThat(device.config().read32(8) >>> 8).isEqualTo(0x010802);
        assertThat(device.info().pci()).isTrue();
        Mmio registers = device.region(0).map();
        assertThat(registers.read64Opaque(0)).isNotZero();
        device.reset();
        device.unmapRegions();
        assertThat(device.requested()).isFalse();
    }

    @Test
    void anUnwatchedDeviceHasNoWatch() {
        Device device = iommufd.openDeviceUnwatched(machine.nvme());
        assertThatThrownBy(() -> device.onError(_ -> {})).isInstanceOf(UnsupportedOperationException.class);
    }

    // ---- closing

    @RepeatedTest(6)
    void everythingClosesInAnyOrder() {
        long seed = System.nanoTime();
        System.out.println("order of closing an iommufd, seed " + seed);
        List<AutoCloseable> handles = new ArrayList<>();
        Device device = iommufd.openDevice(machine.loner());
        Ioas ioas = iommufd.allocateIoas();
        device.attach(ioas);
        DmaBuffer buffer = ioas.allocate(8192, Access.READ_WRITE);
        device.region(0).map();
        Collections.addAll(handles, device, ioas, buffer, iommufd, iommufd.allocateIoas());
        Collections.shuffle(handles, new Random(seed));
        for (AutoCloseable handle : handles) {
            close(handle);
            close(handle); // idempotent
        }
        assertThat(machine.filesAndMappings()).isEmpty();
    }

    @Test
    void whatIsClosedDoesNothing() {
        Device device = iommufd.openDevice(machine.loner());
        Ioas ioas = iommufd.allocateIoas();
        device.attach(ioas);
        ioas.close();
        assertThat(device.attached()).isEmpty();
        assertRefused(Rule.HANDLE_OPEN, () -> ioas.allocate(4096, Access.READ));
        assertRefused(Rule.HANDLE_OPEN, () -> ioas.unmap(0x10000, 4096));
        assertRefused(Rule.HANDLE_OPEN, ioas::info);
        assertRefused(Rule.HANDLE_OPEN, () -> device.attach(ioas));
        device.close();
        assertRefused(Rule.HANDLE_OPEN, device::detach);
        Ioas another = iommufd.allocateIoas();
        assertRefused(Rule.HANDLE_OPEN, () -> device.attach(another));
        iommufd.close();
        assertRefused(Rule.HANDLE_OPEN, iommufd::allocateIoas);
        assertRefused(Rule.HANDLE_OPEN, () -> iommufd.openDevice(machine.loner()));
    }

    @Test
    void closingTheVfioClosesIommufds() {
        Device device = iommufd.openDevice(machine.loner());
        Ioas ioas = iommufd.allocateIoas();
        device.attach(ioas);
        DmaBuffer buffer = ioas.allocate(4096, Access.READ);
        vfio.close();
        assertThatThrownBy(() -> buffer.segment().get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        assertRefused(Rule.HANDLE_OPEN, () -> device.region(0));
    }

    @Test
    void anOpenDeviceIsNotUnbound() {
        PciAddress address = machine.loner();
        iommufd.openDevice(address);
        assertRefused(Rule.UNBIND_NOT_OPEN_HERE, () -> vfio.binder().giveBack(address));
    }

    @Test
    void aContainerAndAnIommufdLiveSideBySide() {
        Device own = iommufd.openDevice(machine.loner());
        Ioas ioas = iommufd.allocateIoas();
        own.attach(ioas);
        Container container = open(machine.siblings().getLast()).container();
        container.close();
        EduDma.checkBothWays(own);
    }

    private static void close(AutoCloseable handle) {
        try {
            handle.close();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
