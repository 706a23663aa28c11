package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Contract;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceRequest;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Devices that somebody wants back, and devices that report errors. */
class RequestKernelTest extends KernelTest {
    private static final Duration LONG = Duration.ofMinutes(5);
    private static final long SECONDS = 60;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private Future<?> unbinding;
    private PciAddress wanted;

    @AfterEach
    void theDeviceIsBoundAgain() throws Exception {
        vfio.close();
        if (unbinding != null) {
            unbinding.get(SECONDS, TimeUnit.SECONDS);
            machine.bindToVfio(wanted);
        }
        threads.shutdownNow();
    }

    @Test
    void aWorkedDeviceIsAskedForFirstAndThenUnbound() throws Exception {
        Device loner = open(machine.loner()).device();
        loner.config().enableMemory();
        Mmio registers = loner.region(0).map();
        CountDownLatch working = new CountDownLatch(1);
        Future<?> worker = threads.submit(() -> {
            while (true) {
                registers.read32Acquire(0);
                working.countDown();
            }
        });
        assertThat(working.await(SECONDS, TimeUnit.SECONDS)).isTrue();
        BlockingQueue<DeviceRequest> requests = new LinkedBlockingQueue<>();
        loner.onRequest(LONG, requests::add);
        unbind();
        DeviceRequest request = requests.poll(SECONDS, TimeUnit.SECONDS);
        assertThat(request.device()).isSameAs(loner);
        assertThat(request.deadline()).isAfter(Instant.now());
        assertThat(unbinding).isNotDone();
        assertThat(worker).isNotDone();
        loner.close();
        unbinding.get(SECONDS, TimeUnit.SECONDS);
        assertThatThrownBy(() -> worker.get(SECONDS, TimeUnit.SECONDS)).hasCauseInstanceOf(IllegalStateException.class);
    }

    @Test
    void aDeviceThatIsNotHandedBackInTimeIsClosedByTheLibrary() throws Exception {
        Device loner = open(machine.loner()).device();
        loner.onRequest(Duration.ofMillis(50), _ -> {});
        unbind();
        unbinding.get(SECONDS, TimeUnit.SECONDS);
        assertThatThrownBy(() -> loner.region(0)).isInstanceOf(RuleViolation.class).hasMessageContaining("handle.open");
    }

    @Test
    void aDeviceThatWasAskedBackGetsNoNewMappingAndNoNewInterrupt() throws Exception {
        Device loner = open(machine.loner()).device();
        loner.config().enableMemory();
        assertThat(loner.requested()).isFalse();
        awaitRequest(loner);
        assertRefused(Rule.REGION_REQUESTED, () -> loner.region(0).map());
        assertRefused(Rule.SET_IRQS_REQUESTED, () -> loner.irq(PciIrq.MSI).enable());
        assertThat(loner.requested()).isTrue();
    }

    @Test
    void theKernelsContractLetsADeviceWorkOnWhileItIsAskedBack() throws Exception {
        vfio.close();
        try (Vfio lenient = machine.open(Contract.KERNEL)) {
            Device loner = lenient.openDevice(machine.loner());
            loner.config().enableMemory();
            awaitRequest(loner);
            assertThat(loner.region(0).map().size()).isPositive();
            try (Interrupts msi = loner.irq(PciIrq.MSI).enable()) {
                msi.trigger(0, true);
                assertThat(msi.get(0).poll()).isEqualTo(1);
            }
        }
    }

    @Test
    void aDeviceThatIsBeingUnboundIsNotReset() throws Exception {
        Device nvme = open(machine.nvme()).device();
        nvme.reset();
        awaitRequest(nvme, machine.nvme());
        VfioException e = catchThrowableOfType(VfioException.class, nvme::reset);
        assertThat(e.errno()).isEqualTo(Errno.EAGAIN);
        assertThat(e.rule()).contains(Rule.RESET_BUSY);
    }

    @Test
    void aHandlerHearsOfARequestThatCameBeforeIt() throws Exception {
        Device loner = open(machine.loner()).device();
        awaitRequest(loner);
        BlockingQueue<DeviceRequest> requests = new LinkedBlockingQueue<>();
        loner.onRequest(LONG, requests::add);
        assertThat(requests.poll(SECONDS, TimeUnit.SECONDS)).isNotNull();
    }

    @Test
    void aProgramThatEnablesTheRequestInterruptHearsOfItThere() throws Exception {
        Device loner = open(machine.loner()).device();
        try (Interrupts own = loner.irq(PciIrq.REQ).enable()) {
            assertThatThrownBy(() -> loner.onRequest(LONG, _ -> {})).isInstanceOf(UnsupportedOperationException.class);
            unbind();
            assertThat(own.get(0).await(Duration.ofSeconds(SECONDS))).isPositive();
            assertThat(loner.requested()).isFalse();
        }
    }

    @Test
    void aDeviceThatIsNotWatchedTakesNoEventfd() {
        Stack stack = open(machine.loner());
        stack.device().close();
        int before = machine.filesAndMappings().size();
        try (Device unwatched = stack.iommu().openDeviceUnwatched(stack.group(), machine.loner())) {
            assertThat(machine.filesAndMappings()).hasSize(before + 1); // its own file
            assertThat(unwatched.requested()).isFalse();
            assertThat(unwatched.failed()).isFalse();
            assertThatThrownBy(() -> unwatched.onRequest(LONG, _ -> {})).isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Test
    void anErrorReachesTheHandler() throws Exception {
        Device nvme = open(machine.nvme()).device();
        BlockingQueue<Device> errors = new LinkedBlockingQueue<>();
        assumeTrue(nvme.region(7).info().size() == 4096, "the controller is no PCI Express device");
        nvme.onError(errors::add);
        assertThat(nvme.failed()).isFalse();
        assumeTrue(machine.reportError(machine.nvme()), "nothing here makes a device report an error");
        assertThat(errors.poll(SECONDS, TimeUnit.SECONDS)).isSameAs(nvme);
        assertThat(nvme.failed()).isTrue();
    }

    private void unbind() {
        unbind(machine.loner());
    }

    private void unbind(PciAddress address) {
        wanted = address;
        unbinding = threads.submit(() -> machine.unbind(address));
    }

    private void awaitRequest(Device device) throws InterruptedException {
        awaitRequest(device, machine.loner());
    }

    private void awaitRequest(Device device, PciAddress address) throws InterruptedException {
        unbind(address);
        long start = System.nanoTime();
        while (!device.requested()) {
            assertThat(System.nanoTime() - start).as("waited for the request").isLessThan(SECONDS * 1_000_000_000);
            Thread.onSpinWait();
        }
    }
}
