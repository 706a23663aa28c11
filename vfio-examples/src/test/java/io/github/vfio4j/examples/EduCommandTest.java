package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class EduCommandTest extends CommandTest {
    @Test
    void everythingThatTheDeviceDoesIsVerified() {
        assertThat(run("edu")).isZero();
        assertThat(out())
                .contains("version 1.0")
                .endsWith("verified       13 factorials, 4,088 bytes to the device and back\n");
    }

    @Test
    void anotherDeviceIsRefused() {
        assertThat(run("edu", "00:05.0"))
                .isEqualTo(1);
        assertThat(err()).startsWith("vfio: no edu device");
    }
}
