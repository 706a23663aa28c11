package io.github.vfio4j.sim.differential;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Passes on where steps come from, and keeps those that were answered. */
final class Recording implements Lockstep.Source {
    private final Lockstep.Source source;
    private final List<Step> steps = new ArrayList<>();

    Recording(Lockstep.Source source) {
        this.source = source;
    }

    List<Step> steps() {
        return steps;
    }

    @Override
    public Optional<Step> next() {
        return source.next();
    }

    @Override
    public void answered(Step step, Outcome outcome) {
        steps.add(step);
        source.answered(step, outcome);
    }
}
