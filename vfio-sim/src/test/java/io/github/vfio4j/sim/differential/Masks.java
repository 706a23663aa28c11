package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.ffm.gen.iommu_hw_info;
import io.github.vfio4j.ffm.gen.vfio_pci_dependent_device;
import io.github.vfio4j.ffm.gen.vfio_pci_hot_reset_info;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** The bytes that may differ, because the simulated devices do not go so far. Everything else must be the same. */
final class Masks {
    private static final int REGION_SHIFT = 40;
    private static final long CONFIG = 7;
    private static final int UNSAFE_BUS = 0x41; // of vm/machine.sh

    private Masks() {}

    /** Hides of an ioctl's struct what the kernels cannot have alike. */
    static void hide(Step.IoctlStruct step, byte[] written) {
        if (step.request() == IOMMU_GET_HW_INFO()) {
            hideKind(written);
        } else {
            hideGroup(step, written);
        }
    }

    /** Hides which IOMMU it is, and how much it tells: the simulated one is of no kind. */
    private static void hideKind(byte[] written) {
        for (long field : new long[] {iommu_hw_info.data_len$offset(), iommu_hw_info.out_data_type$offset()}) {
            int at = (int) field;
            if (at < written.length) {
                Arrays.fill(written, at, Math.min(at + Integer.BYTES, written.length), (byte) 0);
            }
        }
    }

    /** Hides the group of the device without an IOMMU in what a hot reset affects: it has another one each time that it is bound. */
    private static void hideGroup(Step.IoctlStruct step, byte[] written) {
        long head = vfio_pci_hot_reset_info.devices$offset();
        if (step.request() != VFIO_DEVICE_GET_PCI_HOT_RESET_INFO() || written.length < head) {
            return;
        }
        int count = MemorySegment.ofArray(written)
                .get(ValueLayout.JAVA_INT_UNALIGNED, vfio_pci_hot_reset_info.count$offset());
        int each = (int) vfio_pci_dependent_device.sizeof();
        int at = (int) head;
        for (int i = 0; i < count && at + each <= written.length; i++, at += each) {
            if (written[at + (int) vfio_pci_dependent_device.bus$offset()] == UNSAFE_BUS) {
                Arrays.fill(written, at, at + Integer.BYTES, (byte) 0);
            }
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
