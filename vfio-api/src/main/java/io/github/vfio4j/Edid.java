package io.github.vfio4j;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * The monitor that a virtual machine finds at a mediated graphics device: a region with the monitor's description (EDID)
 * and whether it is turned on ({@code struct vfio_region_gfx_edid}); from {@link Graphics#edid}. Safe from any thread.
 */
public final class Edid {
    // The struct at the start of the region.
    private static final long EDID_OFFSET = 0;
    private static final long EDID_MAX_SIZE = 4;
    private static final long EDID_SIZE = 8;
    private static final long MAX_XRES = 12;
    private static final long MAX_YRES = 16;
    private static final long LINK_STATE = 20;
    private static final long HEADER = 24;

    private static final int UP = 1; // VFIO_DEVICE_GFX_LINK_STATE_UP
    private static final int DOWN = 2; // VFIO_DEVICE_GFX_LINK_STATE_DOWN

    private final Region region;

    Edid(Region region) {
        this.region = region;
    }

    /**
     * What the device takes.
     *
     * @param mostBytes of a description
     * @param mostWidth pixels; 0 for no limit
     * @param mostHeight pixels; 0 for no limit
     */
    public record Limits(int mostBytes, int mostWidth, int mostHeight) {}

    /**
     * Asks what the device takes.
     *
     * @return the limits
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code EPROTO} if the description would not lie inside the region
     */
    public Limits limits() {
        return new Limits(place().most(), field(MAX_XRES), field(MAX_YRES));
    }

    /**
     * Tells whether the monitor is turned on.
     *
     * @return true if it is
     * @throws RuleViolation if the device is closed
     */
    public boolean linkUp() {
        return field(LINK_STATE) == UP;
    }

    /**
     * Turns the monitor on or off, as the virtual machine sees it.
     *
     * @param up whether it is to be on
     * @throws RuleViolation if the device is closed
     */
    public void setLink(boolean up) {
        field(LINK_STATE, up ? UP : DOWN);
    }

    /**
     * Reads the description.
     *
     * @return its bytes; none if there is no description yet
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code EPROTO} if the device says that it is longer than it can be
     */
    public synchronized byte[] read() {
        Place place = place();
        int size = field(EDID_SIZE);
        if (size < 0 || size > place.most()) {
            throw broken("a description of " + Integer.toUnsignedString(size) + " bytes, and takes " + place.most());
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(size);
            region.read(place.start(), bytes);
            return bytes.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /**
     * Gives the device another monitor: turns the one that is there off, writes the description and its size, and turns the
     * new one on. If a step fails the monitor stays off.
     *
     * @param description an EDID
     * @throws IllegalArgumentException if it is empty or longer than {@link Limits#mostBytes}; nothing has changed then
     * @throws RuleViolation if the device is closed
     * @throws VfioException {@code EPROTO} if the description would not lie inside the region
     */
    public synchronized void write(byte[] description) {
        byte[] given = Objects.requireNonNull(description, "description").clone();
        Place place = place();
        if (given.length == 0 || given.length > place.most()) {
            throw new IllegalArgumentException(
                    "a description has 1 to %d bytes here, not %d".formatted(place.most(), given.length));
        }
        setLink(false);
        try (Arena arena = Arena.ofConfined()) {
            region.write(place.start(), arena.allocateFrom(ValueLayout.JAVA_BYTE, given));
        }
        field(EDID_SIZE, given.length);
        setLink(true);
    }

    /** Where a description of at most so many bytes lies in the region. */
    private record Place(long start, int most) {}

    private Place place() {
        long start = Integer.toUnsignedLong(field(EDID_OFFSET));
        int most = field(EDID_MAX_SIZE);
        if (start < HEADER || most < 0 || start + most > region.info().size()) {
            throw broken("a description of %s bytes at %d in a region of %d bytes"
                    .formatted(Integer.toUnsignedString(most), start, region.info().size()));
        }
        return new Place(start, most);
    }

    private static VfioException broken(String what) {
        return new VfioException(Operation.REGION_READ, Errno.EPROTO, "the device names " + what);
    }

    private int field(long offset) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
            region.read(offset, value);
            return value.get(ValueLayout.JAVA_INT, 0);
        }
    }

    private void field(long offset, int value) {
        try (Arena arena = Arena.ofConfined()) {
            region.write(offset, arena.allocateFrom(ValueLayout.JAVA_INT, value));
        }
    }
}
