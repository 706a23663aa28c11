package io.github.vfio4j.examples;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.models.E1000eModel;
import io.github.vfio4j.examples.models.EduModel;
import io.github.vfio4j.examples.models.Wire;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.nvme.NvmeModel;

/**
 * The simulated machine that commands run on without {@code --linux}, with everything bound to vfio-pci: an edu device, an
 * NVMe controller, and four network cards, the first wired to the second, the third to the fourth.
 */
final class DemoMachine {
    private static final PciAddress CONTROLLER = PciAddress.parse("0000:00:05.0");
    private static final int GROUP = 4;
    private static final long MAC_ADDRESS = 0x00_00_00_12_54_52L; // 52:54:12:00:00:00, and a number

    private DemoMachine() {}

    static Vfio open() {
        E1000eModel[] cards = new E1000eModel[4];
        for (int i = 0; i < cards.length; i++) {
            cards[i] = new E1000eModel(MAC_ADDRESS | (long) i << 40);
        }
        Wire.connect(cards[0], cards[1]);
        Wire.connect(cards[2], cards[3]);
        return SimMachine.builder()
                .device(PciAddress.parse("0000:00:04.0"), new EduModel(), 3, SimMachine.VFIO_PCI)
                .device(CONTROLLER, new NvmeModel(), GROUP, SimMachine.VFIO_PCI)
                .device(PciAddress.parse("0000:00:06.0"), cards[0], 5, SimMachine.VFIO_PCI)
                .device(PciAddress.parse("0000:00:07.0"), cards[1], 6, SimMachine.VFIO_PCI)
                .device(PciAddress.parse("0000:00:0b.0"), cards[2], 10, SimMachine.VFIO_PCI)
                .device(PciAddress.parse("0000:00:0c.0"), cards[3], 11, SimMachine.VFIO_PCI)
                .build()
                .open();
    }
}
