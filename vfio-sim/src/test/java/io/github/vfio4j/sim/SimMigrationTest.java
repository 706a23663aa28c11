package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.ffm.port.Frame;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The migration of a mediated device, in bytes. */
class SimMigrationTest {
    private static final int FEATURE = 0x3b75;
    private static final int GET = 1 << 16;
    private static final int SET = 1 << 17;
    private static final int PROBE = 1 << 18;
    private static final int MIGRATION = 1;
    private static final int DEVICE_STATE = 2;
    private static final int ERROR = 0;
    private static final int STOP = 1;
    private static final int RUNNING = 2;
    private static final int STOP_COPY = 3;
    private static final int RESUMING = 4;
    private static final int PRE_COPY = 6;
    private static final int PRE_COPY_P2P = 7;
    private static final int PRECOPY_INFO = io.github.vfio4j.ffm.gen.vfio_h.VFIO_MIG_GET_PRECOPY_INFO();
    private static final int RESET = io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_RESET();
    private static final UUID MTTY = UUID.fromString("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001");

    private RawProcess p;
    private int device;
    private int opened;

    SimMigrationTest() {
        use(KernelProfile.V7_2);
    }

    private void use(KernelProfile kernel) {
        p = RawProcess.on(SimMachine.builder()
                .kernel(kernel)
                .mediatedDevice(MTTY, new MttyModel())
                .build());
        device = p.openDevice(0, MTTY.toString()).device();
    }

    private int to(int state) {
        MemorySegment feature = p.ints(16, SET | DEVICE_STATE, state, 77);
        int result = p.ioctl(device, FEATURE, feature);
        opened = feature.get(INT, 12);
        return result;
    }

    private int state() {
        MemorySegment feature = p.ints(16, GET | DEVICE_STATE, 77, 77);
        assertThat(p.ioctl(device, FEATURE, feature)).isZero();
        assertThat(feature.get(INT, 12)).isEqualTo(-1);
        return feature.get(INT, 8);
    }

    @ParameterizedTest
    @EnumSource
    void sampleDevicesCanBeMovedSinceLinux67(KernelProfile kernel) {
        use(kernel);
        int expected = kernel.isBefore(KernelProfile.V6_12) ? -ENOTTY : 0;
        MemorySegment feature = p.ints(16, GET | MIGRATION, 0, 0);
        assertThat(p.ioctl(device, FEATURE, feature)).isEqualTo(expected);
        assertThat(p.ioctl(device, FEATURE, p.ints(8, PROBE | DEVICE_STATE))).isEqualTo(expected);
        assertThat(p.ioctl(device, FEATURE, p.ints(8, PROBE | 3))).isEqualTo(-ENOTTY); // low power
        if (expected == 0) {
            assertThat(feature.get(LONG, 8)).isEqualTo(7); // STOP_COPY, P2P, PRE_COPY
        }
    }

    @Test
    void theArgumentIsChecked() {
        assertThat(p.ioctl(device, FEATURE, p.ints(12, GET | DEVICE_STATE, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(device, FEATURE, p.ints(16, DEVICE_STATE, 0, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(device, FEATURE, p.ints(16, SET | MIGRATION, 0, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(device, FEATURE, p.ints(16, GET | DEVICE_STATE))).isEqualTo(-EFAULT);
    }

    @Test
    void aResetMakesTheDeviceWorkAgain() {
        assertThat(to(STOP_COPY)).isZero();
        int stream = opened;
        assertThat(p.ioctl(device, RESET, 0)).isZero();
        assertThat(state()).isEqualTo(RUNNING);
        assertThat(p.calls.read(new Frame(), stream, p.memory(16))).isEqualTo(-ENODEV);
    }

    @Test
    void statesThatAreNotThereAreEinval() {
        for (int state : new int[] {ERROR, 8, -1}) {
            assertThat(to(state)).isEqualTo(-EINVAL);
            assertThat(opened).isEqualTo(-1);
        }
        assertThat(state()).isEqualTo(RUNNING);
    }

    @Test
    void theStateTravels() {
        assertThat(p.pwrite(device, p.ints(0x5a).asSlice(0, 1), 7)).isEqualTo(1);
        assertThat(to(STOP_COPY)).isZero();
        int out = opened;
        MemorySegment saved = p.memory(16);
        assertThat(p.calls.read(new Frame(), out, saved)).isEqualTo(3);
        assertThat(p.calls.read(new Frame(), out, saved.asSlice(8))).isZero();
        assertThat(p.calls.write(new Frame(), out, saved)).isEqualTo(-EBADF);
        assertThat(to(RUNNING)).isZero();
        assertThat(opened).isEqualTo(-1);
        assertThat(p.calls.read(new Frame(), out, saved.asSlice(8))).isEqualTo(-ENODEV);
        p.pwrite(device, p.ints(0).asSlice(0, 1), 7);
        assertThat(to(RESUMING)).isZero();
        assertThat(p.calls.write(new Frame(), opened, saved.asSlice(0, 3))).isEqualTo(3);
        assertThat(to(RUNNING)).isZero();
        MemorySegment scratch = p.memory(1);
        p.pread(device, scratch, 7);
        assertThat(scratch.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x5a);
    }

    /** The device's whole state, and how much of it was read by the time that the device stopped. */
    private MemorySegment saved(int... way) {
        MemorySegment saved = p.memory(3);
        int stream = -1;
        long at = 0;
        for (int state : way) {
            assertThat(to(state)).isZero();
            stream = stream < 0 ? opened : stream;
            at += p.calls.read(new Frame(), stream, saved.asSlice(at));
        }
        assertThat(at).isEqualTo(3);
        return saved;
    }

    @Test
    void whatTravelsAheadIsThePartThatStays() {
        p.pwrite(device, p.ints(0x5a).asSlice(0, 1), 7);
        MemorySegment ahead = saved(PRE_COPY, PRE_COPY_P2P, PRE_COPY, STOP_COPY);
        assertThat(to(RUNNING)).isZero();
        assertThat(ahead.mismatch(saved(STOP_COPY))).isEqualTo(-1);
    }

    @Test
    void aStreamThatWasOpenedAheadEndsWhenTheDeviceGoesOnRunning() {
        assertThat(to(PRE_COPY_P2P)).isZero();
        int stream = opened;
        MemorySegment info = p.ints(24, 0, 77, 77, 77, 77);
        assertThat(p.ioctl(stream, PRECOPY_INFO, info)).isZero();
        assertThat(info.get(LONG, 8)).isEqualTo(1);
        assertThat(info.get(LONG, 16)).isZero();
        assertThat(to(PRE_COPY)).isZero();
        assertThat(opened).isEqualTo(-1);
        assertThat(to(STOP)).isZero();
        assertThat(p.ioctl(stream, PRECOPY_INFO, info)).isEqualTo(-EINVAL);
        assertThat(p.calls.read(new Frame(), stream, p.memory(8))).isEqualTo(-ENODEV);
        assertThat(to(PRE_COPY)).isZero();
        assertThat(to(STOP_COPY)).isZero();
        assertThat(to(PRE_COPY)).isEqualTo(-EINVAL);
        assertThat(state()).isEqualTo(STOP_COPY);
    }

    @Test
    void aDeviceThatResumesGoesAllTheWayToPreCopy() {
        assertThat(to(RESUMING)).isZero();
        assertThat(p.ioctl(opened, PRECOPY_INFO, p.ints(24, 0, 0, 0, 0, 0))).isEqualTo(-ENOTTY);
        p.calls.write(new Frame(), opened, p.ints('M').asSlice(0, 3));
        assertThat(to(PRE_COPY)).isZero();
        assertThat(state()).isEqualTo(PRE_COPY);
        assertThat(opened).isNotNegative();
    }

    @Test
    void aStateThatIsNoneFailsTheDevice() {
        assertThat(to(RESUMING)).isZero();
        assertThat(p.calls.write(new Frame(), opened, p.ints(1))).isEqualTo(4);
        assertThat(to(STOP)).isEqualTo(-EINVAL);
        assertThat(state()).isEqualTo(ERROR);
        assertThat(to(STOP)).isEqualTo(-EINVAL);
    }
}
