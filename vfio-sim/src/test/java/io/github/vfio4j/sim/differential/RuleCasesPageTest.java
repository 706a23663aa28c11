package io.github.vfio4j.sim.differential;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Rule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The page docs/rules-shown.md is made of {@link RuleCases}; it is written anew with {@code -Dvfio4j.write=true}. */
class RuleCasesPageTest {
    private static final Path PAGE = Path.of(System.getProperty("basedir", ""))
            .toAbsolutePath()
            .getParent()
            .resolve("docs/rules-shown.md");

    @Test
    void thePageSaysHowEachRuleIsShown() throws IOException {
        if (Boolean.getBoolean("vfio4j.write")) {
            Files.writeString(PAGE, page());
        }
        assertThat(PAGE).hasContent(page());
    }

    private static String page() {
        List<Rule> onLinux = Arrays.stream(Rule.values()).filter(RuleCases::onLinux).toList();
        List<Rule> others = Arrays.stream(Rule.values()).filter(rule -> !onLinux.contains(rule)).toList();
        long simulated = others.stream().filter(RuleCases::simulated).count();
        return """
                <!-- Generated from RuleCases.java; do not edit. To regenerate: mvn -pl vfio-sim -am test -Dtest=RuleCasesPageTest -Dvfio4j.write=true -Dsurefire.failIfNoSpecifiedTests=false -->

                # How the rules are shown

                Of the %d [rules](rules.md), tests show %d on Linux in the VM and on the simulated kernel alike, %d on the simulated kernel alone, and %d nowhere.

                ## Not on Linux

                | rule | shown on the simulated kernel by | why not on Linux |
                |---|---|---|
                %s
                ## On Linux

                "System calls" are those that `RuleCases` lists; they break the rule as the first one, and each kernel's errno is stated.

                | rule | shown by |
                |---|---|
                %s""".formatted(
                        Rule.values().length,
                        onLinux.size(),
                        simulated,
                        others.size() - simulated,
                        lines(others, rule -> tests(rule) + " | " + reasons(rule)),
                        lines(onLinux, RuleCasesPageTest::tests));
    }

    private static String lines(List<Rule> rules, Function<Rule, String> cells) {
        return rules.stream()
                .map(rule -> "| `" + rule.id() + "` | " + cells.apply(rule) + " |\n")
                .collect(Collectors.joining());
    }

    private static String tests(Rule rule) {
        return RuleCases.OF.get(rule).stream()
                .flatMap(shown -> switch (shown) {
                    case RuleCase.Calls _ -> Stream.of("system calls");
                    case RuleCase.KernelTest(String name) -> Stream.of("`" + name + "`");
                    case RuleCase.NotOnLinux(String name, String _) ->
                        name.isEmpty() ? Stream.empty() : Stream.of("`" + name + "`");
                })
                .distinct()
                .collect(Collectors.joining(", "));
    }

    private static String reasons(Rule rule) {
        return RuleCases.OF.get(rule).stream()
                .filter(RuleCase.NotOnLinux.class::isInstance)
                .map(shown -> ((RuleCase.NotOnLinux) shown).why())
                .filter(why -> !why.isEmpty())
                .distinct()
                .collect(Collectors.joining("; "))
                .replace("|", "\\|");
    }
}
