package io.github.vfio4j.sim;

import io.github.vfio4j.GraphicsPlane;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.ffm.gen.vfio_h;
import io.github.vfio4j.ffm.gen.vfio_region_gfx_edid;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A graphics card with 4 MiB of memory that shows pictures as dma-bufs and takes the description of a monitor, as the
 * kernel's sample driver mbochs has it. Of its registers those are here that set the screen up.
 */
public final class MbochsModel implements MediatedModel {
    private static final int MEMORY = 0;
    private static final int REGISTERS = 2;
    private static final int CONFIG = 7;
    private static final int EDID = 9;
    private static final long PAGE = 4096;
    private static final long MEMORY_SIZE = 4 << 20;
    private static final int CONFIG_SIZE = 0xff;
    private static final int IDENTITY = 0x1111_1234; // of vendor and device
    private static final int COMMAND = 4;
    private static final int DECODES = 3;

    // Of the registers: what the virtual machine reads of the monitor, and 16-bit ones of the screen.
    private static final int SCREEN = 0x500;
    private static final int ID = 0;
    private static final int XRES = 1;
    private static final int YRES = 2;
    private static final int BITS_PER_PIXEL = 3;
    private static final int ENABLE = 4;
    private static final int VIRTUAL_WIDTH = 6;
    private static final int MEMORY_IN_64_KIB = 10;
    private static final int SCREEN_REGISTERS = 11;
    private static final int VERSION = 0xb0c5;
    private static final int SMALLEST = 64;

    private static final int DESCRIPTION = 2048; // in the region of the monitor
    private static final int MOST_BYTES = 0x400;
    private static final int XRGB8888 = 'X' | 'R' << 8 | '2' << 16 | '4' << 24;

    private record Mode(int width, int height, int stride) {}

    private final int[] screen = new int[SCREEN_REGISTERS];
    private final byte[] description = new byte[MOST_BYTES];
    private final Map<Mode, Integer> shown = new HashMap<>(); // and the numbers of the dma-bufs
    private int lastNumber; // is not given again
    private int descriptionSize;
    private int link;

    public MbochsModel() {
        reset();
    }

    @Override
    public void reset() { // of the screen, not of the monitor
        Arrays.fill(screen, 0);
        screen[ID] = VERSION;
        screen[MEMORY_IN_64_KIB] = (int) (MEMORY_SIZE >> 16);
    }

    @Override
    public int regions() {
        return EDID + 1;
    }

    @Override
    public long size(int index) {
        return switch (index) {
            case MEMORY -> MEMORY_SIZE;
            case REGISTERS, EDID -> PAGE;
            case CONFIG -> CONFIG_SIZE;
            default -> 0;
        };
    }

    @Override
    public long offset(int index) {
        return switch (index) {
            case REGISTERS -> PAGE;
            case EDID -> 2 * PAGE;
            case MEMORY -> 3 * PAGE;
            default -> 0;
        };
    }

    @Override
    public int regionAt(long offset) {
        return offset >= 3 * PAGE ? MEMORY : offset >= 2 * PAGE ? EDID : offset >= PAGE ? REGISTERS : CONFIG;
    }

    @Override
    public boolean mappable(int index) {
        return index == MEMORY;
    }

    @Override
    public Optional<RegionInfo.Type> type(int index) {
        return index == EDID
                ? Optional.of(new RegionInfo.Type(vfio_h.VFIO_REGION_TYPE_GFX(), vfio_h.VFIO_REGION_SUBTYPE_GFX_EDID()))
                : Optional.empty();
    }

    @Override
    public boolean interrupts() {
        return false;
    }

    @Override
    public void powerOn(MediatedBus bus) {}

    @Override
    public void powerOff() {
        shown.clear();
    }

    @Override
    public long read(int index, long offset, int width) {
        int at = (int) offset;
        return switch (index) {
            case REGISTERS -> register(at, width);
            case EDID -> at < DESCRIPTION ? monitor(at, width) : bytes(at - DESCRIPTION, width);
            default -> at < Integer.BYTES ? IDENTITY >>> at * Byte.SIZE : at == COMMAND ? DECODES : 0;
        };
    }

    private long register(int offset, int width) {
        if (offset < MOST_BYTES) {
            boolean on = link == vfio_h.VFIO_DEVICE_GFX_LINK_STATE_UP() && offset < descriptionSize;
            return on ? bytes(offset, width) : 0;
        }
        int number = (offset - SCREEN) / Short.BYTES;
        return width == Short.BYTES && number >= 0 && number < screen.length ? screen[number] : 0;
    }

    private long bytes(int offset, int width) {
        long value = 0;
        for (int i = width - 1; i >= 0; i--) {
            value = value << Byte.SIZE | (offset + i < MOST_BYTES ? description[offset + i] & 0xff : 0);
        }
        return value;
    }

    private long monitor(int offset, int width) {
        if (width != Integer.BYTES) {
            return 0;
        } else if (offset == vfio_region_gfx_edid.edid_offset$offset()) {
            return DESCRIPTION;
        } else if (offset == vfio_region_gfx_edid.edid_max_size$offset()) {
            return MOST_BYTES;
        } else if (offset == vfio_region_gfx_edid.edid_size$offset()) {
            return descriptionSize;
        } else if (offset == vfio_region_gfx_edid.max_xres$offset()) {
            return 800;
        } else if (offset == vfio_region_gfx_edid.max_yres$offset()) {
            return 600;
        }
        return offset == vfio_region_gfx_edid.link_state$offset() ? link : 0;
    }

    @Override
    public void write(int index, long offset, int width, long value) {
        int at = (int) offset;
        if (index == REGISTERS) {
            int number = (at - SCREEN) / Short.BYTES;
            if (width == Short.BYTES && at >= SCREEN && number < screen.length) {
                screen[number] = (int) value & 0xffff;
            }
        } else if (index == EDID && at >= DESCRIPTION) {
            for (int i = 0; i < width && at - DESCRIPTION + i < MOST_BYTES; i++) {
                description[at - DESCRIPTION + i] = (byte) (value >>> Byte.SIZE * i);
            }
        } else if (index == EDID && width == Integer.BYTES) {
            if (at == vfio_region_gfx_edid.edid_size$offset()) {
                descriptionSize = (int) value;
            } else if (at == vfio_region_gfx_edid.link_state$offset()) {
                link = (int) value;
            }
        }
    }

    @Override
    public Optional<ScreenModel> screen() {
        return Optional.of(new Pictures());
    }

    private final class Pictures implements ScreenModel {
        @Override
        public GraphicsPlane.Way way() {
            return GraphicsPlane.Way.DMABUF;
        }

        @Override
        public Optional<GraphicsPlane> plane(GraphicsPlane.Kind kind) {
            int stride = Math.max(screen[XRES], screen[VIRTUAL_WIDTH]) * Integer.BYTES;
            Mode mode = new Mode(screen[XRES], screen[YRES], stride);
            boolean fits = mode.width() >= SMALLEST
                    && mode.height() >= SMALLEST
                    && (long) stride * mode.height() <= MEMORY_SIZE;
            boolean on = (screen[ENABLE] & 1) != 0 && screen[BITS_PER_PIXEL] == 32;
            if (kind != GraphicsPlane.Kind.PRIMARY || !on || !fits) {
                return Optional.empty();
            }
            return Optional.of(new GraphicsPlane(
                    kind,
                    XRGB8888,
                    0,
                    mode.width(),
                    mode.height(),
                    stride,
                    (long) stride * mode.height(),
                    0,
                    0,
                    Optional.of(new GraphicsPlane.Hotspot(0, 0)),
                    new GraphicsPlane.InDmaBuf(shown.computeIfAbsent(mode, _ -> ++lastNumber))));
        }

        @Override
        public boolean hasDmaBuf(int id) {
            return shown.containsValue(id);
        }
    }
}
