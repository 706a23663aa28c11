package io.github.vfio4j.sim.nvme;

/** Where the driver puts commands. {@code head} is what was fetched, {@code tail} what the doorbell said. */
final class SubmissionQueue {
    final int id;
    final long iova;
    final int size;
    final CompletionQueue completions;
    int head;
    int tail;

    SubmissionQueue(int id, long iova, int size, CompletionQueue completions) {
        this.id = id;
        this.iova = iova;
        this.size = size;
        this.completions = completions;
        completions.users++;
    }

    boolean isEmpty() {
        return head == tail;
    }

    /** Takes a doorbell value. False if no driver that counts right can write it: outside the queue, or over-full. */
    boolean advanceTo(int newTail) {
        if (newTail < 0 || newTail >= size) {
            return false;
        }
        int queued = Math.floorMod(tail - head, size);
        int added = Math.floorMod(newTail - tail, size);
        if (queued + added >= size) {
            return false;
        }
        tail = newTail;
        return true;
    }

    long nextEntry() {
        return iova + (long) head * Command.BYTES;
    }

    void fetched() {
        head = head + 1 == size ? 0 : head + 1;
    }
}
