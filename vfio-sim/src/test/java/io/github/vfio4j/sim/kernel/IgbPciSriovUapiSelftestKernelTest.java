package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.PciAddress;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.condition.EnabledIf;

/** The same cases with an igb network card, where QEMU has it (since 8.0). */
@DisplayName("vfio_pci_sriov_uapi_test, igb")
@EnabledIf("present")
class IgbPciSriovUapiSelftestKernelTest extends PciSriovUapiSelftestKernelTest {
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
