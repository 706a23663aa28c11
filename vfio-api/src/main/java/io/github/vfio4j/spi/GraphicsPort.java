package io.github.vfio4j.spi;

import io.github.vfio4j.GraphicsPlane;
import java.util.Optional;

/** The screen of an open device file. */
public interface GraphicsPort {
    /**
     * {@code VFIO_DEVICE_QUERY_GFX_PLANE} with {@code VFIO_GFX_PLANE_TYPE_PROBE}.
     *
     * @param way how pictures would be shown
     * @return whether the device shows them so
     */
    boolean offers(GraphicsPlane.Way way);

    /**
     * {@code VFIO_DEVICE_QUERY_GFX_PLANE}.
     *
     * @param kind which picture
     * @param way how it is to be shown
     * @return the picture; empty if there is none now
     */
    Optional<GraphicsPlane> plane(GraphicsPlane.Kind kind, GraphicsPlane.Way way);

    /**
     * {@code VFIO_DEVICE_GET_GFX_DMABUF}.
     *
     * @param id what the device's driver calls it
     * @return the dma-buf
     */
    DmaBufPort dmaBuf(int id);
}
