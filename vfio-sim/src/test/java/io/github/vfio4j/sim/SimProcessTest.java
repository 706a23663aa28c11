package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** A process: descriptors, memory, pointers, what it leaves behind. */
class SimProcessTest {
    private static final long PAGE = 4096;

    private final SimMachine machine =
            SimMachine.builder().device(PciAddress.parse("0000:01:00.0"), new TestModel()).build();
    private final RawProcess p = RawProcess.on(machine);

    // ---- descriptors

    @Test
    void theLowestFreeDescriptorIsTaken() {
        assertThat(p.eventfd(0, 0)).isEqualTo(3);
        assertThat(p.eventfd(0, 0)).isEqualTo(4);
        assertThat(p.eventfd(0, 0)).isEqualTo(5);
        p.close(4);
        p.close(3);
        assertThat(p.eventfd(0, 0)).isEqualTo(3);
        assertThat(p.eventfd(0, 0)).isEqualTo(4);
        assertThat(p.eventfd(0, 0)).isEqualTo(6);
    }

    @Test
    void whatIsNotOpenIsEbadf() {
        for (int fd : new int[] {-1, 3, 1000, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
            assertThat(p.close(fd)).isEqualTo(-EBADF);
            assertThat(p.ioctl(fd, GET_API_VERSION, 0)).isEqualTo(-EBADF);
            assertThat(p.pread(fd, p.memory(8), 0)).isEqualTo(-EBADF);
            assertThat(p.readEventFd(fd)).isEqualTo(-EBADF);
        }
    }

    @Test
    void processesHaveDescriptorsOfTheirOwn() {
        assertThat(p.openContainer()).isEqualTo(3);
        RawProcess other = RawProcess.on(machine);
        assertThat(other.ioctl(3, GET_API_VERSION, 0)).isEqualTo(-EBADF);
        assertThat(other.openContainer()).isEqualTo(3);
    }

    @Test
    void aFullTableIsEmfileAndOpensNothing() {
        p.process.limitOpenFiles(4);
        assertThat(p.openGroup(0)).isEqualTo(3);
        assertThat(p.openContainer()).isEqualTo(-EMFILE);
        assertThat(p.eventfd(0, 0)).isEqualTo(-EMFILE);
        assertThat(p.open("/dev/vfio/99")).isEqualTo(-EMFILE); // before the path is looked at
        p.close(3);
        assertThat(p.openGroup(0)).isEqualTo(3);
    }

    // ---- memory

    @Test
    void aDriverMapsMemoryThatItsProcessGot() {
        MemorySegment memory = p.process.allocate(5000);
        assertThat(memory.byteSize()).isEqualTo(2 * PAGE);
        assertThat(memory.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
        try (Vfio vfio = p.process.open();
                Device device = vfio.openDevice(PciAddress.parse("0000:01:00.0"))) {
            assertThat(device.iommu().map(memory, Access.READ_WRITE).size()).isEqualTo(2 * PAGE);
        }
        for (long bytes : new long[] {0, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
            assertThatIllegalArgumentException().isThrownBy(() -> p.process.allocate(bytes));
        }
    }

    @Test
    void anonymousMemoryIsZeroedPages() {
        long address = p.mmap(5000);
        assertThat(address % PAGE).isZero();
        assertThat(p.at(address).byteSize()).isEqualTo(2 * PAGE);
        assertThat(p.at(address).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
        assertThat(p.munmap(address, 5000)).isZero();
        assertThat(p.at(address)).isEqualTo(MemorySegment.NULL);
    }

    @Test
    void memoryGoesInPieces() {
        long address = p.mmap(4 * PAGE);
        p.at(address + 3 * PAGE).set(INT, 0, 5);
        assertThat(p.munmap(address + PAGE, PAGE)).isZero();
        assertThat(p.at(address).byteSize()).isEqualTo(PAGE);
        assertThat(p.at(address + PAGE)).isEqualTo(MemorySegment.NULL);
        assertThat(p.at(address + 2 * PAGE).byteSize()).isEqualTo(2 * PAGE);
        assertThat(p.at(address + 3 * PAGE).get(INT, 0)).isEqualTo(5);
        assertThat(p.munmap(address, 4 * PAGE)).isZero();
        assertThat(p.process.leaks()).isEmpty();
    }

    @Test
    void mmapChecksItsArguments() {
        Frame f = new Frame();
        int anonymous = Syscalls.MAP_PRIVATE | Syscalls.MAP_ANONYMOUS;
        assertThat(p.calls.mmap(f, 0, 3, anonymous, -1, 0)).isEqualTo(-EINVAL);
        assertThat(p.calls.mmap(f, PAGE, 3, anonymous, -1, 1)).isEqualTo(-EINVAL);
        assertThat(p.calls.mmap(f, PAGE, 3, Syscalls.MAP_ANONYMOUS, -1, 0)).isEqualTo(-EINVAL); // neither way
        assertThat(p.calls.mmap(f, -1, 3, anonymous, -1, 0)).isEqualTo(-ENOMEM);
        assertThat(p.calls.mmap(f, 1L << 50, 3, anonymous, -1, 0)).isEqualTo(-ENOMEM);
        assertThat(p.calls.mmap(f, PAGE, 3, Syscalls.MAP_SHARED, -1, 0)).isEqualTo(-EBADF);
        assertThat(p.calls.mmap(f, PAGE, 3, Syscalls.MAP_SHARED | Syscalls.MAP_ANONYMOUS, -1, 0)).isPositive();
    }

    @Test
    void aPointerAsANumberIsFollowedIntoMappedMemory() {
        int group = p.openGroup(0);
        long address = p.mmap(PAGE);
        p.at(address).set(INT, 0, 8);
        assertThat(p.ioctl(group, GROUP_GET_STATUS, address)).isZero();
        assertThat(p.at(address).get(INT, 4)).isEqualTo(VIABLE);
        assertThat(p.ioctl(group, GROUP_GET_STATUS, address + PAGE - 4)).isEqualTo(-EFAULT);
    }

    @Test
    void aJavaArrayIsNoMemoryForAKernel() {
        int group = p.openGroup(0);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> p.ioctl(group, GROUP_GET_STATUS, MemorySegment.ofArray(new int[] {8, 0})));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> p.pread(group, MemorySegment.ofArray(new byte[4]), 0));
    }

    // ---- leaks

    @Test
    void whatIsStillThereIsListed() {
        Rig rig = p.openDevice(0, "0000:01:00.0");
        check(p.map(rig.container(), 0x10000, p.mmap(PAGE), PAGE, READ));
        assertThat(p.process.leaks())
                .satisfiesExactly(
                        line -> assertThat(line).isEqualTo("process 1: descriptor 3 is open: /dev/vfio/vfio"),
                        line -> assertThat(line).isEqualTo("process 1: descriptor 4 is open: /dev/vfio/0"),
                        line -> assertThat(line).isEqualTo("process 1: descriptor 5 is open: device 0000:01:00.0"),
                        line -> assertThat(line).startsWith("process 1: mapped: 4096 bytes at 0x"),
                        line -> assertThat(line).isEqualTo("process 1: 4096 bytes are pinned for DMA"));
        assertThat(machine.leaks()).hasSize(6).contains("device 0000:01:00.0 is open");
    }

    @Test
    void peopleSeeWhatIsWhat() {
        assertThat(p.process).hasToString("process 1");
        assertThat(machine.startUnprivilegedProcess()).hasToString("process 2 (unprivileged)");
        p.process.kill();
        assertThat(p.process).hasToString("process 1 (dead)");
        assertThat(machine).hasToString("simulated Linux 7.2\n  0000:01:00.0 1af4:1110 driver vfio-pci group 0");
    }
}
