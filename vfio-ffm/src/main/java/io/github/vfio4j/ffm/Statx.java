package io.github.vfio4j.ffm;

import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.ValueLayout;

/**
 * What {@code statx} tells of a file.
 *
 * @param errno 0, or why there is nothing to tell
 * @param mode the kind of file and its permissions
 * @param deviceNumber major in the upper and minor in the lower 32 bits
 * @param size bytes
 * @param blockSize bytes; of memory, the size of its pages
 */
record Statx(int errno, int mode, long deviceNumber, long size, int blockSize) {
    private static final long BLKSIZE = 4;
    private static final long MODE = 28; // the offsets are the same on every architecture
    private static final long SIZE = 40;
    private static final long RDEV_MAJOR = 128;
    private static final long RDEV_MINOR = 132;

    static Statx of(Syscalls syscalls, int fd, String path, int flags) {
        Frame frame = new Frame();
        int result = syscalls.statx(frame, fd, path, flags);
        if (result < 0) {
            return new Statx(-result, 0, 0, 0, 0);
        }
        long major = Integer.toUnsignedLong(frame.arg.get(ValueLayout.JAVA_INT, RDEV_MAJOR));
        long minor = Integer.toUnsignedLong(frame.arg.get(ValueLayout.JAVA_INT, RDEV_MINOR));
        return new Statx(
                0,
                Short.toUnsignedInt(frame.arg.get(ValueLayout.JAVA_SHORT, MODE)),
                major << 32 | minor,
                frame.arg.get(ValueLayout.JAVA_LONG, SIZE),
                frame.arg.get(ValueLayout.JAVA_INT, BLKSIZE));
    }
}
