package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.gen.vfio_h;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.IrqAction;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** {@code VFIO_DEVICE_SET_IRQS} byte by byte. */
class IrqSetTest {
    private byte[] sent;
    private MemorySegment memory;
    private int answer;
    private int eventfds = 100;

    private final NoSyscalls syscalls = new NoSyscalls() {
        @Override
        public int ioctl(Frame frame, int fd, int request, MemorySegment argument) {
            assertThat(fd).isEqualTo(7);
            assertThat(request).isEqualTo(vfio_h.VFIO_DEVICE_SET_IRQS());
            sent = argument.asSlice(0, argument.get(JAVA_INT, 0)).toArray(JAVA_BYTE);
            memory = argument;
            return answer;
        }

        @Override
        public int eventfd(Frame frame, int initial, int flags) {
            assertThat(initial).isZero();
            assertThat(flags).isEqualTo(EFD_CLOEXEC | EFD_NONBLOCK);
            return eventfds++;
        }

        @Override
        public int close(Frame frame, int fd) {
            return 0;
        }
    };

    private final FfmDevice device = new FfmDevice(new Fd(syscalls, 7, "0000:00:05.0"));

    /** argsz, flags, index, start, count. */
    private void assertHeader(int... header) {
        assertThat(MemorySegment.ofArray(sent).asSlice(0, 20).toArray(JAVA_INT.withByteAlignment(1)))
                .containsExactly(header);
    }

    @Test
    void noDataIsAHeaderAlone() {
        device.setIrqs(2, IrqAction.TRIGGER, 3, 4);
        assertHeader(20, 0x21, 2, 3, 4); // ACTION_TRIGGER, DATA_NONE
        device.setIrqs(0, IrqAction.MASK, 0, 1);
        assertHeader(20, 0x09, 0, 0, 1);
        device.setIrqs(0, IrqAction.UNMASK, 0, 1);
        assertHeader(20, 0x11, 0, 0, 1);
    }

    @Test
    void boolsAreAByteEach() {
        device.setIrqs(2, IrqAction.TRIGGER, 1, new boolean[] {true, false, true});
        assertHeader(23, 0x22, 2, 1, 3); // DATA_BOOL
        assertThat(Arrays.copyOfRange(sent, 20, 23)).containsExactly(1, 0, 1);
    }

    @Test
    void eventsAreTheirDescriptorsAndMinusOneForNone() {
        EventPort[] events = {FfmEvent.open(syscalls), null, FfmEvent.open(syscalls)};
        assertThat(device.setIrqs(1, IrqAction.TRIGGER, 0, events)).isZero();
        assertHeader(32, 0x24, 1, 0, 3); // DATA_EVENTFD
        assertThat(MemorySegment.ofArray(sent).asSlice(20).toArray(JAVA_INT.withByteAlignment(1)))
                .containsExactly(100, -1, 101);
    }

    @Test
    void aPositiveAnswerIsPassedOnAndANegativeOneIsAnError() {
        EventPort[] events = {FfmEvent.open(syscalls)};
        answer = 5;
        assertThat(device.setIrqs(1, IrqAction.TRIGGER, 0, events)).isEqualTo(5);
        answer = -Errno.EBUSY.number();
        assertThatExceptionOfType(VfioException.class)
                .isThrownBy(() -> device.setIrqs(1, IrqAction.TRIGGER, 0, events))
                .withMessageContaining("VFIO_DEVICE_SET_IRQS failed with EBUSY (16): 0000:00:05.0");
    }

    @Test
    void whatFitsIntoAFrameUsesItAndMoreGetsMemoryOfItsOwn() {
        int most = (Frame.ARG_BYTES - 20) / Integer.BYTES;
        device.setIrqs(2, IrqAction.TRIGGER, 0, new EventPort[most]);
        MemorySegment frame = memory;
        device.setIrqs(2, IrqAction.TRIGGER, 0, 0);
        assertThat(memory.address()).isEqualTo(frame.address());
        EventPort[] events = new EventPort[2048]; // as many as MSI-X can have
        events[2047] = FfmEvent.open(syscalls);
        device.setIrqs(2, IrqAction.TRIGGER, 0, events);
        assertThat(memory.address()).isNotEqualTo(frame.address());
        assertHeader(20 + 4 * 2048, 0x24, 2, 0, 2048);
        assertThat(MemorySegment.ofArray(sent).get(JAVA_INT.withByteAlignment(1), 20 + 4 * 2047)).isEqualTo(100);
        assertThat(MemorySegment.ofArray(sent).get(JAVA_INT.withByteAlignment(1), 20 + 4 * 2046)).isEqualTo(-1);
    }

    @Test
    void aClosedEventIsRefusedAndTheOthersCanBeClosed() {
        EventPort[] events = {FfmEvent.open(syscalls), FfmEvent.open(syscalls)};
        events[1].close();
        assertThatExceptionOfType(VfioException.class)
                .isThrownBy(() -> device.setIrqs(2, IrqAction.TRIGGER, 0, events))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EBADF));
        assertThat(sent).isNull();
        events[0].close(); // would hang if a call still held it
    }
}
