package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Container;
import io.github.vfio4j.Contract;
import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.ExternalUser;
import io.github.vfio4j.Group;
import io.github.vfio4j.GroupStatus;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.KvmSupport;
import io.github.vfio4j.KvmUser;
import io.github.vfio4j.KvmVm;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.Arena;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** KVM as a user of groups and devices. */
class ExternalUserKernelTest extends KernelTest {
    private static final int KVM_CREATE_VM = 0xae01;

    // ---- taking

    @Test
    void anOpenGroupAloneIsNotGivenAway() {
        KvmVm vm = vfio.openKvmVm();
        Container container = vfio.openContainer();
        Group group = openGroupOf(machine.loner());
        assertRefused(Rule.EXTERNAL_NEEDS_CONTAINER, () -> vm.add(group));
        container.attach(group);
        assertRefused(Rule.EXTERNAL_NEEDS_IOMMU, () -> vm.add(group));
        container.setIommu(IommuType.TYPE1_V2);
        KvmUser user = vm.add(group);
        assertThat(user.group()).contains(group);
        assertThat(user.device()).isEmpty();
        assertThat(user.released()).isFalse();
        assertThat(group.externalUsers()).containsExactly(user);
        assertThat(vm.users()).containsExactly(user);
    }

    @Test
    void kvmTakesAGroupOnce() {
        KvmVm vm = vfio.openKvmVm();
        Stack loner = open(machine.loner());
        KvmUser user = vm.add(loner.group());
        assertRefused(Rule.KVM_ADD_ONCE, () -> vm.add(loner.group()));
        user.release();
        assertThat(vm.add(loner.group()).released()).isFalse();
    }

    @Test
    void tablesOfPowerPcAreNotTakenHere() {
        KvmVm vm = vfio.openKvmVm();
        assertThat(vm.takesSpaprTables()).isFalse();
        KvmUser user = vm.add(open(machine.loner()).group());
        VfioException e = catchThrowableOfType(VfioException.class, () -> user.setSpaprTce(0));
        assertThat(e.operation()).isEqualTo(Operation.KVM_SET_SPAPR_TCE);
        assertThat(e.errno()).isEqualTo(Errno.ENXIO);
        user.release();
        assertRefused(Rule.HANDLE_OPEN, () -> user.setSpaprTce(0));
        vm.close();
        assertRefused(Rule.HANDLE_OPEN, vm::takesSpaprTables);
    }

    @Test
    void twoVirtualMachinesMayHaveAGroup() {
        Stack loner = open(machine.loner());
        KvmUser first = vfio.openKvmVm().add(loner.group());
        KvmUser second = vfio.openKvmVm().add(loner.group());
        assertThat(loner.group().externalUsers()).containsExactly(first, second);
    }

    @Test
    void kvmTakesADeviceWhereTheKernelDoes() {
        KvmVm vm = vfio.openKvmVm();
        Stack loner = open(machine.loner());
        if (machine.isLinux61()) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> vm.add(loner.device()));
            assertThat(e.operation()).isEqualTo(Operation.KVM_FILE_ADD);
            assertThat(e.errno()).isEqualTo(Errno.EINVAL);
            assertThat(e.rule()).contains(Rule.KVM_ADD_FD_KIND);
            assertThat(loner.group().externalUsers()).isEmpty();
        } else {
            KvmUser user = vm.add(loner.device());
            assertThat(user.device()).contains(loner.device());
            assertRefused(Rule.KVM_ADD_ONCE, () -> vm.add(loner.device()));
            loner.device().close(); // takes it from KVM first, or it would stay open
            assertThat(user.released()).isTrue();
            loner.container().detach(loner.group());
        }
    }

    @Test
    void kvmTakesADeviceThatWasOpenedByItsOwnNode() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        KvmVm vm = vfio.openKvmVm();
        Iommufd iommufd = vfio.openIommufd();
        Device device = iommufd.openDevice(machine.loner());
        KvmUser user = vm.add(device);
        assertThat(user.device()).contains(device);
        assertThat(user.group()).isEmpty();
        assertThat(iommufd.externalUsers()).containsExactly(user);
        assertRefused(Rule.KVM_ADD_ONCE, () -> vm.add(device));
        user.release();
        assertThat(iommufd.externalUsers()).isEmpty();
        KvmUser again = vm.add(device);
        device.close(); // takes it from KVM first, or it would stay open
        assertThat(again.released()).isTrue();
        assertThat(vm.users()).isEmpty();
        assertRefused(Rule.HANDLE_OPEN, () -> vm.add(device));
        openGroupOf(machine.loner()).close(); // nobody holds it
    }

    @Test
    void everyOrderOfClosingFreesADeviceThatWasOpenedByItsOwnNode() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        List<List<String>> orders = CloseOrderKernelTest.permutations(List.of("vm", "user", "device", "iommufd"));
        assertThat(orders).hasSize(24);
        int step = machine instanceof SimulatedMachine ? 1 : 5; // on a real machine each takes a reset of 100 ms
        for (int i = 0; i < orders.size(); i += step) {
            List<String> order = orders.get(i);
            KvmVm vm = vfio.openKvmVm();
            Iommufd iommufd = vfio.openIommufd();
            Device device = iommufd.openDevice(machine.loner());
            KvmUser user = vm.add(device);
            for (String name : order) {
                switch (name) {
                    case "vm" -> vm.close();
                    case "user" -> user.release();
                    case "device" -> device.close();
                    case "iommufd" -> iommufd.close();
                    default -> throw new AssertionError(name);
                }
            }
            assertThat(user.released()).as("after %s", order).isTrue();
            assertThat(machine.filesAndMappings()).as("after %s", order).isEmpty();
            openGroupOf(machine.loner()).close(); // nobody holds it
        }
    }

    @Test
    void aClosedHandleIsNotGivenAway() {
        KvmVm vm = vfio.openKvmVm();
        Stack loner = open(machine.loner());
        loner.device().close();
        assertRefused(Rule.HANDLE_OPEN, () -> vm.add(loner.device()));
        loner.group().close();
        assertRefused(Rule.HANDLE_OPEN, () -> vm.add(loner.group()));
        vm.close();
        Stack again = open(machine.loner());
        assertRefused(Rule.HANDLE_OPEN, () -> vm.add(again.group()));
    }

    // ---- holding

    @Test
    void aGroupThatKvmUsesIsNotDetachedAndTheRefusalNamesKvm() {
        KvmVm vm = vfio.openKvmVm();
        Stack loner = open(machine.loner());
        ExternalUser user = vm.add(loner.group());
        loner.device().close();
        RuleViolation e = assertRefused(
                Rule.UNSET_EXTERNAL_USER, () -> loner.container().detach(loner.group()));
        assertThat(e.getMessage()).contains("KVM uses group " + loner.group().number());
        assertThat(e.errno()).isEqualTo(Errno.EBUSY);
        user.release();
        loner.container().detach(loner.group());
        assertThat(loner.group().status()).isEqualTo(new GroupStatus(true, false));
    }

    @Test
    void underTheKernelsContractKvmHoldsTheFileAndNotTheProtection() {
        try (Vfio lenient = machine.open(Contract.KERNEL)) {
            KvmVm vm = lenient.openKvmVm();
            Container container = lenient.openContainer();
            Group group = lenient.openGroup(groupOf(machine.loner()));
            KvmUser user = vm.add(group); // in no container yet, as QEMU does it
            container.attach(group);
            container.setIommu(IommuType.TYPE1_V2);
            container.detach(group);
            assertThat(group.status().containerSet()).isFalse();
            assertThat(user.released()).isFalse();
            user.release(); // in no container
            assertThat(vm.users()).isEmpty();
            container.attach(group);
        }
    }

    // ---- closing

    @Test
    void everyOrderOfClosingFreesTheGroup() {
        List<List<String>> orders =
                CloseOrderKernelTest.permutations(List.of("vm", "user", "device", "group", "container"));
        assertThat(orders).hasSize(120);
        int step = machine instanceof SimulatedMachine ? 1 : 8; // on a real machine each takes a reset of 100 ms
        for (int i = 0; i < orders.size(); i += step) {
            List<String> order = orders.get(i);
            KvmVm vm = vfio.openKvmVm();
            Stack loner = open(machine.loner());
            KvmUser user = vm.add(loner.group());
            for (String name : order) {
                switch (name) {
                    case "vm" -> vm.close();
                    case "user" -> user.release();
                    case "device" -> loner.device().close();
                    case "group" -> loner.group().close();
                    case "container" -> loner.container().close();
                    default -> throw new AssertionError(name);
                }
            }
            assertThat(user.released()).as("after %s", order).isTrue();
            assertThat(machine.filesAndMappings()).as("after %s", order).isEmpty();
            openGroupOf(machine.loner()).close(); // nobody holds it
        }
    }

    @Test
    void aClosedGroupCanBeOpenedAtOnceThoughKvmHadIt() {
        KvmVm vm = vfio.openKvmVm();
        Stack loner = open(machine.loner());
        KvmUser user = vm.add(loner.group());
        loner.group().close();
        assertThat(user.released()).isTrue();
        assertThat(vm.users()).isEmpty();
        Stack again = open(machine.loner());
        vm.add(again.group());
    }

    @Test
    void aUserIsReleasedTwiceAndByAnotherThread() throws InterruptedException {
        KvmVm vm = vfio.openKvmVm();
        Stack loner = open(machine.loner());
        KvmUser user = vm.add(loner.group());
        Thread other = Thread.ofPlatform().start(user::release);
        user.release();
        other.join();
        user.close();
        assertThat(user.released()).isTrue();
        assertThat(loner.group().externalUsers()).isEmpty();
    }

    @Test
    void aUserIsReleasedAfterTheDeviceIsGone() {
        KvmVm vm = vfio.openKvmVm();
        Stack loner = open(machine.loner());
        KvmUser user = vm.add(loner.group());
        loner.device().close();
        machine.unbind(machine.loner());
        try {
            VfioException e = catchThrowableOfType(VfioException.class, () -> loner.group().status());
            assertThat(e.errno()).isEqualTo(Errno.ENODEV);
            user.release();
            assertThat(vm.users()).isEmpty();
        } finally {
            loner.group().close();
            machine.bindToVfio(machine.loner());
        }
    }

    // ---- virtual machines of others

    @Test
    void aVirtualMachineOfTheProgramIsAdoptedAndStaysTheProgramsOwn() {
        Syscalls calls = machine.syscalls();
        Frame frame = new Frame();
        int kvm = calls.open(frame, "/dev/kvm", Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        int vm = calls.ioctl(frame, kvm, KVM_CREATE_VM, 0);
        try {
            assertThat(vm).isNotNegative();
            Stack loner = open(machine.loner());
            KvmVm adopted = vfio.adoptKvmVm(vm);
            adopted.add(loner.group());
            VfioException second = catchThrowableOfType(VfioException.class, () -> vfio.adoptKvmVm(vm));
            assertThat(second.errno()).isEqualTo(Errno.EBUSY);
            assertThat(second.rule()).contains(Rule.KVM_CREATE_DEVICE_ONCE);
            adopted.close();
            vfio.adoptKvmVm(vm).close(); // the descriptor is open, and room for a VFIO device again
        } finally {
            calls.close(frame, vm);
            calls.close(frame, kvm);
        }
    }

    private static void assertRefusedByTheKernel(Rule rule, Errno errno, ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e).as("a refusal by %s", rule.id()).isNotNull();
        assertThat(e.errno()).isEqualTo(errno);
        assertThat(e.rule()).contains(rule);
    }

    @Test
    void whatIsNoVirtualMachineIsNeitherAdoptedNorAsked() {
        Syscalls calls = machine.syscalls();
        Frame frame = new Frame();
        int event = calls.eventfd(frame, 0, Syscalls.EFD_CLOEXEC);
        int kvm = calls.open(frame, "/dev/kvm", Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        try {
            assertRefusedByTheKernel(Rule.KVM_VM_OPEN, Errno.EBADF, () -> vfio.adoptKvmVm(-1));
            assertRefusedByTheKernel(Rule.KVM_VM_OPEN, Errno.EBADF, () -> vfio.kvmSupport(-1));
            assertRefusedByTheKernel(Rule.KVM_VM_KIND, Errno.ENOTTY, () -> vfio.adoptKvmVm(event));
            assertRefusedByTheKernel(Rule.KVM_VM_KIND, Errno.ENOTTY, () -> vfio.kvmSupport(event));
            assertRefusedByTheKernel(Rule.KVM_VM_MADE, Errno.EINVAL, () -> vfio.adoptKvmVm(kvm));
            assertRefusedByTheKernel(Rule.KVM_VM_MADE, Errno.EINVAL, () -> vfio.kvmSupport(kvm));
        } finally {
            calls.close(frame, kvm);
            calls.close(frame, event);
        }
    }

    // ---- what KVM can do

    @Test
    void thisMachinesKvmHasAVfioDeviceAndNoTablesOfPowerPc() {
        assertThat(vfio.kvmSupport()).isEqualTo(new KvmSupport(true, false));
        assertThat(machine.filesAndMappings()).isEmpty(); // the virtual machine that was asked is gone
    }

    @Test
    void aVirtualMachineOfTheProgramIsAskedAndKeepsItsRoomForAVfioDevice() {
        Syscalls calls = machine.syscalls();
        Frame frame = new Frame();
        int kvm = calls.open(frame, "/dev/kvm", Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        int vm = calls.ioctl(frame, kvm, KVM_CREATE_VM, 0);
        try {
            assertThat(vfio.kvmSupport(vm)).isEqualTo(new KvmSupport(true, false));
            try (KvmVm adopted = vfio.adoptKvmVm(vm)) {
                assertThat(adopted.users()).isEmpty();
                assertThat(vfio.kvmSupport(vm)).isEqualTo(new KvmSupport(true, false)); // there is one, and somebody made it
            }
        } finally {
            calls.close(frame, vm);
            calls.close(frame, kvm);
        }
    }

    @Test
    void aVirtualMachineOfAnotherProcessIsEio() {
        Syscalls calls = machine.syscalls();
        Frame frame = new Frame();
        String address = machine.socketAddress();
        int kvm = calls.open(frame, "/dev/kvm", Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        int vm = calls.ioctl(frame, kvm, KVM_CREATE_VM, 0);
        int listener = calls.socket(frame, Syscalls.SOCK_SEQPACKET);
        try (MachineUnderTest.Peer peer = machine.startPeer()) {
            assertThat(calls.bind(frame, listener, address)).isZero();
            assertThat(calls.listen(frame, listener, 1)).isZero();
            Thread sender = Thread.ofPlatform().start(() -> {
                Frame own = new Frame();
                int connection = calls.accept(own, listener);
                calls.sendmsg(own, connection, Arena.ofAuto().allocate(1), new int[] {vm});
                calls.close(own, connection);
            });
            assertThat(peer.ask("adopt-vm " + address)).isEqualTo("KVM_CREATE_DEVICE EIO");
            sender.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        } finally {
            calls.close(frame, listener);
            calls.unlink(frame, address);
            calls.close(frame, vm);
            calls.close(frame, kvm);
        }
    }
}
