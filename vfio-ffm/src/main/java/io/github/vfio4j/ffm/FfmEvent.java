package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.EventPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** An eventfd. */
final class FfmEvent implements EventPort, Readable {
    /** The counter is 8 bytes; the kernel takes no more and no less in a write. */
    private static final MemorySegment ONE = Arena.global().allocateFrom(ValueLayout.JAVA_LONG, 1);

    final Fd fd;

    private FfmEvent(Fd fd) {
        this.fd = fd;
    }

    static FfmEvent open(Syscalls syscalls) {
        Frame frame = new Frame();
        int number = syscalls.eventfd(frame, 0, Syscalls.EFD_CLOEXEC | Syscalls.EFD_NONBLOCK);
        return new FfmEvent(Fd.opened(Operation.EVENTFD_CREATE, syscalls, frame, number, "eventfd"));
    }

    @Override
    public Fd fd() {
        return fd;
    }

    @Override
    public long read() {
        Frame frame = fd.begin(Operation.EVENTFD_READ);
        try {
            long result;
            do {
                result = fd.syscalls.read(frame, fd.number, frame.arg);
            } while (Fd.interrupted(result));
            if (result == -Errno.EAGAIN.number()) {
                return 0;
            }
            fd.check(Operation.EVENTFD_READ, result);
            return frame.arg.get(ValueLayout.JAVA_LONG, 0);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void write() {
        Frame frame = fd.begin(Operation.EVENTFD_WRITE);
        try {
            long result;
            do {
                result = fd.syscalls.write(frame, fd.number, ONE);
            } while (Fd.interrupted(result));
            if (result != -Errno.EAGAIN.number()) { // the counter is full: it can be read, which is all that matters
                fd.check(Operation.EVENTFD_WRITE, result);
            }
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
