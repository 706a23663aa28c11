package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(300)
class DrillTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void everyThreadThatLosesItsDeviceGetsAnExceptionAndEnds() {
        int status = new Main(new PrintStream(out, true), new PrintStream(err, true)).run("drill", "--rounds", "8");
        assertThat(status).as(err.toString(StandardCharsets.UTF_8)).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("NVMe, polled   8 closes", "NVMe, MSI-X    8 closes", "edu            8 closes")
                .contains("network cards  8 closes")
                .contains("verified       56 threads lost their device at work, got an exception and ended");
    }
}
