package io.github.vfio4j.sim;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/** Two serial ports that hear themselves, as the kernel's sample driver mtty has them: registers alone, no DMA. */
public final class MttyModel implements MediatedModel {
    private static final int CONFIG = 7;
    private static final int CONFIG_SIZE = 0xff;
    private static final int PORT_SIZE = 8;
    private static final int IDENTITY = 0x3253_4348; // of vendor and device
    private static final int DATA = 0;
    private static final int SCRATCH = 7;

    private final int[] scratch = new int[2];
    private final Deque<Integer> heard = new ArrayDeque<>();

    public MttyModel() {}

    @Override
    public long size(int index) {
        return switch (index) {
            case 0, 1 -> PORT_SIZE;
            case CONFIG -> CONFIG_SIZE;
            default -> 0;
        };
    }

    @Override
    public void powerOn() {
        scratch[0] = 0;
        scratch[1] = 0;
        heard.clear();
    }

    @Override
    public void powerOff() {}

    @Override
    public long read(int index, long offset, int width) {
        if (index == CONFIG) {
            return offset < Integer.BYTES ? IDENTITY >>> offset * Byte.SIZE : 0;
        }
        if (offset == DATA) {
            return heard.isEmpty() ? 0 : heard.pop();
        }
        return offset == SCRATCH ? scratch[index] : 0;
    }

    @Override
    public void write(int index, long offset, int width, long value) {
        if (index != CONFIG && offset == DATA) {
            heard.add((int) value);
        } else if (index != CONFIG && offset == SCRATCH) {
            scratch[index] = (int) value;
        }
    }

    @Override
    public Optional<byte[]> save() {
        return Optional.of(new byte[] {'M', (byte) scratch[0], (byte) scratch[1]});
    }

    @Override
    public boolean load(byte[] state) {
        if (state.length != 3 || state[0] != 'M') {
            return false;
        }
        scratch[0] = Byte.toUnsignedInt(state[1]);
        scratch[1] = Byte.toUnsignedInt(state[2]);
        return true;
    }
}
