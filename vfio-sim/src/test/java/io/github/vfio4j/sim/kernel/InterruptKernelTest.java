package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.Irq;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.UnmaskEvent;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.Waiter;
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

/** MSI-X of the NVMe controller; MSI and INTx of the loner, which raises what is written to its register. */
class InterruptKernelTest extends KernelTest {
    private static final Duration FOREVER = ChronoUnit.FOREVER.getDuration();
    private static final Duration NOT_LONG = Duration.ofMillis(100);

    // Registers of the loner, an edu device.
    private static final int STATUS = 0x24;
    private static final int RAISE = 0x60;
    private static final int ACKNOWLEDGE = 0x64;

    private static final int PCI_STATUS = 0x06;
    private static final int PENDING = 1 << 3;

    private final ExecutorService threads = Executors.newCachedThreadPool();

    @AfterEach
    void everyThreadEnds() throws InterruptedException {
        vfio.close();
        threads.shutdown();
        assertThat(threads.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
    }

    private Irq msix() {
        return open(machine.nvme()).device().irq(PciIrq.MSIX);
    }

    /** Waits until a thread is in the system call, or about to make it. A native call shows as its Java frames. */
    private static void awaitInKernel(Thread thread) {
        while (Stream.of(thread.getStackTrace())
                .noneMatch(frame -> frame.getMethodName().equals("epollWait"))) {
            LockSupport.parkNanos(1_000_000);
        }
    }

    private Future<Long> waiting(Interrupt interrupt) throws InterruptedException {
        BlockingQueue<Thread> waiter = new LinkedBlockingQueue<>();
        Future<Long> result = threads.submit(() -> {
            waiter.add(Thread.currentThread());
            return interrupt.await(FOREVER);
        });
        awaitInKernel(waiter.take());
        return result;
    }

    private static void assertEndedByClose(Future<?> wait) {
        ExecutionException e = catchThrowableOfType(ExecutionException.class, () -> wait.get(60, TimeUnit.SECONDS));
        assertThat(e).hasCauseInstanceOf(RuleViolation.class);
        assertThat(((RuleViolation) e.getCause()).rule()).contains(Rule.HANDLE_OPEN);
    }

    // ---- message interrupts

    @Test
    void everyVectorThatIsTriggeredCountsExactlyOnce() {
        Irq msix = msix();
        int count = msix.info().count();
        Interrupts vectors = msix.enable();
        for (int i = 0; i < count; i++) {
            vectors.get(i).trigger();
            for (int j = 0; j < count; j++) {
                assertThat(vectors.get(j).poll()).as("vector %d after %d", j, i).isEqualTo(i == j ? 1 : 0);
            }
        }
    }

    @Test
    void whatIsNotTakenAddsUp() {
        Interrupts vectors = msix().enable(0, 3);
        vectors.trigger(0, true, false, true);
        vectors.get(2).trigger();
        vectors.get(2).trigger();
        assertThat(vectors.get(0).poll()).isEqualTo(1);
        assertThat(vectors.get(1).poll()).isZero();
        assertThat(vectors.get(2).poll()).isEqualTo(3);
    }

    @Test
    void aSubsetIsEnabled() {
        Interrupts vectors = msix().enable(3, 2);
        vectors.get(4).trigger();
        assertThat(vectors.get(4).await(FOREVER)).isEqualTo(1);
        assertThat(vectors.get(3).poll()).isZero();
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> vectors.get(2));
        vectors.add(0, 2); // the kernel allocated 0 to 4
        vectors.trigger(0, true, true);
        assertThat(vectors.get(0).poll() + vectors.get(1).poll()).isEqualTo(2);
    }

    @Test
    void vectorsAreAddedWhileOthersAreEnabledWhereTheKernelAllowsIt() {
        Irq msix = msix();
        Interrupts vectors = msix.enable(0, 2);
        if (msix.info().noResize()) { // Linux before 6.5
            assertRefused(Rule.SET_IRQS_RESIZE, () -> vectors.add(2, 2));
            vectors.close();
            msix.enable(0, 4).get(3).trigger();
            return;
        }
        vectors.add(5, 2);
        vectors.get(6).trigger();
        vectors.get(1).trigger();
        assertThat(vectors.get(6).poll()).isEqualTo(1);
        assertThat(vectors.get(1).poll()).isEqualTo(1);
        assertThat(vectors.get(5).poll()).isZero();
    }

    @Test
    void interruptsThatAnotherHandleOfTheDeviceDisabledAreClosedWithoutAnError() {
        Stack stack = open(machine.loner());
        Device again = stack.iommu().openDevice(stack.group(), machine.loner());
        Interrupts first = stack.device().irq(PciIrq.MSI).enable();
        again.irq(PciIrq.MSI).enable().close(); // the index is the device's, whoever enabled it
        first.close();
        again.irq(PciIrq.MSI).enable();
    }

    @Test
    void anIndexCanBeEnabledDisabledAndEnabledAgain() {
        Irq msix = msix();
        for (int round = 1; round <= 5; round++) {
            try (Interrupts vectors = msix.enable(0, round)) {
                vectors.get(round - 1).trigger();
                assertThat(vectors.get(round - 1).poll()).isEqualTo(1);
            }
        }
    }

    @Test
    void interruptsThatAreNotThereAreRefused() {
        Irq msix = msix();
        assertRefused(Rule.SET_IRQS_RANGE, () -> msix.enable(msix.info().count(), 1));
        assertRefused(Rule.SET_IRQS_RANGE, () -> msix.enable(1, msix.info().count()));
        assertRefused(Rule.SET_IRQS_RANGE, () -> msix.enable(-1, 1));
        assertRefused(Rule.SET_IRQS_RANGE, () -> msix.enable(1, Integer.MAX_VALUE));
    }

    @Test
    void messageInterruptsAreNotMaskedThroughTheKernel() {
        Interrupt vector = msix().enable(0, 1).get(0);
        assertRefused(Rule.SET_IRQS_ACTION, vector::mask);
        assertRefused(Rule.SET_IRQS_ACTION, vector::unmask);
        assertRefused(Rule.SET_IRQS_ACTION, vector::unmaskEvent);
    }

    @Test
    void theDeviceRaisesItsMsi() {
        Device loner = open(machine.loner()).device();
        loner.config().enableBusMaster();
        Mmio registers = loner.region(0).map();
        Interrupt msi = loner.irq(PciIrq.MSI).enable().get(0);
        for (int i = 1; i <= 20; i++) {
            registers.write32Release(RAISE, i);
            assertThat(msi.await(FOREVER)).isEqualTo(1);
            assertThat(registers.read32Acquire(STATUS)).isEqualTo(i);
            registers.write32Release(ACKNOWLEDGE, i);
        }
        assertThat(msi.await(NOT_LONG)).isZero();
    }

    @Test
    void aResetKeepsInterruptsEnabled() {
        Device nvme = open(machine.nvme()).device();
        assumeTrue(nvme.info().resettable());
        Interrupts vectors = nvme.irq(PciIrq.MSIX).enable(0, 2);
        nvme.reset();
        vectors.get(1).trigger();
        assertThat(vectors.get(1).poll()).isEqualTo(1);
    }

    // ---- INTx

    /** Opens the loner, whose line it is. */
    private Device withLine() {
        Device loner = open(machine.loner()).device();
        assertThat(loner.irq(PciIrq.INTX).info().count()).isEqualTo(1);
        return loner;
    }

    /** Ends what the device asserts its line for. A simulated device takes its time. */
    private static void acknowledge(Mmio registers, int bits) {
        registers.write32Release(ACKNOWLEDGE, bits);
        while ((registers.read32Acquire(STATUS) & bits) != 0) {
            Thread.onSpinWait();
        }
    }

    @Test
    void theLineIsMaskedWhenItFiresAndFiresAgainOnceItIsUnmasked() {
        Device loner = withLine();
        Interrupt line = loner.irq(PciIrq.INTX).enable().get(0);
        Mmio registers = loner.region(0).map();
        registers.write32Release(RAISE, 1);
        assertThat(line.await(FOREVER)).isEqualTo(1);
        registers.write32Release(RAISE, 2);
        assertThat(line.await(NOT_LONG)).isZero(); // masked, and asserted all the time
        line.unmask(); // not acknowledged: still asserted
        assertThat(line.await(FOREVER)).isEqualTo(1);
        assertThat(registers.read32Acquire(STATUS)).isEqualTo(3);
        acknowledge(registers, 3);
        line.unmask();
        assertThat(line.await(NOT_LONG)).isZero();
        registers.write32Release(RAISE, 4);
        assertThat(line.await(FOREVER)).isEqualTo(1);
        acknowledge(registers, 4);
    }

    @Test
    void aMaskedLineFiresWhenItIsUnmasked() {
        Device loner = withLine();
        Interrupt line = loner.irq(PciIrq.INTX).enable().get(0);
        Mmio registers = loner.region(0).map();
        line.mask();
        registers.write32Release(RAISE, 1);
        assertThat(line.await(NOT_LONG)).isZero();
        line.unmask();
        assertThat(line.await(FOREVER)).isEqualTo(1);
        acknowledge(registers, 1);
    }

    @Test
    void anEventUnmasksTheLineUntilItIsClosed() {
        Device loner = withLine();
        Interrupt line = loner.irq(PciIrq.INTX).enable().get(0);
        Mmio registers = loner.region(0).map();
        UnmaskEvent event = line.unmaskEvent();
        assertRefused(Rule.SET_IRQS_UNMASK_EVENT, line::unmaskEvent);
        registers.write32Release(RAISE, 1);
        assertThat(line.await(FOREVER)).isEqualTo(1);
        event.signal(); // still asserted
        assertThat(line.await(FOREVER)).isEqualTo(1);
        acknowledge(registers, 1);
        event.signal();
        assertThat(line.await(NOT_LONG)).isZero();
        registers.write32Release(RAISE, 2);
        assertThat(line.await(FOREVER)).isEqualTo(1);
        event.close();
        line.unmask();
        assertThat(line.await(FOREVER)).isEqualTo(1);
        line.unmaskEvent().signal(); // a second one, closed with the line
        assertThat(line.await(FOREVER)).isEqualTo(1);
        acknowledge(registers, 2);
    }

    @Test
    void theStatusInConfigurationSpaceShowsTheLine() {
        Device loner = withLine();
        Mmio registers = loner.region(0).map();
        assertThat(pending(loner)).isFalse();
        registers.write32Release(RAISE, 1);
        while (!pending(loner)) {
            Thread.onSpinWait();
        }
        acknowledge(registers, 1);
        assertThat(pending(loner)).isFalse();
    }

    private static boolean pending(Device device) {
        return (device.config().read16(PCI_STATUS) & PENDING) != 0;
    }

    @Test
    void theCommandRegisterDisablesTheLineWhateverIsUnmasked() {
        Device loner = withLine();
        Interrupt line = loner.irq(PciIrq.INTX).enable().get(0);
        Mmio registers = loner.region(0).map();
        loner.config().disableIntx();
        registers.write32Release(RAISE, 1);
        line.unmask();
        line.trigger();
        assertThat(line.await(NOT_LONG)).isZero();
        loner.config().enableIntx(); // still asserted
        assertThat(line.await(FOREVER)).isEqualTo(1);
        acknowledge(registers, 1);
        line.unmask();
        assertThat(line.await(NOT_LONG)).isZero();
    }

    @Test
    void aThousandLevelsAreHeardOneByOne() {
        Device loner = withLine();
        Interrupt line = loner.irq(PciIrq.INTX).enable().get(0);
        Mmio registers = loner.region(0).map();
        UnmaskEvent event = line.unmaskEvent();
        long heard = 0;
        for (int i = 0; i < 1000; i++) {
            registers.write32Release(RAISE, 1);
            heard += line.await(FOREVER);
            acknowledge(registers, 1);
            event.signal();
        }
        assertThat(heard).isEqualTo(1000);
        assertThat(line.await(NOT_LONG)).isZero();
    }

    @Test
    void theLineIsTriggeredByHand() {
        Interrupts line = withLine().irq(PciIrq.INTX).enable();
        line.get(0).trigger();
        line.trigger(0, true);
        line.trigger(0, false);
        assertThat(line.get(0).poll()).isEqualTo(2);
    }

    @Test
    void oneOfIntxMsiAndMsixIsEnabledAtATime() {
        Device loner = withLine();
        Irq intx = loner.irq(PciIrq.INTX);
        Irq msi = loner.irq(PciIrq.MSI);
        Interrupts enabled = msi.enable();
        assertRefused(Rule.SET_IRQS_EXCLUSIVE, intx::enable);
        enabled.close();
        intx.enable();
        assertRefused(Rule.SET_IRQS_EXCLUSIVE, msi::enable);
    }

    @Test
    void whatAnotherHandleEnabledTheKernelRefusesAndTheErrnoIsExplained() {
        Stack first = open(machine.loner());
        assertThat(first.device().irq(PciIrq.INTX).info().count()).isEqualTo(1);
        Device second = first.iommu().openDevice(first.group(), machine.loner());
        first.device().irq(PciIrq.MSI).enable();
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> second.irq(PciIrq.INTX).enable());
        assertThat(e).isNotInstanceOf(RuleViolation.class);
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(e).hasMessageContaining("VFIO_DEVICE_SET_IRQS").hasMessageContaining("another of INTx, MSI and MSI-X");
    }

    // ---- errors and requests

    @Test
    void theRequestInterruptIsTriggeredBesideOthers() {
        Device nvme = open(machine.nvme()).device();
        Interrupts vectors = nvme.irq(PciIrq.MSIX).enable(0, 1);
        try (Interrupts request = nvme.irq(PciIrq.REQ).enable()) {
            request.get(0).trigger();
            request.trigger(0, true);
            assertThat(request.get(0).poll()).isEqualTo(2);
        }
        nvme.irq(PciIrq.REQ).enable().get(0).trigger();
        assertThat(vectors.get(0).poll()).isZero();
    }

    @Test
    void aHostThatWantsTheDeviceBackIsHeardAndGetsIt() throws Exception {
        Stack stack = open(machine.loner());
        BlockingQueue<Long> requests = new LinkedBlockingQueue<>();
        stack.device().irq(PciIrq.REQ).enable().get(0).onInterrupt((_, count) -> {
            requests.add(count);
            stack.device().close();
        });
        Future<?> unbind = threads.submit(() -> machine.unbind(machine.loner()));
        assertThat(requests.poll(60, TimeUnit.SECONDS)).isPositive();
        unbind.get(60, TimeUnit.SECONDS);
        vfio.close();
        machine.bindToVfio(machine.loner());
    }

    @Test
    void theErrorInterruptIsOfPciExpressDevicesAlone() {
        Device loner = open(machine.loner()).device(); // a conventional PCI device
        VfioException e = catchThrowableOfType(VfioException.class, () -> loner.irq(PciIrq.ERR));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        Device nvme = open(machine.nvme()).device();
        assumeTrue(nvme.region(7).info().size() == 4096, "the controller is no PCI Express device");
        Interrupts errors = nvme.irq(PciIrq.ERR).enable();
        errors.get(0).trigger();
        assertThat(errors.get(0).poll()).isEqualTo(1);
    }

    // ---- waiting and closing

    @Test
    void twoThousandTriggersAreAllSeen() throws Exception {
        int vectors = 4;
        Interrupts msix = msix().enable(0, vectors);
        AtomicLong[] seen = Stream.generate(AtomicLong::new).limit(vectors).toArray(AtomicLong[]::new);
        CountDownLatch left = new CountDownLatch(2000);
        Waiter waiter = vfio.openWaiter();
        for (int i = 0; i < vectors; i++) {
            waiter.add(msix.get(i));
        }
        List<Future<?>> takers = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            takers.add(threads.submit(() -> {
                while (true) {
                    waiter.await(FOREVER, (interrupt, count) -> {
                        seen[interrupt.number()].addAndGet(count);
                        for (long taken = 0; taken < count; taken++) {
                            left.countDown();
                        }
                    });
                }
            }));
        }
        for (int i = 0; i < 2000; i++) {
            msix.get(i % vectors).trigger();
        }
        assertThat(left.await(100, TimeUnit.SECONDS)).as("none is lost").isTrue();
        waiter.close();
        takers.forEach(InterruptKernelTest::assertEndedByClose);
        assertThat(seen).allSatisfy(count -> assertThat(count).hasValue(2000 / vectors));
    }

    @Test
    void severalThreadsWaitEachForItsOwnVector() throws Exception {
        Interrupts msix = msix().enable(0, 4);
        List<Future<Long>> waits = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            waits.add(waiting(msix.get(i)));
        }
        for (int i = 3; i >= 0; i--) {
            assertThat(waits.get(i)).isNotDone();
            msix.get(i).trigger();
            assertThat(waits.get(i).get(60, TimeUnit.SECONDS)).isEqualTo(1);
        }
    }

    @Test
    void everyKindOfCloseWakesWhoWaits() throws Exception {
        for (String closed : List.of("interrupts", "device", "group", "container")) {
            Stack stack = open(machine.nvme());
            Interrupts msix = stack.device().irq(PciIrq.MSIX).enable(0, 2);
            List<Future<Long>> waits = List.of(waiting(msix.get(0)), waiting(msix.get(0)), waiting(msix.get(1)));
            switch (closed) {
                case "interrupts" -> msix.close();
                case "device" -> stack.device().close();
                case "group" -> stack.group().close();
                default -> stack.container().close();
            }
            waits.forEach(InterruptKernelTest::assertEndedByClose);
            assertThatExceptionOfType(RuleViolation.class).isThrownBy(() -> msix.get(0).poll());
            msix.close();
            stack.device().close();
            stack.group().close();
            stack.container().close();
            assertThat(machine.filesAndMappings()).as("after the close of the %s", closed).isEmpty();
        }
    }

    @Test
    void closesWhileInterruptsFireAndThreadsWaitLoseNoDescriptor() throws Exception {
        for (int round = 0; round < 10; round++) {
            Stack stack = open(machine.nvme());
            Interrupts msix = stack.device().irq(PciIrq.MSIX).enable(0, 2);
            CountDownLatch fired = new CountDownLatch(1);
            msix.get(1).onInterrupt((_, _) -> fired.countDown());
            List<Future<?>> busy = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                busy.add(threads.submit(() -> {
                    while (true) {
                        msix.get(0).await(FOREVER);
                    }
                }));
            }
            busy.add(threads.submit(() -> {
                while (true) {
                    msix.trigger(0, true, true);
                }
            }));
            fired.await();
            stack.device().close();
            for (Future<?> thread : busy) {
                ExecutionException e =
                        catchThrowableOfType(ExecutionException.class, () -> thread.get(60, TimeUnit.SECONDS));
                assertThat(e).hasCauseInstanceOf(RuleViolation.class);
            }
            stack.group().close();
            stack.container().close();
        }
    }
}
