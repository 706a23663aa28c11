package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.check;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** Files that hold memory. */
class SimMemoryFileTest {
    private static final int HUGE_2M = Syscalls.MFD_HUGETLB | 21 << Syscalls.MAP_HUGE_SHIFT;

    private final Frame frame = new Frame();
    private final SimMachine machine = SimMachine.builder().hugePages(2).build();
    private final RawProcess raw = RawProcess.on(machine);
    private final Syscalls calls = raw.calls;

    private int file(long size) {
        int fd = check(calls.memfdCreate(frame, "test", Syscalls.MFD_NOEXEC_SEAL));
        check(calls.fallocate(frame, fd, 0, size));
        return fd;
    }

    @Test
    void whatIsMappedIsTheFilesMemoryAndOutlivesTheDescriptor() {
        int fd = file(8192);
        long one = raw.mmapFile(fd, 0, 8192);
        long other = raw.mmapFile(fd, 4096, 4096);
        check(raw.close(fd));
        raw.at(one).set(ValueLayout.JAVA_LONG, 4096, 42);
        assertThat(raw.at(other).get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
        check(raw.munmap(one, 8192));
        assertThat(raw.at(other).get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
        assertThat(machine.leaks()).hasSize(1).first().asString().contains("memfd of 8192 bytes");
        check(raw.munmap(other, 4096));
        assertThat(machine.leaks()).isEmpty();
    }

    @Test
    void onlyWhatTheFileHasIsMapped() {
        int fd = file(4096);
        assertThat(raw.mmapFile(fd, 0, 8192)).isEqualTo(-ENOMEM);
        assertThat(raw.mmapFile(fd, 4096, 4096)).isEqualTo(-ENOMEM);
        int empty = check(calls.memfdCreate(frame, "empty", 0));
        assertThat(raw.mmapFile(empty, 0, 4096)).isEqualTo(-ENOMEM);
    }

    @Test
    void aSealedFileKeepsItsSizeAndItsSeals() {
        int fd = file(4096);
        check(calls.addSeals(frame, fd, Syscalls.F_SEAL_GROW));
        assertThat(calls.fallocate(frame, fd, 0, 4096)).isZero();
        assertThat(calls.fallocate(frame, fd, 0, 8192)).isEqualTo(-EPERM);
        check(calls.addSeals(frame, fd, Syscalls.F_SEAL_SEAL));
        assertThat(calls.addSeals(frame, fd, Syscalls.F_SEAL_SHRINK)).isEqualTo(-EPERM);
        int unsealable = check(calls.memfdCreate(frame, "test", Syscalls.MFD_CLOEXEC));
        assertThat(calls.addSeals(frame, unsealable, Syscalls.F_SEAL_GROW)).isEqualTo(-EPERM);
    }

    @Test
    void nonsenseIsRefused() {
        assertThat(calls.memfdCreate(frame, "test", 1 << 9)).isEqualTo(-EINVAL);
        assertThat(calls.memfdCreate(frame, "x".repeat(250), 0)).isEqualTo(-EINVAL);
        assertThat(calls.memfdCreate(frame, "test", Syscalls.MFD_HUGETLB | 13 << Syscalls.MAP_HUGE_SHIFT))
                .isEqualTo(-ENODEV);
        int fd = file(4096);
        assertThat(calls.fallocate(frame, fd, 0, 0)).isEqualTo(-EINVAL);
        assertThat(calls.fallocate(frame, fd, -1, 1)).isEqualTo(-EINVAL);
        assertThat(calls.addSeals(frame, fd, 1 << 20)).isEqualTo(-EINVAL);
        int event = raw.eventfd(0, 0);
        assertThat(calls.fallocate(frame, event, 0, 1)).isEqualTo(-ENODEV);
        assertThat(calls.addSeals(frame, event, 1)).isEqualTo(-EINVAL);
        assertThat(calls.fallocate(frame, 99, 0, 1)).isEqualTo(-EBADF);
        try (SimMachine old = SimMachine.builder().kernel(KernelProfile.V6_1).build()) {
            assertThat(RawProcess.on(old).calls.memfdCreate(frame, "test", Syscalls.MFD_NOEXEC_SEAL))
                    .isEqualTo(-EINVAL);
        }
    }

    @Test
    void hugePagesComeBackWhenNobodyHasTheFile() {
        int fd = check(calls.memfdCreate(frame, "huge", HUGE_2M));
        check(calls.fallocate(frame, fd, 0, 4 << 20));
        int second = check(calls.memfdCreate(frame, "huge", HUGE_2M));
        assertThat(calls.fallocate(frame, second, 0, 1)).isEqualTo(-ENOSPC);
        long mapped = raw.mmapFile(fd, 0, 4 << 20);
        check(raw.close(fd));
        assertThat(calls.fallocate(frame, second, 0, 1)).isEqualTo(-ENOSPC);
        check(raw.munmap(mapped, 4 << 20));
        assertThat(calls.fallocate(frame, second, 0, 1)).isZero();
    }
}
