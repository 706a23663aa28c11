package io.github.vfio4j.examples.nvme;

/** The controller refused a command, broke down, or did not answer in time. */
public final class NvmeException extends RuntimeException {
    /** The status code type and the status code of an exception that is no command's status. */
    public static final int NONE = -1;

    private static final long serialVersionUID = 1;

    private final int statusCodeType;
    private final int statusCode;

    NvmeException(String message) {
        super(message);
        this.statusCodeType = NONE;
        this.statusCode = NONE;
    }

    private NvmeException(String message, int statusCodeType, int statusCode) {
        super(message);
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
