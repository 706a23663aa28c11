package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.PciAddress;
import org.junit.jupiter.api.condition.EnabledIf;

/** An igb network card and its virtual functions, where QEMU has it (since 8.0). */
@EnabledIf("present")
class IgbSriovKernelTest extends SriovKernelTest {
    static boolean present() {
        try (MachineUnderTest machine = MachineUnderTest.start()) {
            return machine.physicalCard().isPresent();
        }
    }

    @Override
    PciAddress physicalFunction() {
        return machine.physicalCard().orElseThrow();
    }
}
