package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The interrupt line of a function: level, masks, DisINTx, the unmask event, and lines that are shared. */
class SimIntxTest {
    private static final PciAddress DEVICE = PciAddress.parse("0000:01:00.0");
    private static final PciAddress NEIGHBOUR = PciAddress.parse("0000:01:04.0"); // its INTA is the same line
    private static final int NONE = 1;
    private static final int BOOL = 2;
    private static final int EVENTFD = 4;
    private static final int MASK = 8;
    private static final int UNMASK = 16;
    private static final int TRIGGER = 32;
    private static final int INTX = 0;
    private static final int MSI = 1;
    private static final int MEMORY_AND_MASTER = 6;
    private static final int DISABLE = 1 << 10;
    private static final long CONFIG = 7L << 40;

    private final Line model = new Line(true);
    private RawProcess p;
    private int group;
    private int device;

    SimIntxTest() {
        use(SimMachine.builder().device(DEVICE, model).build());
    }

    private void use(SimMachine machine) {
        p = RawProcess.on(machine);
        RawProcess.Rig rig = p.openDevice(0, DEVICE.toString());
        group = rig.group();
        device = rig.device();
        p.command(device, MEMORY_AND_MASTER);
    }

    private int setIrqs(int flags, int index, int count, int... data) {
        MemorySegment set = p.memory(20 + 4L * data.length);
        set.set(INT, 0, 20 + 4 * data.length);
        set.set(INT, 4, flags);
        set.set(INT, 8, index);
        set.set(INT, 16, count);
        for (int i = 0; i < data.length; i++) {
            set.set(INT, 20 + 4L * i, data[i]);
        }
        return p.ioctl(device, DEVICE_SET_IRQS, set);
    }

    private int eventfd(int flags) {
        return check(p.eventfd(0, Syscalls.EFD_NONBLOCK | flags));
    }

    private int enable() {
        int fd = eventfd(0);
        assertThat(setIrqs(EVENTFD | TRIGGER, INTX, 1, fd)).isZero();
        return fd;
    }

    private void unmask() {
        assertThat(setIrqs(NONE | UNMASK, INTX, 1)).isZero();
    }

    private boolean status() {
        MemorySegment word = p.memory(2);
        p.pread(device, word, CONFIG + 6);
        return (word.get(SHORT, 0) & 1 << 3) != 0;
    }

    private void signal(int fd) {
        assertThat(p.writeEventFd(fd, 1)).isEqualTo(8);
    }

    @Test
    void aLineThatStaysAssertedFiresOnceForEachUnmask() {
        int fd = enable();
        model.bus.setLine(true);
        model.bus.setLine(true);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
        unmask();
        unmask();
        assertThat(p.readEventFd(fd)).isEqualTo(2);
        model.bus.setLine(false);
        unmask();
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
        model.bus.setLine(true);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
    }

    @Test
    void aPulseWhileMaskedIsForgotten() {
        int fd = enable();
        assertThat(setIrqs(BOOL | MASK, INTX, 1, 1)).isZero();
        model.bus.setLine(true);
        model.bus.setLine(false);
        assertThat(setIrqs(BOOL | UNMASK, INTX, 1, 1)).isZero();
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
    }

    @Test
    void aLineThatIsAssertedWhenItIsEnabledFires() {
        model.bus.setLine(true);
        assertThat(p.readEventFd(enable())).isEqualTo(1);
    }

    @Test
    void anEnabledLineWithoutEventfdMasksItselfAllTheSame() {
        assertThat(setIrqs(EVENTFD | TRIGGER, INTX, 1, -1)).isZero();
        model.bus.setLine(true);
        int fd = enable();
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
        unmask();
        assertThat(p.readEventFd(fd)).isEqualTo(1);
    }

    @Test
    void disabledInTheCommandRegisterItIsSilentAndFiresWhenItIsAllowedAgain() {
        int fd = enable();
        p.command(device, MEMORY_AND_MASTER | DISABLE);
        model.bus.setLine(true);
        unmask(); // the register decides
        assertThat(setIrqs(NONE | TRIGGER, INTX, 1)).isZero();
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
        p.command(device, MEMORY_AND_MASTER);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
    }

    @Test
    void allowingItInTheCommandRegisterUnmasksWhoeverMasked() {
        int fd = enable();
        setIrqs(NONE | MASK, INTX, 1);
        p.command(device, MEMORY_AND_MASTER | DISABLE);
        p.command(device, MEMORY_AND_MASTER);
        model.bus.setLine(true);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
    }

    @Test
    void enabledWhileTheCommandRegisterDisablesItItStartsMasked() {
        p.command(device, MEMORY_AND_MASTER | DISABLE);
        int fd = enable();
        model.bus.setLine(true);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
        p.command(device, MEMORY_AND_MASTER);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
    }

    @Test
    void theStatusShowsTheLineUnlessMessagesAreSent() {
        assertThat(status()).isFalse();
        model.bus.setLine(true);
        assertThat(status()).isTrue();
        assertThat(setIrqs(EVENTFD | TRIGGER, MSI, 1, eventfd(0))).isZero();
        assertThat(status()).isFalse();
        assertThat(setIrqs(NONE | TRIGGER, MSI, 0)).isZero();
        assertThat(status()).isTrue();
        model.bus.setLine(false);
        assertThat(status()).isFalse();
    }

    @Test
    void configurationSpaceShowsThePin() {
        MemorySegment pin = p.memory(1);
        p.pread(device, pin, CONFIG + 0x3d);
        assertThat(pin.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
    }

    @Test
    void anUnmaskEventIsTakenAndUnmasksAtOnce() {
        int fd = enable();
        int unmask = eventfd(0);
        assertThat(setIrqs(EVENTFD | UNMASK, INTX, 1, unmask)).isZero();
        model.bus.setLine(true);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
        signal(unmask);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
        assertThat(p.readEventFd(unmask)).isEqualTo(-EAGAIN);
        assertThat(setIrqs(EVENTFD | UNMASK, INTX, 1, -1)).isZero();
        signal(unmask);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
        assertThat(p.readEventFd(unmask)).isEqualTo(1);
    }

    @Test
    void anUnmaskEventThatWasSignalledBeforeUnmasksAndKeepsItsCount() {
        int fd = enable();
        model.bus.setLine(true);
        int unmask = eventfd(0);
        signal(unmask);
        assertThat(setIrqs(EVENTFD | UNMASK, INTX, 1, unmask)).isZero();
        assertThat(p.readEventFd(fd)).isEqualTo(2);
        assertThat(p.readEventFd(unmask)).isEqualTo(1);
    }

    @Test
    void thereIsOneUnmaskEventUntilItIsClosed() {
        enable();
        int first = eventfd(0);
        int second = eventfd(0);
        assertThat(setIrqs(EVENTFD | UNMASK, INTX, 1, first)).isZero();
        assertThat(setIrqs(EVENTFD | UNMASK, INTX, 1, second)).isEqualTo(-EBUSY);
        assertThat(setIrqs(EVENTFD | UNMASK, INTX, 1, 99)).isEqualTo(-EBADF); // looked at before
        p.close(first);
        assertThat(setIrqs(EVENTFD | UNMASK, INTX, 1, second)).isZero();
    }

    @Test
    void anotherEventfdTakesOverAndABadOneChangesNothing() {
        int old = enable();
        int fresh = enable();
        model.bus.setLine(true);
        assertThat(p.readEventFd(old)).isEqualTo(-EAGAIN);
        assertThat(p.readEventFd(fresh)).isEqualTo(1);
        assertThat(setIrqs(EVENTFD | TRIGGER, INTX, 1, 99)).isEqualTo(-EBADF);
        unmask();
        assertThat(p.readEventFd(fresh)).isEqualTo(1);
    }

    @Test
    void anEventfdThatUnmasksTheLineItIsSignalledByIsTakenAtOnce() {
        int both = enable();
        assertThat(setIrqs(EVENTFD | UNMASK, INTX, 1, both)).isZero();
        assertThat(setIrqs(NONE | TRIGGER, INTX, 1)).isZero();
        assertThat(p.readEventFd(both)).isEqualTo(-EAGAIN);
    }

    @Test
    void disablingForgetsMaskAndUnmaskEvent() {
        int fd = enable();
        int unmask = eventfd(0);
        setIrqs(EVENTFD | UNMASK, INTX, 1, unmask);
        setIrqs(NONE | MASK, INTX, 1);
        assertThat(setIrqs(NONE | TRIGGER, INTX, 0)).isZero();
        model.bus.setLine(true);
        signal(unmask);
        assertThat(p.readEventFd(unmask)).isEqualTo(1);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
        assertThat(p.readEventFd(enable())).isEqualTo(1);
    }

    @Test
    void aResetAndANewPowerOnDeassertTheLine() {
        model.bus.setLine(true);
        assertThat(p.ioctl(device, DEVICE_RESET, 0)).isZero();
        assertThat(status()).isFalse();
        model.bus.setLine(true);
        p.close(device);
        device = check(p.deviceFd(group, DEVICE.toString()));
        assertThat(status()).isFalse();
    }

    @Test
    void aDeviceWithoutPinAssertsNothing() {
        TestModel without = new TestModel();
        use(SimMachine.builder().device(DEVICE, without).build());
        assertThatIllegalStateException().isThrownBy(() -> without.bus.setLine(true));
    }

    // ---- lines that are shared

    @Test
    void functionsThatMaskThemselvesShareALine() {
        Line other = new Line(true);
        use(SimMachine.builder().device(DEVICE, model).device(NEIGHBOUR, other).build());
        int fd = enable();
        int mine = device;
        device = p.openDevice(1, NEIGHBOUR.toString()).device();
        int others = enable();
        other.bus.setLine(true);
        assertThat(p.readEventFd(others)).isEqualTo(1);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
        assertThat(mine).isNotEqualTo(device);
    }

    @Test
    void aFunctionThatCannotMaskItselfHasItsLineAlone() {
        use(SimMachine.builder().device(DEVICE, model).device(NEIGHBOUR, new Line(false)).build());
        enable();
        int first = device;
        device = p.openDevice(1, NEIGHBOUR.toString()).device();
        assertThat(setIrqs(EVENTFD | TRIGGER, INTX, 1, eventfd(0))).isEqualTo(-EBUSY);
        int second = device;
        device = first;
        assertThat(setIrqs(NONE | TRIGGER, INTX, 0)).isZero();
        device = second;
        enable();
        device = first;
        assertThat(setIrqs(EVENTFD | TRIGGER, INTX, 1, eventfd(0))).isEqualTo(-EBUSY);
    }

    // ---- storms

    @Test
    void aStormOfLevelsIsHeardOneByOne() {
        int fd = eventfd(0);
        assertThat(setIrqs(EVENTFD | TRIGGER, INTX, 1, fd)).isZero();
        int unmask = eventfd(0);
        assertThat(setIrqs(EVENTFD | UNMASK, INTX, 1, unmask)).isZero();
        int rounds = 20_000;
        long heard = 0;
        for (int i = 0; i < rounds; i++) {
            model.bus.setLine(true);
            heard += p.readEventFd(fd);
            model.bus.setLine(false);
            signal(unmask);
        }
        assertThat(heard).isEqualTo(rounds);
    }

    @Test
    void aStormOfMessagesFromSeveralThreadsLosesNone() throws InterruptedException {
        int threads = 4;
        int each = 50_000;
        int vectors = 4;
        int[] fds = new int[vectors];
        for (int i = 0; i < vectors; i++) {
            fds[i] = eventfd(0);
        }
        assertThat(setIrqs(EVENTFD | TRIGGER, MSI, vectors, fds)).isZero();
        CountDownLatch start = new CountDownLatch(1);
        List<Thread> storm = IntStream.range(0, threads)
                .mapToObj(t -> Thread.ofPlatform().start(() -> {
                    try {
                        start.await();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                    for (int i = 0; i < each; i++) {
                        model.bus.raise((t + i) % vectors);
                    }
                }))
                .toList();
        start.countDown();
        long[] heard = new long[vectors];
        for (boolean raising = true; raising; ) {
            raising = storm.stream().anyMatch(Thread::isAlive);
            for (int i = 0; i < vectors; i++) {
                heard[i] += Math.max(0, p.readEventFd(fds[i])); // nothing new is -EAGAIN
            }
        }
        for (Thread thread : storm) {
            thread.join();
        }
        assertThat(heard).containsOnly((long) threads * each / vectors);
    }

    /** A device with a line, and four vectors of MSI. */
    private static final class Line implements PciModel {
        private final boolean masksLine;
        volatile PciBus bus;

        Line(boolean masksLine) {
            this.masksLine = masksLine;
        }

        @Override
        public PciIdentity identity() {
            return new PciIdentity(0x1234, 0x1111, 0x00ff00);
        }

        @Override
        public List<PciBar> bars() {
            return List.of();
        }

        @Override
        public int interruptPin() {
            return 1;
        }

        @Override
        public boolean masksLine() {
            return masksLine;
        }

        @Override
        public int msiVectors() {
            return 4;
        }

        @Override
        public void powerOn(PciBus itsBus) {
            bus = itsBus;
        }
    }
}
