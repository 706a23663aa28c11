package io.github.vfio4j.sim.differential;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Rule;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/**
 * Makes each rule wrong in turn: nothing breaks it, it has another errno, it comes after the next rule of its operation.
 * Tests must notice: those that {@link RuleCases} names for it, generated sequences whose answers were written down
 * before (in the VM, Linux gives the answers), or the tests of the API. Prints what survives; the exit status is 0 only
 * if nothing does.
 */
final class MutateRules {
    private static final int SEQUENCES = 1500;
    private static final Generator.Scope SCOPE = new Generator.Scope(true, false, true, true, List.of());
    private static final long SEED = 0x5eed5eed5eed5eedL;
    private static final List<String> SIMULATED = List.of(
            "SimGroupTest",
            "SimContainerTest",
            "SimType1Test",
            "SimDeviceFdTest",
            "SimDirtyPagesTest",
            "SimInterruptsTest",
            "SimIntxTest",
            "SimMigrationTest",
            "SimGroupTypesTest",
            "SimExternalUserTest",
            "SimBusResetTest",
            "SimIoEventFdTest",
            "SimFeaturesTest");
    private static final List<String> TESTS_OF_THE_API =
            List.of("RuleTest", "RulesPageTest", "FailureTest", "InterruptsTest", "FeaturesTest", "VfioExceptionTest");

    private final SimulatedCalls calls = new SimulatedCalls(KernelProfile.V7_2);
    private final List<List<Outcome>> answers = new ArrayList<>();
    private final Set<Class<?>> checked = new HashSet<>();
    private final PrintStream out = System.out;
    private int mutants;
    private int survivors;

    private MutateRules() {
        for (int i = 0; i < SEQUENCES; i++) {
            answers.add(calls.answers(new Generator(SEED + i, SCOPE)));
        }
        for (int i = 0; i < SEQUENCES; i++) {
            if (!calls.answers(new Generator(SEED + i, SCOPE)).equals(answers.get(i))) {
                throw new IllegalStateException("sequence " + i + " is answered differently each time");
            }
        }
    }

    public static void main(String[] args) {
        MutateRules run = new MutateRules();
        PrintStream out = run.out;
        System.setOut(new PrintStream(OutputStream.nullOutputStream())); // what tests print
        for (Rule rule : Rule.values()) { // what fails without a mutant would notice every mutant
            tests(rule).stream().filter(run.checked::add).filter(MutateRules::fails).forEach(test -> {
                throw new IllegalStateException(test + " fails while every rule is right");
            });
        }
        for (Rule rule : Rule.values()) {
            run.mutate(rule);
        }
        out.printf("%d mutants of %d rules, %d survived%n", run.mutants, Rule.values().length, run.survivors);
        System.exit(run.survivors == 0 ? 0 : 1);
    }

    private void mutate(Rule rule) {
        if (Mutation.isChecked(rule)) {
            judge(rule, "is never broken", () -> Mutation.never(rule));
        }
        judge(rule, "has another errno", () -> Mutation.errno(rule));
        next(rule).ifPresent(next -> judge(rule, "comes after " + next.id(), () -> Mutation.swapped(rule, next)));
    }

    /** The next rule of the same operation, if the order of the two can show. */
    private static Optional<Rule> next(Rule rule) {
        return Arrays.stream(Rule.values())
                .skip(rule.ordinal() + 1L)
                .filter(other -> rule.operation().isPresent() && other.operation().equals(rule.operation()))
                .filter(other -> other.kind() == Rule.Kind.KERNEL)
                .findFirst()
                .filter(other -> rule.kind() == Rule.Kind.KERNEL)
                .filter(other -> Mutation.isChecked(rule) && Mutation.isChecked(other))
                .filter(other -> !other.errno().equals(rule.errno()));
    }

    private void judge(Rule rule, String how, Supplier<Mutation> mutation) {
        mutants++;
        try (Mutation _ = mutation.get()) {
            if (!isNoticed(rule)) {
                survivors++;
                out.println("SURVIVED " + rule.id() + " " + how);
            }
        }
    }

    private boolean isNoticed(Rule rule) {
        List<RuleCase> cases = RuleCases.OF.getOrDefault(rule, List.of());
        if (RuleCasesTest.calls(cases, KernelProfile.V7_2).anyMatch(c -> calls.lastAnswer(c.steps()) != -c.on72())) {
            return true;
        }
        for (int i = 0; i < SEQUENCES; i++) {
            if (!calls.answers(new Generator(SEED + i, SCOPE)).equals(answers.get(i))) {
                return true;
            }
        }
        return tests(rule).stream().anyMatch(MutateRules::fails);
    }

    private static Set<Class<?>> tests(Rule rule) {
        Set<Class<?>> classes = new LinkedHashSet<>();
        for (RuleCase shown : RuleCases.OF.getOrDefault(rule, List.of())) {
            switch (shown) {
                case RuleCase.KernelTest test -> classes.add(type(test.method()));
                case RuleCase.NotOnLinux test when !test.name().isEmpty() -> classes.add(type(test.method()));
                default -> {}
            }
        }
        SIMULATED.forEach(name -> classes.add(type("io.github.vfio4j.sim." + name)));
        TESTS_OF_THE_API.forEach(name -> classes.add(type("io.github.vfio4j." + name)));
        return classes;
    }

    private static Class<?> type(String test) {
        try {
            return Class.forName(test.split("#")[0]);
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean fails(Class<?> test) {
        LauncherDiscoveryRequest request =
                LauncherDiscoveryRequestBuilder.request().selectors(selectClass(test)).build();
        SummaryGeneratingListener summary = new SummaryGeneratingListener();
        LauncherFactory.create().execute(request, summary);
        return summary.getSummary().getTotalFailureCount() > 0;
    }
}
