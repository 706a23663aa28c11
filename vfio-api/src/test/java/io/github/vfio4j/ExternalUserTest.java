package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the kernel is asked, in which order, when somebody outside uses a group, and what becomes of refusals. */
class ExternalUserTest {
    private final FakeKernel kernel = new FakeKernel();
    private final Vfio vfio = Vfio.on(kernel, Contract.STRICT);
    private Container container;
    private Group group;
    private Type1 iommu;

    @BeforeEach
    void setIommu() {
        container = vfio.openContainer();
        group = vfio.openGroup(4);
        container.attach(group);
        iommu = container.setIommu(IommuType.TYPE1_V2);
        kernel.newCalls();
    }

    @Test
    void aGroupIsTakenFromKvmBeforeItLeavesItsContainer() {
        KvmVm vm = vfio.openKvmVm();
        Device device = iommu.openDevice(group, FakeKernel.ADDRESS);
        vm.add(group);
        vm.add(device);
        assertThat(kernel.newCalls())
                .containsExactly("open kvm", "open device", "device info", "kvm add group", "kvm add device");
        group.close();
        assertThat(kernel.newCalls())
                .containsExactly(
                        "kvm del device", "close device", "kvm del group", "unset container", "close group");
        vm.close();
        assertThat(kernel.newCalls()).containsExactly("close kvm");
    }

    @Test
    void theCloseOfAContainerTakesItsGroupsFromKvm() {
        KvmUser user = vfio.openKvmVm().add(group);
        kernel.newCalls();
        container.close();
        assertThat(kernel.newCalls()).containsExactly("kvm del group", "unset container", "close container");
        assertThat(user.released()).isTrue();
        group.close();
        assertThat(kernel.newCalls()).containsExactly("close group");
    }

    @Test
    void theCloseOfAVirtualMachineTakesAllFromKvm() {
        KvmVm vm = vfio.adoptKvmVm(17);
        Device device = iommu.openDevice(group, FakeKernel.ADDRESS);
        vm.add(group);
        vm.add(device);
        kernel.newCalls();
        vm.close();
        vm.close();
        assertThat(kernel.newCalls()).containsExactly("kvm del device", "kvm del group", "close kvm");
        assertThat(group.externalUsers()).isEmpty();
    }

    @Test
    void aReleaseThatTheKernelRefusesCanBeTriedAgain() {
        KvmUser user = vfio.openKvmVm().add(group);
        kernel.failures.put(Operation.KVM_FILE_DEL, Errno.EIO);
        VfioException e = catchThrowableOfType(VfioException.class, user::release);
        assertThat(e.rule()).contains(Rule.KVM_DEL_PROCESS);
        assertThat(user.released()).isFalse();
        assertThat(group.externalUsers()).containsExactly(user);
        kernel.failures.clear();
        user.release();
        assertThat(group.externalUsers()).isEmpty();
    }

    @Test
    void whatKvmNoLongerHasIsReleased() {
        KvmVm vm = vfio.openKvmVm();
        KvmUser user = vm.add(group);
        kernel.failures.put(Operation.KVM_FILE_DEL, Errno.ENOENT);
        user.release();
        assertThat(user.released()).isTrue();
        assertThat(vm.users()).isEmpty();
    }

    @Test
    void aCloseGoesOnWhenKvmDoesNotGiveTheGroupUp() {
        KvmUser user = vfio.openKvmVm().add(group);
        kernel.failures.put(Operation.KVM_FILE_DEL, Errno.EIO);
        kernel.newCalls();
        VfioException e = catchThrowableOfType(VfioException.class, group::close);
        assertThat(e.operation()).isEqualTo(Operation.KVM_FILE_DEL);
        assertThat(kernel.newCalls()).containsExactly("kvm del group", "unset container", "close group");
        assertThat(user.released()).isTrue();
        user.release(); // nothing is left to do
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void whatKvmDoesNotTakeIsNotRegistered() {
        KvmVm vm = vfio.openKvmVm();
        kernel.failures.put(Operation.KVM_FILE_ADD, Errno.EINVAL);
        assertThat(catchThrowableOfType(VfioException.class, () -> vm.add(group))).isNotNull();
        assertThat(group.externalUsers()).isEmpty();
        assertThat(vm.users()).isEmpty();
        container.detach(group);
    }

    @Test
    void aGroupAtAnotherProcessStaysInTheKernelsContainerWhenItsHandleIsClosed() {
        PeerUser user = vfio.connect("/run/peer").send(group);
        iommu.allocate(4096, Access.READ_WRITE);
        kernel.newCalls();
        group.close();
        assertThat(kernel.newCalls()).containsExactly("unmap 10000+1000", "free 1000", "close group");
        assertThat(user.released()).isFalse();
        user.release();
        assertThat(user.released()).isTrue();
        assertThat(kernel.newCalls()).isEmpty(); // a statement, no call
    }

    @Test
    void aContainerThatAnotherProcessIsInEndsItsMappingsOneByOne() {
        vfio.connect("/run/peer").send(group);
        iommu.allocate(4096, Access.READ_WRITE);
        kernel.newCalls();
        container.close();
        assertThat(kernel.newCalls()).containsExactly("unmap 10000+1000", "free 1000", "close container");
        Container other = vfio.openContainer();
        RuleViolation e = catchThrowableOfType(RuleViolation.class, () -> other.attach(group));
        assertThat(e.rule()).contains(Rule.SET_CONTAINER_ONCE);
    }

    @Test
    void noMappingIsTakenForGoneWhileAnotherProcessKeepsTheContainerAlive() {
        Group second = vfio.openGroup(5);
        container.attach(second);
        vfio.connect("/run/peer").send(group);
        iommu.allocate(4096, Access.READ_WRITE);
        group.close(); // stays in the kernel's container
        kernel.newCalls();
        second.close(); // the last one here, and not there
        assertThat(kernel.newCalls())
                .containsExactly("unset container", "unmap 10000+1000", "free 1000", "close group");
    }

    @Test
    void whatWasNotSentIsNotRegistered() {
        Handover connection = vfio.connect("/run/peer");
        kernel.failures.put(Operation.HANDOVER_SEND, Errno.EPIPE);
        VfioException e = catchThrowableOfType(VfioException.class, () -> connection.send(group));
        assertThat(e.rule()).contains(Rule.SEND_PEER);
        assertThat(group.externalUsers()).isEmpty();
    }

    @Test
    void theCloseOfEverythingEndsWhatIsOutsideFirst() {
        KvmVm vm = vfio.openKvmVm();
        vm.add(group);
        vfio.connect("/run/peer");
        kernel.newCalls();
        vfio.close();
        assertThat(kernel.newCalls())
                .containsExactly(
                        "close connection",
                        "kvm del group",
                        "close kvm",
                        "unset container",
                        "close container",
                        "close group");
        assertThat(catchThrowableOfType(RuleViolation.class, vfio::openKvmVm).rule()).contains(Rule.HANDLE_OPEN);
    }

    @Test
    void kernelsAreNotMixed() {
        KvmVm elsewhere = Vfio.on(new FakeKernel(), Contract.STRICT).openKvmVm();
        Handover connection = Vfio.on(new FakeKernel(), Contract.STRICT).connect("/run/peer");
        assertThatIllegalArgumentException().isThrownBy(() -> elsewhere.add(group));
        assertThatIllegalArgumentException().isThrownBy(() -> connection.send(group));
    }

    @Test
    void anExternalUserSaysWhoItIs() {
        Device device = iommu.openDevice(group, FakeKernel.ADDRESS);
        assertThat(vfio.openKvmVm().add(group)).hasToString("KVM uses group 4");
        assertThat(vfio.connect("/run/peer").send(device))
                .hasToString("the process at /run/peer uses device 0000:00:04.0");
    }
}
