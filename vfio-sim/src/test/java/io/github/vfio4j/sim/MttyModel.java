package io.github.vfio4j.sim;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;

/**
 * Two serial ports that hear themselves, as the kernel's sample driver mtty has them (its type 2): registers and an
 * interrupt, no DMA, and a state that can be moved. Closing or resetting the device changes nothing in the ports.
 */
public final class MttyModel implements MediatedModel {
    private static final int CONFIG = 7;
    private static final int CONFIG_SIZE = 0xff;
    private static final int PORT_SIZE = 8;
    private static final int IDENTITY = 0x3253_4348; // of vendor and device
    private static final int CLASS = 0x0700_0210; // a serial controller like a 16550, and its revision
    private static final int INTERRUPT_PIN = 0x3d;

    private static final long MAGIC = 0x7e9d_0989_8c3e_2c4eL; // with which a state begins
    private static final int MAJOR_VERSION = 1;
    private static final int HEADER = 24;

    private final Port[] ports = {new Port(), new Port()};
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
        if (index != CONFIG) {
            return ports[index].read((int) offset);
        } else if (offset < Integer.BYTES) {
            return IDENTITY >>> offset * Byte.SIZE;
        }
        int ofClass = (int) offset - 8;
        return ofClass >= 0 && ofClass < Integer.BYTES ? CLASS >>> ofClass * Byte.SIZE : offset == INTERRUPT_PIN ? 1 : 0;
    }

    @Override
    public void write(int index, long offset, int width, long value) {
        if (index != CONFIG) {
            ports[index].write((int) offset, (int) value & 0xff);
        }
    }

    @Override
    public Optional<byte[]> save() {
        ByteBuffer state = ByteBuffer.allocate(HEADER + ports.length * Port.BYTES).put(header());
        for (Port port : ports) {
            state.put(port.all);
        }
        return Optional.of(state.array());
    }

    private byte[] header() {
        return ByteBuffer.allocate(HEADER)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(MAGIC)
                .putInt(MAJOR_VERSION)
                .putInt(0)
                .putInt(ports.length)
                .putInt(0)
                .array();
    }

    @Override
    public int earlyBytes() {
        return HEADER; // whose state it is
    }

    @Override
    public boolean accepts(byte[] early) {
        return Arrays.equals(early, header());
    }

    @Override
    public boolean load(byte[] state) {
        for (int i = 0; i < ports.length; i++) {
            System.arraycopy(state, HEADER + i * Port.BYTES, ports[i].all, 0, Port.BYTES);
        }
        return true;
    }

    /**
     * One port, in the bytes that the driver saves. What is sent waits to be received; the driver takes a full FIFO for an
     * empty one, and so does this.
     */
    private final class Port {
        static final int BYTES = 36;

        // Of a 16550A.
        private static final int DATA = 0;
        private static final int INTERRUPT_ENABLE = 1;
        private static final int FIFO_CONTROL = 2; // written
        private static final int INTERRUPT_IDENTITY = 2; // read
        private static final int LINE_CONTROL = 3;
        private static final int MODEM_CONTROL = 4;
        private static final int LINE_STATUS = 5;
        private static final int MODEM_STATUS = 6;
        private static final int SCRATCH = 7;

        // Behind the registers.
        private static final int FIFO = 8;
        private static final int FIFO_BYTES = 16;
        private static final int HEAD = FIFO + FIFO_BYTES;
        private static final int TAIL = HEAD + 1;
        private static final int COUNT = TAIL + 1;
        private static final int DIVISOR_SHOWN = 27;
        private static final int OVERRUN = 28;
        private static final int DIVISOR = 30; // two bytes
        private static final int FIFO_CONTROLLED = 32;
        private static final int MOST = 33; // bytes that the FIFO takes
        private static final int LEVEL = 34; // of the FIFO that raises the interrupt; none before the FIFO was set up

        private static final int WHEN_RECEIVED = 1;
        private static final int WHEN_EMPTY = 2;
        private static final int WHEN_OVERRUN = 4;
        private static final int WHEN_MODEM_CHANGES = 8;
        private static final int ENABLE_FIFO = 1;
        private static final int CLEAR_FIFO = 6;
        private static final int SHOW_DIVISOR = 0x80;
        private static final int READY = 3; // to send, and as a terminal
        private static final int OUT_2 = 8;
        private static final int FLOW_CONTROL = 0x20;

        private final byte[] all = new byte[BYTES];

        Port() {
            all[MOST] = FIFO_BYTES;
        }

        private int get(int at) {
            return Byte.toUnsignedInt(all[at]);
        }

        int read(int register) {
            return switch (register) {
                case DATA -> get(DIVISOR_SHOWN) == 0 ? receive() : get(DIVISOR);
                case INTERRUPT_ENABLE -> get(DIVISOR_SHOWN) == 0 ? get(INTERRUPT_ENABLE) & 0x0f : get(DIVISOR + 1);
                case INTERRUPT_IDENTITY -> 0xc0 | reasons();
                case LINE_STATUS -> (empty() ? 0x60 : 0x01) | (get(OVERRUN) == 0 ? 0 : 0x02);
                case MODEM_STATUS -> 0xa2 | (clearToSend() ? 0x11 : 0);
                case LINE_CONTROL, MODEM_CONTROL, SCRATCH -> get(register);
                default -> 0;
            };
        }

        private int receive() {
            int received = 0;
            if (!empty()) {
                received = get(FIFO + get(TAIL));
                all[TAIL] = next(TAIL);
                all[COUNT]--;
            }
            raiseIf(empty() && enabled(WHEN_EMPTY));
            return received;
        }

        /** What there is to interrupt for; 1 for nothing. */
        private int reasons() {
            int reasons = enabled(WHEN_OVERRUN) && get(OVERRUN) != 0 ? 6 : 0;
            reasons |= enabled(WHEN_RECEIVED) && get(COUNT) >= get(LEVEL) ? 4 : 0;
            reasons |= enabled(WHEN_EMPTY) && empty() ? 2 : 0; // a change of the modem is 0
            return reasons == 0 ? 1 : reasons;
        }

        private boolean clearToSend() {
            return (get(MODEM_CONTROL) & FLOW_CONTROL) == 0 || get(COUNT) < get(MOST);
        }

        void write(int register, int value) {
            boolean divisor = get(DIVISOR_SHOWN) != 0;
            switch (register) {
                case DATA -> {
                    if (divisor) {
                        all[DIVISOR] |= (byte) value;
                    } else {
                        send(value);
                    }
                }
                case INTERRUPT_ENABLE -> {
                    if (divisor) {
                        all[DIVISOR + 1] |= (byte) value;
                    } else {
                        all[INTERRUPT_ENABLE] = (byte) value;
                        raiseIf(empty() && enabled(WHEN_EMPTY));
                    }
                }
                case FIFO_CONTROL -> {
                    all[FIFO_CONTROLLED] = (byte) value;
                    all[LEVEL] = 1;
                    all[MOST] = (byte) ((value & ENABLE_FIFO) != 0 ? FIFO_BYTES : 1);
                    if ((value & CLEAR_FIFO) != 0) {
                        Arrays.fill(all, HEAD, COUNT + 1, (byte) 0);
                    }
                }
                case LINE_CONTROL -> {
                    all[LINE_CONTROL] = (byte) value;
                    all[DIVISOR_SHOWN] = (byte) ((value & SHOW_DIVISOR) == 0 ? 0 : 1);
                    if ((value & SHOW_DIVISOR) != 0) {
                        Arrays.fill(all, DIVISOR, DIVISOR + Short.BYTES, (byte) 0);
                    }
                }
                case MODEM_CONTROL -> {
                    all[MODEM_CONTROL] = (byte) value;
                    raiseIf(enabled(WHEN_MODEM_CHANGES) && (value & OUT_2) != 0);
                    raiseIf(enabled(WHEN_MODEM_CHANGES) && (value & READY) != 0);
                }
                case SCRATCH -> all[SCRATCH] = (byte) value;
                default -> {}
            }
        }

        private void send(int value) {
            boolean full = get(COUNT) >= get(MOST);
            all[OVERRUN] = (byte) (full ? 1 : 0);
            if (!full) {
                all[FIFO + get(HEAD)] = (byte) value;
                all[HEAD] = next(HEAD);
                all[COUNT]++;
            }
            raiseIf(full ? enabled(WHEN_OVERRUN) : enabled(WHEN_RECEIVED) && get(COUNT) == get(LEVEL));
        }

        private byte next(int pointer) {
            return (byte) ((get(pointer) + 1) % FIFO_BYTES);
        }

        private boolean enabled(int reason) {
            return (get(INTERRUPT_ENABLE) & reason) != 0;
        }

        private boolean empty() {
            return get(HEAD) == get(TAIL);
        }

        private void raiseIf(boolean now) {
            if (now) {
                bus.raise();
            }
        }
    }
}
