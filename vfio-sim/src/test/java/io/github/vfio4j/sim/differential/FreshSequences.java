package io.github.vfio4j.sim.differential;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Sequences that nobody ran before: for vfio4j.differential.seconds, 60 unless told otherwise. */
class FreshSequences extends DifferentialCase {
    @Test
    void freshSequencesAgree() {
        Fuzz fuzz = new Fuzz(twins, new SplittableRandom().nextLong());
        fuzz.run(0, Long.MAX_VALUE, Long.getLong("vfio4j.differential.seconds", 60));
        assertThat(fuzz.sequences()).isPositive();
        assertThat(fuzz.found()).as("disagreements and leaks, which are printed above").isZero();
    }
}
