package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PageFault.Permission;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.FaultQueuePort.Fault;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The bytes of page faults and of their answers. */
class FaultQueueTest {
    private static final int FAULT_QUEUE_ALLOC = 0x3b8e;
    private static final int FAULT = 40;
    private static final int PASID_VALID = 1;
    private static final int LAST_PAGE = 2;

    private final Calls calls = new Calls();
    private final FfmFaultQueue queue = new FfmFaultQueue(new Fd(calls, 9, "fault queue 5"), 5);

    /** A queue that has one group, and takes answers. */
    private static final class Calls extends AnsweredIoctls {
        final List<int[]> group = new ArrayList<>(); // each fault as its ten words
        final List<Long> reads = new ArrayList<>();
        String written = "";
        long takes = 8;

        @Override
        public long read(Frame frame, int fd, MemorySegment target) {
            reads.add(target.byteSize());
            if (target.byteSize() < (long) group.size() * FAULT) {
                return -Errno.EINVAL.number();
            }
            for (int i = 0; i < group.size(); i++) {
                MemorySegment.copy(group.get(i), 0, target, JAVA_INT, (long) i * FAULT, 10);
            }
            return (long) group.size() * FAULT;
        }

        @Override
        public long write(Frame frame, int fd, MemorySegment source) {
            written = HexFormat.of().formatHex(source.toArray(JAVA_BYTE));
            return takes;
        }
    }

    @Test
    void aQueueIsANumberAndAFile() {
        calls.kernel = alloc -> {
            assertThat(alloc.asSlice(0, 16).toArray(JAVA_INT)).containsExactly(16, 0, 0, 0);
            alloc.set(JAVA_INT, 8, 5);
            alloc.set(JAVA_INT, 12, 9);
            return 0;
        };
        FfmFaultQueue made = (FfmFaultQueue) new FfmIommufd(new Fd(calls, 4, "iommufd")).allocateFaultQueue();
        assertThat(calls.request).isEqualTo(FAULT_QUEUE_ALLOC);
        assertThat(made.id()).isEqualTo(5);
        assertThat(made.fd().number).isEqualTo(9);
    }

    @Test
    void aPageTableNamesItsQueue() {
        FfmIommufd iommufd = new FfmIommufd(new Fd(calls, 4, "iommufd"));
        calls.kernel = alloc -> {
            assertThat(alloc.get(JAVA_INT, 4)).as("flags").isEqualTo(4);
            assertThat(alloc.get(JAVA_LONG, 40)).as("fault_id and padding").isEqualTo(5);
            return 0;
        };
        iommufd.allocateHwpt(1, 2, Set.of(), OptionalInt.of(5));
        iommufd.allocateNested(1, 2, new GuestPageTable.ArmSmmuV3(0, 0), OptionalInt.of(5));
    }

    @Test
    void anEmptyQueueGivesNothing() {
        assertThat(queue.read()).isEmpty();
    }

    @Test
    void aGroupOfFaultsIsReadWhole() {
        calls.group.add(new int[] {PASID_VALID, 7, 0xabcde, 3, 0b1010, 0, 0x5000, 0x12, 8192, 77});
        calls.group.add(new int[] {LAST_PAGE, 7, 0, 3, 0b0101, 0, -4096, -1, 0, 77});
        assertThat(queue.read())
                .containsExactly(
                        new Fault(
                                7,
                                OptionalInt.of(0xabcde),
                                false,
                                3,
                                Set.of(Permission.WRITE, Permission.PRIVILEGED),
                                0x12_0000_5000L,
                                8192,
                                77),
                        new Fault(
                                7,
                                OptionalInt.empty(),
                                true,
                                3,
                                Set.of(Permission.READ, Permission.EXECUTE),
                                -4096,
                                0,
                                77));
    }

    @Test
    void aLargeGroupGetsALargerBuffer() {
        for (int i = 0; i < 1500; i++) {
            calls.group.add(new int[] {i == 1499 ? LAST_PAGE : 0, 7, 0, 3, 1, 0, 4096 * i, 0, 0, 77});
        }
        assertThat(queue.read()).hasSize(1500).last().satisfies(fault -> assertThat(fault.last()).isTrue());
        assertThat(calls.reads).containsExactly(512L * FAULT, 1024L * FAULT, 2048L * FAULT);
    }

    @Test
    void aPartOfAGroupIsABrokenAnswer() {
        calls.group.add(new int[] {0, 7, 0, 3, 1, 0, 4096, 0, 0, 77});
        VfioException e = catchThrowableOfType(VfioException.class, queue::read);
        assertThat(e.operation()).isEqualTo(Operation.FAULT_QUEUE_READ);
        assertThat(e.errno()).isEqualTo(Errno.EPROTO);
    }

    @Test
    void anAnswerHasTheCookieAndACode() {
        queue.respond(0x01020304, true);
        assertThat(calls.written).isEqualTo("0403020100000000");
        queue.respond(77, false);
        assertThat(calls.written).isEqualTo("4d00000001000000");
    }

    @Test
    void anAnswerThatTheKernelDoesNotTakeIsAnError() {
        calls.takes = -Errno.EINVAL.number();
        VfioException e = catchThrowableOfType(VfioException.class, () -> queue.respond(77, true));
        assertThat(e.operation()).isEqualTo(Operation.FAULT_QUEUE_WRITE);
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        calls.takes = 4;
        assertThat(catchThrowableOfType(VfioException.class, () -> queue.respond(77, true)).errno())
                .isEqualTo(Errno.EPROTO);
    }
}
