package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_MIG_GET_PRECOPY_INFO;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_PRECOPY_INFO_REINIT;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PrecopyInfo;
import io.github.vfio4j.ffm.gen.vfio_precopy_info;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.MigrationPort;
import java.lang.foreign.MemorySegment;

/** A migration data file. */
final class FfmMigration implements MigrationPort {
    private final Fd fd;

    FfmMigration(Fd fd) {
        this.fd = fd;
    }

    @Override
    public long read(MemorySegment target) {
        Frame frame = fd.begin(Operation.MIG_DATA_READ);
        try {
            long result = fd.syscalls.read(frame, fd.number, target);
            if (result == -Errno.ENOMSG.number()) {
                return 0;
            }
            return fd.check(Operation.MIG_DATA_READ, result) == 0 ? -1 : result;
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long write(MemorySegment source) {
        Frame frame = fd.begin(Operation.MIG_DATA_WRITE);
        try {
            return fd.check(Operation.MIG_DATA_WRITE, fd.syscalls.write(frame, fd.number, source));
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public PrecopyInfo precopyInfo() {
        Frame frame = fd.begin(Operation.MIG_GET_PRECOPY_INFO);
        try {
            MemorySegment info = frame.arg.asSlice(0, vfio_precopy_info.sizeof());
            info.fill((byte) 0);
            vfio_precopy_info.argsz(info, (int) info.byteSize());
            fd.ioctl(Operation.MIG_GET_PRECOPY_INFO, frame, VFIO_MIG_GET_PRECOPY_INFO());
            return new PrecopyInfo(
                    vfio_precopy_info.initial_bytes(info),
                    vfio_precopy_info.dirty_bytes(info),
                    (vfio_precopy_info.flags(info) & VFIO_PRECOPY_INFO_REINIT()) != 0);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
