package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The page docs/rules.md is made of the rules; it is written anew with {@code -Dvfio4j.write=true}. */
class RulesPageTest {
    private static final Path PAGE =
            Path.of(System.getProperty("basedir", "")).toAbsolutePath().getParent().resolve("docs/rules.md");

    @Test
    void thePageSaysWhatTheRulesSay() throws IOException {
        if (Boolean.getBoolean("vfio4j.write")) {
            Files.writeString(PAGE, page());
        }
        assertThat(PAGE).hasContent(page());
    }

    private static String page() {
        StringBuilder page = new StringBuilder("""
                <!-- Generated from Rule.java; do not edit. To regenerate: mvn -pl vfio-api test -Dtest=RulesPageTest -Dvfio4j.write=true -->

                # The rules

                %d rules, in the order in which the kernel checks them: the first broken one decides the errno. API: the library refuses before any call. TYPE: a program that breaks it does not compile, or has no way to say it. KERNEL: only the kernel can know; the rule explains its errno. Where older kernels answer with another errno, the line says so. [How the rules are shown](rules-shown.md) says which tests do it, and why some cannot be seen.
                """.formatted(Rule.values().length));
        kind(page, Rule.Kind.DOCUMENTS, "Stricter than Linux",
                "Linux lets pass what breaks these; only `Contract.STRICT` refuses it, as VFIO's documents do.");
        kind(page, Rule.Kind.COURTESY, "Courtesy",
                "Linux lets pass what breaks these, and somebody else waits longer; only `Contract.STRICT` refuses it.");
        kind(page, Rule.Kind.HAZARD, "Hazards",
                "The kernel lets pass what breaks these, and harm follows; both contracts refuse it.");
        section(page, "Any operation", Optional.empty());
        for (Operation operation : Operation.values()) {
            section(page, operation.kernelName(), Optional.of(operation));
        }
        return page.toString();
    }

    private static void kind(StringBuilder page, Rule.Kind kind, String title, String text) {
        page.append("\n## ").append(title).append("\n\n").append(text).append("\n\n");
        String rules = Arrays.stream(Rule.values())
                .filter(rule -> rule.kind() == kind)
                .map(rule -> "- `" + rule.id() + "`: " + rule.broken() + "\n")
                .collect(Collectors.joining());
        page.append(rules.isEmpty() ? "None.\n" : rules);
    }

    private static void section(StringBuilder page, String title, Optional<Operation> operation) {
        List<Rule> rules = Arrays.stream(Rule.values())
                .filter(rule -> rule.operation().isEmpty()
                        ? operation.isEmpty()
                        : operation.filter(rule::isAbout).isPresent())
                .toList();
        if (rules.isEmpty()) {
            return;
        }
        page.append("\n## ").append(title).append("\n\n");
        page.append("| rule | broken when | errno | enforced by | in the kernel | instead |\n|---|---|---|---|---|---|\n");
        for (Rule rule : rules) {
            page.append("| `%s` | %s | %s | %s | `%s` | %s |\n"
                    .formatted(
                            rule.id(),
                            cell(rule.broken()),
                            errnos(rule),
                            rule.enforcedBy(),
                            rule.kernelFunction(),
                            cell(rule.instead())));
        }
    }

    private static String errnos(Rule rule) {
        return rule.errno().name()
                + Arrays.stream(KernelProfile.values())
                        .filter(kernel -> kernel != KernelProfile.DOCUMENTS && !rule.errno(kernel).equals(rule.errno()))
                        .map(kernel -> "; " + rule.errno(kernel).name() + " on " + kernel)
                        .collect(Collectors.joining());
    }

    private static String cell(String text) {
        return text.replace("|", "\\|");
    }
}
