package io.github.vfio4j.sim.nvme;

/** The queues that exist, by identifier; 0 is the admin queue. Keeps their doorbells at 0 while they do not. */
final class Queues {
    private final Registers registers;
    private final SubmissionQueue[] submission;
    private final CompletionQueue[] completion;

    Queues(Registers registers, int maxPairs) {
        this.registers = registers;
        this.submission = new SubmissionQueue[maxPairs + 1];
        this.completion = new CompletionQueue[maxPairs + 1];
    }

    /** The highest identifier that a queue can have. */
    int maxPairs() {
        return submission.length - 1;
    }

    /** The queue, or null if there is none. */
    SubmissionQueue submission(int id) {
        return id < submission.length ? submission[id] : null;
    }

    /** The queue, or null if there is none. */
    CompletionQueue completion(int id) {
        return id < completion.length ? completion[id] : null;
    }

    void add(SubmissionQueue queue) {
        registers.clearDoorbell(Registers.tailDoorbell(queue.id));
        submission[queue.id] = queue;
    }

    void add(CompletionQueue queue) {
        registers.clearDoorbell(Registers.headDoorbell(queue.id));
        completion[queue.id] = queue;
    }

    void remove(SubmissionQueue queue) {
        queue.completions.users--;
        submission[queue.id] = null;
        registers.clearDoorbell(Registers.tailDoorbell(queue.id));
    }

    void remove(CompletionQueue queue) {
        completion[queue.id] = null;
        registers.clearDoorbell(Registers.headDoorbell(queue.id));
    }

    void removeAll() {
        for (int id = 0; id <= maxPairs(); id++) {
            submission[id] = null;
            completion[id] = null;
            registers.clearDoorbell(Registers.tailDoorbell(id));
            registers.clearDoorbell(Registers.headDoorbell(id));
        }
    }

    boolean anyBesidesAdmin() {
        for (int id = 1; id <= maxPairs(); id++) {
            if (submission[id] != null || completion[id] != null) {
                return true;
            }
        }
        return false;
    }

    /** Tells whether a doorbell was rung whose queue does not exist, and puts it back to 0. */
    boolean strayDoorbell() {
        boolean found = false;
        for (int id = 0; id <= maxPairs(); id++) {
            found |= submission[id] == null && takeBack(Registers.tailDoorbell(id));
            found |= completion[id] == null && takeBack(Registers.headDoorbell(id));
        }
        return found;
    }

    private boolean takeBack(long doorbell) {
        int value = registers.doorbell(doorbell);
        if (value == 0) {
            return false;
        }
        registers.takeBackDoorbell(doorbell, value, 0);
        return true;
    }
}
