package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FeaturesTest {
    private static final List<IovaRange> ONE = List.of(new IovaRange(0x1000, 0x1fff));

    private final FakeKernel kernel = new FakeKernel();
    private final FakeFeatures fake = new FakeFeatures(kernel.calls);
    private final Vfio vfio = Vfio.on(kernel, Contract.STRICT);
    private final Device device;
    private final Features features;

    FeaturesTest() {
        kernel.features = fake;
        device = vfio.openDevice(FakeKernel.ADDRESS);
        features = device.features();
        kernel.newCalls();
    }

    @AfterEach
    void close() {
        vfio.close();
    }

    private void refused(Rule rule, ThrowingCallable call) {
        kernel.newCalls();
        RuleViolation e = catchThrowableOfType(RuleViolation.class, call);
        assertThat(e).as("a refusal by %s", rule).isNotNull();
        assertThat(e.rule()).contains(rule);
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void whatIsAbsentIsRefused() {
        fake.present.clear();
        refused(Rule.FEATURE_SUPPORTED, () -> features.setVfToken(new UUID(1, 2)));
        refused(Rule.FEATURE_SUPPORTED, features::enterLowPower);
        refused(Rule.FEATURE_SUPPORTED, features::enterLowPowerUntilWoken);
        refused(Rule.FEATURE_SUPPORTED, features::exitLowPower);
        refused(Rule.FEATURE_SUPPORTED, features::migration);
        refused(Rule.FEATURE_SUPPORTED, () -> features.startDmaLogging(4096, ONE));
        refused(Rule.FEATURE_SUPPORTED, () -> features.setBusMaster(false));
        refused(Rule.FEATURE_SUPPORTED, () -> features.exportDmaBuf(device.region(0), List.of()));
    }

    @Test
    void aWakeEventEndsWithTheDevice() {
        WakeEvent woken = features.enterLowPowerUntilWoken();
        assertThat(woken.poll()).isFalse();
        device.close();
        assertThat(kernel.newCalls())
                .containsSubsequence("open event", "low power until event", "close event", "close device");
    }

    // ---- migration

    @Test
    void theStateOfADeviceTravelsAsAStream() {
        fake.state = new byte[100_000];
        fake.state[70_000] = 42;
        Migration migration = features.migration();
        assertThat(migration.dataSize()).isEqualTo(100_000);
        assertThat(migration.change(MigrationState.STOP)).isEmpty();
        MigrationStream stream = migration.change(MigrationState.STOP_COPY).orElseThrow();
        ByteBuffer saved = ByteBuffer.allocate(200_000);
        while (stream.read(saved) >= 0) {
            assertThat(stream.isOpen()).isTrue();
        }
        assertThat(saved.position()).isEqualTo(100_000);
        assertThat(saved.get(70_000)).isEqualTo((byte) 42);
        stream.close();
        assertThat(stream.isOpen()).isFalse();
        MigrationStream resume = migration.change(MigrationState.RESUMING).orElseThrow();
        ByteBuffer source = ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 5});
        while (source.hasRemaining()) {
            assertThat(resume.write(source)).isPositive();
        }
        assertThat(fake.written.toByteArray()).containsExactly(1, 2, 3, 4, 5);
        assertThat(resume.read(ByteBuffer.allocate(0))).isZero();
        device.close();
        assertThat(kernel.newCalls()).containsSubsequence("close stream", "to RESUMING", "close stream", "close device");
    }

    @Test
    void statesThatTheDeviceLacksAreRefused() {
        fake.migration.remove(MigrationSupport.P2P);
        fake.migration.remove(MigrationSupport.PRE_COPY);
        Migration migration = features.migration();
        refused(Rule.MIGRATION_STATE_SUPPORTED, () -> migration.change(MigrationState.RUNNING_P2P));
        refused(Rule.MIGRATION_STATE_SUPPORTED, () -> migration.change(MigrationState.PRE_COPY));
        refused(Rule.MIGRATION_STATE_SUPPORTED, () -> migration.change(MigrationState.PRE_COPY_P2P));
        migration.change(MigrationState.STOP);
    }

    @Test
    void statesThatCannotBeReachedAreRefused() {
        Migration migration = features.migration();
        refused(Rule.MIGRATION_STATE_REACHABLE, () -> migration.change(MigrationState.ERROR));
        migration.change(MigrationState.PRE_COPY);
        migration.change(MigrationState.STOP_COPY);
        refused(Rule.MIGRATION_STATE_REACHABLE, () -> migration.change(MigrationState.PRE_COPY));
        fake.now = MigrationState.ERROR;
        refused(Rule.MIGRATION_STATE_REACHABLE, () -> migration.change(MigrationState.RUNNING));
    }

    // ---- logs of DMA

    @Test
    void aLogIsReadAndEnded() {
        DmaLogging log = features.startDmaLogging(8192, List.of(new IovaRange(0x2000, 0x3fff)));
        assertThat(log.pageSize()).isEqualTo(4096);
        DirtyBitmap dirty = log.report(0x2000, 0x2000);
        assertThat(dirty.isDirty(0)).isFalse();
        assertThat(dirty.isDirty(1)).isTrue();
        assertThatIllegalArgumentException().isThrownBy(() -> log.report(0x2000, 100));
        assertThatIllegalArgumentException().isThrownBy(() -> log.report(8, 4096));
        log.close();
        log.close();
        assertThat(kernel.newCalls()).containsOnlyOnce("end log");
        refused(Rule.HANDLE_OPEN, () -> log.report(0x2000, 0x2000));
        features.startDmaLogging(4096, ONE);
        device.close();
        assertThat(kernel.newCalls()).containsSubsequence("end log", "close device");
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "0, -4096", "-4096, 8192", "0, 0x7ffffffffffff000", "0, 0x4000000000000000", "0x7ffffffffffff000, 1"})
    void aReportOfNoPagesOrOfTooManyIsNotAskedFor(String iova, String size) {
        DmaLogging log = features.startDmaLogging(4096, ONE);
        kernel.newCalls();
        assertThatIllegalArgumentException().isThrownBy(() -> log.report(Long.decode(iova), Long.decode(size)));
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void theRangesOfALogAreWholePagesApart() {
        refused(Rule.DMA_LOGGING_RANGES, () -> features.startDmaLogging(4096, List.of()));
        refused(Rule.DMA_LOGGING_MOST, () -> features.startDmaLogging(4096, Collections.nCopies(257, ONE.getFirst())));
        for (IovaRange odd : List.of(new IovaRange(1, 0xfff), new IovaRange(0, 0xffe))) {
            refused(Rule.DMA_LOGGING_ALIGNED, () -> features.startDmaLogging(4096, List.of(odd)));
        }
        refused(Rule.DMA_LOGGING_WRAP, () -> features.startDmaLogging(4096, List.of(new IovaRange(-4096, -1))));
        List<IovaRange> overlapping = List.of(new IovaRange(0x4000, 0x5fff), new IovaRange(0x1000, 0x4fff));
        refused(Rule.DMA_LOGGING_OVERLAP, () -> features.startDmaLogging(4096, overlapping));
        List<IovaRange> everythingWrong = Collections.nCopies(257, new IovaRange(1, -1));
        refused(Rule.DMA_LOGGING_MOST, () -> features.startDmaLogging(4096, everythingWrong));
        refused(Rule.DMA_LOGGING_ALIGNED, () -> features.startDmaLogging(4096, everythingWrong.subList(0, 2)));
        List<IovaRange> twiceTheTop = Collections.nCopies(2, new IovaRange(-4096, -1));
        refused(Rule.DMA_LOGGING_WRAP, () -> features.startDmaLogging(4096, twiceTheTop));
        assertThatIllegalArgumentException().isThrownBy(() -> features.startDmaLogging(5000, ONE));
        features.startDmaLogging(4096, List.of(new IovaRange(0x4000, 0x4fff), ONE.getFirst()));
    }
}
