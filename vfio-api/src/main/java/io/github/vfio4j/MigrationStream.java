package io.github.vfio4j;

import io.github.vfio4j.spi.MigrationPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.util.Objects;

/**
 * The state of a device as a stream of bytes: read from a device that is being saved, written to one that is resuming;
 * from {@link Migration#change}. The bytes mean something to the same driver on another machine alone.
 *
 * <p>A read or write may move fewer bytes than the buffer has. Safe from any thread. Ends with the device.
 */
public final class MigrationStream implements ByteChannel {
    private static final int PIECE = 1 << 16;

    final MigrationPort port;

    private final Device device;
    private volatile boolean open = true;

    MigrationStream(Device device, MigrationPort port) {
        this.device = device;
        this.port = port;
    }

    /**
     * Reads a piece of the device's state.
     *
     * @param target where to; at most 64 KiB are read at once
     * @return how many bytes; 0 in pre-copy when there is nothing at the moment; -1 at the end
     * @throws IllegalArgumentException if the target can only be read
     * @throws VfioException {@code EBADF} if this is closed; what the device's driver fails with
     */
    @Override
    public int read(ByteBuffer target) {
        Objects.requireNonNull(target, "target");
        if (target.isReadOnly()) { // what the kernel gives it gives once
            throw new IllegalArgumentException("the target can only be read");
        }
        int most = Math.min(target.remaining(), PIECE);
        if (most == 0) {
            return 0;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment piece = arena.allocate(most);
            long done = port.read(piece);
            if (done > 0) {
                target.put(piece.asSlice(0, done).asByteBuffer());
            }
            return (int) done;
        }
    }

    /**
     * Writes a piece of the device's state.
     *
     * @param source what; at most 64 KiB are written at once
     * @return how many bytes
     * @throws VfioException {@code EBADF} if this is closed; what the device's driver fails with
     */
    @Override
    public int write(ByteBuffer source) {
        Objects.requireNonNull(source, "source");
        int most = Math.min(source.remaining(), PIECE);
        if (most == 0) {
            return 0;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment piece = arena.allocate(most);
            piece.asByteBuffer().put(source.duplicate().limit(source.position() + most));
            int done = (int) port.write(piece);
            source.position(source.position() + done);
            return done;
        }
    }

    /**
     * Estimates what is left to read in pre-copy ({@code VFIO_MIG_GET_PRECOPY_INFO}; since Linux 6.2).
     *
     * @return the estimate
     * @throws VfioException {@code EINVAL} outside pre-copy
     */
    public PrecopyInfo precopyInfo() {
        return port.precopyInfo();
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    /** Closes the stream. The device stays in its state. Idempotent. */
    @Override
    public void close() {
        open = false;
        device.forget(this);
        port.close();
    }
}
