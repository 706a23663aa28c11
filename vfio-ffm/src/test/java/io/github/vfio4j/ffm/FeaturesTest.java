package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.DeviceFeature;
import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.MigrationState;
import io.github.vfio4j.MigrationSupport;
import io.github.vfio4j.PrecopyInfo;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.MigrationPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** The bytes of VFIO_DEVICE_FEATURE, as linux/vfio.h has them; for what no device within reach can do. */
class FeaturesTest {
    private static final int GET = 1 << 16;
    private static final int SET = 1 << 17;
    private static final int PROBE = 1 << 18;

    private long readResult;

    private final AnsweredIoctls calls = new AnsweredIoctls() {
        @Override
        public long read(Frame frame, int fd, MemorySegment target) {
            assertThat(fd).isEqualTo(9);
            return readResult;
        }
    };
    private final Fd file = new Fd(calls, 3, "device");
    private final FfmFeatures features = new FfmFeatures(file);

    /** What every call has: its size and its flags. */
    private static void header(MemorySegment argument, int argsz, int flags) {
        assertThat(argument.get(JAVA_INT, 0)).as("argsz").isEqualTo(argsz);
        assertThat(argument.get(JAVA_INT, 4)).as("flags").isEqualTo(flags);
    }

    @Test
    void aProbeCarriesNoData() {
        calls.kernel = argument -> {
            header(argument, 8, PROBE | 12);
            return 0;
        };
        assertThat(features.has(DeviceFeature.MIG_PRECOPY_INFO_V2)).isTrue();
        assertThat(calls.request).isEqualTo(0x3b75);
        for (Errno absent : List.of(Errno.ENOTTY, Errno.EINVAL, Errno.EOPNOTSUPP)) {
            calls.kernel = _ -> -absent.number();
            assertThat(features.has(DeviceFeature.DMA_BUF)).isFalse();
        }
        calls.kernel = _ -> -Errno.EIO.number();
        assertThat(catchThrowableOfType(VfioException.class, () -> features.has(DeviceFeature.DMA_BUF))
                        .errno())
                .isEqualTo(Errno.EIO);
    }

    @Test
    void aTokenIsWrittenAsItsText() {
        calls.kernel = argument -> {
            header(argument, 24, SET);
            assertThat(argument.get(JAVA_BYTE, 8)).isEqualTo((byte) 0x2a);
            assertThat(argument.get(JAVA_BYTE, 23)).isEqualTo((byte) 0xf0);
            return 0;
        };
        features.setVfToken(UUID.fromString("2ab74924-c335-45f4-9b16-8569e5b082f0"));
    }

    @Test
    void migrationFlagsAreItsAbilities() {
        calls.kernel = argument -> {
            header(argument, 16, GET | 1);
            argument.set(JAVA_LONG_UNALIGNED, 8, 1 | 4 | 64);
            return 0;
        };
        assertThat(features.migration())
                .containsExactlyInAnyOrder(MigrationSupport.STOP_COPY, MigrationSupport.PRE_COPY);
    }

    @Test
    void migrationStatesHaveTheKernelsNumbers() {
        for (MigrationState state : MigrationState.values()) {
            calls.kernel = argument -> {
                header(argument, 16, GET | 2);
                argument.set(JAVA_INT, 8, state.ordinal());
                return 0;
            };
            assertThat(features.migrationState()).isEqualTo(state);
        }
        calls.kernel = argument -> {
            argument.set(JAVA_INT, 8, 99);
            return 0;
        };
        assertThat(catchThrowableOfType(VfioException.class, features::migrationState).errno())
                .isEqualTo(Errno.EPROTO);
    }

    @Test
    void aChangeOfStateMayOpenAStream() {
        calls.kernel = argument -> {
            header(argument, 16, SET | 2);
            assertThat(argument.get(JAVA_INT, 8)).isEqualTo(6); // PRE_COPY
            argument.set(JAVA_INT, 12, 9);
            return 0;
        };
        MigrationPort stream = features.setMigrationState(MigrationState.PRE_COPY).orElseThrow();
        MemorySegment piece = Arena.ofAuto().allocate(16);
        readResult = 5;
        assertThat(stream.read(piece)).isEqualTo(5);
        readResult = -Errno.ENOMSG.number();
        assertThat(stream.read(piece)).isZero();
        readResult = 0;
        assertThat(stream.read(piece)).isEqualTo(-1);
        readResult = -Errno.EIO.number();
        assertThat(catchThrowableOfType(VfioException.class, () -> stream.read(piece)).errno())
                .isEqualTo(Errno.EIO);
        calls.kernel = argument -> {
            assertThat(argument.get(JAVA_INT, 0)).isEqualTo(24);
            argument.set(JAVA_INT, 4, 1);
            argument.set(JAVA_LONG_UNALIGNED, 8, 1000);
            argument.set(JAVA_LONG_UNALIGNED, 16, 20);
            return 0;
        };
        assertThat(stream.precopyInfo()).isEqualTo(new PrecopyInfo(1000, 20, true));
        assertThat(calls.request).isEqualTo(0x3b79);
        calls.kernel = argument -> {
            argument.set(JAVA_INT, 12, -1);
            return 0;
        };
        assertThat(features.setMigrationState(MigrationState.STOP)).isEmpty();
    }

    @Test
    void theDataSizeIs64Bits() {
        calls.kernel = argument -> {
            header(argument, 16, GET | 9);
            argument.set(JAVA_LONG_UNALIGNED, 8, 1L << 40);
            return 0;
        };
        assertThat(features.migrationDataSize()).isEqualTo(1L << 40);
    }

    @Test
    void aLogOfDmaPointsToItsRanges() {
        calls.kernel = argument -> {
            header(argument, 32, SET | 6);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 8)).isEqualTo(8192);
            assertThat(argument.get(JAVA_INT, 16)).isEqualTo(2);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 24)).isEqualTo(argument.address() + 32);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 32)).isEqualTo(0x10000);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 40)).isEqualTo(0x2000);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 48)).isEqualTo(0x40000);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 56)).isEqualTo(0x4000);
            argument.set(JAVA_LONG_UNALIGNED, 8, 4096);
            return 0;
        };
        List<IovaRange> ranges = List.of(new IovaRange(0x10000, 0x11fff), new IovaRange(0x40000, 0x43fff));
        assertThat(features.startDmaLogging(8192, ranges)).isEqualTo(4096);
        calls.kernel = argument -> {
            header(argument, 8, SET | 7);
            return 0;
        };
        features.stopDmaLogging();
    }

    @Test
    void aReportHasABitForEachPage() {
        calls.kernel = argument -> {
            header(argument, 40, GET | 8);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 8)).isEqualTo(0x10000);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 16)).isEqualTo(70 * 4096);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 24)).isEqualTo(4096);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 32)).isEqualTo(argument.address() + 40);
            argument.set(JAVA_LONG_UNALIGNED, 40, 5);
            argument.set(JAVA_LONG_UNALIGNED, 48, -1); // with bits beyond the last page
            return 0;
        };
        assertThat(features.reportDmaLogging(0x10000, 70 * 4096, 4096)).containsExactly(5, 0x3f);
    }

    @Test
    void busMasteringIsSetAndCleared() {
        calls.kernel = argument -> {
            header(argument, 12, SET | 10);
            assertThat(argument.get(JAVA_INT, 8)).isEqualTo(1);
            return 0;
        };
        features.setBusMaster(true);
        calls.kernel = argument -> {
            assertThat(argument.get(JAVA_INT, 8)).isZero();
            return 0;
        };
        features.setBusMaster(false);
    }

    @Test
    void aDmaBufNamesItsParts() {
        calls.kernel = argument -> {
            header(argument, 40, GET | 11);
            assertThat(argument.get(JAVA_INT, 8)).isEqualTo(2);
            assertThat(argument.get(JAVA_INT, 12)).isEqualTo(0x80002); // O_RDWR, O_CLOEXEC
            assertThat(argument.get(JAVA_INT, 16)).isZero();
            assertThat(argument.get(JAVA_INT, 20)).isEqualTo(1);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 24)).isEqualTo(4096);
            assertThat(argument.get(JAVA_LONG_UNALIGNED, 32)).isEqualTo(8192);
            return 9;
        };
        assertThat(features.exportDmaBuf(2, List.of(new RegionInfo.Area(4096, 8192)))).isNotNull();
    }

    @Test
    void lowPowerCarriesNoData() {
        calls.kernel = argument -> {
            header(argument, 8, SET | 3);
            return 0;
        };
        features.enterLowPower(null);
        calls.kernel = argument -> {
            header(argument, 8, SET | 5);
            return 0;
        };
        features.exitLowPower();
    }
}
