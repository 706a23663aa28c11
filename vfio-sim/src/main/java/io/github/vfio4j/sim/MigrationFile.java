package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_MIG_GET_PRECOPY_INFO;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_precopy_info;
import io.github.vfio4j.spi.Facts;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** An open migration data file: to be read in PRE_COPY and STOP_COPY, to be written in RESUMING. */
final class MigrationFile extends UnseekableFile {
    private final EmulatedDevice device;
    private MemorySegment saved; // null for one that is written; else guarded by this
    private final ByteArrayOutputStream written = new ByteArrayOutputStream(); // guarded by this
    private long position; // guarded by this
    private boolean disabled; // guarded by this

    MigrationFile(EmulatedDevice device) {
        this.device = device;
        this.saved = null;
    }

    MigrationFile(EmulatedDevice device, byte[] saved) {
        this.device = device;
        this.saved = MemorySegment.ofArray(saved);
    }

    /** There is more to read. */
    synchronized void show(byte[] more) {
        saved = MemorySegment.ofArray(more);
    }

    synchronized byte[] written() {
        return written.toByteArray();
    }

    synchronized void disable() {
        disabled = true;
    }

    @Override
    synchronized long read(SimProcess caller, MemorySegment target) {
        check(saved != null);
        long size = Math.min(target.byteSize(), saved.byteSize() - position);
        MemorySegment.copy(saved, position, target, 0, size);
        position += size;
        return size;
    }

    @Override
    synchronized long write(SimProcess caller, MemorySegment source) {
        check(saved == null);
        written.writeBytes(source.toArray(ValueLayout.JAVA_BYTE));
        return source.byteSize();
    }

    private void check(boolean rightWay) {
        if (!rightWay) {
            throw new KernelError(Errno.EBADF); // opened for the other way alone
        }
        if (disabled) {
            throw new KernelError(Errno.ENODEV);
        }
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        if (request != VFIO_MIG_GET_PRECOPY_INFO() || isWritten()) {
            throw new KernelError(Errno.ENOTTY);
        }
        InfoStruct info = new InfoStruct(argument, vfio_precopy_info.layout());
        device.lock.lock();
        try {
            Migration migration = device.migration();
            KernelError.check(device.machine().profile(), Operation.MIG_GET_PRECOPY_INFO, new Facts() {
                @Override
                public boolean preCopying() {
                    return migration != null && migration.preCopying();
                }
            });
            vfio_precopy_info.initial_bytes(info.fields, left());
            vfio_precopy_info.dirty_bytes(info.fields, 0);
        } finally {
            device.lock.unlock();
        }
        info.write();
        return 0;
    }

    private synchronized boolean isWritten() {
        return saved == null;
    }

    private synchronized long left() {
        check(true);
        return saved.byteSize() - position;
    }

    @Override
    void release() {
        // The device stays in its state.
    }

    @Override
    public String toString() {
        return "migration of vfio device " + device.name;
    }
}
