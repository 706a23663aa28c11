package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Type1;
import io.github.vfio4j.VfioException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Groups of mediated devices: type1 without an IOMMU, and with one that joins later. */
class EmulatedGroupKernelTest extends KernelTest {
    private static final long PAGE = 4096;
    private static final int SCRATCH = 7; // of a serial port
    private static final int INTERRUPT_ENABLE = 1;

    private UUID mtty;
    private Group group;
    private Container container;
    private Type1 iommu;

    @BeforeEach
    void setIommu() {
        Optional<UUID> made = machine.mediatedDevice();
        assumeTrue(made.isPresent(), "this kernel has the sample driver mtty");
        mtty = made.get();
        group = vfio.openGroup(vfio.groupOf(mtty).orElseThrow());
        container = vfio.openContainer();
        container.attach(group);
        iommu = container.setIommu(IommuType.TYPE1_V2);
    }

    @Test
    void thereIsNoSuchDevice() {
        VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.groupOf(UUID.randomUUID()));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
    }

    @Test
    void theDriverTranslatesItselfAndHasNoLimits() {
        assertThat(group.translated()).isTrue();
        assertThat(iommu.info().granule()).isEqualTo(PAGE);
        assertThat(iommu.info().ranges()).isEmpty();
        assertThat(iommu.info().mappingsLeft()).isPresent();
        assertThat(iommu.coherent()).isTrue();
        assertThat(iommu.updatesAddresses()).isFalse();
    }

    @Test
    void theDeviceIsOpenedByItsNameAndUsed() {
        Device device = iommu.openDevice(group, mtty);
        assertThat(device.info().pci()).isTrue();
        assertThat(device.config().read32(0)).isEqualTo(0x3253_4348);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment register = arena.allocate(1);
            register.set(ValueLayout.JAVA_BYTE, 0, (byte) 0x5a);
            device.region(0).write(SCRATCH, register);
        }
        assertRefused(Rule.REGION_MAPPABLE, () -> device.region(0).map());
        assertRefused(Rule.UNSET_DEVICE_OPEN, () -> container.detach(group));
        device.close();
        container.detach(group);
        assertRefused(Rule.DEVICE_NEEDS_CONTAINER, () -> iommu.openDevice(group, mtty));
    }

    /** Has the port interrupt whenever it has nothing to send, as now. */
    private static void raise(Device device) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment register = arena.allocate(1);
            register.set(ValueLayout.JAVA_BYTE, 0, (byte) 2);
            device.region(0).write(INTERRUPT_ENABLE, register);
        }
    }

    @Test
    void theLineMasksItselfAndWhatComesMeanwhileIsLost() {
        Device device = iommu.openDevice(group, mtty);
        Interrupt line = device.irq(PciIrq.INTX).enable().get(0);
        raise(device);
        raise(device);
        assertThat(line.poll()).isEqualTo(1);
        line.unmask();
        assertThat(line.poll()).isZero();
        raise(device);
        assertThat(line.poll()).isEqualTo(1);
        line.unmask();
        line.mask();
        raise(device);
        assertThat(line.poll()).isZero();
        VfioException e = catchThrowableOfType(VfioException.class, line::unmaskEvent);
        assertThat(e.errno()).isEqualTo(Errno.ENOTTY);
    }

    @Test
    void messagesComeOneByOne() {
        Device device = iommu.openDevice(group, mtty);
        Interrupts enabled = device.irq(PciIrq.MSI).enable();
        raise(device);
        raise(device);
        assertThat(enabled.get(0).poll()).isEqualTo(2);
        enabled.get(0).trigger();
        assertThat(enabled.get(0).poll()).isEqualTo(1);
        assertRefused(Rule.SET_IRQS_EXCLUSIVE, () -> device.irq(PciIrq.INTX).enable());
        enabled.close();
        raise(device);
        Interrupt line = device.irq(PciIrq.INTX).enable().get(0);
        assertThat(line.poll()).isZero();
    }

    @Test
    void nobodyAsksForTheDeviceByAnInterrupt() {
        Device device = iommu.openDevice(group, mtty);
        for (PciIrq index : List.of(PciIrq.MSIX, PciIrq.ERR, PciIrq.REQ)) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> device.irq(index));
            assertThat(e.errno()).isEqualTo(Errno.EINVAL);
            assertThat(e).hasMessageContaining("lacks this interrupt index");
        }
    }

    @Test
    void addressesAreNotTakenFromMediatedDevices() {
        DmaBuffer buffer = iommu.allocate(PAGE, Access.READ_WRITE);
        assertRefused(Rule.UNMAP_ADDRESS_EMULATED, () -> iommu.takeAddress(buffer));
    }

    @Test
    void pagesAreCleanUntilAGroupBehindAnIommuJoins() {
        DirtyTracking tracking = iommu.trackDirtyPages();
        DmaBuffer buffer = iommu.allocate(70 * PAGE, Access.READ_WRITE);
        assertThat(tracking.read(buffer).dirtyPages()).isZero();
        Group real = openGroupOf(machine.loner());
        container.attach(real);
        assertThat(tracking.read(buffer).dirtyPages()).isEqualTo(70);
        container.detach(real); // its devices may have written until now
        assertThat(tracking.read(buffer).dirtyPages()).isEqualTo(70);
        assertThat(tracking.read(buffer).dirtyPages()).isZero();
    }

    @Test
    void anIommuThatJoinsNarrowsWhatCanBeMappedAndLeavesTheMappings() {
        DmaBuffer buffer = iommu.allocate(PAGE, Access.READ_WRITE);
        assertThat(buffer.iova()).isEqualTo(0x10000);
        Group real = openGroupOf(machine.loner());
        container.attach(real);
        assertThat(iommu.info().ranges()).isNotEmpty();
        assertThat(iommu.updatesAddresses()).isFalse();
        assertRefused(Rule.MAP_RANGE, () -> iommu.allocateAt(0xfee0_0000L, PAGE, Access.READ));
        container.detach(real);
        assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
        iommu.allocateAt(0xfee0_0000L, PAGE, Access.READ);
    }

    @Test
    void anIommuThatDoesNotReachWhatIsMappedDoesNotJoin() {
        Group real = openGroupOf(machine.loner());
        DmaBuffer far = iommu.allocateAt(1L << 40, PAGE, Access.READ);
        VfioException e = catchThrowableOfType(VfioException.class, () -> container.attach(real));
        assumeTrue(e != null, "this machine's IOMMU translates 64 bits");
        assertThat(e.errno()).isIn(Errno.ERANGE, Errno.EFAULT); // Linux 7, and before
        assertThat(e.getMessage()).contains("reach");
        far.close();
        container.attach(real);
    }

    @Test
    void anIommuThatReservesWhatIsMappedDoesNotJoin() {
        Group real = openGroupOf(machine.loner());
        DmaBuffer reserved = iommu.allocateAt(0xfee0_0000L, PAGE, Access.READ);
        VfioException e = catchThrowableOfType(VfioException.class, () -> container.attach(real));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(e.getMessage()).contains("reserved_regions");
        reserved.close();
        container.attach(real);
    }

    @Test
    void theVeryTopIsMappedWhereTheKernelFindsItAgain() {
        // Kernels before Linux 7 would lose the mapping; asked once, which of the two it is.
        try {
            iommu.allocateAt(-PAGE, PAGE, Access.READ).close();
        } catch (VfioException e) {
            assertThat(e.rule()).contains(Rule.MAP_TOP);
        }
        iommu.allocateAt(-2 * PAGE, PAGE, Access.READ).close();
    }
}
