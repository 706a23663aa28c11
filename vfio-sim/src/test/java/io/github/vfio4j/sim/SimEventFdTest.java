package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Eventfds. */
@Timeout(60)
class SimEventFdTest {
    private static final int SEMAPHORE = 1;

    private final RawProcess p = RawProcess.on(SimMachine.builder().build());

    @Test
    void theCounterIsReadAndCleared() {
        int fd = p.eventfd(3, Syscalls.EFD_NONBLOCK);
        assertThat(p.writeEventFd(fd, 4)).isEqualTo(8);
        assertThat(p.readEventFd(fd)).isEqualTo(7);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
    }

    @Test
    void aSemaphoreGoesDownByOne() {
        int fd = p.eventfd(2, Syscalls.EFD_NONBLOCK | SEMAPHORE);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
        assertThat(p.readEventFd(fd)).isEqualTo(1);
        assertThat(p.readEventFd(fd)).isEqualTo(-EAGAIN);
    }

    @Test
    void theCounterHasALimit() {
        int fd = p.eventfd(0, Syscalls.EFD_NONBLOCK);
        assertThat(p.writeEventFd(fd, -1)).isEqualTo(-EINVAL);
        assertThat(p.writeEventFd(fd, -2)).isEqualTo(8);
        assertThat(p.writeEventFd(fd, 1)).isEqualTo(-EAGAIN);
        assertThat(p.writeEventFd(fd, 0)).isEqualTo(8);
        assertThat(p.readEventFd(fd)).isEqualTo(-2);
    }

    @Test
    void accessesAreOfEightBytes() {
        int fd = p.eventfd(1, 0);
        assertThat(p.calls.read(new Frame(), fd, p.memory(7))).isEqualTo(-EINVAL);
        assertThat(p.calls.write(new Frame(), fd, p.memory(7))).isEqualTo(-EINVAL);
        assertThat(p.calls.write(new Frame(), fd, p.memory(16))).as("since Linux 6.9").isEqualTo(-EINVAL);
        assertThat(p.calls.read(new Frame(), fd, p.memory(16))).isEqualTo(8);
    }

    @Test
    void anEventfdHasNoPlacesNoOperationsAndNoMemory() {
        int fd = p.eventfd(1, 0);
        assertThat(p.pread(fd, p.memory(8), 0)).isEqualTo(-ESPIPE);
        assertThat(p.pwrite(fd, p.memory(8), 0)).isEqualTo(-ESPIPE);
        assertThat(p.ioctl(fd, RawProcess.GET_API_VERSION, 0)).isEqualTo(-ENOTTY);
        assertThat(p.mmapFile(fd, 0, 4096)).isEqualTo(-ENODEV);
    }

    @Test
    void unknownFlagsAreRefused() {
        assertThat(p.eventfd(0, 4)).isEqualTo(-EINVAL);
        assertThat(p.eventfd(0, Syscalls.EFD_CLOEXEC | Syscalls.EFD_NONBLOCK | SEMAPHORE)).isEqualTo(3);
    }

    @Test
    void aReaderWaitsForAWrite() throws Exception {
        int fd = p.eventfd(0, 0);
        FutureTask<Long> reader = reader(fd);
        assertThat(p.writeEventFd(fd, 5)).isEqualTo(8);
        assertThat(reader.get(30, TimeUnit.SECONDS)).isEqualTo(5);
    }

    @Test
    void aWriterWaitsForRoom() throws Exception {
        int fd = p.eventfd(0, 0);
        p.writeEventFd(fd, -2);
        FutureTask<Long> writer = new FutureTask<>(() -> p.writeEventFd(fd, 1));
        Thread.ofPlatform().daemon().start(writer);
        assertThat(p.readEventFd(fd)).isEqualTo(-2);
        assertThat(writer.get(30, TimeUnit.SECONDS)).isEqualTo(8);
    }

    @Test
    void aReaderGoesOnWaitingWhenItsDescriptorIsClosed() throws Exception {
        int fd = p.eventfd(0, 0);
        FutureTask<Long> reader = new FutureTask<>(() -> p.readEventFd(fd));
        Thread thread = Thread.ofPlatform().daemon().start(reader);
        awaitWaiting(thread);
        p.close(fd);
        assertThat(p.readEventFd(fd)).isEqualTo(-EBADF);
        assertThat(reader.isDone()).isFalse();
        p.process.kill();
        assertThat(reader.get(30, TimeUnit.SECONDS)).isEqualTo(-EINTR);
    }

    @Test
    void theDeathOfItsProcessEndsAWait() throws Exception {
        int fd = p.eventfd(0, 0);
        FutureTask<Long> reader = new FutureTask<>(() -> p.readEventFd(fd));
        Thread thread = Thread.ofPlatform().daemon().start(reader);
        awaitWaiting(thread);
        p.process.kill();
        assertThat(reader.get(30, TimeUnit.SECONDS)).isEqualTo(-EINTR);
    }

    private FutureTask<Long> reader(int fd) {
        FutureTask<Long> reader = new FutureTask<>(() -> p.readEventFd(fd));
        Thread.ofPlatform().daemon().start(reader);
        return reader;
    }

    private static void awaitWaiting(Thread thread) {
        while (thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
    }
}
