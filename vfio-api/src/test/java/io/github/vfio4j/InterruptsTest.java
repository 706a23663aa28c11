package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** What is asked of the kernel for interrupts, and what is not. */
class InterruptsTest {
    private final FakeKernel kernel = new FakeKernel();
    private final Vfio vfio = Vfio.on(kernel, Contract.STRICT);
    private final Device device;

    InterruptsTest() {
        kernel.deviceInfo = new DeviceInfo(DeviceInfo.Bus.PCI, true, 9, 5, List.of());
        kernel.irqInfo = index -> switch (PciIrq.values()[index]) {
            case INTX -> new IrqInfo(index, 1, true, true, true, false);
            case MSI -> new IrqInfo(index, 8, true, false, false, true);
            case MSIX -> new IrqInfo(index, 16, true, false, false, false);
            case ERR -> new IrqInfo(index, 0, true, false, false, true);
            case REQ -> new IrqInfo(index, 1, true, false, false, true);
        };
        Container container = vfio.openContainer();
        Group group = vfio.openGroup(4);
        container.attach(group);
        device = container.setIommu(IommuType.TYPE1_V2).openDevice(group, FakeKernel.ADDRESS);
        kernel.newCalls();
    }

    /** Checks that a rule refuses the call before the kernel hears of it. */
    private void assertRefused(Rule rule, ThrowingCallable call) {
        kernel.newCalls();
        RuleViolation violation = catchThrowableOfType(RuleViolation.class, call);
        assertThat(violation).as("a refusal by %s", rule.id()).isNotNull();
        assertThat(violation.rule()).contains(rule);
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void aSubsetIsEnabledWithAnEventForEachAndDisabledWithACountOfZero() {
        Interrupts msix = device.irq(PciIrq.MSIX).enable(2, 2);
        assertThat(kernel.newCalls())
                .containsExactly("open event", "open event", "TRIGGER irq 2: 2 [event, event]");
        msix.close();
        assertThat(kernel.newCalls()).containsExactly("TRIGGER irq 2: 0+0", "close event", "close event");
        msix.close();
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void theCloseOfTheDeviceDisablesInterruptsBeforeItUnmapsAndClosesTheFile() {
        kernel.irqInfo = index -> new IrqInfo(index, 1, true, false, false, true);
        device.region(0).map();
        device.irq(PciIrq.REQ).enable();
        device.irq(PciIrq.MSI).enable();
        kernel.newCalls();
        device.close();
        assertThat(kernel.newCalls())
                .containsExactly(
                        "TRIGGER irq 1: 0+0",
                        "close event",
                        "TRIGGER irq 4: 0+0",
                        "close event",
                        "unmap bar",
                        "close device");
    }

    @Test
    void aRefusalToDisableIsReportedAndKeepsNothingOpen() {
        device.irq(PciIrq.MSIX).enable(0, 2);
        kernel.newCalls();
        kernel.failures.put(Operation.DEVICE_SET_IRQS, Errno.EIO);
        VfioException e = catchThrowableOfType(VfioException.class, device::close);
        assertThat(e.errno()).isEqualTo(Errno.EIO);
        assertThat(kernel.newCalls()).containsExactly(
                        "TRIGGER irq 2: 0+0",
                        "close event",
                        "close event",
                        "TRIGGER irq 4: 0+0", // the library's own watch
                        "close event",
                        "close device");
    }

    @Test
    void aPositiveAnswerIsAFailureThatCarriesTheNumber() {
        kernel.vectorsAvailable = 1;
        Irq msi = device.irq(PciIrq.MSI);
        TooFewVectors e = catchThrowableOfType(TooFewVectors.class, () -> msi.enable(0, 2));
        assertThat(e.available()).isEqualTo(1);
        assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
        assertThat(e.rule()).contains(Rule.SET_IRQS_VECTORS);
        assertThat(e).hasMessageContaining("MSI has 1 of the 2 vectors").hasMessageContaining("interrupt remapping");
        assertThat(kernel.newCalls()).containsSubsequence("TRIGGER irq 1: 0 [event, event]", "close event", "close event");
        kernel.vectorsAvailable = 0;
        msi.enable(0, 1).close(); // nothing was enabled
    }

    @Test
    void aRefusalToEnableClosesTheEventsAndLeavesTheIndexDisabled() {
        kernel.failures.put(Operation.DEVICE_SET_IRQS, Errno.ENOSPC);
        assertThatExceptionOfType(VfioException.class).isThrownBy(() -> device.irq(PciIrq.MSIX).enable(0, 2));
        assertThat(kernel.newCalls()).endsWith("TRIGGER irq 2: 0 [event, event]", "close event", "close event");
        kernel.failures.clear();
        device.irq(PciIrq.MSI).enable(0, 1);
    }

    @Test
    void whenTheProcessHasNoMoreDescriptorsNothingIsEnabled() {
        kernel.eventsLeft = 2;
        VfioException e =
                catchThrowableOfType(VfioException.class, () -> device.irq(PciIrq.MSIX).enable(0, 3));
        assertThat(e.errno()).isEqualTo(Errno.EMFILE);
        assertThat(kernel.newCalls()).containsExactly("open event", "open event", "close event", "close event");
    }

    @Test
    void interruptsThatTheIndexLacksAreRefused() {
        assertRefused(Rule.SET_IRQS_RANGE, () -> device.irq(PciIrq.MSIX).enable(0, 17));
        assertRefused(Rule.SET_IRQS_RANGE, () -> device.irq(PciIrq.MSIX).enable(16, 1));
        assertRefused(Rule.SET_IRQS_RANGE, () -> device.irq(PciIrq.MSIX).enable(-1, 1));
        assertRefused(Rule.SET_IRQS_RANGE, () -> device.irq(PciIrq.MSIX).enable(2, Integer.MAX_VALUE));
        assertRefused(Rule.SET_IRQS_RANGE, () -> device.irq(PciIrq.ERR).enable());
        assertThatIllegalArgumentException().isThrownBy(() -> device.irq(PciIrq.MSIX).enable(0, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> device.irq(PciIrq.MSIX).enable(0, -1));
    }

    @Test
    void oneOfIntxMsiAndMsixIsEnabledAtATime() {
        Interrupts msi = device.irq(PciIrq.MSI).enable();
        assertRefused(Rule.SET_IRQS_EXCLUSIVE, () -> device.irq(PciIrq.MSIX).enable(0, 1));
        assertRefused(Rule.SET_IRQS_EXCLUSIVE, () -> device.irq(PciIrq.INTX).enable());
        device.irq(PciIrq.REQ).enable();
        msi.close();
        device.irq(PciIrq.INTX).enable();
        assertRefused(Rule.SET_IRQS_EXCLUSIVE, () -> device.irq(PciIrq.MSI).enable());
    }

    @Test
    void anIndexIsEnabledOnce() {
        device.irq(PciIrq.MSIX).enable(0, 1);
        assertThatIllegalStateException().isThrownBy(() -> device.irq(PciIrq.MSIX).enable(1, 1));
    }

    @Test
    void vectorsAreAddedWhereTheIndexCanGrow() {
        Interrupts msix = device.irq(PciIrq.MSIX).enable(0, 2);
        kernel.newCalls();
        msix.add(5, 1);
        assertThat(kernel.newCalls()).containsExactly("open event", "TRIGGER irq 2: 5 [event]");
        assertThat(msix.get(5).number()).isEqualTo(5);
        assertThatIllegalArgumentException().isThrownBy(() -> msix.add(1, 2));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> msix.get(2));
        assertRefused(Rule.SET_IRQS_RANGE, () -> msix.add(15, 2));
        msix.close();
        assertRefused(Rule.SET_IRQS_ENABLED, () -> msix.add(2, 1));
    }

    @Test
    void vectorsAreAddedToAnIndexThatCannotGrowOnlyWithinThoseItGot() {
        Interrupts msi = device.irq(PciIrq.MSI).enable(2, 2); // the kernel allocates 0 to 3
        assertRefused(Rule.SET_IRQS_RESIZE, () -> msi.add(4, 1));
        msi.add(0, 2);
        assertThat(msi.get(0).number()).isZero();
    }

    @Test
    void aRefusedAdditionKeepsWhatWasEnabled() {
        Interrupts msix = device.irq(PciIrq.MSIX).enable(0, 1);
        kernel.failures.put(Operation.DEVICE_SET_IRQS, Errno.ENOSPC);
        assertThatExceptionOfType(VfioException.class).isThrownBy(() -> msix.add(1, 1));
        kernel.failures.clear();
        msix.get(0).trigger();
        msix.add(1, 1);
    }

    @Test
    void triggeringNamesOneInterruptOrChoosesSeveral() {
        Interrupts msix = device.irq(PciIrq.MSIX).enable(1, 3);
        kernel.newCalls();
        msix.get(2).trigger();
        msix.trigger(1, true, false, true);
        assertThat(kernel.newCalls()).containsExactly("TRIGGER irq 2: 2+1", "TRIGGER irq 2: 1 [true, false, true]");
        msix.trigger(1); // a count of 0 would disable the index
        assertThat(kernel.newCalls()).isEmpty();
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> msix.trigger(0, true));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> msix.trigger(3, true, true));
    }

    @Test
    void onlyAMaskableIndexIsMasked() {
        Interrupt vector = device.irq(PciIrq.MSI).enable().get(0);
        assertRefused(Rule.SET_IRQS_ACTION, vector::mask);
        assertRefused(Rule.SET_IRQS_ACTION, vector::unmask);
        assertRefused(Rule.SET_IRQS_ACTION, vector::unmaskEvent);
        vector.interrupts().close();
        Interrupt line = device.irq(PciIrq.INTX).enable().get(0);
        kernel.newCalls();
        line.mask();
        line.unmask();
        assertThat(kernel.newCalls()).containsExactly("MASK irq 0: 0+1", "UNMASK irq 0: 0+1");
    }

    @Test
    void anInterruptHasOneUnmaskEvent() {
        Interrupt line = device.irq(PciIrq.INTX).enable().get(0);
        kernel.newCalls();
        UnmaskEvent event = line.unmaskEvent();
        assertThat(kernel.newCalls()).containsExactly("open event", "UNMASK irq 0: 0 [event]");
        assertRefused(Rule.SET_IRQS_UNMASK_EVENT, line::unmaskEvent);
        event.close();
        event.close();
        assertThat(kernel.newCalls()).containsExactly("UNMASK irq 0: 0 [null]", "close event");
        UnmaskEvent next = line.unmaskEvent();
        line.interrupts().close();
        assertThat(kernel.newCalls()).containsSubsequence("TRIGGER irq 0: 0+0", "close event", "close event");
        next.close();
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void aRefusedUnmaskEventIsClosed() {
        Interrupt line = device.irq(PciIrq.INTX).enable().get(0);
        kernel.newCalls();
        kernel.failures.put(Operation.DEVICE_SET_IRQS, Errno.EBUSY);
        assertThatExceptionOfType(VfioException.class).isThrownBy(line::unmaskEvent);
        assertThat(kernel.newCalls()).containsExactly("open event", "UNMASK irq 0: 0 [event]", "close event");
    }

    @Test
    void closedInterruptsDoNothing() {
        Interrupts intx = device.irq(PciIrq.INTX).enable();
        Interrupt line = intx.get(0);
        intx.close();
        assertRefused(Rule.SET_IRQS_ENABLED, line::trigger);
        assertRefused(Rule.SET_IRQS_ENABLED, line::mask);
        assertRefused(Rule.SET_IRQS_ENABLED, line::unmaskEvent);
        assertRefused(Rule.SET_IRQS_ENABLED, () -> intx.trigger(0, true));
        assertRefused(Rule.HANDLE_OPEN, line::poll);
        assertRefused(Rule.HANDLE_OPEN, () -> line.onInterrupt((_, _) -> {}));
        device.irq(PciIrq.INTX).enable();
        assertRefused(Rule.SET_IRQS_ENABLED, line::trigger); // what is enabled now is another's
        device.close();
        assertRefused(Rule.HANDLE_OPEN, line::trigger);
        assertRefused(Rule.HANDLE_OPEN, () -> device.irq(PciIrq.INTX));
    }

    @Test
    void anIndexOfADeviceThatIsNotPciHasNoRival() {
        kernel.deviceInfo = new DeviceInfo(DeviceInfo.Bus.OTHER, true, 1, 3, List.of());
        kernel.irqInfo = index -> new IrqInfo(index, 1, true, true, false, true);
        try (Vfio other = Vfio.on(kernel, Contract.STRICT)) {
            Container container = other.openContainer();
            Group group = other.openGroup(5);
            container.attach(group);
            Device platform = container.setIommu(IommuType.TYPE1_V2).openDevice(group, FakeKernel.ADDRESS);
            platform.irq(0).enable();
            platform.irq(1).enable();
            assertThat(platform.irq(1)).hasToString("0000:00:04.0 interrupt index 1");
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> platform.irq(PciIrq.MSIX));
        }
    }

    @Test
    void namesAreThoseOfPci() {
        assertThat(device.irq(PciIrq.MSIX).enable(0, 4).get(3)).hasToString("0000:00:04.0 MSI-X 3");
    }
}
