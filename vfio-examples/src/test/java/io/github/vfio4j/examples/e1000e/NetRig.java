package io.github.vfio4j.examples.e1000e;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Group;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.models.E1000eModel;
import io.github.vfio4j.examples.models.Wire;
import io.github.vfio4j.examples.net.NetPort;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.sim.SimMachine;
import java.util.ArrayList;
import java.util.List;

/** Simulated 82574L controllers in one container; each two of them are wired together, and a single one with itself. */
public final class NetRig implements AutoCloseable {
    final SimMachine machine;
    final List<E1000eModel> models = new ArrayList<>();
    final List<Device> devices = new ArrayList<>();
    private final Vfio vfio;
    private final Type1 iommu;

    public NetRig(int cards) {
        SimMachine.Builder builder = SimMachine.builder();
        for (int i = 0; i < cards; i++) {
            E1000eModel model = new E1000eModel(0x0605_0403_0200L + ((long) i << 40));
            models.add(model);
            builder.device(new PciAddress(0, 0, 6 + i, 0), model);
        }
        for (int i = 0; i < cards; i += 2) {
            Wire.connect(models.get(i), models.get(Math.min(i + 1, cards - 1)));
        }
        machine = builder.build();
        vfio = machine.open();
        Container container = vfio.openContainer();
        List<Group> groups = new ArrayList<>();
        for (int i = 0; i < cards; i++) {
            Group group = vfio.openGroup(vfio.pciDevice(new PciAddress(0, 0, 6 + i, 0)).iommuGroup().orElseThrow());
            container.attach(group);
            groups.add(group);
        }
        iommu = container.setIommu(IommuType.TYPE1_V2);
        for (int i = 0; i < cards; i++) {
            Device device = iommu.openDevice(groups.get(i), new PciAddress(0, 0, 6 + i, 0));
            device.config().enableBusMaster();
            devices.add(device);
        }
    }

    public PacketPool pool(int packets) {
        return new PacketPool(iommu.allocate(PacketPool.bytesFor(packets), Access.READ_WRITE));
    }

    public NetPort start(int card, PacketPool pool, int entries) {
        return start(card, rings(entries), pool, entries);
    }

    /** Memory for rings; the receiver's is at its start. */
    DmaBuffer rings(int entries) {
        return iommu.allocate(64L * entries + 8192, Access.READ_WRITE);
    }

    NetPort start(int card, DmaBuffer rings, PacketPool pool, int entries) {
        return E1000e.start(devices.get(card).region(0).map(), new DmaSlices(rings, 4096), pool, entries);
    }

    @Override
    public void close() {
        vfio.close();
        if (!machine.leaks().isEmpty()) {
            throw new AssertionError(machine.leaks());
        }
    }
}
