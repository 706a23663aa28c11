package io.github.vfio4j.sim.differential;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.LongFunction;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Generated sequences on the simulated kernel alone: it does not break down, and most steps do something. */
class SequencesTest {
    private static final int STEPS = 60;

    @ParameterizedTest
    @EnumSource(names = {"V6_12", "V7_2"})
    void theSimulatedKernelAnswersEveryStepAboutIommufds(KernelProfile line) {
        answersEveryStep(line, seed -> new IommufdSequence(seed, STEPS));
    }

    @ParameterizedTest
    @EnumSource(names = {"V6_12", "V7_2"})
    void theSimulatedKernelAnswersEveryStepAboutMediatedDevices(KernelProfile line) {
        answersEveryStep(line, seed -> new MediatedSequence(seed, STEPS));
    }

    private static void answersEveryStep(KernelProfile line, LongFunction<Lockstep.Source> sequence) {
        SimulatedCalls calls = new SimulatedCalls(line);
        long seed = new SplittableRandom().nextLong();
        System.out.printf("seed %016x%n", seed);
        long done = 0;
        long all = 0;
        for (int i = 0; i < 400; i++) {
            List<Outcome> answers = calls.answers(sequence.apply(seed + i));
            assertThat(answers).as("sequence %d", i).allMatch(answer -> answer.agrees(answer));
            assertThat(calls.leaks()).as("after sequence %d", i).isEmpty();
            done += answers.stream().filter(answer -> answer.result() >= 0).count();
            all += answers.size();
        }
        assertThat(done).as("steps of %d that succeeded", all).isGreaterThan(all / 4);
    }
}
