package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.Access;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A device moves data: what it reaches is what the program sees. */
class DeviceDmaKernelTest extends KernelTest {
    // Before Linux 6.2 a page that is pinned for reading before the program first wrote it was a page of zeros for ever.
    @ParameterizedTest
    @CsvSource({"READ, WRITE", "READ_WRITE, READ_WRITE"})
    void whatTheProgramWritesAfterTheMappingGoesToTheDeviceAndBack(Access from, Access to) {
        EduDma.checkBothWays(open(machine.loner()).device(), from, to);
    }
}
