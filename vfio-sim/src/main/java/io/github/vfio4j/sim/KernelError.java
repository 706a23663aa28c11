package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Rule;
import io.github.vfio4j.spi.Facts;

/** A system call fails. It unwinds the simulated kernel up to the system call, which returns {@code -errno}. */
final class KernelError extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int errno;

    KernelError(Errno errno) {
        this(errno.number());
    }

    KernelError(int errno) {
        super(null, null, false, false);
        this.errno = errno;
    }

    int errno() {
        return errno;
    }

    /** Fails as the first rule says that the state breaks, in the kernel's order. */
    static void check(KernelProfile profile, Operation operation, Facts facts) {
        Rule.firstBroken(profile, operation, facts).ifPresent(rule -> {
            throw new KernelError(rule.errno(profile));
        });
    }
}
