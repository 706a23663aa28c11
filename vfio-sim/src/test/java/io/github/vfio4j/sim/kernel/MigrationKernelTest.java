package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceFeature;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Migration;
import io.github.vfio4j.MigrationState;
import io.github.vfio4j.MigrationStream;
import io.github.vfio4j.MigrationSupport;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PrecopyInfo;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The state of the kernel's sample device mtty, a serial port, on its way out and in again. */
class MigrationKernelTest extends KernelTest {
    private static final int SCRATCH = 7;

    private Device mtty;
    private Migration migration;

    @BeforeEach
    void openMtty() {
        Optional<UUID> made = machine.mediatedDevice();
        assumeTrue(made.isPresent(), "this kernel has no mtty");
        Group group = vfio.openGroup(vfio.groupOf(made.get()).orElseThrow());
        var container = vfio.openContainer();
        container.attach(group);
        mtty = container.setIommu(IommuType.TYPE1_V2).openDevice(group, made.get());
        assumeTrue(mtty.features().has(DeviceFeature.MIGRATION), "this mtty cannot be moved");
        migration = mtty.features().migration();
    }

    private void scratch(int value) {
        try (Arena arena = Arena.ofConfined()) {
            mtty.region(0).write(SCRATCH, arena.allocateFrom(ValueLayout.JAVA_BYTE, (byte) value));
        }
    }

    private int scratch() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment register = arena.allocate(1);
            mtty.region(0).read(SCRATCH, register);
            return Byte.toUnsignedInt(register.get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    private static void drain(MigrationStream stream, ByteArrayOutputStream state) {
        ByteBuffer piece = ByteBuffer.allocate(1000);
        for (int size = stream.read(piece); size > 0; size = stream.read(piece.clear())) {
            state.write(piece.array(), 0, size);
        }
    }

    private byte[] save() {
        ByteArrayOutputStream state = new ByteArrayOutputStream();
        migration.change(MigrationState.STOP);
        try (MigrationStream stream = migration.change(MigrationState.STOP_COPY).orElseThrow()) {
            drain(stream, state);
        }
        return state.toByteArray();
    }

    @Test
    void aDeviceRunsToBeginWith() {
        assertThat(migration.support()).contains(MigrationSupport.STOP_COPY);
        assertThat(migration.state()).isEqualTo(MigrationState.RUNNING);
        assertThat(migration.change(MigrationState.RUNNING)).isEmpty();
    }

    @Test
    void theStateComesBackAsItWasSaved() {
        scratch(0x5a);
        byte[] state = save();
        assertThat(state).isNotEmpty();
        migration.change(MigrationState.RUNNING);
        scratch(0x11);
        try (MigrationStream stream = migration.change(MigrationState.RESUMING).orElseThrow()) {
            ByteBuffer source = ByteBuffer.wrap(state);
            while (source.hasRemaining()) {
                assertThat(stream.write(source)).isPositive();
            }
            migration.change(MigrationState.STOP);
        }
        migration.change(MigrationState.RUNNING);
        assertThat(scratch()).isEqualTo(0x5a);
    }

    @Test
    void preCopyEstimatesWhatIsLeft() {
        assumeTrue(migration.support().contains(MigrationSupport.PRE_COPY), "without pre-copy");
        ByteArrayOutputStream state = new ByteArrayOutputStream();
        try (MigrationStream stream = migration.change(MigrationState.PRE_COPY).orElseThrow()) {
            PrecopyInfo before = stream.precopyInfo();
            drain(stream, state);
            PrecopyInfo after = stream.precopyInfo();
            assertThat(state.size()).isEqualTo(before.initialBytes() + before.dirtyBytes());
            assertThat(after.initialBytes()).isZero();
            assertThat(migration.change(MigrationState.STOP_COPY)).as("the stream goes on").isEmpty();
            assertThat(migration.state()).isEqualTo(MigrationState.STOP_COPY);
            VfioException e = catchThrowableOfType(VfioException.class, stream::precopyInfo);
            assertThat(e.operation()).isEqualTo(Operation.MIG_GET_PRECOPY_INFO);
            assertThat(e.rule()).contains(Rule.PRECOPY_INFO_STATE);
            drain(stream, state);
            assertThat(stream.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
        assertThat(migration.dataSize()).isPositive();
    }

    @Test
    void aDeviceLeavesOthersAloneBeforeItsPreCopyEnds() {
        assumeTrue(migration.support().contains(MigrationSupport.PRE_COPY), "without pre-copy");
        try (MigrationStream stream = migration.change(MigrationState.PRE_COPY).orElseThrow()) {
            PrecopyInfo before = stream.precopyInfo();
            assertThat(migration.change(MigrationState.PRE_COPY_P2P)).as("the stream goes on").isEmpty();
            assertThat(migration.state()).isEqualTo(MigrationState.PRE_COPY_P2P);
            assertThat(stream.precopyInfo()).isEqualTo(before);
            migration.change(MigrationState.PRE_COPY);
            migration.change(MigrationState.PRE_COPY_P2P);
            migration.change(MigrationState.STOP_COPY);
            drain(stream, new ByteArrayOutputStream());
        }
        migration.change(MigrationState.STOP);
        migration.change(MigrationState.PRE_COPY_P2P).orElseThrow().close();
    }

    @Test
    void theProgramAsksToBeToldWhenAnEstimateBeginsAnew() {
        if (!mtty.features().has(DeviceFeature.MIG_PRECOPY_INFO_V2)) {
            assertRefused(Rule.FEATURE_SUPPORTED, migration::tellReinit);
            return;
        }
        migration.tellReinit();
        try (MigrationStream stream = migration.change(MigrationState.PRE_COPY).orElseThrow()) {
            assertThat(stream.precopyInfo().reinitialized()).isFalse();
        }
    }

    @Test
    void preCopyIsReachedFromAStoppedDeviceUnlessItsStateIsCopied() {
        if (migration.support().contains(MigrationSupport.PRE_COPY)) {
            migration.change(MigrationState.STOP);
            migration.change(MigrationState.PRE_COPY).orElseThrow().close();
        }
        migration.change(MigrationState.STOP_COPY);
        assertRefused(
                migration.support().contains(MigrationSupport.PRE_COPY)
                        ? Rule.MIGRATION_STATE_REACHABLE
                        : Rule.MIGRATION_STATE_SUPPORTED,
                () -> migration.change(MigrationState.PRE_COPY));
        assertRefused(Rule.MIGRATION_STATE_REACHABLE, () -> migration.change(MigrationState.ERROR));
    }

    @Test
    void aDeviceLeavesOthersAloneBeforeItStops() {
        assertThat(migration.support()).contains(MigrationSupport.P2P);
        assertThat(migration.change(MigrationState.RUNNING_P2P)).isEmpty();
        assertThat(migration.state()).isEqualTo(MigrationState.RUNNING_P2P);
        migration.change(MigrationState.STOP);
        migration.change(MigrationState.RUNNING_P2P);
        migration.change(MigrationState.RUNNING);
        assertThat(migration.state()).isEqualTo(MigrationState.RUNNING);
    }

    @Test
    void aStreamEndsWithTheDevice() {
        migration.change(MigrationState.STOP);
        MigrationStream stream = migration.change(MigrationState.STOP_COPY).orElseThrow();
        mtty.close();
        assertThat(stream.isOpen()).isFalse();
        VfioException e = catchThrowableOfType(VfioException.class, () -> stream.read(ByteBuffer.allocate(1)));
        assertThat(e.errno()).isEqualTo(Errno.EBADF);
    }
}
