package io.github.vfio4j.sim.nvme;

import io.github.vfio4j.sim.PciBus;
import java.util.List;

/** Carries out the commands of I/O queues: Flush, Write, Read (NVM Express 1.4 section 6). */
final class IoCommands {
    private static final int FLUSH = 0x00;
    private static final int WRITE = 0x01;
    private static final int READ = 0x02;
    private static final int EVERY_NAMESPACE = -1;

    private final PciBus bus;
    private final List<Namespace> namespaces;
    private final Health health;
    private final PageList pages;
    private int pageSize;

    IoCommands(PciBus bus, List<Namespace> namespaces, Health health) {
        this.bus = bus;
        this.namespaces = namespaces;
        this.health = health;
        this.pages = new PageList(bus, Identify.MAX_TRANSFER_BYTES);
    }

    /** The controller was enabled with this page size (CC.MPS). */
    void enabled(int pageSize) {
        this.pageSize = pageSize;
    }

    Status execute(Command command) {
        if (command.fusedOrScattered()) {
            return Status.INVALID_FIELD;
        }
        int id = command.namespaceId();
        boolean known = id > 0 && id <= namespaces.size();
        return switch (command.opcode()) {
            // Every write is on the medium when it completes: there is nothing to flush.
            case FLUSH -> known || id == EVERY_NAMESPACE ? Status.SUCCESS : Status.INVALID_NAMESPACE;
            case WRITE, READ -> known ? transfer(command, namespaces.get(id - 1)) : Status.INVALID_NAMESPACE;
            default -> Status.INVALID_OPCODE;
        };
    }

    private Status transfer(Command command, Namespace namespace) {
        long first = command.qword(10);
        int blocks = command.low16(12) + 1;
        if ((long) blocks * namespace.blockBytes() > Identify.MAX_TRANSFER_BYTES) {
            return Status.INVALID_FIELD;
        }
        if (!namespace.holds(first, blocks)) {
            return Status.LBA_OUT_OF_RANGE;
        }
        int bytes = blocks * namespace.blockBytes();
        Status status = pages.read(command.prp1(), command.prp2(), bytes, pageSize);
        if (status != Status.SUCCESS) {
            return status;
        }
        long offset = first * namespace.blockBytes();
        boolean write = command.opcode() == WRITE;
        if (!(write ? namespace.store(offset, pages, bus) : namespace.load(offset, pages, bus))) {
            return Status.DATA_TRANSFER_ERROR;
        }
        if (write) {
            health.written(bytes);
        } else {
            health.read(bytes);
        }
        return Status.SUCCESS;
    }
}
