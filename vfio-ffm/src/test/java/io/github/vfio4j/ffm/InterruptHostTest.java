package io.github.vfio4j.ffm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Device;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.InterruptHandler;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.UnmaskEvent;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.Waiter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Waiting for interrupts with the eventfds and the epoll of this machine's kernel. */
@Timeout(60)
class InterruptHostTest {
    private static final Duration FOREVER = ChronoUnit.FOREVER.getDuration();

    private final List<String> filesBefore = files();
    private final FakeDeviceProcess process = new FakeDeviceProcess();
    private final Vfio vfio = process.vfio();
    private final Device device = process.open(vfio);
    private final Interrupts msix = device.irq(PciIrq.MSIX).enable();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @AfterEach
    void nothingStaysOpen() throws InterruptedException {
        vfio.close();
        assertThat(files()).isEqualTo(filesBefore);
        threads.shutdown();
        assertThat(threads.awaitTermination(10, TimeUnit.SECONDS)).as("every thread ends").isTrue();
    }

    /** The eventfds and epoll files of this process. */
    private static List<String> files() {
        List<String> found = new ArrayList<>();
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            for (Path file : files.toList()) {
                if (Files.isSymbolicLink(file)) {
                    String target = Files.readSymbolicLink(file).toString();
                    if (target.contains("event")) { // anon_inode:[eventfd] and [eventpoll]
                        found.add(file.getFileName() + " " + target);
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found.stream().sorted().toList();
    }

    /** Waits until a thread is in the system call, or about to make it. A native call shows as its Java frames. */
    private static void awaitInKernel(Thread thread) {
        while (Stream.of(thread.getStackTrace())
                .noneMatch(frame -> frame.getMethodName().equals("epollWait"))) {
            LockSupport.parkNanos(100_000);
        }
    }

    /** A wait in a thread of its own; gives what it returned or threw. */
    private Future<Long> waiting(Interrupt interrupt, Duration timeout) {
        Thread[] waiter = new Thread[1];
        CountDownLatch started = new CountDownLatch(1);
        Future<Long> result = threads.submit(() -> {
            waiter[0] = Thread.currentThread();
            started.countDown();
            return interrupt.await(timeout);
        });
        awaitStart(started);
        awaitInKernel(waiter[0]);
        return result;
    }

    private static void awaitStart(CountDownLatch started) {
        try {
            started.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static void assertEndedByClose(Future<?> wait) {
        ExecutionException e = catchThrowableOfType(ExecutionException.class, () -> wait.get(20, TimeUnit.SECONDS));
        assertThat(e).hasCauseInstanceOf(RuleViolation.class);
        assertThat(((RuleViolation) e.getCause()).rule()).contains(Rule.HANDLE_OPEN);
    }

    @Test
    void eachInterruptCountsOnItsOwnAndIsTakenOnce() {
        for (int i = 0; i < FakeDeviceProcess.VECTORS; i++) {
            msix.get(i).trigger();
            assertThat(msix.get(i).poll()).isEqualTo(1);
            assertThat(msix.get(i).poll()).isZero();
        }
        msix.get(7).trigger();
        msix.trigger(6, false, true, true);
        assertThat(msix.get(6).poll()).isZero();
        assertThat(msix.get(7).poll()).isEqualTo(2);
        assertThat(msix.get(8).poll()).isEqualTo(1);
    }

    @Test
    void aWaitGetsTheInterruptThatCame() throws Exception {
        Future<Long> wait = waiting(msix.get(3), FOREVER);
        msix.get(4).trigger();
        msix.get(3).trigger();
        assertThat(wait.get(20, TimeUnit.SECONDS)).isEqualTo(1);
        assertThat(msix.get(4).await(FOREVER)).isEqualTo(1); // came before the wait
    }

    @Test
    void aWaitEndsAfterItsTimeAndNotBefore() {
        long start = System.nanoTime();
        assertThat(msix.get(0).await(Duration.ofMillis(30))).isZero();
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(30_000_000);
        assertThat(msix.get(0).await(Duration.ofNanos(1))).isZero();
        assertThat(msix.get(0).await(Duration.ZERO)).isZero();
        assertThatIllegalArgumentException().isThrownBy(() -> msix.get(0).await(Duration.ofNanos(-1)));
    }

    @Test
    void theCloseOfTheInterruptsEndsEveryWait() {
        List<Future<Long>> waits = List.of(
                waiting(msix.get(0), FOREVER), waiting(msix.get(0), FOREVER), waiting(msix.get(1), FOREVER));
        msix.close();
        waits.forEach(InterruptHostTest::assertEndedByClose);
        assertThatExceptionOfType(RuleViolation.class).isThrownBy(() -> msix.get(0).await(FOREVER));
    }

    @Test
    void theCloseOfTheDeviceEndsEveryWait() {
        Future<Long> wait = waiting(msix.get(0), FOREVER);
        device.close();
        assertEndedByClose(wait);
    }

    @Test
    void theCloseOfEverythingEndsEveryWait() {
        Future<Long> wait = waiting(msix.get(0), FOREVER);
        vfio.close();
        assertEndedByClose(wait);
    }

    @Test
    void aThreadInterruptDoesNotEndAWaitAndIsNotLost() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        long[] count = new long[1];
        Thread waiter = Thread.ofPlatform().start(() -> {
            started.countDown();
            count[0] = msix.get(0).await(FOREVER);
            if (!Thread.interrupted()) {
                count[0] = -1;
            }
        });
        started.await();
        awaitInKernel(waiter);
        waiter.interrupt();
        assertThat(waiter.join(Duration.ofMillis(50))).isFalse();
        msix.get(0).trigger();
        waiter.join();
        assertThat(count[0]).isEqualTo(1);
    }

    @Test
    void oneThreadWaitsForManyAndLearnsWhichCame() {
        try (Waiter waiter = vfio.openWaiter()) {
            for (int i = 0; i < FakeDeviceProcess.VECTORS; i++) {
                waiter.add(msix.get(i));
            }
            waiter.add(device.irq(PciIrq.REQ).enable().get(0));
            assertThat(waiter.await(Duration.ofMillis(1), (interrupt, count) -> {
                        throw new AssertionError(interrupt);
                    }))
                    .isZero();
            long[] counts = new long[FakeDeviceProcess.VECTORS];
            for (int i = 0; i < FakeDeviceProcess.VECTORS; i++) {
                for (int times = 0; times <= i % 3; times++) {
                    msix.get(i).trigger();
                }
            }
            int handled = 0;
            while (handled < FakeDeviceProcess.VECTORS) {
                handled += waiter.await(FOREVER, (interrupt, count) -> counts[interrupt.number()] += count);
            }
            assertThat(handled).isEqualTo(FakeDeviceProcess.VECTORS);
            for (int i = 0; i < FakeDeviceProcess.VECTORS; i++) {
                assertThat(counts[i]).as("vector %d", i).isEqualTo(i % 3 + 1);
            }
        }
    }

    @Test
    void anInterruptThatWasRemovedIsNotWaitedFor() {
        try (Waiter waiter = vfio.openWaiter()) {
            waiter.add(msix.get(0));
            waiter.add(msix.get(1));
            waiter.add(msix.get(1));
            waiter.remove(msix.get(1));
            waiter.remove(msix.get(1));
            msix.get(1).trigger();
            assertThat(waiter.await(Duration.ZERO, (_, _) -> {})).isZero();
            waiter.add(msix.get(2));
            msix.get(2).trigger();
            List<Interrupt> seen = new ArrayList<>();
            assertThat(waiter.await(FOREVER, (interrupt, _) -> seen.add(interrupt))).isEqualTo(1);
            assertThat(seen).containsExactly(msix.get(2));
            assertThat(msix.get(1).poll()).isEqualTo(1);
        }
    }

    @Test
    void aWaitForNothingIsRefusedAndForTheLastThatLeavesEnds() {
        Waiter waiter = vfio.openWaiter();
        assertThatExceptionOfType(RuleViolation.class)
                .isThrownBy(() -> waiter.await(FOREVER, (_, _) -> {}))
                .withMessageContaining("no interrupt is left");
        Interrupts req = device.irq(PciIrq.REQ).enable();
        waiter.add(msix.get(0));
        waiter.add(req.get(0));
        List<Future<Integer>> waits = List.of(waiting(waiter), waiting(waiter), waiting(waiter));
        msix.close();
        assertThat(waits).noneMatch(Future::isDone);
        req.close();
        waits.forEach(InterruptHostTest::assertEndedByClose);
        assertThatExceptionOfType(RuleViolation.class).isThrownBy(() -> waiter.add(req.get(0)));
        Interrupts again = device.irq(PciIrq.MSIX).enable(0, 1);
        waiter.add(again.get(0)); // it can be used again
        again.get(0).trigger();
        assertThat(waiter.await(FOREVER, (_, _) -> {})).isEqualTo(1);
    }

    private Future<Integer> waiting(Waiter waiter) {
        Thread[] thread = new Thread[1];
        CountDownLatch started = new CountDownLatch(1);
        Future<Integer> result = threads.submit(() -> {
            thread[0] = Thread.currentThread();
            started.countDown();
            return waiter.await(FOREVER, (_, _) -> {});
        });
        awaitStart(started);
        awaitInKernel(thread[0]);
        return result;
    }

    @Test
    void theCloseOfAWaiterEndsItsWaitsAndLeavesTheInterruptsEnabled() {
        Waiter waiter = vfio.openWaiter();
        waiter.add(msix.get(0));
        List<Future<Integer>> waits = List.of(waiting(waiter), waiting(waiter));
        waiter.close();
        waiter.close();
        waits.forEach(InterruptHostTest::assertEndedByClose);
        assertThatExceptionOfType(RuleViolation.class).isThrownBy(() -> waiter.add(msix.get(1)));
        msix.get(0).trigger();
        assertThat(msix.get(0).poll()).isEqualTo(1);
    }

    @Test
    void anInterruptOfAnotherKernelIsRefused() {
        FakeDeviceProcess other = new FakeDeviceProcess();
        try (Vfio otherVfio = other.vfio();
                Waiter waiter = vfio.openWaiter()) {
            Interrupts foreign = other.open(otherVfio).irq(PciIrq.MSIX).enable(0, 1);
            assertThatIllegalArgumentException().isThrownBy(() -> waiter.add(foreign.get(0)));
        }
    }

    @Test
    void whatAHandlerThrowsComesOutAndNoCountIsLost() {
        try (Waiter waiter = vfio.openWaiter()) {
            waiter.add(msix.get(0));
            waiter.add(msix.get(1));
            msix.get(0).trigger();
            msix.get(1).trigger();
            List<Interrupt> seen = new ArrayList<>();
            InterruptHandler thrower = (interrupt, _) -> {
                seen.add(interrupt);
                throw new IllegalStateException("handler");
            };
            for (int i = 0; i < 2; i++) {
                assertThatExceptionOfType(IllegalStateException.class)
                        .isThrownBy(() -> waiter.await(FOREVER, thrower))
                        .withMessage("handler");
            }
            assertThat(seen).containsExactlyInAnyOrder(msix.get(0), msix.get(1));
        }
    }

    @Test
    void aHandlerMayCloseTheDevice() {
        Waiter waiter = vfio.openWaiter();
        waiter.add(msix.get(0));
        waiter.add(msix.get(1));
        msix.get(0).trigger();
        msix.get(1).trigger();
        assertThat(waiter.await(FOREVER, (_, _) -> device.close())).isEqualTo(1);
    }

    @Test
    void severalThreadsShareTheCountsOfManyInterruptsAndLoseNone() throws Exception {
        int perVector = 500;
        int vectors = 4;
        AtomicLong total = new AtomicLong();
        CountDownLatch left = new CountDownLatch(perVector * vectors);
        Waiter waiter = vfio.openWaiter();
        for (int i = 0; i < vectors; i++) {
            waiter.add(msix.get(i));
        }
        List<Future<?>> takers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            takers.add(threads.submit(() -> {
                while (true) {
                    waiter.await(FOREVER, (_, count) -> {
                        total.addAndGet(count);
                        for (long taken = 0; taken < count; taken++) {
                            left.countDown();
                        }
                    });
                }
            }));
        }
        for (int i = 0; i < perVector; i++) {
            for (int vector = 0; vector < vectors; vector++) {
                msix.get(vector).trigger();
            }
        }
        assertThat(left.await(30, TimeUnit.SECONDS)).isTrue();
        waiter.close();
        takers.forEach(InterruptHostTest::assertEndedByClose);
        assertThat(total).hasValue(perVector * vectors);
    }

    @Test
    void handlersRunInOneDaemonThread() throws Exception {
        BlockingQueue<Thread> callers = new LinkedBlockingQueue<>();
        Interrupt request = device.irq(PciIrq.REQ).enable().get(0);
        msix.get(0).onInterrupt((_, _) -> callers.add(Thread.currentThread()));
        request.onInterrupt((_, _) -> callers.add(Thread.currentThread()));
        msix.get(0).trigger();
        Thread first = callers.poll(20, TimeUnit.SECONDS);
        msix.get(0).trigger();
        assertThat(callers.poll(20, TimeUnit.SECONDS)).isSameAs(first);
        assertThat(first.isDaemon()).isTrue();
        assertThat(first.isVirtual()).isFalse();
        assertThat(first.getName()).isEqualTo("vfio4j-callbacks");
        device.close();
        first.join(); // nothing is left to wait for
    }

    @Test
    void theThreadOfHandlersStartsAgain() throws Exception {
        BlockingQueue<Long> counts = new LinkedBlockingQueue<>();
        for (int round = 0; round < 50; round++) {
            Interrupts request = device.irq(PciIrq.REQ).enable();
            request.get(0).onInterrupt((_, count) -> counts.add(count));
            request.get(0).trigger();
            // Index 4 and index 2 share the fake's eventfds; what matters is that the handler is called.
            assertThat(counts.poll(20, TimeUnit.SECONDS)).isEqualTo(1);
            request.close();
        }
    }

    @Test
    void aHandlerThatThrowsDoesNotStopTheOthers() throws Exception {
        BlockingQueue<Throwable> uncaught = new LinkedBlockingQueue<>();
        BlockingQueue<Long> counts = new LinkedBlockingQueue<>();
        msix.get(0).onInterrupt((_, _) -> {
            Thread.currentThread().setUncaughtExceptionHandler((_, e) -> uncaught.add(e));
            throw new IllegalStateException("handler");
        });
        msix.get(1).onInterrupt((_, count) -> counts.add(count));
        msix.get(0).trigger();
        assertThat(uncaught.poll(20, TimeUnit.SECONDS)).hasMessage("handler");
        msix.get(1).trigger();
        assertThat(counts.poll(20, TimeUnit.SECONDS)).isEqualTo(1);
    }

    @Test
    void aHandlerInTheThreadOfHandlersMayCloseEverything() throws Exception {
        BlockingQueue<Thread> closer = new LinkedBlockingQueue<>();
        msix.get(0).onInterrupt((_, _) -> {
            vfio.close();
            closer.add(Thread.currentThread());
        });
        msix.get(0).trigger();
        closer.take().join();
    }

    @Test
    void aLaterHandlerTakesTheEarlierOnesPlace() throws Exception {
        BlockingQueue<String> calls = new LinkedBlockingQueue<>();
        msix.get(0).onInterrupt((_, _) -> calls.add("first"));
        msix.get(0).onInterrupt((_, _) -> calls.add("second"));
        msix.get(0).trigger();
        assertThat(calls.poll(20, TimeUnit.SECONDS)).isEqualTo("second");
    }

    @Test
    void inTheSteadyStateAWaitAllocatesNothing() {
        int rounds = 20_000;
        Interrupt one = msix.get(0);
        InterruptHandler handler = (_, _) -> {};
        try (Waiter waiter = vfio.openWaiter()) {
            waiter.add(msix.get(1));
            waiter.add(msix.get(2));
            var bean = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
            Duration none = Duration.ofNanos(1); // so that it goes to epoll_wait and not only to read
            long allocated = Long.MAX_VALUE;
            for (int attempt = 0; attempt < 10 && allocated >= rounds; attempt++) { // the first are interpreted
                long before = bean.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < rounds; i++) {
                    waiter.await(Duration.ZERO, handler);
                    one.poll();
                    if (i % 100 == 0) {
                        one.await(none);
                    }
                }
                allocated = bean.getCurrentThreadAllocatedBytes() - before;
            }
            // Not a byte for each wait; the odd object may be the JVM's.
            assertThat(allocated).as("bytes for %d waits", rounds).isLessThan(rounds);
        }
    }

    @Test
    void anUnmaskEventOfAClosedInterruptDoesNothing() {
        Interrupts intx = device.irq(PciIrq.REQ).enable();
        assertThatExceptionOfType(RuleViolation.class) // the fake's indexes cannot be masked
                .isThrownBy(() -> {
                    try (UnmaskEvent event = intx.get(0).unmaskEvent()) {
                        event.signal();
                    }
                });
    }
}
