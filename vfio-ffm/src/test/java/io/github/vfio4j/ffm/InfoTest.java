package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.Type1Info;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Capability chains as kernels give them, and as no kernel should. */
@Timeout(30)
class InfoTest {
    private static final int HEADER = 24; // sizeof(struct vfio_iommu_type1_info)

    private final MemorySegment answer = Arena.ofAuto().allocate(8192, 8);
    private int asked;
    private int most = Integer.MAX_VALUE;

    /** A file whose kernel gives {@link #answer}, and nothing of the chain if the buffer is short; none larger than most. */
    private final Fd file = new Fd(
            new NoSyscalls() {
                @Override
                public int ioctl(Frame frame, int fd, int request, MemorySegment argument) {
                    asked++;
                    int room = argument.get(JAVA_INT, 0);
                    int needed = answer.get(JAVA_INT, 0);
                    if (room > most) {
                        return -Errno.EINVAL.number();
                    }
                    MemorySegment.copy(answer, 0, argument, 0, Math.min(room, needed));
                    if (room < needed) {
                        argument.set(JAVA_INT, 16, 0); // cap_offset
                    }
                    return 0;
                }
            },
            3,
            "file");
    private final FfmContainer container = FfmContainer.of(file);
    private final FfmDevice device = new FfmDevice(file);

    private InfoTest() {
        answer.set(JAVA_INT, 0, HEADER);
        answer.set(JAVA_INT, 4, 3); // PGSIZES | CAPS
        answer.set(JAVA_LONG_UNALIGNED, 8, 0x40201000L);
    }

    @Test
    void anAnswerWithoutAChainHasNoRanges() {
        Type1Info info = container.iommuInfo();
        assertThat(info.granule()).isEqualTo(4096);
        assertThat(info.ranges()).isEmpty();
        assertThat(info.mappingsLeft()).isEmpty();
    }

    @Test
    void theChainIsWalkedInAnyOrderOfItsIds() {
        capability(HEADER, 3, 40); // DMA_AVAIL
        answer.set(JAVA_INT, HEADER + 8, 65535);
        ranges(40, 0, 0xfedfffffL, 0xfef00000L, 0x7fffffffffL);
        answer.set(JAVA_INT, 16, HEADER);
        Type1Info info = container.iommuInfo();
        assertThat(info.mappingsLeft()).hasValue(65535);
        assertThat(info.ranges())
                .containsExactly(new IovaRange(0, 0xfedfffffL), new IovaRange(0xfef00000L, 0x7fffffffffL));
        assertThat(asked).isEqualTo(1);
    }

    @Test
    void aCapabilityThatIsOnlyFourByteAlignedIsReadAsLinux61WritesIt() {
        ranges(68, 0x1000, -1);
        answer.set(JAVA_INT, 16, 68);
        assertThat(container.iommuInfo().ranges()).containsExactly(new IovaRange(0x1000, -1));
    }

    @Test
    void aLongChainIsAskedForAgainWithALargerBuffer() {
        long[] many = new long[2 * 100];
        for (int i = 0; i < many.length; i++) {
            many[i] = i * 0x1000L;
        }
        ranges(HEADER, many);
        answer.set(JAVA_INT, 16, HEADER);
        assertThat(container.iommuInfo().ranges()).hasSize(100);
        assertThat(asked).isEqualTo(2);
    }

    @Test
    void aChainThatRunsInACircleIsAnErrorAndNoLoop() {
        capability(HEADER, 7, 40);
        capability(40, 7, HEADER);
        answer.set(JAVA_INT, 16, HEADER);
        refused();
    }

    @Test
    void aChainThatLeavesTheAnswerIsAnError() {
        answer.set(JAVA_INT, 16, 505); // misaligned, too
        refused();
        answer.set(JAVA_INT, 16, 4096);
        refused();
        answer.set(JAVA_INT, 16, -8);
        refused();
    }

    @Test
    void aChainThatPointsIntoTheStructIsAnError() {
        answer.set(JAVA_INT, 16, 8);
        refused();
    }

    @Test
    void moreRangesThanTheAnswerHoldsIsAnError() {
        ranges(HEADER, 0, 0xffff);
        answer.set(JAVA_INT, 16, HEADER);
        answer.set(JAVA_INT, HEADER + 8, 1_000_000);
        refused();
    }

    @Test
    void anAnswerOfImpossibleSizeIsAnError() {
        answer.set(JAVA_INT, 0, 1 << 30);
        refused();
    }

    @Test
    void aDriverThatRefusesMoreRoomThanItsAnswerNeedsIsAskedForARegion() {
        most = 48; // as mbochs has it
        answer.set(JAVA_INT, 0, 48);
        answer.set(JAVA_INT, 4, 8 | 3); // CAPS | WRITE | READ
        answer.set(JAVA_INT, 12, 32);
        answer.set(JAVA_LONG_UNALIGNED, 16, 4096);
        answer.set(JAVA_LONG_UNALIGNED, 24, 0x2000);
        capability(32, 2, 0);
        answer.set(JAVA_INT, 40, 1);
        answer.set(JAVA_INT, 44, 1);
        assertThat(device.regionInfo(9).type()).contains(new RegionInfo.Type(1, 1));
        answer.set(JAVA_INT, 0, 32);
        answer.set(JAVA_INT, 4, 3);
        assertThat(device.regionInfo(0).type()).isEmpty();
    }

    @Test
    void randomAnswersGiveAnInfoOrAnExceptionAndNothingElse() {
        long seed = System.nanoTime();
        System.out.println("random capability chains, seed " + seed);
        Random random = new Random(seed);
        randomAnswers(random, 16, container::iommuInfo);
        randomAnswers(random, 16, device::info);
        randomAnswers(random, 12, () -> device.regionInfo(0));
    }

    private void randomAnswers(Random random, int capOffset, Runnable ask) {
        byte[] bytes = new byte[(int) answer.byteSize()];
        int infos = 0;
        for (int round = 0; round < 3_000; round++) {
            random.nextBytes(bytes);
            MemorySegment.copy(MemorySegment.ofArray(bytes), 0, answer, 0, bytes.length);
            answer.set(JAVA_INT, 0, HEADER + random.nextInt(2048));
            answer.set(JAVA_INT, capOffset, random.nextInt(256) * 4);
            for (int at = HEADER; at < 1024; at += 4) { // links that lead somewhere, and small numbers
                answer.set(JAVA_INT, at, random.nextInt(16) == 0 ? random.nextInt(256) * 4 : random.nextInt(8));
            }
            try {
                ask.run();
                infos++;
            } catch (VfioException | IllegalArgumentException e) { // the latter: a range that ends before it starts
                assertThat(e).hasMessageMatching("(?s).*(chain|ranges|range|bytes).*");
            }
        }
        assertThat(infos).as("answers that were whole").isPositive();
    }

    private void refused() {
        assertThatExceptionOfType(VfioException.class).isThrownBy(container::iommuInfo);
    }

    private void capability(int at, int id, int next) {
        answer.set(JAVA_SHORT, at, (short) id);
        answer.set(JAVA_SHORT, at + 2, (short) 1);
        answer.set(JAVA_INT, at + 4, next);
        grow(at + 16);
    }

    private void ranges(int at, long... bounds) {
        capability(at, 1, 0);
        answer.set(JAVA_INT, at + 8, bounds.length / 2);
        for (int i = 0; i < bounds.length; i++) {
            answer.set(JAVA_LONG_UNALIGNED, at + 16 + 8L * i, bounds[i]);
        }
        grow(at + 16 + 8 * bounds.length);
    }

    private void grow(int end) {
        answer.set(JAVA_INT, 0, Math.max(end, answer.get(JAVA_INT, 0)));
    }
}
