package io.github.vfio4j;

import java.util.Objects;

/**
 * IO addresses of a group that mean something to the machine, so that no memory can be mapped there.
 *
 * @param range the addresses
 * @param type the kernel's word for the reason: {@code msi}, {@code reserved}, {@code direct} or {@code direct-relaxable};
 *     the last one does not keep memory from being mapped
 */
public record ReservedRegion(IovaRange range, String type) {
    /** Nothing is null. */
    public ReservedRegion {
        Objects.requireNonNull(range, "range");
        Objects.requireNonNull(type, "type");
    }
}
