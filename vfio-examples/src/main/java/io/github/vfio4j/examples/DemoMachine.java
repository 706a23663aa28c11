package io.github.vfio4j.examples;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.models.E1000eModel;
import io.github.vfio4j.examples.models.EduModel;
import io.github.vfio4j.examples.models.VirtioNetModel;
import io.github.vfio4j.examples.models.Wire;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.nvme.NvmeModel;

/**
 * The simulated machine that commands run on without {@code --linux}, with everything bound to vfio-pci: an edu device, an
 * NVMe controller, and four network cards, the second of them virtio. The first is wired to the second, the third to the
 * fourth.
 */
final class DemoMachine {
    private static final PciAddress CONTROLLER = PciAddress.parse("0000:00:05.0");
    private static final int GROUP = 4;
    private static final long MAC_ADDRESS = 0x00_00_00_12_54_52L; // 52:54:12:00:00:00, and a number

    private DemoMachine() {}

    static Vfio open() {
        E1000eModel port0 = new E1000eModel(MAC_ADDRESS);
        VirtioNetModel peer0 = new VirtioNetModel(MAC_ADDRESS | 1L << 40, true);
        E1000eModel port1 = new E1000eModel(MAC_ADDRESS | 2L << 40);
        E1000eModel peer1 = new E1000eModel(MAC_ADDRESS | 3L << 40);
        Wire.connect(port0, peer0);
        Wire.connect(port1, peer1);
        return SimMachine.builder()
                .device(PciAddress.parse("0000:00:04.0"), new EduModel(), 3, SimMachine.VFIO_PCI)
                .device(CONTROLLER, new NvmeModel(), GROUP, SimMachine.VFIO_PCI)
                .device(PciAddress.parse("0000:00:06.0"), port0, 5, SimMachine.VFIO_PCI)
                .device(PciAddress.parse("0000:00:07.0"), peer0, 6, SimMachine.VFIO_PCI)
                .device(PciAddress.parse("0000:00:0b.0"), port1, 10, SimMachine.VFIO_PCI)
                .device(PciAddress.parse("0000:00:0c.0"), peer1, 11, SimMachine.VFIO_PCI)
                .build()
                .open();
    }
}
