package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The controller's side of BAR 0 (NVM Express 1.4 section 3.1). The driver reads and writes the same memory at any time
 * and nothing traps, so every access is ordered, and a register that the driver may write too is corrected only by
 * compare-and-set: a newer value of the driver is never overwritten.
 */
final class Registers {
    static final long BAR_BYTES = 16 << 10;

    static final long CAP = 0x00;
    static final long VS = 0x08;
    static final long CC = 0x14;
    static final long CSTS = 0x1c;
    static final long AQA = 0x24;
    static final long ASQ = 0x28;
    static final long ACQ = 0x30;
    static final long DOORBELLS = 0x1000;

    /** Registers from here to {@link #DOORBELLS} are reserved. */
    private static final long DEFINED_END = 0x60;

    static final int CC_ENABLE = 1;
    static final int CSTS_READY = 1;
    static final int CSTS_FATAL = 1 << 1;
    static final int CSTS_SHUTDOWN_COMPLETE = 2 << 2;

    static final int MAX_QUEUE_ENTRIES = 2048;
    /** CAP.TO: the longest wait for CSTS.RDY, in units of 500 ms. */
    static final int TIMEOUT_UNITS = 15;

    static final int MIN_PAGE_SHIFT = 12;
    static final int MAX_PAGE_SHIFT = 16;

    private static final long CAPABILITIES = (MAX_QUEUE_ENTRIES - 1) // MQES
            | 1L << 16 // CQR: queues are contiguous
            | (long) TIMEOUT_UNITS << 24
            | 1L << 37 // CSS: the NVM command set
            | (long) (MIN_PAGE_SHIFT - 12) << 48
            | (long) (MAX_PAGE_SHIFT - 12) << 52;
    static final int VERSION = 0x00010400;

    private static final VarHandle INT32 =
            JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle INT64 =
            JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    private final MemorySegment bar;
    private int status;

    Registers(MemorySegment bar) {
        this.bar = bar;
    }

    /** Gives every register its value after a reset of the function. */
    void reset() {
        for (long offset = 0; offset < BAR_BYTES; offset += 8) {
            INT64.setOpaque(bar, offset, 0L);
        }
        status = 0;
        restoreReadOnly();
    }

    /** Gives registers that a driver must not write their value back. INTMS and INTMC have no effect: MSI-X only. */
    void restoreReadOnly() {
        for (long offset = 0; offset < DEFINED_END; offset += 4) {
            if (offset != CC && (offset < AQA || offset >= ACQ + 8)) {
                int value = readOnly(offset);
                if ((int) INT32.getOpaque(bar, offset) != value) {
                    INT32.setRelease(bar, offset, value);
                }
            }
        }
    }

    private int readOnly(long offset) {
        return switch ((int) offset) {
            case (int) CAP -> (int) CAPABILITIES;
            case (int) CAP + 4 -> (int) (CAPABILITIES >>> 32);
            case (int) VS -> VERSION;
            case (int) CSTS -> status;
            default -> 0;
        };
    }

    /** Acquire: what the driver wrote before it is seen after this. */
    int configuration() {
        return (int) INT32.getAcquire(bar, CC);
    }

    int adminQueueSizes() {
        return (int) INT32.getOpaque(bar, AQA);
    }

    long adminSubmissionBase() {
        return (long) INT64.getOpaque(bar, ASQ);
    }

    long adminCompletionBase() {
        return (long) INT64.getOpaque(bar, ACQ);
    }

    int status() {
        return status;
    }

    /** Release: whoever sees this sees what was done before it. */
    void status(int value) {
        status = value;
        INT32.setRelease(bar, CSTS, value);
    }

    static long tailDoorbell(int queue) {
        return DOORBELLS + 8L * queue;
    }

    static long headDoorbell(int queue) {
        return DOORBELLS + 8L * queue + 4;
    }

    int doorbell(long offset) {
        return (int) INT32.getAcquire(bar, offset);
    }

    /** Puts a doorbell back to 0, for a queue that the driver knows not to exist. */
    void clearDoorbell(long offset) {
        INT32.setRelease(bar, offset, 0);
    }

    /** Takes back a wrong value, unless the driver has written another one meanwhile. */
    void takeBackDoorbell(long offset, int wrong, int right) {
        INT32.compareAndSet(bar, offset, wrong, right);
    }
}
