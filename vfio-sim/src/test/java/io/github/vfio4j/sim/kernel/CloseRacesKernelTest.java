package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Access;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Handles are closed by several threads at once while others use them: as many rounds as {@code vfio4j.races} says, 10,000
 * on the simulated kernel and 1,000 on Linux unless told otherwise.
 */
@Timeout(600)
class CloseRacesKernelTest extends KernelTest {
    private static final boolean REAL =
            System.getProperty("vfio4j.kernel", "sim").equals("linux");
    private static final int ROUNDS = Integer.getInteger("vfio4j.races", REAL ? 1_000 : 10_000);
    private static final int WATCHDOG_SECONDS = 30;
    private static final int MOST_CLOSERS = 4;
    private static final int READERS = 2;

    private final ExecutorService threads =
            Executors.newCachedThreadPool(Thread.ofPlatform().daemon().factory());

    @AfterEach
    void endThreads() {
        threads.shutdownNow();
    }

    @Test
    void closesOfSeveralThreadsAtOnceLeaveNothingOpen() throws Exception {
        long seed = System.nanoTime();
        System.out.println(ROUNDS + " close races, seed " + seed);
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            race(random, round);
            assertThat(machine.filesAndMappings()).as("after round %d of seed %d", round, seed).isEmpty();
        }
    }

    /** One to four threads close all handles in a random order, one or two use them, and in the end the root is closed. */
    private void race(Random random, int round) throws Exception {
        List<PciAddress> devices = REAL || random.nextBoolean() ? List.of(machine.loner()) : machine.siblings();
        Vfio root = machine.open();
        Pile pile = new Pile(root, devices);
        if (random.nextInt(4) == 0) {
            pile.interrupts.get(0).onInterrupt((_, _) -> {});
        }
        List<AutoCloseable> handles = new ArrayList<>(pile.closes.values());
        if (random.nextBoolean()) {
            handles.add(root);
        }
        Collections.shuffle(handles, random);
        int closers = 1 + random.nextInt(MOST_CLOSERS);
        int users = 1 + random.nextInt(2);
        CyclicBarrier start = new CyclicBarrier(closers + users);
        List<Future<?>> work = new ArrayList<>();
        for (int i = 0; i < closers; i++) {
            List<AutoCloseable> mine = new ArrayList<>();
            for (int j = i; j < handles.size(); j += closers) {
                mine.add(handles.get(j));
            }
            work.add(threads.submit(() -> {
                start.await();
                for (AutoCloseable handle : mine) {
                    handle.close();
                }
                return null;
            }));
        }
        for (int i = 0; i < users; i++) {
            int first = random.nextInt(USES.size());
            work.add(threads.submit(() -> {
                start.await();
                useUntilRefused(pile, first);
                return null;
            }));
        }
        for (Future<?> each : work) {
            watch(each, round);
        }
        watch(threads.submit(root::close), round);
    }

    private interface Use {
        void of(Pile pile);
    }

    /** What a program may be doing while another thread closes. Each fails in the end, for everything is closed. */
    private static final List<Use> USES = List.of(
            pile -> pile.iommu.allocate(4096, Access.READ).close(),
            pile -> pile.iommu.openDevice(pile.group, PciAddress.parse("0000:00:04.0")).close(),
            pile -> pile.container.attach(pile.group),
            pile -> pile.container.detach(pile.group),
            pile -> pile.registers.read32Opaque(0),
            pile -> pile.device.config().read32(0),
            pile -> pile.interrupts.get(0).trigger(),
            pile -> pile.interrupts.get(0).await(Duration.ofMillis(1)),
            pile -> pile.waiter.await(Duration.ofMillis(1), (_, _) -> {}),
            pile -> {
                pile.interrupts.close();
                pile.device.irq(PciIrq.MSI).enable().get(0).onInterrupt((_, _) -> {});
            });

    private static void useUntilRefused(Pile pile, int first) {
        for (int i = first; i < first + 100; i++) {
            try {
                USES.get(i % USES.size()).of(pile);
            } catch (VfioException e) {
                // a rule, or the kernel, said no
            } catch (IllegalStateException e) { // the memory of a mapping that ended
                assertThat(e.getMessage()).satisfiesAnyOf(
                        text -> assertThat(text).contains("closed"),
                        text -> assertThat(text).contains("is enabled"));
            }
        }
    }

    private static void watch(Future<?> work, int round) throws Exception {
        try {
            work.get(WATCHDOG_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            StringBuilder text = new StringBuilder("round " + round + " does not end:");
            for (Map.Entry<Thread, StackTraceElement[]> thread : Thread.getAllStackTraces().entrySet()) {
                text.append("\n").append(thread.getKey());
                for (StackTraceElement frame : thread.getValue()) {
                    text.append("\n    ").append(frame);
                }
            }
            throw new AssertionError(text.toString(), e);
        }
    }

    /** A thread that had passed its check touches the addresses after the close: there must be something. */
    @Test
    void aCloseOfEverythingWhileThreadsReadRegistersEndsThemWithAnException() throws Exception {
        int rounds = REAL ? 5 : 50;
        for (int round = 0; round < rounds; round++) {
            Stack loner = open(machine.loner());
            CyclicBarrier start = new CyclicBarrier(READERS + 1);
            List<Future<Integer>> readers = new ArrayList<>();
            for (int i = 0; i < READERS; i++) {
                Mmio registers = loner.device().region(0).map();
                readers.add(threads.submit(() -> {
                    start.await();
                    int sum = 0;
                    while (true) {
                        sum += registers.read32Opaque(0) + registers.flush(0);
                    }
                }));
            }
            start.await();
            loner.container().close();
            System.gc(); // finds addresses that nobody can use any more
            for (Future<Integer> reader : readers) {
                try {
                    watch(reader, round);
                } catch (ExecutionException e) {
                    assertThat(e).hasCauseInstanceOf(IllegalStateException.class);
                }
            }
            loner.group().close();
        }
    }
}
