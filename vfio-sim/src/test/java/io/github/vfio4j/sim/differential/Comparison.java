package io.github.vfio4j.sim.differential;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A way to run a sequence twice and to compare the answers. */
interface Comparison {
    /** Runs a sequence to its end or to the first disagreement, and closes what it left open. */
    Optional<Disagreement> run(List<Step> steps);

    /** Leaves out steps as long as the same disagreement stays. */
    default Disagreement shrink(Disagreement found) {
        Disagreement best = found;
        for (int chunk = best.steps().size() / 2; chunk > 0; ) {
            boolean smaller = false;
            for (int from = best.steps().size() - 1 - chunk; from >= 0; from -= chunk) {
                List<Step> fewer = new ArrayList<>(best.steps());
                fewer.subList(from, from + chunk).clear();
                Optional<Disagreement> again = run(fewer);
                if (again.isPresent() && again.get().isSame(best)) {
                    best = again.get();
                    smaller = true;
                    from = Math.min(from, best.steps().size() - 1);
                }
            }
            if (!smaller || chunk > 1) {
                chunk /= 2;
            }
        }
        return best;
    }
}
