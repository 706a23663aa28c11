package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.FaultQueue;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.Hwpt;
import io.github.vfio4j.HwptFlag;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.NestedHwpt;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.PageFault;
import io.github.vfio4j.PageFault.Permission;
import io.github.vfio4j.PageFaultGroup;
import io.github.vfio4j.PageResponse;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.spi.FaultQueuePort;
import io.github.vfio4j.spi.IommufdPort;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** Page faults of devices, on kernels that have a device to test that with. */
class FaultQueueKernelTest extends KernelTest {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final Duration FOREVER = ChronoUnit.FOREVER.getDuration();
    private static final int READ = 1;
    private static final int WRITE = 2;
    private static final int REMEMBERED = 0xbadbeef;

    private MockIommu mock;
    private Iommufd iommufd;
    private MockIommu.Mock first;
    private Ioas ioas;
    private Hwpt parent;
    private FaultQueue queue;

    @BeforeEach
    void openAll() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        mock = new MockIommu(machine);
        Assumptions.assumeTrue(mock.isPresent(), "this kernel has no device to test iommufd with");
        iommufd = mock.vfio().openIommufd();
        first = mock.open(iommufd);
        ioas = iommufd.allocateIoas();
        parent = ioas.allocateHwpt(first.device, HwptFlag.NEST_PARENT);
        queue = iommufd.allocateFaultQueue();
    }

    @AfterEach
    void closeAll() {
        if (mock != null) {
            mock.vfio().close();
        }
    }

    private NestedHwpt attachNested(MockIommu.Mock to) {
        NestedHwpt nested = parent.nest(to.device, new GuestPageTable.ArmSmmuV3(REMEMBERED, 0), queue);
        to.device.attach(nested);
        return nested;
    }

    // ---- faults

    @Test
    void aFaultIsReadAndAnswered() {
        NestedHwpt nested = attachNested(first);
        assertThat(first.device.attached()).contains(nested);
        assertThat(queue.poll()).isEmpty();
        first.fault(0, 3, READ | WRITE, 0x12_0000_5000L);
        List<PageFaultGroup> groups = queue.await(SOON);
        assertThat(groups).hasSize(1);
        assertThat(groups.getFirst().faults()).singleElement().satisfies(fault -> {
            assertThat(fault.device()).containsSame(first.device);
            assertThat(fault.pasid()).isEmpty();
            assertThat(fault.group()).isEqualTo(3);
            assertThat(fault.permissions()).isEqualTo(Set.of(Permission.READ, Permission.WRITE));
            assertThat(fault.address()).isEqualTo(0x12_0000_5000L);
            assertThat(fault.length()).isZero();
        });
        assertThat(queue.poll()).isEmpty();
        queue.answer(groups.getFirst(), PageResponse.SUCCESS);
        assertRefused(Rule.FAULT_UNANSWERED, () -> queue.answer(groups.getFirst(), PageResponse.SUCCESS));
    }

    @Test
    void aFaultWithAPasidIsTheGuestPageTables() {
        attachNested(first);
        first.fault(0xabcde, 1, 0b1100, 0x5000);
        PageFault fault = queue.await(SOON).getFirst().faults().getFirst();
        assertThat(fault.pasid()).isEqualTo(OptionalInt.of(0xabcde));
        assertThat(fault.permissions()).isEqualTo(Set.of(Permission.EXECUTE, Permission.PRIVILEGED));
    }

    @Test
    void groupsAreAnsweredInAnyOrderAndNumbersAreGivenAgain() {
        attachNested(first);
        MockIommu.Mock second = mock.open(iommufd);
        attachNested(second);
        first.fault(0, 1, READ, 0x1000);
        second.fault(0, 1, READ, 0x2000);
        first.fault(0, 2, READ, 0x3000);
        List<PageFaultGroup> groups = queue.poll();
        assertThat(groups).extracting(group -> group.faults().getFirst().address()).containsExactly(0x1000L, 0x2000L, 0x3000L);
        assertThat(groups).extracting(PageFaultGroup::cookie).doesNotHaveDuplicates();
        assertThat(groups.get(1).faults().getFirst().device()).containsSame(second.device);
        queue.answer(groups.get(2), PageResponse.INVALID);
        queue.answer(groups.get(0), PageResponse.SUCCESS);
        first.fault(0, 3, READ, 0x4000);
        PageFaultGroup next = queue.poll().getFirst();
        assertThat(next.cookie()).isEqualTo(groups.get(0).cookie()); // the lowest that is free
        assertRefused(Rule.FAULT_UNANSWERED, () -> queue.answer(groups.get(0), PageResponse.SUCCESS));
        queue.answer(next, PageResponse.SUCCESS);
        queue.answer(groups.get(1), PageResponse.SUCCESS);
    }

    @Test
    void whatIsUnansweredTheKernelAnswersWhenTheDeviceLeaves() {
        NestedHwpt nested = attachNested(first);
        first.fault(0, 1, READ, 0x1000);
        PageFaultGroup read = queue.poll().getFirst();
        first.fault(0, 2, READ, 0x2000);
        first.device.attach(nested); // where it is
        first.device.attach(ioas);
        assertRefused(Rule.FAULT_UNANSWERED, () -> queue.answer(read, PageResponse.SUCCESS));
        assertThat(queue.poll()).isEmpty();
        first.fault(0, 3, READ, 0x3000); // nobody hears of it
        assertThat(queue.poll()).isEmpty();
        first.device.attach(nested);
        first.fault(0, 4, READ, 0x4000);
        PageFaultGroup again = queue.poll().getFirst();
        first.device.close();
        assertRefused(Rule.FAULT_UNANSWERED, () -> queue.answer(again, PageResponse.SUCCESS));
    }

    @Test
    void aPageTableThatIsNotNestedHasAFaultQueueOnNewerKernels() {
        Hwpt table;
        try {
            table = ioas.allocateHwpt(first.device, queue);
        } catch (VfioException e) { // Linux 6.12
            assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP);
            assertThat(e.rule()).contains(Rule.HWPT_SUPPORTED);
            return;
        }
        first.device.attach(table);
        first.fault(0, 1, WRITE, 0x1000);
        queue.answer(queue.await(SOON).getFirst(), PageResponse.SUCCESS);
        first.fault(5, 1, WRITE, 0x1000); // the device has no such PASID
        assertThat(queue.poll()).isEmpty();
    }

    // ---- waiting

    private CompletableFuture<List<PageFaultGroup>> waitInAnotherThread() throws InterruptedException {
        return inAnotherThread(() -> queue.await(FOREVER));
    }

    @Test
    void aFaultEndsAWait() throws Exception {
        attachNested(first);
        assertThat(queue.await(Duration.ZERO)).isEmpty();
        assertThat(queue.await(Duration.ofMillis(1))).isEmpty();
        CompletableFuture<List<PageFaultGroup>> waiting = waitInAnotherThread();
        first.fault(0, 1, READ, 0x1000);
        List<PageFaultGroup> groups = waiting.get(60, TimeUnit.SECONDS);
        queue.answer(groups.getFirst(), PageResponse.SUCCESS);
        assertThatThrownBy(() -> queue.await(Duration.ofMillis(-1))).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aCloseEndsAWait() throws Exception {
        CompletableFuture<List<PageFaultGroup>> waiting = waitInAnotherThread();
        queue.close();
        assertThatThrownBy(() -> waiting.get(60, TimeUnit.SECONDS))
                .cause()
                .isInstanceOfSatisfying(RuleViolation.class, e -> assertThat(e.rule()).contains(Rule.HANDLE_OPEN));
        assertRefused(Rule.HANDLE_OPEN, () -> queue.await(FOREVER));
        assertRefused(Rule.HANDLE_OPEN, queue::poll);
    }

    // ---- what is refused

    @Test
    void aPageTableThatOthersAreNestedInHasNoFaultQueue() {
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> ioas.allocateHwpt(first.device, queue, HwptFlag.NEST_PARENT));
        assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP);
        assertThat(e.rule()).contains(Rule.HWPT_SUPPORTED);
    }

    @Test
    void aClosedQueueIsGivenToNoPageTable() {
        queue.close();
        assertRefused(Rule.HANDLE_OPEN, () -> ioas.allocateHwpt(first.device, queue));
        assertRefused(Rule.HANDLE_OPEN, () -> attachNested(first));
    }

    @Test
    void aQueueOfAnotherIommufdIsRefused() {
        FaultQueue foreign = mock.vfio().openIommufd().allocateFaultQueue();
        assertThatThrownBy(() -> ioas.allocateHwpt(first.device, foreign)).isInstanceOf(IllegalArgumentException.class);
        GuestPageTable table = new GuestPageTable.ArmSmmuV3(REMEMBERED, 0);
        assertThatThrownBy(() -> parent.nest(first.device, table, foreign)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aDeviceThatRequestsNoPagesIsNotAttachedWhereTheyAreHandled() {
        Assumptions.assumeTrue(vfio.wayTo(machine.loner()) == OpenedBy.CDEV, "the machine has no other IOMMU");
        Iommufd own = vfio.openIommufd();
        Device edu = own.openDevice(machine.loner());
        Ioas space = own.allocateIoas();
        FaultQueue faults = own.allocateFaultQueue();
        Hwpt table;
        try {
            table = space.allocateHwpt(edu, faults);
        } catch (VfioException e) { // Linux 6.12
            assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP);
            assertThat(e.rule()).contains(Rule.HWPT_SUPPORTED);
            return;
        }
        VfioException e = catchThrowableOfType(VfioException.class, () -> edu.attach(table));
        assertThat(e.errno()).isEqualTo(Errno.ENODEV);
        assertThat(e.rule()).contains(Rule.ATTACH_PAGE_REQUESTS);
        assertThat(edu.attached()).isEmpty();
        edu.attach(space);
    }

    @Test
    void theKernelTakesNoAnswerToWhatItDidNotAsk() {
        IommufdPort port = kernelPort();
        FaultQueuePort faults = port.allocateFaultQueue();
        VfioException e = catchThrowableOfType(VfioException.class, () -> faults.respond(1, true));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(e.rule()).contains(Rule.FAULT_UNANSWERED);
        faults.close();
        port.close();
    }

    @Test
    void theKernelDestroysNoQueueThatIsInUse() {
        IommufdPort port = kernelPort();
        FaultQueuePort faults = port.allocateFaultQueue();
        VfioException e = catchThrowableOfType(VfioException.class, () -> port.destroy(faults.id()));
        assertThat(e.errno()).isEqualTo(Errno.EBUSY);
        assertThat(e.rule()).contains(Rule.DESTROY_UNUSED);
        faults.close();
        port.destroy(faults.id());
        port.close();
    }

    private IommufdPort kernelPort() {
        return machine.kernel().openIommufd();
    }

    // ---- what a guest changes

    @Test
    void theIommuForgetsWhatAGuestChanged() {
        attachNested(first);
        int table = nestedNumber();
        NestedHwpt nested = (NestedHwpt) first.device.attached().orElseThrow();
        assertThat(first.remembers(table, 1, REMEMBERED)).isTrue();
        nested.changed(1L << 32, 0, false); // the mock's driver takes the upper half for what to forget
        assertThat(first.remembers(table, 1, 0)).isTrue();
        assertThat(first.remembers(table, 2, REMEMBERED)).isTrue();
        nested.changed(1, 0, false); // all
        assertThat(first.remembers(table, 2, 0)).isTrue();
        VfioException e = catchThrowableOfType(VfioException.class, () -> nested.changed(9L << 32, 0, false));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
    }

    /** The number of the only nested page table there is. */
    private int nestedNumber() {
        for (int number = 1; number < 20; number++) {
            if (first.remembers(number, 0, REMEMBERED)) {
                return number;
            }
        }
        throw new AssertionError("there is no nested page table");
    }

    // ---- closing

    @Test
    void aQueueTakesItsPageTablesWithIt() {
        NestedHwpt nested = attachNested(first);
        first.fault(0, 1, READ, 0x1000);
        queue.close();
        assertThat(first.device.attached()).isEmpty();
        assertRefused(Rule.HANDLE_OPEN, () -> first.device.attach(nested));
        parent.nest(first.device, new GuestPageTable.ArmSmmuV3(REMEMBERED, 0)); // the one that it was nested in is there
    }

    @RepeatedTest(6)
    void everythingClosesInAnyOrder() throws Exception {
        long seed = System.nanoTime();
        System.out.println("order of closing fault queues, seed " + seed);
        NestedHwpt nested = attachNested(first);
        FaultQueue other = iommufd.allocateFaultQueue();
        first.fault(0, 1, READ, 0x1000);
        queue.await(SOON);
        first.fault(0, 2, READ, 0x2000);
        List<AutoCloseable> handles = new ArrayList<>(List.of(first.device, ioas, parent, nested, queue, other, iommufd));
        Collections.shuffle(handles, new Random(seed));
        for (AutoCloseable handle : handles) {
            handle.close();
            handle.close(); // idempotent
        }
        assertThat(machine.filesAndMappings()).isEmpty();
    }
}
