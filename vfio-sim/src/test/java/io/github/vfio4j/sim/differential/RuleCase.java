package io.github.vfio4j.sim.differential;

import io.github.vfio4j.KernelProfile;
import java.util.List;

/** What shows that a rule is as its constant says. */
sealed interface RuleCase {
    /**
     * System calls of which the last one breaks the rule, and breaks it as the first one. They run on Linux and on the
     * simulated kernel.
     *
     * @param on61 what Linux 6.1 answers, a positive errno; {@link #ABSENT} where it does not have the operation
     * @param on612 what Linux 6.12 answers
     * @param on72 what Linux 7.2 answers
     * @param steps the calls
     */
    record Calls(int on61, int on612, int on72, List<Step> steps) implements RuleCase {
        /** A kernel does not have the operation, so the calls say nothing there. */
        static final int ABSENT = -1;

        boolean isOf(KernelProfile kernel) {
            return errno(kernel) != ABSENT;
        }

        int errno(KernelProfile kernel) {
            return switch (kernel) {
                case V6_1 -> on61;
                case V6_12 -> on612;
                case V7_2 -> on72;
                case DOCUMENTS -> throw new IllegalArgumentException("no Linux");
            };
        }
    }

    /**
     * A test of the API that runs on Linux and on the simulated kernel.
     *
     * @param name the class, in {@code io.github.vfio4j.sim.kernel}, and its method
     */
    record KernelTest(String name) implements RuleCase {
        String method() {
            return "io.github.vfio4j.sim.kernel." + name;
        }
    }

    /**
     * A test on the simulated kernel alone.
     *
     * @param name the class, in {@code io.github.vfio4j.sim}, and its method; empty for none
     * @param why why Linux does not show it in the VM
     */
    record NotOnLinux(String name, String why) implements RuleCase {
        String method() {
            return "io.github.vfio4j.sim." + name;
        }
    }
}
