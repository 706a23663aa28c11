package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.GraphicsPlane;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The bytes of VFIO_DEVICE_QUERY_GFX_PLANE and VFIO_DEVICE_GET_GFX_DMABUF. */
class GraphicsTest {
    private static final int QUERY = 0x3b72;
    private static final int GET_DMABUF = 0x3b73;
    private static final int PROBE = 1;
    private static final int DMABUF = 2;
    private static final int REGION = 4;

    private int closed = -1;

    private final AnsweredIoctls calls = new AnsweredIoctls() {
        @Override
        public int close(Frame frame, int fd) {
            closed = fd;
            return 0;
        }
    };
    private final FfmGraphics graphics = new FfmGraphics(new Fd(calls, 3, "device"));

    private static void header(MemorySegment plane, int flags, int kind) {
        assertThat(plane.get(JAVA_INT, 0)).as("argsz").isEqualTo(64);
        assertThat(plane.get(JAVA_INT, 4)).as("flags").isEqualTo(flags);
        assertThat(plane.get(JAVA_INT, 8)).as("drm_plane_type").isEqualTo(kind);
        assertThat(plane.asSlice(12, 52).toArray(JAVA_INT)).containsOnly(0);
    }

    @Test
    void aProbeNamesTheWay() {
        calls.kernel = plane -> {
            header(plane, PROBE | REGION, 1);
            return 0;
        };
        assertThat(graphics.offers(GraphicsPlane.Way.REGION)).isTrue();
        assertThat(calls.request).isEqualTo(QUERY);
        calls.kernel = plane -> {
            header(plane, PROBE | DMABUF, 1);
            return -Errno.EINVAL.number();
        };
        assertThat(graphics.offers(GraphicsPlane.Way.DMABUF)).isFalse();
        calls.kernel = _ -> -Errno.ENOTTY.number();
        assertThat(graphics.offers(GraphicsPlane.Way.DMABUF)).isFalse();
        calls.kernel = _ -> -Errno.EIO.number();
        VfioException e =
                catchThrowableOfType(VfioException.class, () -> graphics.offers(GraphicsPlane.Way.DMABUF));
        assertThat(e.errno()).isEqualTo(Errno.EIO);
    }

    private static void answer(MemorySegment plane, int last) {
        plane.set(JAVA_INT, 12, 0x34325258);
        plane.set(JAVA_LONG, 16, 0x0100_0000_0000_0001L);
        for (int i = 0; i < 8; i++) {
            plane.set(JAVA_INT, 24 + 4 * i, 101 + i);
        }
        plane.set(JAVA_INT, 56, last);
    }

    @Test
    void aPictureHasItsFieldsWhereTheHeaderSaysSo() {
        calls.kernel = plane -> {
            header(plane, DMABUF, 2);
            answer(plane, -7);
            return 0;
        };
        assertThat(graphics.plane(GraphicsPlane.Kind.CURSOR, GraphicsPlane.Way.DMABUF))
                .contains(new GraphicsPlane(
                        GraphicsPlane.Kind.CURSOR,
                        0x34325258,
                        0x0100_0000_0000_0001L,
                        101,
                        102,
                        103,
                        104,
                        105,
                        106,
                        Optional.of(new GraphicsPlane.Hotspot(107, 108)),
                        new GraphicsPlane.InDmaBuf(-7)));
        calls.kernel = plane -> {
            header(plane, REGION, 1);
            answer(plane, 16);
            plane.set(JAVA_INT, 36, -4096); // unsigned
            plane.set(JAVA_INT, 48, -1);
            plane.set(JAVA_INT, 52, -1);
            return 0;
        };
        GraphicsPlane plane = graphics.plane(GraphicsPlane.Kind.PRIMARY, GraphicsPlane.Way.REGION)
                .orElseThrow();
        assertThat(plane.storage()).isEqualTo(new GraphicsPlane.InRegion(16));
        assertThat(plane.hotspot()).isEmpty();
        assertThat(plane.size()).isEqualTo(0xffff_f000L);
        assertThat(plane.formatName()).isEqualTo("XR24");
    }

    @Test
    void aPictureOfZerosIsNone() {
        calls.kernel = plane -> {
            plane.set(JAVA_INT, 48, -1);
            plane.set(JAVA_INT, 52, -1);
            return 0;
        };
        assertThat(graphics.plane(GraphicsPlane.Kind.CURSOR, GraphicsPlane.Way.REGION)).isEmpty();
    }

    @Test
    void aRegionThatCannotBeIsABrokenAnswer() {
        calls.kernel = plane -> {
            answer(plane, -1);
            return 0;
        };
        VfioException e = catchThrowableOfType(
                VfioException.class,
                () -> graphics.plane(GraphicsPlane.Kind.PRIMARY, GraphicsPlane.Way.REGION));
        assertThat(e.errno()).isEqualTo(Errno.EPROTO);
    }

    @Test
    void aDmaBufIsOpenedByItsNumberAndClosed() {
        calls.kernel = argument -> {
            assertThat(argument.get(JAVA_INT, 0)).isEqualTo(12);
            return 9;
        };
        graphics.dmaBuf(12).close();
        assertThat(calls.request).isEqualTo(GET_DMABUF);
        assertThat(closed).isEqualTo(9);
        calls.kernel = _ -> -Errno.ENOENT.number();
        VfioException e = catchThrowableOfType(VfioException.class, () -> graphics.dmaBuf(13));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
    }
}
