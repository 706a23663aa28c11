package io.github.vfio4j.sim.nvme;

/** Where the controller puts completions. {@code tail} is what was posted, {@code head} what the driver has taken. */
final class CompletionQueue {
    static final int ENTRY_BYTES = 16;
    static final int NO_INTERRUPT = -1;

    final int id;
    final long iova;
    final int size;
    final int vector;
    /** Submission queues that complete here. */
    int users;

    int head;
    int tail;
    /** The phase bit of the next entry: 1 on the first way round. */
    int phase = 1;
    /** Entries were posted since the vector was last raised. */
    boolean news;

    CompletionQueue(int id, long iova, int size, int vector) {
        this.id = id;
        this.iova = iova;
        this.size = size;
        this.vector = vector;
    }

    boolean isFull() {
        return (tail + 1 == size ? 0 : tail + 1) == head;
    }

    /** Takes a doorbell value. False if it is outside the queue or takes entries that were never posted. */
    boolean advanceTo(int newHead) {
        if (newHead < 0 || newHead >= size) {
            return false;
        }
        int posted = Math.floorMod(tail - head, size);
        int taken = Math.floorMod(newHead - head, size);
        if (taken > posted) {
            return false;
        }
        head = newHead;
        return true;
    }

    long nextEntry() {
        return iova + (long) tail * ENTRY_BYTES;
    }

    void posted() {
        news = true;
        if (++tail == size) {
            tail = 0;
            phase ^= 1;
        }
    }
}
