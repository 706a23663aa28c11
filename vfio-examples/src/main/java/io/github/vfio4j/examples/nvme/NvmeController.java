package io.github.vfio4j.examples.nvme;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.DmaSlice;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.nvme.NvmeException.Kind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * An NVMe controller that this program drives: brought up by {@link #start}, shut down by {@link #close}.
 *
 * <p>It needs the registers (BAR 0), bus mastering enabled, and memory that the controller may read and write. Admin
 * commands, which this class sends, are for one thread at a time. Completions are polled; an I/O queue can have an
 * interrupt instead.
 *
 * <p>When something goes wrong, {@link NvmeException#kind} says what helps. A command that does not complete is
 * {@linkplain #abort aborted}; a controller that stopped, or does not abort, is {@linkplain #reset reset}, after which its
 * queues work again, without the commands that were under way.
 */
public final class NvmeController implements AutoCloseable {
    /** How long a command may take. */
    static final long COMMAND_NANOS = 30_000_000_000L;

    /** How long the controller may take to shut down. */
    private static final long SHUTDOWN_NANOS = 30_000_000_000L;

    private static final long TIMEOUT_UNIT_NANOS = 500_000_000L; // of CAP.TO

    // Registers (section 3.1).
    private static final long CAP = 0x00;
    private static final long VS = 0x08;
    private static final long INTMS = 0x0c;
    private static final long CC = 0x14;
    private static final long CSTS = 0x1c;
    private static final long AQA = 0x24;
    private static final long ASQ = 0x28;
    private static final long ACQ = 0x30;
    private static final long DOORBELLS = 0x1000;

    private static final int CC_ENABLE = 1;
    private static final int CC_ENTRY_SIZES = 6 << 16 | 4 << 20; // IOSQES and IOCQES: 64 and 16 bytes
    private static final int CC_SHUTDOWN_NORMAL = 1 << 14;

    private static final int CSTS_READY = 1;
    private static final int CSTS_FATAL = 1 << 1;
    private static final int CSTS_SHUTDOWN = 3 << 2;
    private static final int CSTS_SHUTDOWN_COMPLETE = 2 << 2;
    /** What a read gives when no device answers. */
    private static final int GONE = -1;

    // Admin commands (section 5).
    private static final int CREATE_SUBMISSION_QUEUE = 0x01;
    private static final int CREATE_COMPLETION_QUEUE = 0x05;
    private static final int IDENTIFY = 0x06;
    private static final int ABORT = 0x08;
    private static final int SET_FEATURES = 0x09;

    private static final int IDENTIFY_NAMESPACE = 0;
    private static final int IDENTIFY_CONTROLLER = 1;
    private static final int IDENTIFY_ACTIVE_NAMESPACES = 2;
    private static final int IDENTIFY_BYTES = 4096;
    private static final int NUMBER_OF_QUEUES = 7;
    private static final int CONTIGUOUS = 1;
    private static final int INTERRUPTS_ENABLED = 2;

    private static final int ADMIN_ENTRIES = 32;
    private static final int MAX_QUEUES_WANTED = 64;

    private static final ValueLayout.OfShort INT16 = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT32 = JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong INT64 = JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Mmio registers;
    private final long capabilities;
    private final int pageBytes;
    private final DmaSlices memory;
    private final NvmeQueue admin;
    private final DmaSlice identified;
    private ControllerInfo info;
    private List<NvmeNamespace> namespaces = List.of();
    private int maxQueues;
    private final List<NvmeQueue> queues = new ArrayList<>();
    private boolean closed;

    private NvmeController(Mmio registers, DmaBuffer memory) {
        this.registers = registers;
        this.capabilities = registers.read64Opaque(CAP);
        if (capabilities == GONE) {
            throw gone();
        }
        if ((capabilities >>> 37 & 1) == 0) {
            throw new NvmeException(
                    Kind.UNUSABLE, "the controller does not offer the NVM command set (CAP.CSS)");
        }
        this.pageBytes = 1 << 12 + (int) (capabilities >>> 48 & 0xf); // CAP.MPSMIN
        this.memory = new DmaSlices(memory, pageBytes);
        this.admin = new NvmeQueue(this, this.memory, 0, ADMIN_ENTRIES, Math.max(pageBytes, IDENTIFY_BYTES), null);
        this.identified = this.memory.take(IDENTIFY_BYTES);
    }

    /**
     * Brings a controller up (section 7.6.1): resets it, gives it its admin queue, enables it, and asks what it is and
     * which namespaces it has.
     *
     * @param registers BAR 0, mapped
     * @param memory memory that the controller may read and write, for queues; 1 MiB is enough for the admin queue and
     *     three I/O queues of 64 entries. Whoever gives it closes it, after the controller
     * @return the controller, ready
     * @throws NvmeException if it does not get ready in the time that it names itself, or refuses a command
     * @throws IllegalArgumentException if the memory is too small
     */
    public static NvmeController start(Mmio registers, DmaBuffer memory) {
        NvmeController controller = new NvmeController(registers, memory);
        try {
            controller.disable();
            controller.enable();
            controller.identify();
            return controller;
        } catch (RuntimeException e) {
            registers.write32Release(CC, 0); // it must not use the memory any more
            throw e;
        }
    }

    /**
     * Returns what the controller is.
     *
     * @return the info, asked at the start
     */
    public ControllerInfo info() {
        return info;
    }

    /**
     * Returns the namespaces that can be used.
     *
     * @return those that were active at the start, by ascending identifier
     */
    public List<NvmeNamespace> namespaces() {
        return namespaces;
    }

    /**
     * Returns how many I/O queues the controller granted.
     *
     * @return pairs of a submission and a completion queue
     */
    public int maxQueues() {
        return maxQueues;
    }

    /**
     * Returns how large an I/O queue can be (CAP.MQES).
     *
     * @return entries
     */
    public int maxEntries() {
        return (int) (capabilities & 0xffff) + 1;
    }

    /**
     * Creates an I/O queue that is polled: a completion queue without interrupts and a submission queue of the same size.
     *
     * @param entries the size, from 2 to {@link #maxEntries}; one less can be under way
     * @return the queue, for one thread at a time, until this controller is closed
     * @throws NvmeException if the controller refuses
     * @throws IllegalArgumentException if the size is out of range or the memory too small
     * @throws IllegalStateException if all queues are in use
     */
    public NvmeQueue createQueue(int entries) {
        return newQueue(entries, null);
    }

    /**
     * Creates an I/O queue whose completions raise an interrupt: {@link NvmeQueue#await} sleeps until it fires.
     *
     * @param entries as {@link #createQueue(int)}
     * @param interrupt an enabled MSI-X vector of this controller, for this queue alone; closed by whoever enabled it
     * @return the queue, for one thread at a time, until this controller is closed
     * @throws NvmeException if the controller refuses
     * @throws IllegalArgumentException if the size is out of range or the memory too small
     * @throws IllegalStateException if all queues are in use
     */
    public NvmeQueue createQueue(int entries, Interrupt interrupt) {
        return newQueue(entries, Objects.requireNonNull(interrupt));
    }

    private NvmeQueue newQueue(int entries, Interrupt interrupt) {
        if (entries < 2 || entries > maxEntries()) {
            throw new IllegalArgumentException("a queue has from 2 to " + maxEntries() + " entries, not " + entries);
        }
        if (queues.size() == maxQueues) {
            throw new IllegalStateException("all " + maxQueues + " I/O queues that the controller granted are in use");
        }
        NvmeQueue queue =
                new NvmeQueue(this, memory, queues.size() + 1, entries, info.maxTransferBytes(), interrupt);
        tell(queue);
        queues.add(queue);
        return queue;
    }

    private void tell(NvmeQueue queue) {
        int idAndSize = queue.entries() - 1 << 16 | queue.id();
        Interrupt interrupt = queue.interrupt();
        admin.run(
                "Create I/O Completion Queue",
                CREATE_COMPLETION_QUEUE,
                0,
                queue.completionIova(),
                pageBytes,
                idAndSize,
                interrupt == null ? CONTIGUOUS : interrupt.number() << 16 | INTERRUPTS_ENABLED | CONTIGUOUS);
        admin.run(
                "Create I/O Submission Queue",
                CREATE_SUBMISSION_QUEUE,
                0,
                queue.submissionIova(),
                pageBytes,
                idAndSize,
                queue.id() << 16 | CONTIGUOUS);
    }

    /**
     * Asks the controller to give a command up (Abort, section 5.1). A command that it aborted completes with the status
     * "Command Abort Requested", as any other. Many controllers, QEMU's among them, never abort.
     *
     * @param queue where the command is under way; another thread may be at work there
     * @param command what {@link NvmeQueue#submit} returned
     * @return whether the controller aborted it
     * @throws NvmeException if the controller refuses, or does not answer either
     */
    public boolean abort(NvmeQueue queue, int command) {
        return (admin.run("Abort", ABORT, 0, 0, 0, command << 16 | queue.id(), 0) & 1) == 0;
    }

    /**
     * Resets the controller and brings it up again with the same queues (section 7.3.2). Helps after a fatal error, after
     * a timeout, and after the device was reset. Commands that were under way are forgotten: whether a write among them
     * was done is not known. No thread may be at work on a queue meanwhile.
     *
     * @throws NvmeException if the controller does not come up again
     */
    public void reset() {
        disable();
        admin.clear();
        for (NvmeQueue queue : queues) {
            queue.clear();
        }
        enable();
        askForQueues();
        for (NvmeQueue queue : queues) {
            tell(queue);
        }
    }

    /**
     * Shuts the controller down (section 7.6.2): tells it to save its state, waits until it has, and disables it. What
     * was written is safe then; the controller uses the memory no more. Idempotent.
     *
     * @throws NvmeException if the controller does not shut down in time, or is gone
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            if ((status() & CSTS_FATAL) == 0) {
                registers.write32Release(CC, registers.read32Opaque(CC) | CC_SHUTDOWN_NORMAL);
                await("shut down", CSTS_SHUTDOWN, CSTS_SHUTDOWN_COMPLETE, SHUTDOWN_NANOS);
            }
        } finally {
            registers.write32Release(CC, 0);
        }
        await("become idle after its shutdown", CSTS_READY, 0, readyNanos());
    }

    private void disable() {
        if ((registers.read32Opaque(CC) & CC_ENABLE) != 0) {
            // Somebody left it enabled. It may still be on its way to ready, and must get there first.
            if ((status() & CSTS_FATAL) == 0) {
                await("get ready, to be reset", CSTS_READY, CSTS_READY, readyNanos());
            }
            registers.write32Release(CC, 0);
        }
        await("become idle after a reset", CSTS_READY, 0, readyNanos());
    }

    private void enable() {
        registers.write32Opaque(INTMS, -1); // polled: its interrupt pin stays quiet
        registers.write32Opaque(AQA, ADMIN_ENTRIES - 1 << 16 | ADMIN_ENTRIES - 1);
        registers.write64Opaque(ASQ, admin.submissionIova());
        registers.write64Opaque(ACQ, admin.completionIova());
        int pageSize = Integer.numberOfTrailingZeros(pageBytes) - 12 << 7; // CC.MPS
        registers.write32Release(CC, CC_ENABLE | CC_ENTRY_SIZES | pageSize);
        await("get ready", CSTS_READY, CSTS_READY, readyNanos());
    }

    private void identify() {
        MemorySegment data = identify("Identify Controller", IDENTIFY_CONTROLLER, 0);
        int version = registers.read32Opaque(VS);
        info = new ControllerInfo(
                Short.toUnsignedInt(data.get(INT16, 0)),
                text(data, 24, 40),
                text(data, 4, 20),
                text(data, 64, 8),
                "%d.%d.%d".formatted(version >>> 16, version >>> 8 & 0xff, version & 0xff),
                maxTransferBytes(data.get(JAVA_BYTE, 77)),
                data.get(INT32, 516));
        askForQueues();
        List<NvmeNamespace> found = new ArrayList<>();
        for (int id : activeNamespaces()) {
            found.add(identifyNamespace(id));
        }
        namespaces = List.copyOf(found);
    }

    private void askForQueues() {
        int wanted = MAX_QUEUES_WANTED - 1;
        int granted = admin.run(
                "Set Features, Number of Queues", SET_FEATURES, 0, 0, 0, NUMBER_OF_QUEUES, wanted << 16 | wanted);
        maxQueues = Math.min(MAX_QUEUES_WANTED, Math.min(granted & 0xffff, granted >>> 16) + 1);
    }

    /** MDTS is a power of two of pages, 0 for no limit; a list in one page holds as many pages as entries fit in it. */
    private int maxTransferBytes(byte mdts) {
        int listed = pageBytes / NvmeQueue.LIST_ENTRY_BYTES * pageBytes;
        long limit = mdts == 0 ? listed : (long) pageBytes << Math.min(mdts, 31);
        return (int) Math.min(limit, listed);
    }

    /** The first 1024; a controller with more is asked for no more. */
    private List<Integer> activeNamespaces() {
        MemorySegment data = identify("Identify Active Namespaces", IDENTIFY_ACTIVE_NAMESPACES, 0);
        List<Integer> ids = new ArrayList<>();
        for (long offset = 0; offset < IDENTIFY_BYTES && data.get(INT32, offset) != 0; offset += Integer.BYTES) {
            ids.add(data.get(INT32, offset));
        }
        return ids;
    }

    private NvmeNamespace identifyNamespace(int id) {
        MemorySegment data = identify("Identify Namespace " + id, IDENTIFY_NAMESPACE, id);
        int format = data.get(JAVA_BYTE, 26) & 0xf; // FLBAS
        int blockShift = data.get(INT32, 128 + 4L * format) >>> 16 & 0xff; // LBADS of that format
        return new NvmeNamespace(id, data.get(INT64, 0), 1 << blockShift, info.maxTransferBytes());
    }

    /** Returns memory that holds the answer until the next call. */
    private MemorySegment identify(String name, int what, int namespace) {
        admin.run(name, IDENTIFY, namespace, identified.iova(), IDENTIFY_BYTES, what, 0);
        return identified.segment();
    }

    private static String text(MemorySegment data, long offset, int width) {
        return new String(data.asSlice(offset, width).toArray(JAVA_BYTE), StandardCharsets.US_ASCII).strip();
    }

    Mmio registers() {
        return registers;
    }

    NvmeQueue admin() {
        return admin;
    }

    int pageBytes() {
        return pageBytes;
    }

    /** The offset of a doorbell; they lie as far apart as CAP.DSTRD says. */
    long doorbell(int index) {
        return DOORBELLS + index * (4L << (capabilities >>> 32 & 0xf));
    }

    /** Throws if the controller has broken down or is gone. */
    void checkAlive() {
        int status = status();
        if ((status & CSTS_FATAL) != 0) {
            throw new NvmeException(
                    Kind.FATAL, "the controller reports a fatal error (CSTS 0x%x): reset it".formatted(status));
        }
    }

    private long readyNanos() {
        return Math.max(1, capabilities >>> 24 & 0xff) * TIMEOUT_UNIT_NANOS;
    }

    private int status() {
        int status = registers.read32Acquire(CSTS);
        if (status == GONE) {
            throw gone();
        }
        return status;
    }

    private static NvmeException gone() {
        return new NvmeException(
                Kind.GONE,
                "the controller is gone: its registers read as all ones (unplugged, in reset, or memory decode is off)");
    }

    private void await(String what, int mask, int wanted, long nanos) {
        long start = System.nanoTime();
        while (true) {
            int status = status();
            if ((status & mask) == wanted) {
                return;
            }
            if ((status & CSTS_FATAL) != 0 && wanted != 0) {
                throw new NvmeException(
                        Kind.FATAL,
                        "the controller did not %s: it reports a fatal error (CSTS 0x%x)".formatted(what, status));
            }
            if (System.nanoTime() - start > nanos) {
                throw new NvmeException(
                        Kind.TIMEOUT,
                        "the controller did not %s within %d ms (CSTS 0x%x)"
                                .formatted(what, nanos / 1_000_000, status));
            }
            Thread.onSpinWait();
        }
    }
}
