package io.github.vfio4j.sim.differential;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A state of the kernel's sample device mtty with two ports, whose FIFOs are empty.
 *
 * @param wrong what of its beginning is wrong: 0 nothing, 1 the driver, 2 the number of ports, 3 the flags, 4 the version
 * @param scratch what is in the scratch registers
 * @param enabled which events interrupt
 */
record MttyState(int wrong, int scratch, int enabled) implements Serializable {
    static final int HEADER = 24;
    static final int BYTES = 96;

    private static final long MAGIC = 0x7e9d_0989_8c3e_2c4eL;
    private static final int FIFO_BYTES = 16;

    byte[] bytes() {
        ByteBuffer state = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        state.putLong(wrong == 1 ? 0 : MAGIC);
        state.putInt(wrong == 4 ? 2 : 1);
        state.putInt(0);
        state.putInt(wrong == 2 ? 1 : 2);
        state.putInt(wrong == 3 ? 1 : 0);
        for (int port = HEADER; port < BYTES; port += 36) {
            state.put(port + 1, (byte) enabled);
            state.put(port + 7, (byte) scratch);
            state.put(port + 33, (byte) FIFO_BYTES);
            state.put(port + 34, (byte) 1); // the level that interrupts
        }
        return state.array();
    }

    @Override
    public String toString() {
        return "new MttyState(%d, 0x%x, 0x%x)".formatted(wrong, scratch, enabled);
    }
}
