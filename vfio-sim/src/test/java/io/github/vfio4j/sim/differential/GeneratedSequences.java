package io.github.vfio4j.sim.differential;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The same generated sequences each time, so that a test run does not depend on luck; vm/fuzz runs fresh ones. */
class GeneratedSequences extends DifferentialCase {
    private static final long SEED = 0x5eed5eed5eed5eedL;
    private static final int SEQUENCES = 600;

    @Test
    void generatedSequencesAgree() {
        Fuzz fuzz = new Fuzz(twins, SEED);
        fuzz.run(0, SEQUENCES, Long.MAX_VALUE);
        assertThat(fuzz.sequences()).isEqualTo(SEQUENCES);
        assertThat(fuzz.found()).as("disagreements and leaks, which are printed above").isZero();
    }
}
