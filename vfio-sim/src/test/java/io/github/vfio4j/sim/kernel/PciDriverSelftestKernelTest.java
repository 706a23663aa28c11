package io.github.vfio4j.sim.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciIrq;
import java.lang.foreign.MemorySegment;
import java.time.temporal.ChronoUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A driver that has its device copy memory and raise an MSI. The selftest has drivers for two accelerators; here an edu
 * device copies by way of the buffer in it, some kilobytes at a time and at addresses of 28 bits.
 */
@DisplayName("vfio_pci_driver_test")
class PciDriverSelftestKernelTest extends SelftestKernelTest {
    private static final int STATUS = 0x24;
    private static final int RAISE = 0x60;
    private static final int ACKNOWLEDGE = 0x64;
    private static final long SIZE = EduDma.BYTES;
    private static final long UNMAPPED = 128 << 20; // an IOVA that edu reaches and nothing is mapped at
    private static final int AT_ONCE = 8; // edu takes 100 ms for each half of a copy

    private Device edu;
    private MemorySegment source;
    private MemorySegment target;
    private long sourceIova;
    private long targetIova;
    private Mmio registers;
    private Interrupts interrupts;
    private Interrupt msi;

    private void setUp(IommuMode mode) {
        edu = open(mode, machine.loner());
        DmaBuffer region = edu.iommu().allocate(2 * SIZE, Access.READ_WRITE);
        assertThat(region.iova() + region.size()).isLessThan(UNMAPPED);
        source = region.segment().asSlice(0, SIZE);
        target = region.segment().asSlice(SIZE, SIZE);
        sourceIova = region.iova();
        targetIova = region.iova() + SIZE;
        startDriver();
    }

    private void startDriver() {
        registers = EduDma.ready(edu);
        interrupts = edu.irq(PciIrq.MSI).enable();
        msi = interrupts.get(0);
    }

    private void removeDriver() {
        interrupts.close();
        edu.config().disableBusMaster();
        edu.unmapRegions();
    }

    private void copy(long from, long to) {
        EduDma.toDevice(registers, from);
        EduDma.fromDevice(registers, to);
    }

    private void checkCopied() {
        source.fill((byte) 'x');
        target.fill((byte) 'y');
        copy(sourceIova, targetIova);
        assertThat(target.toArray(JAVA_BYTE)).containsOnly('x');
    }

    private void checkMsi() {
        registers.write32Release(RAISE, 1);
        assertThat(msi.await(ChronoUnit.FOREVER.getDuration())).isEqualTo(1);
        registers.write32Release(ACKNOWLEDGE, 1);
        while (registers.read32Acquire(STATUS) != 0) {
            Thread.onSpinWait();
        }
    }

    private void assertNoMsi() {
        assertThat(msi.poll()).isZero();
    }

    @ParameterizedTest(name = "vfio_pci_driver_test.{0}.init_remove")
    @EnumSource
    void theDriverStartsAgainAndAgain(IommuMode mode) {
        setUp(mode);
        for (int i = 0; i < 10; i++) {
            removeDriver();
            startDriver();
        }
        checkMsi();
    }

    @ParameterizedTest(name = "vfio_pci_driver_test.{0}.memcpy_success")
    @EnumSource
    void memoryIsCopied(IommuMode mode) {
        setUp(mode);
        checkCopied();
        assertNoMsi();
    }

    @ParameterizedTest(name = "vfio_pci_driver_test.{0}.memcpy_from_unmapped_iova")
    @EnumSource
    void whatIsNotMappedIsNotRead(IommuMode mode) {
        setUp(mode);
        copy(UNMAPPED, targetIova); // edu tells nobody that it could not
        assertNoMsi();
    }

    @ParameterizedTest(name = "vfio_pci_driver_test.{0}.memcpy_to_unmapped_iova")
    @EnumSource
    void whatIsNotMappedIsNotWritten(IommuMode mode) {
        setUp(mode);
        source.fill((byte) 'x');
        target.fill((byte) 'y');
        copy(sourceIova, UNMAPPED);
        assertNoMsi();
        assertThat(source.toArray(JAVA_BYTE)).containsOnly('x');
        assertThat(target.toArray(JAVA_BYTE)).containsOnly('y');
    }

    @ParameterizedTest(name = "vfio_pci_driver_test.{0}.send_msi")
    @EnumSource
    void theDeviceSendsAnMsi(IommuMode mode) {
        setUp(mode);
        checkMsi();
        assertNoMsi();
    }

    @ParameterizedTest(name = "vfio_pci_driver_test.{0}.mix_and_match")
    @EnumSource
    void copiesFaultsAndMsisDisturbNothing(IommuMode mode) {
        setUp(mode);
        for (int i = 0; i < AT_ONCE / 2; i++) {
            checkCopied();
            copy(UNMAPPED, targetIova);
            checkMsi();
        }
    }

    @ParameterizedTest(name = "vfio_pci_driver_test.{0}.memcpy_storm")
    @EnumSource
    void manyCopiesComeThrough(IommuMode mode) {
        setUp(mode);
        for (int i = 0; i < AT_ONCE; i++) {
            checkCopied();
        }
        assertNoMsi();
    }
}
