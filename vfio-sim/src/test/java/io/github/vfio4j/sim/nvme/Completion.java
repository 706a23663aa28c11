package io.github.vfio4j.sim.nvme;

/** A completion queue entry, taken apart. */
record Completion(int result, int submissionHead, int submissionQueue, int commandId, int phase, int field) {
    /** What the controller calls this status; fails for one that it should not use. */
    Status status() {
        for (Status status : Status.values()) {
            if (status.field() == field) {
                return status;
            }
        }
        throw new AssertionError("a status that the model does not have: %04x".formatted(field));
    }
}
