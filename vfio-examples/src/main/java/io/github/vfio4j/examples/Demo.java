package io.github.vfio4j.examples;

import io.github.vfio4j.Access;
import io.github.vfio4j.AddressSpace;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Group;
import io.github.vfio4j.GroupStatus;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Type1Info;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.nvme.ControllerInfo;
import io.github.vfio4j.examples.nvme.NvmeController;
import io.github.vfio4j.examples.nvme.NvmeNamespace;
import io.github.vfio4j.examples.nvme.NvmeQueue;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * {@code vfio demo}: takes an NVMe controller from the kernel and drives it, one VFIO operation a line. The same program
 * runs on Linux and on the simulated machine.
 */
final class Demo {
    private static final int BAR0 = 0;
    private static final int EMULATED_VENDOR = 0x1b36; // QEMU's controller, and the simulated one
    private static final long QUEUE_MEMORY = 1 << 20;
    private static final int QUEUE_ENTRIES = 64;
    private static final int PAGE = 4096;

    private final Vfio vfio;
    private final PrintStream out;
    private final long seed;
    private final boolean overwrite;
    private Operation map = Operation.IOMMU_MAP_DMA;
    private Operation unmap = Operation.IOMMU_UNMAP_DMA;

    /**
     * Makes a demo.
     *
     * @param seed what the pattern depends on
     * @param overwrite whether blocks of a real disk may be overwritten
     */
    Demo(Vfio vfio, PrintStream out, long seed, boolean overwrite) {
        this.vfio = vfio;
        this.out = out;
        this.seed = seed;
        this.overwrite = overwrite;
    }

    /**
     * Runs it. When it returns, every byte was verified and everything is closed.
     *
     * @param wanted the controller; otherwise the first that is bound to vfio-pci
     */
    void run(Optional<PciAddress> wanted) {
        run(wanted, OpenedBy.GROUP);
    }

    /**
     * Runs it on a given way.
     *
     * @param wanted the controller; otherwise the first that is bound to vfio-pci
     * @param way through its group, or by its own node
     */
    void run(Optional<PciAddress> wanted, OpenedBy way) {
        out.println("Find a controller on " + vfio.kernelName());
        PciDevice found = find(wanted);
        int groupNumber = groupOf(found);
        line("device", found.toString());
        line("group", "%d, members: %s".formatted(groupNumber, String.join(" ", vfio.groupMembers(groupNumber))));

        heading("Open it");
        long verified = way == OpenedBy.CDEV ? byNode(found) : byGroup(found, groupNumber);

        out.println();
        out.println("verified %s bytes on %s".formatted(Sizes.count(verified), vfio.kernelName()));
    }

    private long byGroup(PciDevice found, int groupNumber) {
        long verified;
        try (Container container = vfio.openContainer()) {
            line("open /dev/vfio/vfio", "an empty container");
            try (Group group = vfio.openGroup(groupNumber)) {
                line("open /dev/vfio/" + groupNumber, "the group, for this process alone");
                line(Operation.GROUP_GET_STATUS, text(group.status()));
                container.attach(group);
                line(Operation.GROUP_SET_CONTAINER, "the group is in the container");
                Type1 iommu = container.setIommu(IommuType.TYPE1_V2);
                line(Operation.SET_IOMMU, "type1v2");
                print(iommu.info());
                try (Device device = iommu.openDevice(group, found.address())) {
                    line(Operation.GROUP_GET_DEVICE_FD, found.address().toString());
                    verified = drive(device, iommu);
                }
                line("close", "the device");
                container.detach(group);
                line(Operation.GROUP_UNSET_CONTAINER, "the group is out of the container");
            }
            line("close", "the group");
        }
        line("close", "the container");
        return verified;
    }

    private long byNode(PciDevice found) {
        long verified;
        map = Operation.IOAS_MAP;
        unmap = Operation.IOAS_UNMAP;
        try (Iommufd iommufd = vfio.openIommufd()) {
            line("open /dev/iommu", "an iommufd without devices");
            try (Device device = iommufd.openDevice(found.address())) {
                line(Operation.DEVICE_BIND_IOMMUFD, found.address() + ", by its own node");
                try (Ioas ioas = iommufd.allocateIoas()) {
                    line(Operation.IOAS_ALLOC, "an address space");
                    device.attach(ioas);
                    line(Operation.DEVICE_ATTACH_IOMMUFD_PT, "the device reaches what is mapped there");
                    line(Operation.IOAS_IOVA_RANGES, "IOVAs " + text(ioas.ranges()));
                    verified = drive(device, ioas);
                    device.detach();
                    line(Operation.DEVICE_DETACH_IOMMUFD_PT, "the device reaches nothing");
                }
                line(Operation.IOMMU_DESTROY, "the address space");
            }
            line("close", "the device");
        }
        line("close", "the iommufd");
        return verified;
    }

    private static String text(List<IovaRange> ranges) {
        return ranges.stream().map(Object::toString).collect(Collectors.joining(", "));
    }

    private PciDevice find(Optional<PciAddress> wanted) {
        PciDevice found;
        if (wanted.isPresent()) {
            found = vfio.pciDevice(wanted.get());
            if (!PciClass.isNvme(found.classCode())) {
                throw new CommandException("no NVMe controller (class 0108xx): " + found);
            }
        } else {
            List<PciDevice> controllers = vfio.pciDevices().stream()
                    .filter(device -> PciClass.isNvme(device.classCode()))
                    .toList();
            found = controllers.stream().filter(Demo::isForPrograms).findFirst().orElseThrow(() -> noneIn(controllers));
        }
        if (found.vendorId() != EMULATED_VENDOR && !(overwrite && wanted.isPresent())) {
            throw new CommandException(
                    """
                    the demo overwrites blocks, and this looks like a real disk: %s
                      next     name it and add --overwrite if nothing on it is needed any more"""
                            .formatted(found));
        }
        return found;
    }

    private static boolean isForPrograms(PciDevice device) {
        return device.driver().equals(Optional.of("vfio-pci"));
    }

    private CommandException noneIn(List<PciDevice> controllers) {
        String others = controllers.stream().map(PciDevice::toString).collect(Collectors.joining("; "));
        return new CommandException(
                """
                no NVMe controller is bound to vfio-pci on %s
                  found    %s
                  next     bind one to vfio-pci, or leave --linux out for the simulated machine"""
                        .formatted(vfio.kernelName(), others.isEmpty() ? "none bound to another driver either" : others));
    }

    private static int groupOf(PciDevice device) {
        return device.iommuGroup()
                .orElseThrow(() -> new CommandException(
                        """
                        no IOMMU group holds %s
                          next     turn the IOMMU on (firmware setting; intel_iommu=on for Intel)"""
                                .formatted(device)));
    }

    private long drive(Device device, AddressSpace iommu) {
        line(Operation.DEVICE_GET_INFO, text(device.info()));
        RegionInfo bar = device.region(BAR0).info();
        line(Operation.DEVICE_GET_REGION_INFO, "BAR 0: " + text(bar));
        Mmio registers = device.region(BAR0).map();
        line("mmap", "BAR 0, %s of registers".formatted(Sizes.text(registers.size())));
        device.config().enableBusMaster();
        line("pwrite", "configuration space: bus master on");
        long verified;
        try (DmaBuffer queues = allocate(iommu, QUEUE_MEMORY, Access.READ_WRITE, "queues")) {
            heading("Bring the controller up");
            long start = System.nanoTime();
            try (NvmeController controller = NvmeController.start(registers, queues)) {
                line("ready", "after " + Sizes.milliseconds(System.nanoTime() - start));
                print(controller);
                verified = verify(iommu, controller);
                heading("Close it");
            }
            line("NVMe shutdown", "complete");
            device.config().disableBusMaster();
            line("pwrite", "configuration space: bus master off");
        }
        line(unmap, "queues");
        return verified;
    }

    private void print(Type1Info info) {
        List<String> pages = new ArrayList<>();
        for (long rest = info.pageSizes(); rest != 0; rest &= rest - 1) {
            pages.add(Sizes.text(Long.lowestOneBit(rest)));
        }
        line(Operation.IOMMU_GET_INFO, "pages of " + String.join(", ", pages));
        if (!info.ranges().isEmpty()) {
            line("", "IOVAs " + text(info.ranges()));
        }
        info.mappingsLeft().ifPresent(left -> line("", "room for " + Sizes.count(left) + " mappings"));
    }

    private void print(NvmeController controller) {
        ControllerInfo info = controller.info();
        line("model", info.model());
        line("serial number", info.serial());
        line("firmware", info.firmware());
        line("NVMe version", info.version());
        line("transfers", "up to " + Sizes.text(info.maxTransferBytes()));
        line("I/O queues", "up to %d, of %d entries".formatted(controller.maxQueues(), controller.maxEntries()));
        for (NvmeNamespace namespace : controller.namespaces()) {
            line(
                    "namespace " + namespace.id(),
                    "%s: %s blocks of %d bytes"
                            .formatted(
                                    Sizes.text(namespace.blocks() * namespace.blockBytes()),
                                    Sizes.count(namespace.blocks()),
                                    namespace.blockBytes()));
        }
    }

    /** A run of blocks, and where its data lies in both buffers. */
    private record Transfer(long block, int blocks, long offset) {}

    private long verify(AddressSpace iommu, NvmeController controller) {
        if (controller.namespaces().isEmpty()) {
            throw new CommandException("the controller has no active namespace");
        }
        NvmeNamespace namespace = controller.namespaces().getFirst();
        List<Transfer> transfers = transfers(namespace);
        heading("Write a pattern to namespace %d and read it back".formatted(namespace.id()));
        line("run seed", "0x%016x".formatted(seed));
        NvmeQueue queue = controller.createQueue(Math.min(QUEUE_ENTRIES, controller.maxEntries()));
        line("I/O queue " + queue.id(), "created, %d commands at a time".formatted(queue.capacity()));
        long bytes = transfers.getLast().offset() + transferBytes(namespace, transfers.getLast());
        long verified;
        // The device may only read the one and only write the other: the IOMMU stops anything else.
        try (DmaBuffer source = allocate(iommu, bytes, Access.READ, "data to write")) {
            try (DmaBuffer target = allocate(iommu, bytes, Access.WRITE, "data read back")) {
                verified = writeAndReadBack(namespace, queue, transfers, source, target);
            }
            line(unmap, "data read back");
        }
        line(unmap, "data to write");
        return verified;
    }

    private long writeAndReadBack(
            NvmeNamespace namespace, NvmeQueue queue, List<Transfer> transfers, DmaBuffer source, DmaBuffer target) {
        Pattern pattern = new Pattern(seed);
        for (Transfer transfer : transfers) {
            long size = transferBytes(namespace, transfer);
            long place = transfer.block() * namespace.blockBytes();
            pattern.fill(source.segment().asSlice(transfer.offset(), size), place);
            pattern.fillWrong(target.segment().asSlice(transfer.offset(), size), place);
            namespace.write(queue, transfer.block(), transfer.blocks(), source, transfer.offset());
            line("write", text(namespace, transfer));
        }
        namespace.flush(queue);
        line("flush", "done");
        long verified = 0;
        for (Transfer transfer : transfers) {
            namespace.read(queue, transfer.block(), transfer.blocks(), target, transfer.offset());
            verified += check(pattern, namespace, transfer, target);
            line("read and compare", text(namespace, transfer));
        }
        return verified;
    }

    private static long check(Pattern pattern, NvmeNamespace namespace, Transfer transfer, DmaBuffer target) {
        long size = transferBytes(namespace, transfer);
        long place = transfer.block() * namespace.blockBytes();
        long wrong = pattern.firstWrong(target.segment().asSlice(transfer.offset(), size), place);
        if (wrong >= 0) {
            throw new CommandException("block %d of namespace %d does not hold what was written: wrong from byte %d on"
                    .formatted(
                            transfer.block() + wrong / namespace.blockBytes(),
                            namespace.id(),
                            wrong % namespace.blockBytes()));
        }
        return size;
    }

    /** One block, one page, and enough for a list of pages; at the start, in the middle and at the end. */
    private static List<Transfer> transfers(NvmeNamespace namespace) {
        int blockBytes = namespace.blockBytes();
        int[] sizes = {blockBytes, Math.max(PAGE, blockBytes), Math.min(64 << 10, namespace.maxTransferBytes())};
        int needed = 0;
        for (int size : sizes) {
            needed += size / blockBytes;
        }
        if (namespace.blocks() < 2L * needed) {
            throw new CommandException("namespace %d has only %d blocks; the demo needs %d"
                    .formatted(namespace.id(), namespace.blocks(), 2 * needed));
        }
        long[] blocks = {0, namespace.blocks() / 2, namespace.blocks() - sizes[2] / blockBytes};
        List<Transfer> transfers = new ArrayList<>();
        long offset = 0;
        for (int i = 0; i < sizes.length; i++) {
            transfers.add(new Transfer(blocks[i], sizes[i] / blockBytes, offset));
            offset += (sizes[i] + PAGE - 1) / PAGE * PAGE;
        }
        return transfers;
    }

    private static long transferBytes(NvmeNamespace namespace, Transfer transfer) {
        return (long) transfer.blocks() * namespace.blockBytes();
    }

    private DmaBuffer allocate(AddressSpace iommu, long bytes, Access access, String what) {
        DmaBuffer buffer = iommu.allocate(bytes, access);
        line(
                map,
                "%s: %s at IOVA 0x%x, %s"
                        .formatted(what, Sizes.text(buffer.size()), buffer.iova(), text(buffer.access())));
        return buffer;
    }

    private static String text(NvmeNamespace namespace, Transfer transfer) {
        long bytes = transferBytes(namespace, transfer);
        long pages = (bytes + PAGE - 1) / PAGE;
        return "%s at block %s (%s)"
                .formatted(
                        Sizes.text(bytes),
                        Sizes.count(transfer.block()),
                        pages == 1 ? "1 page" : pages == 2 ? "2 pages" : pages + " pages, by a PRP list");
    }

    private static String text(GroupStatus status) {
        return (status.viable() ? "viable" : "not viable: a member is bound to a host driver")
                + (status.containerSet() ? ", in a container" : ", in no container");
    }

    private static String text(DeviceInfo info) {
        return "%s, %s, %d regions, %d interrupt indexes"
                .formatted(
                        info.pci() ? "PCI" : "not PCI",
                        info.resettable() ? "can be reset" : "cannot be reset",
                        info.regions(),
                        info.irqs());
    }

    private static String text(RegionInfo info) {
        return Sizes.text(info.size())
                + (info.readable() ? ", read" : "")
                + (info.writable() ? ", write" : "")
                + (info.mappable() ? ", mmap" : "");
    }

    private static String text(Access access) {
        return switch (access) {
            case READ -> "the device may read";
            case WRITE -> "the device may write";
            case READ_WRITE -> "the device may read and write";
        };
    }

    private void heading(String text) {
        out.println();
        out.println(text);
    }

    private void line(Operation operation, String text) {
        line(operation.kernelName(), text);
    }

    private void line(String name, String text) {
        out.println("  %-27s  %s".formatted(name, text));
    }
}
