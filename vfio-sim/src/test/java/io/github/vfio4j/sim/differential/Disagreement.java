package io.github.vfio4j.sim.differential;

import java.util.List;

/**
 * Two kernels answered the last step of a sequence differently.
 *
 * @param word what a test that compares so begins with
 * @param steps the sequence up to there
 * @param first what the first kernel answered
 * @param second what the second one answered
 */
record Disagreement(String word, List<Step> steps, Outcome first, Outcome second) {
    private static final String AGREE = "agree";

    boolean isThroughTheApi() {
        return !word.equals(AGREE);
    }

    static Disagreement ofCalls(List<Step> steps, Outcome first, Outcome second) {
        return new Disagreement(AGREE, List.copyOf(steps), first, second);
    }

    static Disagreement throughTheApi(List<Step> steps, Outcome first, Outcome second) {
        return new Disagreement("agreeThroughTheApi", List.copyOf(steps), first, second);
    }

    Step step() {
        return steps.getLast();
    }

    /** Is it the same, at the end of another sequence? */
    boolean isSame(Disagreement other) {
        return step().equals(other.step()) && kind().equals(other.kind());
    }

    /** What tells it from other kinds of disagreement. */
    String kind() {
        return "%s %s %s".formatted(kind(step()), first.kind(), second.kind());
    }

    private static String kind(Step step) {
        int request = switch (step) {
            case Step.Ioctl ioctl -> ioctl.request();
            case Step.IoctlStruct ioctl -> ioctl.request();
            case Step.Cut cut -> cut.call().request();
            default -> 0;
        };
        return step instanceof Step.Second(Step other)
                ? "second " + kind(other)
                : "%s %x".formatted(step.getClass().getSimpleName(), request);
    }

    /** Both answers, and the sequence as a test. */
    String describe() {
        return "  the first:  %s%n  the second: %s%n%s"
                .formatted(first.differenceFrom(second), second.differenceFrom(first), asTest("foundByASequence"));
    }

    /** The sequence as a test. */
    String asTest(String name) {
        StringBuilder test = new StringBuilder("    @Test\n    void ").append(name).append("() {\n        ").append(word).append("(");
        for (int i = 0; i < steps.size(); i++) {
            test.append(i == 0 ? "\n" : ",\n").append("                ").append(steps.get(i));
        }
        return test.append(");\n    }\n").toString();
    }
}
