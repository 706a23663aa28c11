package io.github.vfio4j.sim.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Access;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Mmio;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A device moves data: what it reaches is what the program sees. */
class DeviceDmaKernelTest extends KernelTest {
    // Registers of edu, and the buffer in it.
    private static final long SOURCE = 0x80;
    private static final long TARGET = 0x88;
    private static final long COUNT = 0x90;
    private static final long COMMAND = 0x98;
    private static final long RUN = 1;
    private static final long TO_MEMORY = 2;
    private static final long DEVICE_BUFFER = 0x40000;
    private static final int BYTES = 2048;

    // Before Linux 6.2 a page that is pinned for reading before the program first wrote it was a page of zeros for ever.
    @ParameterizedTest
    @CsvSource({"READ, WRITE", "READ_WRITE, READ_WRITE"})
    void whatTheProgramWritesAfterTheMappingGoesToTheDeviceAndBack(Access from, Access to) {
        Stack edu = open(machine.loner());
        Mmio registers = edu.device().region(0).map();
        edu.device().config().enableBusMaster();
        DmaBuffer source = edu.iommu().allocate(8192, from);
        DmaBuffer target = edu.iommu().allocate(8192, to);
        MemorySegment written = source.segment().asSlice(4096, BYTES);
        for (int i = 0; i < BYTES; i++) {
            written.set(JAVA_BYTE, i, (byte) (i * 7 + 1));
        }
        run(registers, source.iova() + 4096, DEVICE_BUFFER, RUN);
        run(registers, DEVICE_BUFFER, target.iova() + 4096, RUN | TO_MEMORY);
        MemorySegment read = target.segment().asSlice(4096, BYTES);
        assertThat(read.mismatch(written)).as("the first byte that differs").isEqualTo(-1);
    }

    private static void run(Mmio registers, long source, long target, long command) {
        registers.write64Opaque(SOURCE, source);
        registers.write64Opaque(TARGET, target);
        registers.write64Opaque(COUNT, BYTES);
        registers.write64Release(COMMAND, command);
        while ((registers.read64Acquire(COMMAND) & RUN) != 0) {
            Thread.onSpinWait();
        }
    }
}
