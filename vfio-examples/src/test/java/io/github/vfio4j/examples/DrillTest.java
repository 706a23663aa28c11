package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(300)
class DrillTest extends CommandTest {
    @Test
    void everyThreadThatLosesItsDeviceGetsAnExceptionAndEnds() {
        int status = run("drill", "--rounds", "8");
        assertThat(status).as(err()).isZero();
        assertThat(out())
                .contains("NVMe, polled   8 closes", "NVMe, MSI-X    8 closes", "edu            8 closes")
                .contains("network cards  8 closes")
                .contains("verified       56 threads lost their device at work, got an exception and ended");
    }
}
