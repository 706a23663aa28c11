package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.SmmuCommand;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ViommuType;
import io.github.vfio4j.VirtualEvent;
import io.github.vfio4j.VirtualEventType;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.IommufdPort.NewViommu;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The bytes of virtual IOMMUs: those of the core, and those of Arm's and NVIDIA's drivers. */
class VirtualIommuTest {
    private static final int VIOMMU_ALLOC = 0x3b90;
    private static final int VDEVICE_ALLOC = 0x3b91;
    private static final int VEVENTQ_ALLOC = 0x3b93;
    private static final int HW_QUEUE_ALLOC = 0x3b94;
    private static final int HWPT_INVALIDATE = 0x3b8d;

    private final Calls calls = new Calls();
    private final FfmIommufd iommufd = new FfmIommufd(new Fd(calls, 4, "iommufd"));

    /** Gives bytes to whoever reads. */
    private static final class Calls extends AnsweredIoctls {
        ByteBuffer file = ByteBuffer.allocate(0);

        @Override
        public long read(Frame frame, int fd, MemorySegment target) {
            MemorySegment.copy(MemorySegment.ofBuffer(file), 0, target, 0, file.remaining());
            return file.remaining();
        }
    }

    private static ByteBuffer bytes() {
        return ByteBuffer.allocate(512).order(ByteOrder.LITTLE_ENDIAN);
    }

    // ---- what is made

    @Test
    void smmuHasNoData() {
        calls.kernel = alloc -> {
            assertThat(alloc.asSlice(0, 32).toArray(JAVA_INT)).containsExactly(40, 0, 1, 11, 12, 0, 0, 0);
            assertThat(alloc.get(JAVA_LONG, 32)).as("data_uptr").isZero();
            alloc.set(JAVA_INT, 20, 13);
            return 0;
        };
        assertThat(iommufd.allocateViommu(11, 12, ViommuType.ARM_SMMUV3)).isEqualTo(new NewViommu(13, 0, 0));
        assertThat(calls.request).isEqualTo(VIOMMU_ALLOC);
    }

    @Test
    void tegraTellsWhereItsPageIs() {
        calls.kernel = alloc -> {
            assertThat(alloc.asSlice(0, 32).toArray(JAVA_INT)).containsExactly(40, 0, 2, 11, 12, 0, 16, 0);
            assertThat(alloc.get(JAVA_LONG, 32)).as("data_uptr").isEqualTo(alloc.address() + 40);
            alloc.set(JAVA_INT, 20, 13);
            alloc.set(JAVA_LONG, 40, 0x5000);
            alloc.set(JAVA_LONG, 48, 0x10000);
            return 0;
        };
        assertThat(iommufd.allocateViommu(11, 12, ViommuType.TEGRA241_CMDQV))
                .isEqualTo(new NewViommu(13, 0x5000, 0x10000));
    }

    @Test
    void aVirtualDeviceHasANumber() {
        calls.kernel = alloc -> {
            assertThat(alloc.asSlice(0, 16).toArray(JAVA_INT)).containsExactly(24, 13, 11, 0);
            assertThat(alloc.get(JAVA_LONG, 16)).isEqualTo(-5);
            alloc.set(JAVA_INT, 12, 14);
            return 0;
        };
        assertThat(iommufd.allocateVirtualDevice(13, 11, -5)).isEqualTo(14);
        assertThat(calls.request).isEqualTo(VDEVICE_ALLOC);
    }

    @Test
    void aHardwareQueueHasMemory() {
        calls.kernel = alloc -> {
            assertThat(alloc.asSlice(0, 24).toArray(JAVA_INT)).containsExactly(40, 0, 13, 1, 7, 0);
            assertThat(alloc.asSlice(24, 16).toArray(JAVA_LONG)).containsExactly(0x8000, 0x2000);
            alloc.set(JAVA_INT, 20, 15);
            return 0;
        };
        assertThat(iommufd.allocateHardwareQueue(13, 7, 0x8000, 0x2000)).isEqualTo(15);
        assertThat(calls.request).isEqualTo(HW_QUEUE_ALLOC);
    }

    // ---- events

    private FfmEventQueue queue(VirtualEventType type, int number) {
        calls.kernel = alloc -> {
            assertThat(alloc.asSlice(0, 32).toArray(JAVA_INT)).containsExactly(32, 0, 13, number, 100, 0, 0, 0);
            alloc.set(JAVA_INT, 20, 16);
            alloc.set(JAVA_INT, 24, 9);
            return 0;
        };
        FfmEventQueue queue = (FfmEventQueue) iommufd.allocateEventQueue(13, type, 100);
        assertThat(calls.request).isEqualTo(VEVENTQ_ALLOC);
        assertThat(queue.id()).isEqualTo(16);
        assertThat(queue.fd().number).isEqualTo(9);
        return queue;
    }

    @Test
    void eventsOfSmmuHaveFourWords() {
        FfmEventQueue queue = queue(VirtualEventType.ARM_SMMUV3, 1);
        assertThat(queue.read()).isEmpty();
        calls.file = bytes().putInt(0).putInt(0).putLong(1).putLong(2).putLong(3).putLong(-4);
        calls.file.putInt(0).putInt(5).putLong(6).putLong(7).putLong(8).putLong(9).flip();
        assertThat(queue.read())
                .containsExactly(new VirtualEvent.ArmSmmuV3(0, 1, 2, 3, -4), new VirtualEvent.ArmSmmuV3(5, 6, 7, 8, 9));
    }

    @Test
    void eventsOfTegraHaveTwoAndLostOnesNone() {
        FfmEventQueue queue = queue(VirtualEventType.TEGRA241_CMDQV, 2);
        calls.file = bytes().putInt(0).putInt(Integer.MAX_VALUE).putLong(1).putLong(-2);
        calls.file.putInt(1).putInt(0).flip();
        assertThat(queue.read())
                .containsExactly(new VirtualEvent.Tegra241Cmdqv(Integer.MAX_VALUE, 1, -2), new VirtualEvent.Lost(0));
    }

    @Test
    void aPartOfAnEventIsABrokenAnswer() {
        FfmEventQueue queue = queue(VirtualEventType.ARM_SMMUV3, 1);
        for (ByteBuffer part : List.of(bytes().putInt(0).flip(), bytes().putInt(0).putInt(0).putLong(1).flip())) {
            calls.file = part;
            VfioException e = catchThrowableOfType(VfioException.class, queue::read);
            assertThat(e.operation()).isEqualTo(Operation.VEVENTQ_READ);
            assertThat(e.errno()).isEqualTo(Errno.EPROTO);
        }
    }

    // ---- what is forgotten

    private int invalidate(int done, int result) {
        calls.kernel = invalidate -> {
            assertThat(invalidate.asSlice(0, 8).toArray(JAVA_INT)).containsExactly(32, 13);
            assertThat(invalidate.get(JAVA_LONG, 8)).as("data_uptr").isEqualTo(invalidate.address() + 32);
            assertThat(invalidate.asSlice(16, 16).toArray(JAVA_INT)).as("type, length, number").containsExactly(1, 16, 2, 0);
            assertThat(invalidate.asSlice(32, 32).toArray(JAVA_LONG)).containsExactly(1, 2, 3, -4);
            invalidate.set(JAVA_INT, 24, done);
            return result;
        };
        return iommufd.invalidate(13, List.of(new SmmuCommand(1, 2), new SmmuCommand(3, -4)));
    }

    @Test
    void commandsAreAnArray() {
        assertThat(invalidate(2, 0)).isEqualTo(2);
        assertThat(calls.request).isEqualTo(HWPT_INVALIDATE);
    }

    @Test
    void whatWasDoneBeforeARefusalIsCounted() {
        assertThat(invalidate(1, -Errno.EIO.number())).isEqualTo(1);
        VfioException e = catchThrowableOfType(VfioException.class, () -> invalidate(0, -Errno.EIO.number()));
        assertThat(e.operation()).isEqualTo(Operation.HWPT_INVALIDATE);
        assertThat(e.errno()).isEqualTo(Errno.EIO);
    }
}
