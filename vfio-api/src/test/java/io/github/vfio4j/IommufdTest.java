package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the kernel is asked on the way of iommufd, and in which order. */
class IommufdTest {
    private static final String NODE = "/dev/vfio/devices/vfio3";

    private final FakeKernel kernel = new FakeKernel();
    private final Vfio vfio = Vfio.on(kernel, Contract.STRICT);

    @BeforeEach
    void theDeviceHasANode() {
        kernel.deviceNode = NODE;
    }

    @Test
    void theShortRoadTakesTheNodeWhereThereIsOne() {
        Device device = vfio.openDevice(FakeKernel.ADDRESS);
        assertThat(device.openedBy()).isEqualTo(OpenedBy.CDEV);
        assertThat(vfio.wayTo(FakeKernel.ADDRESS)).isEqualTo(OpenedBy.CDEV);
        assertThat(kernel.newCalls())
                .containsExactly("open iommufd", "open " + NODE, "bind", "device info", "allocate ioas", "attach to 1");
        device.close();
        assertThat(kernel.newCalls()).containsExactly("detach", "close device", "destroy 1", "close iommufd");
    }

    @Test
    void theShortRoadTakesTheGroupWhereThereIsNoNode() {
        kernel.deviceNode = null;
        assertThat(vfio.openDevice(FakeKernel.ADDRESS).openedBy()).isEqualTo(OpenedBy.GROUP);
    }

    @Test
    void theShortRoadTakesTheGroupWhereTheNodeMayNotBeOpened() {
        kernel.inaccessible = List.of(NODE);
        assertThat(vfio.wayTo(FakeKernel.ADDRESS)).isEqualTo(OpenedBy.GROUP);
        kernel.inaccessible = List.of("/dev/iommu");
        assertThat(vfio.wayTo(FakeKernel.ADDRESS)).isEqualTo(OpenedBy.GROUP);
    }

    @Test
    void theShortRoadGoesWhereItIsTold() {
        Device device = vfio.openDevice(FakeKernel.ADDRESS, OpenedBy.GROUP);
        assertThat(device.openedBy()).isEqualTo(OpenedBy.GROUP);
        device.close();
        assertThatThrownBy(() -> vfio.openDevice(FakeKernel.ADDRESS, OpenedBy.PEER))
                .isInstanceOf(IllegalArgumentException.class);
        kernel.deviceNode = null;
        assertThatThrownBy(() -> vfio.openDevice(FakeKernel.ADDRESS, OpenedBy.CDEV))
                .isInstanceOf(VfioException.class)
                .hasMessageContaining("ENOENT");
        assertThat(kernel.calls).last().isEqualTo("close iommufd");
    }

    @Test
    void whatFailsOnTheShortRoadLeavesNothingOpen() {
        kernel.failures.put(Operation.DEVICE_ATTACH_IOMMUFD_PT, Errno.ENOMEM);
        assertThatThrownBy(() -> vfio.openDevice(FakeKernel.ADDRESS)).hasMessageContaining("ENOMEM");
        assertThat(kernel.newCalls()).endsWith("close device", "destroy 1", "close iommufd");
        kernel.failures.clear();
        kernel.failures.put(Operation.DEVICE_BIND_IOMMUFD, Errno.EPERM);
        assertThatThrownBy(() -> vfio.openDevice(FakeKernel.ADDRESS)).hasMessageContaining("EPERM");
        assertThat(kernel.newCalls()).endsWith("close device", "close iommufd");
        kernel.failures.clear();
        vfio.openDevice(FakeKernel.ADDRESS);
    }

    @Test
    void memoryThatTheKernelKeepsMappedIsKept() {
        Iommufd iommufd = vfio.openIommufd();
        Ioas ioas = iommufd.allocateIoas();
        DmaBuffer buffer = ioas.allocate(4096, Access.READ_WRITE);
        kernel.failures.put(Operation.IOMMU_DESTROY, Errno.EBUSY);
        kernel.failures.put(Operation.IOAS_UNMAP, Errno.EBUSY);
        kernel.newCalls();
        assertThatThrownBy(ioas::close).hasMessageContaining("EBUSY");
        assertThat(kernel.newCalls()).containsExactly("destroy 1", "unmap 10000+1000 in 1");
        assertThat(buffer.segment().scope().isAlive()).isTrue();
        iommufd.close();
        assertThat(kernel.newCalls()).containsExactly("close iommufd", "free 1000");
        assertThat(buffer.segment().scope().isAlive()).isFalse();
    }

    @Test
    void memoryIsKeptForeverWhereADeviceMayStillReachIt() {
        Device device = vfio.openDevice(FakeKernel.ADDRESS);
        DmaBuffer buffer = device.iommu().allocate(4096, Access.READ_WRITE);
        kernel.failures.put(Operation.DEVICE_DETACH_IOMMUFD_PT, Errno.EIO);
        kernel.failures.put(Operation.IOMMU_DESTROY, Errno.EBUSY);
        kernel.failures.put(Operation.IOAS_UNMAP, Errno.EBUSY);
        assertThatThrownBy(device::close).hasMessageContaining("EIO");
        assertThat(buffer.segment().scope().isAlive()).isTrue();
    }

    @Test
    void memoryIsUnmappedBeforeItIsFreed() {
        Device device = vfio.openDevice(FakeKernel.ADDRESS);
        device.iommu().allocate(4096, Access.READ);
        kernel.newCalls();
        device.close();
        assertThat(kernel.newCalls())
                .containsExactly(
                        "detach", "close device", "destroy 1", "free 1000", "close iommufd");
    }

    @Test
    void aNodeOfAnotherGroupIsNoHindrance() {
        vfio.openGroup(27);
        vfio.openDevice(FakeKernel.ADDRESS, OpenedBy.CDEV);
        assertThatThrownBy(() -> vfio.openGroup(4))
                .isInstanceOfSatisfying(
                        RuleViolation.class, e -> assertThat(e.rule()).contains(Rule.GROUP_OPEN_CDEV));
        assertThat(vfio.pciDevice(FakeKernel.ADDRESS).iommuGroup()).isEqualTo(OptionalInt.of(4));
    }
}
