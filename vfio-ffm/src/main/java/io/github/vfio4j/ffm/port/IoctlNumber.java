package io.github.vfio4j.ffm.port;

/**
 * The numbers of ioctls on this machine. The bindings have those of x86-64, which most machines share: the direction in two
 * bits from 30 on, the argument's size in the 14 below. PowerPC has three bits for the direction from 29 on, and a 1 there
 * for none ({@code arch/powerpc/include/uapi/asm/ioctl.h}), so {@code _IO(';', 100)} is 0x3b64 here and 0x20003b64 there.
 */
final class IoctlNumber {
    static final boolean POWER = System.getProperty("os.arch").startsWith("ppc");

    private static final int SIZE_SHIFT = 16;
    private static final int DIRECTION_SHIFT = 30;
    private static final int POWER_DIRECTION_SHIFT = 29;
    private static final int[] POWER_DIRECTIONS = {1, 4, 2, 6}; // of none, write, read, both

    private IoctlNumber() {}

    /** Returns the number that this machine's kernel has for a number of the bindings. */
    static int here(int request) {
        return POWER ? onPower(request) : request;
    }

    /** Returns the number that PowerPC has for a number of the bindings. */
    static int onPower(int request) {
        int without = request & (1 << DIRECTION_SHIFT) - 1;
        if (without >>> POWER_DIRECTION_SHIFT != 0) {
            throw new IllegalArgumentException("an argument of %d bytes has no number on PowerPC: 0x%x"
                    .formatted(without >>> SIZE_SHIFT, request));
        }
        return without | POWER_DIRECTIONS[request >>> DIRECTION_SHIFT] << POWER_DIRECTION_SHIFT;
    }
}
