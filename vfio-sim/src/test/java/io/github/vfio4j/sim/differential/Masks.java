package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.ffm.gen.vfio_irq_info;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** The bytes that may differ, because the simulated devices do not go so far. Everything else must be the same. */
final class Masks {
    private static final int REGION_SHIFT = 40;
    private static final long CONFIG = 7;

    private Masks() {}

    /** Hides how many INTx lines a function has: no simulated one has any. */
    static void hide(Step.IoctlStruct step, byte[] written) {
        if (written.length < vfio_irq_info.sizeof()) {
            return;
        }
        int index = MemorySegment.ofArray(written).get(ValueLayout.JAVA_INT_UNALIGNED, vfio_irq_info.index$offset());
        if (step.request() == VFIO_DEVICE_GET_IRQ_INFO() && index == VFIO_PCI_INTX_IRQ_INDEX()) {
            int count = (int) vfio_irq_info.count$offset();
            Arrays.fill(written, count, count + Integer.BYTES, (byte) 0);
        }
    }

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
