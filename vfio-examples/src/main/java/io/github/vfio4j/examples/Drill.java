package io.github.vfio4j.examples;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.edu.Edu;
import io.github.vfio4j.examples.edu.EduException;
import io.github.vfio4j.examples.net.L2Forwarder;
import io.github.vfio4j.examples.net.NetException;
import io.github.vfio4j.examples.net.NetPort;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.examples.net.PacketStream;
import io.github.vfio4j.examples.nvme.NvmeController;
import io.github.vfio4j.examples.nvme.NvmeException;
import io.github.vfio4j.examples.nvme.NvmeNamespace;
import io.github.vfio4j.examples.nvme.NvmeQueue;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * {@code vfio drill}: takes devices and memory away from drivers that are at work in other threads. Each of these threads
 * must get an exception and end; anything else, such as wrong data, is a failure, and a crash of the JVM would be the worst.
 */
final class Drill {
    private static final int PAGE = 4096;
    private static final int DEPTH = 8;
    private static final int ENTRIES = 64;
    private static final int EMULATED_VENDOR = 0x1b36;
    private static final long END_SECONDS = 60;

    /** What is done before the close. */
    private static final int WARM_UP = 300;

    private static final Predicate<PciDevice> NVME =
            device -> PciClass.isNvme(device.classCode()) && device.vendorId() == EMULATED_VENDOR;

    private final Supplier<Vfio> opener;
    private final PrintStream out;
    private final Arguments arguments;
    private final int rounds;

    Drill(Supplier<Vfio> opener, PrintStream out, Arguments arguments) {
        this.opener = opener;
        this.out = out;
        this.arguments = arguments;
        this.rounds = (int) arguments.number("--rounds", 8, 1, Integer.MAX_VALUE);
    }

    /** Work in threads of its own, for ever. */
    private interface Task {
        /** Works for a while: the first time before the close, then again and again. */
        void work();
    }

    /** Drivers at work, and what can be taken from them; {@code data} is what the device writes data into, or null. */
    private record Load(List<Task> tasks, List<AutoCloseable> victims, DmaBuffer data) {}

    /** Brings drivers up. */
    private interface Workload {
        Load start(Vfio vfio);
    }

    void run() {
        long ended = 0;
        ended += drill("NVMe, polled", NVME, vfio -> nvme(vfio, false));
        ended += drill("NVMe, MSI-X", NVME, vfio -> nvme(vfio, true));
        ended += drill("edu", EduCommand::isEdu, this::edu);
        ended += drill("network cards", NetPorts::isDriven, this::network);
        if (ended == 0) {
            throw new CommandException("no device for any of the drivers is bound to vfio-pci");
        }
        out.println("verified       %d threads lost their device at work, got an exception and ended".formatted(ended));
    }

    private long drill(String name, Predicate<PciDevice> fits, Workload workload) {
        try (Vfio vfio = opener.get()) {
            boolean there = vfio.pciDevices().stream()
                    .anyMatch(device -> fits.test(device) && device.driver().equals(Optional.of("vfio-pci")));
            if (!there) {
                out.println("%-14s no such device".formatted(name));
                return 0;
            }
        }
        Map<String, Integer> ends = new TreeMap<>();
        for (int round = 0; round < rounds; round++) {
            try (Vfio vfio = opener.get()) {
                once(vfio, workload, round, ends);
            }
        }
        out.println("%-14s %d closes; threads ended with %s".formatted(name, rounds, ends));
        return ends.values().stream().mapToLong(Integer::longValue).sum();
    }

    private static void once(Vfio vfio, Workload workload, int round, Map<String, Integer> ends) {
        Load load = workload.start(vfio);
        CountDownLatch atWork = new CountDownLatch(load.tasks().size());
        CountDownLatch over = new CountDownLatch(load.tasks().size());
        Throwable[] failures = new Throwable[load.tasks().size()];
        for (int i = 0; i < failures.length; i++) {
            Task task = load.tasks().get(i);
            int number = i;
            Thread.ofPlatform().daemon().name("drill " + i).start(() -> {
                try {
                    task.work();
                    atWork.countDown();
                    while (true) {
                        task.work();
                    }
                } catch (Throwable e) {
                    failures[number] = e;
                } finally {
                    atWork.countDown();
                    over.countDown();
                }
            });
        }
        await(atWork, "a driver did not get to work");
        AutoCloseable victim = load.victims().get(round % load.victims().size());
        try {
            victim.close();
        } catch (Exception e) {
            throw new CommandException("closing under load failed: " + e);
        }
        await(over, "a thread goes on although its device is gone");
        for (Throwable failure : failures) {
            // What a device writes into memory that is no longer mapped is dropped, and nobody tells it: writes are
            // posted. So a read of a block can end well and without data, until the memory itself is gone.
            boolean dataWent = victim == load.data() && failure instanceof CommandException;
            if (!isAnswer(failure) && !dataWent) {
                throw new CommandException("a thread ended with " + failure);
            }
            ends.merge(failure.getClass().getSimpleName(), 1, Integer::sum);
        }
    }

    /** Is this what a driver should say when its device is gone? */
    private static boolean isAnswer(Throwable failure) {
        return failure instanceof IllegalStateException
                || failure instanceof VfioException
                || failure instanceof NvmeException
                || failure instanceof EduException
                || failure instanceof NetException;
    }

    private static void await(CountDownLatch latch, String otherwise) {
        try {
            if (!latch.await(END_SECONDS, TimeUnit.SECONDS)) {
                throw new CommandException(otherwise + ", for " + END_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted");
        }
    }

    private Load nvme(Vfio vfio, boolean asleep) {
        PciDevice found = Choice.of(vfio, "emulated NVMe controller", NVME).choose(Optional.empty());
        Device device = arguments.open(vfio, found.address());
        device.config().enableBusMaster();
        DmaBuffer memory = device.iommu().allocate(1 << 20, Access.READ_WRITE);
        NvmeController controller = NvmeController.start(device.region(0).map(), memory);
        NvmeNamespace namespace = controller.namespaces().getFirst();
        int bytes = namespace.blockBytes();
        DmaBuffer data = device.iommu().allocate(2L * (DEPTH * bytes + PAGE), Access.READ_WRITE);
        DmaSlices slices = new DmaSlices(data, PAGE);
        Interrupts vectors = asleep ? device.irq(PciIrq.MSIX).enable(0, 3) : null;
        List<Task> tasks = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            NvmeQueue queue =
                    asleep ? controller.createQueue(DEPTH + 1, vectors.get(i + 1)) : controller.createQueue(DEPTH + 1);
            NvmeWorker worker = new NvmeWorker(
                    namespace, queue, slices.take((long) DEPTH * bytes), bytes, i * 64L, 64, DEPTH, i, false);
            worker.prepare();
            tasks.add(() -> worker.run(WARM_UP));
        }
        return new Load(tasks, List.of(device, vfio, memory, data), data);
    }

    private Load edu(Vfio vfio) {
        PciDevice found = Choice.of(vfio, "edu device", EduCommand::isEdu).choose(Optional.empty());
        Device device = arguments.open(vfio, found.address());
        Edu edu = Edu.start(device);
        return new Load(
                List.of(() -> {
                    for (int n = 0; n < 10; n++) {
                        edu.factorial(n);
                    }
                }),
                List.of(device, vfio, edu),
                null);
    }

    private Load network(Vfio vfio) {
        List<PciDevice> found = Choice.of(vfio, "network card", NetPorts::isDriven).choose(List.of(), 2);
        NetPorts cards = new NetPorts(vfio, arguments.way());
        Device first = cards.open(found.getFirst());
        Device second = cards.open(found.getLast());
        PacketPool portPool = cards.pool(4 * ENTRIES);
        PacketPool peerPool = cards.pool(4 * ENTRIES);
        NetPort port = cards.start(found.getFirst(), first, portPool, ENTRIES);
        NetPort peer = cards.start(found.getLast(), second, peerPool, ENTRIES);
        NetPorts.awaitLink(port);
        NetPorts.awaitLink(peer);
        L2Forwarder forwarder = new L2Forwarder(portPool, port);
        PacketStream stream = new PacketStream(
                peerPool,
                peer,
                peer,
                port.macAddress(),
                L2Forwarder.destination(0),
                port.macAddress(),
                1,
                1514,
                ENTRIES / 2);
        return new Load(
                List.of(
                        () -> {
                            for (int i = 0; i < WARM_UP; i++) {
                                forwarder.poll();
                            }
                        },
                        () -> {
                            for (int i = 0; i < WARM_UP; i++) {
                                stream.send(Long.MAX_VALUE);
                                stream.receive();
                            }
                        }),
                List.of(vfio, cards.space()),
                null);
    }
}
