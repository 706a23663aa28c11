package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ConfigSpaceKernelTest extends KernelTest {
    private static final int POWER_CONTROL = 4;
    private static final int D0 = 0;
    private static final int D3_HOT = 3;

    private Device nvme;
    private PciConfig config;

    @BeforeEach
    void openNvme() {
        nvme = open(machine.nvme()).device();
        config = nvme.config();
    }

    @Test
    void anExpressDeviceHas4KilobytesAndAnExpressCapability() {
        assertThat(nvme.region(7).info().size()).isEqualTo(4096);
        int express = config.capability(PciConfig.Capability.EXPRESS).orElseThrow().offset();
        assertThat(config.read16(express + 2) & 0xf).as("version").isBetween(1, 2);
        for (PciConfig.ExtendedCapability extended : config.extendedCapabilities()) {
            assertThat(config.read32(extended.offset()) & 0xffff).isEqualTo(extended.id());
        }
    }

    @Test
    void theMsixTableLiesInABarThatTheDeviceHas() {
        PciConfig.MsixTable table = config.msixTable().orElseThrow();
        assertThat(table.vectors()).isEqualTo(nvme.irq(2).info().count());
        assertThat(table.offset() + table.size()).isLessThanOrEqualTo(nvme.region(table.bar()).info().size());
        assertThat(nvme.region(table.bar()).info().msixMappable()).isTrue();
    }

    @Test
    void theInterruptLineIsDisabledAndEnabled() {
        assertThat(config.intxEnabled()).isTrue();
        config.disableIntx();
        assertThat(config.intxEnabled()).isFalse();
        assertThat(config.memoryEnabled()).isTrue();
        config.enableIntx();
        assertThat(config.intxEnabled()).isTrue();
    }

    @Test
    void withoutMemoryDecodeABarIsNeitherReadNorWrittenNorMapped() {
        config.disableMemory();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment word = arena.allocate(4);
            VfioException read = catchThrowableOfType(
                    VfioException.class, () -> nvme.region(0).read(0, word));
            assertThat(read.errno()).isEqualTo(Errno.EIO);
            assertThat(read.rule()).contains(Rule.REGION_READ_DECODED);
            VfioException write = catchThrowableOfType(
                    VfioException.class, () -> nvme.region(0).write(0x14, word));
            assertThat(write.errno()).isEqualTo(Errno.EIO);
            assertThat(write.rule()).contains(Rule.REGION_WRITE_DECODED);
        }
        assertRefused(Rule.REGION_DECODED, () -> nvme.region(0).map());
        config.enableMemory();
        nvme.region(0).map();
        assertRefused(Rule.REGION_WRITE_MAPPED, () -> config.disableMemory());
        nvme.unmapRegions();
        config.disableMemory();
    }

    @Test
    void inD3ABarIsNotMappedAndAMappedDeviceDoesNotGoThere() {
        int power = config.capability(PciConfig.Capability.POWER_MANAGEMENT).orElseThrow().offset() + POWER_CONTROL;
        config.write16(power, D3_HOT);
        assertThat(config.read16(power) & 3).isEqualTo(D3_HOT);
        assertRefused(Rule.REGION_POWERED, () -> nvme.region(0).map());
        config.write16(power, D0);
        assertThat(nvme.region(0).map().read32Opaque(8)).isNotEqualTo(-1);
        assertRefused(Rule.REGION_WRITE_MAPPED, () -> config.write16(power, D3_HOT));
    }

    @Test
    void whatAProgramMayNotWriteStaysAsItIs() {
        int id = config.read32(0);
        config.write32(0, 0);
        assertThat(config.read32(0)).isEqualTo(id);
        int first = config.read8(0x34);
        config.write8(0x34, 0);
        assertThat(config.read8(0x34)).isEqualTo(first);
    }
}
