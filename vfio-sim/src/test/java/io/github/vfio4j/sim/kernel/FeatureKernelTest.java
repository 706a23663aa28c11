package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceFeature;
import io.github.vfio4j.DmaBuf;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Features;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.WakeEvent;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FeatureKernelTest extends KernelTest {
    private Device nvme;
    private Features features;

    @BeforeEach
    void openNvme() {
        nvme = open(machine.nvme()).device();
        features = nvme.features();
    }

    @Test
    void everyFeatureCanBeAskedFor() {
        List<String> before = machine.changes();
        assertThat(features.has(DeviceFeature.LOW_POWER_ENTRY)).isTrue();
        assertThat(features.has(DeviceFeature.LOW_POWER_ENTRY_WITH_WAKEUP)).isTrue();
        assertThat(features.has(DeviceFeature.LOW_POWER_EXIT)).isTrue();
        for (DeviceFeature absent : List.of(
                DeviceFeature.PCI_VF_TOKEN,
                DeviceFeature.MIGRATION,
                DeviceFeature.MIG_DEVICE_STATE,
                DeviceFeature.MIG_DATA_SIZE,
                DeviceFeature.MIG_PRECOPY_INFO_V2,
                DeviceFeature.DMA_LOGGING_START,
                DeviceFeature.DMA_LOGGING_STOP,
                DeviceFeature.DMA_LOGGING_REPORT,
                DeviceFeature.BUS_MASTER)) {
            assertThat(features.has(absent)).as("%s", absent).isFalse();
        }
        assertThat(machine.changes()).as("asking changes nothing").isEqualTo(before);
    }

    @Test
    void whatTheDeviceLacksIsRefused() {
        assertRefused(Rule.FEATURE_SUPPORTED, features::migration);
        assertRefused(Rule.FEATURE_SUPPORTED, () -> features.setVfToken(new UUID(1, 2)));
        assertRefused(Rule.FEATURE_SUPPORTED, () -> features.setBusMaster(true));
        assertRefused(
                Rule.FEATURE_SUPPORTED, () -> features.startDmaLogging(4096, List.of(new IovaRange(0, 0xfff))));
    }

    @Test
    void lowPowerIsEnteredOnceAndLeft() {
        features.exitLowPower(); // it is not in it: nothing happens
        features.enterLowPower();
        assertRefused(Rule.LOW_POWER_ONCE, features::enterLowPower);
        assertRefused(Rule.LOW_POWER_ONCE, features::enterLowPowerUntilWoken);
        assertThat(nvme.config().read16(0)).isEqualTo(vfio.pciDevice(machine.nvme()).vendorId()); // it still answers
        features.exitLowPower();
        features.enterLowPower();
        features.exitLowPower();
    }

    @Test
    void aMappedDeviceStaysInPowerAndOneInLowPowerIsNotMapped() {
        nvme.region(0).map();
        assertRefused(Rule.LOW_POWER_MAPPED, features::enterLowPower);
        assertRefused(Rule.LOW_POWER_MAPPED, features::enterLowPowerUntilWoken);
        nvme.unmapRegions();
        features.enterLowPower();
        assertRefused(Rule.REGION_POWERED, () -> nvme.region(0).map());
        features.exitLowPower();
        assertThat(nvme.region(0).map().read32Opaque(8)).isNotEqualTo(-1);
    }

    @Test
    void anAccessWakesTheDeviceAndTellsIt() {
        try (WakeEvent woken = features.enterLowPowerUntilWoken()) {
            boolean awake = false;
            for (int millis = 1; millis < 4000 && !awake; millis *= 2) {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millis)); // an access too soon keeps it awake
                assertThat(nvme.config().read16(0)).isNotEqualTo(0xffff);
                awake = woken.poll();
            }
            if (vfio.kernelName().startsWith("Linux ")) { // one without CONFIG_PM puts no device to sleep
                assumeTrue(awake, "this kernel does not put the device to sleep");
            }
            assertThat(awake).as("it fell asleep, and woke").isTrue();
            assertThat(woken.poll()).isFalse();
        }
        features.exitLowPower();
        features.enterLowPowerUntilWoken(); // ends with the device
    }

    @Test
    void partsOfABarAreShared() {
        assumeTrue(features.has(DeviceFeature.DMA_BUF), "this kernel shares no BARs");
        List<RegionInfo.Area> page = List.of(new RegionInfo.Area(0, 4096));
        assertRefused(Rule.DMA_BUF_PARTS, () -> features.exportDmaBuf(nvme.region(0), List.of()));
        assertRefused(Rule.DMA_BUF_BAR, () -> features.exportDmaBuf(nvme.region(7), page));
        assertRefused(Rule.DMA_BUF_BAR, () -> features.exportDmaBuf(nvme.region(3), page));
        for (RegionInfo.Area odd : List.of(
                new RegionInfo.Area(0, 0), new RegionInfo.Area(8, 4096), new RegionInfo.Area(0, 100))) {
            assertRefused(Rule.DMA_BUF_PAGES, () -> features.exportDmaBuf(nvme.region(0), List.of(odd)));
        }
        long end = nvme.region(0).info().size();
        List<RegionInfo.Area> beyond = List.of(new RegionInfo.Area(end, 4096));
        assertRefused(Rule.DMA_BUF_INSIDE, () -> features.exportDmaBuf(nvme.region(0), beyond));
        List<RegionInfo.Area> overTheTop = List.of(new RegionInfo.Area(-4096, 4096));
        assertRefused(Rule.DMA_BUF_WRAP, () -> features.exportDmaBuf(nvme.region(0), overTheTop));
        DmaBuf shared = features.exportDmaBuf(
                nvme.region(0), List.of(new RegionInfo.Area(4096, 4096), new RegionInfo.Area(0, 4096)));
        shared.close();
        shared.close();
        features.exportDmaBuf(nvme.region(0), page); // ends with the device
    }

    @Test
    void aClosedDeviceHasNoFeatures() {
        nvme.close();
        VfioException e = catchThrowableOfType(VfioException.class, () -> features.has(DeviceFeature.MIGRATION));
        assertThat(e.errno()).isEqualTo(Errno.EBADF);
        assertRefused(Rule.HANDLE_OPEN, features::enterLowPower);
    }
}
