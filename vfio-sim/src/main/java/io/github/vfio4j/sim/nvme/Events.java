package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Asynchronous events of type error (NVM Express 1.4 section 5.2) and the error log that goes with them. One event is
 * kept until a request comes for it; after a report further ones are dropped until the driver has read the log.
 */
final class Events {
    /** Requests that may wait at a time. */
    static final int LIMIT = 4;

    static final int ERROR_LOG_PAGE = 1;
    static final int ERROR_LOG_ENTRY_BYTES = 64;

    /** A doorbell of a queue that does not exist was written. */
    static final int INVALID_DOORBELL_REGISTER = 0;
    /** A doorbell was written with a value that cannot be. */
    static final int INVALID_DOORBELL_VALUE = 1;

    private static final int NONE = -1;
    private static final ValueLayout.OfLong INT64 = JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort INT16 = JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int[] waiting = new int[LIMIT];
    private int waitingCount;
    private final int[] aborted = new int[LIMIT];
    private int abortedCount;
    private int event = NONE;
    private boolean masked;
    private long errors;

    /** After a controller reset nothing waits; the log's count goes on. */
    void reset() {
        waitingCount = 0;
        abortedCount = 0;
        event = NONE;
        masked = false;
    }

    /** Keeps an Asynchronous Event Request; false if there are too many. */
    boolean keep(int commandId) {
        if (waitingCount + abortedCount == LIMIT) {
            return false;
        }
        waiting[waitingCount++] = commandId;
        return true;
    }

    /** Ends a request early; false if it does not wait. Its completion is then due. */
    boolean abort(int commandId) {
        for (int i = 0; i < waitingCount; i++) {
            if (waiting[i] == commandId) {
                waiting[i] = waiting[--waitingCount];
                aborted[abortedCount++] = commandId;
                return true;
            }
        }
        return false;
    }

    void error(int information) {
        errors++;
        if (!masked && event == NONE) {
            event = information;
        }
    }

    /** A request was aborted and its completion is due. */
    boolean hasAborted() {
        return abortedCount > 0;
    }

    int takeAborted() {
        return aborted[--abortedCount];
    }

    /** There is something to report and a request to answer. */
    boolean hasReport() {
        return event != NONE && waitingCount > 0;
    }

    /** The command to complete with {@link #takeReport}. */
    int takeRequest() {
        return waiting[--waitingCount];
    }

    /** Dword 0 of the completion: type error, what happened, and the log page that tells more. */
    int takeReport() {
        int report = event << 8 | ERROR_LOG_PAGE << 16;
        event = NONE;
        masked = true;
        return report;
    }

    void writeErrorLog(MemorySegment entry) {
        if (errors > 0) {
            entry.set(INT64, 0, errors);
            entry.set(INT16, 8, (short) -1); // no particular submission queue
            entry.set(INT16, 10, (short) -1); // no particular command
        }
    }

    /** The driver has read the error log: events may be reported again. */
    void logRead() {
        masked = false;
    }
}
