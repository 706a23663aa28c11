package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Device;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.Irq;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Region;
import io.github.vfio4j.Rule;
import java.time.temporal.ChronoUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What every PCI device has, of an edu with MSI and of an NVMe controller with MSI-X. */
@DisplayName("vfio_pci_device_test")
class PciDeviceSelftestKernelTest extends SelftestKernelTest {
    private static final int VENDOR = 0;
    private static final int DEVICE = 2;
    private static final int BARS = 6;
    private static final int MOST_VECTORS = 16; // as the selftest, which spares the entries of the remapping table

    /** Which device. */
    enum Which {
        EDU,
        NVME
    }

    private PciDevice find(Which which) {
        return vfio.pciDevice(which == Which.EDU ? machine.loner() : machine.nvme());
    }

    private Device openDevice(Which which) {
        return vfio.openDevice(find(which).address());
    }

    @ParameterizedTest(name = "vfio_pci_device_test.config_space_read_write ({0})")
    @EnumSource
    void configurationSpaceNamesTheDeviceAndTurnsBusMasteringOnAndOff(Which which) {
        PciConfig config = openDevice(which).config();
        assertThat(config.read16(VENDOR)).isEqualTo(find(which).vendorId());
        assertThat(config.read16(DEVICE)).isEqualTo(find(which).deviceId());
        assertThat(config.busMasterEnabled()).isFalse();
        config.enableBusMaster();
        assertThat(config.busMasterEnabled()).isTrue();
        config.disableBusMaster();
        assertThat(config.busMasterEnabled()).isFalse();
    }

    @ParameterizedTest(name = "vfio_pci_device_test.validate_bars ({0})")
    @EnumSource
    void whatTheKernelSaysOfABarIsMappedAndNothingElse(Which which) {
        Device device = openDevice(which);
        for (int i = 0; i < BARS; i++) {
            Region bar = device.region(i);
            if (bar.info().mappable(0, bar.info().size())) {
                assertThat(bar.map().size()).isEqualTo(bar.info().size()).isPositive();
            } else {
                assertRefused(Rule.REGION_MAPPABLE, bar::map);
            }
        }
        assertThat(device.region(0).info().mappable()).isTrue();
    }

    @ParameterizedTest(name = "vfio_pci_device_test.reset ({0})")
    @EnumSource
    void aDeviceIsResetIfItCanBe(Which which) {
        Device device = openDevice(which);
        if (device.info().resettable()) {
            device.reset();
            assertThat(device.config().read16(VENDOR)).isEqualTo(find(which).vendorId());
        } else {
            assertRefused(Rule.RESET_SUPPORTED, device::reset);
        }
    }

    @ParameterizedTest(name = "vfio_pci_irq_test.msi.enable_trigger_disable ({0})")
    @EnumSource
    void everyMsiIsHeardOnce(Which which) {
        checkEachHeardOnce(openDevice(which).irq(PciIrq.MSI));
    }

    @ParameterizedTest(name = "vfio_pci_irq_test.msix.enable_trigger_disable ({0})")
    @EnumSource
    void everyMsixVectorIsHeardOnce(Which which) {
        checkEachHeardOnce(openDevice(which).irq(PciIrq.MSIX));
    }

    private static void checkEachHeardOnce(Irq irq) {
        int count = Math.min(irq.info().count(), MOST_VECTORS);
        assumeTrue(count > 0, "the device has none");
        try (Interrupts interrupts = irq.enable(0, count)) {
            for (int i = 0; i < count; i++) {
                interrupts.get(i).trigger();
                assertThat(interrupts.get(i).await(ChronoUnit.FOREVER.getDuration())).isEqualTo(1);
            }
        }
    }
}
