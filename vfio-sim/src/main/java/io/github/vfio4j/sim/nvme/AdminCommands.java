package io.github.vfio4j.sim.nvme;

import io.github.vfio4j.sim.PciBus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Carries out the commands of the admin queue (NVM Express 1.4 section 5), except waiting for events. */
final class AdminCommands {
    static final int ASYNC_EVENT_REQUEST = 0x0c;

    private static final int DELETE_SUBMISSION_QUEUE = 0x00;
    private static final int CREATE_SUBMISSION_QUEUE = 0x01;
    private static final int GET_LOG_PAGE = 0x02;
    private static final int DELETE_COMPLETION_QUEUE = 0x04;
    private static final int CREATE_COMPLETION_QUEUE = 0x05;
    private static final int IDENTIFY = 0x06;
    private static final int ABORT = 0x08;
    private static final int SET_FEATURES = 0x09;
    private static final int GET_FEATURES = 0x0a;

    private static final int IDENTIFY_NAMESPACE = 0x00;
    private static final int IDENTIFY_CONTROLLER = 0x01;
    private static final int IDENTIFY_ACTIVE_NAMESPACES = 0x02;
    private static final int IDENTIFY_DESCRIPTORS = 0x03;

    private static final int FIRMWARE_LOG_PAGE = 3;
    private static final int RETAIN_EVENT = 1 << 15;
    private static final int CONTIGUOUS = 1;
    private static final int INTERRUPTS_ENABLED = 2;
    private static final int EVERY_NAMESPACE = -1;
    private static final int NOT_ABORTED = 1;
    /** CC.IOSQES and CC.IOCQES as powers of two. */
    private static final int SUBMISSION_ENTRY_SHIFT = 6;

    private static final int COMPLETION_ENTRY_SHIFT = 4;

    /** The most that Get Log Page can ask for: 12 bits of dwords. */
    private static final int BUFFER_BYTES = 4096 * Integer.BYTES;

    private final PciBus bus;
    private final Registers registers;
    private final Queues queues;
    private final Features features;
    private final Events events;
    private final Identify identify;
    private final Health health;
    private final int namespaceCount;
    private final PageList pages;
    private final MemorySegment buffer = Arena.ofAuto().allocate(BUFFER_BYTES, 8);
    private int pageSize;
    private int result;

    AdminCommands(
            PciBus bus,
            Registers registers,
            Queues queues,
            Features features,
            Events events,
            Identify identify,
            Health health,
            int namespaceCount) {
        this.bus = bus;
        this.registers = registers;
        this.queues = queues;
        this.features = features;
        this.events = events;
        this.identify = identify;
        this.health = health;
        this.namespaceCount = namespaceCount;
        this.pages = new PageList(bus, BUFFER_BYTES);
    }

    /** The controller was enabled with this page size (CC.MPS). */
    void enabled(int pageSize) {
        this.pageSize = pageSize;
    }

    /** Dword 0 of the completion. */
    int result() {
        return result;
    }

    Status execute(Command command) {
        result = 0;
        if (command.fusedOrScattered()) {
            return Status.INVALID_FIELD;
        }
        return switch (command.opcode()) {
            case DELETE_SUBMISSION_QUEUE -> deleteSubmissionQueue(command.low16(10));
            case CREATE_SUBMISSION_QUEUE -> createSubmissionQueue(command);
            case GET_LOG_PAGE -> getLogPage(command);
            case DELETE_COMPLETION_QUEUE -> deleteCompletionQueue(command.low16(10));
            case CREATE_COMPLETION_QUEUE -> createCompletionQueue(command);
            case IDENTIFY -> identify(command);
            case ABORT -> abort(command.low16(10), command.high16(10));
            case SET_FEATURES -> {
                Status status = features.set(command);
                result = features.result();
                yield status;
            }
            case GET_FEATURES -> {
                Status status = features.get(command);
                result = features.result();
                yield status;
            }
            default -> Status.INVALID_OPCODE;
        };
    }

    private Status createCompletionQueue(Command command) {
        int id = command.low16(10);
        int size = command.high16(10) + 1;
        int vector = command.high16(11);
        boolean interrupts = (command.dword(11) & INTERRUPTS_ENABLED) != 0;
        if (id == 0 || id > features.completionQueues() || queues.completion(id) != null) {
            return Status.INVALID_QUEUE_IDENTIFIER;
        }
        Status layout = checkLayout(command, size, entryShift(20), COMPLETION_ENTRY_SHIFT);
        if (layout != Status.SUCCESS) {
            return layout;
        }
        if (interrupts && vector >= NvmeModel.VECTORS) {
            return Status.INVALID_INTERRUPT_VECTOR;
        }
        queues.add(new CompletionQueue(id, command.prp1(), size, interrupts ? vector : CompletionQueue.NO_INTERRUPT));
        return Status.SUCCESS;
    }

    private Status createSubmissionQueue(Command command) {
        int id = command.low16(10);
        int size = command.high16(10) + 1;
        int completions = command.high16(11);
        if (id == 0 || id > features.submissionQueues() || queues.submission(id) != null) {
            return Status.INVALID_QUEUE_IDENTIFIER;
        }
        if (completions == 0 || completions > features.completionQueues()) {
            return Status.INVALID_QUEUE_IDENTIFIER;
        }
        if (queues.completion(completions) == null) {
            return Status.INVALID_COMPLETION_QUEUE;
        }
        Status layout = checkLayout(command, size, entryShift(16), SUBMISSION_ENTRY_SHIFT);
        if (layout != Status.SUCCESS) {
            return layout;
        }
        queues.add(new SubmissionQueue(id, command.prp1(), size, queues.completion(completions)));
        return Status.SUCCESS;
    }

    private int entryShift(int bit) {
        return registers.configuration() >>> bit & 0xf;
    }

    private Status checkLayout(Command command, int size, int entryShift, int neededShift) {
        if (size < 2 || size > Registers.MAX_QUEUE_ENTRIES || entryShift != neededShift) {
            return Status.INVALID_QUEUE_SIZE;
        }
        if ((command.dword(11) & CONTIGUOUS) == 0) {
            return Status.INVALID_FIELD;
        }
        return (command.prp1() & (pageSize - 1)) == 0 ? Status.SUCCESS : Status.INVALID_PRP_OFFSET;
    }

    private Status deleteSubmissionQueue(int id) {
        SubmissionQueue queue = queues.submission(id);
        if (id == 0 || queue == null) {
            return Status.INVALID_QUEUE_IDENTIFIER;
        }
        queues.remove(queue);
        return Status.SUCCESS;
    }

    private Status deleteCompletionQueue(int id) {
        CompletionQueue queue = queues.completion(id);
        if (id == 0 || queue == null) {
            return Status.INVALID_QUEUE_IDENTIFIER;
        }
        if (queue.users > 0) {
            return Status.INVALID_QUEUE_DELETION;
        }
        queues.remove(queue);
        return Status.SUCCESS;
    }

    private Status identify(Command command) {
        int id = command.namespaceId();
        boolean known = id > 0 && id <= namespaceCount;
        MemorySegment data = buffer.asSlice(0, Identify.BYTES).fill((byte) 0);
        switch (command.dword(10) & 0xff) {
            case IDENTIFY_CONTROLLER -> identify.writeController(data);
            case IDENTIFY_NAMESPACE -> {
                if (!known) {
                    return Status.INVALID_NAMESPACE;
                }
                identify.writeNamespace(id, data);
            }
            case IDENTIFY_ACTIVE_NAMESPACES -> {
                if (Integer.compareUnsigned(id, EVERY_NAMESPACE - 1) >= 0) {
                    return Status.INVALID_NAMESPACE;
                }
                identify.writeActiveNamespaces(id, data);
            }
            case IDENTIFY_DESCRIPTORS -> {
                if (!known) {
                    return Status.INVALID_NAMESPACE;
                }
                identify.writeDescriptors(id, data);
            }
            default -> {
                return Status.INVALID_FIELD;
            }
        }
        return send(command, Identify.BYTES);
    }

    private Status getLogPage(Command command) {
        int page = command.dword(10) & 0xff;
        int bytes = ((command.dword(10) >>> 16 & 0xfff) + 1) * Integer.BYTES;
        if (command.namespaceId() != 0 && command.namespaceId() != EVERY_NAMESPACE) {
            return Status.INVALID_FIELD;
        }
        buffer.fill((byte) 0);
        switch (page) {
            case Events.ERROR_LOG_PAGE -> events.writeErrorLog(buffer.asSlice(0, Events.ERROR_LOG_ENTRY_BYTES));
            case Health.LOG_PAGE -> health.writeLog(buffer.asSlice(0, Health.LOG_BYTES));
            case FIRMWARE_LOG_PAGE -> identify.writeFirmwareLog(buffer);
            default -> {
                return Status.INVALID_LOG_PAGE;
            }
        }
        Status status = send(command, bytes);
        if (status == Status.SUCCESS && page == Events.ERROR_LOG_PAGE && (command.dword(10) & RETAIN_EVENT) == 0) {
            events.logRead();
        }
        return status;
    }

    /** Only requests for events ever wait, so only they can be aborted. */
    private Status abort(int queue, int commandId) {
        if (queues.submission(queue) == null) {
            return Status.INVALID_FIELD;
        }
        result = queue == 0 && events.abort(commandId) ? 0 : NOT_ABORTED;
        return Status.SUCCESS;
    }

    private Status send(Command command, int bytes) {
        Status status = pages.read(command.prp1(), command.prp2(), bytes, pageSize);
        if (status != Status.SUCCESS) {
            return status;
        }
        long at = 0;
        for (int i = 0; i < pages.count(); i++) {
            if (!bus.dmaWrite(pages.iova(i), buffer.asSlice(at, pages.bytes(i)))) {
                return Status.DATA_TRANSFER_ERROR;
            }
            at += pages.bytes(i);
        }
        return Status.SUCCESS;
    }
}
