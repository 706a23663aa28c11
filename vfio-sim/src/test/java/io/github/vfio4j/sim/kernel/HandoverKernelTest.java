package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Contract;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.Handover;
import io.github.vfio4j.HandoverListener;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.PeerUser;
import io.github.vfio4j.ReceivedGroup;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** Groups and devices that go to another process. */
class HandoverKernelTest extends KernelTest {
    private final String address = machine.socketAddress();
    private final int number = groupOf(machine.loner());

    /** Both ends of a connection, in this process. */
    private record Ends(Handover here, Handover there) {}

    private Ends connect() {
        try (HandoverListener listener = vfio.listen(address)) {
            Handover there = vfio.connect(address);
            return new Ends(listener.accept(), there);
        }
    }

    private Handover connect(MachineUnderTest.Peer peer) {
        try (HandoverListener listener = vfio.listen(address)) {
            assertThat(peer.ask("connect " + address)).isEqualTo("done");
            return listener.accept();
        }
    }

    private String identity() {
        PciDevice loner = vfio.pciDevice(machine.loner());
        return "%04x:%04x".formatted(loner.vendorId(), loner.deviceId());
    }

    private void assertGroupBusy() {
        VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.openGroup(number));
        assertThat(e).isNotNull();
        assertThat(e.errno()).isEqualTo(Errno.EBUSY);
    }

    // ---- with another process

    @Test
    void anotherProcessOpensADeviceOfTheGroupAndKeepsItWhenThisOneClosesAll() {
        try (MachineUnderTest.Peer peer = machine.startPeer()) {
            Handover connection = connect(peer);
            Container container = vfio.openContainer();
            Group group = openGroupOf(machine.loner());
            container.attach(group);
            container.setIommu(IommuType.TYPE1_V2).allocate(4096, Access.READ_WRITE);
            PeerUser user = connection.send(group);
            assertThat(group.externalUsers()).containsExactly(user);
            assertThat(peer.ask("group")).isEqualTo(number + " viable, in a container");
            assertThat(peer.ask("open " + machine.loner())).isEqualTo("done");
            assertThat(peer.ask("identify")).isEqualTo(identity());

            RuleViolation e = assertRefused(Rule.UNSET_EXTERNAL_USER, () -> container.detach(group));
            assertThat(e.getMessage()).contains(address).contains("uses group " + number);

            group.close(); // neither fails nor takes anything from the other process
            container.close();
            assertThat(peer.ask("identify")).isEqualTo(identity());
            assertThat(peer.ask("status")).isEqualTo("viable, in a container");
            assertGroupBusy();
            assertThat(peer.ask("close-group")).isEqualTo("done");
            openGroupOf(machine.loner()).close();
        }
    }

    @Test
    void anotherProcessHasADeviceThatThisOneClosed() {
        try (MachineUnderTest.Peer peer = machine.startPeer()) {
            Handover connection = connect(peer);
            Stack loner = open(machine.loner());
            PeerUser user = connection.send(loner.device());
            assertThat(user.device()).contains(loner.device());
            loner.device().close();
            assertThat(peer.ask("device")).isEqualTo("PCI device");
            assertThat(peer.ask("identify")).isEqualTo(identity());
            assertRefused(Rule.UNSET_EXTERNAL_USER, () -> loner.container().detach(loner.group()));
            assertThat(peer.ask("close-device")).isEqualTo("done");
            user.release(); // it has closed it
            loner.container().detach(loner.group());
        }
    }

    @Test
    void anotherProcessKeepsADeviceByItsOwnNodeWhenThisOneClosesAll() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        try (MachineUnderTest.Peer peer = machine.startPeer()) {
            Handover connection = connect(peer);
            Iommufd iommufd = vfio.openIommufd();
            Device device = iommufd.openDevice(machine.loner());
            Ioas ioas = iommufd.allocateIoas();
            device.attach(ioas);
            DmaBuffer buffer = ioas.allocateAt(0x100000, 8192, Access.READ_WRITE);
            buffer.segment().set(ValueLayout.JAVA_LONG, 0, 42);
            PeerUser user = connection.send(device);
            assertThat(user.group()).isEmpty();
            assertThat(iommufd.externalUsers()).containsExactly(user);
            assertThat(peer.ask("device")).isEqualTo("PCI device");
            assertThat(peer.ask("move 100000 101000")).isEqualTo("done"); // it reaches what is mapped here
            assertThat(buffer.segment().get(ValueLayout.JAVA_LONG, 4096)).isEqualTo(42);

            device.close(); // neither fails nor takes anything from the other process
            ioas.close();
            assertThatThrownBy(() -> buffer.segment().get(ValueLayout.JAVA_LONG, 0))
                    .isInstanceOf(IllegalStateException.class);
            iommufd.close();
            assertThat(peer.ask("identify")).isEqualTo(identity());
            Iommufd another = vfio.openIommufd();
            VfioException e = catchThrowableOfType(VfioException.class, () -> another.openDevice(machine.loner()));
            assertThat(e.errno()).isEqualTo(Errno.EINVAL);
            assertThat(peer.ask("close-device")).isEqualTo("done");
            user.release();
            another.openDevice(machine.loner());
        }
    }

    @Test
    void aProcessThatIsKilledHasClosedWhatItGot() {
        try (MachineUnderTest.Peer peer = machine.startPeer()) {
            Handover connection = connect(peer);
            Stack loner = open(machine.loner());
            PeerUser user = connection.send(loner.device());
            assertThat(peer.ask("device")).isEqualTo("PCI device");
            peer.kill();
            user.release();
            loner.device().close();
            loner.container().detach(loner.group());
        }
    }

    @Test
    void aBrokerHandsOutAGroupThatTheOtherProcessPutsIntoItsOwnContainer() {
        try (MachineUnderTest.Peer peer = machine.startPeer();
                Vfio broker = machine.open(Contract.KERNEL);
                HandoverListener listener = broker.listen(address)) {
            assertThat(peer.ask("connect " + address)).isEqualTo("done");
            Handover connection = listener.accept();
            Group group = broker.openGroup(number);
            connection.send(group);
            group.close();
            assertThat(peer.ask("group")).isEqualTo(number + " viable");
            assertThat(peer.ask("attach")).isEqualTo("done");
            assertThat(peer.ask("open-attached " + machine.loner())).isEqualTo("done");
            assertThat(peer.ask("identify")).isEqualTo(identity());
            assertThat(peer.ask("close")).isEqualTo("done");
        }
        openGroupOf(machine.loner()).close();
    }

    @Test
    void underTheKernelsContractTheProtectionCanBeTakenFromUnderTheOther() {
        try (MachineUnderTest.Peer peer = machine.startPeer();
                Vfio lenient = machine.open(Contract.KERNEL);
                HandoverListener listener = lenient.listen(address)) {
            assertThat(peer.ask("connect " + address)).isEqualTo("done");
            Handover connection = listener.accept();
            Container container = lenient.openContainer();
            Group group = lenient.openGroup(number);
            container.attach(group);
            container.setIommu(IommuType.TYPE1_V2);
            PeerUser user = connection.send(group);
            assertThat(peer.ask("group")).isEqualTo(number + " viable, in a container");
            container.detach(group);
            assertThat(peer.ask("status")).isEqualTo("viable");
            assertThat(peer.ask("open " + machine.loner())).isEqualTo("GROUP_GET_DEVICE_FD EINVAL");

            container.attach(group);
            container.setIommu(IommuType.TYPE1_V2);
            assertThat(peer.ask("open " + machine.loner())).isEqualTo("done");
            VfioException e = catchThrowableOfType(VfioException.class, () -> container.detach(group));
            assertThat(e.errno()).isEqualTo(Errno.EBUSY); // the kernel sees the open device
            assertThat(peer.ask("close-device")).isEqualTo("done");
            assertThat(peer.ask("close-group")).isEqualTo("done");
            user.release();
        }
    }

    // ---- taking

    @Test
    void onlyAProtectedGroupIsHandedOver() {
        Ends ends = connect();
        Container container = vfio.openContainer();
        Group group = openGroupOf(machine.loner());
        assertRefused(Rule.EXTERNAL_NEEDS_CONTAINER, () -> ends.here().send(group));
        container.attach(group);
        assertRefused(Rule.EXTERNAL_NEEDS_IOMMU, () -> ends.here().send(group));
        assertThat(group.externalUsers()).isEmpty();
    }

    @Test
    void aMessageThatNobodyReceivedKeepsTheGroupOpen() {
        Ends ends = connect();
        Stack loner = open(machine.loner());
        ends.here().send(loner.group());
        loner.device().close();
        loner.group().close();
        loner.container().close();
        assertGroupBusy();
        ends.there().close();
        openGroupOf(machine.loner()).close();
    }

    // ---- receiving in this process: the same file under a second descriptor

    @Test
    void aReceivedGroupSharesTheStateOfTheSendersGroup() {
        Ends ends = connect();
        Stack loner = open(machine.loner());
        PeerUser user = ends.here().send(loner.group());
        ReceivedGroup received = ends.there().receiveGroup();
        assertThat(received.number()).isEqualTo(number);
        assertThat(received.status()).isEqualTo(loner.group().status());
        Device device = received.openDevice(machine.loner());
        assertThat(device.info()).isEqualTo(loner.device().info());
        assertThatThrownBy(device::iommu).isInstanceOf(UnsupportedOperationException.class);
        Container container = vfio.openContainer();
        assertRefused(Rule.SET_CONTAINER_ONCE, () -> received.attachTo(container));
        assertThatIllegalArgumentException().isThrownBy(() -> ends.here().send(device));
        received.close();
        assertRefused(Rule.HANDLE_OPEN, received::status);
        assertRefused(Rule.HANDLE_OPEN, () -> received.openDevice(machine.loner()));
        assertRefused(Rule.HANDLE_OPEN, () -> device.region(0));
        user.release();
        loner.device().close();
        loner.container().detach(loner.group());
    }

    @Test
    void aGroupThatIsOpenHereIsNotAttachedASecondTime() {
        try (Vfio lenient = machine.open(Contract.KERNEL)) {
            Ends ends = connect();
            Group group = lenient.openGroup(number);
            try (HandoverListener listener = lenient.listen(address)) {
                Handover there = lenient.connect(address);
                listener.accept().send(group);
                ReceivedGroup received = there.receiveGroup();
                Container container = lenient.openContainer();
                assertRefused(Rule.GROUP_OPEN_ONCE, () -> received.attachTo(container));
                group.close();
                Group again = received.attachTo(container);
                assertThat(again.number()).isEqualTo(number);
                assertRefused(Rule.HANDLE_OPEN, received::status);
                container.detach(again);
            }
            ends.here().close();
        }
    }

    @Test
    void aGroupThatItsContainerLeftToAnotherProcessIsNotAttachedAgain() {
        Ends ends = connect();
        Stack loner = open(machine.loner());
        ends.here().send(loner.group());
        loner.container().close();
        assertThat(loner.group().status().containerSet()).isTrue();
        Container other = vfio.openContainer();
        assertRefused(Rule.SET_CONTAINER_ONCE, () -> other.attach(loner.group()));
    }

    // ---- what is no VFIO file

    @Test
    void whatIsNotWhatItClaimsToBeIsRefusedAndNothingIsKept() {
        Syscalls calls = machine.syscalls();
        Frame frame = new Frame();
        Stack loner = open(machine.loner());
        int event = calls.eventfd(frame, 0, Syscalls.EFD_CLOEXEC);
        int memory = calls.memfdCreate(frame, "vfio4j", Syscalls.MFD_CLOEXEC);
        assertThat(calls.fallocate(frame, memory, 0, 4096)).isZero();
        int container = calls.open(frame, "/dev/vfio/vfio", Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        int group = calls.open(frame, "/dev/vfio/" + groupOf(machine.nvme()), Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        assertThat(loner.group().status().containerSet()).isTrue();
        try {
            int nvme = groupOf(machine.nvme());
            refused(Handover::receiveGroup, "group " + nvme, event);
            refused(Handover::receiveGroup, "group " + nvme, container);
            refused(Handover::receiveGroup, "group " + nvme); // no descriptor
            refused(Handover::receiveGroup, "group " + nvme, group, group);
            refused(Handover::receiveGroup, "group " + nvme, group, group, group);
            refused(Handover::receiveGroup, "group " + number, group); // another one
            refused(Handover::receiveGroup, "group x", group);
            refused(Handover::receiveGroup, "device 0000:00:04.0", group);
            refused(Handover::receiveGroup, "group " + "1".repeat(300), group);
            refused(Handover::receiveDevice, "device 0000:00:04.0", group);
            refused(Handover::receiveDevice, "device 0000:00:04.0", event);
            refused(Handover::receiveDevice, "device 0000:00:04.0", container);
            refused(Handover::receiveDevice, "group " + nvme, group);
            refused(Handover::receiveIommufd, "iommufd", group);
            refused(Handover::receiveIommufd, "iommufd", container);
            refused(Handover::receiveIommufd, "iommufd", event);
            refused(Handover::receiveDmaFile, "memory", event);
            refused(Handover::receiveDmaFile, "memory", memory); // it can be made smaller
            refused(Handover::receiveDmaFile, "device 0000:00:04.0", memory);
        } finally {
            calls.close(frame, group);
            calls.close(frame, container);
            calls.close(frame, memory);
            calls.close(frame, event);
        }
    }

    /** Sends a message of a program that does what it likes. */
    private void refused(Consumer<Handover> receive, String text, int... descriptors) {
        Syscalls calls = machine.syscalls();
        Frame frame = new Frame();
        int other = calls.socket(frame, Syscalls.SOCK_SEQPACKET);
        try (HandoverListener listener = vfio.listen(address);
                Arena arena = Arena.ofConfined()) {
            assertThat(calls.connect(frame, other, address)).isZero();
            Handover connection = listener.accept();
            int before = machine.filesAndMappings().size();
            MemorySegment data = arena.allocateFrom(text, StandardCharsets.UTF_8);
            long length = data.byteSize() - 1;
            assertThat(calls.sendmsg(frame, other, data.asSlice(0, length), descriptors)).isEqualTo(length);
            VfioException e = catchThrowableOfType(VfioException.class, () -> receive.accept(connection));
            assertThat(e).as(text).isNotNull();
            assertThat(e.operation()).isEqualTo(Operation.HANDOVER_RECEIVE);
            assertThat(e.errno()).isEqualTo(Errno.EBADMSG);
            assertThat(e.rule()).contains(Rule.RECEIVE_MESSAGE);
            assertThat(machine.filesAndMappings()).hasSize(before);
            connection.close();
        } finally {
            calls.close(frame, other);
        }
    }

    // ---- connections

    @Test
    void aClosedEndIsToldToTheOther() {
        Ends ends = connect();
        Stack loner = open(machine.loner());
        ends.there().close();
        VfioException sent = catchThrowableOfType(VfioException.class, () -> ends.here().send(loner.group()));
        assertThat(sent.errno()).isEqualTo(Errno.EPIPE);
        assertThat(loner.group().externalUsers()).isEmpty();
        VfioException received = catchThrowableOfType(VfioException.class, () -> ends.here().receiveGroup());
        assertThat(received.errno()).isEqualTo(Errno.ECONNRESET);
        assertThat(received.getMessage()).contains("the other end is closed");
    }

    @Test
    void nobodyListens() {
        VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.connect(address));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        e = catchThrowableOfType(VfioException.class, () -> vfio.connect("@vfio4j-nobody"));
        assertThat(e.errno()).isEqualTo(Errno.ECONNREFUSED);
        assertThatIllegalArgumentException().isThrownBy(() -> vfio.connect(""));
        assertThatIllegalArgumentException().isThrownBy(() -> vfio.listen("/" + "x".repeat(107)));
    }

    @Test
    void anAddressIsFreeAgainWhenItsListenerIsClosed() {
        for (String taken : new String[] {address, "@vfio4j-taken"}) {
            try (HandoverListener _ = vfio.listen(taken)) {
                VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.listen(taken));
                assertThat(e.errno()).isEqualTo(Errno.EADDRINUSE);
            }
            vfio.listen(taken).close();
        }
    }

    /** Most rounds find the other thread in the kernel, some on its way there. */
    @Test
    void closingEndsWhatWaits() {
        for (int round = 0; round < 20; round++) {
            HandoverListener listener = vfio.listen(address);
            CompletableFuture<Handover> accept =
                    CompletableFuture.supplyAsync(listener::accept, HandoverKernelTest::start);
            Ends ends = new Ends(vfio.connect(address), accept.join());
            CompletableFuture<Handover> second =
                    CompletableFuture.supplyAsync(listener::accept, HandoverKernelTest::start);
            CompletableFuture<ReceivedGroup> receive =
                    CompletableFuture.supplyAsync(ends.here()::receiveGroup, HandoverKernelTest::start);
            ends.here().close();
            assertEndsByClose(receive);
            listener.close();
            assertEndsByClose(second);
            ends.there().close();
        }
    }

    private static void start(Runnable task) {
        Thread.ofPlatform().start(task);
    }

    private static void assertEndsByClose(CompletableFuture<?> waiting) {
        CompletionException e = catchThrowableOfType(CompletionException.class, waiting::join);
        assertThat(e.getCause()).isInstanceOf(RuleViolation.class);
        assertThat(((RuleViolation) e.getCause()).rule()).contains(Rule.HANDLE_OPEN);
    }
}
