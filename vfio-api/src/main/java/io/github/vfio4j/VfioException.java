package io.github.vfio4j;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * An operation did not happen: the kernel refused it, or, as {@link RuleViolation}, the library did before any call.
 * Carries the operation, the errno, and what to do next.
 */
public class VfioException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final Operation operation;
    private final Errno errno;
    private final String subject;

    /**
     * Makes the exception for a refusal of the kernel. What the errno means at this point comes from the rules.
     *
     * @param operation what was asked for
     * @param errno what the kernel answered
     * @param subject what it was asked of, such as {@code /dev/vfio/26}
     */
    public VfioException(Operation operation, Errno errno, String subject) {
        this(
                Objects.requireNonNull(operation, "operation"),
                Objects.requireNonNull(errno, "errno"),
                Objects.requireNonNull(subject, "subject"),
                message(operation, errno, subject, ""));
    }

    /** Makes an exception with a message of its own. */
    VfioException(Operation operation, Errno errno, String subject, String message) {
        super(message);
        this.operation = operation;
        this.errno = errno;
        this.subject = subject;
    }

    /**
     * Returns what was asked for.
     *
     * @return the operation
     */
    public final Operation operation() {
        return operation;
    }

    /**
     * Returns what the kernel answered, or would have answered if the rule had not been checked before.
     *
     * @return the errno
     */
    public final Errno errno() {
        return errno;
    }

    /**
     * Returns the rule that was broken, if the library knows it.
     *
     * @return the rule
     */
    public Optional<Rule> rule() {
        List<Rule> possible = Rule.thatAnswer(operation, errno);
        return possible.size() == 1 ? Optional.of(possible.getFirst()) : Optional.empty();
    }

    /** Adds what was found out after the refusal, such as the names of the devices in the way. */
    final VfioException withDetail(String detail) {
        VfioException more = new VfioException(operation, errno, subject, message(operation, errno, subject, detail));
        more.setStackTrace(getStackTrace());
        return more;
    }

    private static String message(Operation operation, Errno errno, String subject, String detail) {
        StringBuilder text = new StringBuilder(operation.kernelName())
                .append(" failed with ")
                .append(errno)
                .append(": ")
                .append(subject);
        List<Rule> rules = Rule.thatAnswer(operation, errno);
        for (Rule rule : rules) {
            text.append("\n  means    ").append(rule.broken());
            text.append("\n  next     ").append(rule.instead());
        }
        if (rules.isEmpty()) {
            text.append("\n  next     ").append(errno.next());
        }
        if (!detail.isEmpty()) {
            text.append("\n  found    ").append(detail);
        }
        return text.toString();
    }
}
