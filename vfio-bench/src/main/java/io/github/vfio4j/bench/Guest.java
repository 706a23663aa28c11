package io.github.vfio4j.bench;

import io.github.vfio4j.Access;
import io.github.vfio4j.AddressSpace;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.e1000e.E1000e;
import io.github.vfio4j.examples.net.L2Forwarder;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.examples.nvme.NvmeController;
import io.github.vfio4j.examples.nvme.NvmeNamespace;
import io.github.vfio4j.examples.nvme.NvmeQueue;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
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
    private static final int RING_ENTRIES = 512;
    private static final int PACKETS = 2048;
    private static final int PACKET_BYTES = 60;
    private static final int MAPPED = 60_000;
    private static final int MAP_BATCH = 20;
    private static final long HIGH = 1L << 32; // above all that is placed by the library

    /** Rounds until the JIT has done its work. */
    private static final int WARM_UP = 2000;

    /** The same where a round is one call of what is measured, or a few. */
    private static final int LONG_WARM_UP = 10_000;

    private static final int ROUNDS = 200;

    /** Rounds between two pauses for the JIT, which has the same processor: what it could not finish, it would put off. */
    private static final int PAUSE = 500;

    /** For the device: few while the JIT learns, and then enough. */
    private static final int FEW_SPINS = 100;

    private static final int SPINS = 100_000;

    private static final int[] COMMANDS = new int[DEPTH];
    private static final int[] STATUSES = new int[DEPTH];

    private static Mmio constant;
    private static volatile int sink;
    private static int arrived;

    private static long empty = Long.MAX_VALUE;

    private Guest() {}

    /**
     * Counts.
     *
     * @param arguments the addresses of edu, of the NVMe controller, and of two network cards with a wire between them
     */
    public static void main(String[] arguments) {
        for (int i = 0; i < 100_000; i++) {
            empty = Math.min(empty, batchTime(() -> {}));
        }
        try (Vfio vfio = Vfio.open()) {
            Device edu = vfio.openDevice(PciAddress.parse(arguments[0]), OpenedBy.GROUP);
            edu.config().enableMemory();
            constant = edu.region(0).map();
            Constant.register();
            new Field(constant).register();
            ioctls(vfio);
            mappings(edu.iommu());
            nvme(vfio.openDevice(PciAddress.parse(arguments[1]), OpenedBy.GROUP));
            packets(
                    vfio.openDevice(PciAddress.parse(arguments[2]), OpenedBy.GROUP),
                    vfio.openDevice(PciAddress.parse(arguments[3]), OpenedBy.GROUP));
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

    /** All checks of a mapping, with nearly as many of them as a container holds. */
    private static void mappings(AddressSpace space) {
        MemorySegment page = Arena.global().allocate(PAGE, PAGE);
        for (int i = 0; i < MAPPED; i++) {
            space.mapAt(HIGH + (long) i * PAGE, page, Access.READ_WRITE);
        }
        report("map and unmap a page", MAP_BATCH, () -> {
            for (int i = 0; i < MAP_BATCH; i++) {
                space.map(page, Access.READ_WRITE).close();
            }
        });
        space.unmap(HIGH, (long) MAPPED * PAGE);
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
        long[] least = least(LONG_WARM_UP, 2, (spins, took) -> {
            took[0] = submitTime(doorbellEach, queue, namespace, iova);
            letItWork(spins);
            took[1] = reapTime(doorbellEach, queue);
            if (arrived < DEPTH) {
                took[1] = Long.MAX_VALUE;
            }
            for (; arrived < DEPTH; arrived++) {
                queue.await();
            }
        });
        print(name + ", submit", least[0], DEPTH);
        print(name + ", reap", least[1], DEPTH);
    }

    /** Returns the time that it took. */
    private static long submitTime(boolean doorbellEach, NvmeQueue queue, NvmeNamespace namespace, long iova) {
        long start = System.nanoTime();
        if (doorbellEach) {
            submitEach(queue, namespace, iova);
        } else {
            submitAll(queue, namespace, iova);
        }
        return System.nanoTime() - start;
    }

    private static void submitEach(NvmeQueue queue, NvmeNamespace namespace, long iova) {
        for (int i = 0; i < DEPTH; i++) {
            namespace.submitRead(queue, i * BLOCKS, BLOCKS, iova + i * PAGE);
            queue.ring();
        }
    }

    private static void submitAll(NvmeQueue queue, NvmeNamespace namespace, long iova) {
        for (int i = 0; i < DEPTH; i++) {
            namespace.submitRead(queue, i * BLOCKS, BLOCKS, iova + i * PAGE);
        }
        queue.ring();
    }

    /** Returns the time that it took. */
    private static long reapTime(boolean doorbellEach, NvmeQueue queue) {
        long start = System.nanoTime();
        arrived = doorbellEach ? reapEach(queue) : reapAtOnce(queue);
        return System.nanoTime() - start;
    }

    private static int reapEach(NvmeQueue queue) {
        int reaped = 0;
        while (reaped < DEPTH && queue.reap() != NvmeQueue.NONE) {
            checkStatus(queue.status());
            reaped++;
        }
        return reaped;
    }

    private static int reapAtOnce(NvmeQueue queue) {
        int reaped = queue.reap(COMMANDS, STATUSES, DEPTH);
        for (int i = 0; i < reaped; i++) {
            checkStatus(STATUSES[i]);
        }
        return reaped;
    }

    private static void checkStatus(int status) {
        if (status != 0) {
            throw new IllegalStateException("NVMe status 0x" + Integer.toHexString(status));
        }
    }

    /** A peer sends a burst; when all of it is there, it is forwarded in one go, and nothing waits. */
    private static void packets(Device portDevice, Device peerDevice) {
        PacketPool pool = pool(portDevice);
        PacketPool peerPool = pool(peerDevice);
        try (E1000e port = port(portDevice, pool);
                E1000e peer = port(peerDevice, peerPool)) {
            while (!port.linkUp() || !peer.linkUp()) {
                LockSupport.parkNanos(1_000_000);
            }
            L2Forwarder forwarder = new L2Forwarder(pool, port);
            int[] burst = new int[L2Forwarder.BURST];
            long[] least = least(LONG_WARM_UP, 1, (spins, took) -> {
                for (int i = 0; i < burst.length; i++) {
                    burst[i] = peerPool.take();
                    peerPool.length(burst[i], PACKET_BYTES);
                }
                if (peer.send(burst, burst.length) != burst.length) {
                    throw new IllegalStateException("the peer's ring is full");
                }
                letItWork(spins);
                took[0] = forwardTime(forwarder);
                if (arrived < burst.length) {
                    took[0] = Long.MAX_VALUE;
                }
                while (arrived < burst.length) {
                    arrived += forwarder.poll();
                }
                for (int back = 0; back < burst.length; ) {
                    int some = peer.receive(burst, burst.length);
                    for (int i = 0; i < some; i++) {
                        peerPool.give(burst[i]);
                    }
                    back += some;
                }
            });
            print("packet forwarded, bursts of 32", least[0], burst.length);
        }
    }

    /** Returns the time that it took. */
    private static long forwardTime(L2Forwarder forwarder) {
        long start = System.nanoTime();
        arrived = forwarder.poll();
        return System.nanoTime() - start;
    }

    private static PacketPool pool(Device device) {
        device.config().enableMemory();
        device.config().enableBusMaster();
        return new PacketPool(device.iommu().allocate(PacketPool.bytesFor(PACKETS), Access.READ_WRITE));
    }

    private static E1000e port(Device device, PacketPool pool) {
        DmaBuffer rings = device.iommu().allocate(32L * RING_ENTRIES, Access.READ_WRITE);
        return E1000e.start(device.region(0).map(), new DmaSlices(rings, PAGE), pool, RING_ENTRIES);
    }

    /** Says how long its parts took, each counted by a method of its own, which nothing else is compiled into. */
    private interface Round {
        void run(int spins, long[] took);
    }

    /** What the parts of a round take at least. Rounds that count do what others did: code that is new is interpreted. */
    private static long[] least(int warmUp, int parts, Round round) {
        long[] took = new long[parts];
        for (int i = 0; i < warmUp; i++) {
            letTheJitFinish(i);
            round.run(FEW_SPINS, took);
        }
        long[] least = new long[parts];
        Arrays.fill(least, Long.MAX_VALUE);
        for (int i = 0; i < ROUNDS; i++) {
            round.run(SPINS, took);
            for (int part = 0; part < parts; part++) {
                least[part] = Math.min(least[part], took[part]);
            }
        }
        return least;
    }

    /** The device works in the host's time: give it some, and count no waiting. */
    private static void letItWork(int spins) {
        for (int i = 0; i < spins; i++) {
            Thread.onSpinWait();
        }
    }

    private static void report(String name, int operations, Runnable batch) {
        print(name, least(WARM_UP, 1, (spins, took) -> took[0] = batchTime(batch))[0], operations);
    }

    /** Returns the time that it took. */
    private static long batchTime(Runnable batch) {
        long start = System.nanoTime();
        batch.run();
        return System.nanoTime() - start;
    }

    /** Pauses now and then. Time in which nobody does anything passes at once. */
    private static void letTheJitFinish(int round) {
        if (round % PAUSE == 0) {
            LockSupport.parkNanos(1_000_000_000L);
        }
    }

    private static void print(String name, long took, int operations) {
        System.out.printf(Locale.ROOT, "%s\t%.1f%n", name, (double) (took - empty) / operations);
    }
}
