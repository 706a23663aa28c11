package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class EduCommandTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void everythingThatTheDeviceDoesIsVerified() {
        assertThat(new Main(new PrintStream(out, true), new PrintStream(err, true)).run("edu")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("version 1.0")
                .endsWith("verified       13 factorials, 4,088 bytes to the device and back\n");
    }

    @Test
    void anotherDeviceIsRefused() {
        assertThat(new Main(new PrintStream(out, true), new PrintStream(err, true)).run("edu", "00:05.0"))
                .isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("vfio: no edu device");
    }
}
