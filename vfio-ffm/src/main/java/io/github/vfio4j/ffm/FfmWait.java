package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.port.EpollEvent;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.ReadablePort;
import io.github.vfio4j.spi.WaitPort;

/** An epoll file. */
final class FfmWait implements WaitPort {
    private static final int MOST_EVENTS = Frame.ARG_BYTES / EpollEvent.BYTES;

    private final Fd fd;

    private FfmWait(Fd fd) {
        this.fd = fd;
    }

    static FfmWait open(Syscalls syscalls) {
        Frame frame = new Frame();
        int number = syscalls.epollCreate(frame, Syscalls.EPOLL_CLOEXEC);
        return new FfmWait(Fd.opened(Operation.EPOLL_CREATE, syscalls, frame, number, "epoll"));
    }

    @Override
    public void add(ReadablePort file, int token) {
        control(Syscalls.EPOLL_CTL_ADD, file, token);
    }

    @Override
    public void remove(ReadablePort file) {
        control(Syscalls.EPOLL_CTL_DEL, file, 0);
    }

    private void control(int operation, ReadablePort file, int token) {
        Fd target = ((Readable) file).fd();
        target.hold(Operation.EPOLL_CTL);
        try {
            Frame frame = fd.begin(Operation.EPOLL_CTL);
            try {
                EpollEvent.set(frame.arg, 0, Syscalls.EPOLLIN, token);
                fd.check(
                        Operation.EPOLL_CTL,
                        fd.syscalls.epollCtl(frame, fd.number, operation, target.number, frame.arg));
            } finally {
                fd.end(frame);
            }
        } finally {
            target.release();
        }
    }

    @Override
    public int await(int[] tokens, int millis) {
        Frame frame = fd.begin(Operation.EPOLL_WAIT);
        try {
            int most = Math.min(tokens.length, MOST_EVENTS);
            int result = fd.syscalls.epollWait(frame, fd.number, frame.arg, most, millis);
            if (result == -Errno.EINTR.number()) {
                return 0;
            }
            fd.check(Operation.EPOLL_WAIT, result);
            for (int i = 0; i < result; i++) {
                tokens[i] = (int) EpollEvent.data(frame.arg, i);
            }
            return result;
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
