package io.github.vfio4j.sim;

/** What is taken back when the next step fails. */
final class Undo {
    private Undo() {}

    /** Takes a step; if it throws, whatever it is, undoes what came before and lets it pass on. */
    static void unless(Runnable step, Runnable undo) {
        boolean done = false;
        try {
            step.run();
            done = true;
        } finally {
            if (!done) {
                undo.run();
            }
        }
    }
}
