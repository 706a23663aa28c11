package io.github.vfio4j.ffm.port;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * The address of a Unix socket ({@code struct sockaddr_un}): a path, or with {@code @} before it a name of Linux's
 * abstract namespace, which has no file and no permissions.
 */
public final class UnixAddress {
    /** How many bytes a path may have, its NUL not counted, and a name with its {@code @}. */
    public static final int LONGEST = 107;

    private static final short AF_UNIX = 1;
    private static final int PATH = Short.BYTES; // sun_path

    private UnixAddress() {}

    /**
     * Is it a name without a file?
     *
     * @param address the address
     * @return true if it is
     */
    public static boolean isAbstract(String address) {
        return address.startsWith("@");
    }

    /**
     * Checks an address.
     *
     * @param address the address
     * @throws IllegalArgumentException if it is empty, too long or has a NUL in it
     */
    public static void check(String address) {
        int bytes = address.getBytes(StandardCharsets.UTF_8).length;
        if (bytes < (isAbstract(address) ? 2 : 1) || bytes > LONGEST || address.indexOf(0) >= 0) {
            throw new IllegalArgumentException(
                    "a socket's address is a path, or @ and a name, of at most " + LONGEST + " bytes, not '" + address + "'");
        }
    }

    /** Writes the struct; its size is the length to tell the kernel. */
    static MemorySegment encode(String address, Arena arena) {
        check(address);
        byte[] path = address.getBytes(StandardCharsets.UTF_8);
        boolean named = isAbstract(address);
        if (named) {
            path[0] = 0;
        }
        MemorySegment struct = arena.allocate(PATH + path.length + (named ? 0L : 1L), 2); // a path ends with a NUL
        struct.set(JAVA_SHORT, 0, AF_UNIX);
        MemorySegment.copy(MemorySegment.ofArray(path), 0, struct, PATH, path.length);
        return struct;
    }
}
