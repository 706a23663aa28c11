package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Access;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.FaultQueue;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.HardwareQueue;
import io.github.vfio4j.Hwpt;
import io.github.vfio4j.HwptFlag;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.NestedHwpt;
import io.github.vfio4j.PageResponse;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.SmmuCommand;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.Viommu;
import io.github.vfio4j.ViommuType;
import io.github.vfio4j.VirtualDevice;
import io.github.vfio4j.VirtualEvent;
import io.github.vfio4j.VirtualEventQueue;
import io.github.vfio4j.VirtualEventType;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** Virtual IOMMUs, on kernels that have an IOMMU to test them with. */
class VirtualIommuKernelTest extends KernelTest {
    private static final Duration FOREVER = ChronoUnit.FOREVER.getDuration();
    private static final long NUMBER = 0x99; // of the device, in the guest
    private static final long MEMORY = 0x200_0000;
    private static final int REMEMBERED = 0xbaddad;
    private static final int ALL = 1;
    private static final int DEEPEST = 1 << 19; // of Linux 7.2
    private static final GuestPageTable TABLE = new GuestPageTable.ArmSmmuV3(1, 0);

    private MockIommu mock;
    private Iommufd iommufd;
    private MockIommu.Mock first;
    private Ioas ioas;
    private Hwpt parent;
    private Viommu viommu;

    @BeforeEach
    void openAll() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        mock = new MockIommu(machine);
        Assumptions.assumeTrue(mock.isPresent(), "this kernel has no device to test iommufd with");
        iommufd = mock.vfio().openIommufd();
        first = mock.open(iommufd);
        ioas = iommufd.allocateIoas();
        parent = ioas.allocateHwpt(first.device, HwptFlag.NEST_PARENT);
        try {
            viommu = parent.allocateViommu(first.device, ViommuType.TEGRA241_CMDQV);
        } catch (VfioException e) {
            assertThat(e.errno()).isEqualTo(Errno.ENOTTY);
            assertThat(e.rule()).contains(Rule.IOMMUFD_OPERATION_KNOWN);
            Assumptions.abort("this kernel has no virtual IOMMUs");
        }
    }

    @AfterEach
    void closeAll() {
        if (mock != null) {
            mock.vfio().close();
        }
    }

    // ---- a guest's page tables and its numbers of devices

    @Test
    void aVirtualIommuIsMadeOfAPageTableThatWasMadeForIt() {
        assertThat(viommu.parent()).isSameAs(parent);
        assertThat(viommu.type()).isEqualTo(ViommuType.TEGRA241_CMDQV);
        Hwpt plain = ioas.allocateHwpt(first.device);
        assertRefused(Rule.VIOMMU_NEST_PARENT, () -> plain.allocateViommu(first.device, ViommuType.ARM_SMMUV3));
        parent.allocateViommu(first.device, ViommuType.ARM_SMMUV3); // one more
    }

    @Test
    void aGuestsPageTableTakesADeviceThatHasANumber() {
        NestedHwpt nested = viommu.nest(first.device, TABLE);
        assertThat(nested.parent()).isSameAs(parent);
        assertThat(nested.ioas()).isSameAs(ioas);
        VfioException e = catchThrowableOfType(VfioException.class, () -> first.device.attach(nested));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        assertThat(e.rule()).contains(Rule.ATTACH_VIRTUAL);
        VirtualDevice virtual = viommu.addDevice(first.device, NUMBER);
        assertThat(virtual.viommu()).isSameAs(viommu);
        assertThat(virtual.device()).isSameAs(first.device);
        assertThat(virtual.virtualId()).isEqualTo(NUMBER);
        first.device.attach(nested);
        assertThat(first.device.attached()).contains(nested);
    }

    @Test
    void aGuestsPageTableHasAFaultQueue() {
        FaultQueue faults = iommufd.allocateFaultQueue();
        viommu.addDevice(first.device, NUMBER);
        first.device.attach(viommu.nest(first.device, TABLE, faults));
        first.fault(0, 1, 1, 0x1000);
        faults.answer(faults.await(FOREVER).getFirst(), PageResponse.SUCCESS);
        faults.close();
        assertThat(first.device.attached()).isEmpty();
    }

    @Test
    void aDeviceHasOneNumberAndANumberIsThatOfOneDevice() {
        MockIommu.Mock second = mock.open(iommufd);
        VirtualDevice virtual = viommu.addDevice(first.device, NUMBER);
        assertRefused(Rule.VDEVICE_ONCE, () -> viommu.addDevice(first.device, NUMBER + 1));
        assertRefused(Rule.VDEVICE_ID, () -> viommu.addDevice(second.device, NUMBER));
        Viommu other = parent.allocateViommu(second.device, ViommuType.ARM_SMMUV3);
        other.addDevice(second.device, NUMBER).close(); // another guest's
        viommu.addDevice(second.device, 0xffff_0000_0000L);
        virtual.close();
        viommu.addDevice(first.device, NUMBER);
    }

    @Test
    void aDeviceThatClosesGivesItsNumberBack() {
        MockIommu.Mock second = mock.open(iommufd);
        viommu.addDevice(first.device, NUMBER);
        first.device.close();
        viommu.addDevice(second.device, NUMBER);
    }

    // ---- events

    private VirtualEventQueue listen(int depth) {
        viommu.addDevice(first.device, NUMBER);
        first.device.attach(viommu.nest(first.device, TABLE));
        return viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, depth);
    }

    private static VirtualEvent event(int sequence) {
        return new VirtualEvent.ArmSmmuV3(sequence, NUMBER << 32, 0, 0, 0);
    }

    @Test
    void eventsAreNumbered() {
        VirtualEventQueue events = listen(2);
        assertThat(events.poll()).isEmpty();
        first.event();
        first.event();
        assertThat(events.poll()).containsExactly(event(0), event(1));
        assertThat(events.await(Duration.ofMillis(1))).isEmpty();
        first.event();
        assertThat(events.await(FOREVER)).containsExactly(event(2));
    }

    @Test
    void whatIsLostIsTold() {
        VirtualEventQueue events = listen(2);
        for (int i = 0; i < 4; i++) {
            first.event();
        }
        assertThat(events.poll()).containsExactly(event(0), event(1), new VirtualEvent.Lost(3));
        first.event();
        assertThat(events.poll()).containsExactly(event(4));
    }

    @Test
    void aQueueIsForOneKindOfEvents() {
        VirtualEventQueue events = viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, 1);
        assertThat(events.type()).isEqualTo(VirtualEventType.ARM_SMMUV3);
        assertRefused(Rule.VEVENTQ_ONCE, () -> viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, 1));
        assertRefused(Rule.VEVENTQ_DEPTH, () -> viommu.allocateEventQueue(VirtualEventType.TEGRA241_CMDQV, 0));
        assertRefused(Rule.VEVENTQ_DEPTH, () -> viommu.allocateEventQueue(VirtualEventType.TEGRA241_CMDQV, -1));
        // the mock's driver has one kind of events alone, so the kernel sees the same one again
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> viommu.allocateEventQueue(VirtualEventType.TEGRA241_CMDQV, 1));
        assertThat(e.errno()).isEqualTo(Errno.EEXIST);
        assertThat(e.rule()).contains(Rule.VEVENTQ_ONCE);
        events.close();
        viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, 1);
    }

    @Test
    void aQueueIsNoDeeperThanTheKernelLetsIt() {
        viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, DEEPEST).close();
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, DEEPEST + 1));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(e.rule()).contains(Rule.VEVENTQ_DEPTH);
    }

    private CompletableFuture<List<VirtualEvent>> waitInAnotherThread(VirtualEventQueue events)
            throws InterruptedException {
        return inAnotherThread(() -> events.await(FOREVER));
    }

    @Test
    void anEventEndsAWaitAndSoDoesAClose() throws Exception {
        VirtualEventQueue events = listen(8);
        CompletableFuture<List<VirtualEvent>> waiting = waitInAnotherThread(events);
        first.event();
        assertThat(waiting.get(60, TimeUnit.SECONDS)).containsExactly(event(0));
        CompletableFuture<List<VirtualEvent>> more = waitInAnotherThread(events);
        events.close();
        assertThatThrownBy(() -> more.get(60, TimeUnit.SECONDS))
                .cause()
                .isInstanceOfSatisfying(RuleViolation.class, e -> assertThat(e.rule()).contains(Rule.HANDLE_OPEN));
    }

    // ---- commands

    /** The mock's commands: flags, the guest's number of a device, and what to forget of it. */
    private static SmmuCommand command(int flags, long number, int index) {
        return new SmmuCommand(number << 32 | flags, index);
    }

    @Test
    void theIommuForgetsWhatAGuestAsksItTo() {
        viommu.addDevice(first.device, NUMBER);
        assertThat(viommu.invalidate(List.of())).isZero();
        assertThat(viommu.invalidate(List.of(command(0, NUMBER, 1), command(0, NUMBER, 3)))).isEqualTo(2);
        assertThat(first.remembersDevice(0, REMEMBERED)).isTrue();
        assertThat(first.remembersDevice(1, 0)).isTrue();
        assertThat(first.remembersDevice(2, REMEMBERED)).isTrue();
        assertThat(first.remembersDevice(3, 0)).isTrue();
        assertThat(viommu.invalidate(List.of(command(ALL, NUMBER, 0)))).isEqualTo(1);
        assertThat(first.remembersDevice(2, 0)).isTrue();
    }

    @Test
    void commandsBeforeOneThatIsRefusedAreDone() {
        viommu.addDevice(first.device, NUMBER);
        SmmuCommand right = command(0, NUMBER, 0);
        SmmuCommand stranger = command(0, NUMBER + 1, 1);
        assertThat(viommu.invalidate(List.of(right, stranger, right))).isEqualTo(1);
        assertThat(first.remembersDevice(0, 0)).isTrue();
        VfioException e = catchThrowableOfType(VfioException.class, () -> viommu.invalidate(List.of(stranger, right)));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
    }

    // ---- what the hardware shares with a guest

    @Test
    void thePageOfAVirtualIommuIsMapped() {
        Mmio page = viommu.page().orElseThrow();
        assertThat(page.read32Opaque(0)).isEqualTo(MockIommu.FIRST_WORD_OF_PAGE);
        page.write32Release(8, 7);
        assertThat(viommu.page().orElseThrow().read32Opaque(8)).isEqualTo(7); // the same
        Viommu other = parent.allocateViommu(first.device, ViommuType.TEGRA241_CMDQV);
        assertThat(other.page().orElseThrow().read32Opaque(8)).isZero();
        viommu.close();
        assertThatThrownBy(() -> page.read32Opaque(0)).isInstanceOf(IllegalStateException.class);
        assertThat(parent.allocateViommu(first.device, ViommuType.ARM_SMMUV3).page()).isEmpty();
    }

    @Test
    void queuesOfTheHardwareAreMadeInOrder() {
        ioas.allocateAt(MEMORY, 4096, Access.READ_WRITE);
        assertRefused(Rule.HW_QUEUE_ORDER, () -> viommu.allocateHardwareQueue(1, MEMORY, 2048));
        HardwareQueue queue = viommu.allocateHardwareQueue(0, MEMORY, 2048);
        assertThat(queue.index()).isZero();
        assertRefused(Rule.HW_QUEUE_INDEX, () -> viommu.allocateHardwareQueue(0, MEMORY, 2048));
        assertRefused(Rule.HW_QUEUE_SIZE, () -> viommu.allocateHardwareQueue(1, MEMORY, 0));
        assertRefused(Rule.HW_QUEUE_WRAP, () -> viommu.allocateHardwareQueue(1, -4096, 8192));
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> viommu.allocateHardwareQueue(1, MEMORY + 4096, 2048));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        assertThat(e.rule()).contains(Rule.HW_QUEUE_MAPPED);
        HardwareQueue next = viommu.allocateHardwareQueue(1, MEMORY + 2048, 2048);
        e = catchThrowableOfType(VfioException.class, () -> viommu.allocateHardwareQueue(2, MEMORY, 2048));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL); // the mock has two
        queue.close(); // with the next one
        next.close();
        viommu.allocateHardwareQueue(0, MEMORY, 2048);
        Viommu without = parent.allocateViommu(first.device, ViommuType.ARM_SMMUV3);
        assertRefused(Rule.HW_QUEUE_SUPPORTED, () -> without.allocateHardwareQueue(0, MEMORY, 2048));
    }

    @Test
    void theMemoryOfAQueueStaysMapped() {
        DmaBuffer buffer = ioas.allocateAt(MEMORY, 4096, Access.READ_WRITE);
        HardwareQueue queue = viommu.allocateHardwareQueue(0, MEMORY, 4096);
        VfioException e = catchThrowableOfType(VfioException.class, buffer::close);
        assertThat(e.errno()).isEqualTo(Errno.EBUSY);
        assertThat(e.rule()).contains(Rule.IOAS_UNMAP_QUEUE);
        queue.close();
        assertThat(ioas.unmapAll()).isEqualTo(4096);
        ioas.allocateAt(MEMORY, 4096, Access.READ_WRITE);
        viommu.allocateHardwareQueue(0, MEMORY, 4096);
        ioas.close(); // takes all with it
    }

    // ---- closing

    @RepeatedTest(6)
    void everythingClosesInAnyOrder() throws Exception {
        long seed = System.nanoTime();
        System.out.println("order of closing a virtual IOMMU, seed " + seed);
        ioas.allocateAt(MEMORY, 4096, Access.READ_WRITE);
        VirtualDevice virtual = viommu.addDevice(first.device, NUMBER);
        NestedHwpt nested = viommu.nest(first.device, TABLE);
        first.device.attach(nested);
        VirtualEventQueue events = viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, 4);
        first.event();
        HardwareQueue queue = viommu.allocateHardwareQueue(0, MEMORY, 1024);
        HardwareQueue next = viommu.allocateHardwareQueue(1, MEMORY + 1024, 1024);
        viommu.page();
        List<AutoCloseable> handles = new ArrayList<>(
                List.of(first.device, ioas, parent, viommu, virtual, nested, events, queue, next, iommufd));
        Collections.shuffle(handles, new Random(seed));
        for (AutoCloseable handle : handles) {
            handle.close();
            handle.close(); // idempotent
        }
        assertThat(machine.filesAndMappings()).isEmpty();
    }
}
