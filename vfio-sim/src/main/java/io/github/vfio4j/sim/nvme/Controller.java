package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.github.vfio4j.sim.PciBus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * The controller while it has power: one thread that looks at CC and the doorbells, and does what they say. It spins for a
 * moment after work, so that a busy driver is answered at once, and then parks for longer and longer, so that an idle
 * controller leaves the processor to others.
 */
final class Controller implements Runnable {
    private static final ValueLayout.OfInt INT32 = JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long SPIN_NANOS = 20_000;
    private static final long MIN_PARK_NANOS = 5_000;
    private static final long MAX_PARK_NANOS = 100_000;
    /** After this long without work nobody waits for a quick answer. */
    private static final long ASLEEP_NANOS = 50_000_000;

    private static final long ASLEEP_PARK_NANOS = 1_000_000;
    /** Commands taken from one queue before the next one has its turn. */
    private static final int BURST = 32;
    /** Busy rounds after which read-only registers and stray doorbells are looked at all the same. */
    private static final int ROUNDS_BETWEEN_CHORES = 4096;

    private static final int ADMIN_VECTOR = 0;
    private static final int CC_CONFIGURED = 0x7 << 4 | 0x7 << 11; // CSS, AMS: only 0 is supported

    private final PciBus bus;
    private final Registers registers;
    private final Queues queues;
    private final Features features;
    private final Events events = new Events();
    private final AdminCommands admin;
    private final IoCommands io;
    private final Command command = new Command();
    private final MemorySegment completion = Arena.ofAuto().allocate(CompletionQueue.ENTRY_BYTES, 8);

    private int configuration;
    private volatile boolean stopped;
    private volatile RuntimeException failure;

    Controller(PciBus bus, Registers registers, Identify identify, List<Namespace> namespaces, Health health) {
        this.bus = bus;
        this.registers = registers;
        this.queues = new Queues(registers, NvmeModel.QUEUE_PAIRS);
        this.features = new Features(queues);
        this.admin = new AdminCommands(
                bus, registers, queues, features, events, identify, health, namespaces.size());
        this.io = new IoCommands(bus, namespaces, health);
    }

    /** Tells the thread to end; it does so after the command at hand. */
    void stop() {
        stopped = true;
    }

    /** What went wrong in the model itself; a driver cannot cause it. Null if nothing did. */
    RuntimeException failure() {
        return failure;
    }

    @Override
    public void run() {
        BooleanSupplier round = this::round;
        BooleanSupplier chores = this::chores;
        long idleSince = System.nanoTime();
        long park = MIN_PARK_NANOS;
        int roundsSinceChores = 0;
        while (!stopped) {
            if (guarded(round)) {
                park = 0;
                if (++roundsSinceChores == ROUNDS_BETWEEN_CHORES) {
                    roundsSinceChores = 0;
                    guarded(chores);
                }
                continue;
            }
            long now = System.nanoTime();
            if (park == 0) {
                idleSince = now;
                park = MIN_PARK_NANOS;
            }
            if (now - idleSince < SPIN_NANOS) {
                Thread.onSpinWait();
            } else {
                guarded(chores);
                LockSupport.parkNanos(this, park);
                park = Math.min(2 * park, now - idleSince < ASLEEP_NANOS ? MAX_PARK_NANOS : ASLEEP_PARK_NANOS);
            }
        }
    }

    /** Whatever goes wrong in the model ends as a fatal status that the driver sees, not as a dead thread. */
    private boolean guarded(BooleanSupplier step) {
        try {
            return step.getAsBoolean();
        } catch (RuntimeException e) {
            failure = e;
            fail();
            return false;
        }
    }

    /** One look at everything. True if there was something to do. */
    private boolean round() {
        return control() | (isRunning() && serve());
    }

    private boolean isRunning() {
        return registers.status() == Registers.CSTS_READY;
    }

    /** Follows CC: enable, reset, shutdown. */
    private boolean control() {
        int now = registers.configuration();
        int before = configuration;
        if (now == before) {
            return false;
        }
        configuration = now;
        boolean enabled = (now & Registers.CC_ENABLE) != 0;
        boolean wasEnabled = (before & Registers.CC_ENABLE) != 0;
        if (wasEnabled && !enabled) {
            reset();
        } else if (!wasEnabled && enabled) {
            enable(now);
        }
        if (shutdownNotification(now) != 0 && shutdownNotification(before) == 0) {
            registers.status(registers.status() | Registers.CSTS_SHUTDOWN_COMPLETE);
        }
        return true;
    }

    private static int shutdownNotification(int configuration) {
        return configuration >>> 14 & 3;
    }

    private void reset() {
        queues.removeAll();
        events.reset();
        features.reset();
        registers.status(0);
    }

    private void enable(int configuration) {
        int pageShift = 12 + (configuration >>> 7 & 0xf);
        long pageMask = (1L << pageShift) - 1;
        int submissionSize = (registers.adminQueueSizes() & 0xfff) + 1;
        int completionSize = (registers.adminQueueSizes() >>> 16 & 0xfff) + 1;
        long submissions = registers.adminSubmissionBase();
        long completions = registers.adminCompletionBase();
        // A base of 0 is refused too, as QEMU's controller does: it is what a forgotten register holds.
        boolean sane = (configuration & CC_CONFIGURED) == 0
                && pageShift <= Registers.MAX_PAGE_SHIFT
                && submissionSize >= 2
                && completionSize >= 2
                && submissions != 0
                && completions != 0
                && ((submissions | completions) & pageMask) == 0;
        if (!sane) {
            fail();
            return;
        }
        CompletionQueue adminCompletions = new CompletionQueue(0, completions, completionSize, ADMIN_VECTOR);
        queues.add(adminCompletions);
        queues.add(new SubmissionQueue(0, submissions, submissionSize, adminCompletions));
        admin.enabled(1 << pageShift);
        io.enabled(1 << pageShift);
        registers.status(Registers.CSTS_READY);
    }

    /** Stops everything until the driver resets the controller (CSTS.CFS). */
    private void fail() {
        registers.status(registers.status() | Registers.CSTS_FATAL);
    }

    private boolean serve() {
        boolean worked = report();
        for (int id = 0; id <= queues.maxPairs() && isRunning(); id++) {
            CompletionQueue completions = queues.completion(id);
            if (completions != null) {
                worked |= followHead(completions);
            }
            SubmissionQueue submissions = queues.submission(id);
            if (submissions != null) {
                worked |= followTail(submissions);
                worked |= serve(submissions);
            }
        }
        if (worked) {
            raiseVectors();
        }
        return worked;
    }

    /** Completes requests for events that have something to say. */
    private boolean report() {
        boolean reported = false;
        CompletionQueue completions = queues.completion(0);
        SubmissionQueue submissions = queues.submission(0);
        while ((events.hasAborted() || events.hasReport()) && !completions.isFull() && isRunning()) {
            if (events.hasAborted()) {
                post(submissions, events.takeAborted(), 0, Status.ABORT_REQUESTED);
            } else {
                post(submissions, events.takeRequest(), events.takeReport(), Status.SUCCESS);
            }
            reported = true;
        }
        return reported;
    }

    private boolean followTail(SubmissionQueue queue) {
        int value = registers.doorbell(Registers.tailDoorbell(queue.id));
        if (value == queue.tail) {
            return false;
        }
        if (!queue.advanceTo(value)) {
            registers.takeBackDoorbell(Registers.tailDoorbell(queue.id), value, queue.tail);
            events.error(Events.INVALID_DOORBELL_VALUE);
        }
        return true;
    }

    private boolean followHead(CompletionQueue queue) {
        int value = registers.doorbell(Registers.headDoorbell(queue.id));
        if (value == queue.head) {
            return false;
        }
        if (!queue.advanceTo(value)) {
            registers.takeBackDoorbell(Registers.headDoorbell(queue.id), value, queue.head);
            events.error(Events.INVALID_DOORBELL_VALUE);
        }
        return true;
    }

    /** Carries out commands while there are some and their completions have room. */
    private boolean serve(SubmissionQueue queue) {
        int done = 0;
        while (done < BURST && !queue.isEmpty() && !queue.completions.isFull() && isRunning()) {
            if (!bus.dmaRead(queue.nextEntry(), command.entry())) {
                fail();
                return true;
            }
            queue.fetched();
            execute(queue);
            done++;
        }
        return done > 0;
    }

    private void execute(SubmissionQueue queue) {
        if (queue.id != 0) {
            post(queue, command.id(), 0, io.execute(command));
        } else if (command.opcode() != AdminCommands.ASYNC_EVENT_REQUEST) {
            Status status = admin.execute(command);
            post(queue, command.id(), admin.result(), status);
        } else if (!events.keep(command.id())) {
            post(queue, command.id(), 0, Status.TOO_MANY_EVENT_REQUESTS);
        }
    }

    private void post(SubmissionQueue queue, int commandId, int result, Status status) {
        CompletionQueue completions = queue.completions;
        completion.set(INT32, 0, result);
        completion.set(INT32, 8, queue.head | queue.id << 16);
        completion.set(INT32, 12, commandId | completions.phase << 16 | status.field() << 17);
        if (bus.dmaWrite(completions.nextEntry(), completion)) {
            completions.posted();
        } else {
            fail();
        }
    }

    private void raiseVectors() {
        for (int id = 0; id <= queues.maxPairs(); id++) {
            CompletionQueue queue = queues.completion(id);
            if (queue != null && queue.news) {
                queue.news = false;
                if (queue.vector != CompletionQueue.NO_INTERRUPT) {
                    bus.raise(queue.vector);
                }
            }
        }
    }

    /** What can wait until nothing else is to do. True if an event came of it. */
    private boolean chores() {
        registers.restoreReadOnly();
        boolean stray = isRunning() && queues.strayDoorbell();
        if (stray) {
            events.error(Events.INVALID_DOORBELL_REGISTER);
        }
        return stray;
    }
}
