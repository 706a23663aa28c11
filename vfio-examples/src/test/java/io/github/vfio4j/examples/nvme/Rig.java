package io.github.vfio4j.examples.nvme;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.sim.PciModel;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.nvme.NvmeModel;

/** An open device on a simulated machine, its registers, and memory for queues. */
final class Rig implements AutoCloseable {
    private static final PciAddress ADDRESS = PciAddress.parse("0000:00:05.0");

    final SimMachine machine;
    final Device device;
    final Mmio registers;
    final DmaBuffer queues;
    private final Vfio vfio;

    Rig() {
        this(new NvmeModel());
    }

    Rig(PciModel model) {
        machine = SimMachine.builder().device(ADDRESS, model).build();
        vfio = machine.open();
        device = vfio.openDevice(ADDRESS);
        device.config().enableBusMaster();
        registers = device.region(0).map();
        queues = memory(1 << 20);
    }

    NvmeController start() {
        return NvmeController.start(registers, queues);
    }

    DmaBuffer memory(long bytes) {
        return device.iommu().allocate(bytes, Access.READ_WRITE);
    }

    @Override
    public void close() {
        vfio.close();
        if (!machine.leaks().isEmpty()) {
            throw new AssertionError(machine.leaks());
        }
    }
}
