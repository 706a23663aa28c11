package io.github.vfio4j;

/**
 * What a program is held to. Either contract refuses what the running kernel refuses and what harms the kernel, the
 * program or its data ({@link Rule.Kind#HAZARD}).
 */
public enum Contract {
    /**
     * The contract of VFIO's documents: also refuses what they forbid and Linux lets pass
     * ({@link Rule.Kind#DOCUMENTS}), such as taking a group out of its container while KVM uses it, and what keeps others
     * waiting ({@link Rule.Kind#COURTESY}).
     */
    STRICT,
    /** Refuses nothing else. For programs that count on what Linux does, as QEMU's order of calls. */
    KERNEL;

    boolean has(Rule rule) {
        return this == STRICT || rule.kind() == Rule.Kind.KERNEL || rule.kind() == Rule.Kind.HAZARD;
    }
}
