package io.github.vfio4j.sim.differential;

/** The bytes that may differ, because the simulated devices do not go so far. Everything else must be the same. */
final class Masks {
    private static final int REGION_SHIFT = 40;
    private static final long CONFIG = 7;

    private Masks() {}

    /** Hides what a read gave: of a BAR all, of configuration space what {@link #compared} leaves out. */
    static void hide(Step.Read step, byte[] read) {
        if (step.offset() < 0) {
            return; // an eventfd, or an error
        }
        long region = step.offset() >>> REGION_SHIFT;
        long at = step.offset() & (1L << REGION_SHIFT) - 1;
        for (int i = 0; i < read.length; i++) {
            read[i] &= region == CONFIG ? compared(at + i) : 0;
        }
    }

    /** The bits of configuration space that both kernels show alike. */
    private static byte compared(long at) {
        if (at < 4 || at >= 9 && at < 12) { // vendor, device, class
            return -1;
        }
        return (byte) (at == 4 ? 0x06 : 0); // the command's memory decode and bus mastering
    }
}
