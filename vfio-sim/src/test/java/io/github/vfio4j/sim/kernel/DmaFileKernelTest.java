package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.DmaFile;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Handover;
import io.github.vfio4j.HandoverListener;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PageSize;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Memory of files, on kernels whose iommufd maps such: Linux since 6.13. */
class DmaFileKernelTest extends KernelTest {
    private Iommufd iommufd;
    private Ioas ioas;

    /** An older kernel says so. */
    @BeforeEach
    void theKernelMapsFiles() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        iommufd = vfio.openIommufd();
        ioas = iommufd.allocateIoas();
        try (DmaFile file = vfio.createDmaFile(4096)) {
            ioas.map(file, Access.READ).close();
        } catch (VfioException e) {
            assertThat(e.errno()).isEqualTo(Errno.ENOTTY);
            assertThat(e.rule()).contains(Rule.IOMMUFD_OPERATION_KNOWN);
            Assumptions.abort("this kernel maps no files");
        }
    }

    private static void write(DmaBuffer buffer, long value) {
        buffer.segment().set(ValueLayout.JAVA_LONG, 0, value);
    }

    private static long read(DmaBuffer buffer) {
        return buffer.segment().get(ValueLayout.JAVA_LONG, 0);
    }

    @Test
    void aDeviceAndTheProgramShareTheMemoryOfAFile() {
        Device device = iommufd.openDevice(machine.loner());
        device.attach(ioas);
        DmaFile file = vfio.createDmaFile(8192);
        DmaBuffer source = ioas.map(file, Access.READ);
        DmaBuffer target = ioas.mapAt(0x700000, vfio.createDmaFile(8192), Access.READ_WRITE);
        assertThat(target.iova()).isEqualTo(0x700000);
        Mmio registers = EduDma.ready(device);
        write(source, 0x1122334455667788L);
        EduDma.toDevice(registers, source.iova());
        EduDma.fromDevice(registers, target.iova());
        assertThat(read(target)).isEqualTo(0x1122334455667788L);
    }

    @Test
    void aFileIsMappedBeforeTheDeviceIsAttached() {
        DmaBuffer buffer = ioas.map(vfio.createDmaFile(8192), Access.READ_WRITE);
        Device device = iommufd.openDevice(machine.loner());
        device.attach(ioas);
        Mmio registers = EduDma.ready(device);
        write(buffer, 5);
        EduDma.toDevice(registers, buffer.iova());
        write(buffer, 6);
        EduDma.fromDevice(registers, buffer.iova());
        assertThat(read(buffer)).isEqualTo(5);
    }

    @Test
    void aFileIsOneMemoryHoweverOftenItIsMapped() {
        DmaFile file = vfio.createDmaFile(1);
        assertThat(file.size()).isEqualTo(4096);
        DmaBuffer here = ioas.map(file, Access.READ);
        DmaBuffer again = ioas.map(file, Access.READ);
        DmaBuffer there = iommufd.allocateIoas().map(file, Access.READ_WRITE);
        assertThat(read(here)).isZero();
        write(there, 42);
        assertThat(read(here)).isEqualTo(42);
        again.close();
        assertThat(read(here)).isEqualTo(42);
        here.close();
        assertThat(read(there)).isEqualTo(42);
        assertThatThrownBy(() -> read(here)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aClosedFileLeavesWhatIsMapped() {
        Device device = iommufd.openDevice(machine.loner());
        device.attach(ioas);
        DmaFile file = vfio.createDmaFile(8192);
        DmaBuffer buffer = ioas.map(file, Access.READ_WRITE);
        file.close();
        Mmio registers = EduDma.ready(device);
        write(buffer, 7);
        EduDma.toDevice(registers, buffer.iova());
        buffer.slice(0, 8).write64Plain(0, 8);
        DmaBuffer copy = ioas.copy(buffer, Access.READ_WRITE);
        buffer.close();
        EduDma.fromDevice(registers, copy.iova());
        assertThat(read(copy)).isEqualTo(7);
        assertRefused(Rule.HANDLE_OPEN, () -> ioas.map(file, Access.READ));
        file.close();
    }

    @Test
    void aFileMayBeMadeOfHugePages() {
        Assumptions.assumeTrue(machine.reserveHugePages() > 0, "this kernel has no huge pages to reserve");
        Device device = iommufd.openDevice(machine.loner());
        device.attach(ioas);
        DmaFile file = vfio.createDmaFile(1, PageSize.HUGE_2M);
        assertThat(file.size()).isEqualTo(PageSize.HUGE_2M.hugeBytes());
        DmaBuffer buffer = ioas.map(file, Access.READ_WRITE);
        assertThat(buffer.iova() % PageSize.HUGE_2M.hugeBytes()).isZero();
        Mmio registers = EduDma.ready(device);
        write(buffer, 9);
        EduDma.toDevice(registers, buffer.iova());
        EduDma.fromDevice(registers, buffer.iova() + 4096);
        assertThat(buffer.segment().get(ValueLayout.JAVA_LONG, 4096)).isEqualTo(9);
    }

    // ---- in another process

    private Handover connect(MachineUnderTest.Peer peer) {
        String address = machine.socketAddress();
        try (HandoverListener listener = vfio.listen(address)) {
            assertThat(peer.ask("connect " + address)).isEqualTo("done");
            return listener.accept();
        }
    }

    @Test
    void aProcessThatReplacesAnotherTakesTheDeviceOverWithAllThatItReaches() {
        try (MachineUnderTest.Peer peer = machine.startPeer()) {
            Device device = iommufd.openDevice(machine.loner());
            device.attach(ioas);
            DmaFile file = vfio.createDmaFile(8192);
            DmaBuffer buffer = ioas.mapAt(0x100000, file, Access.READ_WRITE);
            write(buffer, 77);
            Handover connection = connect(peer);
            connection.send(file);
            assertThat(peer.ask("memory")).isEqualTo("8192");
            connection.send(device);
            assertThat(peer.ask("device")).isEqualTo("PCI device");
            connection.send(iommufd);
            assertThat(peer.ask("iommufd")).isEqualTo("done");
            vfio.close();
            assertThatThrownBy(() -> read(buffer)).isInstanceOf(IllegalStateException.class);
            assertThat(peer.ask("change-process")).isEqualTo("done");
            assertThat(peer.ask("move 100000 101000")).isEqualTo("done");
            assertThat(peer.ask("read 1000")).isEqualTo("77");
        }
        try (Vfio again = machine.open()) { // the other process closed all
            again.openIommufd().openDevice(machine.loner());
        }
    }

    @Test
    void onlyMemoryOfFilesIsTakenOver() {
        try (MachineUnderTest.Peer peer = machine.startPeer()) {
            iommufd.changeProcess();
            DmaBuffer buffer = ioas.allocate(4096, Access.READ);
            assertRefused(Rule.CHANGE_PROCESS_FILES, iommufd::changeProcess);
            connect(peer).send(iommufd);
            assertThat(peer.ask("iommufd")).isEqualTo("done");
            assertThat(peer.ask("change-process")).isEqualTo("IOAS_CHANGE_PROCESS EINVAL");
            buffer.close();
            assertThat(peer.ask("change-process")).isEqualTo("done");
        }
    }

    @Test
    void aFileIsMappedByTheRulesOfAnyMemory() {
        iommufd.openDevice(machine.loner()).attach(ioas);
        DmaFile file = vfio.createDmaFile(8192);
        DmaBuffer buffer = ioas.mapAt(0x100000, file, Access.READ);
        assertRefused(Rule.IOAS_MAP_OVERLAP, () -> ioas.mapAt(0x101000, file, Access.READ));
        assertRefused(Rule.IOAS_MAP_RANGE, () -> ioas.mapAt(0xfee00000L, file, Access.READ));
        assertRefused(Rule.IOAS_MAP_IOVA_ALIGNED, () -> ioas.mapAt(0x200800, file, Access.READ));
        assertRefused(Rule.IOAS_MAP_WRITABLE, () -> ioas.copy(buffer, Access.WRITE));
        ioas.close();
        assertRefused(Rule.HANDLE_OPEN, () -> ioas.map(file, Access.READ));
    }
}
