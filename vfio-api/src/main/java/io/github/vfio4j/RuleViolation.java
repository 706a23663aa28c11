package io.github.vfio4j;

import java.util.Optional;

/** The library refused an operation because it breaks a {@link Rule}. Nothing was sent to the kernel. */
public final class RuleViolation extends VfioException {
    private static final long serialVersionUID = 1;

    private final Rule rule;

    /** A rule that holds for several operations, such as that a handle is open, names the one that was asked for. */
    RuleViolation(Rule rule, Operation operation, String detail) {
        super(operation, rule.errno(), "", message(rule, operation, detail));
        this.rule = rule;
    }

    /** Returns the rule; never empty. */
    @Override
    public Optional<Rule> rule() {
        return Optional.of(rule);
    }

    private static String message(Rule rule, Operation operation, String detail) {
        return """
                %s refused before the call: %s%s
                  rule     %s (%s; %s)
                  instead  %s"""
                .formatted(
                        operation.kernelName(),
                        rule.broken(),
                        detail.isEmpty() ? "" : " (" + detail + ")",
                        rule.id(),
                        without(rule),
                        rule.kernelFunction(),
                        rule.instead());
    }

    private static String without(Rule rule) {
        return switch (rule.kind()) {
            case KERNEL -> "the kernel would answer " + rule.errno();
            case DOCUMENTS -> "the contract of VFIO's documents, which answer " + rule.errno() + "; Linux lets it pass";
            case COURTESY -> "Linux would let it pass; Contract.STRICT does not";
            case HAZARD -> "the kernel would let it pass, and harm would follow";
        };
    }
}
