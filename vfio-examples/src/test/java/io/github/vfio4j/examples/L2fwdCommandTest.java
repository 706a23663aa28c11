package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class L2fwdCommandTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @ParameterizedTest(name = "{0}")
    @ValueSource(
            strings = {
                "l2fwd --verify --packets 20000 --seed 1",
                "l2fwd --verify --packets 20000 --seed 2 --bytes 64",
                "l2fwd --verify --packets 20000 --seed 3 00:0b.0 00:0c.0"
            })
    void nothingIsLostReorderedOrChanged(String line) {
        assertThat(run(line)).as(err()).isZero();
        assertThat(out()).contains("0 lost, 0 out of order, 0 changed");
    }

    @Test
    void aFloodIsCountedAndWhatComesBackIsWhole() {
        assertThat(run("l2fwd --verify --flood --packets 20000 --seed 4")).as(err()).isZero();
        assertThat(out()).contains("0 out of order, 0 changed");
    }

    @Test
    void withoutPeersItForwardsForAWhile() {
        assertThat(run("l2fwd --seconds 1")).as(err()).isZero();
        assertThat(out()).contains("port 0", "port 1", "received 0");
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(
            strings = {
                "l2fwd 00:06.0 00:07.0 00:0b.0",
                "l2fwd --verify 00:06.0",
                "l2fwd 00:05.0",
                "l2fwd --verify --bytes 63",
                "l2fwd --verify --packets 100 00:06.0 00:0b.0"
            })
    void whatCannotBeDoneIsSaidAndFailsWith1(String line) {
        assertThat(run(line)).isEqualTo(1);
        assertThat(err()).startsWith("vfio: ").doesNotContain("\tat ");
    }

    private int run(String line) {
        return new Main(new PrintStream(out, true), new PrintStream(err, true)).run(line.split(" "));
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }
}
