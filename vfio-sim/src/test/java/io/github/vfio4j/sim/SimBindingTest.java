package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Drivers that come and go while programs run. */
@Timeout(60)
class SimBindingTest {
    private static final PciAddress FIRST = PciAddress.parse("0000:01:00.0");
    private static final PciAddress SECOND = PciAddress.parse("0000:01:00.1");

    private final SimMachine machine = machine(KernelProfile.V7_2);
    private final RawProcess p = RawProcess.on(machine);

    private static SimMachine machine(KernelProfile kernel) {
        return SimMachine.builder()
                .kernel(kernel)
                .device(FIRST, new TestModel(), 26, SimMachine.VFIO_PCI)
                .device(SECOND, new TestModel(), 26, SimMachine.VFIO_PCI)
                .build();
    }

    @Test
    void theGroupsNodeComesAndGoesWithItsDevices() {
        machine.unbind(FIRST);
        assertThat(p.close(p.openGroup(26))).isZero();
        machine.unbind(SECOND);
        assertThat(p.openGroup(26)).isEqualTo(-ENOENT);
        machine.bind(SECOND, SimMachine.VFIO_PCI);
        assertThat(p.openGroup(26)).isPositive();
    }

    @Test
    void anOpenGroupWhoseLastDeviceGoesIsDead() {
        int container = p.openContainer();
        int group = p.openGroup(26);
        check(p.setContainer(group, container));
        check(p.setIommu(container, TYPE1V2));
        machine.unbind(FIRST);
        assertThat(p.status(group)).isEqualTo(VIABLE | CONTAINER_SET);
        machine.unbind(SECOND);
        assertThat(p.status(group)).isEqualTo(-ENODEV);
        assertThat(p.setContainer(group, container)).isEqualTo(-ENODEV);
        assertThat(p.deviceFd(group, FIRST.toString())).isEqualTo(-ENODEV);
        assertThat(p.unsetContainer(group)).isEqualTo(-EINVAL);
        assertThat(p.ioctl(container, IOMMU_GET_INFO, p.memory(24))).isEqualTo(-EINVAL); // the container is as new
        machine.bind(FIRST, SimMachine.VFIO_PCI);
        assertThat(p.status(group)).isEqualTo(-ENODEV); // it never revives
        int again = p.openGroup(26);
        assertThat(p.setContainer(again, container)).isZero();
        assertThat(p.close(group)).isZero();
        assertThat(p.status(again)).isEqualTo(VIABLE | CONTAINER_SET);
    }

    @Test
    void aDeviceThatWasUnboundIsNotInItsGroup() {
        Rig rig = p.openDevice(26, FIRST.toString());
        machine.unbind(SECOND);
        assertThat(p.deviceFd(rig.group(), SECOND.toString())).isEqualTo(-ENODEV);
    }

    @Test
    void aHostDriverDoesNotGetAMemberOfAGroupInAContainer() {
        int group = p.openGroup(26);
        machine.unbind(SECOND);
        check(p.setContainer(group, p.openContainer()));
        assertThatIllegalStateException()
                .isThrownBy(() -> machine.bind(SECOND, "e1000"))
                .withMessage("bind of 0000:01:00.1 to e1000: EBUSY (16)");
        machine.bind(SECOND, "pci-stub"); // that one does no DMA
        machine.unbind(SECOND);
        check(p.unsetContainer(group));
        machine.bind(SECOND, "e1000");
        assertThat(p.status(group)).isZero();
    }

    @Test
    void bindingAndUnbindingCheckTheDriver() {
        assertThatIllegalStateException().isThrownBy(() -> machine.bind(FIRST, "e1000")).withMessageContaining("EBUSY");
        machine.unbind(FIRST);
        assertThatIllegalStateException().isThrownBy(() -> machine.unbind(FIRST)).withMessageContaining("ENODEV");
        assertThatIllegalArgumentException().isThrownBy(() -> machine.unbind(PciAddress.parse("0000:09:00.0")));
    }

    @ParameterizedTest
    @EnumSource
    void unbindingWaitsForTheDeviceAndAsksForIt(KernelProfile kernel) throws Exception {
        SimMachine m = machine(kernel);
        RawProcess q = RawProcess.on(m);
        Rig rig = q.openDevice(26, FIRST.toString());
        int asked = q.eventfd(0, 0);
        MemorySegment req = q.ints(24, 4 | 32, 4, 0, 1, asked);
        check(q.ioctl(rig.device(), DEVICE_SET_IRQS, req));

        FutureTask<Void> unbind = new FutureTask<>(() -> m.unbind(FIRST), null);
        Thread.ofPlatform().daemon().start(unbind);
        assertThat(q.readEventFd(asked)).isEqualTo(1);
        assertThat(unbind.isDone()).isFalse();
        int another = q.deviceFd(rig.group(), FIRST.toString());
        if (kernel.isBefore(KernelProfile.V6_12)) {
            assertThat(another).isPositive(); // Linux 6.1 still opens it
            q.close(another);
        } else {
            assertThat(another).isEqualTo(-ENODEV);
        }
        long bar = q.mmapFile(rig.device(), 0, 4096);
        q.close(rig.device());
        assertThat(unbind.isDone()).isFalse();
        q.munmap(bar, 4096);
        unbind.get(30, TimeUnit.SECONDS);
        assertThat(q.status(rig.group())).isEqualTo(VIABLE | CONTAINER_SET); // the other member is still there
        assertThat(q.unsetContainer(rig.group())).isZero();
    }

    @Test
    void theDeathOfTheUserEndsTheWait() throws Exception {
        p.openDevice(26, FIRST.toString());
        int asked = p.eventfd(0, Syscalls.EFD_NONBLOCK);
        FutureTask<Void> unbind = new FutureTask<>(() -> machine.unbind(FIRST), null);
        Thread thread = Thread.ofPlatform().daemon().start(unbind);
        while (thread.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        assertThat(p.readEventFd(asked)).isEqualTo(-EAGAIN); // it was not set up for requests
        p.process.kill();
        unbind.get(30, TimeUnit.SECONDS);
        machine.bind(FIRST, "e1000");
    }
}
