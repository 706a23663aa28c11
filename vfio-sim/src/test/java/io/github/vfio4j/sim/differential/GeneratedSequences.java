package io.github.vfio4j.sim.differential;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Fresh sequences for as many seconds as {@code vfio4j.differential.seconds} says, 120 unless told otherwise, from a
 * seed that is printed, or that {@code vfio4j.differential.seed} gives. vm/fuzz repeats what failed.
 */
class GeneratedSequences extends DifferentialCase {
    @Test
    void freshSequencesAgree() {
        long seed = Optional.ofNullable(System.getProperty("vfio4j.differential.seed"))
                .map(HexFormat::fromHexDigitsToLong)
                .orElseGet(() -> new SplittableRandom().nextLong());
        Fuzz fuzz = new Fuzz(twins, seed);
        fuzz.run(0, Long.MAX_VALUE, Long.getLong("vfio4j.differential.seconds", 120));
        assertThat(fuzz.sequences()).isPositive();
        assertThat(fuzz.found()).as("disagreements and leaks, which are printed above").isZero();
    }
}
