package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_GET_GFX_DMABUF;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_QUERY_GFX_PLANE;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GFX_PLANE_TYPE_DMABUF;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GFX_PLANE_TYPE_PROBE;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GFX_PLANE_TYPE_REGION;

import io.github.vfio4j.Errno;
import io.github.vfio4j.GraphicsPlane;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_gfx_plane_info;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.DmaBufPort;
import io.github.vfio4j.spi.GraphicsPort;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/** {@code VFIO_DEVICE_QUERY_GFX_PLANE} and {@code VFIO_DEVICE_GET_GFX_DMABUF}. */
final class FfmGraphics implements GraphicsPort {
    private static final int NO_HOTSPOT = -1;

    private final Fd fd;

    FfmGraphics(Fd fd) {
        this.fd = fd;
    }

    @Override
    public boolean offers(GraphicsPlane.Way way) {
        Frame frame = fd.begin(Operation.QUERY_GFX_PLANE);
        try {
            int flags = VFIO_GFX_PLANE_TYPE_PROBE() | flag(way);
            int result = query(frame, flags, GraphicsPlane.Kind.PRIMARY);
            if (result == -Errno.ENOTTY.number() || result == -Errno.EINVAL.number()) {
                return false;
            }
            fd.check(Operation.QUERY_GFX_PLANE, result);
            return true;
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public Optional<GraphicsPlane> plane(GraphicsPlane.Kind kind, GraphicsPlane.Way way) {
        Frame frame = fd.begin(Operation.QUERY_GFX_PLANE);
        try {
            fd.check(Operation.QUERY_GFX_PLANE, query(frame, flag(way), kind));
            return decode(frame.arg, kind, way);
        } finally {
            fd.end(frame);
        }
    }

    private int query(Frame frame, int flags, GraphicsPlane.Kind kind) {
        MemorySegment plane = frame.arg.asSlice(0, vfio_device_gfx_plane_info.sizeof());
        plane.fill((byte) 0);
        vfio_device_gfx_plane_info.argsz(plane, (int) vfio_device_gfx_plane_info.sizeof());
        vfio_device_gfx_plane_info.flags(plane, flags);
        vfio_device_gfx_plane_info.drm_plane_type(plane, kind.number());
        return fd.syscalls.ioctl(frame, fd.number, VFIO_DEVICE_QUERY_GFX_PLANE(), plane);
    }

    private static int flag(GraphicsPlane.Way way) {
        return switch (way) {
            case REGION -> VFIO_GFX_PLANE_TYPE_REGION();
            case DMABUF -> VFIO_GFX_PLANE_TYPE_DMABUF();
        };
    }

    /** A plane that is turned off has no format and no size. */
    static Optional<GraphicsPlane> decode(MemorySegment plane, GraphicsPlane.Kind kind, GraphicsPlane.Way way) {
        int format = vfio_device_gfx_plane_info.drm_format(plane);
        int width = vfio_device_gfx_plane_info.width(plane);
        int height = vfio_device_gfx_plane_info.height(plane);
        int size = vfio_device_gfx_plane_info.size(plane);
        if ((format | width | height | size) == 0) {
            return Optional.empty();
        }
        int hotX = vfio_device_gfx_plane_info.x_hot(plane);
        int hotY = vfio_device_gfx_plane_info.y_hot(plane);
        boolean told = hotX != NO_HOTSPOT && hotY != NO_HOTSPOT;
        return Optional.of(new GraphicsPlane(
                kind,
                format,
                vfio_device_gfx_plane_info.drm_format_mod(plane),
                width,
                height,
                vfio_device_gfx_plane_info.stride(plane),
                Integer.toUnsignedLong(size),
                vfio_device_gfx_plane_info.x_pos(plane),
                vfio_device_gfx_plane_info.y_pos(plane),
                told ? Optional.of(new GraphicsPlane.Hotspot(hotX, hotY)) : Optional.empty(),
                storage(plane, way)));
    }

    private static GraphicsPlane.Storage storage(MemorySegment plane, GraphicsPlane.Way way) {
        if (way == GraphicsPlane.Way.DMABUF) {
            return new GraphicsPlane.InDmaBuf(vfio_device_gfx_plane_info.dmabuf_id(plane));
        }
        int index = vfio_device_gfx_plane_info.region_index(plane);
        if (index < 0) {
            throw Info.broken(Operation.QUERY_GFX_PLANE, "region " + Integer.toUnsignedString(index) + " cannot be");
        }
        return new GraphicsPlane.InRegion(index);
    }

    @Override
    public DmaBufPort dmaBuf(int id) {
        Frame frame = fd.begin(Operation.GET_GFX_DMABUF);
        try {
            frame.arg.set(ValueLayout.JAVA_INT, 0, id);
            int opened = fd.ioctl(Operation.GET_GFX_DMABUF, frame, VFIO_DEVICE_GET_GFX_DMABUF());
            Fd file = new Fd(fd.syscalls, opened, "dma-buf of " + fd.subject());
            return file::close;
        } finally {
            fd.end(frame);
        }
    }
}
