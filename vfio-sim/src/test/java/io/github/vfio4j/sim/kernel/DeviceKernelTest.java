package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Region;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DeviceKernelTest extends KernelTest {
    private static final int VS = 8; // the version register of an NVMe controller

    private Device nvme;

    @BeforeEach
    void openNvme() {
        nvme = open(machine.nvme()).device();
    }

    @Test
    void configurationSpaceSaysWhatSysfsSays() {
        PciDevice seen = vfio.pciDevice(machine.nvme());
        PciConfig config = nvme.config();
        assertThat(config.read16(0)).isEqualTo(seen.vendorId());
        assertThat(config.read16(2)).isEqualTo(seen.deviceId());
        assertThat(config.read32(0)).isEqualTo(seen.deviceId() << 16 | seen.vendorId());
        assertThat(config.read8(0x0b)).isEqualTo(seen.classCode() >> 16);
    }

    @Test
    void busMasteringIsOffAfterTheOpenAndCanBeTurnedOnAndOff() {
        PciConfig config = nvme.config();
        assertThat(config.read16(4) & 4).isZero();
        config.enableBusMaster();
        assertThat(config.read16(4) & 4).isEqualTo(4);
        config.disableBusMaster();
        assertThat(config.read16(4) & 4).isZero();
        assertThat(config.memoryEnabled()).isTrue();
    }

    @Test
    void configurationSpaceEnds() {
        long size = nvme.region(7).info().size();
        assertThat(size).isIn(256L, 4096L);
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
                .isThrownBy(() -> nvme.config().read32((int) size - 2));
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
                .isThrownBy(() -> nvme.config().read8(-1));
    }

    @Test
    void theRegisterBarIsMappedAndReadLikeItIsThroughPread() {
        Region bar = nvme.region(0);
        Mmio registers = bar.map();
        assertThat(registers.size()).isEqualTo(bar.info().size());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment version = arena.allocate(4);
            bar.read(VS, version);
            assertThat(registers.read32Opaque(VS))
                    .isEqualTo(version.get(ValueLayout.JAVA_INT, 0))
                    .isGreaterThanOrEqualTo(0x10000); // 1.0
        }
    }

    @Test
    void aRegionIsMappedOnce() {
        assertThat(nvme.region(0).map()).isSameAs(nvme.region(0).map());
    }

    @Test
    void aRegisterOutsideTheMappingIsAnExceptionAndNoFault() {
        Mmio registers = nvme.region(0).map();
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
                .isThrownBy(() -> registers.read32Opaque(registers.size()));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> registers.read32Opaque(-4));
        assertThatIllegalArgumentException().isThrownBy(() -> registers.read32Opaque(2));
    }

    @Test
    void aRegisterOfAClosedDeviceIsAnExceptionAndNoFault() {
        Mmio registers = nvme.region(0).map();
        nvme.close();
        assertThatIllegalStateException().isThrownBy(() -> registers.read32Opaque(VS));
        assertThatIllegalStateException().isThrownBy(() -> registers.write32Release(0x14, 0));
    }

    @Test
    void aRegionThatCannotBeMappedIsRefused() {
        assertRefused(Rule.REGION_MAPPABLE, () -> nvme.region(7).map());
        assertRefused(Rule.REGION_MAPPABLE, () -> nvme.region(3).map()); // a BAR that the device lacks
    }

    @Test
    void aPartOfABarIsMappedFromAPageOn() {
        Region bar = nvme.region(0);
        Mmio second = bar.map(4096, 4096);
        assertThat(second.size()).isEqualTo(4096);
        assertThat(bar.map(0, 4096).read32Opaque(VS)).isEqualTo(bar.map().read32Opaque(VS));
        assertRefused(Rule.REGION_PAGE, () -> bar.map(8, 4096));
        assertRefused(Rule.REGION_MAPPABLE, () -> bar.map(0, bar.info().size() + 1));
        assertRefused(Rule.REGION_MAPPABLE, () -> bar.map(bar.info().size(), 4096));
        assertRefused(Rule.REGION_MAPPABLE, () -> bar.map(0, 0));
        assertRefused(Rule.REGION_MAPPABLE, () -> bar.map(-4096, 4096));
    }

    @Test
    void everyIndexThatTheDeviceReportsHasARegionOrIsRefusedByTheKernel() {
        for (int index = 0; index < nvme.info().regions(); index++) {
            if (index == 8) { // VGA, which is not there
                continue;
            }
            RegionInfo info = nvme.region(index).info();
            assertThat(info.index()).isEqualTo(index);
            assertThat(info.mappable()).isEqualTo(info.mappable(0, info.size()));
        }
    }

    @Test
    void aBarThatTheDeviceLacksHasNoSize() {
        RegionInfo absent = nvme.region(3).info();
        assertThat(absent.size()).isZero();
        assertThat(absent.mappable()).isFalse();
    }

    @Test
    void aRegionThatTheKernelLacksIsEinval() {
        VfioException e = catchThrowableOfType(VfioException.class, () -> nvme.region(8)); // VGA
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
    }

    @Test
    void indexesThatDoNotExistAreRefused() {
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> nvme.region(9));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> nvme.region(-1));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> nvme.irq(5));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> nvme.irq(-1));
    }

    @Test
    void readingBeyondARegionIsRefusedBeforeTheCall() {
        Region bar = nvme.region(0);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(8);
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> bar.read(bar.info().size() - 4, memory));
            assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> bar.read(-8, memory));
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> bar.read(0, MemorySegment.ofArray(new byte[4])))
                .withMessageContaining("native");
    }

    @Test
    void configurationSpaceIsNotWrittenAsARegion() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zero = arena.allocate(2);
            assertThatIllegalArgumentException().isThrownBy(() -> nvme.region(7).write(4, zero));
        }
        assertThat(nvme.config().memoryEnabled()).isTrue();
    }

    @Test
    void messageInterruptsAreReportedWithTheirCount() {
        assertThat(nvme.irq(PciIrq.MSIX).info().eventfd()).isTrue();
        assertThat(nvme.irq(PciIrq.MSIX).info().count()).isPositive();
        assertThat(nvme.irq(PciIrq.REQ).info().count()).isEqualTo(1);
    }

    @Test
    void aResetKeepsTheMappedRegisters() {
        Mmio registers = nvme.region(0).map();
        int version = registers.read32Opaque(VS);
        if (nvme.info().resettable()) {
            nvme.reset();
        } else {
            assertRefused(Rule.RESET_SUPPORTED, nvme::reset);
        }
        assertThat(registers.read32Opaque(VS)).isEqualTo(version);
    }
}
