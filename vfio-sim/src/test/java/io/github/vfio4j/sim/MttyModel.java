package io.github.vfio4j.sim;

import java.util.Optional;

/**
 * Two serial ports that hear themselves, as the kernel's sample driver mtty has them: registers and an interrupt, no DMA.
 * Of the registers of a 16550A those are here that move data and raise interrupts.
 */
public final class MttyModel implements MediatedModel {
    private static final int CONFIG = 7;
    private static final int CONFIG_SIZE = 0xff;
    private static final int PORT_SIZE = 8;
    private static final int IDENTITY = 0x3253_4348; // of vendor and device
    private static final int INTERRUPT_PIN = 0x3d;

    private final Port[] ports = {new Port(), new Port()}; // closing the device changes nothing there
    private MediatedBus bus;

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
    public void powerOn(MediatedBus itsBus) {
        bus = itsBus;
    }

    @Override
    public void powerOff() {}

    @Override
    public long read(int index, long offset, int width) {
        if (index == CONFIG) {
            return offset < Integer.BYTES ? IDENTITY >>> offset * Byte.SIZE : offset == INTERRUPT_PIN ? 1 : 0;
        }
        return ports[index].read((int) offset);
    }

    @Override
    public void write(int index, long offset, int width, long value) {
        if (index != CONFIG) {
            ports[index].write((int) offset, (int) value & 0xff);
        }
    }

    @Override
    public Optional<byte[]> save() {
        return Optional.of(new byte[] {'M', (byte) ports[0].scratch, (byte) ports[1].scratch});
    }

    @Override
    public int earlyBytes() {
        return 1; // whose state it is
    }

    @Override
    public boolean load(byte[] state) {
        if (state.length != 3 || state[0] != 'M') {
            return false;
        }
        ports[0].scratch = Byte.toUnsignedInt(state[1]);
        ports[1].scratch = Byte.toUnsignedInt(state[2]);
        return true;
    }

    /** One port. What is sent waits to be received; the driver takes a full FIFO for an empty one, and so does this. */
    private final class Port {
        private static final int DATA = 0;
        private static final int INTERRUPT_ENABLE = 1;
        private static final int FIFO_CONTROL = 2;
        private static final int MODEM_CONTROL = 4;
        private static final int SCRATCH = 7;
        private static final int WHEN_RECEIVED = 1;
        private static final int WHEN_EMPTY = 2;
        private static final int WHEN_OVERRUN = 4;
        private static final int WHEN_MODEM_CHANGES = 8;
        private static final int ENABLE_FIFO = 1;
        private static final int CLEAR_FIFO = 6;
        private static final int OUT_2 = 8;
        private static final int READY = 3; // to send, and as a terminal
        private static final int FIFO_BYTES = 16;

        private final int[] fifo = new int[FIFO_BYTES];
        private int head;
        private int tail;
        private int count;
        private int most = FIFO_BYTES;
        private int level; // of the fifo that raises the interrupt; none before the fifo was set up
        private int enabled;
        private int scratch;

        int read(int register) {
            switch (register) {
                case DATA -> {
                    int received = 0;
                    if (!empty()) {
                        received = fifo[tail];
                        tail = (tail + 1) % FIFO_BYTES;
                        count--;
                    }
                    raiseIf(empty() && (enabled & WHEN_EMPTY) != 0);
                    return received;
                }
                case INTERRUPT_ENABLE -> {
                    return enabled & 0x0f;
                }
                case SCRATCH -> {
                    return scratch;
                }
                default -> {
                    return 0;
                }
            }
        }

        void write(int register, int value) {
            switch (register) {
                case DATA -> {
                    boolean full = count >= most;
                    if (!full) {
                        fifo[head] = value;
                        head = (head + 1) % FIFO_BYTES;
                        count++;
                    }
                    raiseIf(full ? (enabled & WHEN_OVERRUN) != 0 : (enabled & WHEN_RECEIVED) != 0 && count == level);
                }
                case INTERRUPT_ENABLE -> {
                    enabled = value;
                    raiseIf(empty() && (enabled & WHEN_EMPTY) != 0);
                }
                case FIFO_CONTROL -> {
                    level = 1;
                    most = (value & ENABLE_FIFO) != 0 ? FIFO_BYTES : 1;
                    if ((value & CLEAR_FIFO) != 0) {
                        count = 0;
                        head = 0;
                        tail = 0;
                    }
                }
                case MODEM_CONTROL -> {
                    boolean listening = (enabled & WHEN_MODEM_CHANGES) != 0;
                    raiseIf(listening && (value & OUT_2) != 0);
                    raiseIf(listening && (value & READY) != 0);
                }
                case SCRATCH -> scratch = value;
                default -> {}
            }
        }

        private boolean empty() {
            return head == tail;
        }

        private void raiseIf(boolean now) {
            if (now) {
                bus.raise();
            }
        }
    }
}
