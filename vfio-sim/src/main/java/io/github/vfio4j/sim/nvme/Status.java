package io.github.vfio4j.sim.nvme;

/** How a command ended: status code type and status code, as NVM Express 1.4 section 4.6.1 numbers them. */
enum Status {
    SUCCESS(0, 0x00, false),
    INVALID_OPCODE(0, 0x01, true),
    INVALID_FIELD(0, 0x02, true),
    DATA_TRANSFER_ERROR(0, 0x04, false),
    ABORT_REQUESTED(0, 0x07, false),
    INVALID_NAMESPACE(0, 0x0b, true),
    COMMAND_SEQUENCE_ERROR(0, 0x0c, true),
    INVALID_PRP_OFFSET(0, 0x13, true),
    LBA_OUT_OF_RANGE(0, 0x80, true),
    INVALID_COMPLETION_QUEUE(1, 0x00, true),
    INVALID_QUEUE_IDENTIFIER(1, 0x01, true),
    INVALID_QUEUE_SIZE(1, 0x02, true),
    TOO_MANY_EVENT_REQUESTS(1, 0x05, true),
    INVALID_INTERRUPT_VECTOR(1, 0x08, true),
    INVALID_LOG_PAGE(1, 0x09, true),
    INVALID_QUEUE_DELETION(1, 0x0c, true),
    FEATURE_NOT_SAVEABLE(1, 0x0d, true),
    FEATURE_NOT_NAMESPACE_SPECIFIC(1, 0x0f, true);

    private final int field;

    Status(int type, int code, boolean doNotRetry) {
        this.field = code | type << 8 | (doNotRetry ? 1 << 14 : 0);
    }

    /** The 15 bits above the phase bit of a completion: code, type, and the do-not-retry bit. */
    int field() {
        return field;
    }
}
