package io.github.vfio4j;

import io.github.vfio4j.spi.Kernel;
import java.lang.ref.Cleaner;

/**
 * Addresses of the program at which something was mapped. They are used for something else only when this object is
 * unreachable; whoever touches them keeps it reachable meanwhile.
 */
final class AddressRange {
    private static final Cleaner CLEANER = Cleaner.create();

    final long address;
    final long size;
    private final Kernel kernel;

    AddressRange(Kernel kernel, long address, long size) {
        this.kernel = kernel;
        this.address = address;
        this.size = size;
    }

    /** What was mapped is no longer there: gives the addresses back once nobody can touch them. */
    void release() {
        giveBack(this, kernel, address, size);
    }

    private static void giveBack(AddressRange range, Kernel kernel, long address, long size) {
        CLEANER.register(range, () -> kernel.giveBack(address, size)); // must not refer to the range
    }
}
