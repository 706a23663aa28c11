package io.github.vfio4j.examples;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.nvme.NvmeModel;

/** The simulated machine that commands run on without {@code --linux}: an NVMe controller, bound to vfio-pci. */
final class DemoMachine {
    private static final PciAddress CONTROLLER = PciAddress.parse("0000:00:05.0");
    private static final int GROUP = 4;

    private DemoMachine() {}

    static Vfio open() {
        return SimMachine.builder()
                .device(CONTROLLER, new NvmeModel(), GROUP, SimMachine.VFIO_PCI)
                .build()
                .open();
    }
}
