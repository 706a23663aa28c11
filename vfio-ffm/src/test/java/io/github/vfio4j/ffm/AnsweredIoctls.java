package io.github.vfio4j.ffm;

import io.github.vfio4j.ffm.port.Frame;
import java.lang.foreign.MemorySegment;
import java.util.function.ToIntFunction;

/** System calls of which a test answers the ioctls. */
class AnsweredIoctls extends NoSyscalls {
    /** Gets the argument, and gives the result. */
    ToIntFunction<MemorySegment> kernel = _ -> 0;

    /** The last ioctl. */
    int request;

    @Override
    public int ioctl(Frame frame, int fd, int asked, MemorySegment argument) {
        request = asked;
        return kernel.applyAsInt(argument);
    }
}
