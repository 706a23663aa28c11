package io.github.vfio4j;

/**
 * The registers of a mapped region, usually a BAR. Each method is one access of its width, little-endian, at an offset in
 * bytes from the start of the mapping; the offset must be a multiple of the width.
 *
 * <p>Memory order is in the name. None of these accesses is ever merged, split or dropped by the JIT, and accesses to the
 * same register stay in order. Besides that:
 *
 * <ul>
 *   <li><em>Opaque</em>: no order with other memory. Configures a device before anything runs.
 *   <li><em>Acquire</em>, of a read: comes before every later access of the thread. Reads a status before the DMA memory
 *       that the status speaks of.
 *   <li><em>Release</em>, of a write: comes after every earlier access. Rings a doorbell after the queue was filled.
 *   <li><em>Fenced</em>, of a write: a release write with a full fence behind it, so that no later read passes it either.
 *       Needed where a read of memory must see what the device wrote after it had seen this register.
 * </ul>
 *
 * <p>A read whose value is not used may be dropped by the JIT, whatever its order: use the value, or {@link #flush}.
 * These are orders of Java's memory model, which x86-64 keeps towards devices, too, for registers that are mapped
 * uncached. A mapping that combines writes (a prefetchable BAR on some machines) needs the fenced write.
 *
 * <p>Safe from any thread; no access locks or allocates. All throw {@link IndexOutOfBoundsException} for an offset
 * outside the mapping, {@link IllegalArgumentException} for a misaligned one and {@link IllegalStateException} once the
 * device is closed; writes throw {@link UnsupportedOperationException} if the region can only be read. Held in a {@code
 * static final} field, a mapping is a constant of the JIT: an access is then one instruction and the check that the device
 * is open. Held in a field of a driver it costs some loads more.
 *
 * <p>An access that comes at the same moment as the close of the device either reaches the device before, or throws, or,
 * for the last write of a thread, goes nowhere: into memory that the kernel has put in the device's place. After the close the device is free for others, and nothing is left but that range of addresses of
 * this process, with one page of memory for each page that a late write found. It is given back when the garbage collector
 * finds that no {@code Mmio} of it is reachable: never, for one in a {@code static final} field.
 */
public sealed interface Mmio permits MappedMmio {
    /**
     * Returns the size of the mapping.
     *
     * @return bytes
     */
    long size();

    /**
     * Returns a part of the registers, such as those of one queue; offset 0 is its start. It ends with the mapping. An
     * access costs the least at an offset that the JIT knows, which makes a part worth its while for a register that is
     * used all the time, such as a doorbell. What is kept of a part lasts as long as the mapping: make parts when a driver
     * starts.
     *
     * @param offset bytes from the start, a multiple of 8
     * @param size bytes
     * @return the part
     */
    Mmio part(long offset, long size);

    /**
     * Reads 8 bits, opaque.
     *
     * @param offset bytes from the start
     * @return the register
     */
    byte read8Opaque(long offset);

    /**
     * Reads 16 bits, opaque.
     *
     * @param offset bytes from the start, even
     * @return the register
     */
    short read16Opaque(long offset);

    /**
     * Reads 32 bits, opaque.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return the register
     */
    int read32Opaque(long offset);

    /**
     * Reads 64 bits in one access, opaque.
     *
     * @param offset bytes from the start, a multiple of 8
     * @return the register
     */
    long read64Opaque(long offset);

    /**
     * Reads 8 bits, acquire.
     *
     * @param offset bytes from the start
     * @return the register
     */
    byte read8Acquire(long offset);

    /**
     * Reads 16 bits, acquire.
     *
     * @param offset bytes from the start, even
     * @return the register
     */
    short read16Acquire(long offset);

    /**
     * Reads 32 bits, acquire.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return the register
     */
    int read32Acquire(long offset);

    /**
     * Reads 64 bits in one access, acquire.
     *
     * @param offset bytes from the start, a multiple of 8
     * @return the register
     */
    long read64Acquire(long offset);

    /**
     * Writes 8 bits, opaque.
     *
     * @param offset bytes from the start
     * @param value the register's new value
     */
    void write8Opaque(long offset, byte value);

    /**
     * Writes 16 bits, opaque.
     *
     * @param offset bytes from the start, even
     * @param value the register's new value
     */
    void write16Opaque(long offset, short value);

    /**
     * Writes 32 bits, opaque.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the register's new value
     */
    void write32Opaque(long offset, int value);

    /**
     * Writes 64 bits in one access, opaque.
     *
     * @param offset bytes from the start, a multiple of 8
     * @param value the register's new value
     */
    void write64Opaque(long offset, long value);

    /**
     * Writes 8 bits, release.
     *
     * @param offset bytes from the start
     * @param value the register's new value
     */
    void write8Release(long offset, byte value);

    /**
     * Writes 16 bits, release.
     *
     * @param offset bytes from the start, even
     * @param value the register's new value
     */
    void write16Release(long offset, short value);

    /**
     * Writes 32 bits, release: the way to ring a doorbell.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the register's new value
     */
    void write32Release(long offset, int value);

    /**
     * Writes 64 bits in one access, release.
     *
     * @param offset bytes from the start, a multiple of 8
     * @param value the register's new value
     */
    void write64Release(long offset, long value);

    /**
     * Writes 32 bits, release, and then fences: no later read of this thread is done before the register has the value.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the register's new value
     */
    void write32Fenced(long offset, int value);

    /**
     * Reads 64 bits as two registers of 32, the lower half (at {@code offset}) first, both opaque: for devices that take
     * no access of 64 bits. The halves may be of different moments.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return both halves
     */
    long read64LowHighOpaque(long offset);

    /**
     * Reads 64 bits as two registers of 32, the upper half (at {@code offset + 4}) first, both opaque: for devices that
     * take no access of 64 bits. The halves may be of different moments.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return both halves
     */
    long read64HighLowOpaque(long offset);

    /**
     * Writes 64 bits as two registers of 32, the lower half (at {@code offset}) first: opaque the one, release the other,
     * so that they stay in this order. For devices that take a pair when its upper half is written.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the registers' new value
     */
    void write64LowHighRelease(long offset, long value);

    /**
     * Writes 64 bits as two registers of 32, the upper half (at {@code offset + 4}) first: opaque the one, release the
     * other, so that they stay in this order. For devices that take a pair when its lower half is written.
     *
     * @param offset bytes from the start, a multiple of 4
     * @param value the registers' new value
     */
    void write64HighLowRelease(long offset, long value);

    /**
     * Has the device take all earlier writes to it: reads a register of 32 bits behind them, and does not return before
     * the value is there (PCI keeps a read behind posted writes). Unlike a plain read that nobody looks at, the JIT never
     * drops this. Choose a register that may be read at any time.
     *
     * @param offset bytes from the start, a multiple of 4
     * @return what was read; all ones from a device that is gone
     */
    int flush(long offset);
}
