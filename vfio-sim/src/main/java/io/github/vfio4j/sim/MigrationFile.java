package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_MIG_GET_PRECOPY_INFO;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_precopy_info;
import io.github.vfio4j.spi.Facts;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** An open migration data file: to be read in PRE_COPY and STOP_COPY, to be written in RESUMING. */
final class MigrationFile extends UnseekableFile {
    private final EmulatedDevice device;
    private MemorySegment saved; // null for one that is written; else guarded by this
    private final ByteArrayOutputStream written = new ByteArrayOutputStream(); // guarded by this
    private final int most; // bytes that can be written
    private long position; // guarded by this
    private boolean disabled; // guarded by this

    /** A file for a state of some size to be written to. */
    MigrationFile(EmulatedDevice device, int size) {
        this.device = device;
        this.saved = null;
        this.most = size;
    }

    /** A file that a state is read from. */
    MigrationFile(EmulatedDevice device, byte[] saved) {
        this.device = device;
        this.saved = MemorySegment.ofArray(saved);
        this.most = 0;
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
        written.reset();
    }

    @Override
    synchronized long read(SimProcess caller, MemorySegment target) {
        checkWay(saved != null);
        checkUse();
        long size = Math.min(target.byteSize(), saved.byteSize() - position);
        MemorySegment.copy(saved, position, target, 0, size);
        position += size;
        return size;
    }

    @Override
    synchronized long write(SimProcess caller, MemorySegment source) {
        checkWay(saved == null);
        if (source.byteSize() > most - written.size()) {
            throw new KernelError(Errno.ENOMEM);
        }
        checkUse();
        int before = written.size();
        written.writeBytes(source.toArray(ValueLayout.JAVA_BYTE));
        int early = device.model.earlyBytes();
        boolean complete = before < early && written.size() >= early;
        if (complete && !device.model.accepts(Arrays.copyOf(written.toByteArray(), early))) {
            throw new KernelError(Errno.EFAULT);
        }
        return source.byteSize();
    }

    private static void checkWay(boolean right) {
        if (!right) {
            throw new KernelError(Errno.EBADF); // opened for the other way alone
        }
    }

    private void checkUse() {
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
                    return migration.preCopying();
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
        checkUse();
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
