package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.examples.Arguments.Command;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ArgumentsTest {
    @Test
    void aDemoRunsOnTheSimulatedMachineAndChoosesItsDevice() throws UsageException {
        Arguments arguments = Arguments.parse("demo");
        assertThat(arguments.command()).isEqualTo(Command.DEMO);
        assertThat(arguments.linux()).isFalse();
        assertThat(arguments.overwrite()).isFalse();
        assertThat(arguments.trace()).isFalse();
        assertThat(arguments.device()).isEmpty();
    }

    @Test
    void optionsMayStandAnywhere() throws UsageException {
        Arguments arguments = Arguments.parse("--trace", "demo", "--linux", "0000:06:0d.0", "--overwrite");
        assertThat(arguments.command()).isEqualTo(Command.DEMO);
        assertThat(arguments.linux()).isTrue();
        assertThat(arguments.overwrite()).isTrue();
        assertThat(arguments.trace()).isTrue();
        assertThat(arguments.device()).contains(new PciAddress(0, 6, 0xd, 0));
    }

    @Test
    void aListMayBeOfThisMachine() throws UsageException {
        Arguments arguments = Arguments.parse("list", "--linux");
        assertThat(arguments.command()).isEqualTo(Command.LIST);
        assertThat(arguments.linux()).isTrue();
    }

    @Test
    void aCommandMayHaveAVerbAndOptionsWithValues() throws UsageException {
        Arguments arguments = Arguments.parse("nvme", "--linux", "perf", "--depth", "0x10", "06:0d.0", "--interrupts");
        assertThat(arguments.verb()).contains("perf");
        assertThat(arguments.number("--depth", 1, 1, 64)).isEqualTo(16);
        assertThat(arguments.number("--queues", 3, 1, 64)).isEqualTo(3);
        assertThat(arguments.flags()).containsExactly("--interrupts");
        assertThat(arguments.device()).isPresent();
    }

    @Test
    void aNumberHasLimits() throws UsageException {
        Arguments arguments = Arguments.parse("nvme", "perf", "--depth", "65");
        assertThatThrownBy(() -> arguments.number("--depth", 1, 1, 64))
                .isInstanceOf(CommandException.class)
                .hasMessage("--depth is from 1 to 64, not 65");
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"--help", "-h", "help", "demo --help", "help demo", "list -h", "--help demo 01:00.0"})
    void helpWinsOverEverything(String line) throws UsageException {
        assertThat(Arguments.parse(line.split(" ")).command()).isEqualTo(Command.HELP);
    }

    @Test
    void aCommandIsNeeded() {
        assertThatThrownBy(Arguments::parse).isInstanceOf(UsageException.class).hasMessage("no command");
        assertThatThrownBy(() -> Arguments.parse("--linux"))
                .isInstanceOf(UsageException.class)
                .hasMessage("no command");
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "frobnicate, unknown command frobnicate",
        "demo --fast, unknown option --fast",
        "demo -x, unknown option -x",
        "--lunix list, unknown option --lunix",
        "list 0000:06:0d.0, unexpected argument 0000:06:0d.0",
        "demo 0000:06:0d.0 0000:06:0d.1, unexpected argument 0000:06:0d.1",
        "list --overwrite, list takes no --overwrite",
        "demo --depth 3, demo takes no --depth",
        "nvme perf --depth, --depth needs a value",
        "'edu --cdev --group', '--cdev or --group, not both'",
        "'nvme', 'vfio nvme does one of identify, read, write, perf'",
        "'nvme format', 'vfio nvme does one of identify, read, write, perf, not format'"
    })
    void whatIsNotUnderstoodIsNamed(String line, String message) {
        assertThatThrownBy(() -> Arguments.parse(line.split(" ")))
                .isInstanceOf(UsageException.class)
                .hasMessage(message);
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"nvme0", "0000:06:0d", "0000:06:20.0", "00000000006:0d.0", "/dev/vfio/26"})
    void aWrongAddressIsNamed(String address) {
        assertThatThrownBy(() -> Arguments.parse("demo", address))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("PCI address");
    }
}
