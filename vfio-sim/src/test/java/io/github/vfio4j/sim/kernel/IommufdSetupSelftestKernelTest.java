package io.github.vfio4j.sim.kernel;

import static io.github.vfio4j.ffm.gen.iommufd_h.IOMMU_IOAS_ALLOC;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_ATTACH_IOMMUFD_PT;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_BIND_IOMMUFD;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_DETACH_IOMMUFD_PT;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_GET_INFO;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.Rule;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * The steps of a device's own node, by system calls as the selftest makes them; and by the library, where it has a word for
 * them.
 */
@DisplayName("vfio_iommufd_setup_test")
class IommufdSetupSelftestKernelTest extends SelftestKernelTest {
    private final Syscalls calls = machine.syscalls();
    private final Frame frame = new Frame();
    private int device = -1;
    private int iommufd = -1;

    @BeforeEach
    void openFiles() {
        assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        device = open(machine.kernel().deviceNode(machine.loner().toString()).orElseThrow());
        iommufd = open("/dev/iommu");
    }

    @AfterEach
    void closeFiles() {
        if (device >= 0) {
            calls.close(frame, device);
            calls.close(frame, iommufd);
        }
    }

    private int open(String path) {
        return calls.open(frame, path, Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
    }

    /** Makes an ioctl with a struct of ints, the first of which is its size. */
    private int ioctl(int fd, int request, int... fields) {
        frame.arg.set(JAVA_INT, 0, Integer.BYTES * (fields.length + 1));
        for (int i = 0; i < fields.length; i++) {
            frame.arg.setAtIndex(JAVA_INT, i + 1, fields[i]);
        }
        return calls.ioctl(frame, fd, request, frame.arg);
    }

    private int bind(int to) {
        return ioctl(device, VFIO_DEVICE_BIND_IOMMUFD(), 0, to, 0);
    }

    private int getInfo() {
        return ioctl(device, VFIO_DEVICE_GET_INFO(), 0, 0, 0, 0, 0);
    }

    private int attach(int pageTable) {
        return ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), 0, pageTable);
    }

    private int detach() {
        return ioctl(device, VFIO_DEVICE_DETACH_IOMMUFD_PT(), 0);
    }

    /** The number of a new address space. */
    private int allocate() {
        assertThat(ioctl(iommufd, IOMMU_IOAS_ALLOC(), 0, 0)).isZero();
        return frame.arg.getAtIndex(JAVA_INT, 2);
    }

    /** Opens the device through the library instead. */
    private Device reopen(Iommufd through) {
        calls.close(frame, device);
        device = -1;
        calls.close(frame, iommufd);
        return through.openDevice(machine.loner());
    }

    @Test
    @DisplayName("vfio_cdev.bind")
    void aDeviceThatIsBoundAnswers() {
        assertThat(bind(iommufd)).isZero();
        assertThat(getInfo()).isZero();
        assertThat(reopen(vfio.openIommufd()).info().pci()).isTrue();
    }

    @Test
    @DisplayName("vfio_cdev.get_info_without_bind_fails")
    void aDeviceThatIsNotBoundAnswersNothing() {
        assertThat(getInfo()).isEqualTo(-Errno.EINVAL.number());
    }

    @Test
    @DisplayName("vfio_cdev.bind_bad_iommufd_fails")
    void aDeviceIsNotBoundToNoFile() {
        assertThat(bind(-2)).isEqualTo(-Errno.EINVAL.number());
        assertThat(bind(device)).isEqualTo(-Errno.EBADFD.number()); // a file, and no iommufd
        assertThat(bind(iommufd)).isZero();
        Iommufd closed = vfio.openIommufd();
        closed.close();
        assertRefused(Rule.HANDLE_OPEN, () -> closed.openDevice(machine.loner()));
    }

    @Test
    @DisplayName("vfio_cdev.repeated_bind_fails")
    void aDeviceIsBoundOnce() {
        assertThat(bind(iommufd)).isZero();
        assertThat(bind(iommufd)).isEqualTo(-Errno.EINVAL.number());
        Iommufd through = vfio.openIommufd();
        reopen(through);
        assertRefused(Rule.BIND_IOMMUFD_DEVICE_ONCE, () -> through.openDevice(machine.loner()));
    }

    @Test
    @DisplayName("vfio_cdev.attach_detatch_pt")
    void aDeviceIsAttachedAndDetached() {
        assertThat(bind(iommufd)).isZero();
        assertThat(attach(allocate())).isZero();
        assertThat(detach()).isZero();
        Iommufd through = vfio.openIommufd();
        Device reopened = reopen(through);
        Ioas ioas = through.allocateIoas();
        reopened.attach(ioas);
        assertThat(reopened.attached()).contains(ioas);
        reopened.detach();
        assertThat(reopened.attached()).isEmpty();
    }

    @Test
    @DisplayName("vfio_cdev.attach_invalid_pt_fails")
    void aDeviceIsNotAttachedToNothing() {
        assertThat(bind(iommufd)).isZero();
        assertThat(attach(-1)).isEqualTo(-Errno.ENOENT.number());
        Iommufd through = vfio.openIommufd();
        Device reopened = reopen(through);
        Ioas closed = through.allocateIoas();
        closed.close();
        assertRefused(Rule.HANDLE_OPEN, () -> reopened.attach(closed));
    }
}
