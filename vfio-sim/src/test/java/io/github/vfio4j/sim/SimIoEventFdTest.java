package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** VFIO_DEVICE_IOEVENTFD in bytes. */
@Timeout(60)
class SimIoEventFdTest {
    private static final int IOEVENTFD = 0x3b74;
    private static final PciAddress DEVICE = PciAddress.parse("0000:00:04.0");
    private static final long BAR2 = 2L << 40;
    private static final long BAR4 = 4L << 40;

    private final CountDownLatch written = new CountDownLatch(1);
    private RawProcess p;
    private RawProcess.Rig rig;
    private int event;

    private SimIoEventFdTest() {
        use(KernelProfile.V7_2);
    }

    private void use(KernelProfile kernel) {
        PciModel model = new TestModel(3, 0) {
            @Override
            public void write(int bar, long offset, int width, long value) {
                if (bar == 2 && offset == 16 && width == 4 && value == 0xcafe) {
                    written.countDown();
                }
            }
        };
        p = RawProcess.on(SimMachine.builder().kernel(kernel).device(DEVICE, model).build());
        rig = p.openDevice(0, DEVICE.toString());
        event = p.eventfd(0, 0);
    }

    private int set(int argsz, int flags, long offset, long data, int fd) {
        MemorySegment set = p.memory(32);
        set.set(INT, 0, argsz);
        set.set(INT, 4, flags);
        set.set(LONG, 8, offset);
        set.set(LONG, 16, data);
        set.set(INT, 24, fd);
        return p.ioctl(rig.device(), IOEVENTFD, set);
    }

    private int set(int flags, long offset, long data, int fd) {
        return set(28, flags, offset, data, fd);
    }

    @Test
    void aSignalWritesTheRegisterAndTakesTheCount() throws InterruptedException {
        assertThat(set(4, BAR2 + 16, 0xcafe, event)).isZero();
        assertThat(p.writeEventFd(event, 5)).isEqualTo(8);
        assertThat(written.await(60, TimeUnit.SECONDS)).isTrue();
        assertThat(p.writeEventFd(event, -2)).as("the count is 0 again").isEqualTo(8);
    }

    @Test
    void aCountFromBeforeIsTakenToo() throws InterruptedException {
        p.writeEventFd(event, 1);
        assertThat(set(4, BAR2 + 16, 0xcafe, event)).isZero();
        assertThat(written.await(60, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void theArgumentIsCheckedInTheKernelsOrder() {
        assertThat(p.ioctl(rig.device(), IOEVENTFD, p.memory(27))).isEqualTo(-EFAULT);
        assertThat(set(27, 4, 0, 0, event)).isEqualTo(-EINVAL);
        assertThat(set(4 | 16, 0, 0, event)).isEqualTo(-EINVAL);
        assertThat(set(0, 0, 0, event)).isEqualTo(-EINVAL);
        assertThat(set(4 | 2, 0, 0, event)).isEqualTo(-EINVAL);
        assertThat(set(4, 0, 0, -2)).isEqualTo(-EINVAL);
        assertThat(set(4, 6L << 40, 0, event)).isEqualTo(-EINVAL);
        assertThat(set(4, 1L << 40, 0, event)).isEqualTo(-EINVAL); // a BAR that is not there
        assertThat(set(4, BAR2 + 125, 0, event)).isEqualTo(-EINVAL);
        assertThat(set(4, BAR2 + 124, 0, event)).isZero();
        assertThat(set(1, BAR4 + 47, 0, event)).isEqualTo(-EINVAL); // the MSI-X table
        assertThat(set(1, BAR4 + 48, 0, event)).isZero();
        assertThat(set(2, BAR2 + 1, 0, event)).isZero(); // misaligned, and accepted
        assertThat(set(4, BAR2, 0, 99)).isEqualTo(-EBADF);
        assertThat(set(4, BAR2, 0, rig.group())).isEqualTo(-EINVAL);
    }

    @Test
    void theSameWriteIsSetOnceAndRemovedOnce() {
        assertThat(set(4, BAR2, 1, -1)).isEqualTo(-ENODEV);
        assertThat(set(4, BAR2, 1, event)).isZero();
        assertThat(set(4, BAR2, 1, 99)).isEqualTo(-EEXIST); // before the descriptor is looked at
        assertThat(set(4, BAR2, 2, event)).isZero();
        assertThat(set(4, BAR2, 1, -1)).isZero();
        assertThat(set(4, BAR2, 1, -1)).isEqualTo(-ENODEV);
    }

    @ParameterizedTest
    @EnumSource
    void eightBytesAreWrittenByOldKernels(KernelProfile kernel) {
        use(kernel);
        assertThat(set(8, BAR2, 0, event)).isEqualTo(kernel == KernelProfile.V7_2 ? -EINVAL : 0);
    }

    @Test
    void aDeviceHasAThousand() {
        for (int i = 0; i < 1000; i++) {
            assertThat(set(4, BAR2, i, event)).isZero();
        }
        assertThat(set(4, BAR2, 1000, event)).isEqualTo(-ENOSPC);
        assertThat(set(4, BAR2, 1000, 99)).isEqualTo(-ENOSPC); // before the descriptor is looked at
        assertThat(set(4, BAR2, 999, event)).isEqualTo(-EEXIST);
        assertThat(set(4, BAR2, 999, -1)).isZero();
        assertThat(set(4, BAR2, 1000, event)).isZero();
    }

    @Test
    void theyEndWithTheLastClose() {
        assertThat(set(4, BAR2, 1, event)).isZero();
        p.close(rig.device());
        rig = new RawProcess.Rig(rig.container(), rig.group(), p.deviceFd(rig.group(), DEVICE.toString()));
        assertThat(set(4, BAR2, 1, -1)).isEqualTo(-ENODEV);
        assertThat(p.writeEventFd(event, 1)).isEqualTo(8); // nobody takes it
        assertThat(p.readEventFd(event)).isEqualTo(1);
    }
}
