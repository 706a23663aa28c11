package io.github.vfio4j.examples.edu;

import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciIrq;
import java.time.Duration;

/**
 * An edu device that this program drives: it computes factorials and copies data, and raises an MSI when it is done. Not
 * more than one thing is under way; for one thread at a time. Once it is started nothing here allocates.
 *
 * <p>When the device is closed while a thread waits here, that thread gets an exception and ends.
 */
public final class Edu implements AutoCloseable {
    /** Where memory must be for the device to reach it: its addresses have 28 bits. */
    public static final IovaRange REACH = IovaRange.ofBits(28);

    /** Bytes of the device's own buffer that are used. There are 4096, but QEMU 7.2 aborts at a copy of the last one. */
    public static final int BUFFER_BYTES = 4095;

    /** The most that one copy moves. */
    public static final int MOST_BYTES = 2048;

    private static final long ID = 0x00;
    private static final long LIVENESS = 0x04;
    private static final long FACTORIAL = 0x08;
    private static final long STATUS = 0x20;
    private static final long IRQ_STATUS = 0x24;
    private static final long IRQ_RAISE = 0x60;
    private static final long IRQ_ACKNOWLEDGE = 0x64;
    private static final long DMA_SOURCE = 0x80;
    private static final long DMA_TARGET = 0x88;
    private static final long DMA_COUNT = 0x90;
    private static final long DMA_COMMAND = 0x98;

    private static final int STATUS_RAISE = 0x80; // an interrupt for each factorial
    private static final int IRQ_FACTORIAL = 0x001;
    private static final int IRQ_DMA = 0x100;
    private static final long DMA_RUN = 1;
    private static final long DMA_TO_MEMORY = 2;
    private static final long DMA_RAISE = 4;

    private static final long BUFFER = 0x40000; // where the device has its buffer
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final Mmio registers;
    private final Interrupts interrupts;
    private final Interrupt interrupt;

    private Edu(Device device) {
        registers = device.region(0).map();
        int id = registers.read32Opaque(ID);
        if ((id & 0xff) != 0xed) {
            throw new EduException("no edu device: its identification is 0x%08x".formatted(id));
        }
        device.config().enableBusMaster(); // for DMA, and for MSI, which is a write to memory
        interrupts = device.irq(PciIrq.MSI).enable(0, 1);
        interrupt = interrupts.get(0);
        registers.write32Opaque(STATUS, STATUS_RAISE);
        acknowledge(registers.read32Opaque(IRQ_STATUS));
    }

    /**
     * Starts a device: enables bus mastering and its MSI.
     *
     * @param device an edu device; whoever gives it closes it
     * @return the driver
     * @throws EduException if it is something else
     */
    public static Edu start(Device device) {
        return new Edu(device);
    }

    /**
     * Returns the version.
     *
     * @return major and minor, 16 bits each
     */
    public int version() {
        return registers.read32Opaque(ID) >>> 16;
    }

    /**
     * Has the device invert a number: the check that it lives.
     *
     * @param number any
     * @return its complement
     */
    public int invert(int number) {
        registers.write32Opaque(LIVENESS, number);
        int answer = registers.read32Opaque(LIVENESS);
        for (long start = System.nanoTime(); answer == number && System.nanoTime() - start < LIMIT.toNanos(); ) {
            Thread.onSpinWait(); // a simulated device takes its time
            answer = registers.read32Opaque(LIVENESS);
        }
        return answer;
    }

    /**
     * Has the device compute a factorial, and sleeps until its interrupt says that it is done.
     *
     * @param n from 0 to 12
     * @return n!
     * @throws EduException if it is not done after 10 seconds
     */
    public int factorial(int n) {
        if (n < 0 || n > 12) {
            throw new IllegalArgumentException("factorials of 0 to 12 fit into 32 bits, not that of " + n);
        }
        registers.write32Release(FACTORIAL, n);
        await(IRQ_FACTORIAL);
        int result = registers.read32Acquire(FACTORIAL);
        acknowledge(IRQ_FACTORIAL);
        return result;
    }

    /**
     * Has the device raise its interrupt, and waits for it.
     *
     * @param bits what its status shall show, beside bits 0 and 8, which are taken
     * @throws EduException if it does not come within 10 seconds
     */
    public void raise(int bits) {
        if ((bits & (IRQ_FACTORIAL | IRQ_DMA)) != 0 || bits == 0) {
            throw new IllegalArgumentException("bits other than 0x1 and 0x100, not 0x%x".formatted(bits));
        }
        registers.write32Release(IRQ_RAISE, bits);
        await(bits);
        acknowledge(bits);
    }

    /**
     * Copies from memory into the device's buffer, and sleeps until it is done.
     *
     * @param source memory that the device may read, below 256 MiB of IOVAs
     * @param offset where in it
     * @param at where in the device's buffer
     * @param bytes how many, up to {@link #MOST_BYTES}
     * @throws EduException if the device cannot reach the memory, or is not done after 10 seconds
     */
    public void toDevice(DmaBuffer source, long offset, int at, int bytes) {
        check(source, offset, at, bytes);
        copy(source.iova() + offset, BUFFER + at, bytes, 0);
    }

    /**
     * Copies from the device's buffer into memory, and sleeps until it is done.
     *
     * @param at where in the device's buffer
     * @param target memory that the device may write, below 256 MiB of IOVAs
     * @param offset where in it
     * @param bytes how many, up to {@link #MOST_BYTES}
     * @throws EduException if the device cannot reach the memory, or is not done after 10 seconds
     */
    public void fromDevice(int at, DmaBuffer target, long offset, int bytes) {
        check(target, offset, at, bytes);
        copy(BUFFER + at, target.iova() + offset, bytes, DMA_TO_MEMORY);
    }

    private static void check(DmaBuffer memory, long offset, int at, int bytes) {
        if (bytes < 1 || bytes > MOST_BYTES) {
            throw new IllegalArgumentException("a copy moves 1 to %d bytes, not %d".formatted(MOST_BYTES, bytes));
        }
        if (offset < 0 || offset > memory.size() - bytes || at < 0 || at > BUFFER_BYTES - bytes) {
            throw new IndexOutOfBoundsException("%d bytes at %d of %d, and at %d of the device's %d"
                    .formatted(bytes, offset, memory.size(), at, BUFFER_BYTES));
        }
        long first = memory.iova() + offset;
        if (!REACH.contains(new IovaRange(first, first + bytes - 1))) {
            throw new EduException(
                    "the device has addresses of 28 bits and cannot reach IOVA 0x%x: allocate memory within Edu.REACH"
                            .formatted(first));
        }
    }

    private void copy(long source, long target, int bytes, long direction) {
        registers.write64Opaque(DMA_SOURCE, source);
        registers.write64Opaque(DMA_TARGET, target);
        registers.write64Opaque(DMA_COUNT, bytes);
        registers.write64Release(DMA_COMMAND, DMA_RUN | DMA_RAISE | direction);
        await(IRQ_DMA);
        acknowledge(IRQ_DMA);
        if ((registers.read64Acquire(DMA_COMMAND) & DMA_RUN) != 0) {
            throw new EduException("the device said that a copy was done, and goes on with it");
        }
    }

    private void await(int bits) {
        long start = System.nanoTime();
        while ((registers.read32Acquire(IRQ_STATUS) & bits) != bits) {
            if (System.nanoTime() - start > LIMIT.toNanos()) {
                throw new EduException("no interrupt 0x%x within 10 s".formatted(bits));
            }
            interrupt.await(LIMIT);
        }
    }

    /** Takes bits back, and waits until the device has: else the next wait would find them. */
    private void acknowledge(int bits) {
        registers.write32Release(IRQ_ACKNOWLEDGE, bits);
        long start = System.nanoTime();
        while ((registers.read32Acquire(IRQ_STATUS) & bits) != 0) {
            if (System.nanoTime() - start > LIMIT.toNanos()) {
                throw new EduException("interrupt 0x%x stays after it was acknowledged".formatted(bits));
            }
            Thread.onSpinWait();
        }
    }

    /** Disables the interrupt. Idempotent. */
    @Override
    public void close() {
        interrupts.close();
    }
}
