package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Binding;
import io.github.vfio4j.Contract;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.ffm.port.SysFs;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Binding where a write fails, or two, or the machine is not made for it. */
@Timeout(60)
class BindingFailureTest {
    private static final PciAddress FIRST = PciAddress.parse("0000:01:00.0");
    private static final PciAddress SECOND = PciAddress.parse("0000:01:00.1");
    private static final PciAddress THIRD = PciAddress.parse("0000:01:00.2");
    private static final PciAddress BARE = PciAddress.parse("0000:02:00.0");
    private static final List<PciAddress> BOTH = List.of(FIRST, SECOND); // those with host drivers
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final int WRITES = 8; // three overrides; unbind and bind, twice; bind
    private static final String DEVICES = "/sys/bus/pci/devices/";

    private final SimMachine machine = SimMachine.builder()
            .device(FIRST, new TestModel(), 26, "e1000")
            .device(SECOND, new TestModel(), 26, "nvme")
            .device(THIRD, new TestModel(), 26, "")
            .deviceWithoutIommu(BARE, new TestModel(), "")
            .build();
    private final SimProcess process = machine.startProcess();
    private final FailingSysFs sysfs = new FailingSysFs(machine.sysfs());
    private final Vfio vfio = Vfio.on(new FfmKernel("failing", process.syscalls(), sysfs, process.notes()), Contract.STRICT);

    @AfterEach
    void nothingIsLeft() {
        vfio.close();
        machine.close();
    }

    /** Drivers and overrides of the machine. */
    private List<String> state() throws SysFs.Failure {
        List<String> found = new ArrayList<>();
        for (PciAddress address : List.of(FIRST, SECOND, THIRD)) {
            String driver = vfio.pciDevice(address).driver().orElse("-");
            found.add(driver + " " + machine.sysfs().read(DEVICES + address + "/driver_override"));
        }
        return found;
    }

    private VfioException refusalOfBind() {
        return catchThrowableOfType(VfioException.class, () -> vfio.binder().bind(BOTH, SOON));
    }

    @Test
    void whicheverWriteFailsEverythingIsAsBefore() throws Exception {
        machine.sysfs().write(DEVICES + SECOND + "/driver_override", "vfio-pci"); // restored, and in nobody's way
        List<String> before = state();
        assertThat(before).containsExactly("e1000 (null)", "nvme vfio-pci", "- (null)");
        for (int write = 1; write <= WRITES; write++) {
            sysfs.fail(write);
            VfioException e = refusalOfBind();
            assertThat(e).as("write %d", write).isNotNull();
            assertThat(e.errno()).isEqualTo(Errno.EIO);
            assertThat(e.getSuppressed()).isEmpty();
            assertThat(state()).as("after write %d failed", write).isEqualTo(before);
        }
        sysfs.fail();
        Binding binding = vfio.binder().bind(BOTH, SOON);
        assertThat(sysfs.writes).isEqualTo(WRITES);
        binding.close();
        assertThat(state()).isEqualTo(before);
    }

    @Test
    void whatCannotBeNotedIsNotChanged() throws Exception {
        List<String> before = state();
        CallFilter unwritable = (call, _, _) -> call.equals("note") ? Errno.EACCES.number() : CallFilter.PASS;
        try (Vfio unable = process.open(Contract.STRICT, unwritable)) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> unable.binder().bind(BOTH, SOON));
            assertThat(e.operation()).isEqualTo(Operation.BINDING_NOTE);
            assertThat(e.errno()).isEqualTo(Errno.EACCES);
        }
        assertThat(state()).isEqualTo(before);
    }

    @Test
    void aKilledProgramIsCleanedUpAfterWhereverItWas() throws Exception {
        List<String> before = state();
        for (int write = 1; write <= WRITES; write++) {
            int last = write;
            SimProcess killed = machine.startProcess();
            int[] writes = {0};
            CallFilter dies = (call, _, _) -> {
                if (call.equals("sysfs_write") && ++writes[0] >= last) {
                    killed.kill(); // nothing that it does from now on reaches the machine
                    return Errno.EIO.number();
                }
                return CallFilter.PASS;
            };
            Vfio lost = killed.open(Contract.STRICT, dies);
            assertThat(catchThrowableOfType(VfioException.class, () -> lost.binder().bind(BOTH, SOON))).isNotNull();
            try (Binding left = vfio.binder().abandoned()) {
                assertThat(left.devices()).as("killed at write %d", write).hasSize(Math.min(write - 1, 3));
            }
            assertThat(state()).as("killed at write %d", write).isEqualTo(before);
            assertThat(vfio.binder().abandoned().devices()).isEmpty();
        }
    }

    @Test
    void whatWasGivenBackByHandIsForgotten() throws Exception {
        SimProcess killed = machine.startProcess();
        killed.open().binder().bind(BOTH, SOON);
        killed.kill();
        for (PciAddress address : BOTH) {
            machine.unbind(address);
            machine.sysfs().write(DEVICES + address + "/driver_override", "");
        }
        try (Binding left = vfio.binder().abandoned()) {
            assertThat(left.devices()).containsExactly(THIRD);
        }
        assertThat(state()).containsExactly("- (null)", "- (null)", "- (null)");
    }

    @Test
    void ifUndoingFailsTooBothFailuresAreToldAndAllElseIsUndone() throws Exception {
        List<String> before = state();
        int undone = 0;
        for (int write = 1; write <= WRITES; write++) {
            for (int further = write + 1; ; further++) {
                sysfs.fail(write, further);
                VfioException e = refusalOfBind();
                assertThat(e).as("write %d", write).isNotNull();
                if (sysfs.writes < further) { // undoing took fewer writes
                    assertThat(e.getSuppressed()).isEmpty();
                    break;
                }
                undone++;
                assertThat(e.getSuppressed()).as("writes %d and %d", write, further).hasSize(1);
                assertThat(e.getSuppressed()[0]).isInstanceOf(VfioException.class);
                List<String> after = state();
                long wrong = 0;
                for (int i = 0; i < after.size(); i++) {
                    wrong += after.get(i).equals(before.get(i)) ? 0 : 1;
                }
                assertThat(wrong).as("devices not restored after %d and %d: %s", write, further, after).isOne();
                putRight();
                assertThat(state()).isEqualTo(before);
            }
        }
        assertThat(undone).as("failures of undoing").isGreaterThan(WRITES);
    }

    /** Does by hand what undoing could not. */
    private void putRight() throws SysFs.Failure {
        Map<PciAddress, String> drivers = Map.of(FIRST, "e1000", SECOND, "nvme", THIRD, "");
        for (Map.Entry<PciAddress, String> wanted : drivers.entrySet()) {
            String driver = vfio.pciDevice(wanted.getKey()).driver().orElse("");
            if (!driver.isEmpty() && !driver.equals(wanted.getValue())) {
                machine.sysfs().write("/sys/bus/pci/drivers/" + driver + "/unbind", wanted.getKey().toString());
                driver = "";
            }
            machine.sysfs().write(DEVICES + wanted.getKey() + "/driver_override", "\n");
            if (!driver.equals(wanted.getValue())) {
                machine.sysfs()
                        .write("/sys/bus/pci/drivers/" + wanted.getValue() + "/bind", wanted.getKey().toString());
            }
        }
    }

    @Test
    void closingIsRepeatedUntilItIsDoneWhicheverWriteFailed() throws Exception {
        List<String> before = state();
        for (int write = 1; ; write++) {
            sysfs.fail();
            Binding binding = vfio.binder().bind(BOTH, SOON);
            sysfs.fail(write);
            VfioException e = catchThrowableOfType(VfioException.class, binding::close);
            if (e == null) { // no write was left to fail
                assertThat(write).isEqualTo(sysfs.writes + 1);
                assertThat(write).isGreaterThan(WRITES);
                break;
            }
            assertThat(e.errno()).isEqualTo(Errno.EIO);
            assertThat(state()).as("after write %d failed", write).isNotEqualTo(before);
            sysfs.fail(1);
            assertThat(catchThrowableOfType(VfioException.class, binding::close)).isNotNull();
            sysfs.fail();
            binding.close();
            assertThat(state()).as("after write %d failed, and the first of the next try", write).isEqualTo(before);
        }
    }

    @Test
    void aMachineWithoutVfioPciIsLeftAsItIs() throws Exception {
        sysfs.hidden = "/sys/bus/pci/drivers/vfio-pci";
        assertRefused(Rule.BIND_DRIVER_LOADED);
    }

    @Test
    void aFunctionThatHasVirtualFunctionsKeepsItsDriver() throws Exception {
        sysfs.texts.put(DEVICES + SECOND + "/sriov_numvfs", "0");
        sysfs.texts.put(DEVICES + FIRST + "/sriov_numvfs", "2");
        assertRefused(Rule.BIND_NO_VIRTUAL_FUNCTIONS);
    }

    @Test
    void aBridgeIsRefusedAsABridgeWhateverElseItHas() throws Exception {
        sysfs.texts.put(DEVICES + FIRST + "/class", "0x060400");
        sysfs.texts.put(DEVICES + FIRST + "/sriov_numvfs", "2");
        assertRefused(Rule.BIND_NO_BRIDGE);
    }

    @Test
    void virtualFunctionsAreFoundBeforeALackingIommu() {
        sysfs.texts.put(DEVICES + BARE + "/sriov_numvfs", "2");
        RuleViolation e =
                catchThrowableOfType(RuleViolation.class, () -> vfio.binder().bind(BARE, SOON));
        assertThat(e.rule()).contains(Rule.BIND_NO_VIRTUAL_FUNCTIONS);
    }

    private void assertRefused(Rule rule) throws SysFs.Failure {
        List<String> before = state();
        RuleViolation e =
                catchThrowableOfType(RuleViolation.class, () -> vfio.binder().bind(BOTH, SOON));
        assertThat(e.rule()).contains(rule);
        assertThat(sysfs.writes).isZero();
        assertThat(state()).isEqualTo(before);
    }

    /** A tree whose writes fail where a test says so, and that shows what a test says. */
    private static final class FailingSysFs implements SysFs {
        private final SysFs tree;
        private final Set<Integer> failing = new HashSet<>();
        private final Map<String, String> texts = new HashMap<>();
        private String hidden = "";
        private int writes;

        FailingSysFs(SysFs tree) {
            this.tree = tree;
        }

        /** Counts from 1 again and fails the writes of these numbers. */
        void fail(Integer... numbers) {
            writes = 0;
            failing.clear();
            failing.addAll(List.of(numbers));
        }

        @Override
        public String read(String path) throws Failure {
            return texts.containsKey(path) ? texts.get(path) : tree.read(path);
        }

        @Override
        public List<String> list(String path) throws Failure {
            if (path.equals(hidden)) {
                throw new Failure(Errno.ENOENT.number(), path);
            }
            return tree.list(path);
        }

        @Override
        public String readLink(String path) throws Failure {
            return tree.readLink(path);
        }

        @Override
        public void write(String path, String text) throws Failure {
            if (failing.contains(++writes)) {
                throw new Failure(Errno.EIO.number(), path);
            }
            tree.write(path, text);
        }
    }
}
