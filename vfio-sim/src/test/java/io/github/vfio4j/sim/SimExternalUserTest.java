package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Who else keeps files open: KVM, duplicates, messages, other processes; and how the documents counted them. */
@Timeout(60)
class SimExternalUserTest {
    private static final String DEVICE = "0000:01:00.0";
    private static final String SIBLING = "0000:01:00.1";
    private static final int GROUP = 26;

    private SimMachine machine = machine(KernelProfile.V7_2);
    private RawProcess p = RawProcess.on(machine);

    private static SimMachine machine(KernelProfile kernel) {
        return SimMachine.builder()
                .kernel(kernel)
                .device(PciAddress.parse(DEVICE), new TestModel(), GROUP, SimMachine.VFIO_PCI)
                .device(PciAddress.parse(SIBLING), new TestModel(), GROUP, SimMachine.VFIO_PCI)
                .build();
    }

    private void use(KernelProfile kernel) {
        machine.close();
        machine = machine(kernel);
        p = RawProcess.on(machine);
    }

    @AfterEach
    void end() {
        machine.close();
        assertThat(machine.leaks()).isEmpty();
    }

    /** A virtual machine and its VFIO device. */
    private record Kvm(int vm, int device) {}

    private Kvm kvm() {
        int kvm = check(p.open("/dev/kvm"));
        int vm = check(p.ioctl(kvm, 0xae01, 0));
        p.close(kvm);
        return new Kvm(vm, check(createDevice(p, vm, 4, 0)));
    }

    /** The new descriptor, or -errno. */
    private static int createDevice(RawProcess p, int vm, int type, int flags) {
        MemorySegment create = p.ints(type, -1, flags);
        int result = p.ioctl(vm, 0xc00caee0, create);
        return result < 0 ? result : create.get(INT, 4);
    }

    private static int attribute(RawProcess p, int device, int request, int group, long attribute, int fd) {
        MemorySegment struct = p.memory(28);
        struct.set(INT, 4, group);
        struct.set(LONG, 8, attribute);
        struct.set(LONG, 16, struct.address() + 24);
        struct.set(INT, 24, fd);
        return p.ioctl(device, request, struct);
    }

    private int add(Kvm kvm, int fd) {
        return attribute(p, kvm.device(), 0x4018aee1, 1, 1, fd);
    }

    private int remove(Kvm kvm, int fd) {
        return attribute(p, kvm.device(), 0x4018aee1, 1, 2, fd);
    }

    private int dup(int fd) {
        return p.calls.dup(new Frame(), fd);
    }

    // ---- KVM

    @ParameterizedTest
    @EnumSource(mode = Mode.EXCLUDE, names = "DOCUMENTS")
    void filesAreTakenInEveryStateAndKnownByIdentity(KernelProfile kernel) {
        use(kernel);
        Kvm kvm = kvm();
        int event = p.eventfd(0, 0);
        int group = p.openGroup(GROUP);
        assertThat(add(kvm, -1)).isEqualTo(-EBADF);
        assertThat(add(kvm, event)).isEqualTo(-EINVAL);
        assertThat(add(kvm, group)).isZero();
        assertThat(add(kvm, dup(group))).isEqualTo(-EEXIST);
        assertThat(remove(kvm, event)).isEqualTo(-ENOENT);
        assertThat(remove(kvm, -1)).isEqualTo(-EBADF);
        int container = p.openContainer();
        check(p.setContainer(group, container));
        check(p.setIommu(container, TYPE1V2));
        int device = check(p.deviceFd(group, DEVICE));
        assertThat(add(kvm, device)).isEqualTo(kernel == KernelProfile.V6_1 ? -EINVAL : 0);
        p.close(device);
        assertThat(p.unsetContainer(group)).isEqualTo(kernel == KernelProfile.V6_1 ? 0 : -EBUSY);
        assertThat(remove(kvm, dup(group))).isZero();
        assertThat(remove(kvm, group)).isEqualTo(-ENOENT);
    }

    @ParameterizedTest
    @EnumSource
    void kvmMakesDevicesAlsoWhereItDeniesThat(KernelProfile kernel) {
        use(kernel);
        int said = kernel.isBefore(KernelProfile.V6_12) ? 0 : 1;
        int kvm = check(p.open("/dev/kvm"));
        assertThat(p.ioctl(kvm, 0xae03, 89)).isEqualTo(said); // KVM_CHECK_EXTENSION, KVM_CAP_DEVICE_CTRL
        int vm = check(p.ioctl(kvm, 0xae01, 0));
        assertThat(p.ioctl(vm, 0xae03, 89)).isEqualTo(said);
        assertThat(createDevice(p, vm, 4, 0)).isNotNegative();
    }

    @Test
    void aVirtualMachineIsThatOfItsProcess() {
        Kvm kvm = kvm();
        int[] ends = pair();
        send(ends[0], kvm.vm(), kvm.device());
        RawProcess other = RawProcess.on(machine);
        int[] sent = pass(ends[1], other, 2);
        assertThat(createDevice(other, sent[0], 4, 1)).isEqualTo(-EIO);
        assertThat(other.ioctl(sent[0], GROUP_GET_STATUS, 0)).isEqualTo(-EIO);
        assertThat(attribute(other, sent[1], 0x4018aee3, 1, 1, 0)).isEqualTo(-EIO);
        int group = other.openGroup(GROUP);
        assertThat(attribute(other, sent[1], 0x4018aee1, 1, 1, group)).isEqualTo(-EIO);
        assertThat(attribute(other, sent[1], 0x4018aee1, 1, 2, group)).isEqualTo(-EIO);
        assertThat(attribute(other, sent[1], 0x4018aee1, 1, 2, 99)).isEqualTo(-EIO);
    }

    @Test
    void aKilledProcessGivesItsVirtualMachineUp() {
        Kvm kvm = kvm();
        assertThat(add(kvm, p.openGroup(GROUP))).isZero();
        p.process.kill();
        assertThat(RawProcess.on(machine).openGroup(GROUP)).isPositive();
    }

    @Test
    void anUnprivilegedProcessOpensNoKvm() {
        RawProcess other = new RawProcess(machine.startUnprivilegedProcess());
        assertThat(other.open("/dev/kvm")).isEqualTo(-EACCES);
    }

    // ---- messages

    private int[] pair() {
        Frame frame = new Frame();
        check(p.calls.socketpair(frame, Syscalls.SOCK_SEQPACKET));
        return new int[] {frame.arg.get(INT, 0), frame.arg.get(INT, 4)};
    }

    private void send(int socket, int... files) {
        assertThat(p.calls.sendmsg(new Frame(), socket, p.memory(1), files)).isEqualTo(1);
    }

    /** Lets another process receive what waits at a socket of this one. */
    private int[] pass(int socket, RawProcess other, int files) {
        int[] received = new int[files];
        Frame frame = new Frame();
        String address = "@pass";
        int listener = check(other.calls.socket(frame, Syscalls.SOCK_SEQPACKET));
        check(other.calls.bind(frame, listener, address));
        check(other.calls.listen(frame, listener, 1));
        int client = check(p.calls.socket(frame, Syscalls.SOCK_SEQPACKET));
        check(p.calls.connect(frame, client, address));
        int server = check(other.calls.accept(frame, listener));
        int[] own = new int[files];
        check((int) p.calls.recvmsg(frame, socket, p.memory(8), own));
        send(client, own);
        for (int fd : own) {
            p.close(fd);
        }
        assertThat(other.calls.recvmsg(frame, server, other.memory(8), received)).isEqualTo(1);
        assertThat(frame.arg.get(INT, 0)).isEqualTo(files);
        p.close(client);
        other.close(server);
        other.close(listener);
        return received;
    }

    @Test
    void aGroupLivesInAMessageAndInEveryProcess() {
        int[] ends = pair();
        Rig rig = p.openDevice(GROUP, DEVICE);
        send(ends[0], rig.group());
        p.close(rig.device());
        p.close(rig.group());
        p.close(rig.container());
        assertThat(p.openGroup(GROUP)).isEqualTo(-EBUSY);
        RawProcess other = RawProcess.on(machine);
        int group = pass(ends[1], other, 1)[0];
        p.process.kill();
        assertThat(other.status(group)).isEqualTo(VIABLE | CONTAINER_SET);
        int device = check(other.deviceFd(group, SIBLING));
        other.close(group);
        assertThat(other.openGroup(GROUP)).isEqualTo(-EBUSY);
        other.close(device);
        assertThat(other.openGroup(GROUP)).isPositive();
    }

    @Test
    void descriptorsThatDoNotFitAreClosed() {
        int[] ends = pair();
        int group = p.openGroup(GROUP);
        send(ends[0], group, group);
        p.close(group);
        Frame frame = new Frame();
        int[] one = {-1};
        p.process.limitOpenFiles(3); // no room at all
        assertThat(p.calls.recvmsg(frame, ends[1], p.memory(8), one)).isEqualTo(1);
        assertThat(frame.arg.get(INT, 0)).isZero();
        assertThat(frame.arg.get(INT, 4)).isEqualTo(Syscalls.MSG_CTRUNC);
        p.process.limitOpenFiles(1024);
        assertThat(p.openGroup(GROUP)).isPositive();
    }

    @Test
    void whoWaitsIsWokenByAMessageAndByDeath() {
        int[] ends = pair();
        CompletableFuture<Long> first = CompletableFuture.supplyAsync(
                () -> p.calls.recvmsg(new Frame(), ends[1], p.memory(8), new int[1]));
        send(ends[0]);
        assertThat(first.join()).isEqualTo(1);
        CompletableFuture<Long> second = CompletableFuture.supplyAsync(
                () -> p.calls.recvmsg(new Frame(), ends[1], p.memory(8), new int[1]));
        p.process.kill();
        assertThat(second.join()).isIn(-(long) EINTR, -(long) ESRCH);
    }

    @Test
    void otherFilesAreNoSockets() {
        int event = p.eventfd(0, 0);
        assertThat(p.calls.listen(new Frame(), event, 1)).isEqualTo(-88); // ENOTSOCK
        assertThat(p.calls.accept(new Frame(), event)).isEqualTo(-88);
        assertThat(p.calls.socket(new Frame(), 1)).isEqualTo(-94); // the kinds that nobody needs here
        int[] ends = pair();
        assertThat(p.calls.sendmsg(new Frame(), ends[0], p.memory(1), new int[] {99})).isEqualTo(-EBADF);
        assertThatThrownBy(() -> p.calls.sendmsg(new Frame(), ends[0], p.memory(1), ends))
                .isInstanceOf(UnsupportedOperationException.class);
    }

    // ---- by the documents

    @Test
    void byTheDocumentsAnExternalUserIsTakenOfAProtectedGroupAlone() {
        use(KernelProfile.DOCUMENTS);
        Kvm kvm = kvm();
        int container = p.openContainer();
        int group = p.openGroup(GROUP);
        assertThat(add(kvm, group)).isEqualTo(-EINVAL);
        check(p.setContainer(group, container));
        assertThat(add(kvm, group)).isEqualTo(-EINVAL);
        check(p.setIommu(container, TYPE1V2));
        assertThat(add(kvm, group)).isZero();
        assertThat(add(kvm, group)).isEqualTo(-EEXIST);
        assertThat(p.unsetContainer(group)).isEqualTo(-EBUSY);
        assertThat(remove(kvm, group)).isZero();
        assertThat(p.unsetContainer(group)).isZero();
        assertThat(p.unsetContainer(group)).isEqualTo(-EINVAL);
    }

    @Test
    void byTheDocumentsTheLastUserTakesTheGroupOutOfItsContainer() {
        use(KernelProfile.DOCUMENTS);
        Kvm kvm = kvm();
        Rig rig = p.openDevice(GROUP, DEVICE);
        int again = check(p.deviceFd(rig.group(), DEVICE));
        assertThat(add(kvm, rig.group())).isZero();
        p.close(rig.group());
        assertThat(p.openGroup(GROUP)).isEqualTo(-EBUSY); // by its container, for the file is closed
        p.close(rig.device());
        p.close(again);
        assertThat(p.openGroup(GROUP)).isEqualTo(-EBUSY);
        assertThat(p.map(rig.container(), 0x10000, p.mmap(4096), 4096, READ)).isZero(); // protected still
        p.close(kvm.device());
        assertThat(p.map(rig.container(), 0x20000, p.mmap(4096), 4096, READ)).isEqualTo(-EINVAL); // dissolved
        assertThat(p.openGroup(GROUP)).isPositive();
    }

    @Test
    void byTheDocumentsAUserIsReleasedWhenTheGroupIsGone() {
        use(KernelProfile.DOCUMENTS);
        Kvm kvm = kvm();
        int container = p.openContainer();
        int group = p.openGroup(GROUP);
        check(p.setContainer(group, container));
        check(p.setIommu(container, TYPE1V2));
        assertThat(add(kvm, group)).isZero();
        machine.unbind(PciAddress.parse(DEVICE));
        machine.unbind(PciAddress.parse(SIBLING));
        assertThat(remove(kvm, group)).isZero();
        assertThat(remove(kvm, group)).isEqualTo(-ENOENT);
    }

    @Test
    void byTheDocumentsAHostDriverIsFoundWhenADeviceIsOpened() {
        use(KernelProfile.DOCUMENTS);
        machine.unbind(PciAddress.parse(SIBLING));
        machine.bind(PciAddress.parse(SIBLING), "e1000");
        Kvm kvm = kvm();
        int container = p.openContainer();
        int group = p.openGroup(GROUP);
        assertThat(p.status(group)).isZero();
        assertThat(p.setContainer(group, container)).isZero();
        assertThat(p.status(group)).isEqualTo(CONTAINER_SET);
        check(p.setIommu(container, TYPE1V2));
        assertThat(p.deviceFd(group, DEVICE)).isEqualTo(-EINVAL);
        assertThat(add(kvm, group)).isEqualTo(-EINVAL);
        machine.unbind(PciAddress.parse(SIBLING));
        assertThat(p.status(group)).isEqualTo(CONTAINER_SET | VIABLE);
        assertThat(p.deviceFd(group, DEVICE)).isPositive();
    }

    @Test
    void theDocumentsCheckInAnOrderOfTheirOwn() {
        use(KernelProfile.DOCUMENTS);
        int group = p.openGroup(GROUP);
        int event = p.eventfd(0, 0);
        assertThat(p.deviceFd(group, "nobody")).isEqualTo(-EINVAL); // before the name
        assertThat(p.setContainer(group, -1)).isEqualTo(-EINVAL);
        assertThat(p.setContainer(group, 99)).isEqualTo(-EBADF);
        assertThat(p.setContainer(group, event)).isEqualTo(-EINVAL);
        int container = p.openContainer();
        check(p.setContainer(group, container));
        assertThat(p.setContainer(group, 99)).isEqualTo(-EINVAL); // before the descriptor
        assertThat(p.deviceFd(group, "nobody")).isEqualTo(-EINVAL);
        check(p.setIommu(container, TYPE1V2));
        assertThat(p.deviceFd(group, "nobody")).isEqualTo(-ENODEV);

        use(KernelProfile.V7_2);
        group = p.openGroup(GROUP);
        assertThat(p.deviceFd(group, "nobody")).isEqualTo(-ENODEV);
        assertThat(p.setContainer(group, -1)).isEqualTo(-EBADF);
        check(p.setContainer(group, p.openContainer()));
        assertThat(p.setContainer(group, 99)).isEqualTo(-EBADF);
    }
}
