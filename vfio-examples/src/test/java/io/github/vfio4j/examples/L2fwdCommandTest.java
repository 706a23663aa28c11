package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class L2fwdCommandTest extends CommandTest {
    @ParameterizedTest(name = "{0}")
    @ValueSource(
            strings = {
                "l2fwd --verify --packets 20000 --seed 1",
                "l2fwd --verify --packets 20000 --seed 2 --bytes 64",
                "l2fwd --verify --packets 20000 --seed 5 --cdev",
                "l2fwd --verify --packets 20000 --seed 6 --group",
                "l2fwd --verify --packets 20000 --seed 3 00:0b.0 00:0c.0"
            })
    void nothingIsLostReorderedOrChanged(String line) {
        assertThat(runLine(line)).as(err()).isZero();
        assertThat(out()).contains("0 lost, 0 out of order, 0 changed");
    }

    @Test
    void aFloodIsCountedAndWhatComesBackIsWhole() {
        assertThat(runLine("l2fwd --verify --flood --packets 20000 --seed 4")).as(err()).isZero();
        assertThat(out()).contains("0 out of order, 0 changed");
    }

    @Test
    void withoutPeersItForwardsForAWhile() {
        assertThat(runLine("l2fwd --seconds 1")).as(err()).isZero();
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
        assertThat(runLine(line)).isEqualTo(1);
        assertThat(err()).startsWith("vfio: ").doesNotContain("\tat ");
    }
}
