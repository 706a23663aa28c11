package io.github.vfio4j.sim.differential;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** The base of tests that run the same sequence on this Linux and on its simulated twin. They run in the VM alone. */
@Tag("kernel")
@ExtendWith(TwinCondition.class)
@Timeout(600)
abstract class DifferentialCase {
    static final int EPERM = 1;
    static final int ENOENT = 2;
    static final int EBADF = 9;
    static final int EFAULT = 14;
    static final int EBUSY = 16;
    static final int EEXIST = 17;
    static final int ENODEV = 19;
    static final int EINVAL = 22;
    static final int ENOTTY = 25;
    static final int ERANGE = 34;
    static final int EOVERFLOW = 75;
    static final int EBADFD = 77;

    final Twins twins = Twins.ofThisJvm();

    @AfterEach
    void nothingStaysOpen() {
        assertThat(twins.leaks()).isEmpty();
    }

    /** Both kernels answer every step alike. */
    void agree(Step... steps) {
        Optional<Disagreement> found = twins.lockstep.run(Lockstep.Source.of(List.of(steps)));
        assertThat(found.map(twins::describe)).as("disagreement").isEmpty();
    }

    /** What the library refuses and lets through agrees with both kernels. */
    void agreeThroughTheApi(Step... steps) {
        Optional<Disagreement> found = twins.api.run(List.of(steps));
        assertThat(found.map(twins::describe)).as("disagreement").isEmpty();
    }

    /** Both kernels answer every step alike, and the last one so: 0 or more, or -errno; a new descriptor is 0. */
    void lastAnswers(long result, Step... steps) {
        Step last = steps[steps.length - 1];
        Optional<Disagreement> found = twins.lockstep.run(
                Lockstep.Source.of(List.of(steps)), (step, outcome) -> step != last || outcome.result() == result);
        assertThat(found.map(twins::describe)).as("disagreement, or another answer than %d", result).isEmpty();
    }

    /** What kernels from a line on answer, and what older ones do. */
    long since(KernelProfile line, long result, long before) {
        return twins.profile().isBefore(line) ? before : result;
    }
}
