package io.github.vfio4j.ffm;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.UUID;

/** How the kernel takes the token of virtual functions: 16 bytes in the order of the text, or the text behind a name. */
final class VfToken {
    static final long BYTES = 2L * Long.BYTES;

    private static final ValueLayout.OfLong TEXT_ORDER = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private VfToken() {}

    static void write(MemorySegment to, UUID token) {
        to.set(TEXT_ORDER, 0, token.getMostSignificantBits());
        to.set(TEXT_ORDER, Long.BYTES, token.getLeastSignificantBits());
    }

    /** Puts it behind a device's name. */
    static String behind(String name, UUID token) {
        return name + " vf_token=" + token;
    }
}
