package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.GraphicsPort;
import java.util.HashSet;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * The screen of a mediated graphics device; from {@link Device#graphics}. Its driver in the kernel shows what a virtual
 * machine draws, and takes the description of a monitor. Safe from any thread.
 */
public final class Graphics {
    private static final int FIRST_OWN_REGION = 9; // VFIO_PCI_NUM_REGIONS
    private static final RegionInfo.Type EDID = new RegionInfo.Type(1, 1); // VFIO_REGION_TYPE_GFX, ..._GFX_EDID

    private final Device device;
    private final GraphicsPort port;
    // Guarded by the device's lock.
    private final Set<Integer> takenDmaBufs = new HashSet<>();
    private Set<GraphicsPlane.Way> ways;
    private Edid edid;

    Graphics(Device device, GraphicsPort port) {
        this.device = device;
        this.port = port;
    }

    /**
     * Tells how the device shows its pictures ({@code VFIO_DEVICE_QUERY_GFX_PLANE} with
     * {@code VFIO_GFX_PLANE_TYPE_PROBE}, asked once).
     *
     * @return its ways; empty for a device without a screen
     * @throws RuleViolation if the device is closed
     */
    public Set<GraphicsPlane.Way> ways() {
        device.lock().lock();
        try {
            device.checkOpen(Operation.QUERY_GFX_PLANE);
            if (ways == null) {
                Set<GraphicsPlane.Way> found = new HashSet<>();
                for (GraphicsPlane.Way way : GraphicsPlane.Way.values()) {
                    if (port.offers(way)) {
                        found.add(way);
                    }
                }
                ways = Set.copyOf(found);
            }
            return ways;
        } finally {
            device.lock().unlock();
        }
    }

    /**
     * Asks what the device shows now ({@code VFIO_DEVICE_QUERY_GFX_PLANE}).
     *
     * @param kind which picture
     * @param way how it is to be shown: one of {@link #ways}
     * @return the picture; empty while there is none, as before the virtual machine has set up its screen
     * @throws RuleViolation if the device has no screen, shows pictures otherwise, or is closed
     * @throws VfioException what the device's driver fails with, such as {@code ENOMEM}
     */
    public Optional<GraphicsPlane> plane(GraphicsPlane.Kind kind, GraphicsPlane.Way way) {
        Objects.requireNonNull(kind, "kind");
        Objects.requireNonNull(way, "way");
        Set<GraphicsPlane.Way> offered = ways();
        Rule.check(device.vfio().contract(), Operation.QUERY_GFX_PLANE, new Facts() {
            @Override
            public boolean screenPresent() {
                return !offered.isEmpty();
            }

            @Override
            public boolean planeWayOffered() {
                return offered.contains(way);
            }
        });
        return port.plane(kind, way);
    }

    /**
     * Returns the region that holds a picture ({@code VFIO_DEVICE_GET_REGION_INFO}, asked once): map it, or read it.
     *
     * @param storage of a picture of this device
     * @return the region; always the same object
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code EINVAL} if the device has no such region
     */
    public Region region(GraphicsPlane.InRegion storage) {
        Objects.requireNonNull(storage, "storage");
        return device.anyRegion(storage.index());
    }

    /**
     * Opens the dma-buf that holds a picture ({@code VFIO_DEVICE_GET_GFX_DMABUF}), once: a device shows the same dma-bufs
     * in turn, and the program keeps each as long as it may be shown again. It is closed with the device.
     *
     * @param storage of a picture of this device
     * @return the dma-buf
     * @throws RuleViolation if the device hands out no dma-bufs, this one was opened already, or the device is closed
     * @throws VfioException {@code ENOENT} if the device does not show it any more
     */
    public DmaBuf dmaBuf(GraphicsPlane.InDmaBuf storage) {
        Objects.requireNonNull(storage, "storage");
        device.lock().lock();
        try {
            device.checkOpen(Operation.GET_GFX_DMABUF);
            boolean offered = ways().contains(GraphicsPlane.Way.DMABUF);
            Rule.check(device.vfio().contract(), Operation.GET_GFX_DMABUF, new Facts() {
                @Override
                public boolean dmaBufsOffered() {
                    return offered;
                }

                @Override
                public boolean dmaBufTaken() {
                    return takenDmaBufs.contains(storage.id());
                }
            });
            DmaBuf opened = device.keep(new DmaBuf(device, port.dmaBuf(storage.id())));
            takenDmaBufs.add(storage.id());
            return opened;
        } finally {
            device.lock().unlock();
        }
    }

    /**
     * Finds the region by which the device takes the description of its monitor ({@code VFIO_REGION_TYPE_GFX},
     * {@code VFIO_REGION_SUBTYPE_GFX_EDID}).
     *
     * @return always the same object; empty for a device without such a region
     * @throws RuleViolation if the device is closed
     */
    public Optional<Edid> edid() {
        device.lock().lock();
        try {
            device.checkOpen(Operation.DEVICE_GET_REGION_INFO);
            for (int i = FIRST_OWN_REGION; edid == null && i < device.info().regions(); i++) {
                Region region = device.region(i);
                if (region.info().type().filter(EDID::equals).isPresent()) {
                    edid = new Edid(region);
                }
            }
            return Optional.ofNullable(edid);
        } finally {
            device.lock().unlock();
        }
    }
}
