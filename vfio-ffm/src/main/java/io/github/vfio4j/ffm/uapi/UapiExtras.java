package io.github.vfio4j.ffm.uapi;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_STATE_MASK;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_STATE_V1_RESUMING;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_STATE_V1_SAVING;

/**
 * What belongs to the kernel's user API and is not in the generated bindings: names that newer headers dropped while
 * older kernels still answer to them, and macros with a parameter, which jextract leaves out. The names are the
 * kernel's. The layout test compares all of it with a C compiler.
 */
public final class UapiExtras {

    /**
     * {@code VFIO_TYPE1_NESTING_IOMMU} for {@code VFIO_CHECK_EXTENSION} and {@code VFIO_SET_IOMMU}. Newer headers call
     * the number {@code __VFIO_RESERVED_TYPE1_NESTING_IOMMU}, because newer kernels answer 0 to it.
     */
    public static final int VFIO_TYPE1_NESTING_IOMMU = 6;

    private UapiExtras() {}

    /**
     * {@code VFIO_DEVICE_STATE_VALID}: whether a device state of the old (v1) migration region is one that a program
     * may ask for; resuming goes with nothing else.
     */
    public static boolean VFIO_DEVICE_STATE_VALID(int state) {
        return (state & VFIO_DEVICE_STATE_V1_RESUMING()) == 0
                || (state & VFIO_DEVICE_STATE_MASK()) == VFIO_DEVICE_STATE_V1_RESUMING();
    }

    /** {@code VFIO_DEVICE_STATE_IS_ERROR}: whether a v1 device state says that the device failed. */
    public static boolean VFIO_DEVICE_STATE_IS_ERROR(int state) {
        return (state & VFIO_DEVICE_STATE_MASK()) == (VFIO_DEVICE_STATE_V1_SAVING() | VFIO_DEVICE_STATE_V1_RESUMING());
    }

    /** {@code VFIO_DEVICE_STATE_SET_ERROR}: the v1 device state with its state bits replaced by the failed state. */
    public static int VFIO_DEVICE_STATE_SET_ERROR(int state) {
        return (state & ~VFIO_DEVICE_STATE_MASK()) | VFIO_DEVICE_STATE_V1_SAVING() | VFIO_DEVICE_STATE_V1_RESUMING();
    }
}
