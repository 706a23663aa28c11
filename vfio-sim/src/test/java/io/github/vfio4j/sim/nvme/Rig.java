package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * A powered controller on a {@link FakeBus} and just enough of a driver to send it commands, right or wrong ones. Waits
 * have a limit of ten seconds, so a wrong model fails and does not hang.
 */
final class Rig implements AutoCloseable {
    /** Memory page size 4 KiB, submission entries of 64 bytes, completion entries of 16. */
    static final int ENABLE = 1 | 6 << 16 | 4 << 20;

    private static final long PATIENCE_NANOS = 10_000_000_000L;
    private static final VarHandle INT32 =
            JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle INT64 =
            JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    final FakeBus bus = new FakeBus();
    final NvmeModel model;
    Ring admin;
    private int pageBytes = 4096;
    private long free = FakeBus.BASE;
    private int nextCommandId;

    /** A pair of queues as the driver sees it. */
    final class Ring {
        final int id;
        final int size;
        final long submissions;
        final long completions;
        int tail;
        int head;
        int phase = 1;

        Ring(int id, int size) {
            this.id = id;
            this.size = size;
            align(pageBytes);
            this.submissions = pages((size * 64 + 4095) / 4096);
            align(pageBytes);
            this.completions = pages((size * 16 + 4095) / 4096);
        }

        /** Puts a command into the queue and leaves the doorbell alone. Returns its identifier. */
        int put(Sqe command) {
            int id = nextCommandId++ & 0xffff;
            bus.at(submissions + tail * 64L).asSlice(0, 64).copyFrom(command.withId(id));
            tail = (tail + 1) % size;
            return id;
        }

        void ring() {
            write32(Registers.tailDoorbell(id), tail);
        }

        int submit(Sqe command) {
            int id = put(command);
            ring();
            return id;
        }

        boolean hasCompletion() {
            return (dword3() >>> 16 & 1) == phase;
        }

        private int dword3() {
            return (int) INT32.getAcquire(bus.at(completions + head * 16L), 12L);
        }

        /** Waits for the next completion; the controller is not told that it was taken. */
        Completion peek() {
            await("a completion in queue " + this.id, this::hasCompletion);
            MemorySegment entry = bus.at(completions + head * 16L);
            int status = dword3();
            int queue = (int) INT32.getAcquire(entry, 8L);
            Completion completion = new Completion(
                    (int) INT32.getAcquire(entry, 0L),
                    queue & 0xffff,
                    queue >>> 16,
                    status & 0xffff,
                    status >>> 16 & 1,
                    status >>> 17);
            head = (head + 1) % size;
            if (head == 0) {
                phase ^= 1;
            }
            return completion;
        }

        void give() {
            write32(Registers.headDoorbell(id), head);
        }

        Completion take() {
            Completion completion = peek();
            give();
            return completion;
        }

        Completion run(Sqe command) {
            submit(command);
            return take();
        }
    }

    Rig() {
        this(new NvmeModel());
    }

    Rig(NvmeModel model) {
        this.model = model;
        model.powerOn(bus);
    }

    Rig(List<Namespace> namespaces) {
        this(new NvmeModel(namespaces));
    }

    static Rig enabled() {
        return new Rig().enable();
    }

    Rig enable() {
        return enable(16);
    }

    Rig enable(int adminEntries) {
        return enable(adminEntries, ENABLE);
    }

    Rig enable(int adminEntries, int configuration) {
        pageBytes = 4096 << (configuration >>> 7 & 0xf);
        setUpAdmin(adminEntries);
        write32(Registers.CC, configuration);
        awaitStatus(Registers.CSTS_READY);
        return this;
    }

    void setUpAdmin(int entries) {
        admin = new Ring(0, entries);
        write32(Registers.AQA, entries - 1 << 16 | entries - 1);
        write64(Registers.ASQ, admin.submissions);
        write64(Registers.ACQ, admin.completions);
    }

    /** Creates both queues of a pair, with interrupts unless the vector is negative. */
    Ring createPair(int id, int size, int vector) {
        Ring ring = new Ring(id, size);
        Sqe completions = Sqe.createCompletionQueue(id, size, ring.completions);
        if (vector >= 0) {
            completions.dword(11, vector << 16 | 3);
        }
        expectSuccess(completions);
        expectSuccess(Sqe.createSubmissionQueue(id, size, ring.submissions, id));
        return ring;
    }

    void expectSuccess(Sqe command) {
        Completion completion = admin.run(command);
        if (completion.status() != Status.SUCCESS) {
            throw new AssertionError("expected success, got " + completion);
        }
    }

    Status adminStatus(Sqe command) {
        return admin.run(command).status();
    }

    /** Takes new zeroed pages of 4 KiB in a row. */
    long pages(int count) {
        long iova = free;
        free += count * 4096L;
        if (free > bus.end()) {
            throw new AssertionError("the test needs more memory than there is");
        }
        return iova;
    }

    /** Leaves pages unused so that the next ones start at a multiple. */
    void align(long bytes) {
        free = (free + bytes - 1) / bytes * bytes;
    }

    int read32(long offset) {
        return (int) INT32.getAcquire(bus.bar(0), offset);
    }

    long read64(long offset) {
        return (long) INT64.getAcquire(bus.bar(0), offset);
    }

    void write32(long offset, int value) {
        INT32.setRelease(bus.bar(0), offset, value);
    }

    void write64(long offset, long value) {
        INT64.setRelease(bus.bar(0), offset, value);
    }

    void awaitStatus(int value) {
        await("CSTS " + Integer.toHexString(value), () -> read32(Registers.CSTS) == value);
    }

    void disable() {
        write32(Registers.CC, 0);
        awaitStatus(0);
    }

    void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("waited in vain for " + what + "; CSTS is "
                        + Integer.toHexString(read32(Registers.CSTS)) + ", the model's failure " + model.failure());
            }
            Thread.onSpinWait();
        }
    }

    /** Waits until the controller has looked at every register since now: it restores what it finds wrong. */
    void awaitLook() {
        write32(Registers.VS, 0);
        await("VS to be restored", () -> read32(Registers.VS) == Registers.VERSION);
    }

    @Override
    public void close() {
        model.powerOff();
        if (model.failure() != null) {
            throw new AssertionError("the model failed", model.failure());
        }
    }
}
