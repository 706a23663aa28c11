package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.GraphicsPlane;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_gfx_plane_info;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.stream.Stream;

/** VFIO_DEVICE_QUERY_GFX_PLANE and VFIO_DEVICE_GET_GFX_DMABUF of a device with a screen, or without. */
final class Screen {
    private static final long LEAST = vfio_device_gfx_plane_info.reserved$offset();
    private static final int NO_HOTSPOT = -1;

    private final SimMachine machine;
    private final Optional<ScreenModel> model;

    Screen(SimMachine machine, Optional<ScreenModel> model) {
        this.machine = machine;
        this.model = model;
    }

    /** The device's lock is held. */
    int query(UserMemory argument) {
        KernelError.check(machine.profile(), Operation.QUERY_GFX_PLANE, new Facts() {
            @Override
            public boolean screenPresent() {
                return model.isPresent();
            }
        });
        InfoStruct plane = new InfoStruct(argument, vfio_device_gfx_plane_info.layout(), LEAST);
        int flags = vfio_device_gfx_plane_info.flags(plane.fields);
        int way = flag(model.orElseThrow().way());
        boolean probe = (flags & VFIO_GFX_PLANE_TYPE_PROBE()) != 0;
        KernelError.check(machine.profile(), Operation.QUERY_GFX_PLANE, new Facts() {
            @Override
            public boolean planeWayOffered() {
                return (flags & ~VFIO_GFX_PLANE_TYPE_PROBE()) == way;
            }
        });
        if (!probe) {
            int number = vfio_device_gfx_plane_info.drm_plane_type(plane.fields);
            encode(plane.fields, Stream.of(GraphicsPlane.Kind.values())
                    .filter(kind -> kind.number() == number)
                    .findFirst()
                    .flatMap(model.orElseThrow()::plane));
        }
        plane.write();
        return 0;
    }

    private static int flag(GraphicsPlane.Way way) {
        return switch (way) {
            case REGION -> VFIO_GFX_PLANE_TYPE_REGION();
            case DMABUF -> VFIO_GFX_PLANE_TYPE_DMABUF();
        };
    }

    /** A picture that is not there has zeros. */
    private static void encode(MemorySegment struct, Optional<GraphicsPlane> shown) {
        struct.asSlice(vfio_device_gfx_plane_info.drm_format$offset()).fill((byte) 0);
        shown.ifPresent(plane -> {
            vfio_device_gfx_plane_info.drm_format(struct, plane.format());
            vfio_device_gfx_plane_info.drm_format_mod(struct, plane.modifier());
            vfio_device_gfx_plane_info.width(struct, plane.width());
            vfio_device_gfx_plane_info.height(struct, plane.height());
            vfio_device_gfx_plane_info.stride(struct, plane.stride());
            vfio_device_gfx_plane_info.size(struct, (int) plane.size());
            vfio_device_gfx_plane_info.x_pos(struct, plane.x());
            vfio_device_gfx_plane_info.y_pos(struct, plane.y());
            vfio_device_gfx_plane_info.x_hot(
                    struct, plane.hotspot().map(GraphicsPlane.Hotspot::x).orElse(NO_HOTSPOT));
            vfio_device_gfx_plane_info.y_hot(
                    struct, plane.hotspot().map(GraphicsPlane.Hotspot::y).orElse(NO_HOTSPOT));
            switch (plane.storage()) {
                case GraphicsPlane.InRegion in -> vfio_device_gfx_plane_info.region_index(struct, in.index());
                case GraphicsPlane.InDmaBuf in -> vfio_device_gfx_plane_info.dmabuf_id(struct, in.id());
            }
        });
    }

    /** Returns a descriptor. The device's lock is held. */
    int openDmaBuf(SimProcess caller, UserMemory argument, String device) {
        boolean offered = model.isPresent() && model.get().way() == GraphicsPlane.Way.DMABUF;
        KernelError.check(machine.profile(), Operation.GET_GFX_DMABUF, new Facts() {
            @Override
            public boolean dmaBufsOffered() {
                return offered;
            }

            @Override
            public boolean dmaBufKnown() {
                return model.orElseThrow().hasDmaBuf(argument.readInt(0));
            }
        });
        machine.kernel().lock();
        try {
            return caller.files().add(new DmaBufFile(device));
        } finally {
            machine.kernel().unlock();
        }
    }
}
