package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.PciAddress;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What keeps what alive: descriptors, mappings and processes that go in any order. */
@Timeout(60)
class SimReleaseOrderTest {
    private static final String FIRST = "0000:01:00.0";
    private static final String SECOND = "0000:01:00.1";
    private static final long PAGE = 4096;

    private final TestModel first = new TestModel();
    private final TestModel second = new TestModel();
    private final SimMachine machine = SimMachine.builder()
            .device(PciAddress.parse(FIRST), first, 26, SimMachine.VFIO_PCI)
            .device(PciAddress.parse(SECOND), second, 26, SimMachine.VFIO_PCI)
            .device(PciAddress.parse("0000:02:00.0"), new TestModel(), 27, SimMachine.VFIO_PCI)
            .build();
    private final RawProcess p = RawProcess.on(machine);

    @Test
    void aDeviceHoldsItsGroupOpen() {
        Rig rig = p.openDevice(26, FIRST);
        p.close(rig.group());
        assertThat(p.openGroup(26)).isEqualTo(-EBUSY);
        p.close(rig.device());
        assertThat(p.openGroup(26)).isPositive();
    }

    @Test
    void aGroupWaitsForBothItsDevices() {
        Rig rig = p.openDevice(26, FIRST);
        int other = check(p.deviceFd(rig.group(), SECOND));
        p.close(rig.group());
        p.close(rig.device());
        assertThat(p.openGroup(26)).isEqualTo(-EBUSY);
        p.close(other);
        assertThat(p.openGroup(26)).isPositive();
    }

    @Test
    void theCloseOfAGroupTakesItOutOfItsContainer() {
        int container = p.openContainer();
        int group = p.openGroup(26);
        check(p.setContainer(group, container));
        p.close(group);
        assertThat(p.setIommu(container, TYPE1V2)).isEqualTo(-EINVAL); // no group any more
        assertThat(p.status(p.openGroup(26))).isEqualTo(VIABLE);
    }

    @Test
    void theLastGroupsLeaveDropsTheIommuAndEveryMapping() {
        Rig rig = p.openDevice(26, FIRST);
        check(p.map(rig.container(), 0x10000, p.mmap(PAGE), PAGE, READ));
        p.close(rig.device());
        check(p.unsetContainer(rig.group()));
        assertThat(p.process.pinnedBytes()).isZero();
        assertThat(p.unmap(rig.container(), 0x10000, PAGE)).isEqualTo(-EINVAL); // no IOMMU
        check(p.setContainer(rig.group(), rig.container()));
        assertThat(p.setIommu(rig.container(), TYPE1)).isZero(); // and any type again
        assertThat(p.unmap(rig.container(), 0x10000, PAGE)).isZero();
    }

    @Test
    void theLeaveOfOneOfTwoGroupsKeepsTheMappings() {
        Rig rig = p.openDevice(26, FIRST);
        int other = p.openGroup(27);
        check(p.setContainer(other, rig.container()));
        check(p.map(rig.container(), 0x10000, p.mmap(PAGE), PAGE, READ));
        p.close(rig.device());
        p.close(rig.group());
        assertThat(p.deviceFd(other, "0000:02:00.0")).isPositive();
        assertThat(p.unmap(rig.container(), 0x10000, PAGE)).isEqualTo(PAGE);
    }

    @Test
    void theCloseOfAContainerChangesNothingForItsGroups() {
        Rig rig = p.openDevice(26, FIRST);
        long memory = p.mmap(PAGE);
        check(p.map(rig.container(), 0x10000, memory, PAGE, READ));
        p.at(memory).set(INT, 0, 0x1234);
        p.command(rig.device(), 6);
        p.close(rig.container());
        MemorySegment target = MemorySegment.ofArray(new int[1]);
        assertThat(first.bus.dmaRead(0x10000, target)).isTrue();
        assertThat(target.get(INT, 0)).isEqualTo(0x1234);
        assertThat(p.status(rig.group())).isEqualTo(VIABLE | CONTAINER_SET);
        assertThat(p.deviceFd(rig.group(), SECOND)).isPositive();
        assertThat(p.process.pinnedBytes()).isEqualTo(PAGE);
    }

    @Test
    void aMappedBarKeepsItsDeviceOpen() {
        Rig rig = p.openDevice(26, FIRST);
        long bar = p.mmapFile(rig.device(), 0, 4 * PAGE);
        long half = p.mmapFile(rig.device(), 0, 2 * PAGE);
        p.close(rig.device());
        assertThat(first.events).containsExactly("on");
        assertThat(p.unsetContainer(rig.group())).isEqualTo(-EBUSY);
        p.at(bar).set(INT, 0, 7);
        assertThat(first.bus.bar(0).get(INT, 0)).isEqualTo(7);
        p.munmap(bar, 4 * PAGE);
        assertThat(first.events).containsExactly("on");
        p.munmap(half, 2 * PAGE);
        assertThat(first.events).containsExactly("on", "off");
        assertThat(p.unsetContainer(rig.group())).isZero();
    }

    @Test
    void aBarThatIsUnmappedInPiecesKeepsItsDeviceToTheLast() {
        Rig rig = p.openDevice(26, FIRST);
        long bar = p.mmapFile(rig.device(), 0, 4 * PAGE);
        p.close(rig.device());
        p.munmap(bar + PAGE, PAGE);
        p.munmap(bar, PAGE);
        assertThat(first.events).containsExactly("on");
        p.munmap(bar, 4 * PAGE); // the rest, with a hole
        assertThat(first.events).containsExactly("on", "off");
    }

    @Test
    void twoProcessesDoNotShareAGroupBeforeTheLastDeviceIsClosed() {
        Rig rig = p.openDevice(26, FIRST);
        RawProcess other = RawProcess.on(machine);
        p.close(rig.group());
        p.close(rig.container());
        assertThat(other.openGroup(26)).isEqualTo(-EBUSY);
        p.close(rig.device());
        Rig theirs = other.openDevice(26, FIRST);
        assertThat(theirs.device()).isPositive();
        assertThat(first.events).containsExactly("on", "off", "on");
    }

    static List<List<String>> orders() {
        List<List<String>> orders = new ArrayList<>();
        permute(List.of("container", "group", "first", "second", "bar"), List.of(), orders);
        return orders;
    }

    private static void permute(List<String> rest, List<String> so, List<List<String>> orders) {
        if (rest.isEmpty()) {
            orders.add(so);
        }
        for (String next : rest) {
            List<String> less = new ArrayList<>(rest);
            less.remove(next);
            List<String> more = new ArrayList<>(so);
            more.add(next);
            permute(less, more, orders);
        }
    }

    @ParameterizedTest
    @MethodSource("orders")
    void everyOrderOfClosesEndsWithEverythingClosed(List<String> order) {
        Rig rig = p.openDevice(26, FIRST);
        int other = check(p.deviceFd(rig.group(), SECOND));
        long bar = p.mmapFile(rig.device(), 0, 4 * PAGE);
        long memory = p.mmap(PAGE);
        check(p.map(rig.container(), 0x10000, memory, PAGE, READ));
        Map<String, Runnable> closes = Map.of(
                "container", () -> check(p.close(rig.container())),
                "group", () -> check(p.close(rig.group())),
                "first", () -> check(p.close(rig.device())),
                "second", () -> check(p.close(other)),
                "bar", () -> check(p.munmap(bar, 4 * PAGE)));
        List<String> still = new ArrayList<>(order);
        for (String name : order) {
            closes.get(name).run();
            still.remove(name);
            // The group goes with the last of what holds it, and the mappings with the group.
            boolean held = still.stream().anyMatch(s -> !s.equals("container"));
            assertThat(p.process.pinnedBytes()).as("after %s of %s", name, order).isEqualTo(held ? PAGE : 0);
            boolean firstOn = still.contains("first") || still.contains("bar");
            assertThat(first.events.contains("off")).isEqualTo(!firstOn);
            assertThat(second.events.contains("off")).isEqualTo(!still.contains("second"));
        }
        p.munmap(memory, PAGE);
        assertThat(machine.leaks()).isEmpty();
        assertThat(p.openGroup(26)).isPositive();
    }

    @Test
    void theDeathOfAProcessClosesEverything() {
        Rig rig = p.openDevice(26, FIRST);
        p.mmapFile(rig.device(), 0, PAGE);
        check(p.map(rig.container(), 0x10000, p.mmap(PAGE), PAGE, READ));
        p.eventfd(0, 0);
        p.process.kill();
        assertThat(first.events).containsExactly("on", "off");
        assertThat(machine.leaks()).isEmpty();
        assertThat(machine.faults()).isEmpty();
        assertThat(p.process.pinnedBytes()).isZero();
        RawProcess next = RawProcess.on(machine);
        assertThat(next.openDevice(26, FIRST).device()).isPositive();
    }

    @Test
    void aDeadProcessCallsNothing() {
        int container = p.openContainer();
        p.process.kill();
        p.process.kill();
        assertThat(p.openContainer()).isEqualTo(-ESRCH);
        assertThat(p.close(container)).isEqualTo(-ESRCH);
        assertThat(p.ioctl(container, GET_API_VERSION, 0)).isEqualTo(-ESRCH);
        assertThat(p.mmap(PAGE)).isEqualTo(-ESRCH);
    }
}
