package io.github.vfio4j.bench;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.nvme.NvmeController;
import io.github.vfio4j.examples.nvme.NvmeNamespace;
import io.github.vfio4j.examples.nvme.NvmeQueue;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;

/**
 * Instructions that the library takes on Linux in the VM, where a nanosecond of the guest is an instruction ({@code vm/run
 * --count-instructions}). Prints what {@code c/guest.c} prints, and measures as it does.
 */
final class Guest {
    private static final int BATCH = 1000;
    private static final long LIVENESS = 4; // edu's register that is always there
    private static final int BLOCKS = 8;
    private static final int DEPTH = 32;
    private static final int PAGE = 4096;

    /** Batches until the JIT has done its work, and as many that count. */
    private static final int WARM_UP = 2000;

    private static final int ROUNDS = 200;

    private static Mmio constant;
    private static volatile int sink;

    private static long empty = Long.MAX_VALUE;

    private Guest() {}

    /**
     * Counts.
     *
     * @param arguments the addresses of edu and of the NVMe controller
     */
    public static void main(String[] arguments) {
        for (int i = 0; i < 100_000; i++) {
            long start = System.nanoTime();
            empty = Math.min(empty, System.nanoTime() - start);
        }
        try (Vfio vfio = Vfio.open()) {
            Device edu = vfio.openDevice(PciAddress.parse(arguments[0]));
            edu.config().enableMemory();
            constant = edu.region(0).map();
            Constant.register();
            new Field(constant).register();
            ioctls(vfio);
            nvme(vfio.openDevice(PciAddress.parse(arguments[1])));
        }
    }

    /** The mapping in a constant: a driver's {@code static final} field. */
    private static final class Constant {
        private static final Mmio REGISTERS = constant;

        static void register() {
            report("register read, constant mapping", BATCH, Constant::reads);
            report("register write, constant mapping", BATCH, Constant::writes);
        }

        private static void reads() {
            int sum = 0;
            for (int i = 0; i < BATCH; i++) {
                sum += REGISTERS.read32Opaque(LIVENESS);
            }
            sink = sum;
        }

        private static void writes() {
            for (int i = 0; i < BATCH; i++) {
                REGISTERS.write32Release(LIVENESS, i);
            }
        }
    }

    /** The mapping in an object's field, of which the JIT knows nothing. */
    private static final class Field {
        private Mmio registers;

        Field(Mmio registers) {
            this.registers = registers;
        }

        void register() {
            report("register read, mapping in a field", BATCH, this::reads);
            report("register write, mapping in a field", BATCH, this::writes);
        }

        private void reads() {
            int sum = 0;
            for (int i = 0; i < BATCH; i++) {
                sum += registers.read32Opaque(LIVENESS);
            }
            sink = sum;
        }

        private void writes() {
            for (int i = 0; i < BATCH; i++) {
                registers.write32Release(LIVENESS, i);
            }
        }
    }

    private static void ioctls(Vfio vfio) {
        try (Container container = vfio.openContainer()) {
            report("ioctl", BATCH, () -> {
                for (int i = 0; i < BATCH; i++) {
                    if (!container.supports(IommuType.TYPE1_V2)) {
                        throw new IllegalStateException("no type1 v2");
                    }
                }
            });
        }
    }

    private static void nvme(Device device) {
        device.config().enableMemory();
        device.config().enableBusMaster();
        try (NvmeController controller =
                NvmeController.start(device.region(0).map(), device.iommu().allocate(1 << 20, Access.READ_WRITE))) {
            NvmeQueue queue = controller.createQueue(2 * DEPTH);
            NvmeNamespace namespace = controller.namespaces().getFirst();
            DmaBuffer data = device.iommu().allocate(DEPTH * PAGE, Access.READ_WRITE);
            reads("NVMe read, a doorbell each", true, queue, namespace, data.iova());
            reads("NVMe read, a doorbell for 32", false, queue, namespace, data.iova());
        }
    }

    private static void reads(
            String name, boolean doorbellEach, NvmeQueue queue, NvmeNamespace namespace, long iova) {
        long submits = Long.MAX_VALUE;
        long reaps = Long.MAX_VALUE;
        for (int round = 0; round < WARM_UP + ROUNDS; round++) {
            if (round == WARM_UP) {
                letTheJitFinish();
                submits = Long.MAX_VALUE;
                reaps = Long.MAX_VALUE;
            }
            long start = System.nanoTime();
            submit(doorbellEach, queue, namespace, iova);
            submits = Math.min(submits, System.nanoTime() - start);
            if (round >= WARM_UP) {
                letItWork();
            }
            start = System.nanoTime();
            int reaped = reap(queue);
            long took = System.nanoTime() - start;
            if (reaped == DEPTH) {
                reaps = Math.min(reaps, took);
            }
            for (; reaped < DEPTH; reaped++) {
                queue.await();
            }
        }
        print(name + ", submit", submits, DEPTH);
        print(name + ", reap", reaps, DEPTH);
    }

    private static void submit(boolean doorbellEach, NvmeQueue queue, NvmeNamespace namespace, long iova) {
        for (int i = 0; i < DEPTH; i++) {
            namespace.submitRead(queue, i * BLOCKS, BLOCKS, iova + i * PAGE);
            if (doorbellEach) {
                queue.ring();
            }
        }
        if (!doorbellEach) {
            queue.ring();
        }
    }

    private static int reap(NvmeQueue queue) {
        int reaped = 0;
        while (reaped < DEPTH && queue.reap() != NvmeQueue.NONE) {
            if (queue.status() != 0) {
                throw new IllegalStateException("NVMe status 0x" + Integer.toHexString(queue.status()));
            }
            reaped++;
        }
        return reaped;
    }

    /** The device works in the host's time: give it some, and count no waiting. */
    private static void letItWork() {
        for (int i = 0; i < 100_000; i++) {
            Thread.onSpinWait();
        }
    }

    private static void report(String name, int operations, Runnable batch) {
        long least = Long.MAX_VALUE;
        for (int round = 0; round < WARM_UP + ROUNDS; round++) {
            if (round == WARM_UP) {
                letTheJitFinish();
                least = Long.MAX_VALUE;
            }
            long start = System.nanoTime();
            batch.run();
            least = Math.min(least, System.nanoTime() - start);
        }
        print(name, least, operations);
    }

    /** The JIT has the same processor: it must not be at work while we count. */
    private static void letTheJitFinish() {
        LockSupport.parkNanos(200_000_000);
    }

    private static void print(String name, long took, int operations) {
        System.out.printf(Locale.ROOT, "%s\t%.1f%n", name, (double) (took - empty) / operations);
    }
}
