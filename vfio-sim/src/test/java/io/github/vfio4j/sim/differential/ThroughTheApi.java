package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Contract;
import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Rule;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Runs a sequence through the API: under {@link Contract#STRICT} on the simulated kernel, under {@link Contract#KERNEL} on
 * the real one. These agree step by step. And on the real one:
 *
 * <ul>
 *   <li>what the library refuses, the kernel refuses when it is asked past the library, with the errno that the rule
 *       names; or with that of an earlier rule that only the kernel can know;
 *   <li>what the library lets through, the kernel does not refuse for a rule that the library knows;
 *   <li>when the steps are left out that only STRICT forbids, and what else was refused, the rest gives the same.
 * </ul>
 */
final class ThroughTheApi implements Comparison {
    private static final Set<Integer> QUESTIONS = Set.of(
            VFIO_CHECK_EXTENSION(),
            VFIO_GROUP_GET_STATUS(),
            VFIO_DEVICE_GET_REGION_INFO(),
            VFIO_DEVICE_GET_IRQ_INFO());

    private final ApiProgram real;
    private final ApiProgram simulated;
    private final KernelProfile profile;
    private final Map<Rule, Long> refusals = new EnumMap<>(Rule.class);
    private long steps;
    private long withWords;
    private long replayed;

    ThroughTheApi(ApiProgram real, ApiProgram simulated, KernelProfile profile) {
        this.real = real;
        this.simulated = simulated;
        this.profile = profile;
    }

    /** How much was compared so far. */
    String counts() {
        return "%d steps through the API, %d of them in its words, %d refused by %d rules; %d sequences replayed without what STRICT refuses"
                .formatted(
                        steps,
                        withWords,
                        refusals.values().stream().mapToLong(n -> n).sum(),
                        refusals.size(),
                        replayed);
    }

    @Override
    public Optional<Disagreement> run(List<Step> sequence) {
        List<ApiAnswer> strict = new ArrayList<>(); // null for a step that would overwrite a slot, which nobody takes
        simulated.begin(Contract.STRICT);
        try {
            for (Step step : sequence) {
                strict.add(step.overwrites(simulated.side) ? null : simulated.run(step).answer());
            }
        } finally {
            strict.add(simulated.end());
        }
        Optional<Disagreement> found = underKernel(sequence, strict);
        if (found.isEmpty() && strict.stream().anyMatch(ThroughTheApi::isOfStrict)) {
            replayed++;
            found = withoutRefused(sequence, strict);
        }
        return found;
    }

    /** The whole sequence on the real kernel. The two run apart after the first step that only STRICT forbids. */
    private Optional<Disagreement> underKernel(List<Step> sequence, List<ApiAnswer> strict) {
        boolean together = true;
        List<Step> done = new ArrayList<>();
        real.begin(Contract.KERNEL);
        Optional<Disagreement> found = Optional.empty();
        ApiAnswer end;
        try {
            for (int i = 0; i < sequence.size() && found.isEmpty(); i++) {
                Step step = sequence.get(i);
                if (strict.get(i) == null || step.overwrites(real.side)) {
                    continue;
                }
                steps++;
                done.add(step);
                together &= !isOfStrict(strict.get(i));
                ApiProgram.Attempt attempt = real.run(step);
                found = claims(done, attempt);
                if (found.isEmpty() && together && !agree(attempt.answer(), strict.get(i))) {
                    found = differs(done, attempt.answer(), strict.get(i));
                }
            }
        } finally {
            end = real.end();
        }
        if (found.isEmpty() && !done.isEmpty() && (end instanceof ApiAnswer.BrokeDown || together && !end.equals(strict.getLast()))) {
            found = differs(done, end, strict.getLast());
        }
        return found;
    }

    /** What is left of the sequence under STRICT, on the real kernel. */
    private Optional<Disagreement> withoutRefused(List<Step> sequence, List<ApiAnswer> strict) {
        List<Step> done = new ArrayList<>();
        real.begin(Contract.KERNEL);
        try {
            for (int i = 0; i < sequence.size(); i++) {
                Step step = sequence.get(i);
                if (strict.get(i) == null
                        || strict.get(i) instanceof ApiAnswer.Refused
                        || step.overwrites(real.side)) {
                    continue;
                }
                done.add(step);
                ApiAnswer answer = real.run(step).answer();
                if (!agree(answer, strict.get(i))) {
                    return differs(done, answer, strict.get(i));
                }
            }
            return Optional.empty();
        } finally {
            real.end();
        }
    }

    /** STRICT asks for the group's status first, and that may be what fails. */
    private static boolean agree(ApiAnswer real, ApiAnswer strict) {
        return real.equals(strict)
                || real instanceof ApiAnswer.Failed(Operation _, Errno errno)
                        && strict.equals(new ApiAnswer.Failed(Operation.GROUP_GET_STATUS, errno));
    }

    /** Is it what only STRICT refuses? */
    private static boolean isOfStrict(ApiAnswer answer) {
        return answer instanceof ApiAnswer.Refused(Rule rule)
                && (rule.kind() == Rule.Kind.DOCUMENTS || rule.kind() == Rule.Kind.COURTESY);
    }

    /** Did root unbind something? A group without a device leaves its container, which the library cannot know. */
    private static boolean behindItsBack(List<Step> done) {
        return done.stream().anyMatch(step -> step instanceof Step.Attribute(String path, String _) && path.endsWith("/unbind"));
    }

    private static Optional<Disagreement> differs(List<Step> done, ApiAnswer real, ApiAnswer simulated) {
        return Optional.of(Disagreement.throughTheApi(done, Outcome.said(String.valueOf(real)), Outcome.said(String.valueOf(simulated))));
    }

    /** Asks the kernel past the library whether it would have been of the same mind. */
    private Optional<Disagreement> claims(List<Step> done, ApiProgram.Attempt attempt) {
        if (!(attempt.answer() instanceof ApiAnswer.NoWords)) {
            withWords++;
        }
        return switch (attempt.answer()) {
            case ApiAnswer.Refused(Rule rule) when rule.kind() != Rule.Kind.KERNEL -> Optional.empty();
            case ApiAnswer.Refused(Rule rule) -> {
                refusals.merge(rule, 1L, Long::sum);
                if (behindItsBack(done)) {
                    yield Optional.empty();
                }
                Set<Long> allowed = errnosUpTo(rule, attempt.asCall());
                yield pastTheLibrary(done, attempt, allowed, rule.id() + " should be answered " + allowed);
            }
            case ApiAnswer.Failed(Operation operation, Errno errno) -> {
                // Which groups another process has open is nothing that the library can know.
                boolean unknown = operation == Operation.OPEN_GROUP || behindItsBack(done);
                Optional<Rule> known = unknown ? Optional.empty() : onlyTheLibrarys(operation, errno);
                if (known.isPresent()) {
                    yield Optional.of(Disagreement.throughTheApi(
                            done,
                            Outcome.said(operation + " " + errno),
                            Outcome.said("the library should have refused it by " + known.get().id())));
                }
                yield operation == Operation.MEMORY_ALLOCATE
                        ? Optional.empty()
                        : pastTheLibrary(done, attempt, Set.of(-(long) errno.number()), "failed with " + errno);
            }
            case ApiAnswer.NoSuchIndex no -> pastTheLibrary(
                    done, attempt, Set.of(-(long) Errno.EINVAL.number()), "no such index: Linux should answer EINVAL");
            case ApiAnswer.Did(String what) when isQuestion(attempt.asCall()) -> {
                long result = attempt.asCall().run(real.side).result();
                boolean same = attempt.asCall() instanceof Step.Ioctl ? what.equals(String.valueOf(result > 0)) : result >= 0;
                yield same ? Optional.empty() : Optional.of(Disagreement.throughTheApi(done, Outcome.of(result), Outcome.said(what)));
            }
            default -> Optional.empty();
        };
    }

    private static boolean isQuestion(Step step) {
        return switch (step) {
            case Step.Ioctl ioctl -> QUESTIONS.contains(ioctl.request());
            case Step.IoctlStruct ioctl -> QUESTIONS.contains(ioctl.request());
            case Step.Read read -> true;
            default -> false;
        };
    }

    private Optional<Disagreement> pastTheLibrary(
            List<Step> done, ApiProgram.Attempt attempt, Set<Long> allowed, String said) {
        Outcome outcome = real.side.run(attempt.asCall());
        return allowed.contains(outcome.result())
                ? Optional.empty()
                : Optional.of(Disagreement.throughTheApi(done, outcome, Outcome.said(said)));
    }

    /** The errno of a rule, and those of earlier rules that only the kernel can know to be broken, too. */
    private Set<Long> errnosUpTo(Rule rule, Step asCall) {
        Set<Long> errnos = new TreeSet<>();
        errnos.add(-(long) rule.errno(profile).number());
        for (Rule other : Rule.values()) {
            if (other.ordinal() < rule.ordinal()
                    && other.operation().equals(rule.operation())
                    && rule.operation().isPresent()
                    && other.kind() == Rule.Kind.KERNEL
                    && other.enforcedBy() == Rule.EnforcedBy.KERNEL) {
                errnos.add(-(long) other.errno(profile).number());
            }
        }
        return errnos;
    }

    /** A rule with this errno that the library knows, if no rule that only the kernel knows has it, too. */
    private Optional<Rule> onlyTheLibrarys(Operation operation, Errno errno) {
        Rule found = null;
        for (Rule rule : Rule.values()) {
            if (rule.operation().equals(Optional.of(operation))
                    && rule.kind() == Rule.Kind.KERNEL
                    && rule.errno(profile).equals(errno)) {
                if (rule.enforcedBy() == Rule.EnforcedBy.KERNEL) {
                    return Optional.empty();
                }
                found = rule;
            }
        }
        return Optional.ofNullable(found);
    }
}
