package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class IoEventFdTest {
    private final FakeKernel kernel = new FakeKernel();
    private final Vfio vfio = Vfio.on(kernel, Contract.STRICT);
    private final Device device;
    private final Region bar;

    IoEventFdTest() {
        kernel.deviceInfo = new DeviceInfo(DeviceInfo.Bus.PCI, true, 9, 5, List.of());
        kernel.config = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);
        device = vfio.openDevice(FakeKernel.ADDRESS);
        bar = device.region(0);
        kernel.newCalls();
    }

    @AfterEach
    void close() {
        vfio.close();
    }

    @Test
    void aDeviceHasAThousandAtMost() {
        for (int i = 0; i < 1000; i++) {
            bar.ioEventFd(8, 4, i);
        }
        kernel.newCalls();
        RuleViolation e = catchThrowableOfType(RuleViolation.class, () -> bar.ioEventFd(8, 4, 1000));
        assertThat(e.rule()).contains(Rule.IOEVENTFD_LIMIT);
        assertThat(kernel.newCalls()).doesNotContain("open event");
    }

    @Test
    void theEventfdIsClosedWhenTheKernelRefuses() {
        kernel.failures.put(Operation.IOEVENTFD, Errno.EINVAL);
        VfioException e = catchThrowableOfType(VfioException.class, () -> bar.ioEventFd(8, 4, 1));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(kernel.newCalls()).containsSubsequence("open event", "write 1 to 8 as 4 at event", "close event");
        kernel.failures.clear();
        bar.ioEventFd(8, 4, 1);
    }

    @Test
    void itIsTakenOffTheRegisterBeforeItsEventfdIsClosedAndOnce() {
        IoEventFd event = bar.ioEventFd(8, 2, 0x12345);
        event.signal();
        event.close();
        event.close();
        assertThat(kernel.newCalls())
                .filteredOn(call -> !call.equals("read"))
                .containsExactly(
                        "open event", "write 2345 to 8 as 2 at event", "write 2345 to 8 as 2 never", "close event");
    }

    @Test
    void allOfThemEndBeforeTheDeviceDoes() {
        bar.ioEventFd(8, 4, 1);
        bar.ioEventFd(8, 4, 2);
        kernel.newCalls();
        device.close();
        assertThat(kernel.newCalls())
                .containsSubsequence(
                        "write 1 to 8 as 4 never",
                        "close event",
                        "write 2 to 8 as 4 never",
                        "close event",
                        "close device");
    }
}
