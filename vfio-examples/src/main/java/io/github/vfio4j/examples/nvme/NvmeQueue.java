package io.github.vfio4j.examples.nvme;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.vfio4j.Mmio;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A submission queue and its completion queue (section 4): two rings in memory and two doorbells. {@link #submit} puts
 * commands into the one, {@link #ring} tells the controller of them, {@link #reap} takes completions out of the other.
 * Many commands may be under way; they may complete in any order.
 *
 * <p>Each queue belongs to one thread at a time; different queues need no coordination at all. {@code submit},
 * {@code ring} and {@code reap} neither allocate nor wait.
 */
public final class NvmeQueue {
    /** What {@link #reap} returns when no completion is there. */
    public static final int NONE = -1;

    static final int SUBMISSION_BYTES = 64;
    static final int COMPLETION_BYTES = 16;
    static final int LIST_ENTRY_BYTES = 8;

    private static final VarHandle INT32 =
            JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle INT64 =
            JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    /** Looks at the queue between two looks at the controller and the clock. */
    private static final int SPINS = 1024;

    private final NvmeController controller;
    private final Mmio registers;
    private final int id;
    private final int entries;
    private final int pageBytes;
    private final int maxTransferBytes;
    private final long tailDoorbell;
    private final long headDoorbell;
    private final MemorySegment submissions;
    private final MemorySegment completions;
    private final MemorySegment lists;
    private final long listsIova;
    private final int listBytes;
    private final DmaSlice submissionRing;
    private final DmaSlice completionRing;

    /** Command identifiers that no command under way has; a stack. */
    private final int[] freeIds;

    private int freeCount;
    private int tail;
    private int head;
    private int phase = 1; // the controller writes 1 on its first way round, then 0, then 1
    private boolean headMoved;
    private int status;
    private int result;

    /**
     * Makes the driver's side of a queue pair; the controller does not know of it yet.
     *
     * @param entries the size of both rings, at least 2
     * @param maxTransferBytes the most that one command moves
     */
    NvmeQueue(NvmeController controller, DmaSlices memory, int id, int entries, int maxTransferBytes) {
        this.controller = controller;
        this.registers = controller.registers();
        this.id = id;
        this.entries = entries;
        this.pageBytes = controller.pageBytes();
        this.maxTransferBytes = maxTransferBytes;
        this.tailDoorbell = controller.doorbell(2 * id);
        this.headDoorbell = controller.doorbell(2 * id + 1);
        this.submissionRing = memory.take((long) entries * SUBMISSION_BYTES);
        this.completionRing = memory.take((long) entries * COMPLETION_BYTES);
        this.submissions = submissionRing.segment();
        this.completions = completionRing.segment();
        // Each identifier has a list of its own, for all pages but the first. A power of two never crosses a page.
        int pages = Math.max(1, maxTransferBytes / pageBytes);
        this.listBytes = LIST_ENTRY_BYTES * Integer.highestOneBit(2 * pages - 1);
        DmaSlice listSlice = memory.take((long) entries * listBytes);
        this.lists = listSlice.segment();
        this.listsIova = listSlice.iova();
        // A ring with n entries holds n - 1: full and empty must look different.
        this.freeIds = new int[entries - 1];
        for (int i = 0; i < freeIds.length; i++) {
            freeIds[i] = freeIds.length - 1 - i;
        }
        this.freeCount = freeIds.length;
    }

    /**
     * Returns the queue's identifier.
     *
     * @return 0 for the admin queue
     */
    public int id() {
        return id;
    }

    /**
     * Returns how many commands can be under way at a time.
     *
     * @return one less than the ring has entries
     */
    public int capacity() {
        return freeIds.length;
    }

    /**
     * Returns how many commands are under way: submitted and not reaped.
     *
     * @return the number
     */
    public int pending() {
        return freeIds.length - freeCount;
    }

    long submissionIova() {
        return submissionRing.iova();
    }

    long completionIova() {
        return completionRing.iova();
    }

    int entries() {
        return entries;
    }

    /**
     * Puts a command into the ring. The controller hears of it at the next {@link #ring}.
     *
     * @param opcode what to do
     * @param namespace the namespace, or 0
     * @param iova where its data is in memory, a multiple of 4; in one piece of IOVAs
     * @param bytes how much data; 0 for a command without
     * @param dword10 the first three dwords that depend on the command
     * @param dword11 the second
     * @param dword12 the third
     * @return the command's identifier, which {@link #reap} returns when it is done
     * @throws IllegalStateException if {@link #capacity} commands are under way
     * @throws IllegalArgumentException if the data is misaligned or longer than a command can move
     */
    public int submit(int opcode, int namespace, long iova, int bytes, int dword10, int dword11, int dword12) {
        if (freeCount == 0) {
            throw new IllegalStateException("queue " + id + " is full: reap before submitting more");
        }
        if ((iova & 3) != 0 || bytes < 0 || bytes > maxTransferBytes) {
            throw new IllegalArgumentException("%d bytes at IOVA 0x%x: a command moves up to %d, from a multiple of 4"
                    .formatted(bytes, iova, maxTransferBytes));
        }
        int command = freeIds[--freeCount];
        long entry = (long) tail * SUBMISSION_BYTES;
        INT32.setOpaque(submissions, entry, opcode | command << 16);
        INT32.setOpaque(submissions, entry + 4, namespace);
        INT64.setOpaque(submissions, entry + 8, 0L);
        INT64.setOpaque(submissions, entry + 16, 0L);
        INT64.setOpaque(submissions, entry + 24, bytes == 0 ? 0L : iova);
        INT64.setOpaque(submissions, entry + 32, secondPage(command, iova, bytes));
        INT32.setOpaque(submissions, entry + 40, dword10);
        INT32.setOpaque(submissions, entry + 44, dword11);
        INT32.setOpaque(submissions, entry + 48, dword12);
        INT32.setOpaque(submissions, entry + 52, 0);
        INT64.setOpaque(submissions, entry + 56, 0L);
        tail = tail + 1 == entries ? 0 : tail + 1;
        return command;
    }

    /**
     * The second PRP entry (section 4.3): nothing if the data ends in its first page, the second page if it ends there,
     * and a list of all pages but the first otherwise.
     */
    private long secondPage(int command, long iova, int bytes) {
        long second = (iova | pageBytes - 1) + 1;
        long rest = iova + bytes - second;
        if (rest <= 0) {
            return 0;
        }
        if (rest <= pageBytes) {
            return second;
        }
        long list = (long) command * listBytes;
        for (long slot = list; rest > 0; slot += LIST_ENTRY_BYTES) {
            INT64.setOpaque(lists, slot, second);
            second += pageBytes;
            rest -= pageBytes;
        }
        return listsIova + list;
    }

    /**
     * Tells the controller of all that happened since the last call: completions that were reaped, commands that were
     * submitted. One call for many commands costs what one for one command costs.
     */
    public void ring() {
        if (headMoved) {
            registers.write32Release(headDoorbell, head);
            headMoved = false;
        }
        registers.write32Release(tailDoorbell, tail);
    }

    /**
     * Takes the next completion, if there is one. Then {@link #status} and {@link #result} are its own.
     *
     * @return the identifier of the command that is done, or {@link #NONE}
     * @throws NvmeException if the completion is for no command under way: the controller or the memory is broken
     */
    public int reap() {
        long entry = (long) head * COMPLETION_BYTES;
        // Acquire: what the controller wrote before the phase bit, data included, is seen after it.
        int last = (int) INT32.getAcquire(completions, entry + 12);
        if ((last >>> 16 & 1) != phase) {
            return NONE;
        }
        int command = last & 0xffff;
        if (command >= freeIds.length || freeCount == freeIds.length) {
            throw new NvmeException("queue " + id + " got a completion for command " + command + ", which is not under way");
        }
        status = last >>> 17;
        result = (int) INT32.getOpaque(completions, entry);
        freeIds[freeCount++] = command;
        head++;
        if (head == entries) {
            head = 0;
            phase ^= 1;
        }
        headMoved = true;
        return command;
    }

    /**
     * Returns how the command that was reaped last ended.
     *
     * @return 0 for success, or the status field of its completion without the phase bit
     */
    public int status() {
        return status;
    }

    /**
     * Returns dword 0 of the completion that was reaped last.
     *
     * @return what it means depends on the command
     */
    public int result() {
        return result;
    }

    /**
     * Rings, and waits for the next completion, spinning.
     *
     * @return the identifier of the command that is done
     * @throws NvmeException if none comes within 30 seconds, or the controller breaks down or is gone
     * @throws IllegalStateException if no command is under way
     */
    public int await() {
        if (pending() == 0) {
            throw new IllegalStateException("queue " + id + " has no command under way");
        }
        ring();
        long start = System.nanoTime();
        for (int spins = 1; ; spins++) {
            int command = reap();
            if (command != NONE) {
                return command;
            }
            if (spins % SPINS == 0) {
                controller.checkAlive();
                if (System.nanoTime() - start > NvmeController.COMMAND_NANOS) {
                    throw new NvmeException("queue %d got no completion in %d s; %d commands are under way"
                            .formatted(id, NvmeController.COMMAND_NANOS / 1_000_000_000, pending()));
                }
            }
            Thread.onSpinWait();
        }
    }

    /** Carries out one command on a queue without others and returns dword 0 of its completion. */
    int run(String name, int opcode, int namespace, long iova, int bytes, int dword10, int dword11) {
        submit(opcode, namespace, iova, bytes, dword10, dword11, 0);
        await();
        if (status != 0) {
            throw NvmeException.refused(name, status);
        }
        return result;
    }
}
