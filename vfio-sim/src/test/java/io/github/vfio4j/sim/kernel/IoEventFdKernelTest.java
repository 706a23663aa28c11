package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.IoEventFd;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Region;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** With QEMU's edu device, which raises an interrupt when a register is written. */
class IoEventFdKernelTest extends KernelTest {
    private static final int STATUS = 0x24;
    private static final int RAISE = 0x60;
    private static final int ACKNOWLEDGE = 0x64;
    private static final Duration LONG = Duration.ofSeconds(60);

    private Device edu;
    private Region bar;

    @BeforeEach
    void openEdu() {
        edu = open(machine.loner()).device();
        bar = edu.region(0);
    }

    @Test
    void aSignalWritesTheRegister() {
        edu.config().enableBusMaster();
        Interrupt interrupt = edu.irq(PciIrq.MSI).enable().get(0);
        Mmio registers = bar.map();
        IoEventFd first = bar.ioEventFd(RAISE, 4, 1);
        IoEventFd second = bar.ioEventFd(RAISE, 4, 2);
        second.signal();
        assertThat(interrupt.await(LONG)).isPositive();
        assertThat(registers.read32Opaque(STATUS)).isEqualTo(2);
        registers.write32Opaque(ACKNOWLEDGE, 2);
        first.signal();
        assertThat(interrupt.await(LONG)).isPositive();
        assertThat(registers.read32Opaque(STATUS) & 1).isEqualTo(1);
        registers.write32Opaque(ACKNOWLEDGE, 3);
    }

    @Test
    void oneEventfdWritesOneValueToARegister() {
        IoEventFd first = bar.ioEventFd(RAISE, 4, 1);
        assertRefused(Rule.IOEVENTFD_ONCE, () -> bar.ioEventFd(RAISE, 4, 1));
        bar.ioEventFd(RAISE, 4, 2);
        bar.ioEventFd(RAISE, 2, 1);
        bar.ioEventFd(RAISE, 1, 0x1ff);
        assertRefused(Rule.IOEVENTFD_ONCE, () -> bar.ioEventFd(RAISE, 1, 0xff)); // the same 8 bits
        first.close();
        first.close();
        bar.ioEventFd(RAISE, 4, 1).close();
    }

    @Test
    void aClosedOneIsNotSignalled() {
        IoEventFd event = bar.ioEventFd(RAISE, 4, 1);
        event.close();
        assertThat(catchThrowableOfType(VfioException.class, event::signal).errno()).isEqualTo(Errno.EBADF);
    }

    @Test
    void theRegisterMustBeInABar() {
        assertRefused(Rule.IOEVENTFD_BAR, () -> edu.region(7).ioEventFd(4, 2, 0));
        assertRefused(Rule.IOEVENTFD_INSIDE, () -> bar.ioEventFd(bar.info().size() - 2, 4, 0));
        assertRefused(Rule.IOEVENTFD_INSIDE, () -> bar.ioEventFd(-4, 4, 0));
        assertRefused(Rule.IOEVENTFD_INSIDE, () -> edu.region(5).ioEventFd(0, 4, 0)); // a BAR that is not there
        assertThatIllegalArgumentException().isThrownBy(() -> bar.ioEventFd(0, 3, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> bar.ioEventFd(0, 16, 0));
    }

    @Test
    void theMsixTableIsLeftAlone() {
        Device nvme = open(machine.nvme()).device();
        PciConfig.MsixTable table = nvme.config().msixTable().orElseThrow();
        Region region = nvme.region(table.bar());
        assertRefused(Rule.IOEVENTFD_MSIX, () -> region.ioEventFd(table.offset(), 4, 0));
        assertRefused(Rule.IOEVENTFD_MSIX, () -> region.ioEventFd(table.offset() + table.size() - 1, 1, 0));
        region.ioEventFd(table.offset() + table.size(), 4, 0);
    }

    @Test
    void newKernelsWriteNoEightBytes() {
        if (vfio.kernelName().contains("Linux 6.")) {
            bar.ioEventFd(RAISE, 8, 1);
            return;
        }
        VfioException e = catchThrowableOfType(VfioException.class, () -> bar.ioEventFd(RAISE, 8, 1));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(e).hasMessageContaining(Rule.IOEVENTFD_WIDTH.broken());
    }

    @Test
    void theyEndWithTheDevice() {
        IoEventFd event = bar.ioEventFd(RAISE, 4, 1);
        edu.close();
        assertThat(catchThrowableOfType(VfioException.class, event::signal).errno()).isEqualTo(Errno.EBADF);
        assertRefused(Rule.HANDLE_OPEN, () -> bar.ioEventFd(RAISE, 4, 1));
    }
}
