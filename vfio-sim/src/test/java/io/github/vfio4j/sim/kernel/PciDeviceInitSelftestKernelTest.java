package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Device;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Region;
import java.util.ArrayList;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Devices of three groups are opened at once for one address space. Like the selftest, this prints what it took. */
@DisplayName("vfio_pci_device_init_perf_test")
class PciDeviceInitSelftestKernelTest extends SelftestKernelTest {
    private static final int BARS = 6;

    private final ExecutorService threads = Executors.newCachedThreadPool();

    @AfterEach
    void everyThreadEnds() throws InterruptedException {
        threads.shutdownNow();
        assertThat(threads.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
    }

    /** When a device was opened, and when it was ready. */
    private record Opened(Device device, long start, long end) {}

    private static Opened open(Opener opener, PciAddress address, CyclicBarrier together) throws Exception {
        together.await();
        long start = System.nanoTime();
        Device device = opener.open(address);
        for (int i = 0; i < BARS; i++) {
            Region bar = device.region(i);
            if (bar.info().mappable(0, bar.info().size())) {
                bar.map();
            }
        }
        return new Opened(device, start, System.nanoTime());
    }

    @ParameterizedTest(name = "vfio_pci_device_init_perf_test.{0}.init")
    @EnumSource
    void devicesAreOpenedSideBySide(IommuMode mode) throws Exception {
        List<PciAddress> addresses = List.of(machine.loner(), machine.nvme(), machine.siblings().getLast());
        Opener opener = open(mode);
        CyclicBarrier together = new CyclicBarrier(addresses.size());
        List<Callable<Opened>> work = new ArrayList<>();
        addresses.forEach(address -> work.add(() -> open(opener, address, together)));
        List<Opened> opened = new ArrayList<>();
        for (Future<Opened> one : threads.invokeAll(work)) {
            opened.add(one.get());
        }
        for (int i = 0; i < addresses.size(); i++) {
            Device device = opened.get(i).device();
            assertThat(device.config().read16(0)).isEqualTo(vfio.pciDevice(addresses.get(i)).vendorId());
            assertThat(device.iommu()).isSameAs(opened.getFirst().device().iommu());
        }
        print(mode, opened);
    }

    private static void print(IommuMode mode, List<Opened> opened) {
        long first = opened.stream().mapToLong(Opened::start).min().orElseThrow();
        long last = opened.stream().mapToLong(Opened::end).max().orElseThrow();
        LongSummaryStatistics each =
                opened.stream().mapToLong(one -> one.end() - one.start()).summaryStatistics();
        System.out.printf(
                "%s: %d devices in %.1f ms; one in %.1f to %.1f ms, %.1f on average%n",
                mode,
                opened.size(),
                (last - first) / 1e6,
                each.getMin() / 1e6,
                each.getMax() / 1e6,
                each.getAverage() / 1e6);
    }
}
