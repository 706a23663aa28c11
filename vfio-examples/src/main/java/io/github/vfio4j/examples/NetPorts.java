package io.github.vfio4j.examples;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.e1000e.E1000e;
import io.github.vfio4j.examples.net.NetPort;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.examples.virtio.VirtioNet;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Network cards in one container, so that all of them reach the same packets: what is received by one is sent by another
 * without a copy.
 */
final class NetPorts implements AutoCloseable {
    private static final int PAGE = 4096;
    private static final long LINK_NANOS = 10_000_000_000L;

    private final Container container;
    private final Map<Integer, Group> groups = new HashMap<>();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Vfio vfio;
    private Type1 iommu;

    NetPorts(Vfio vfio) {
        this.vfio = vfio;
        this.container = vfio.openContainer();
    }

    /** Does one of the drivers here drive it? */
    static boolean isDriven(PciDevice device) {
        return isE1000e(device) || isVirtio(device);
    }

    private static boolean isE1000e(PciDevice device) {
        return device.vendorId() == 0x8086 && device.deviceId() == 0x10d3;
    }

    private static boolean isVirtio(PciDevice device) {
        return device.vendorId() == 0x1af4 && device.deviceId() == 0x1041;
    }

    /** Opens a card. All of them before the first pool, since a pool is for those that are open. */
    Device open(PciDevice found) {
        Optional<Integer> number = found.iommuGroup().stream().boxed().findFirst();
        if (number.isEmpty()) {
            throw new CommandException("no IOMMU group holds " + found);
        }
        Group group = groups.computeIfAbsent(number.get(), this::attach);
        if (iommu == null) {
            iommu = container.setIommu(IommuType.TYPE1_V2);
        }
        Device device = iommu.openDevice(group, found.address());
        opened.add(device);
        device.config().enableBusMaster();
        return device;
    }

    private Group attach(int number) {
        Group group = vfio.openGroup(number);
        container.attach(group);
        return group;
    }

    PacketPool pool(int packets) {
        DmaBuffer memory = iommu.allocate(PacketPool.bytesFor(packets), Access.READ_WRITE);
        return new PacketPool(memory);
    }

    NetPort start(PciDevice found, Device device, PacketPool pool, int entries) {
        DmaSlices memory = new DmaSlices(iommu.allocate(64L * entries + 8 * PAGE, Access.READ_WRITE), PAGE);
        NetPort port = isE1000e(found)
                ? E1000e.start(device.region(0).map(), memory, pool, entries)
                : VirtioNet.start(device, memory, pool, entries);
        opened.add(port);
        return port;
    }

    Container container() {
        return container;
    }

    static void awaitLink(NetPort port) {
        long start = System.nanoTime();
        while (!port.linkUp()) {
            if (System.nanoTime() - start > LINK_NANOS) {
                throw new CommandException("a port has no link after 10 s");
            }
            Thread.onSpinWait();
        }
    }

    /** Stops the ports, newest first, then closes everything. */
    @Override
    public void close() {
        RuntimeException failure = null;
        for (AutoCloseable handle : opened.reversed()) {
            try {
                handle.close();
            } catch (Exception e) {
                failure = failure != null ? failure : e instanceof RuntimeException r ? r : new IllegalStateException(e);
            }
        }
        container.close();
        groups.values().forEach(Group::close);
        if (failure != null) {
            throw failure;
        }
    }
}
