package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Binding;
import io.github.vfio4j.Contract;
import io.github.vfio4j.Device;
import io.github.vfio4j.GroupMember;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.SysFs;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Writes to sysfs that bind and unbind drivers, and what {@link io.github.vfio4j.Binder} makes of them. */
@Timeout(60)
class SimDriversTest {
    private static final PciAddress BRIDGE = PciAddress.parse("0000:00:09.0");
    private static final PciAddress FIRST = PciAddress.parse("0000:01:01.0");
    private static final PciAddress SECOND = PciAddress.parse("0000:01:02.0");
    private static final PciAddress THIRD = PciAddress.parse("0000:01:03.0");
    private static final PciAddress ALONE = PciAddress.parse("0000:02:00.0");
    private static final PciAddress NOT_ISOLATED = PciAddress.parse("0000:03:00.0");
    private static final List<PciAddress> BOTH = List.of(FIRST, SECOND); // those with host drivers
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final String DEVICES = "/sys/bus/pci/devices/";
    private static final String DRIVERS = "/sys/bus/pci/drivers/";

    private final SimMachine machine = SimMachine.builder()
            .device(BRIDGE, new BridgeModel(), 9, "pcieport")
            .device(FIRST, new TestModel(), 9, "e1000")
            .device(SECOND, new TestModel(), 9, "nvme")
            .device(THIRD, new TestModel(), 9, "")
            .device(ALONE, new TestModel(), 10, SimMachine.VFIO_PCI)
            .deviceWithoutIommu(NOT_ISOLATED, new TestModel(), "e1000")
            .build();
    private final SysFs sysfs = machine.sysfs();
    private final Vfio vfio = machine.open();

    @AfterEach
    void nothingIsLeft() {
        vfio.close();
        machine.close();
    }

    private int errno(String path, String text) {
        SysFs.Failure failure = catchThrowableOfType(SysFs.Failure.class, () -> sysfs.write(path, text));
        return failure == null ? 0 : failure.errno;
    }

    private String state(PciAddress address) throws Exception {
        return vfio.pciDevice(address).driver().orElse("-") + " " + sysfs.read(DEVICES + address + "/driver_override");
    }

    // ---- what the kernel answers

    @Test
    void aDriverTakesOnlyWhatMatches() throws Exception {
        assertThat(errno(DRIVERS + "vfio-pci/bind", THIRD + "\n")).isEqualTo(ENODEV);
        sysfs.write(DEVICES + THIRD + "/driver_override", "vfio-pci");
        assertThat(errno(DRIVERS + "e1000/bind", THIRD.toString())).isEqualTo(ENODEV);
        assertThat(errno(DRIVERS + "vfio-pci/bind", THIRD.toString())).isZero();
        assertThat(errno(DRIVERS + "vfio-pci/bind", THIRD.toString())).isEqualTo(EBUSY);
        assertThat(errno(DRIVERS + "e1000/bind", THIRD.toString())).isEqualTo(ENODEV); // before it is EBUSY
        assertThat(errno(DRIVERS + "e1000/unbind", THIRD.toString())).isEqualTo(ENODEV);
        assertThat(errno(DRIVERS + "vfio-pci/unbind", THIRD.toString())).isZero();
        assertThat(errno(DRIVERS + "vfio-pci/bind", "0000:77:00.0")).isEqualTo(ENODEV);
        assertThat(errno(DRIVERS + "no-such-driver/bind", THIRD.toString())).isEqualTo(ENOENT);
        assertThat(errno(DEVICES + THIRD + "/vendor", "0x1")).isEqualTo(EACCES);
        assertThat(errno(DEVICES + THIRD + "/driver_override", "x".repeat(4095))).isEqualTo(EINVAL);
        sysfs.write(DEVICES + THIRD + "/driver_override", "\n");
        assertThat(sysfs.read(DEVICES + THIRD + "/driver_override")).isEqualTo("(null)");
    }

    @Test
    void aProbeThatADriverRefusesSucceedsAndBindsNothing() throws Exception {
        sysfs.write(DRIVERS + "pcieport/unbind", BRIDGE.toString());
        sysfs.write(DEVICES + BRIDGE + "/driver_override", "vfio-pci");
        assertThat(errno("/sys/bus/pci/drivers_probe", BRIDGE.toString())).isZero();
        assertThat(vfio.pciDevice(BRIDGE).driver()).isEmpty();
        assertThat(errno(DRIVERS + "vfio-pci/bind", BRIDGE.toString())).isEqualTo(EINVAL);
        assertThat(errno("/sys/bus/pci/drivers_probe", "0000:77:00.0")).isEqualTo(ENODEV);
    }

    @Test
    void aHostDriverDoesNotGetAMemberOfAGroupThatAProgramHas() throws Exception {
        Binding binding = vfio.binder().bind(BOTH, SOON);
        try (Device device = vfio.openDevice(FIRST)) {
            sysfs.write(DRIVERS + "vfio-pci/unbind", SECOND.toString());
            assertThat(errno("/sys/bus/pci/drivers_probe", SECOND.toString())).isZero(); // the override protects it
            assertThat(vfio.pciDevice(SECOND).driver()).contains("vfio-pci");
            sysfs.write(DRIVERS + "vfio-pci/unbind", SECOND.toString());
            sysfs.write(DEVICES + SECOND + "/driver_override", "\n");
            assertThat(errno("/sys/bus/pci/drivers_probe", SECOND.toString())).isEqualTo(EINVAL);
            assertThat(errno(DRIVERS + "nvme/bind", SECOND.toString())).isEqualTo(EBUSY);
            assertThat(device.info().pci()).isTrue();
        }
        binding.close();
        assertThat(state(SECOND)).isEqualTo("nvme (null)");
    }

    // ---- what the library does

    @Test
    void membersSayWhyTheGroupIsNotViable() {
        assertThat(vfio.binder().members(9))
                .extracting(GroupMember::use)
                .containsExactly(
                        GroupMember.Use.BRIDGE,
                        GroupMember.Use.HOST_DRIVER,
                        GroupMember.Use.HOST_DRIVER,
                        GroupMember.Use.DRIVERLESS);
        assertThat(vfio.binder().members(9)).extracting(GroupMember::viable).containsExactly(true, false, false, true);
        assertThat(vfio.binder().members(10)).extracting(GroupMember::use).containsExactly(GroupMember.Use.VFIO);
    }

    @Test
    void aGroupIsBoundAsAWholeAndRestoredAsItWas() throws Exception {
        sysfs.write(DEVICES + THIRD + "/driver_override", "something");
        Binding binding = vfio.binder().bind(List.of(SECOND, FIRST), SOON);
        assertThat(binding.devices()).containsExactly(SECOND, FIRST, THIRD);
        for (PciAddress address : binding.devices()) {
            assertThat(state(address)).isEqualTo("vfio-pci vfio-pci");
        }
        assertThat(state(BRIDGE)).isEqualTo("pcieport (null)");
        vfio.openDevice(SECOND).close();
        binding.close();
        assertThat(state(FIRST)).isEqualTo("e1000 (null)");
        assertThat(state(SECOND)).isEqualTo("nvme (null)");
        assertThat(state(THIRD)).isEqualTo("- something");
        machine.unbind(FIRST);
        binding.close(); // the second time it does nothing
        assertThat(state(FIRST)).isEqualTo("- (null)");
    }

    @ParameterizedTest
    @EnumSource
    void aMemberThatTheHostHasIsTakenOnlyIfItIsNamed(Contract contract) throws Exception {
        List<String> writes = new ArrayList<>();
        Vfio careful = machine.startProcess().open(contract, (call, _, _) -> {
            if (call.equals("sysfs_write")) {
                writes.add(call);
            }
            return CallFilter.PASS;
        });
        for (PciAddress named : List.of(FIRST, THIRD)) {
            RuleViolation e = catchThrowableOfType(
                    RuleViolation.class, () -> careful.binder().bind(named, SOON));
            assertThat(e.rule()).contains(Rule.BIND_WHOLE_GROUP);
            assertThat(e).hasMessageContaining(SECOND + " (nvme)").hasMessageContaining("name them all");
            assertThat(e.getMessage().contains(FIRST + " (e1000)")).isEqualTo(named.equals(THIRD));
        }
        assertThat(writes).isEmpty();
        assertThat(state(FIRST)).isEqualTo("e1000 (null)");
        assertThat(state(SECOND)).isEqualTo("nvme (null)");
        assertThat(state(THIRD)).isEqualTo("- (null)");
        careful.binder().bind(List.of(THIRD, SECOND, FIRST, THIRD), SOON).close();
        assertThat(writes).isNotEmpty();
        assertThatIllegalArgumentException().isThrownBy(() -> careful.binder().bind(List.of(), SOON));
    }

    @Test
    void aDriverIsRestoredAlthoughTheOverrideNamedAnother() throws Exception {
        sysfs.write(DEVICES + FIRST + "/driver_override", "vfio-pci"); // takes effect at the next bind only
        vfio.binder().bind(BOTH, SOON).close();
        assertThat(state(FIRST)).isEqualTo("e1000 vfio-pci");
        assertThat(state(SECOND)).isEqualTo("nvme (null)");
    }

    @Test
    void aMemberThatAStubHasIsLeftAlone() throws Exception {
        machine.bind(THIRD, "pci-stub");
        try (Binding binding = vfio.binder().bind(BOTH, SOON)) {
            assertThat(binding.devices()).containsExactly(FIRST, SECOND);
            assertThat(state(THIRD)).isEqualTo("pci-stub (null)");
            vfio.openDevice(FIRST).close();
        }
        assertThat(state(THIRD)).isEqualTo("pci-stub (null)");
    }

    @Test
    void whatIsBoundAlreadyStaysBound() throws Exception {
        try (Binding binding = vfio.binder().bind(ALONE, SOON)) {
            assertThat(state(ALONE)).isEqualTo("vfio-pci vfio-pci");
            assertThat(binding.devices()).containsExactly(ALONE);
        }
        assertThat(state(ALONE)).isEqualTo("vfio-pci (null)");
    }

    @Test
    void aBridgeAndAFunctionWithoutIommuAreRefusedBeforeAnythingChanges() throws Exception {
        RuleViolation bridge =
                catchThrowableOfType(RuleViolation.class, () -> vfio.binder().bind(BRIDGE, SOON));
        assertThat(bridge.rule()).contains(Rule.BIND_NO_BRIDGE);
        RuleViolation open =
                catchThrowableOfType(RuleViolation.class, () -> vfio.binder().bind(NOT_ISOLATED, SOON));
        assertThat(open.rule()).contains(Rule.BIND_ISOLATED);
        assertThat(state(BRIDGE)).isEqualTo("pcieport (null)");
        assertThat(state(NOT_ISOLATED)).isEqualTo("e1000 (null)");
    }

    @Test
    void aDeviceThatThisProgramHasOpenIsNotUnboundByIt() throws Exception {
        Binding binding = vfio.binder().bind(BOTH, SOON);
        try (Device device = vfio.openDevice(FIRST)) {
            RuleViolation e = catchThrowableOfType(RuleViolation.class, binding::close);
            assertThat(e.rule()).contains(Rule.UNBIND_NOT_OPEN_HERE);
            assertThat(catchThrowableOfType(
                                    RuleViolation.class, () -> vfio.binder().giveBack(FIRST))
                            .rule())
                    .contains(Rule.UNBIND_NOT_OPEN_HERE);
            assertThat(state(FIRST)).isEqualTo("vfio-pci vfio-pci");
            assertThat(device.info().pci()).isTrue();
        }
        binding.close();
        assertThat(state(FIRST)).isEqualTo("e1000 (null)");
    }

    @Test
    void aFailureInTheMiddleRestoresWhatWasDone() throws Exception {
        for (int failing = 0; ; failing++) {
            int[] left = {failing};
            SimProcess process = machine.startProcess();
            Vfio failingVfio = process.open(
                    Contract.STRICT,
                    (call, _, _) -> call.equals("sysfs_write") && left[0]-- == 0 ? EIO : CallFilter.PASS);
            VfioException e = null;
            Binding binding = null;
            try {
                binding = failingVfio.binder().bind(BOTH, SOON);
                binding.close();
            } catch (VfioException refused) {
                e = refused;
                if (binding != null) {
                    binding.close(); // does what is left
                }
            }
            process.kill();
            assertThat(state(FIRST)).as("write %d failed", failing).startsWith("e1000");
            assertThat(state(SECOND)).startsWith("nvme");
            assertThat(state(THIRD)).startsWith("-");
            if (left[0] >= 0) {
                assertThat(e).isNull(); // no write was left to fail
                break;
            }
            assertThat(e).as("write %d failed", failing).isNotNull();
        }
    }

    @Test
    void aFunctionIsGivenBackToItsHostDriver() throws Exception {
        vfio.binder().bind(BOTH, SOON);
        assertThat(vfio.binder().giveBack(FIRST)).contains("e1000");
        assertThat(vfio.binder().giveBack(THIRD)).isEmpty();
        VfioException e =
                catchThrowableOfType(VfioException.class, () -> vfio.binder().giveBack(FIRST));
        assertThat(e.errno().number()).isEqualTo(ENODEV);
        assertThat(vfio.pciDevices()).extracting(PciDevice::address).contains(FIRST);
    }

    @Test
    void aFunctionThatIsNotGivenBackStaysBound() throws Exception {
        Binding binding = vfio.binder().bind(BOTH, SOON);
        for (int failing = 1; failing <= 3; failing++) { // unbind, driver_override, drivers_probe
            int[] left = {failing};
            Vfio failingVfio = machine.startProcess().open(
                    Contract.STRICT,
                    (call, _, _) -> call.equals("sysfs_write") && --left[0] == 0 ? EIO : CallFilter.PASS);
            VfioException e =
                    catchThrowableOfType(VfioException.class, () -> failingVfio.binder().giveBack(FIRST));
            assertThat(e).as("write %d failed", failing).isNotNull();
            assertThat(e.getSuppressed()).isEmpty();
            assertThat(state(FIRST)).as("write %d failed", failing).isEqualTo("vfio-pci vfio-pci");
        }
        try (Device device = vfio.openDevice(SECOND)) {
            VfioException e =
                    catchThrowableOfType(VfioException.class, () -> vfio.binder().giveBack(FIRST));
            assertThat(e.operation()).isEqualTo(Operation.DRIVERS_PROBE);
            assertThat(e.errno().number()).isEqualTo(EINVAL);
            assertThat(state(FIRST)).isEqualTo("vfio-pci vfio-pci");
            assertThat(device.info().pci()).isTrue();
        }
        assertThat(vfio.binder().giveBack(FIRST)).contains("e1000");
        binding.close();
    }

    @Test
    void theNodeIsWaitedForUntilTheDeadline() throws Exception {
        int[] looks = {0};
        Vfio late = machine.startProcess().open(
                Contract.STRICT, (call, _, _) -> call.equals("access") && ++looks[0] <= 3 ? EACCES : CallFilter.PASS);
        late.binder().bind(BOTH, SOON).close();
        assertThat(looks[0]).isEqualTo(4);
        Vfio never = machine.startProcess().open(
                Contract.STRICT, (call, _, _) -> call.equals("access") ? EACCES : CallFilter.PASS);
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> never.binder().bind(BOTH, Duration.ofMillis(20)));
        assertThat(e.operation()).isEqualTo(Operation.OPEN_GROUP);
        assertThat(e).hasMessageContaining("members of group 9");
        assertThat(e.getSuppressed()).isEmpty();
        assertThat(state(FIRST)).isEqualTo("e1000 (null)");
    }

    @Test
    void anInterruptEndsTheWaitForTheNode() throws Exception {
        int[] looks = {0};
        Vfio never = machine.startProcess().open(
                Contract.STRICT, (call, _, _) -> call.equals("access") && ++looks[0] > 0 ? ENOENT : CallFilter.PASS);
        Thread.currentThread().interrupt();
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> never.binder().bind(BOTH, Duration.ofDays(1)));
        assertThat(Thread.interrupted()).isTrue();
        assertThat(e.operation()).isEqualTo(Operation.OPEN_GROUP);
        assertThat(e.errno().number()).isEqualTo(EINTR);
        assertThat(e.getSuppressed()).isEmpty();
        assertThat(looks[0]).isEqualTo(1);
        assertThat(state(FIRST)).isEqualTo("e1000 (null)");
    }

    @Test
    void theNodeIsNotOpenedToLookWhetherItCanBe() throws Exception {
        List<String> calls = new ArrayList<>();
        Vfio watched = machine.startProcess().open(Contract.STRICT, (call, _, _) -> {
            calls.add(call);
            return CallFilter.PASS;
        });
        watched.binder().bind(BOTH, SOON).close();
        assertThat(calls).contains("access").doesNotContain("open");
    }

    @Test
    void onlyRootBinds() throws Exception {
        Vfio poor = machine.startUnprivilegedProcess().open();
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> poor.binder().bind(BOTH, SOON));
        assertThat(e.operation()).isEqualTo(Operation.BINDING_NOTE);
        assertThat(e.errno().number()).isEqualTo(EACCES);
        assertThat(e).hasMessageContaining("bind as root");
        VfioException kept =
                catchThrowableOfType(VfioException.class, () -> poor.binder().giveBack(ALONE));
        assertThat(kept.operation()).isEqualTo(Operation.DRIVER_UNBIND);
        assertThat(kept).hasMessageContaining("unbind as root");
        assertThat(state(FIRST)).isEqualTo("e1000 (null)");
    }
}
