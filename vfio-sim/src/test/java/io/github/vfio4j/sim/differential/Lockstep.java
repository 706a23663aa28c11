package io.github.vfio4j.sim.differential;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.function.BiPredicate;

/** Runs sequences on two kernels step by step and compares every answer. */
final class Lockstep implements Comparison {
    /** Where steps come from: a list, or a generator that learns from the answers. */
    interface Source {
        /** The next step, or nothing at the end. */
        Optional<Step> next();

        /** What the first kernel answered. */
        void answered(Step step, Outcome outcome);

        /** The steps of a list. */
        static Source of(List<Step> steps) {
            Iterator<Step> iterator = steps.iterator();
            return new Source() {
                @Override
                public Optional<Step> next() {
                    return iterator.hasNext() ? Optional.of(iterator.next()) : Optional.empty();
                }

                @Override
                public void answered(Step step, Outcome outcome) {}
            };
        }
    }

    final Side first;
    final Side second;
    private long steps;
    private long nanosOfFirst;
    private long nanosOfSecond;

    Lockstep(Side first, Side second) {
        this.first = first;
        this.second = second;
    }

    /** How many steps ran so far. */
    long steps() {
        return steps;
    }

    /** How the time divides. */
    String times() {
        return "%s %.1f s, %s %.1f s".formatted(first.name, nanosOfFirst / 1e9, second.name, nanosOfSecond / 1e9);
    }

    @Override
    public Optional<Disagreement> run(List<Step> sequence) {
        return run(Source.of(sequence));
    }

    /** The same with a source that may learn from the answers. */
    Optional<Disagreement> run(Source source) {
        return run(source, (step, outcome) -> true);
    }

    /** The same, and stops also where the first kernel's answer is not as expected. */
    Optional<Disagreement> run(Source source, BiPredicate<Step, Outcome> expected) {
        List<Step> done = new ArrayList<>();
        try {
            for (Optional<Step> next = source.next(); next.isPresent(); next = source.next()) {
                Step step = next.get();
                if (step.overwrites(first) || step.overwrites(second)) {
                    continue; // a shrunk sequence may lack the close before it
                }
                steps++;
                done.add(step);
                long start = System.nanoTime();
                Outcome one = first.run(step);
                long between = System.nanoTime();
                Outcome two = second.run(step);
                nanosOfFirst += between - start;
                nanosOfSecond += System.nanoTime() - between;
                if (!one.agrees(two) || !expected.test(step, one)) {
                    return Optional.of(Disagreement.ofCalls(done, one, two));
                }
                source.answered(step, one);
            }
            return Optional.empty();
        } finally {
            first.end();
            second.end();
        }
    }
}
