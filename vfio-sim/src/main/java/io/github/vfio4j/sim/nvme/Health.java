package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The counters of the SMART / Health Information log page. They live as long as the model. */
final class Health {
    static final int LOG_PAGE = 2;
    static final int LOG_BYTES = 512;

    private static final int KELVIN = 273;
    private static final ValueLayout.OfLong INT64 = JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort INT16 = JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

    private long bytesRead;
    private long bytesWritten;
    private long readCommands;
    private long writeCommands;
    private long powerCycles;

    void read(long bytes) {
        readCommands++;
        bytesRead += bytes;
    }

    void written(long bytes) {
        writeCommands++;
        bytesWritten += bytes;
    }

    void poweredOn() {
        powerCycles++;
    }

    void writeLog(MemorySegment log) {
        log.set(INT16.withByteAlignment(1), 1, (short) (KELVIN + 30));
        log.set(JAVA_BYTE, 3, (byte) 100); // available spare, percent
        log.set(JAVA_BYTE, 4, (byte) 10); // its threshold
        log.set(INT64, 32, thousandsOf512(bytesRead));
        log.set(INT64, 48, thousandsOf512(bytesWritten));
        log.set(INT64, 64, readCommands);
        log.set(INT64, 80, writeCommands);
        log.set(INT64, 112, powerCycles);
    }

    /** The log's unit, rounded up. */
    private static long thousandsOf512(long bytes) {
        return (bytes + 511_999) / 512_000;
    }
}
