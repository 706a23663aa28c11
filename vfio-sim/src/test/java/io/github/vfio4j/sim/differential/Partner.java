package io.github.vfio4j.sim.differential;

/** The other of two programs that run on one kernel and take turns. */
interface Partner {
    /** Runs a step there. */
    Outcome run(Step step);

    /** Would the descriptor or mapping of a step overwrite one that is there, as far as can be told from here? */
    boolean overwrites(Step step);

    /** Is a slot taken there, as far as can be told from here? */
    boolean isOpen(int slot);

    /** Gives back what a sequence left. */
    void closeAll();
}
