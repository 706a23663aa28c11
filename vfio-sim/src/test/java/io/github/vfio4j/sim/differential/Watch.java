package io.github.vfio4j.sim.differential;

import io.github.vfio4j.Rule;
import io.github.vfio4j.spi.Facts;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;

/** Notes which rules are broken by what runs in this JVM, until it is closed. */
final class Watch implements AutoCloseable {
    /**
     * What was seen.
     *
     * @param broken the rules that some state broke, so that it matters that they are checked
     * @param withNext those of them of which a state broke the next one, too, so that their order matters
     */
    record Seen(Set<Rule> broken, Set<Rule> withNext) {}

    private final Set<Rule> broken = ConcurrentHashMap.newKeySet();
    private final Set<Rule> withNext = ConcurrentHashMap.newKeySet();
    private final List<Mutation> watched = new ArrayList<>();

    Watch() {
        for (Rule rule : Rule.values()) {
            if (Mutation.predicate(rule).isPresent()) {
                Optional<Predicate<Facts>> next = next(rule).flatMap(Mutation::predicate);
                watched.add(Mutation.watched(rule, facts -> {
                    broken.add(rule);
                    if (next.isPresent() && breaks(facts, next.get())) {
                        withNext.add(rule);
                    }
                }));
            }
        }
    }

    /** The next rule of the same operation, if a kernel that checks it first answers something else. */
    static Optional<Rule> next(Rule rule) {
        return Arrays.stream(Rule.values())
                .skip(rule.ordinal() + 1L)
                .filter(other -> rule.operation().isPresent() && other.operation().equals(rule.operation()))
                .filter(other -> other.kind() == Rule.Kind.KERNEL && Mutation.predicate(other).isPresent())
                .findFirst()
                .filter(other -> rule.kind() == Rule.Kind.KERNEL && Mutation.predicate(rule).isPresent())
                .filter(other -> !other.errno().equals(rule.errno()));
    }

    /** A question that makes no sense in a state that the first rule forbids would be noticed, too. */
    private static boolean breaks(Facts facts, Predicate<Facts> next) {
        try {
            return next.test(facts);
        } catch (RuntimeException e) {
            return true;
        }
    }

    /** What was seen since this was made or asked last. */
    Seen take() {
        Seen seen = new Seen(Set.copyOf(broken), Set.copyOf(withNext));
        broken.clear();
        withNext.clear();
        return seen;
    }

    @Override
    public void close() {
        watched.reversed().forEach(Mutation::close);
    }
}
