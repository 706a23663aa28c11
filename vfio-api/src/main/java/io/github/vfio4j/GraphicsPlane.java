package io.github.vfio4j;

import java.util.Objects;
import java.util.Optional;

/**
 * A picture that a mediated graphics device shows ({@code struct vfio_device_gfx_plane_info}); from {@link Graphics#plane}.
 * The device's driver changes pictures as it likes, so ask again for each frame.
 *
 * @param kind what the picture is for
 * @param format how pixels are stored, {@code DRM_FORMAT_...} of {@code drm/drm_fourcc.h}: {@link #formatName} is readable
 * @param modifier how they are arranged, {@code DRM_FORMAT_MOD_...}; 0 for line by line
 * @param width pixels
 * @param height pixels
 * @param stride bytes from one line to the next
 * @param size bytes of the memory that holds it
 * @param x where a cursor is, in pixels from the left
 * @param y where a cursor is, in pixels from the top
 * @param hotspot the point of a cursor that points, if the device tells
 * @param storage where the pixels are
 */
public record GraphicsPlane(
        Kind kind,
        int format,
        long modifier,
        int width,
        int height,
        int stride,
        long size,
        int x,
        int y,
        Optional<Hotspot> hotspot,
        Storage storage) {
    /** What a picture is for, {@code DRM_PLANE_TYPE_...}. */
    public enum Kind {
        /** The screen. */
        PRIMARY(1),
        /** The mouse cursor on it. */
        CURSOR(2);

        private final int number;

        Kind(int number) {
            this.number = number;
        }

        /**
         * Returns the number in {@code drm/drm_plane.h}.
         *
         * @return the number
         */
        public int number() {
            return number;
        }
    }

    /** How a device shows its pictures: each has one way. */
    public enum Way {
        /** In a region of the device ({@code VFIO_GFX_PLANE_TYPE_REGION}). */
        REGION,
        /** As dma-bufs, which other drivers can show without a copy ({@code VFIO_GFX_PLANE_TYPE_DMABUF}). */
        DMABUF
    }

    /**
     * The point of a cursor that points.
     *
     * @param x pixels from the cursor's left
     * @param y pixels from the cursor's top
     */
    public record Hotspot(int x, int y) {}

    /** Where the pixels are. */
    public sealed interface Storage {}

    /**
     * In a region: {@link Graphics#region} has it.
     *
     * @param index of the region, which may be beyond those that {@link DeviceInfo#regions} counts
     */
    public record InRegion(int index) implements Storage {
        /** No index is negative. */
        public InRegion {
            if (index < 0) {
                throw new IllegalArgumentException("a region's index is not negative: " + index);
            }
        }
    }

    /**
     * In a dma-buf: {@link Graphics#dmaBuf} opens it.
     *
     * @param id what the device's driver calls it, an unsigned number
     */
    public record InDmaBuf(int id) implements Storage {}

    /** Nothing is null. */
    public GraphicsPlane {
        Objects.requireNonNull(kind, "kind");
        Objects.requireNonNull(hotspot, "hotspot");
        Objects.requireNonNull(storage, "storage");
    }

    /**
     * Returns the four letters of the format.
     *
     * @return such as {@code XR24} for 32 bits with red, green and blue in the lower 24
     */
    public String formatName() {
        StringBuilder name = new StringBuilder();
        for (int i = 0; i < Integer.BYTES; i++) {
            name.append((char) (format >>> Byte.SIZE * i & 0x7f)); // the top bit says big-endian
        }
        return name.toString();
    }
}
