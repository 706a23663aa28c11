package io.github.vfio4j;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.lang.management.ManagementFactory;
import java.lang.ref.Reference;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(60)
class MmioTest {
    private static final long BYTES = 64;
    private static final long VALUE = 0x8877_6655_4433_2211L;
    static final long[] FAR_OUT = {
        Long.MIN_VALUE, Long.MIN_VALUE + 1, Long.MIN_VALUE + 8, -1L << 47, -1L << 32, -64, -63, -56, -48, -40, -32, -24, -16, -9, -8, -7, -6, -5, -4, -3, -2, -1,
        BYTES, BYTES + 8, 1L << 32, 1L << 47, 1L << 48, 1L << 61, Long.MAX_VALUE - 7, Long.MAX_VALUE - 3, Long.MAX_VALUE - 1,
        Long.MAX_VALUE
    };

    private final MemorySegment memory = Arena.ofAuto().allocate(BYTES, 8);
    private final Mmio registers = registers(memory);

    /** A method that reads: its name, its width in bytes, the alignment that it asks for. */
    record Read(String name, int width, int alignment, Reader call) {
        interface Reader {
            long at(Mmio registers, long offset);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /** A method that writes. */
    record Write(String name, int width, int alignment, Writer call) {
        interface Writer {
            void at(Mmio registers, long offset, long value);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Read> reads() {
        return Stream.of(
                new Read("read8Opaque", 1, 1, (m, o) -> m.read8Opaque(o)),
                new Read("read8Acquire", 1, 1, (m, o) -> m.read8Acquire(o)),
                new Read("read16Opaque", 2, 2, (m, o) -> m.read16Opaque(o)),
                new Read("read16Acquire", 2, 2, (m, o) -> m.read16Acquire(o)),
                new Read("read32Opaque", 4, 4, (m, o) -> m.read32Opaque(o)),
                new Read("read32Acquire", 4, 4, (m, o) -> m.read32Acquire(o)),
                new Read("flush", 4, 4, (m, o) -> m.flush(o)),
                new Read("read64Opaque", 8, 8, (m, o) -> m.read64Opaque(o)),
                new Read("read64Acquire", 8, 8, (m, o) -> m.read64Acquire(o)),
                new Read("read64LowHighOpaque", 8, 4, (m, o) -> m.read64LowHighOpaque(o)),
                new Read("read64HighLowOpaque", 8, 4, (m, o) -> m.read64HighLowOpaque(o)));
    }

    static Stream<Write> writes() {
        return Stream.of(
                new Write("write8Opaque", 1, 1, (m, o, v) -> m.write8Opaque(o, (byte) v)),
                new Write("write8Release", 1, 1, (m, o, v) -> m.write8Release(o, (byte) v)),
                new Write("write16Opaque", 2, 2, (m, o, v) -> m.write16Opaque(o, (short) v)),
                new Write("write16Release", 2, 2, (m, o, v) -> m.write16Release(o, (short) v)),
                new Write("write32Opaque", 4, 4, (m, o, v) -> m.write32Opaque(o, (int) v)),
                new Write("write32Release", 4, 4, (m, o, v) -> m.write32Release(o, (int) v)),
                new Write("write32Fenced", 4, 4, (m, o, v) -> m.write32Fenced(o, (int) v)),
                new Write("write64Opaque", 8, 8, Mmio::write64Opaque),
                new Write("write64Release", 8, 8, Mmio::write64Release),
                new Write("write64LowHighRelease", 8, 4, Mmio::write64LowHighRelease),
                new Write("write64HighLowRelease", 8, 4, Mmio::write64HighLowRelease));
    }

    @Test
    void theSizeIsThatOfTheMapping() {
        assertThat(registers.size()).isEqualTo(BYTES);
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aReadTakesItsWidthInLittleEndianOrder(Read read) {
        for (int i = 0; i < BYTES; i++) {
            memory.set(JAVA_BYTE, i, (byte) (0x81 + i));
        }
        for (long offset = 0; offset + read.width() <= BYTES; offset += read.alignment()) {
            assertThat(read.call().at(registers, offset)).isEqualTo(littleEndian(offset, read.width()));
        }
    }

    @ParameterizedTest
    @MethodSource("writes")
    void aWriteChangesItsWidthInLittleEndianOrderAndNothingElse(Write write) {
        for (long offset = 0; offset + write.width() <= BYTES; offset += write.alignment()) {
            memory.fill((byte) 0x5a);
            write.call().at(registers, offset, VALUE);
            for (int i = 0; i < BYTES; i++) {
                boolean inside = i >= offset && i < offset + write.width();
                assertThat(memory.get(JAVA_BYTE, i))
                        .isEqualTo(inside ? (byte) (VALUE >>> 8 * (i - offset)) : (byte) 0x5a);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aReadOutsideTheMappingIsRefused(Read read) {
        for (long offset : new long[] {-read.alignment(), BYTES - read.width() + read.alignment(), BYTES, 1L << 40}) {
            assertThatThrownBy(() -> read.call().at(registers, offset)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @ParameterizedTest
    @MethodSource("writes")
    void aWriteOutsideTheMappingIsRefusedAndChangesNothing(Write write) {
        for (long offset : new long[] {-write.alignment(), BYTES - write.width() + write.alignment(), BYTES, 1L << 40}) {
            assertThatThrownBy(() -> write.call().at(registers, offset, VALUE))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
        assertThat(memory.mismatch(Arena.ofAuto().allocate(BYTES))).isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aMisalignedReadIsRefused(Read read) {
        for (long offset = 1; offset < read.alignment(); offset++) {
            long at = offset;
            assertThatThrownBy(() -> read.call().at(registers, at)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @ParameterizedTest
    @MethodSource("writes")
    void aMisalignedWriteIsRefusedAndChangesNothing(Write write) {
        for (long offset = 1; offset < write.alignment(); offset++) {
            long at = offset;
            assertThatThrownBy(() -> write.call().at(registers, at, VALUE))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(memory.mismatch(Arena.ofAuto().allocate(BYTES))).isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aReadAfterTheCloseIsRefused(Read read) {
        assertThatThrownBy(() -> read.call().at(closed(), 0)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @MethodSource("writes")
    void aWriteAfterTheCloseIsRefused(Write write) {
        assertThatThrownBy(() -> write.call().at(closed(), 0, VALUE)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @MethodSource("reads")
    void noOffsetIsSoFarOutThatAReadOfItIsInside(Read read) {
        for (long offset : FAR_OUT) {
            assertThatThrownBy(() -> read.call().at(registers, offset))
                    .isInstanceOfAny(IndexOutOfBoundsException.class, IllegalArgumentException.class);
        }
    }

    @ParameterizedTest
    @MethodSource("writes")
    void noOffsetIsSoFarOutThatAWriteThereIsInside(Write write) {
        for (long offset : FAR_OUT) {
            assertThatThrownBy(() -> write.call().at(registers, offset, VALUE))
                    .isInstanceOfAny(IndexOutOfBoundsException.class, IllegalArgumentException.class);
        }
        assertThat(memory.mismatch(Arena.ofAuto().allocate(BYTES))).isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("writes")
    void aWriteToARegionThatCanOnlyBeReadIsRefusedAndChangesNothing(Write write) {
        Mmio readOnly = new Mmio(mapping(memory, false));
        assertThatThrownBy(() -> write.call().at(readOnly, 0, VALUE)).isInstanceOf(UnsupportedOperationException.class);
        assertThat(memory.mismatch(Arena.ofAuto().allocate(BYTES))).isEqualTo(-1);
    }

    @Test
    void aPartHasItsOwnOffsets() {
        for (int i = 0; i < BYTES; i++) {
            memory.set(JAVA_BYTE, i, (byte) i);
        }
        Mmio part = registers.part(16, 24);
        assertThat(part.size()).isEqualTo(24);
        assertThat(part.read8Opaque(0)).isEqualTo((byte) 16);
        assertThat(part.part(8, 8).read8Opaque(7)).isEqualTo((byte) 31);
        part.write32Release(20, -1);
        assertThat(memory.get(JAVA_INT_UNALIGNED, 36)).isEqualTo(-1);
        assertThatThrownBy(() -> part.read32Opaque(24)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> part.read32Opaque(-4)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void aPartIsInsideTheMappingAndBeginsAtAMultipleOf8() {
        for (long[] bad : new long[][] {{-8, 8}, {BYTES, 8}, {0, BYTES + 1}, {8, BYTES}, {8, Long.MAX_VALUE}, {0, -1}}) {
            assertThatThrownBy(() -> registers.part(bad[0], bad[1])).isInstanceOf(IndexOutOfBoundsException.class);
        }
        assertThatThrownBy(() -> registers.part(4, 8)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> registers.part(BYTES, 0).read8Opaque(0)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void aPartEndsWithTheMappingAndKeepsItsAddresses() {
        FakeKernel kernel = new FakeKernel();
        long address = memory.address();
        Mapping mapping = new Mapping(kernel, new AddressRange(kernel, address, BYTES), BYTES, true);
        Mmio part = new Mmio(mapping).part(8, 8).part(0, 4);
        mapping.end();
        assertThatThrownBy(() -> part.read32Opaque(0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> part.part(0, 4)).isInstanceOf(IllegalStateException.class);
        mapping.range.release();
        mapping = null;
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        assertThat(kernel.givenBack).isEmpty();
        assertThat(part.size()).isEqualTo(4); // reachable up to here
    }

    /** The JIT must not take the check out of a loop. */
    @Test
    void aThreadThatDoesNothingElseSeesTheEnd() throws InterruptedException {
        for (int round = 0; round < 20; round++) {
            Mapping mapping = mapping(memory, true);
            Mmio doomed = new Mmio(mapping);
            AtomicReference<Throwable> end = new AtomicReference<>();
            CountDownLatch atWork = new CountDownLatch(1);
            Thread thread = Thread.ofPlatform().start(() -> {
                try {
                    touchEverything(doomed, 10_000);
                    atWork.countDown();
                    touchEverything(doomed, Integer.MAX_VALUE);
                } catch (IllegalStateException e) {
                    end.set(e);
                }
            });
            atWork.await();
            mapping.end();
            thread.join();
            assertThat(end.get()).isInstanceOf(IllegalStateException.class);
        }
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aReadDuringTheCloseGivesWhatWasMappedOrThrows(Read read) throws InterruptedException {
        for (int round = 0; round < 25; round++) {
            memory.fill((byte) -1);
            Mapping mapping = mapping(memory, true);
            Mmio doomed = new Mmio(mapping);
            assertThat(readUntilTheEnd(() -> read.call().at(doomed, 0), mapping::end, memory)).containsOnly(-1L);
        }
    }

    /**
     * Has threads read until what was mapped has ended and zeros are in its place, as the kernel leaves them. They are more
     * than there are processors, so that some are interrupted halfway.
     *
     * @return all values that were read
     */
    static Set<Long> readUntilTheEnd(LongSupplier read, Runnable end, MemorySegment memory)
            throws InterruptedException {
        Set<Long> values = ConcurrentHashMap.newKeySet();
        List<Thread> threads = new ArrayList<>();
        int number = 2 * Runtime.getRuntime().availableProcessors() + 2;
        CountDownLatch atWork = new CountDownLatch(number);
        for (int i = 0; i < number; i++) {
            threads.add(Thread.ofPlatform().start(() -> {
                long last = read.getAsLong();
                values.add(last);
                atWork.countDown();
                try {
                    while (true) {
                        long value = read.getAsLong();
                        if (value != last) {
                            values.add(value);
                            last = value;
                        }
                    }
                } catch (IllegalStateException _) {
                    // the end
                }
            }));
        }
        atWork.await();
        end.run();
        VarHandle.fullFence(); // as a system call is one
        memory.fill((byte) 0);
        for (Thread thread : threads) {
            thread.join();
        }
        return values;
    }

    @Test
    void theAddressesOfAClosedMappingAreUsedAgainOnlyWhenNobodyHasIt() {
        FakeKernel kernel = new FakeKernel();
        long address = memory.address();
        Mmio held = endedAndReleased(kernel, address);
        for (int i = 0; i < 3; i++) {
            endedAndReleased(kernel, address + 8); // what nobody has is given back
            awaitGarbageCollection(kernel, address + 8);
            assertThat(kernel.givenBack).doesNotContain(address);
        }
        Reference.reachabilityFence(held);
        held = null;
        awaitGarbageCollection(kernel, address);
    }

    private static Mmio endedAndReleased(FakeKernel kernel, long address) {
        Mapping mapping = new Mapping(kernel, new AddressRange(kernel, address, 8), 8, true);
        mapping.end();
        mapping.range.release();
        return new Mmio(mapping);
    }

    /** Ends by the test's timeout if the addresses never come. */
    static void awaitGarbageCollection(FakeKernel kernel, long address) {
        while (!kernel.givenBack.remove(address)) {
            System.gc();
        }
    }

    @Test
    void noAccessAllocates() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 50 && least > 0; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            touchEverything(registers, 100_000);
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(least).isZero();
    }

    private static long touchEverything(Mmio m, int times) {
        long sum = 0;
        for (int i = 0; i < times; i++) {
            m.write8Opaque(0, (byte) i);
            m.write8Release(1, (byte) i);
            m.write16Opaque(2, (short) i);
            m.write16Release(4, (short) i);
            m.write32Opaque(8, i);
            m.write32Release(12, i);
            m.write32Fenced(16, i);
            m.write64Opaque(24, i);
            m.write64Release(32, i);
            m.write64LowHighRelease(40, i);
            m.write64HighLowRelease(48, i);
            sum += m.read8Opaque(0) + m.read8Acquire(1) + m.read16Opaque(2) + m.read16Acquire(4);
            sum += m.read32Opaque(8) + m.read32Acquire(12) + m.flush(16);
            sum += m.read64Opaque(24) + m.read64Acquire(32);
            sum += m.read64LowHighOpaque(40) + m.read64HighLowOpaque(48);
        }
        return sum;
    }

    /** The pages of a file with holes come into memory when somebody reads them, and not before. */
    @Test
    void theJitKeepsAFlushWhoseValueNobodyUses(@TempDir Path directory) throws IOException {
        try (Arena arena = Arena.ofShared()) {
            Mmio small = registers(hole(directory.resolve("warm"), 4096, arena));
            long start = System.nanoTime();
            while (System.nanoTime() - start < 1_000_000_000) { // until the JIT has long done its best
                flushEveryPage(small, 1000, 0);
            }
            int pages = 512;
            MemorySegment untouched = hole(directory.resolve("untouched"), pages * 4096L, arena);
            assertThat(untouched.isLoaded()).as("before").isFalse();
            flushEveryPage(registers(untouched), pages, 4096);
            assertThat(untouched.isLoaded()).as("after").isTrue();
        }
    }

    private static void flushEveryPage(Mmio registers, int times, long step) {
        for (int i = 0; i < times; i++) {
            registers.flush(i * step);
        }
    }

    private static MemorySegment hole(Path file, long bytes, Arena arena) throws IOException {
        try (FileChannel channel = FileChannel.open(
                file, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
        }
    }

    /** Two threads each write their own register and then read the other's: one of them must see the other's write. */
    @Test
    void noReadPassesAFencedWrite() throws InterruptedException {
        int most = 1_000_000;
        Mmio registers = registers(Arena.global().allocate(4096, 4096)); // of two cache lines, far apart
        Rounds rounds = new Rounds(new AtomicInteger(), new AtomicInteger(most));
        int[] seen = new int[most];
        int[] seenByOther = new int[most];
        Thread other = Thread.ofPlatform().start(() -> writeThenRead(registers, 2048, 0, seenByOther, rounds));
        long end = System.nanoTime() + 5_000_000_000L; // a busy machine gets fewer rounds
        writeThenRead(registers, 0, 2048, seen, rounds.until(() -> System.nanoTime() - end > 0));
        other.join();
        assertThat(rounds.most().get()).isPositive();
        for (int i = 0; i < rounds.most().get(); i++) {
            if (seen[i] != i + 1 && seenByOther[i] != i + 1) {
                fail("in round %d neither saw the other's write", i);
            }
        }
    }

    private static void writeThenRead(Mmio registers, long own, long others, int[] seen, Rounds rounds) {
        for (int i = 0; rounds.begin(i); i++) {
            registers.write32Fenced(own, i + 1);
            seen[i] = registers.read32Opaque(others);
        }
    }

    /** Rounds that two threads begin at the same time. */
    private record Rounds(AtomicInteger arrivals, AtomicInteger most, BooleanSupplier over) {
        Rounds(AtomicInteger arrivals, AtomicInteger most) {
            this(arrivals, most, () -> false);
        }

        /** The same for the one thread that ends them. */
        Rounds until(BooleanSupplier over) {
            return new Rounds(arrivals, most, over);
        }

        boolean begin(int round) {
            if (over.getAsBoolean() && round > 0) {
                most.set(Math.min(most.get(), round)); // the other one has not begun this round, which takes both
            }
            arrivals.incrementAndGet();
            while (arrivals.get() < 2 * round + 2) {
                Thread.onSpinWait();
            }
            return round < most.get();
        }
    }

    @Test
    void registersAreWhereTheirMappingIsAndNowhereElse() {
        Mapping mapping = registers.mapping();
        for (long[] bad : new long[][] {{0, BYTES}, {registers.address() + 1, BYTES}, {registers.address(), BYTES + 1}}) {
            assertThatThrownBy(() -> new Mmio(bad[0], bad[1], mapping)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    /** The JIT takes only the fields of records for constants. */
    @Test
    void aMappingIsARecord() {
        assertThat(registers).isInstanceOf(Record.class);
    }

    private long littleEndian(long offset, int width) {
        long value = 0;
        for (int i = width - 1; i >= 0; i--) {
            value = value << 8 | Byte.toUnsignedLong(memory.get(JAVA_BYTE, offset + i));
        }
        int unused = 64 - 8 * width;
        return value << unused >> unused; // registers are signed, as Java's numbers are
    }

    private static Mmio closed() {
        Mapping mapping = mapping(Arena.global().allocate(JAVA_LONG), true);
        mapping.end();
        return new Mmio(mapping);
    }

    /** The memory must outlive the registers. */
    private static Mmio registers(MemorySegment memory) {
        return new Mmio(mapping(memory, true));
    }

    static Mapping mapping(MemorySegment memory, boolean writable) {
        FakeKernel kernel = new FakeKernel();
        return new Mapping(
                kernel, new AddressRange(kernel, memory.address(), memory.byteSize()), memory.byteSize(), writable);
    }
}
