package io.github.vfio4j.examples.nvme;

/** The controller refused a command, broke down, or did not answer in time. */
public final class NvmeException extends RuntimeException {
    /** What went wrong, and so what helps. */
    public enum Kind {
        /** A command ended with an error status. The controller works on. */
        STATUS,
        /** No answer in time. {@link NvmeController#abort} the command, else {@link NvmeController#reset}. */
        TIMEOUT,
        /** The controller stopped with a fatal error (CSTS.CFS). {@link NvmeController#reset} it. */
        FATAL,
        /** The controller does not answer at all: it is unplugged, in reset, or its memory decode is off. */
        GONE,
        /** The controller does what it must not, or lacks what the driver needs. */
        UNUSABLE
    }

    /** The status code type and the status code of an exception that is no command's status. */
    public static final int NONE = -1;

    private static final long serialVersionUID = 1;

    private final Kind kind;
    private final int statusCodeType;
    private final int statusCode;

    NvmeException(Kind kind, String message) {
        this(kind, message, NONE, NONE);
    }

    private NvmeException(Kind kind, String message, int statusCodeType, int statusCode) {
        super(message);
        this.kind = kind;
        this.statusCodeType = statusCodeType;
        this.statusCode = statusCode;
    }

    /**
     * Makes the exception for a command that ended with an error.
     *
     * @param command what was asked for
     * @param status the status field of its completion, without the phase bit
     */
    static NvmeException refused(String command, int status) {
        int code = status & 0xff;
        int type = status >>> 8 & 7;
        boolean doNotRetry = (status & 1 << 14) != 0;
        return new NvmeException(
                Kind.STATUS,
                "%s failed: %s (status code type %d, %s; status code 0x%02x%s)"
                        .formatted(
                                command,
                                StatusNames.code(type, code),
                                type,
                                StatusNames.type(type),
                                code,
                                doNotRetry ? "; do not retry" : ""),
                type,
                code);
    }

    /**
     * Returns what went wrong.
     *
     * @return the kind
     */
    public Kind kind() {
        return kind;
    }

    /**
     * Returns the status code type of the command (section 4.6.1.1).
     *
     * @return 0 generic, 1 command specific, 2 media and data integrity, 7 of the vendor, or {@link #NONE}
     */
    public int statusCodeType() {
        return statusCodeType;
    }

    /**
     * Returns the status code of the command (section 4.6.1.2).
     *
     * @return 0 to 255, or {@link #NONE}
     */
    public int statusCode() {
        return statusCode;
    }
}
