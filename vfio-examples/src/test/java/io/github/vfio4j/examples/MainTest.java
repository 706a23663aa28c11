package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MainTest extends CommandTest {
    @Test
    void helpExplainsEveryCommandAndSucceeds() {
        assertThat(run("--help")).isZero();
        assertThat(out()).contains("demo", "list", "nvme perf", "edu", "l2fwd", "drivers", "drill", "--linux", "--cdev", "--group", "--overwrite", "--trace", "--help");
        assertThat(err()).isEmpty();
    }

    @Test
    void aWrongCommandLineIsExplainedAndFailsWith2() {
        assertThat(run("demo", "--fast")).isEqualTo(2);
        assertThat(out()).isEmpty();
        assertThat(err()).isEqualTo("vfio: unknown option --fast\nTry vfio --help.\n");
    }

    @Test
    void noCommandFailsWith2() {
        assertThat(run()).isEqualTo(2);
        assertThat(err()).startsWith("vfio: no command\n");
    }

    @Test
    void theDemoRunsOnTheSimulatedMachine() {
        assertThat(run("demo")).isZero();
        assertThat(out()).contains("verified").contains("simulated");
        assertThat(err()).isEmpty();
    }

    @Test
    void theDemoTakesTheDeviceByItsOwnNode() {
        assertThat(run("demo", "--cdev")).isZero();
        assertThat(out())
                .contains("open /dev/iommu", "VFIO_DEVICE_BIND_IOMMUFD", "IOMMU_IOAS_MAP", "IOMMU_IOAS_UNMAP", "verified")
                .doesNotContain("VFIO_SET_IOMMU", "VFIO_IOMMU_MAP_DMA");
    }

    @Test
    void driversRunOnEitherWay() {
        assertThat(run("edu", "--cdev")).isZero();
        assertThat(run("edu", "--group")).isZero();
        assertThat(run("nvme", "identify", "--group")).isZero();
        assertThat(err()).isEmpty();
    }

    @Test
    void theListShowsTheSimulatedMachine() {
        assertThat(run("list")).isZero();
        assertThat(out().lines())
                .anyMatch(line -> line.matches("0000:00:05\\.0 +1b36:0010 +010802 NVMe +vfio-pci +4 +0000:00:05\\.0"));
        assertThat(err()).isEmpty();
    }

    @Test
    void bindSaysWhoIsInTheGroup() {
        assertThat(run("bind", "0000:00:05.0")).isZero();
        assertThat(out()).isEqualTo("""
                0000:00:05.0 is bound to vfio-pci
                group 4
                  0000:00:05.0 (vfio-pci): a program can open it
                """);
    }

    @Test
    void bindTakesSeveralDevices() {
        assertThat(run("bind", "0000:00:05.0", "0000:00:06.0")).isZero();
        assertThat(out())
                .startsWith("0000:00:05.0 is bound to vfio-pci\n0000:00:06.0 is bound to vfio-pci\ngroup 4\n")
                .contains("group 5\n");
    }

    @Test
    void unbindSaysWhichDriverHasTheDeviceThen() {
        assertThat(run("unbind", "0000:00:05.0")).isZero();
        assertThat(out()).startsWith("0000:00:05.0 is bound to no driver\ngroup 4\n");
        assertThat(run("unbind")).isEqualTo(1);
        assertThat(err()).isEqualTo("vfio: name the devices by their addresses, such as 0000:06:0d.0\n");
    }

    @Test
    void aRefusalOfTheKernelIsReadableAndFailsWith1() {
        assertThat(run("demo", "0000:42:00.0")).isEqualTo(1);
        assertThat(err()).startsWith("vfio: ").contains("0000:42:00.0").contains("ENOENT").doesNotContain("\tat ");
    }

    @Test
    void aTraceShowsWhereARefusalCameFrom() {
        assertThat(run("demo", "0000:42:00.0", "--trace")).isEqualTo(1);
        assertThat(err()).contains("VfioException").contains("\tat ");
    }
}
