package io.github.vfio4j.examples;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.nvme.ControllerInfo;
import io.github.vfio4j.examples.nvme.NvmeController;
import io.github.vfio4j.examples.nvme.NvmeNamespace;
import io.github.vfio4j.examples.nvme.NvmeQueue;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** {@code vfio nvme}: what an NVMe controller is, its blocks, and how fast they come and go. */
final class NvmeCommands {
    private static final int EMULATED_VENDOR = 0x1b36; // QEMU's controller, and the simulated one
    private static final int BAR0 = 0;
    private static final int PAGE = 4096;
    private static final int DUMP_WIDTH = 16;
    private static final int MOST_PLACES = 4096;

    private final Vfio vfio;
    private final PrintStream out;
    private final Arguments arguments;

    NvmeCommands(Vfio vfio, PrintStream out, Arguments arguments) {
        this.vfio = vfio;
        this.out = out;
        this.arguments = arguments;
    }

    void run() {
        PciDevice found = Choice.of(vfio, "NVMe controller (class 0108xx)", d -> PciClass.isNvme(d.classCode()))
                .choose(arguments.device());
        String verb = arguments.verb().orElseThrow();
        boolean writes = verb.equals("write") || verb.equals("perf") && !arguments.flags().contains("--raw");
        if (writes && found.vendorId() != EMULATED_VENDOR && !(arguments.overwrite() && arguments.device().isPresent())) {
            throw new CommandException(
                    """
                    this overwrites blocks, and it looks like a real disk: %s
                      next     name it and add --overwrite if nothing on it is needed any more"""
                            .formatted(found));
        }
        int queues = (int) arguments.number("--queues", 1, 1, 64);
        int depth = (int) arguments.number("--depth", 32, 1, 1023);
        try (Device device = arguments.open(vfio, found.address())) {
            device.config().enableBusMaster();
            long bytes = (256 << 10) + queues * (depth * 2048L + 4 * PAGE);
            DmaBuffer memory = device.iommu().allocate(bytes, Access.READ_WRITE);
            try (NvmeController controller = NvmeController.start(device.region(BAR0).map(), memory)) {
                switch (verb) {
                    case "identify" -> identify(found, controller);
                    case "read" -> read(device, controller);
                    case "write" -> write(device, controller);
                    case "perf" -> perf(device, controller, queues, depth);
                    default -> throw new AssertionError(verb);
                }
            }
            device.config().disableBusMaster();
        }
    }

    private void identify(PciDevice found, NvmeController controller) {
        ControllerInfo info = controller.info();
        out.println("controller     %s, PCI vendor %04x".formatted(found.address(), info.vendorId()));
        out.println("model          " + info.model());
        out.println("serial number  " + info.serial());
        out.println("firmware       " + info.firmware());
        out.println("NVMe version   " + info.version());
        out.println("transfers      up to " + Sizes.text(info.maxTransferBytes()));
        out.println("I/O queues     up to %d, of %d entries".formatted(controller.maxQueues(), controller.maxEntries()));
        for (NvmeNamespace namespace : controller.namespaces()) {
            out.println("namespace %-4d %s: %s blocks of %d bytes"
                    .formatted(
                            namespace.id(),
                            Sizes.text(namespace.blocks() * namespace.blockBytes()),
                            Sizes.count(namespace.blocks()),
                            namespace.blockBytes()));
        }
    }

    private static NvmeNamespace namespace(NvmeController controller) {
        if (controller.namespaces().isEmpty()) {
            throw new CommandException("the controller has no active namespace");
        }
        return controller.namespaces().getFirst();
    }

    private void read(Device device, NvmeController controller) {
        NvmeNamespace namespace = namespace(controller);
        long first = arguments.number("--block", 0, 0, namespace.blocks() - 1);
        long count = arguments.number("--count", 1, 1, namespace.blocks() - first);
        NvmeQueue queue = controller.createQueue(2);
        int most = namespace.maxTransferBytes() / namespace.blockBytes();
        String file = arguments.values().get("--file");
        try (DmaBuffer buffer = device.iommu().allocate(namespace.maxTransferBytes(), Access.WRITE);
                FileChannel channel = file == null
                        ? null
                        : FileChannel.open(
                                Path.of(file),
                                StandardOpenOption.CREATE,
                                StandardOpenOption.TRUNCATE_EXISTING,
                                StandardOpenOption.WRITE)) {
            for (long done = 0; done < count; ) {
                int blocks = (int) Math.min(most, count - done);
                namespace.read(queue, first + done, blocks, buffer, 0);
                MemorySegment data = buffer.segment().asSlice(0, (long) blocks * namespace.blockBytes());
                if (channel == null) {
                    dump((first + done) * namespace.blockBytes(), data);
                } else {
                    var bytes = data.asByteBuffer();
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                }
                done += blocks;
            }
        } catch (IOException e) {
            throw new CommandException("cannot write %s: %s".formatted(file, e.getMessage()));
        }
        if (file != null) {
            out.println("read %s blocks of %d bytes into %s"
                    .formatted(Sizes.count(count), namespace.blockBytes(), file));
        }
    }

    private void dump(long position, MemorySegment data) {
        for (long line = 0; line < data.byteSize(); line += DUMP_WIDTH) {
            StringBuilder hex = new StringBuilder();
            StringBuilder text = new StringBuilder();
            for (long i = line; i < line + DUMP_WIDTH; i++) {
                byte b = data.get(ValueLayout.JAVA_BYTE, i);
                hex.append(' ').append("%02x".formatted(b));
                text.append(b >= ' ' && b < 0x7f ? (char) b : '.');
            }
            out.println("%010x %s  %s".formatted(position + line, hex, text));
        }
    }

    private void write(Device device, NvmeController controller) {
        NvmeNamespace namespace = namespace(controller);
        String file = arguments.values().get("--file");
        if (file == null) {
            throw new CommandException("nvme write needs --file, the data to write");
        }
        try (FileChannel channel = FileChannel.open(Path.of(file), StandardOpenOption.READ);
                Arena arena = Arena.ofConfined()) {
            long bytes = channel.size();
            long first = arguments.number("--block", 0, 0, namespace.blocks() - 1);
            if (bytes == 0 || bytes % namespace.blockBytes() != 0) {
                throw new CommandException("%s has %d bytes, which are no whole blocks of %d"
                        .formatted(file, bytes, namespace.blockBytes()));
            }
            long count = bytes / namespace.blockBytes();
            if (count > namespace.blocks() - first) {
                throw new CommandException("%s has %d blocks; from block %d on there are %d"
                        .formatted(file, count, first, namespace.blocks() - first));
            }
            MemorySegment source = channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes, arena);
            writeAndVerify(device, controller, namespace, source, first, count);
        } catch (IOException e) {
            throw new CommandException("cannot read %s: %s".formatted(file, e.getMessage()));
        }
        out.println("wrote and verified %s blocks of %d bytes at block %d"
                .formatted(
                        Sizes.count(sizeOf(file) / namespace.blockBytes()),
                        namespace.blockBytes(),
                        arguments.number("--block", 0, 0, namespace.blocks() - 1)));
    }

    private static long sizeOf(String file) {
        return Path.of(file).toFile().length();
    }

    private static void writeAndVerify(
            Device device, NvmeController controller, NvmeNamespace namespace, MemorySegment data, long first, long count) {
        NvmeQueue queue = controller.createQueue(2);
        int blockBytes = namespace.blockBytes();
        int most = namespace.maxTransferBytes() / blockBytes;
        try (DmaBuffer source = device.iommu().allocate(namespace.maxTransferBytes(), Access.READ);
                DmaBuffer target = device.iommu().allocate(namespace.maxTransferBytes(), Access.WRITE)) {
            for (long done = 0; done < count; ) {
                int blocks = (int) Math.min(most, count - done);
                long bytes = (long) blocks * blockBytes;
                MemorySegment part = data.asSlice(done * blockBytes, bytes);
                source.segment().asSlice(0, bytes).copyFrom(part);
                namespace.write(queue, first + done, blocks, source, 0);
                namespace.read(queue, first + done, blocks, target, 0);
                long wrong = target.segment().asSlice(0, bytes).mismatch(part);
                if (wrong >= 0) {
                    throw new CommandException("block %d does not hold what was written: wrong from byte %d on"
                            .formatted(first + done + wrong / blockBytes, wrong % blockBytes));
                }
                done += blocks;
            }
            namespace.flush(queue);
        }
    }

    private void perf(Device device, NvmeController controller, int queues, int depth) {
        NvmeNamespace namespace = namespace(controller);
        boolean raw = arguments.flags().contains("--raw");
        boolean interrupts = arguments.flags().contains("--interrupts");
        long operations = arguments.number("--operations", 100_000, 1, Long.MAX_VALUE);
        int bytes = (int) arguments.number(
                "--bytes", namespace.blockBytes(), namespace.blockBytes(), namespace.maxTransferBytes());
        if (bytes % namespace.blockBytes() != 0) {
            throw new CommandException("--bytes is a multiple of the block size, " + namespace.blockBytes());
        }
        long seed = arguments.number("--seed", System.nanoTime(), Long.MIN_VALUE, Long.MAX_VALUE);
        int blocks = bytes / namespace.blockBytes();
        int places = (int) Math.min(MOST_PLACES, namespace.blocks() / blocks / queues);
        if (places < depth) {
            throw new CommandException("the namespace is too small for %d queues of %d commands of %d bytes"
                    .formatted(queues, depth, bytes));
        }
        out.println("seed           " + seed);
        out.println("operations     %s %s of %d bytes, %d under way on each of %d queues, %s"
                .formatted(
                        Sizes.count(operations),
                        raw ? "reads" : "reads and writes",
                        bytes,
                        depth,
                        queues,
                        interrupts ? "MSI-X" : "polled"));
        Interrupts vectors = interrupts ? device.irq(PciIrq.MSIX).enable(0, queues + 1) : null;
        DmaSlices data = new DmaSlices(
                device.iommu().allocate(queues * ((long) depth * bytes + PAGE), Access.READ_WRITE), PAGE);
        List<NvmeWorker> workers = new ArrayList<>();
        for (int i = 0; i < queues; i++) {
            NvmeQueue queue = interrupts
                    ? controller.createQueue(depth + 1, vectors.get(i + 1))
                    : controller.createQueue(depth + 1);
            workers.add(new NvmeWorker(
                    namespace,
                    queue,
                    data.take((long) depth * bytes),
                    bytes,
                    (long) i * places * blocks,
                    places,
                    depth,
                    seed + i,
                    raw));
        }
        if (!raw) {
            Crew.run(workers, (worker, _) -> worker.prepare());
        }
        long before = workers.stream().mapToLong(w -> w.reads() + w.writes()).sum();
        long start = System.nanoTime();
        Crew.run(workers, (worker, i) -> worker.run(operations / queues + (i < operations % queues ? 1 : 0)));
        double seconds = (System.nanoTime() - start) / 1e9;
        long done = workers.stream().mapToLong(w -> w.reads() + w.writes()).sum() - before;
        if (!raw) {
            Crew.run(workers, (worker, _) -> worker.sweep());
        }
        out.println("rate           %s operations a second, %.1f MB/s, %.3f s".formatted(
                Sizes.count((long) (done / seconds)), done * (double) bytes / seconds / 1e6, seconds));
        long reads = workers.stream().mapToLong(NvmeWorker::reads).sum();
        long writes = workers.stream().mapToLong(NvmeWorker::writes).sum();
        if (raw) {
            out.println("done           %s reads; nothing was compared".formatted(Sizes.count(reads)));
        } else {
            out.println("verified       %s reads, every byte, of %s writes; none lost, none stale"
                    .formatted(Sizes.count(reads), Sizes.count(writes)));
        }
    }
}
