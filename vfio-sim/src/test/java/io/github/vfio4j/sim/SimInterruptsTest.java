package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** VFIO_DEVICE_SET_IRQS, and what the device's interrupts then do. */
class SimInterruptsTest {
    private static final PciAddress DEVICE = PciAddress.parse("0000:01:00.0");
    private static final int NONE = 1;
    private static final int BOOL = 2;
    private static final int EVENTFD = 4;
    private static final int MASK = 8;
    private static final int UNMASK = 16;
    private static final int TRIGGER = 32;
    private static final int INTX = 0;
    private static final int MSI = 1;
    private static final int MSIX = 2;
    private static final int ERR = 3;
    private static final int REQ = 4;

    private TestModel model;
    private RawProcess p;
    private int device;

    SimInterruptsTest() {
        use(SimMachine.builder());
    }

    private void use(SimMachine.Builder builder) {
        model = new TestModel(4, 8);
        p = RawProcess.on(builder.device(DEVICE, model).build());
        device = p.openDevice(0, DEVICE.toString()).device();
        p.command(device, 6);
    }

    private int setIrqs(int flags, int index, int start, int count, int... data) {
        MemorySegment set = p.memory(20 + 4L * data.length);
        set.set(INT, 0, 20 + 4 * data.length);
        set.set(INT, 4, flags);
        set.set(INT, 8, index);
        set.set(INT, 12, start);
        set.set(INT, 16, count);
        for (int i = 0; i < data.length; i++) {
            set.set(INT, 20 + 4L * i, data[i]);
        }
        return p.ioctl(device, DEVICE_SET_IRQS, set);
    }

    private int eventfd() {
        return check(p.eventfd(0, Syscalls.EFD_NONBLOCK));
    }

    private int enable(int index, int... fds) {
        return setIrqs(EVENTFD | TRIGGER, index, 0, fds.length, fds);
    }

    private int disable(int index) {
        return setIrqs(NONE | TRIGGER, index, 0, 0);
    }

    // ---- the argument

    @Test
    void theArgumentIsChecked() {
        assertThat(p.ioctl(device, DEVICE_SET_IRQS, p.memory(19))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(device, DEVICE_SET_IRQS, p.ints(19, NONE | TRIGGER, MSIX, 0, 0))).isEqualTo(-EINVAL);
        assertThat(setIrqs(64 | NONE | TRIGGER, MSIX, 0, 0)).isEqualTo(-EINVAL);
        assertThat(setIrqs(NONE | TRIGGER, 5, 0, 0)).isEqualTo(-EINVAL);
        assertThat(setIrqs(NONE | TRIGGER, MSIX, 4, 0)).isEqualTo(-EINVAL);
        assertThat(setIrqs(NONE | TRIGGER, MSIX, 1, 4)).isEqualTo(-EINVAL);
        assertThat(setIrqs(NONE | TRIGGER, MSIX, 2, -2)).isEqualTo(-EINVAL); // start + count overflows
        assertThat(setIrqs(TRIGGER, MSIX, 0, 0)).isEqualTo(-EINVAL); // no kind of data
        assertThat(setIrqs(NONE | BOOL | TRIGGER, MSIX, 0, 1, 0)).isEqualTo(-EINVAL);
        assertThat(setIrqs(EVENTFD | TRIGGER, MSIX, 0, 2, 0)).isEqualTo(-EINVAL); // data for one
    }

    @Test
    void dataThatIsNotThereIsEfault() {
        MemorySegment set = p.ints(28, EVENTFD | TRIGGER, MSIX, 0, 2, eventfd());
        assertThat(p.ioctl(device, DEVICE_SET_IRQS, set)).isEqualTo(-EFAULT);
    }

    @Test
    void anIndexWithoutVectorsCannotBeUsed() {
        assertThat(disable(INTX)).isEqualTo(-EINVAL);
        assertThat(disable(ERR)).isEqualTo(-EINVAL);
    }

    @Test
    void actionsThatAnIndexLacksAreEnotty() {
        assertThat(setIrqs(NONE, MSIX, 0, 1)).isEqualTo(-ENOTTY);
        assertThat(setIrqs(NONE | MASK, MSIX, 0, 1)).isEqualTo(-ENOTTY);
        assertThat(setIrqs(NONE | UNMASK, MSI, 0, 1)).isEqualTo(-ENOTTY);
        assertThat(setIrqs(NONE | MASK, REQ, 0, 1)).isEqualTo(-ENOTTY);
        assertThat(setIrqs(NONE | MASK | TRIGGER, MSIX, 0, 1)).isEqualTo(-ENOTTY);
    }

    // ---- MSI-X and MSI

    @Test
    void anEnabledVectorSignalsItsEventfd() {
        int first = eventfd();
        int second = eventfd();
        assertThat(enable(MSIX, first, second)).isZero();
        model.bus.raise(1);
        model.bus.raise(1);
        assertThat(p.readEventFd(second)).isEqualTo(2);
        assertThat(p.readEventFd(first)).isEqualTo(-EAGAIN);
    }

    @Test
    void vectorsThatAreNotEnabledDoNothing() {
        model.bus.raise(0);
        int fd = eventfd();
        assertThat(enable(MSIX, -1, fd)).isZero();
        model.bus.raise(0);
        model.bus.raise(3);
        model.bus.raise(4);
        model.bus.raise(-1);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
    }

    @Test
    void withoutBusMasteringNoMessageLeavesTheDevice() {
        int fd = eventfd();
        enable(MSIX, fd);
        p.command(device, 2);
        model.bus.raise(0);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
    }

    @Test
    void aDisabledIndexSignalsNoMore() {
        int fd = eventfd();
        enable(MSI, fd);
        assertThat(disable(MSI)).isZero();
        model.bus.raise(0);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
        assertThat(disable(MSI)).isEqualTo(-EINVAL); // it is off
    }

    @Test
    void oneIndexIsOnAtATime() {
        enable(MSIX, eventfd());
        assertThat(enable(MSI, eventfd())).isEqualTo(-EINVAL);
        assertThat(disable(MSI)).isEqualTo(-EINVAL);
        assertThat(disable(MSIX)).isZero();
        assertThat(enable(MSI, eventfd())).isZero();
    }

    @Test
    void configurationSpaceShowsWhatIsOn() {
        MemorySegment flags = p.memory(2);
        long msix = (7L << 40) + 0x40 + 2;
        enable(MSIX, eventfd());
        p.pread(device, flags, msix);
        assertThat(flags.get(SHORT, 0) & 0x8000).isNotZero();
        disable(MSIX);
        p.pread(device, flags, msix);
        assertThat(flags.get(SHORT, 0) & 0x8000).isZero();
    }

    @Test
    void theLoopbackTriggersVectors() {
        int first = eventfd();
        int second = eventfd();
        enable(MSIX, first, second, -1);
        assertThat(setIrqs(NONE | TRIGGER, MSIX, 0, 3)).isZero();
        assertThat(setIrqs(BOOL | TRIGGER, MSIX, 0, 2, 0x0100)).isZero(); // the second of two bytes
        assertThat(p.readEventFd(first)).isEqualTo(1);
        assertThat(p.readEventFd(second)).isEqualTo(2);
    }

    @Test
    void theLoopbackNeedsTheIndexOn() {
        assertThat(setIrqs(NONE | TRIGGER, MSIX, 0, 1)).isEqualTo(-EINVAL);
        assertThat(setIrqs(BOOL | TRIGGER, MSIX, 0, 1, 1)).isEqualTo(-EINVAL);
    }

    @ParameterizedTest
    @EnumSource
    void theLoopbackBeyondWhatIsEnabledDependsOnTheKernel(KernelProfile kernel) {
        use(SimMachine.builder().kernel(kernel));
        enable(MSIX, eventfd());
        assertThat(setIrqs(NONE | TRIGGER, MSIX, 0, 4)).isEqualTo(kernel.isBefore(KernelProfile.V6_12) ? -EINVAL : 0);
    }

    @Test
    void whatIsNoEventfdIsRefusedAndNothingIsEnabled() {
        assertThat(enable(MSIX, 99)).isEqualTo(-EBADF);
        assertThat(enable(MSIX, device)).isEqualTo(-EINVAL);
        assertThat(disable(MSIX)).isEqualTo(-EINVAL);
    }

    @Test
    void aVectorCanBeGivenAnotherEventfd() {
        int old = eventfd();
        int fresh = eventfd();
        enable(MSIX, old);
        assertThat(enable(MSIX, fresh)).isZero();
        model.bus.raise(0);
        assertThat(p.readEventFd(old)).isEqualTo(-EAGAIN);
        assertThat(p.readEventFd(fresh)).isEqualTo(1);
        assertThat(enable(MSIX, -1)).isZero();
        model.bus.raise(0);
        assertThat(p.readEventFd(fresh)).isEqualTo(-EAGAIN);
    }

    @Test
    void aFailedChangeClearsWhatItTouched() {
        int kept = eventfd();
        int touched = eventfd();
        enable(MSIX, kept, touched, -1);
        assertThat(setIrqs(EVENTFD | TRIGGER, MSIX, 1, 2, touched, 99)).isEqualTo(-EBADF);
        model.bus.raise(0);
        model.bus.raise(1);
        assertThat(p.readEventFd(kept)).isEqualTo(1);
        assertThat(p.readEventFd(touched)).isEqualTo(-EAGAIN);
    }

    @ParameterizedTest
    @EnumSource
    void msixGrowsWhileItIsOnInNewKernels(KernelProfile kernel) {
        use(SimMachine.builder().kernel(kernel));
        int late = eventfd();
        enable(MSIX, eventfd());
        boolean old = kernel.isBefore(KernelProfile.V6_12);
        assertThat(setIrqs(EVENTFD | TRIGGER, MSIX, 3, 1, late)).isEqualTo(old ? -EINVAL : 0);
        model.bus.raise(3);
        assertThat(p.readEventFd(late)).isEqualTo(old ? -EAGAIN : 1);
        assertThat(setIrqs(EVENTFD | TRIGGER, MSIX, 2, 1, -1)).isEqualTo(old ? -EINVAL : 0);
    }

    @ParameterizedTest
    @EnumSource
    void msiDoesNot(KernelProfile kernel) {
        use(SimMachine.builder().kernel(kernel));
        enable(MSI, eventfd());
        assertThat(setIrqs(EVENTFD | TRIGGER, MSI, 1, 1, eventfd())).isEqualTo(-EINVAL);
        assertThat(setIrqs(EVENTFD | TRIGGER, MSI, 1, 1, -1)).isEqualTo(kernel.isBefore(KernelProfile.V6_12) ? -EINVAL : 0);
    }

    @Test
    void noVectorsAtAllIsErange() {
        assertThat(setIrqs(EVENTFD | TRIGGER, MSIX, 0, 0)).isEqualTo(-ERANGE);
        assertThat(disable(MSIX)).isEqualTo(-EINVAL);
    }

    @Test
    void vectorsWithoutEventfdsCanBeEnabled() {
        assertThat(setIrqs(EVENTFD | TRIGGER, MSIX, 2, 0)).isZero(); // as many as the start says
        assertThat(disable(MSIX)).isZero();
    }

    @Test
    void withoutInterruptRemappingThereIsOneMsiVector() {
        use(SimMachine.builder().interruptRemapping(false).allowUnsafeInterrupts(true));
        assertThat(enable(MSI, eventfd(), eventfd())).isEqualTo(1); // how many there are; nothing was enabled
        assertThat(disable(MSI)).isEqualTo(-EINVAL);
        assertThat(enable(MSI, eventfd())).isZero();
    }

    @Test
    void anEventfdLivesOnWithItsVector() {
        int fd = eventfd();
        enable(MSIX, fd);
        p.close(fd);
        model.bus.raise(0); // nobody can see it, and nothing breaks
        assertThat(disable(MSIX)).isZero();
    }

    @Test
    void aResetKeepsInterruptsAndTheLastCloseEndsThem() {
        int fd = eventfd();
        enable(MSIX, fd);
        p.ioctl(device, DEVICE_RESET, 0);
        PciBus bus = model.bus;
        bus.raise(0);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
        p.close(device);
        bus.raise(0);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
    }

    // ---- the request interrupt

    @Test
    void theRequestInterruptIsSetTriggeredAndRemoved() {
        int fd = eventfd();
        assertThat(setIrqs(NONE | TRIGGER, REQ, 0, 1)).isEqualTo(-EINVAL); // none set
        assertThat(enable(REQ, fd)).isZero();
        assertThat(setIrqs(NONE | TRIGGER, REQ, 0, 1)).isZero();
        assertThat(setIrqs(BOOL | TRIGGER, REQ, 0, 1, 1)).isZero();
        assertThat(setIrqs(BOOL | TRIGGER, REQ, 0, 1, 0)).isZero();
        assertThat(p.readEventFd(fd)).isEqualTo(2);
        assertThat(disable(REQ)).isZero();
        assertThat(disable(REQ)).isEqualTo(-EINVAL);
        assertThat(enable(REQ, fd)).isZero();
        assertThat(enable(REQ, -1)).isZero();
        assertThat(enable(REQ, -1)).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void theRequestInterruptChecksItsArgument(KernelProfile kernel) {
        use(SimMachine.builder().kernel(kernel));
        assertThat(setIrqs(EVENTFD | TRIGGER, REQ, 0, 0)).isEqualTo(-EINVAL);
        assertThat(setIrqs(BOOL | TRIGGER, REQ, 0, 0)).isEqualTo(-EINVAL);
        assertThat(setIrqs(EVENTFD | TRIGGER, REQ, 0, 2, 1, 1)).isEqualTo(-EINVAL);
        assertThat(enable(REQ, 99)).isEqualTo(-EBADF);
        assertThat(enable(REQ, device)).isEqualTo(-EINVAL);
        assertThat(enable(REQ, -2)).isEqualTo(kernel.isBefore(KernelProfile.V6_12) ? 0 : -EINVAL);
    }

    @Test
    void theRequestInterruptGoesWithAnyOther() {
        assertThat(enable(REQ, eventfd())).isZero();
        assertThat(enable(MSIX, eventfd())).isZero();
        assertThat(disable(MSIX)).isZero();
    }
}
