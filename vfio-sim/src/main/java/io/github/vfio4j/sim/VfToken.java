package io.github.vfio4j.sim;

import java.util.UUID;

/**
 * What programs that have a physical function and its virtual ones know in common. Nobody knows it before somebody chooses
 * it. Guarded by the kernel's lock.
 */
final class VfToken {
    UUID value = UUID.randomUUID();

    /** Virtual functions that are open. */
    int users;
}
