package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class NvmeCommandsTest extends CommandTest {
    @Test
    void identifySaysWhatTheControllerIs() {
        assertThat(runLine("nvme identify")).as(err()).isZero();
        assertThat(out()).contains("SIM00001").contains("64 MiB: 131,072 blocks of 512 bytes");
    }

    @Test
    void readPrintsBlocks() {
        assertThat(runLine("nvme read --block 3 --count 2")).as(err()).isZero();
        assertThat(out().lines()).hasSize(64).first().asString().startsWith("0000000600  00 00");
    }

    @Test
    void readPutsBlocksIntoAFile(@TempDir Path directory) throws IOException {
        Path file = directory.resolve("blocks");
        assertThat(runLine("nvme read --count 3000 --file " + file)).as(err()).isZero();
        assertThat(Files.readAllBytes(file)).hasSize(3000 * 512).containsOnly(0);
    }

    @Test
    void writeComparesWhatIsThereThen(@TempDir Path directory) throws IOException {
        Path file = directory.resolve("data");
        byte[] data = new byte[3000 * 512];
        new Random(5).nextBytes(data);
        Files.write(file, data);
        assertThat(runLine("nvme write --block 17 --file " + file)).as(err()).isZero();
        assertThat(out()).isEqualTo("wrote and verified 3,000 blocks of 512 bytes at block 17\n");
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(
            strings = {
                "nvme perf --operations 20000 --seed 1",
                "nvme perf --operations 20000 --seed 2 --queues 2 --depth 8",
                "nvme perf --operations 5000 --seed 3 --interrupts",
                "nvme perf --operations 5000 --seed 4 --queues 3 --interrupts --depth 4",
                "nvme perf --operations 3000 --seed 5 --bytes 16384",
                "nvme perf --operations 2000 --seed 6 --depth 1"
            })
    void everyByteThatIsReadIsVerified(String line) {
        assertThat(runLine(line)).as(err()).isZero();
        assertThat(out()).containsPattern("verified +[0-9,]+ reads, every byte, of [0-9,]+ writes");
    }

    @Test
    void rawReadsAreNotSaidToBeVerified() {
        assertThat(runLine("nvme perf --raw --operations 1000")).as(err()).isZero();
        assertThat(out()).contains("1,000 reads; nothing was compared").doesNotContain("verified");
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(
            strings = {
                "nvme perf --depth 0",
                "nvme perf --queues 65",
                "nvme perf --bytes 100",
                "nvme perf --operations many",
                "nvme read --block 131072",
                "nvme read --block 131071 --count 2",
                "nvme write",
                "nvme write --file /nowhere/at/all",
                "nvme perf --bytes 524288 --depth 1000",
                "nvme identify 0000:42:00.0"
            })
    void whatCannotBeDoneIsSaidAndFailsWith1(String line) {
        assertThat(runLine(line)).isEqualTo(1);
        assertThat(err()).startsWith("vfio: ").doesNotContain("\tat ");
    }
}
