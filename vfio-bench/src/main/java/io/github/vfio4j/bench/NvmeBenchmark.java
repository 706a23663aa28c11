package io.github.vfio4j.bench;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.examples.nvme.NvmeController;
import io.github.vfio4j.examples.nvme.NvmeNamespace;
import io.github.vfio4j.examples.nvme.NvmeQueue;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.nvme.NvmeModel;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** 4 KiB reads from the simulated NVMe controller, polled. There is no C side: the controller is Java, too. */
@State(Scope.Thread)
public class NvmeBenchmark {
    static final int DEPTH = 32;

    private static final PciAddress ADDRESS = PciAddress.parse("0000:00:05.0");
    private static final int BLOCK = 512;
    private static final int READ_BLOCKS = 4096 / BLOCK;
    private static final long BLOCKS = 1 << 16;

    private SimMachine machine;
    private NvmeController controller;
    private NvmeQueue queue;
    private NvmeNamespace namespace;
    private DmaBuffer data;
    private long next;

    /** A machine with the controller and a driver for it. */
    @Setup
    public void start() {
        machine = SimMachine.builder()
                .device(ADDRESS, new NvmeModel(BLOCKS * BLOCK, BLOCK))
                .build();
        Device device = machine.open().openDevice(ADDRESS);
        device.config().enableMemory();
        device.config().enableBusMaster();
        controller = NvmeController.start(device.region(0).map(), device.iommu().allocate(1 << 20, Access.READ_WRITE));
        queue = controller.createQueue(2 * DEPTH);
        namespace = controller.namespaces().getFirst();
        data = device.iommu().allocate(DEPTH * 4096L, Access.READ_WRITE);
    }

    /** Ends it. */
    @TearDown
    public void stop() {
        controller.close();
        machine.close();
    }

    /** One read under way at a time. */
    @Benchmark
    public void readsAtDepth1() {
        submit(0);
        queue.await();
    }

    /** 32 reads under way, one doorbell for each 32. */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public void readsAtDepth32() {
        for (int i = 0; i < DEPTH; i++) {
            submit(i);
        }
        for (int i = 0; i < DEPTH; i++) {
            queue.await();
        }
    }

    private void submit(int slot) {
        namespace.submitRead(queue, next, READ_BLOCKS, data.iova() + slot * 4096L);
        next = (next + READ_BLOCKS) % BLOCKS;
    }
}
