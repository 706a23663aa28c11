package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.LostHandle;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import java.lang.ref.Reference;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A program loses handles that it never closed, and hears of it. */
@Timeout(60)
class LostHandlesTest {
    private static final PciAddress DEVICE = PciAddress.parse("0000:01:00.0");

    private final SimMachine machine = SimMachine.builder()
            .device(DEVICE, new TestModel(4, 0), 26, SimMachine.VFIO_PCI)
            .build();
    private final SimProcess process = machine.startProcess();
    private final BlockingQueue<List<LostHandle>> reports = new LinkedBlockingQueue<>();

    @AfterEach
    void end() {
        process.kill();
    }

    private Vfio open(boolean places) {
        Vfio vfio = process.open();
        vfio.reportLost(places, reports::add);
        return vfio;
    }

    /** Opens one of each kind and forgets them all. */
    private void lose(boolean places) {
        Vfio vfio = open(places);
        Container container = vfio.openContainer();
        Group group = vfio.openGroup(26);
        container.attach(group);
        Type1 iommu = container.setIommu(IommuType.TYPE1_V2);
        iommu.allocate(4096, Access.READ).close();
        iommu.allocate(8192, Access.READ);
        Device device = iommu.openDevice(group, DEVICE);
        device.irq(PciIrq.MSIX).enable(0, 1);
        vfio.openWaiter();
    }

    /** Collects until something is reported. */
    private List<LostHandle> report() throws InterruptedException {
        List<LostHandle> report = null;
        while (report == null) {
            System.gc();
            report = reports.poll(50, TimeUnit.MILLISECONDS);
        }
        return report;
    }

    @Test
    void whatWasNeverClosedIsReportedAndNotClosed() throws InterruptedException {
        lose(false);
        List<LostHandle> lost = report();
        assertThat(lost).extracting(LostHandle::what).anyMatch(what -> what.startsWith("buffer at IOVA "));
        assertThat(lost)
                .extracting(LostHandle::what)
                .contains("Container", "group 26", "device 0000:01:00.0", "Waiter", "interrupts 0000:01:00.0 MSI-X")
                .hasSize(6);
        assertThat(lost).allMatch(handle -> handle.opened().isEmpty());
        assertThat(process.leaks()).isNotEmpty();
        assertThat(process.pinnedBytes()).isEqualTo(8192); // a device may reach it
    }

    @Test
    void thePlaceIsTold() throws InterruptedException {
        lose(true);
        for (LostHandle lost : report()) {
            assertThat(lost.opened().orElseThrow().getStackTrace())
                    .as(lost.what())
                    .anyMatch(frame -> frame.getMethodName().equals("lose"));
        }
    }

    @Test
    void whatWasClosedIsNotReported() throws InterruptedException {
        openAndClose();
        lose(false);
        assertThat(report()).hasSize(6); // the one report is of the other
        assertThat(reports).isEmpty();
    }

    private void openAndClose() {
        try (Vfio vfio = open(true)) {
            vfio.openDevice(DEVICE).irq(PciIrq.MSIX).enable(0, 2);
            vfio.openWaiter();
        }
    }

    @Test
    void oneHandleThatIsKeptKeepsAll() throws InterruptedException {
        Container kept = openContainer();
        loseAContainer();
        assertThat(report()).extracting(LostHandle::what).containsExactly("Container"); // the lost one was collected
        assertThat(kept.supports(IommuType.TYPE1_V2)).isTrue();
        Reference.reachabilityFence(kept);
    }

    private Container openContainer() {
        Vfio vfio = process.open();
        vfio.reportLost(false, lost -> reports.add(List.of()));
        return vfio.openContainer();
    }

    private void loseAContainer() {
        open(false).openContainer();
    }

    @Test
    void itIsAskedForBeforeAnythingIsOpened() {
        Vfio vfio = process.open();
        vfio.openContainer();
        assertThatIllegalStateException().isThrownBy(() -> vfio.reportLost(false, reports::add));
        vfio.close();
    }
}
