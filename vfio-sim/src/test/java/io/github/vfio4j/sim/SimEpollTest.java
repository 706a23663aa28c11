package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.ffm.port.EpollEvent;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Epoll files, which wait for eventfds. */
@Timeout(60)
class SimEpollTest {
    private static final int MOST = 8;

    private final RawProcess p = RawProcess.on(SimMachine.builder().build());
    private final int epoll = p.calls.epollCreate(new Frame(), Syscalls.EPOLL_CLOEXEC);
    private final MemorySegment events = p.memory((long) MOST * EpollEvent.BYTES);

    private int add(int fd, long data) {
        MemorySegment event = p.memory(EpollEvent.BYTES);
        EpollEvent.set(event, 0, Syscalls.EPOLLIN, data);
        return control(epoll, Syscalls.EPOLL_CTL_ADD, fd, event);
    }

    private int remove(int fd) {
        return control(epoll, Syscalls.EPOLL_CTL_DEL, fd, p.memory(EpollEvent.BYTES));
    }

    private int control(int on, int operation, int fd, MemorySegment event) {
        return p.calls.epollCtl(new Frame(), on, operation, fd, event);
    }

    private int await(int most, int millis) {
        return p.calls.epollWait(new Frame(), epoll, events, most, millis);
    }

    private List<Long> ready(int most) {
        int count = await(most, 0);
        List<Long> ready = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            assertThat(EpollEvent.events(events, i)).isEqualTo(Syscalls.EPOLLIN);
            ready.add(EpollEvent.data(events, i));
        }
        return ready;
    }

    @Test
    void whatCanBeReadIsReportedUntilItIsRead() {
        int first = p.eventfd(0, Syscalls.EFD_NONBLOCK);
        int second = p.eventfd(1, Syscalls.EFD_NONBLOCK);
        assertThat(add(first, 1L << 40)).isZero();
        assertThat(add(second, 7)).isZero();
        assertThat(ready(MOST)).containsExactly(7L);
        p.writeEventFd(first, 1);
        assertThat(ready(MOST)).containsExactlyInAnyOrder(7L, 1L << 40);
        p.readEventFd(second);
        assertThat(ready(MOST)).containsExactly(1L << 40);
        p.readEventFd(first);
        assertThat(ready(MOST)).isEmpty();
    }

    @Test
    void eachGetsItsTurnWhereNotAllFit() {
        for (int i = 0; i < 3; i++) {
            add(p.eventfd(1, 0), i);
        }
        assertThat(Set.of(ready(1).getFirst(), ready(1).getFirst(), ready(1).getFirst())).containsExactlyInAnyOrder(0L, 1L, 2L);
    }

    @Test
    void aWaitEndsWithTheFirstEventOrItsTime() throws Exception {
        int fd = p.eventfd(0, 0);
        add(fd, 5);
        assertThat(await(MOST, 1)).isZero();
        FutureTask<Integer> wait = waiting(-1);
        p.writeEventFd(fd, 1);
        assertThat(wait.get(30, TimeUnit.SECONDS)).isEqualTo(1);
    }

    @Test
    void whatIsAddedDuringAWaitCounts() throws Exception {
        FutureTask<Integer> wait = waiting(-1);
        add(p.eventfd(1, 0), 5);
        assertThat(wait.get(30, TimeUnit.SECONDS)).isEqualTo(1);
    }

    @Test
    void whatWasRemovedOrClosedIsNotReported() {
        int removed = p.eventfd(1, 0);
        int closed = p.eventfd(1, 0);
        add(removed, 1);
        add(closed, 2);
        assertThat(remove(removed)).isZero();
        assertThat(ready(MOST)).containsExactly(2L);
        p.close(closed);
        assertThat(ready(MOST)).isEmpty();
        int sameNumber = p.eventfd(1, 0);
        assertThat(sameNumber).isEqualTo(closed);
        assertThat(ready(MOST)).isEmpty();
        assertThat(add(sameNumber, 3)).isZero();
        assertThat(ready(MOST)).containsExactly(3L);
    }

    @Test
    void wrongCallsAreRefusedAsLinuxDoes() {
        int event = p.eventfd(0, 0);
        int container = p.openContainer();
        assertThat(p.calls.epollCreate(new Frame(), 1)).isEqualTo(-EINVAL);
        assertThat(remove(event)).isEqualTo(-ENOENT);
        assertThat(add(event, 0)).isZero();
        assertThat(add(event, 0)).isEqualTo(-EEXIST);
        assertThat(add(-1, 0)).isEqualTo(-EBADF);
        assertThat(add(container, 0)).isEqualTo(-EPERM);
        assertThat(add(epoll, 0)).isEqualTo(-EINVAL);
        assertThat(control(event, Syscalls.EPOLL_CTL_ADD, epoll, p.memory(EpollEvent.BYTES))).isEqualTo(-EINVAL);
        assertThat(control(epoll, 9, event, p.memory(EpollEvent.BYTES))).isEqualTo(-EINVAL);
        assertThat(await(0, 0)).isEqualTo(-EINVAL);
        assertThat(p.calls.epollWait(new Frame(), event, events, 1, 0)).isEqualTo(-EINVAL);
        assertThat(p.calls.epollWait(new Frame(), -1, events, 1, 0)).isEqualTo(-EBADF);
    }

    @Test
    void theDeathOfItsProcessEndsAWait() throws Exception {
        add(p.eventfd(0, 0), 1);
        FutureTask<Integer> wait = waiting(-1);
        p.process.kill();
        assertThat(wait.get(30, TimeUnit.SECONDS)).isEqualTo(-EINTR);
    }

    @Test
    void anEpollFileThatIsOpenIsALeak() {
        assertThat(p.process.leaks()).singleElement().asString().contains("epoll");
        p.close(epoll);
        assertThat(p.process.leaks()).isEmpty();
    }

    private FutureTask<Integer> waiting(int millis) {
        FutureTask<Integer> wait = new FutureTask<>(() -> await(MOST, millis));
        Thread thread = Thread.ofPlatform().daemon().start(wait);
        while (thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        return wait;
    }
}
