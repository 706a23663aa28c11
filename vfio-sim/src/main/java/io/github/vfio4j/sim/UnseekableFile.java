package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.lang.foreign.MemorySegment;

/** A file without positions, such as a pipe or a counter. */
abstract class UnseekableFile extends SimFile {
    @Override
    final long pread(MemorySegment target, long offset) {
        throw new KernelError(Errno.ESPIPE);
    }

    @Override
    final long pwrite(MemorySegment source, long offset) {
        throw new KernelError(Errno.ESPIPE);
    }
}
