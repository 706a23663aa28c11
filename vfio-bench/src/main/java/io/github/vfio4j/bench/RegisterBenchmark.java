package io.github.vfio4j.bench;

import io.github.vfio4j.Device;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import io.github.vfio4j.sim.SimMachine;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/**
 * Register accesses on a mapped BAR. The device is a simulated one, whose BAR is plain shared memory, as the C side's is.
 * Each call makes as many accesses as the C side's, in the same loop: the order that the access has keeps the JIT from
 * merging them.
 */
@State(Scope.Thread)
public class RegisterBenchmark {
    static final int BATCH = 1024;

    private static final long REGISTER = 16;
    private static final Mmio CONSTANT = mapBar();

    private Mmio field = CONSTANT;

    /** A driver that keeps its mapping in a {@code static final} field. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public int readConstant() {
        int sum = 0;
        for (int i = 0; i < BATCH; i++) {
            sum += CONSTANT.read32Opaque(REGISTER);
        }
        return sum;
    }

    /** The same, writing. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public void writeConstant() {
        for (int i = 0; i < BATCH; i++) {
            CONSTANT.write32Release(REGISTER, i);
        }
    }

    /** A driver that keeps its mapping in a field of an object. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public int readField() {
        int sum = 0;
        for (int i = 0; i < BATCH; i++) {
            sum += field.read32Opaque(REGISTER);
        }
        return sum;
    }

    /** The same, writing. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public void writeField() {
        for (int i = 0; i < BATCH; i++) {
            field.write32Release(REGISTER, i);
        }
    }

    @SuppressWarnings("resource") // the mapping lives as long as the JVM
    static Mmio mapBar() {
        PciAddress address = PciAddress.parse("0000:00:04.0");
        SimMachine machine = SimMachine.builder().device(address, new Memory()).build();
        Device device = machine.open().openDevice(address);
        device.config().enableMemory();
        return device.region(0).map();
    }

    /** A device with memory in place of registers. */
    private static final class Memory implements PciModel {
        @Override
        public PciIdentity identity() {
            return new PciIdentity(0x1234, 0x11e8, 0x00ff00);
        }

        @Override
        public List<PciBar> bars() {
            return List.of(new PciBar(0, 4096, true));
        }
    }
}
