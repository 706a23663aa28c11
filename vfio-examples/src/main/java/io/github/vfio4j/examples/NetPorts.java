package io.github.vfio4j.examples;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.e1000e.E1000e;
import io.github.vfio4j.examples.net.NetPort;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.examples.virtio.VirtioNet;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Network cards with one address space, so that all of them reach the same packets: what is received by one is sent by another
 * without a copy.
 */
final class NetPorts implements AutoCloseable {
    private static final int PAGE = 4096;
    private static final long LINK_NANOS = 10_000_000_000L;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Vfio vfio;
    private final Optional<OpenedBy> way;
    private SharedSpace space; // null until the first card is open

    /**
     * Makes one without cards.
     *
     * @param way how to open them; if it is not named, as the kernel offers for the first one
     */
    NetPorts(Vfio vfio, Optional<OpenedBy> way) {
        this.vfio = vfio;
        this.way = way;
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
        if (space == null) {
            space = way.orElseGet(() -> vfio.wayTo(found.address())) == OpenedBy.CDEV
                    ? new SharedSpace.OfNodes(vfio)
                    : new SharedSpace.OfGroups(vfio);
        }
        Device device = space.open(found);
        opened.add(device);
        device.config().enableBusMaster();
        return device;
    }

    PacketPool pool(int packets) {
        DmaBuffer memory = space.memory().allocate(PacketPool.bytesFor(packets), Access.READ_WRITE);
        return new PacketPool(memory);
    }

    NetPort start(PciDevice found, Device device, PacketPool pool, int entries) {
        DmaSlices memory = new DmaSlices(space.memory().allocate(64L * entries + 8 * PAGE, Access.READ_WRITE), PAGE);
        NetPort port = isE1000e(found)
                ? E1000e.start(device.region(0).map(), memory, pool, entries)
                : VirtioNet.start(device, memory, pool, entries);
        opened.add(port);
        return port;
    }

    /** Returns what the cards share. */
    SharedSpace space() {
        return space;
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
        if (space != null) {
            space.close();
        }
        if (failure != null) {
            throw failure;
        }
    }
}
