package io.github.vfio4j.sim.differential;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/**
 * As many sequences as {@code vfio4j.differential.sequences} says, 1500 unless told otherwise, from the seed {@code
 * vfio4j.differential.seed}. The seed is the same each time, so that a change is judged by what it changed; vm/fuzz runs
 * sequences that nobody ran before.
 */
class GeneratedSequences extends DifferentialCase {
    private static final String SEED = "5eed5eed5eed5eed";

    @Test
    void sequencesAgree() {
        long seed = HexFormat.fromHexDigitsToLong(System.getProperty("vfio4j.differential.seed", SEED));
        Fuzz fuzz = new Fuzz(twins, seed);
        fuzz.run(0, Long.getLong("vfio4j.differential.sequences", 1500), Long.MAX_VALUE);
        assertThat(fuzz.sequences()).isPositive();
        assertThat(fuzz.found()).as("disagreements and leaks, which are printed above").isZero();
    }
}
