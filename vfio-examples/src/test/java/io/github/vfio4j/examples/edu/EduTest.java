package io.github.vfio4j.examples.edu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.models.E1000eModel;
import io.github.vfio4j.examples.models.EduModel;
import io.github.vfio4j.sim.SimMachine;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class EduTest {
    private static final PciAddress EDU = PciAddress.parse("00:04.0");
    private static final PciAddress CARD = PciAddress.parse("00:06.0");

    private static final int IRQ_STATUS = 0x24;
    private static final int IRQ_RAISE = 0x60;
    private static final int IRQ_ACKNOWLEDGE = 0x64;

    private final SimMachine machine =
            SimMachine.builder().device(EDU, new EduModel()).device(CARD, new E1000eModel(0x1234)).build();
    private final Vfio vfio = machine.open();
    private final Device device = vfio.openDevice(EDU);
    private final Edu edu = Edu.start(device);

    @AfterEach
    void close() {
        assertThat(machine.faults()).isEmpty();
        vfio.close();
        assertThat(machine.leaks()).isEmpty();
    }

    @Test
    void itHasAVersionAndLives() {
        assertThat(edu.version()).isEqualTo(0x0100);
        assertThat(edu.invert(0x1234)).isEqualTo(~0x1234);
    }

    @ParameterizedTest(name = "{0}! is {1}")
    @CsvSource({"0, 1", "1, 1", "2, 2", "3, 6", "10, 3628800", "12, 479001600"})
    void itComputesFactorials(int n, int expected) {
        assertThat(edu.factorial(n)).isEqualTo(expected);
        assertThat(edu.factorial(n)).as("again").isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 13})
    void aFactorialThatDoesNotFitIsRefused(int n) {
        assertThatThrownBy(() -> edu.factorial(n)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void itRaisesItsInterruptWhenToldTo() {
        for (int i = 0; i < 100; i++) {
            edu.raise(0x40);
        }
    }

    @Test
    void itsLineStaysAssertedUntilItIsAcknowledged() {
        edu.close(); // which uses messages
        Interrupt line = device.irq(PciIrq.INTX).enable().get(0);
        Mmio registers = device.region(0).map();
        registers.write32Release(IRQ_RAISE, 4);
        assertThat(line.await(Duration.ofSeconds(30))).isEqualTo(1);
        line.unmask();
        assertThat(line.poll()).isEqualTo(1);
        registers.write32Release(IRQ_ACKNOWLEDGE, 4);
        while (registers.read32Acquire(IRQ_STATUS) != 0) {
            Thread.onSpinWait();
        }
        line.unmask();
        assertThat(line.poll()).isZero();
    }

    @Test
    void dataComesBackAsItWent() {
        DmaBuffer source = device.iommu().allocate(8192, Access.READ);
        DmaBuffer target = device.iommu().allocate(8192, Access.WRITE);
        byte[] data = new byte[8192];
        new Random(3).nextBytes(data);
        source.segment().copyFrom(MemorySegment.ofArray(data));
        edu.toDevice(source, 4096, 100, 2048);
        edu.fromDevice(200, target, 77, 1000);
        assertThat(target.segment().asSlice(77, 1000).mismatch(source.segment().asSlice(4196, 1000))).isEqualTo(-1);
        assertThat(target.segment().asSlice(1077).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    }

    @Test
    void memoryAboveItsAddressesIsRefused() {
        DmaBuffer high = device.iommu().allocateAt(0x1000_0000, 4096, Access.READ);
        assertThatThrownBy(() -> edu.toDevice(high, 0, 0, 16))
                .isInstanceOf(EduException.class)
                .hasMessageContaining("28 bits");
    }

    @ParameterizedTest(name = "{1} bytes at {0}")
    @CsvSource({"0, 4096", "0, 0", "-1, 16", "4080, 16"})
    void aCopyOutsideTheBufferIsRefused(int at, int bytes) {
        DmaBuffer memory = device.iommu().allocate(8192, Access.READ_WRITE);
        assertThatThrownBy(() -> edu.toDevice(memory, 0, at, bytes)).isInstanceOf(RuntimeException.class);
        assertThatThrownBy(() -> edu.fromDevice(at, memory, 0, bytes)).isInstanceOf(RuntimeException.class);
    }

    @Test
    void anotherDeviceIsNoEdu() {
        try (Device card = vfio.openDevice(CARD)) {
            assertThatThrownBy(() -> Edu.start(card)).isInstanceOf(EduException.class);
        }
    }
}
