package io.github.vfio4j;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * The I/O region of a channel device of s390 ({@code struct ccw_io_region} of linux/vfio_ccw.h); from {@link Ccw#read}.
 * The blocks are as the z/Architecture describes them: numbers in them are big-endian.
 *
 * @param orb the operation-request block that was written last, 12 bytes, read-only
 * @param scsw the subchannel-status word that was written last, 12 bytes, read-only
 * @param irb the interruption-response block of the last interrupt, 96 bytes, read-only; it begins with the
 *     subchannel-status word of that moment
 * @param returnCode 0, or the negative errno that the last start ended with
 */
public record CcwStatus(ByteBuffer orb, ByteBuffer scsw, ByteBuffer irb, int returnCode) {
    /** Makes one; the blocks are what the buffers have left. */
    public CcwStatus {
        orb = Objects.requireNonNull(orb, "orb").slice().asReadOnlyBuffer();
        scsw = Objects.requireNonNull(scsw, "scsw").slice().asReadOnlyBuffer();
        irb = Objects.requireNonNull(irb, "irb").slice().asReadOnlyBuffer();
    }

    /**
     * Returns the operation-request block, from its start.
     *
     * @return a view of its own, big-endian
     */
    @Override
    public ByteBuffer orb() {
        return orb.duplicate();
    }

    /**
     * Returns the subchannel-status word that was written, from its start.
     *
     * @return a view of its own, big-endian
     */
    @Override
    public ByteBuffer scsw() {
        return scsw.duplicate();
    }

    /**
     * Returns the interruption-response block, from its start.
     *
     * @return a view of its own, big-endian
     */
    @Override
    public ByteBuffer irb() {
        return irb.duplicate();
    }
}
