package io.github.vfio4j;

/** What is called when an interrupt fired. */
@FunctionalInterface
public interface InterruptHandler {
    /**
     * An interrupt fired.
     *
     * @param interrupt which
     * @param count how often since it was last taken, at least 1
     */
    void fired(Interrupt interrupt, long count);
}
