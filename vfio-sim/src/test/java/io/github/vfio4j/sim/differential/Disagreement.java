package io.github.vfio4j.sim.differential;

import java.util.List;

/**
 * Two kernels answered the last step of a sequence differently.
 *
 * @param steps the sequence up to there
 * @param first what the first kernel answered
 * @param second what the second one answered
 */
record Disagreement(List<Step> steps, Outcome first, Outcome second) {
    Step step() {
        return steps.getLast();
    }

    /** Is it the same, at the end of another sequence? */
    boolean isSame(Disagreement other) {
        return step().equals(other.step()) && first.result() == other.first.result() && second.result() == other.second.result();
    }

    /** What tells it from other kinds of disagreement. */
    String kind() {
        int request = switch (step()) {
            case Step.Ioctl ioctl -> ioctl.request();
            case Step.IoctlStruct ioctl -> ioctl.request();
            case Step.Cut cut -> cut.call().request();
            default -> 0;
        };
        return "%s %x %d %d".formatted(step().getClass().getSimpleName(), request, first.result(), second.result());
    }

    /** The sequence as a test. */
    String asTest(String name) {
        StringBuilder test = new StringBuilder("    @Test\n    void ").append(name).append("() {\n        agree(");
        for (int i = 0; i < steps.size(); i++) {
            test.append(i == 0 ? "\n" : ",\n").append("                ").append(steps.get(i));
        }
        return test.append(");\n    }\n").toString();
    }
}
