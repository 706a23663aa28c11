package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of memory and handles when the kernel refuses a step. */
class FailureTest {
    private final FakeKernel kernel = new FakeKernel();
    private final Vfio vfio = Vfio.on(kernel, Contract.STRICT);
    private Container container;
    private Group group;
    private Type1 iommu;

    @BeforeEach
    void setIommu() {
        container = vfio.openContainer();
        group = vfio.openGroup(4);
        container.attach(group);
        iommu = container.setIommu(IommuType.TYPE1_V2);
        kernel.newCalls();
    }

    @Test
    void aMappingThatTheKernelRefusesGivesItsMemoryBack() {
        kernel.failures.put(Operation.IOMMU_MAP_DMA, Errno.ENOMEM);
        VfioException e = catchThrowableOfType(VfioException.class, () -> iommu.allocate(4096, Access.READ));
        assertThat(e.getMessage()).contains("ENOMEM").contains("locked memory").contains("ulimit -l");
        assertThat(kernel.newCalls()).containsExactly("allocate 1000", "map 10000+1000", "free 1000");
        kernel.failures.clear();
        assertThat(iommu.allocate(4096, Access.READ).iova()).isEqualTo(0x10000); // the address is free again
    }

    @Test
    void memoryThatTheKernelDoesNotGiveLeavesNothingBehind() {
        kernel.failures.put(Operation.MEMORY_ALLOCATE, Errno.ENOMEM);
        catchThrowableOfType(VfioException.class, () -> iommu.allocate(4096, Access.READ));
        assertThat(kernel.newCalls()).containsExactly("allocate 1000");
    }

    @Test
    void memoryThatTheKernelDoesNotUnmapIsKept() {
        DmaBuffer memory = iommu.allocate(4096, Access.READ);
        kernel.failures.put(Operation.IOMMU_UNMAP_DMA, Errno.EINVAL);
        assertThat(catchThrowableOfType(VfioException.class, memory::close)).isNotNull();
        assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
        assertThat(kernel.calls).doesNotContain("free 1000");
        kernel.failures.clear();
        memory.close();
        assertThat(kernel.calls).contains("free 1000");
    }

    @Test
    void memoryOfWhichTheKernelUnmapsLessIsKept() {
        DmaBuffer memory = iommu.allocate(8192, Access.READ);
        kernel.unmapsLess = 4096;
        VfioException e = catchThrowableOfType(VfioException.class, memory::close);
        assertThat(e.getMessage()).contains("unmapped 4096 of 8192 bytes");
        assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, 8191)).isZero();
        assertThat(kernel.calls).doesNotContain("free 2000");
    }

    @Test
    void aDetachThatTheKernelRefusesChangesNothing() {
        DmaBuffer memory = iommu.allocate(4096, Access.READ);
        kernel.failures.put(Operation.GROUP_UNSET_CONTAINER, Errno.EBUSY);
        VfioException e = catchThrowableOfType(VfioException.class, () -> container.detach(group));
        assertThat(e.errno()).isEqualTo(Errno.EBUSY);
        assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
        kernel.failures.clear();
        container.detach(group);
        assertThat(memory.segment().scope().isAlive()).isFalse();
    }

    @Test
    void aContainerWhoseGroupTheKernelKeepsUnmapsItsMemoryOneByOneBeforeItCloses() {
        iommu.allocate(4096, Access.READ);
        iommu.allocate(8192, Access.READ);
        kernel.failures.put(Operation.GROUP_UNSET_CONTAINER, Errno.EBUSY);
        kernel.newCalls();
        assertThat(catchThrowableOfType(VfioException.class, container::close).errno()).isEqualTo(Errno.EBUSY);
        assertThat(kernel.newCalls())
                .containsExactly(
                        "unset container",
                        "unmap 10000+1000",
                        "free 1000",
                        "unmap 11000+2000",
                        "free 2000",
                        "close container");
    }

    @Test
    void aGroupThatTheKernelKeepsUnmapsTheMemoryBeforeItsFileCloses() {
        iommu.allocate(4096, Access.READ);
        kernel.failures.put(Operation.GROUP_UNSET_CONTAINER, Errno.EBUSY);
        kernel.newCalls();
        assertThat(catchThrowableOfType(VfioException.class, group::close).errno()).isEqualTo(Errno.EBUSY);
        assertThat(kernel.newCalls())
                .containsExactly("unset container", "unmap 10000+1000", "free 1000", "close group");
    }

    @Test
    void aGroupThatTheKernelTookOutByItselfClosesInPeace() {
        DmaBuffer memory = iommu.allocate(4096, Access.READ);
        kernel.failures.put(Operation.GROUP_UNSET_CONTAINER, Errno.EINVAL);
        group.close();
        assertThat(memory.segment().scope().isAlive()).isFalse();
    }

    @Test
    void aDeviceThatDoesNotTellItsInfoIsClosedAgain() {
        kernel.failures.put(Operation.DEVICE_GET_INFO, Errno.EIO);
        catchThrowableOfType(VfioException.class, () -> iommu.openDevice(group, FakeKernel.ADDRESS));
        assertThat(kernel.newCalls()).containsExactly("open device", "device info", "close device");
        container.detach(group); // no device counts as open
    }

    @Test
    void aRegionThatCanOnlyBeReadIsNotWritten() {
        kernel.readOnly = true;
        Device device = iommu.openDevice(group, FakeKernel.ADDRESS);
        kernel.newCalls();
        RuleViolation e = catchThrowableOfType(
                RuleViolation.class, () -> device.region(0).write(0, Arena.ofAuto().allocate(4)));
        assertThat(e.rule()).contains(Rule.REGION_WRITE_WRITABLE);
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void anUnmapThatFailsDoesNotKeepTheDeviceFromClosing() {
        Device device = iommu.openDevice(group, FakeKernel.ADDRESS);
        device.region(0).map();
        kernel.failures.put(Operation.REGION_UNMAP, Errno.EINVAL);
        kernel.newCalls();
        assertThat(catchThrowableOfType(VfioException.class, device::close)).isNotNull();
        assertThat(kernel.newCalls()).containsExactly("unmap bar", "close device");
        device.close();
        assertThat(kernel.newCalls()).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(
            value = Operation.class,
            names = {
                "OPEN_CONTAINER",
                "GET_API_VERSION",
                "OPEN_GROUP",
                "GROUP_SET_CONTAINER",
                "SET_IOMMU",
                "GROUP_GET_DEVICE_FD",
                "DEVICE_GET_INFO"
            })
    void theShortRoadClosesWhatItOpenedWhateverStepFails(Operation step) {
        vfio.close();
        kernel.newCalls();
        kernel.failures.put(step, Errno.EPERM);
        try (Vfio again = Vfio.on(kernel, Contract.STRICT)) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> again.openDevice(FakeKernel.ADDRESS));
            assertThat(e.operation()).isEqualTo(step);
            kernel.calls.remove(step == Operation.OPEN_CONTAINER ? "open container" : ""); // the failed one
            kernel.calls.remove(step == Operation.OPEN_GROUP ? "open group" : "");
            kernel.calls.remove(step == Operation.GROUP_GET_DEVICE_FD ? "open device" : "");
            for (String kind : List.of("container", "group", "device")) {
                assertThat(kernel.calls.stream().filter(("open " + kind)::equals))
                        .as(kind)
                        .hasSameSizeAs(kernel.calls.stream().filter(("close " + kind)::equals).toList());
            }
        }
    }

    @Test
    void addressesComeFromARangeThatDoesNotStartAtZero() {
        kernel.ranges = List.of(new IovaRange(0x200000, 0x203fff), new IovaRange(0x300000, 0x30ffff));
        container.detach(group);
        container.attach(group);
        Type1 narrow = container.setIommu(IommuType.TYPE1_V2);
        assertThat(narrow.allocate(0x3000, Access.READ).iova()).isEqualTo(0x200000);
        assertThat(narrow.allocate(0x2000, Access.READ).iova()).isEqualTo(0x300000); // 1 page is left in the first
        assertThat(narrow.allocate(0x1000, Access.READ).iova()).isEqualTo(0x203000);
        VfioException e = catchThrowableOfType(VfioException.class, () -> narrow.allocate(0x10000, Access.READ));
        assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
    }

    @Test
    void aShortWriteIsAnError() {
        Device device = iommu.openDevice(group, FakeKernel.ADDRESS);
        try (Arena arena = Arena.ofConfined()) {
            VfioException e = catchThrowableOfType(
                    VfioException.class, () -> device.region(0).write(0, arena.allocate(8)));
            assertThat(e.getMessage()).contains("only 7 of 8 bytes");
        }
    }

    @Test
    void aRegionWithHolesIsNotMappedWhole() {
        Device device = iommu.openDevice(group, FakeKernel.ADDRESS);
        RuleViolation violation =
                catchThrowableOfType(RuleViolation.class, () -> device.region(1).map());
        assertThat(violation.rule()).contains(Rule.REGION_MAPPABLE);
    }

    @Test
    void aGroupOfAnotherKernelIsRefused() {
        try (Vfio other = Vfio.on(new FakeKernel(), Contract.STRICT);
                Group foreign = other.openGroup(9)) {
            assertThatIllegalArgumentException().isThrownBy(() -> container.attach(foreign));
        }
    }

    @Test
    void theVeryTopIsNotMappedWhereTheKernelWouldLoseIt() {
        kernel.keepsTopMappings = false;
        Container another = vfio.openContainer();
        another.attach(vfio.openGroup(5));
        Type1 older = another.setIommu(IommuType.TYPE1_V2);
        RuleViolation e = catchThrowableOfType(
                RuleViolation.class, () -> older.allocateAt(-4096, 4096, Access.READ));
        assertThat(e.rule()).contains(Rule.MAP_TOP);
        iommu.allocateAt(-4096, 4096, Access.READ); // made of a kernel that finds it again
    }

    @Test
    void buffersOfWhichTheKernelUnmapsLessAreAllKept() {
        DmaBuffer first = iommu.allocate(4096, Access.READ);
        DmaBuffer second = iommu.allocate(4096, Access.READ);
        kernel.unmapsAll = 4096;
        assertThat(catchThrowableOfType(VfioException.class, iommu::unmapAll)).isNotNull();
        assertThat(first.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
        assertThat(second.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
        kernel.unmapsAll = 8192;
        assertThat(iommu.unmapAll()).isEqualTo(8192);
        assertThat(kernel.calls).contains("free 1000");
    }

    @Test
    void trackingThatTheKernelDoesNotStopStaysOn() {
        DirtyTracking tracking = iommu.trackDirtyPages();
        kernel.failures.put(Operation.IOMMU_DIRTY_PAGES, Errno.EIO);
        assertThat(catchThrowableOfType(VfioException.class, tracking::close)).isNotNull();
        kernel.failures.clear();
        assertThat(iommu.trackDirtyPages()).isSameAs(tracking);
    }
}
