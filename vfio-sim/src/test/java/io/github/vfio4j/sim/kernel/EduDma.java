package io.github.vfio4j.sim.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Mmio;
import java.lang.foreign.MemorySegment;

/** Lets the edu device move data between memory and the buffer in it. */
final class EduDma {
    // Registers of edu, and the buffer in it.
    private static final long SOURCE = 0x80;
    private static final long TARGET = 0x88;
    private static final long COUNT = 0x90;
    private static final long COMMAND = 0x98;
    private static final long RUN = 1;
    private static final long TO_MEMORY = 2;
    private static final long DEVICE_BUFFER = 0x40000;

    /** What one transfer moves. */
    static final int BYTES = 2048;

    private EduDma() {}

    /** Returns the registers of a device that may access memory now. */
    static Mmio ready(Device edu) {
        Mmio registers = edu.region(0).map();
        edu.config().enableBusMaster();
        return registers;
    }

    static void toDevice(Mmio registers, long iova) {
        run(registers, iova, DEVICE_BUFFER, RUN);
    }

    static void fromDevice(Mmio registers, long iova) {
        run(registers, DEVICE_BUFFER, iova, RUN | TO_MEMORY);
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

    /** Checks that data goes to the device and back. */
    static void checkBothWays(Device edu) {
        checkBothWays(edu, Access.READ_WRITE, Access.READ_WRITE);
    }

    /** Checks that data goes to the device from memory of one kind, and back to memory of another. */
    static void checkBothWays(Device edu, Access from, Access to) {
        Mmio registers = ready(edu);
        try (DmaBuffer source = edu.iommu().allocate(8192, from);
                DmaBuffer target = edu.iommu().allocate(8192, to)) {
            MemorySegment written = source.segment().asSlice(4096, BYTES);
            for (int i = 0; i < BYTES; i++) {
                written.set(JAVA_BYTE, i, (byte) (i * 7 + 1));
            }
            toDevice(registers, source.iova() + 4096);
            fromDevice(registers, target.iova() + 4096);
            MemorySegment read = target.segment().asSlice(4096, BYTES);
            assertThat(read.mismatch(written)).as("the first byte that differs").isEqualTo(-1);
        }
    }
}
