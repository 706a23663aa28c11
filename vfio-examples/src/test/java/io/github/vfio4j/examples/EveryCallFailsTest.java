package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Access;
import io.github.vfio4j.Contract;
import io.github.vfio4j.Device;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.Waiter;
import io.github.vfio4j.sim.CallFilter;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.nvme.NvmeModel;
import java.io.OutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Every system call of a program fails in turn with each errno that it can give. Each time the program ends with an
 * exception that says which operation failed, how, and what to do next, or it goes on where that is right; and either
 * way nothing stays open, mapped or pinned.
 */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EveryCallFailsTest {
    private static final PciAddress NVME = PciAddress.parse("0000:00:05.0");

    /** Calls that a signal may interrupt; they are made again. */
    private static final Set<String> REPEATED = Set.of("open", "pread", "pwrite", "read", "write", "epoll_wait");
    /** An eventfd that cannot be read has counted nothing, and one that cannot be written can be read as it is. */
    private static final Set<String> EVENT_CALLS = Set.of("read", "write");

    private static final Set<String> OPENS_A_GROUP = Set.of("open", "statx");

    private interface Program {
        void run(Vfio vfio);
    }

    @Test
    void theDemoEndsWithAClearExceptionAndNothingLeftWhicheverCallFails() {
        PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
        failEveryCall(vfio -> new Demo(vfio, nowhere, 1, false).run(Optional.empty()));
    }

    @Test
    void aProgramThatWaitsForInterruptsEndsWithAClearExceptionAndNothingLeftWhicheverCallFails() {
        failEveryCall(vfio -> {
            try (Device device = vfio.openDevice(NVME, OpenedBy.GROUP)) {
                useInterrupts(vfio, device);
            }
        });
    }

    @Test
    void soDoesOneThatOpensTheDeviceByItsOwnNode() {
        failEveryCall(vfio -> {
            try (Device device = vfio.openDevice(NVME)) {
                useInterrupts(vfio, device);
            }
        });
    }

    /** What the demo leaves out: the short road, interrupts in three ways, reset, several buffers, dirty pages. */
    private static void useInterrupts(Vfio vfio, Device device) {
        DmaBuffer memory = device.iommu().allocate(8192, Access.READ_WRITE);
        DmaBuffer second = device.iommu().allocate(4096, Access.READ);
        device.region(0).map();
        device.reset();
        device.config().enableBusMaster();
        if (device.iommu() instanceof Type1 type1) {
            try (DirtyTracking _ = type1.trackDirtyPages()) {
                second.close();
            }
        }
        Interrupts vectors = device.irq(PciIrq.MSIX).enable(0, 2);
        Interrupt first = vectors.get(0);
        first.trigger();
        count(first.await(Duration.ofSeconds(10)));
        try (Waiter waiter = vfio.openWaiter()) {
            waiter.add(vectors.get(0));
            waiter.add(vectors.get(1));
            vectors.trigger(0, false, true);
            while (waiter.await(Duration.ofSeconds(10), (_, count) -> count(count)) == 0) {
                Thread.onSpinWait();
            }
            waiter.remove(vectors.get(0));
        }
        vectors.add(2, 1);
        vectors.close();
        Interrupts again = device.irq(PciIrq.MSIX).enable(0, 1);
        Waiter left = vfio.openWaiter();
        left.add(again.get(0));
        memory.close();
    }

    private static void count(long count) {
        assertThat(count).isPositive();
    }

    /** A run in which one call fails. */
    private static final class Failing implements CallFilter {
        private final int number;
        private final int errno;
        private int calls;
        String before = "";
        String failed = "";
        List<Errno> errnos = List.of();

        /** Fails one call, counted from 0, with one of its errnos, counted likewise. */
        Failing(int number, int errno) {
            this.number = number;
            this.errno = errno;
        }

        @Override
        public synchronized int errno(String call, int request, int fd) {
            String name = request == 0 ? call : "%s 0x%x".formatted(call, request);
            if (calls++ != number) {
                before = calls <= number ? name : before;
                return PASS;
            }
            errnos = CallErrnos.of(call, request);
            failed = name;
            return errno < errnos.size() ? errnos.get(errno).number() : PASS;
        }
    }

    private static void failEveryCall(Program program) {
        int runs = 0;
        int recovered = 0;
        List<String> wrong = new ArrayList<>();
        boolean reached = true;
        for (int number = 0; reached; number++) {
            int errnos = 1;
            for (int errno = 0; errno < errnos; errno++) {
                Failing failing = new Failing(number, errno);
                Result result = run(program, failing);
                errnos = failing.errnos.size();
                reached = errnos > 0;
                if (reached) {
                    runs++;
                    recovered += result.thrown == null ? 1 : 0;
                    judge(result, failing, number, wrong);
                } else {
                    assertThat(result.thrown).isNull();
                    assertThat(result.leaks).isEmpty();
                }
            }
        }
        System.out.println(runs + " runs with a call that fails, " + recovered + " of them to the end");
        assertThat(runs).isGreaterThan(100);
        assertThat(wrong).isEmpty();
    }

    private record Result(Throwable thrown, List<String> leaks, List<String> faults) {}

    private static Result run(Program program, CallFilter filter) {
        SimMachine machine = SimMachine.builder()
                .device(NVME, new NvmeModel(1 << 20, 512), 4, SimMachine.VFIO_PCI)
                .build();
        Throwable thrown = null;
        try (Vfio vfio = machine.startProcess().open(Contract.STRICT, filter)) {
            program.run(vfio);
        } catch (Throwable e) { // also what no program should throw
            thrown = e;
        }
        Result result = new Result(
                thrown,
                machine.leaks(),
                machine.faults().stream().map(Object::toString).toList());
        machine.close();
        return result;
    }

    private static void judge(Result result, Failing failing, int number, List<String> wrong) {
        String call = "call %d, %s, with %s: ".formatted(number, failing.failed, failing.errnos.get(failing.errno));
        if (!isRight(result.thrown, failing)) {
            wrong.add(call + "ended with " + result.thrown);
        }
        // What the kernel does not unmap stays, and a BAR that stays keeps its device open; closing has said so.
        boolean mayStay = failing.failed.equals("munmap") || failing.failed.equals("vacate");
        if (!result.leaks.stream().allMatch(leak -> mayStay && leak.matches(".* mapped: .*|device .* is open"))) {
            wrong.add(call + result.leaks);
        }
        if (!result.faults.isEmpty()) {
            wrong.add(call + result.faults);
        }
    }

    private static boolean isRight(Throwable thrown, Failing failing) {
        Errno errno = failing.errnos.get(failing.errno);
        if (errno.equals(Errno.EINTR) && REPEATED.contains(failing.failed)
                || errno.equals(Errno.EAGAIN) && EVENT_CALLS.contains(failing.failed)
                || failing.failed.equals("close")) {
            return thrown == null;
        }
        if (errno.equals(Errno.ENOENT) && failing.failed.equals("sysfs") && thrown != null) {
            return thrown.getMessage().contains("\n  next "); // there is no such device, group or driver
        }
        return thrown == null ? isAnAnswer(errno, failing) : isClear(thrown, errno);
    }

    /** Is the refusal an answer that the program goes on with? */
    private static boolean isAnAnswer(Errno errno, Failing failing) {
        return switch (failing.failed) {
            // A function without a driver, or one that was just unplugged; and when a group is opened, the question
            // whether an IOMMU is behind it: where sysfs is hidden, it is taken for one that has.
            case "sysfs" -> errno.equals(Errno.ENOENT) || OPENS_A_GROUP.contains(failing.before);
            case "ioctl 0x3b71" -> failing.before.equals("ioctl 0x3b66"); // a question put as a mapping of nothing
            case "ioctl 0x3b69" -> errno.equals(Errno.EINVAL); // out of the container already
            case "ioctl 0x3b6d" -> errno.equals(Errno.EINVAL); // a device that reports no requests, or no errors
            case "ioctl 0x3b6e" -> errno.equals(Errno.EINVAL); // interrupts that another handle disabled already
            case "access" -> true; // then it goes through the group
            case "statx" -> errno.equals(Errno.ENOENT); // a group that nobody can open hinders nobody
            default -> false;
        };
    }

    /** Does an exception say what failed, how, and what to do next? */
    private static boolean isClear(Throwable thrown, Errno errno) {
        return thrown instanceof VfioException e
                && e.operation() != null
                && e.errno().equals(errno)
                && e.getMessage().contains(e.operation().kernelName())
                && e.getMessage().contains(errno.toString())
                && e.getMessage().contains("\n  next ");
    }
}
