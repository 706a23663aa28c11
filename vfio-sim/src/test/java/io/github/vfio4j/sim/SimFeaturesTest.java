package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** VFIO_DEVICE_FEATURE in bytes. */
class SimFeaturesTest {
    private static final int FEATURE = 0x3b75;
    private static final int GET = 1 << 16;
    private static final int SET = 1 << 17;
    private static final int PROBE = 1 << 18;
    private static final int ENTRY = 3;
    private static final int ENTRY_WITH_WAKEUP = 4;
    private static final int EXIT = 5;
    private static final int DMA_BUF = 11;
    private static final int PRECOPY_V2 = 12;
    private static final PciAddress DEVICE = PciAddress.parse("0000:00:04.0");

    private RawProcess p;
    private RawProcess.Rig rig;

    SimFeaturesTest() {
        use(KernelProfile.V7_2);
    }

    private void use(KernelProfile kernel) {
        p = RawProcess.on(SimMachine.builder().kernel(kernel).device(DEVICE, new TestModel()).build());
        rig = p.openDevice(0, DEVICE.toString());
    }

    private int feature(int flags, int... data) {
        MemorySegment feature = p.memory(8 + 4L * data.length);
        feature.set(INT, 0, (int) feature.byteSize());
        feature.set(INT, 4, flags);
        for (int i = 0; i < data.length; i++) {
            feature.set(INT, 8 + 4L * i, data[i]);
        }
        return p.ioctl(rig.device(), FEATURE, feature);
    }

    @Test
    void theArgumentIsCheckedInTheKernelsOrder() {
        assertThat(p.ioctl(rig.device(), FEATURE, p.memory(7))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(rig.device(), FEATURE, p.ints(7, SET | EXIT))).isEqualTo(-EINVAL);
        assertThat(feature(1 << 19 | SET | EXIT)).isEqualTo(-EINVAL);
        assertThat(feature(GET | SET | EXIT)).isEqualTo(-EINVAL);
        assertThat(feature(GET | SET | 99)).isEqualTo(-EINVAL); // before the number is looked at
        assertThat(feature(SET | 99)).isEqualTo(-ENOTTY);
        assertThat(feature(EXIT)).isEqualTo(-EINVAL); // neither way
        assertThat(feature(GET | EXIT)).isEqualTo(-EINVAL);
        assertThat(feature(PROBE | GET | EXIT)).isEqualTo(-EINVAL);
        assertThat(feature(PROBE | GET | SET | EXIT)).isEqualTo(-EINVAL);
        assertThat(feature(PROBE | SET | EXIT)).isZero();
        assertThat(feature(PROBE | EXIT)).isZero();
        assertThat(feature(SET | ENTRY_WITH_WAKEUP, 1)).isEqualTo(-EINVAL); // too short
        assertThat(feature(PROBE | SET | ENTRY_WITH_WAKEUP)).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void whatTheDeviceLacksIsEnotty(KernelProfile kernel) {
        use(kernel);
        for (int number : new int[] {0, 1, 2, 6, 7, 8, 9, 10, 13}) {
            assertThat(feature(PROBE | number)).as("feature %d", number).isEqualTo(-ENOTTY);
        }
        boolean newest = kernel == KernelProfile.V7_2;
        assertThat(feature(PROBE | PRECOPY_V2)).isEqualTo(newest ? -EINVAL : -ENOTTY);
        assertThat(feature(PROBE | DMA_BUF)).isEqualTo(newest ? 0 : -ENOTTY);
    }

    @Test
    void lowPowerIsEnteredOnce() {
        assertThat(feature(SET | EXIT)).isZero();
        assertThat(feature(SET | ENTRY)).isZero();
        assertThat(feature(SET | ENTRY)).isEqualTo(-EINVAL);
        assertThat(p.pread(rig.device(), p.memory(4), 0)).isEqualTo(4); // wakes it, and it stays engaged
        assertThat(feature(SET | ENTRY)).isEqualTo(-EINVAL);
        assertThat(feature(SET | EXIT)).isZero();
        assertThat(feature(SET | ENTRY)).isZero();
        p.close(rig.device());
        rig = new RawProcess.Rig(rig.container(), rig.group(), p.deviceFd(rig.group(), DEVICE.toString()));
        assertThat(feature(SET | ENTRY)).isZero();
    }

    @Test
    void anAccessWakesTheDeviceThatWaitsForIt() {
        int event = p.eventfd(0, 0x800); // EFD_NONBLOCK
        assertThat(feature(SET | ENTRY_WITH_WAKEUP, -1, 0)).isEqualTo(-EINVAL);
        assertThat(feature(SET | ENTRY_WITH_WAKEUP, 99, 0)).isEqualTo(-EBADF);
        assertThat(feature(SET | ENTRY_WITH_WAKEUP, rig.group(), 0)).isEqualTo(-EINVAL);
        assertThat(feature(SET | ENTRY_WITH_WAKEUP, event, 0)).isZero();
        assertThat(p.readEventFd(event)).isEqualTo(-EAGAIN);
        assertThat(p.pread(rig.device(), p.memory(4), 7L << 40)).isEqualTo(4);
        assertThat(p.readEventFd(event)).isEqualTo(1);
        assertThat(feature(SET | ENTRY)).isZero();
    }

    private int share(int region, int flags, int... ranges) {
        int[] data = new int[4 + 4 * (ranges.length / 2)];
        data[0] = region;
        data[2] = flags;
        data[3] = ranges.length / 2;
        for (int i = 0; i < ranges.length; i++) {
            data[4 + 2 * i] = ranges[i];
        }
        return feature(GET | DMA_BUF, data);
    }

    @Test
    void partsOfABarAreShared() {
        assertThat(share(0, 0)).isEqualTo(-EINVAL);
        assertThat(share(0, 1, 0, 4096)).isEqualTo(-EINVAL);
        assertThat(share(2, 0, 0, 4096)).isEqualTo(-EINVAL); // ports
        assertThat(share(5, 0, 0, 4096)).isEqualTo(-ENODEV); // not there
        assertThat(share(7, 0, 0, 4096)).isEqualTo(-ENODEV);
        assertThat(share(-1, 0, 0, 4096)).isEqualTo(-ENODEV);
        assertThat(share(0, 0, 0, 0)).isEqualTo(-EINVAL);
        assertThat(share(0, 0, 8, 4096)).isEqualTo(-EINVAL);
        assertThat(share(0, 0, 16384, 4096)).isEqualTo(-EINVAL);
        assertThat(share(0, 0, 0, 4096, 0, 20480)).isEqualTo(-EINVAL);
        int shared = share(0, 0, 0, 4096, 8192, 8192);
        assertThat(shared).isPositive();
        assertThat(p.ioctl(shared, FEATURE, 0)).isEqualTo(-ENOTTY);
        assertThat(p.close(shared)).isZero();
        MemorySegment cut = p.memory(8 + 16);
        cut.set(INT, 0, 24);
        cut.set(INT, 4, GET | DMA_BUF);
        cut.set(INT, 20, 1);
        assertThat(p.ioctl(rig.device(), FEATURE, cut)).isEqualTo(-EFAULT); // argsz does not cover the ranges
    }
}
