package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.ffm.port.Frame;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
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
    private static final int HEADER = 24; // of mtty's state
    private static final int STATE = 96;
    private static final UUID MTTY = UUID.fromString("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001");

    private RawProcess p;
    private int device;
    private int opened;

    SimMigrationTest() {
        use(KernelProfile.V7_2);
    }

    private void use(KernelProfile kernel) {
        use(kernel, new MttyModel());
    }

    private void use(MediatedModel model) {
        use(KernelProfile.V7_2, model);
    }

    private void use(KernelProfile kernel, MediatedModel model) {
        p = RawProcess.on(SimMachine.builder().kernel(kernel).mediatedDevice(MTTY, model).build());
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
        MemorySegment saved = p.memory(STATE + 8);
        assertThat(p.calls.read(new Frame(), out, saved)).isEqualTo(STATE);
        assertThat(p.calls.read(new Frame(), out, saved.asSlice(8))).isZero();
        assertThat(p.calls.write(new Frame(), out, saved)).isEqualTo(-EBADF);
        assertThat(to(RUNNING)).isZero();
        assertThat(opened).isEqualTo(-1);
        assertThat(p.calls.read(new Frame(), out, saved.asSlice(8))).isEqualTo(-ENODEV);
        p.pwrite(device, p.ints(0).asSlice(0, 1), 7);
        assertThat(to(RESUMING)).isZero();
        assertThat(p.calls.write(new Frame(), opened, saved.asSlice(0, STATE))).isEqualTo(STATE);
        assertThat(to(RUNNING)).isZero();
        MemorySegment scratch = p.memory(1);
        p.pread(device, scratch, 7);
        assertThat(scratch.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x5a);
    }

    /** The device's whole state, and how much of it was read by the time that the device stopped. */
    private MemorySegment saved(int... way) {
        MemorySegment saved = p.memory(STATE);
        int stream = -1;
        long at = 0;
        for (int state : way) {
            assertThat(to(state)).isZero();
            stream = stream < 0 ? opened : stream;
            at += p.calls.read(new Frame(), stream, saved.asSlice(at));
        }
        assertThat(at).isEqualTo(STATE);
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
        assertThat(info.get(LONG, 8)).isEqualTo(HEADER);
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
        MemorySegment state = saved(STOP_COPY);
        assertThat(to(RESUMING)).isZero();
        assertThat(p.ioctl(opened, PRECOPY_INFO, p.ints(24, 0, 0, 0, 0, 0))).isEqualTo(-ENOTTY);
        p.calls.write(new Frame(), opened, state);
        assertThat(to(PRE_COPY)).isZero();
        assertThat(state()).isEqualTo(PRE_COPY);
        assertThat(opened).isNotNegative();
    }

    @Test
    void aDeviceGoesOnToResumeUntilItsStateIsWhole() {
        MemorySegment state = saved(STOP_COPY);
        assertThat(to(RESUMING)).isZero();
        int stream = opened;
        p.calls.write(new Frame(), stream, state.asSlice(0, STATE - 1));
        assertThat(to(STOP)).isEqualTo(-EINVAL);
        assertThat(state()).isEqualTo(RESUMING);
        assertThat(p.calls.write(new Frame(), stream, state.asSlice(0, 2))).as("too much").isEqualTo(-ENOMEM);
        assertThat(p.calls.write(new Frame(), stream, state.asSlice(STATE - 1))).isEqualTo(1);
        assertThat(to(STOP)).isZero();
    }

    @Test
    void aStateOfAnotherDeviceIsRefusedAsSoonAsItsHeaderIsThere() {
        assertThat(to(RESUMING)).isZero();
        assertThat(p.calls.write(new Frame(), opened, p.memory(HEADER - 1))).isEqualTo(HEADER - 1);
        assertThat(p.calls.write(new Frame(), opened, p.memory(2))).isEqualTo(-EFAULT);
    }

    @Test
    void aStreamOutlivesItsDeviceAndIsOfNoUse() {
        assertThat(to(PRE_COPY)).isZero();
        p.close(device);
        assertThat(p.ioctl(opened, PRECOPY_INFO, p.ints(24, 0, 0, 0, 0, 0))).isEqualTo(-ENODEV);
        assertThat(p.calls.read(new Frame(), opened, p.memory(8))).isEqualTo(-ENODEV);
    }

    @Test
    void aStateThatIsNoneFailsTheDevice() {
        use(new WithoutPast());
        assertThat(to(RESUMING)).isZero();
        assertThat(p.calls.write(new Frame(), opened, p.ints(1))).isEqualTo(4);
        assertThat(to(STOP)).isEqualTo(-EINVAL);
        assertThat(state()).isEqualTo(ERROR);
        assertThat(to(STOP)).isEqualTo(-EINVAL);
    }

    /** A device that takes no state. */
    private static final class WithoutPast implements MediatedModel {
        @Override
        public long size(int index) {
            return 0;
        }

        @Override
        public void powerOn(MediatedBus bus) {}

        @Override
        public void powerOff() {}

        @Override
        public long read(int index, long offset, int width) {
            return 0;
        }

        @Override
        public void write(int index, long offset, int width, long value) {}

        @Override
        public Optional<byte[]> save() {
            return Optional.of(new byte[Integer.BYTES]);
        }
    }
}
