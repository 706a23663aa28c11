package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Container;
import io.github.vfio4j.Contract;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.KvmVm;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * The documents' kernel under both contracts: what STRICT refuses before the call is what that kernel answers under
 * KERNEL, with the same errno.
 */
class DocumentsTest {
    private static final PciAddress DEVICE = PciAddress.parse("0000:01:00.0");
    private static final PciAddress SIBLING = PciAddress.parse("0000:01:00.1");

    private final SimMachine machine = SimMachine.builder()
            .kernel(KernelProfile.DOCUMENTS)
            .device(DEVICE, new TestModel(), 26, SimMachine.VFIO_PCI)
            .device(SIBLING, new TestModel(), 26, SimMachine.VFIO_PCI)
            .build();
    private final SimProcess process = machine.startProcess();

    @AfterEach
    void nothingIsLeft() {
        assertThat(machine.leaks()).isEmpty();
        machine.close();
    }

    private void refused(Contract contract, Rule rule, Operation kernels, ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e).as("%s under %s", rule, contract).isNotNull();
        assertThat(e.errno()).isEqualTo(rule.errno());
        if (contract == Contract.STRICT) {
            assertThat(e).isInstanceOf(RuleViolation.class);
            assertThat(e.rule()).contains(rule);
        } else {
            assertThat(e).isNotInstanceOf(RuleViolation.class);
            assertThat(e.operation()).isEqualTo(kernels);
        }
    }

    @Test
    void anExternalUserNeedsProtectionAndKeepsIt() {
        for (Contract contract : Contract.values()) {
            try (Vfio vfio = process.open(contract)) {
                KvmVm vm = vfio.openKvmVm();
                Container container = vfio.openContainer();
                Group group = vfio.openGroup(26);
                refused(contract, Rule.EXTERNAL_NEEDS_CONTAINER, Operation.KVM_FILE_ADD, () -> vm.add(group));
                container.attach(group);
                refused(contract, Rule.EXTERNAL_NEEDS_IOMMU, Operation.KVM_FILE_ADD, () -> vm.add(group));
                container.setIommu(IommuType.TYPE1_V2);
                vm.add(group);
                refused(
                        contract,
                        Rule.UNSET_EXTERNAL_USER,
                        Operation.GROUP_UNSET_CONTAINER,
                        () -> container.detach(group));
                vm.close();
                container.detach(group);
            }
        }
    }

    @Test
    void aHostDriverInTheGroupKeepsItFromUse() {
        machine.unbind(SIBLING);
        machine.bind(SIBLING, "e1000");
        for (Contract contract : Contract.values()) {
            try (Vfio vfio = process.open(contract)) {
                KvmVm vm = vfio.openKvmVm();
                Container container = vfio.openContainer();
                Group group = vfio.openGroup(26);
                container.attach(group); // as the documents have it; Linux refuses here
                Type1 iommu = container.setIommu(IommuType.TYPE1_V2);
                refused(contract, Rule.EXTERNAL_VIABLE, Operation.KVM_FILE_ADD, () -> vm.add(group));
                refused(
                        contract,
                        Rule.DEVICE_VIABLE,
                        Operation.GROUP_GET_DEVICE_FD,
                        () -> iommu.openDevice(group, DEVICE));
            }
        }
    }

    @Test
    void theLibrarysOwnUseOfAGroupIsAllowed() {
        try (Vfio vfio = process.open()) {
            vfio.openDevice(DEVICE).close();
            try (var device = vfio.openDevice(DEVICE)) {
                assertThat(device.info().pci()).isTrue();
            }
            VfioException e = catchThrowableOfType(
                    VfioException.class, () -> vfio.openDevice(PciAddress.parse("0000:07:00.0")));
            assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        }
    }
}
