package io.github.vfio4j.examples.nvme;

import io.github.vfio4j.DmaSlice;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.nvme.NvmeException.Kind;
import java.time.Duration;

/**
 * A submission queue and its completion queue (section 4): two rings in memory and two doorbells. {@link #submit} puts
 * commands into the one, {@link #ring} tells the controller of them, {@link #reap} takes completions out of the other.
 * Many commands may be under way; they may complete in any order.
 *
 * <p>Each queue belongs to one thread at a time; different queues need no coordination at all. {@code submit},
 * {@code ring} and {@code reap} neither allocate nor wait nor lock; a wait does not allocate either.
 *
 * <p>When the device or the memory is closed while a thread is at work here, that thread gets an
 * {@link IllegalStateException}.
 */
public final class NvmeQueue {
    /** What {@link #reap} returns when no completion is there. */
    public static final int NONE = -1;

    static final int SUBMISSION_BYTES = 64;
    static final int COMPLETION_BYTES = 16;
    static final int LIST_ENTRY_BYTES = 8;

    /** Of the phase bit, in the last dword of a completion; behind it is the status. */
    private static final int PHASE_SHIFT = 16;

    private static final int PHASE = 1 << PHASE_SHIFT;

    /** In the place of the next identifier that is free. */
    private static final int UNDER_WAY = -1;

    /** Looks at the queue between two looks at the controller and the clock. */
    private static final int SPINS = 1024;
    /** How long a wait for an interrupt lasts between two looks at the controller. */
    private static final Duration LOOK = Duration.ofMillis(500);

    private final NvmeController controller;
    private final Mmio doorbells; // first that of the tail
    private final char headDoorbell; // the other's offset, in numbers of 4 bytes
    private final int id;
    private final int entries;
    private final long pageBytes;
    private final long pageMask;
    private final long maxTransferBytes;
    private final DmaSlice submissions;
    private final DmaSlice completions;
    private final DmaSlice lists;
    private final int listBytes;
    private final Interrupt interrupt; // null for a queue that is polled

    /** By command identifier: the next one that is free, their number if none is, or {@link #UNDER_WAY}. */
    private final int[] next;

    private int free; // the first command identifier that is free, or their number
    private char tail; // of 16 bits without sign, as in the doorbells: the JIT knows then that no offset is negative
    private char head;
    private int phase; // PHASE or 0
    private char rungTail; // what the controller was told last; a whole round never fits between
    private char rungHead;
    private int status;
    private final long[] words; // what was read of completions

    /**
     * Makes the driver's side of a queue pair; the controller does not know of it yet.
     *
     * @param entries the size of both rings, at least 2
     * @param maxTransferBytes the most that one command moves
     * @param interrupt what the controller raises for completions, or null
     */
    NvmeQueue(
            NvmeController controller,
            DmaSlices memory,
            int id,
            int entries,
            int maxTransferBytes,
            Interrupt interrupt) {
        this.controller = controller;
        this.id = id;
        this.entries = entries;
        this.pageBytes = controller.pageBytes();
        this.pageMask = pageBytes - 1;
        this.maxTransferBytes = maxTransferBytes;
        long tailDoorbell = controller.doorbell(2 * id);
        long doorbellBytes = controller.doorbell(2 * id + 1) - tailDoorbell;
        this.headDoorbell = (char) (doorbellBytes / Integer.BYTES);
        this.doorbells = controller.registers().part(tailDoorbell, doorbellBytes + Integer.BYTES);
        this.submissions = memory.take((long) entries * SUBMISSION_BYTES);
        this.completions = memory.take((long) entries * COMPLETION_BYTES);
        // Each identifier has a list of its own, for all pages but the first. A power of two never crosses a page.
        int pages = (int) Math.max(1, maxTransferBytes / pageBytes);
        this.listBytes = LIST_ENTRY_BYTES * Integer.highestOneBit(2 * pages - 1);
        this.lists = memory.take((long) entries * listBytes);
        this.interrupt = interrupt;
        // A ring with n entries holds n - 1: full and empty must look different.
        this.next = new int[entries - 1];
        this.words = new long[entries - 1];
        clear();
    }

    /** Back to the state before the first command. The controller does not use the queue now. */
    void clear() {
        submissions.segment().fill((byte) 0);
        completions.segment().fill((byte) 0);
        for (int i = 0; i < next.length; i++) {
            next[i] = i + 1;
        }
        free = 0;
        tail = 0;
        head = 0;
        phase = PHASE; // the controller writes 1 on its first way round, then 0, then 1
        rungTail = 0;
        rungHead = 0;
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
        return next.length;
    }

    /**
     * Returns how many commands are under way: submitted and not reaped.
     *
     * @return the number
     */
    public int pending() {
        int commands = tail - head; // each has one completion
        return commands < 0 ? commands + entries : commands;
    }

    long submissionIova() {
        return submissions.iova();
    }

    long completionIova() {
        return completions.iova();
    }

    int entries() {
        return entries;
    }

    Interrupt interrupt() {
        return interrupt;
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
        long words0And1 = (long) namespace << 32 | opcode;
        long words10And11 = (long) dword11 << 32 | Integer.toUnsignedLong(dword10);
        return bytes == 0
                ? put(words0And1, 0, 0, words10And11, dword12)
                : submit(words0And1, iova, bytes, words10And11, dword12);
    }

    /** Submits a command with data; two dwords are a long, the lower one first. */
    int submit(long words0And1, long iova, long bytes, long words10And11, int dword12) {
        if ((iova & 3) != 0 || Long.compareUnsigned(bytes - 1, maxTransferBytes) >= 0) {
            throw noCommandMoves(bytes, iova);
        }
        return put(words0And1, iova, bytes, words10And11, dword12);
    }

    private int put(long words0And1, long iova, long bytes, long words10And11, int dword12) {
        int command = free;
        if (!isIdentifier(command)) {
            throw full();
        }
        long secondPage = secondPage(command, iova, bytes);
        free = next[command];
        next[command] = UNDER_WAY;
        char place = tail;
        tail = (char) (place + 1 == entries ? 0 : place + 1);
        // Last, for want of registers: it fails only when the memory is closed, and the queue with it.
        // Plain: the controller does not look at the entry before the doorbell rings, which is a release.
        submissions.write64BytesPlain(
                (long) place * SUBMISSION_BYTES,
                words0And1 | (long) command << 16,
                0, // reserved
                0, // metadata
                iova,
                secondPage,
                words10And11,
                Integer.toUnsignedLong(dword12),
                0);
        return command;
    }

    private IllegalStateException full() {
        return new IllegalStateException("queue " + id + " is full: reap before submitting more");
    }

    private IllegalArgumentException noCommandMoves(long bytes, long iova) {
        return new IllegalArgumentException("%d bytes at IOVA 0x%x: a command moves 1 to %d bytes, from a multiple of 4"
                .formatted(bytes, iova, maxTransferBytes));
    }

    /**
     * The second PRP entry (section 4.3): nothing if the data ends in its first page, the second page if it ends there,
     * and a list of all pages but the first otherwise.
     */
    private long secondPage(int command, long iova, long bytes) {
        long end = (iova & pageMask) + bytes;
        return end <= pageBytes ? 0 : pages(command, iova + bytes, end - pageBytes);
    }

    private long pages(int command, long end, long rest) {
        long second = end - rest;
        return rest <= pageBytes ? second : list(command, second, rest);
    }

    /** Lists the pages of the rest of the data; returns where the controller finds the list. */
    private long list(int command, long page, long rest) {
        long list = (long) command * listBytes;
        for (long done = 0; done < rest; done += pageBytes) {
            lists.write64Plain(list + done / pageBytes * LIST_ENTRY_BYTES, page + done);
        }
        return lists.iova() + list;
    }

    /**
     * Tells the controller of all that happened since the last call: completions that were reaped, commands that were
     * submitted. One call for many commands costs what one for one command costs.
     */
    public void ring() {
        char newHead = head;
        if (newHead != rungHead) {
            rungHead = newHead;
            doorbells.write32Release((long) headDoorbell * Integer.BYTES, newHead);
        }
        char newTail = tail;
        if (newTail != rungTail) {
            rungTail = newTail;
            doorbells.write32Release(0, newTail);
        }
    }

    /**
     * Takes the next completion, if there is one. Then {@link #status} and {@link #result} are its own.
     *
     * @return the identifier of the command that is done, or {@link #NONE}
     * @throws NvmeException if the completion is for no command under way: the controller or the memory is broken
     */
    public int reap() {
        // Acquire: what the controller wrote before the phase bit, data included, is seen after it.
        int last = completions.read32Acquire((long) head * COMPLETION_BYTES + 12);
        if (((last ^ phase) & PHASE) != 0) {
            return NONE;
        }
        int command = last & 0xffff;
        if (!isUnderWay(command)) {
            throw notUnderWay(command);
        }
        next[command] = free;
        free = command;
        status = last >>> PHASE_SHIFT + 1;
        advance(1, last);
        return command;
    }

    private boolean isUnderWay(int command) {
        return isIdentifier(command) && next[command] == UNDER_WAY;
    }

    /** Unsigned, as the JIT checks arrays: it does so but once then. */
    private boolean isIdentifier(int command) {
        return Integer.compareUnsigned(command, next.length) < 0;
    }

    /** Goes on by so many completions; their phase is in the other number, which the JIT has at hand. */
    private void advance(int completions, int theirPhase) {
        int next = head + completions;
        head = (char) next;
        if (next == entries) {
            head = 0;
            phase = ~theirPhase & PHASE; // behind the end of the ring it is the other one
        }
    }

    /**
     * Takes the completions that are there, many at once for less than {@link #reap()} costs for each. It stops at the end of
     * the ring; the rest comes with the next call. {@link #status} and {@link #result} know nothing of it.
     *
     * @param commands where to put the identifiers of the commands that are done, from index 0 on
     * @param statuses where to put how they ended: 0 for success, or the status field without the phase bit
     * @param most how many at most
     * @return how many
     * @throws NvmeException if the first completion is for no command under way: the controller or the memory is broken
     */
    public int reap(int[] commands, int[] statuses, int most) {
        int there = completions.read64AcquireWhile(
                (long) head * COMPLETION_BYTES + 8,
                COMPLETION_BYTES,
                (long) PHASE << Integer.SIZE,
                (long) phase << Integer.SIZE,
                words,
                Math.min(Math.min(most, words.length), entries - head));
        int count = 0;
        while (count < there) {
            int last = (int) (words[count] >>> Integer.SIZE);
            int command = last & 0xffff;
            if (!isUnderWay(command)) {
                break; // after those before it
            }
            next[command] = free;
            free = command;
            commands[count] = command;
            statuses[count++] = last >>> PHASE_SHIFT + 1;
        }
        if (count == 0 && there > 0) {
            throw notUnderWay((int) (words[0] >>> Integer.SIZE) & 0xffff);
        }
        advance(count, phase);
        return count;
    }

    /** Looks only. Those who spin call it in place of {@link #reap}, which the JIT would take for a way of doing nothing. */
    private boolean arrived() {
        return (completions.read32Acquire((long) head * COMPLETION_BYTES + 12) & PHASE) == phase;
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
     * Puts the status of the command that was reaped last into words.
     *
     * @param command what was asked for, such as {@code Read of block 7}
     * @return an exception to throw, of the kind {@link Kind#STATUS}
     */
    public NvmeException failure(String command) {
        return NvmeException.refused(command, status);
    }

    /**
     * Returns dword 0 of the completion that was reaped last. It stands in the ring until {@link #ring} gives the
     * controller that entry back: ask before.
     *
     * @return what it means depends on the command
     */
    public int result() {
        return completions.read32Opaque((long) ((head == 0 ? entries : head) - 1) * COMPLETION_BYTES);
    }

    private NvmeException notUnderWay(int command) {
        return new NvmeException(
                Kind.UNUSABLE,
                "queue " + id + " got a completion for command " + command + ", which is not under way");
    }

    /**
     * Rings, and waits for the next completion for up to 30 seconds: spinning, or asleep if the queue has an interrupt.
     *
     * @return the identifier of the command that is done
     * @throws NvmeException if none comes in time, or the controller breaks down or is gone
     * @throws IllegalStateException if no command is under way
     */
    public int await() {
        return await(NvmeController.COMMAND_NANOS);
    }

    /**
     * Rings, and waits for the next completion: spinning, or asleep if the queue has an interrupt.
     *
     * @param nanos how long
     * @return the identifier of the command that is done
     * @throws NvmeException if none comes in time ({@link Kind#TIMEOUT}; the commands stay under way), or the controller
     *     breaks down or is gone
     * @throws IllegalStateException if no command is under way
     */
    public int await(long nanos) {
        if (pending() == 0) {
            throw new IllegalStateException("queue " + id + " has no command under way");
        }
        ring();
        int command = reap();
        return command != NONE ? command : interrupt == null ? spin(nanos) : sleep(nanos);
    }

    private int spin(long nanos) {
        long start = System.nanoTime();
        for (int spins = 1; ; spins++) {
            if (arrived()) {
                return reap();
            }
            if (spins % SPINS == 0) {
                controller.checkAlive();
                if (System.nanoTime() - start > nanos) {
                    throw late(nanos);
                }
            }
            Thread.onSpinWait();
        }
    }

    /** A completion comes before its interrupt, and the interrupt's count waits for us: none is missed. */
    private int sleep(long nanos) {
        long start = System.nanoTime();
        while (true) {
            interrupt.await(LOOK);
            int command = reap();
            if (command != NONE) {
                return command;
            }
            controller.checkAlive();
            if (System.nanoTime() - start > nanos) {
                throw late(nanos);
            }
        }
    }

    private NvmeException late(long nanos) {
        return new NvmeException(
                Kind.TIMEOUT,
                "queue %d got no completion in %d ms; %d commands are under way"
                        .formatted(id, nanos / 1_000_000, pending()));
    }

    /** Carries out one command and returns dword 0 of its completion. Nobody waits for others that complete meanwhile. */
    int run(String name, int opcode, int namespace, long iova, int bytes, int dword10, int dword11) {
        int command = submit(opcode, namespace, iova, bytes, dword10, dword11, 0);
        while (await() != command) {
            // an older one
        }
        if (status != 0) {
            throw NvmeException.refused(name, status);
        }
        return result();
    }
}
