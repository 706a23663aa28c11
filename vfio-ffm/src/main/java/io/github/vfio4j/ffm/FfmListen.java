package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.ffm.port.UnixAddress;
import io.github.vfio4j.spi.HandoverPort;
import io.github.vfio4j.spi.ListenPort;

/** A Unix socket that listens. */
final class FfmListen implements ListenPort {
    private static final int BACKLOG = 16;

    private final Fd fd;
    private final String address;

    private FfmListen(Fd fd, String address) {
        this.fd = fd;
        this.address = address;
    }

    static FfmListen open(Syscalls syscalls, String address) {
        UnixAddress.check(address);
        Operation operation = Operation.HANDOVER_LISTEN;
        Frame frame = new Frame();
        int number = syscalls.socket(frame, Syscalls.SOCK_SEQPACKET);
        Fd fd = Fd.opened(operation, syscalls, frame, number, "socket " + address);
        try {
            fd.check(operation, syscalls.bind(frame, number, address));
            FfmListen listen = new FfmListen(fd, address);
            try {
                fd.check(operation, syscalls.listen(frame, number, BACKLOG));
                return listen;
            } catch (RuntimeException e) {
                listen.removeFile();
                throw e;
            }
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    @Override
    public HandoverPort accept() {
        Operation operation = Operation.HANDOVER_ACCEPT;
        while (true) {
            Frame frame = fd.begin(operation);
            int result;
            try {
                result = fd.syscalls.accept(frame, fd.number);
            } finally {
                fd.end(frame);
            }
            if (result >= 0) {
                return new FfmHandover(new Fd(fd.syscalls, result, "connection of " + address));
            }
            if (result != -Errno.EINTR.number()) {
                throw new VfioException(operation, new Errno(-result), fd.subject());
            }
        }
    }

    @Override
    public void close() {
        if (fd.wakeSocket()) {
            removeFile();
        }
        fd.close();
    }

    /** The file of a socket outlives it. Somebody else may have removed it. */
    private void removeFile() {
        if (!UnixAddress.isAbstract(address)) {
            fd.syscalls.unlink(new Frame(), address);
        }
    }
}
