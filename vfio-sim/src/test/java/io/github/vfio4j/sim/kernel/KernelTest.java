package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;

/** The base of the tests that run on the simulated kernel and, the same classes, on Linux. */
@Tag("kernel")
@Timeout(120)
abstract class KernelTest {
    final MachineUnderTest machine;
    final Vfio vfio;

    KernelTest() {
        this(MachineUnderTest.start());
    }

    KernelTest(MachineUnderTest machine) {
        this.machine = machine;
        vfio = machine.open();
    }

    @AfterEach
    void nothingStaysOpenOrMapped() {
        vfio.close();
        assertThat(machine.filesAndMappings()).isEmpty();
        machine.close();
    }

    int groupOf(PciAddress address) {
        return vfio.pciDevice(address).iommuGroup().orElseThrow();
    }

    Group openGroupOf(PciAddress address) {
        return vfio.openGroup(groupOf(address));
    }

    /** Checks that the library refuses a call by a rule, and that it changed nothing in the kernel. */
    RuleViolation assertRefused(Rule rule, ThrowingCallable call) {
        List<String> before = machine.changes();
        RuleViolation violation = catchThrowableOfType(RuleViolation.class, call);
        assertThat(violation).as("a refusal by %s", rule.id()).isNotNull();
        assertThat(violation.rule()).contains(rule);
        assertThat(machine.changes()).isEqualTo(before);
        return violation;
    }

    /** Does what may wait in a thread that has begun when this returns. */
    static <T> CompletableFuture<T> inAnotherThread(Supplier<T> work) throws InterruptedException {
        CompletableFuture<T> result = new CompletableFuture<>();
        CountDownLatch begun = new CountDownLatch(1);
        Thread.ofPlatform().daemon().start(() -> {
            begun.countDown();
            try {
                result.complete(work.get());
            } catch (RuntimeException e) {
                result.completeExceptionally(e);
            }
        });
        begun.await();
        return result;
    }

    /** A device and all it stands on. */
    record Stack(Container container, Group group, Type1 iommu, Device device) {}

    Stack open(PciAddress address) {
        Container container = vfio.openContainer();
        Group group = openGroupOf(address);
        container.attach(group);
        Type1 iommu = container.setIommu(IommuType.TYPE1_V2);
        return new Stack(container, group, iommu, iommu.openDevice(group, address));
    }
}
