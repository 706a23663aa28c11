package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Interrupts;
import io.github.vfio4j.Irq;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.TooFewVectors;
import io.github.vfio4j.Vfio;
import org.junit.jupiter.api.Test;

/** A machine that has fewer vectors than a driver asks for. */
class FewVectorsTest {
    private static final PciAddress ADDRESS = PciAddress.parse("0000:00:04.0");

    @Test
    void withoutInterruptRemappingADriverLearnsHowManyMsiVectorsItMayHave() {
        SimMachine machine = SimMachine.builder()
                .interruptRemapping(false)
                .allowUnsafeInterrupts(true)
                .device(ADDRESS, new TestModel(0, 4), 4, SimMachine.VFIO_PCI)
                .build();
        SimProcess process = machine.startProcess();
        try (Vfio vfio = process.open()) {
            Irq msi = vfio.openDevice(ADDRESS, OpenedBy.GROUP).irq(PciIrq.MSI);
            TooFewVectors e = catchThrowableOfType(TooFewVectors.class, msi::enable);
            assertThat(e.available()).isEqualTo(1);
            try (Interrupts vectors = msi.enable(0, e.available())) {
                vectors.get(0).trigger();
                assertThat(vectors.get(0).poll()).isEqualTo(1);
            }
        }
        assertThat(process.leaks()).isEmpty();
    }
}
