package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.ffm.gen.vfio_device_feature;

/**
 * The argument of VFIO_DEVICE_FEATURE, as every driver gets it.
 *
 * @param caller the process
 * @param argument the header, and the feature's struct behind it
 * @param flags the number and the ways
 * @param room bytes behind the header
 */
record FeatureCall(SimProcess caller, UserMemory argument, int flags, long room) {
    /** Where the feature's struct is. */
    static final long DATA = vfio_device_feature.data$offset();

    /** Checks what all features have in common (vfio_ioctl_device_feature). */
    static FeatureCall of(SimProcess caller, UserMemory argument) {
        InfoStruct feature = new InfoStruct(argument, vfio_device_feature.layout(), DATA);
        int flags = vfio_device_feature.flags(feature.fields);
        int ways = VFIO_DEVICE_FEATURE_GET() | VFIO_DEVICE_FEATURE_SET();
        int known = VFIO_DEVICE_FEATURE_MASK() | ways | VFIO_DEVICE_FEATURE_PROBE();
        boolean bothWays = (flags & ways) == ways && (flags & VFIO_DEVICE_FEATURE_PROBE()) == 0;
        if ((flags & ~known) != 0 || bothWays) {
            throw new KernelError(Errno.EINVAL);
        }
        return new FeatureCall(caller, argument, flags, feature.argsz() - DATA);
    }

    int number() {
        return flags & VFIO_DEVICE_FEATURE_MASK();
    }

    boolean get() {
        return (flags & VFIO_DEVICE_FEATURE_GET()) != 0;
    }

    /** Checks the way and the size (vfio_check_feature). Returns whether there is more to do than to agree. */
    boolean checked(int possible, long size) {
        int ways = flags & (VFIO_DEVICE_FEATURE_GET() | VFIO_DEVICE_FEATURE_SET());
        if ((ways & ~possible) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        if ((flags & VFIO_DEVICE_FEATURE_PROBE()) != 0) {
            return false;
        }
        if (ways == 0 || room < size) {
            throw new KernelError(Errno.EINVAL);
        }
        return true;
    }
}
