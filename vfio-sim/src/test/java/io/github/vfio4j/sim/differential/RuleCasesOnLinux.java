package io.github.vfio4j.sim.differential;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Rule;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Linux answers a broken rule as {@link RuleCases} says. */
class RuleCasesOnLinux extends DifferentialCase {
    @TestFactory
    Stream<DynamicTest> linuxAnswersAsTheRulesSay() {
        return RuleCases.OF.entrySet().stream()
                .flatMap(e -> RuleCasesTest.calls(e.getValue(), twins.profile())
                        .map(c -> DynamicTest.dynamicTest(e.getKey().id(), () -> {
                            assumeTrue(isPossible(c), "the machine has no device without an IOMMU");
                            Step[] steps = c.steps().toArray(Step[]::new);
                            if (TwinMachine.isBehindIntel()) {
                                lastAnswers(-c.errno(twins.profile()), steps);
                            } else {
                                agree(steps); // another IOMMU may reach where Intel's does not
                            }
                        })));
    }

    private static boolean isPossible(RuleCase.Calls calls) {
        return TwinMachine.hasUnsafe()
                || calls.steps().stream().noneMatch(step -> step.toString().contains(TwinMachine.UNSAFE));
    }

    @Test
    void theRulesAreCounted() {
        System.out.printf(
                "rules: %d; %d can be observed on Linux in the VM, and each is shown by a test on %s%n",
                Rule.values().length,
                Arrays.stream(Rule.values()).filter(RuleCases::onLinux).count(),
                twins.lockstep.first.name);
    }
}
