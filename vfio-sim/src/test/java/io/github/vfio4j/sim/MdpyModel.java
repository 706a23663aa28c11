package io.github.vfio4j.sim;

import io.github.vfio4j.GraphicsPlane;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * A display of 640 by 480 pixels whose memory is shown as a region, as the kernel's sample driver mdpy has it: the regions
 * lie one behind the other in the device file, and the one of the picture is not among those that the device counts.
 */
public final class MdpyModel implements MediatedModel {
    private static final int MEMORY = 0;
    private static final int CONFIG = 7;
    private static final int DISPLAY = 16; // the same memory
    private static final int CONFIG_SIZE = 0xff;
    private static final long MEMORY_OFFSET = 0x1000;
    private static final long MEMORY_SIZE = 2 << 20;
    private static final int IDENTITY = 0x000f_1b36; // of vendor and device
    private static final int COMMAND = 4;
    private static final int DECODES = 3;
    private static final int XRGB8888 = 'X' | 'R' << 8 | '2' << 16 | '4' << 24;
    private static final int WIDTH = 640;
    private static final int HEIGHT = 480;
    private static final int STRIDE = WIDTH * Integer.BYTES;

    private MemorySegment memory; // while open

    public MdpyModel() {}

    @Override
    public boolean hasRegion(int index) {
        return MediatedModel.super.hasRegion(index) || index == DISPLAY;
    }

    @Override
    public long size(int index) {
        return switch (index) {
            case MEMORY, DISPLAY -> MEMORY_SIZE;
            case CONFIG -> CONFIG_SIZE;
            default -> 0;
        };
    }

    @Override
    public long offset(int index) {
        return mappable(index) ? MEMORY_OFFSET : 0;
    }

    @Override
    public int regionAt(long offset) {
        return offset >= MEMORY_OFFSET ? MEMORY : CONFIG;
    }

    @Override
    public boolean mappable(int index) {
        return index == MEMORY || index == DISPLAY;
    }

    @Override
    public void powerOn(MediatedBus bus) {
        memory = bus.memory(MEMORY);
        reset();
    }

    @Override
    public void reset() {
        for (int line = 0; line < HEIGHT; line++) { // from black to white
            memory.asSlice((long) line * STRIDE, STRIDE).fill((byte) (line * 255 / HEIGHT));
        }
    }

    @Override
    public boolean interrupts() {
        return false;
    }

    @Override
    public void powerOff() {}

    @Override
    public long read(int index, long offset, int width) {
        if (offset < Integer.BYTES) {
            return IDENTITY >>> offset * Byte.SIZE;
        }
        return offset == COMMAND ? DECODES : 0;
    }

    @Override
    public void write(int index, long offset, int width, long value) {}

    @Override
    public Optional<ScreenModel> screen() {
        return Optional.of(new ScreenModel() {
            @Override
            public GraphicsPlane.Way way() {
                return GraphicsPlane.Way.REGION;
            }

            @Override
            public Optional<GraphicsPlane> plane(GraphicsPlane.Kind kind) { // whichever it is
                return Optional.of(new GraphicsPlane(
                        kind,
                        XRGB8888,
                        0,
                        WIDTH,
                        HEIGHT,
                        STRIDE,
                        MEMORY_SIZE,
                        0,
                        0,
                        Optional.of(new GraphicsPlane.Hotspot(0, 0)),
                        new GraphicsPlane.InRegion(DISPLAY)));
            }
        });
    }
}
