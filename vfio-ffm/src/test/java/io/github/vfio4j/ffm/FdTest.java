package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class FdTest {
    private final List<Integer> closed = new ArrayList<>();

    private final NoSyscalls syscalls = new NoSyscalls() {
        @Override
        public int close(Frame frame, int fd) {
            closed.add(fd);
            return 0;
        }

        @Override
        public int ioctl(Frame frame, int fd, int request, long value) {
            return -Errno.EBUSY.number();
        }
    };

    private final Fd fd = new Fd(syscalls, 7, "/dev/vfio/26");

    @Test
    void closingTwiceClosesTheNumberOnce() {
        fd.close();
        fd.close();
        assertThat(closed).containsExactly(7);
    }

    @Test
    void aClosedDescriptorMakesNoCall() {
        fd.close();
        assertThatExceptionOfType(VfioException.class)
                .isThrownBy(() -> fd.ioctl(Operation.SET_IOMMU, 1, 2))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EBADF));
    }

    @Test
    void aNumberIsNotFreedWhileACallUsesIt() throws InterruptedException {
        Frame inFlight = fd.begin(Operation.SET_IOMMU);
        CountDownLatch done = new CountDownLatch(1);
        Thread closer = Thread.ofPlatform().start(() -> {
            fd.close();
            done.countDown();
        });
        while (closer.getState() != Thread.State.WAITING) { // it waits for the call
            Thread.onSpinWait();
        }
        assertThat(closed).isEmpty();
        fd.end(inFlight);
        assertThat(done.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(closed).containsExactly(7);
    }

    @Test
    void anInterruptDoesNotFreeTheNumberUnderACallAndIsNotLost() throws InterruptedException {
        Frame inFlight = fd.begin(Operation.SET_IOMMU);
        boolean[] interrupted = {false};
        Thread closer = Thread.ofPlatform().start(() -> {
            fd.close();
            interrupted[0] = Thread.currentThread().isInterrupted();
        });
        closer.interrupt();
        while (closer.isInterrupted() || closer.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        assertThat(closed).isEmpty();
        fd.end(inFlight);
        closer.join();
        assertThat(closed).containsExactly(7);
        assertThat(interrupted[0]).isTrue();
    }

    @Test
    void twoCallsInFlightHaveMemoryOfTheirOwn() {
        Frame first = fd.begin(Operation.SET_IOMMU);
        Frame second = fd.begin(Operation.SET_IOMMU);
        assertThat(first.arg.address()).isNotEqualTo(second.arg.address());
        fd.end(first);
        fd.end(second);
    }

    @Test
    void threadsShareNoMemoryAndNoneIsInACallWhenTheNumberIsFreed() throws InterruptedException {
        for (int round = 0; round < 50; round++) {
            AtomicInteger inCalls = new AtomicInteger();
            AtomicInteger inCallsAtClose = new AtomicInteger(-1);
            Fd shared = new Fd(
                    new NoSyscalls() {
                        @Override
                        public int close(Frame frame, int number) {
                            inCallsAtClose.set(inCalls.get());
                            return 0;
                        }
                    },
                    7,
                    "/dev/vfio/26");
            CountDownLatch atWork = new CountDownLatch(3);
            Queue<Throwable> ends = new ConcurrentLinkedQueue<>();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                long own = i;
                threads.add(Thread.ofPlatform().start(() -> {
                    try {
                        while (true) {
                            Frame frame = shared.begin(Operation.SET_IOMMU);
                            inCalls.incrementAndGet();
                            frame.arg.set(JAVA_LONG, 0, own);
                            Thread.onSpinWait();
                            assertThat(frame.arg.get(JAVA_LONG, 0)).isEqualTo(own);
                            inCalls.decrementAndGet();
                            shared.end(frame);
                            atWork.countDown();
                        }
                    } catch (Throwable e) {
                        ends.add(e);
                        atWork.countDown();
                    }
                }));
            }
            atWork.await();
            shared.close();
            assertThat(inCallsAtClose).hasValue(0);
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(ends).hasSize(3).allSatisfy(e -> assertThat(e)
                    .isInstanceOfSatisfying(
                            VfioException.class, refusal -> assertThat(refusal.errno()).isEqualTo(Errno.EBADF)));
        }
    }

    @Test
    void theNextCallUsesTheSameMemoryAgain() {
        Frame first = fd.begin(Operation.SET_IOMMU);
        fd.end(first);
        assertThat(fd.begin(Operation.SET_IOMMU)).isSameAs(first);
    }

    @Test
    void aRefusalNamesTheFileAndTheErrno() {
        assertThatExceptionOfType(VfioException.class)
                .isThrownBy(() -> fd.ioctl(Operation.SET_IOMMU, 1, 2))
                .withMessageContaining("VFIO_SET_IOMMU failed with EBUSY (16): /dev/vfio/26");
    }
}
