package io.github.vfio4j;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A channel device of s390, a subchannel with what is behind it (driver {@code vfio_ccw}); from {@link Device#ccw}. It is
 * a mediated device: {@link Type1#openDevice(Group, java.util.UUID)} opens it. The kernel translates the channel programs
 * that are started, whose addresses are IOVAs of the device's {@link Device#iommu}.
 *
 * <p>All of it is reads and writes of the device's regions ({@code linux/vfio_ccw.h}, {@code drivers/s390/cio}), each in
 * one piece: a write of any part would start something. The region of {@link #start} is always there; those of the other
 * methods are there if the kernel has them, which Linux 6.1 does.
 *
 * <p>Valid as long as the device is open. Safe from any thread: the kernel does one at a time, and refuses a write
 * meanwhile with {@code EAGAIN}; make the call again.
 *
 * <p>Tested on made bytes alone: no such machine was at hand.
 */
public final class Ccw {
    private static final int IO_REGION = 0; // VFIO_CCW_CONFIG_REGION_INDEX
    private static final int FIRST_OWN_REGION = 1; // VFIO_CCW_NUM_REGIONS
    private static final int TYPE = 2; // VFIO_REGION_TYPE_CCW
    private static final int ASYNC = 1; // VFIO_REGION_SUBTYPE_CCW_ASYNC_CMD
    private static final int SCHIB = 2; // VFIO_REGION_SUBTYPE_CCW_SCHIB
    private static final int CRW = 3; // VFIO_REGION_SUBTYPE_CCW_CRW

    // struct ccw_io_region
    private static final int ORB_BYTES = 12;
    private static final int SCSW_AT = 12;
    private static final int SCSW_BYTES = 12;
    private static final int IRB_AT = 24;
    private static final int IRB_BYTES = 96;
    private static final int RETURN_CODE_AT = 120;
    private static final int IO_BYTES = 124;

    private static final int ASYNC_BYTES = 8; // struct ccw_cmd_region
    private static final int HALT = 1; // VFIO_CCW_ASYNC_CMD_HSCH
    private static final int CLEAR = 2; // VFIO_CCW_ASYNC_CMD_CSCH
    private static final int SCHIB_BYTES = 52; // struct ccw_schib_region
    private static final int CRW_BYTES = 8; // struct ccw_crw_region

    private final Device device;

    Ccw(Device device) {
        this.device = device;
    }

    /**
     * Starts a channel program (START SUBCHANNEL). When it ends, or has something to say, {@link CcwIrq#IO} fires and
     * {@link #read} tells what.
     *
     * @param orb the operation-request block, 12 bytes as the z/Architecture describes them; its channel program lies at
     *     an IOVA
     * @param scsw the subchannel-status word, 12 bytes; its function control has the start function
     * @throws IllegalArgumentException if one has another length
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code EBUSY} if the subchannel has a status or a program already, {@code EAGAIN} while the
     *     kernel is at it, {@code EACCES} if the path is not there and {@code ENODEV} if none is, {@code EOPNOTSUPP} for
     *     another function than start and for transport mode, {@code EIO} if the device is not ready, or what translating
     *     the channel program fails with
     */
    public void start(byte[] orb, byte[] scsw) {
        Objects.requireNonNull(orb, "orb");
        Objects.requireNonNull(scsw, "scsw");
        device.checkOpen(Operation.REGION_WRITE);
        byte[] request = block(orb, ORB_BYTES, "orb");
        byte[] status = block(scsw, SCSW_BYTES, "scsw");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment region = arena.allocate(IO_BYTES);
            MemorySegment.copy(request, 0, region, ValueLayout.JAVA_BYTE, 0, ORB_BYTES);
            MemorySegment.copy(status, 0, region, ValueLayout.JAVA_BYTE, SCSW_AT, SCSW_BYTES);
            device.region(IO_REGION).write(0, region);
        }
    }

    /**
     * Reads what the last start and the last interrupt left.
     *
     * @return the I/O region
     * @throws RuleViolation if the device is closed
     */
    public CcwStatus read() {
        byte[] region = read(device.region(IO_REGION), IO_BYTES);
        return new CcwStatus(
                ByteBuffer.wrap(region, 0, ORB_BYTES),
                ByteBuffer.wrap(region, SCSW_AT, SCSW_BYTES),
                ByteBuffer.wrap(region, IRB_AT, IRB_BYTES),
                MemorySegment.ofArray(region).get(ValueLayout.JAVA_INT_UNALIGNED, RETURN_CODE_AT));
    }

    /**
     * Ends the channel program in an orderly way (HALT SUBCHANNEL, {@code VFIO_CCW_ASYNC_CMD_HSCH}). {@link CcwIrq#IO}
     * fires when it has ended.
     *
     * @throws UnsupportedOperationException if the kernel has no region for it
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code EBUSY} if the subchannel has a status or is busy, {@code ENODEV} if it is gone,
     *     {@code EAGAIN} while the kernel is at a start, {@code EIO} if the device is not ready
     */
    public void halt() {
        command(HALT);
    }

    /**
     * Ends the channel program at once (CLEAR SUBCHANNEL, {@code VFIO_CCW_ASYNC_CMD_CSCH}). {@link CcwIrq#IO} fires when
     * it has ended.
     *
     * @throws UnsupportedOperationException if the kernel has no region for it
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code ENODEV} if the subchannel is gone, {@code EAGAIN} while the kernel is at a start,
     *     {@code EIO} if the device is not ready
     */
    public void clear() {
        command(CLEAR);
    }

    /**
     * Asks the hardware for the state of the subchannel (STORE SUBCHANNEL).
     *
     * @return the subchannel-information block, 52 bytes, read-only, big-endian as the z/Architecture describes it
     * @throws UnsupportedOperationException if the kernel has no region for it
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code ENODEV} if the subchannel is gone
     */
    public ByteBuffer storeSubchannel() {
        return ByteBuffer.wrap(read(own(SCHIB, "the subchannel-information block"), SCHIB_BYTES)).asReadOnlyBuffer();
    }

    /**
     * Takes the oldest channel report word: what changed about the path to the device. {@link CcwIrq#CRW} fires while
     * there are more.
     *
     * @return the word, in the bits of the z/Architecture; empty if there is none
     * @throws UnsupportedOperationException if the kernel has no region for it
     * @throws RuleViolation if the device is closed
     */
    public OptionalInt takeReport() {
        byte[] region = read(own(CRW, "channel report words"), CRW_BYTES);
        int word = MemorySegment.ofArray(region).get(ValueLayout.JAVA_INT_UNALIGNED, 0);
        return word == 0 ? OptionalInt.empty() : OptionalInt.of(word);
    }

    private void command(int command) {
        Region region = own(ASYNC, "commands");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(ASYNC_BYTES, Integer.BYTES);
            bytes.set(ValueLayout.JAVA_INT, 0, command);
            region.write(0, bytes);
        }
    }

    private Region own(int subtype, String what) {
        device.checkOpen(Operation.DEVICE_GET_REGION_INFO);
        Optional<RegionInfo.Type> wanted = Optional.of(new RegionInfo.Type(TYPE, subtype));
        for (int i = FIRST_OWN_REGION; i < device.info().regions(); i++) {
            Region region = device.region(i);
            if (region.info().type().equals(wanted)) {
                return region;
            }
        }
        throw new UnsupportedOperationException(
                "the kernel's vfio_ccw has no region for " + what + " of " + device.name());
    }

    private static byte[] read(Region region, int size) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(size);
            region.read(0, bytes);
            return bytes.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    private static byte[] block(byte[] given, int size, String name) {
        byte[] block = given.clone();
        if (block.length != size) {
            throw new IllegalArgumentException("%s has %d bytes, not %d".formatted(name, size, block.length));
        }
        return block;
    }
}
