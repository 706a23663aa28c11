package io.github.vfio4j.sim.differential;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Rule;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every rule is shown by a test, or it is said why not; and the simulated kernel answers by the very rule. */
class RuleCasesTest {
    @Test
    void everyRuleIsShownOrItIsSaidWhyNot() {
        assertThat(RuleCases.OF.keySet()).containsExactlyInAnyOrder(Rule.values());
        long observable = count(RuleCases::simulated);
        System.out.printf(
                "rules: %d; %d are shown by tests on the simulated kernel, %d of these also on Linux%n",
                Rule.values().length, observable, count(RuleCases::onLinux));
    }

    private static long count(Predicate<Rule> test) {
        return Arrays.stream(Rule.values()).filter(test).count();
    }

    @Test
    void everyTestThatIsNamedIsThere() {
        Set<String> missing = new TreeSet<>();
        RuleCases.OF.values().stream().flatMap(List::stream).forEach(shown -> {
            String name = switch (shown) {
                case RuleCase.KernelTest test -> test.method();
                case RuleCase.NotOnLinux test when !test.name().isEmpty() -> test.method();
                default -> "";
            };
            if (!name.isEmpty() && !exists(name)) {
                missing.add(name);
            }
        });
        assertThat(missing).isEmpty();
    }

    private static boolean exists(String name) {
        String[] parts = name.split("#");
        try {
            Class<?> type = Class.forName(parts[0]);
            return parts.length == 1
                    || Arrays.stream(type.getDeclaredMethods()).anyMatch(m -> m.getName().equals(parts[1]));
        } catch (ClassNotFoundException e) {
            return false;
        }
    }

    @ParameterizedTest
    @EnumSource(value = KernelProfile.class, names = "DOCUMENTS", mode = EnumSource.Mode.EXCLUDE)
    void eachSimulatedKernelAnswersAsLinuxDoes(KernelProfile kernel) {
        SimulatedCalls calls = new SimulatedCalls(kernel);
        RuleCases.OF.forEach((rule, cases) -> calls(cases, kernel)
                .forEach(c -> assertThat(calls.lastAnswer(c.steps())).as(rule.id()).isEqualTo(-c.errno(kernel))));
    }

    /** Features and accesses to regions are checked by code of the simulated kernel's own, and by the rule in the API. */
    private static final Set<Rule> CHECKED_APART = EnumSet.of(
            Rule.REGION_PAGE,
            Rule.FEATURE_SUPPORTED);

    @Test
    void itIsTheRuleThatAnswers() {
        SimulatedCalls calls = new SimulatedCalls(KernelProfile.V7_2);
        Set<Rule> others = EnumSet.noneOf(Rule.class);
        RuleCases.OF.forEach((rule, cases) -> calls(cases, KernelProfile.V7_2).forEach(c -> {
            try (Mutation _ = Mutation.errno(rule)) {
                if (rule.isOf(KernelProfile.V7_2) && calls.lastAnswer(c.steps()) != -Mutation.ERRNO) {
                    others.add(rule);
                }
            }
        }));
        assertThat(others).as("rules whose errno comes from elsewhere").isEqualTo(CHECKED_APART);
    }

    /** The calls that a kernel has the operations for. */
    static Stream<RuleCase.Calls> calls(List<RuleCase> cases, KernelProfile kernel) {
        return cases.stream()
                .filter(RuleCase.Calls.class::isInstance)
                .map(RuleCase.Calls.class::cast)
                .filter(c -> c.isOf(kernel));
    }
}
