package io.github.vfio4j.sim.differential;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Rule;
import io.github.vfio4j.spi.Facts;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** A rule of this JVM that is wrong until this is closed. */
final class Mutation implements AutoCloseable {
    /** What a rule with a wrong errno answers. */
    static final int ERRNO = 4000;

    private final Runnable undo;

    private Mutation(Runnable undo) {
        this.undo = undo;
    }

    /** A rule with another errno, on the newest kernel. */
    static Mutation errno(Rule rule) {
        return set(rule, "errno", new Errno(ERRNO));
    }

    /** A rule that nothing breaks. */
    static Mutation never(Rule rule) {
        Predicate<Facts> never = _ -> false;
        return set(rule, "isBroken", never);
    }

    /** A rule that comes after another, in place of before it, in every operation that goes through both. */
    static Mutation swapped(Rule rule, Rule other) {
        try {
            @SuppressWarnings("unchecked")
            Map<Operation, List<Rule>> inOrder = (Map<Operation, List<Rule>>) field("IN_ORDER").get(null);
            Map<Operation, List<Rule>> right = Map.copyOf(inOrder);
            inOrder.replaceAll(
                    (operation, order) -> order.containsAll(List.of(rule, other)) ? swapped(order, rule, other) : order);
            List<Runnable> undos = new ArrayList<>();
            undos.add(() -> inOrder.putAll(right));
            for (Rule[][] orders : (Rule[][][]) field("ENFORCED").get(null)) {
                for (Rule[] order : orders) {
                    List<Rule> rules = order == null ? List.of() : Arrays.asList(order); // which it changes with
                    int one = rules.indexOf(rule);
                    int two = rules.indexOf(other);
                    if (one >= 0 && two >= 0) {
                        Collections.swap(rules, one, two);
                        undos.add(() -> Collections.swap(rules, one, two));
                    }
                }
            }
            return new Mutation(() -> undos.forEach(Runnable::run));
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<Rule> swapped(List<Rule> order, Rule rule, Rule other) {
        List<Rule> swapped = new ArrayList<>(order);
        Collections.swap(swapped, order.indexOf(rule), order.indexOf(other));
        return swapped;
    }

    /** No mutation: a rule that tells somebody when a state breaks it. */
    static Mutation watched(Rule rule, Consumer<Facts> whenBroken) {
        Predicate<Facts> right = predicate(rule).orElseThrow();
        Predicate<Facts> watched = facts -> {
            boolean broken = right.test(facts);
            if (broken) {
                whenBroken.accept(facts);
            }
            return broken;
        };
        return set(rule, "isBroken", watched);
    }

    /** What breaks a rule, if anything checks it. */
    static Optional<Predicate<Facts>> predicate(Rule rule) {
        try {
            @SuppressWarnings("unchecked")
            Predicate<Facts> isBroken = (Predicate<Facts>) field("isBroken").get(rule);
            return Optional.ofNullable(isBroken);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Mutation set(Rule rule, String name, Object value) {
        try {
            Field field = field(name);
            Object before = field.get(rule);
            field.set(rule, value);
            return new Mutation(() -> {
                try {
                    field.set(rule, before);
                } catch (IllegalAccessException e) {
                    throw new IllegalStateException(e);
                }
            });
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Field field(String name) {
        try {
            Field field = Rule.class.getDeclaredField(name);
            field.setAccessible(true);
            return field;
        } catch (NoSuchFieldException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        undo.run();
    }
}
