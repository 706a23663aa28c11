package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Binder;
import io.github.vfio4j.Binding;
import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.GroupMember;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.VfioException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Functions between their host drivers and vfio-pci. */
class BindingKernelTest extends KernelTest {
    private static final Duration SOON = Duration.ofSeconds(30);

    private final Binder binder = vfio.binder();

    private GroupMember member(PciAddress address) {
        return binder.members(groupOf(address)).stream()
                .filter(member -> member.name().equals(address.toString()))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aGroupWithAHostDriverIsBoundAsAWholeAndRestored() {
        PciAddress sibling = machine.siblings().getFirst();
        int group = groupOf(sibling);
        try (MachineUnderTest.HostDriver host = machine.hostDriverTakesAMember()) {
            assertThat(member(host.member()).use()).isEqualTo(GroupMember.Use.HOST_DRIVER);
            assertThat(member(host.member()).viable()).isFalse();
            try (Binding binding = binder.bind(List.of(sibling, host.member()), SOON)) {
                assertThat(binding.devices()).contains(sibling, host.member());
                assertThat(binder.members(group)).allMatch(GroupMember::viable);
                assertThat(open(sibling).device().info().pci()).isTrue();
                assertRefused(Rule.UNBIND_NOT_OPEN_HERE, () -> binder.giveBack(sibling));
                vfio.close();
            }
            assertThat(member(host.member()).driver()).contains(host.driver());
        }
    }

    @Test
    void whatAKilledProgramBoundIsRestoredByTheNext() {
        try (MachineUnderTest.HostDriver host = machine.hostDriverTakesAMember()) {
            MachineUnderTest.Peer peer = machine.startPeer();
            assertThat(peer.ask("bind " + host.member())).isEqualTo("done");
            assertThat(binder.abandoned().devices()).isEmpty(); // it runs
            peer.kill();
            try (Binding left = binder.abandoned()) {
                assertThat(left.devices()).contains(host.member());
                assertThat(member(host.member()).driver()).contains("vfio-pci");
            }
            assertThat(member(host.member()).driver()).contains(host.driver());
            assertThat(binder.abandoned().devices()).isEmpty();
        }
    }

    @Test
    void whatAKilledProgramBoundIsGivenBackAsItWas() {
        try (MachineUnderTest.HostDriver host = machine.hostDriverTakesAMember()) {
            MachineUnderTest.Peer peer = machine.startPeer();
            assertThat(peer.ask("bind " + host.member())).isEqualTo("done");
            peer.kill();
            assertThat(binder.giveBack(host.member())).contains(host.driver());
            try (Binding left = binder.abandoned()) {
                assertThat(left.devices()).isNotEmpty().doesNotContain(host.member());
            }
            assertThat(machine.siblings()).allMatch(sibling -> member(sibling).driver().equals(Optional.of("vfio-pci")));
        }
    }

    @Test
    void aHostDriverDoesNotGetAMemberOfAGroupThatAProgramHas() {
        PciAddress sibling = machine.siblings().getFirst();
        try (MachineUnderTest.HostDriver host = machine.hostDriverTakesAMember()) {
            Binding binding = binder.bind(List.of(sibling, host.member()), SOON);
            Stack stack = open(sibling);
            VfioException e = catchThrowableOfType(VfioException.class, () -> {
                binder.giveBack(host.member()); // clears the override, so that the host driver is tried
            });
            assertThat(e).isNotNull();
            assertThat(e.operation()).isEqualTo(Operation.DRIVERS_PROBE);
            assertThat(e.errno()).isEqualTo(Errno.EINVAL);
            assertThat(e.getSuppressed()).isEmpty();
            assertThat(member(host.member()).driver()).contains("vfio-pci"); // again
            assertThat(stack.device().info().pci()).isTrue();
            stack.device().close();
            stack.group().close();
            binding.close();
            assertThat(member(host.member()).driver()).contains(host.driver());
        }
    }

    @Test
    void aDriverIsRestoredAlthoughTheOverrideNamedAnother() throws Exception {
        PciAddress sibling = machine.siblings().getFirst();
        try (MachineUnderTest.HostDriver host = machine.hostDriverTakesAMember()) {
            String override = "/sys/bus/pci/devices/" + host.member() + "/driver_override";
            machine.sysfs().write(override, "vfio-pci"); // the next bind looks at it, the driver that is bound stays
            binder.bind(List.of(sibling, host.member()), SOON).close();
            assertThat(member(host.member()).driver()).contains(host.driver());
            assertThat(machine.sysfs().read(override)).isEqualTo("vfio-pci");
        }
    }

    @Test
    void aMemberThatTheHostHasIsTakenOnlyIfItIsNamed() {
        PciAddress sibling = machine.siblings().getFirst();
        try (MachineUnderTest.HostDriver host = machine.hostDriverTakesAMember()) {
            RuleViolation e = assertRefused(Rule.BIND_WHOLE_GROUP, () -> binder.bind(sibling, SOON));
            assertThat(e).hasMessageContaining(host.member() + " (" + host.driver() + ")");
            assertThat(member(host.member()).driver()).contains(host.driver());
        }
    }

    @Test
    void aDeviceThatIsBoundAlreadyCanBeBoundAndStaysUsable() {
        PciAddress loner = machine.loner();
        try (Binding binding = binder.bind(loner, SOON)) {
            assertThat(binding.devices()).containsExactly(loner);
            try (Device device = vfio.openDevice(loner)) {
                assertThat(device.info().pci()).isTrue();
            }
        }
        assertThat(member(loner).use()).isEqualTo(GroupMember.Use.VFIO);
    }

    @Test
    void aBridgeIsRefusedAndInNobodysWay() {
        List<PciDevice> bridges =
                vfio.pciDevices().stream().filter(PciDevice::isBridge).toList();
        assertThat(bridges).as("the machine has a bridge").isNotEmpty();
        PciDevice bridge = bridges.getFirst();
        assertRefused(Rule.BIND_NO_BRIDGE, () -> binder.bind(bridge.address(), SOON));
        assertThat(member(bridge.address()).use()).isEqualTo(GroupMember.Use.BRIDGE);
        assertThat(member(bridge.address()).viable()).isTrue();
    }

    @Test
    void theWindowOfMessageInterruptsIsReserved() {
        assertThat(binder.reservedRegions(groupOf(machine.loner())))
                .anyMatch(region -> region.type().equals("msi") && region.range().first() == 0xfee0_0000L);
        binder.numaNode(machine.loner()).ifPresent(node -> assertThat(node).isNotNegative());
    }

    @Test
    void onlyWhatAVfioDriverHasIsGivenBack() {
        PciAddress sibling = machine.siblings().getFirst();
        try (MachineUnderTest.HostDriver host = machine.hostDriverTakesAMember()) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> binder.giveBack(host.member()));
            assertThat(e.operation()).isEqualTo(Operation.DRIVER_UNBIND);
            assertThat(e.errno()).isEqualTo(Errno.ENODEV);
            assertThat(member(sibling).use()).isEqualTo(GroupMember.Use.VFIO);
        }
    }
}
