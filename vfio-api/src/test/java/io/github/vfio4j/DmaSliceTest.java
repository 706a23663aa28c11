package io.github.vfio4j;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(60)
class DmaSliceTest {
    private static final long BYTES = 64;
    private static final long VALUE = 0x8877_6655_4433_2211L;
    private static final long WORDS = 0x0101_0101_0101_0101L; // times n: a word of bytes n

    private final MemorySegment memory = Arena.ofAuto().allocate(BYTES, 8);
    private final DmaSlice slice = slice(memory);

    /** A method that reads: its name, and its width in bytes, which is the alignment that it asks for. */
    record Read(String name, int width, Reader call) {
        interface Reader {
            long at(DmaSlice slice, long offset);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /** A method that writes: its name, its width in bytes, the alignment that it asks for. */
    record Write(String name, int width, int alignment, Writer call) {
        interface Writer {
            void at(DmaSlice slice, long offset, long value);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Read> reads() {
        return Stream.of(
                new Read("read16Opaque", 2, DmaSlice::read16Opaque),
                new Read("read16Acquire", 2, DmaSlice::read16Acquire),
                new Read("read32Plain", 4, (s, o) -> Integer.toUnsignedLong(s.read32Plain(o))),
                new Read("read32Opaque", 4, (s, o) -> Integer.toUnsignedLong(s.read32Opaque(o))),
                new Read("read32Acquire", 4, (s, o) -> Integer.toUnsignedLong(s.read32Acquire(o))),
                new Read("read64Plain", 8, DmaSlice::read64Plain),
                new Read("read64Acquire", 8, DmaSlice::read64Acquire),
                new Read("read64AcquireWhile", 8, (s, o) -> {
                    long[] values = new long[1];
                    assertThat(s.read64AcquireWhile(o, 8, 0, 0, values, 1)).isEqualTo(1);
                    return values[0];
                }));
    }

    static Stream<Write> writes() {
        return Stream.of(
                new Write("write16Plain", 2, 2, (s, o, v) -> s.write16Plain(o, (int) v)),
                new Write("write16Opaque", 2, 2, (s, o, v) -> s.write16Opaque(o, (int) v)),
                new Write("write16Release", 2, 2, (s, o, v) -> s.write16Release(o, (int) v)),
                new Write("write32Plain", 4, 4, (s, o, v) -> s.write32Plain(o, (int) v)),
                new Write("write64Plain", 8, 8, DmaSlice::write64Plain),
                new Write("write16BytesPlain", 16, 16, (s, o, v) -> s.write16BytesPlain(o, v, v)),
                new Write("write64BytesPlain", 64, 64, (s, o, v) -> s.write64BytesPlain(o, v, v, v, v, v, v, v, v)));
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aReadTakesItsWidthInLittleEndianOrder(Read read) {
        for (int i = 0; i < BYTES; i++) {
            memory.set(JAVA_BYTE, i, (byte) (0x81 + i));
        }
        for (long offset = 0; offset + read.width() <= BYTES; offset += read.width()) {
            long expected = 0;
            for (int i = read.width() - 1; i >= 0; i--) {
                expected = expected << 8 | Byte.toUnsignedLong(memory.get(JAVA_BYTE, offset + i));
            }
            assertThat(read.call().at(slice, offset)).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @MethodSource("writes")
    void aWriteChangesItsWidthInLittleEndianOrderAndNothingElse(Write write) {
        for (long offset = 0; offset + write.width() <= BYTES; offset += write.alignment()) {
            memory.fill((byte) 0x5a);
            write.call().at(slice, offset, VALUE);
            for (int i = 0; i < BYTES; i++) {
                boolean inside = i >= offset && i < offset + write.width();
                assertThat(memory.get(JAVA_BYTE, i))
                        .isEqualTo(inside ? (byte) (VALUE >>> 8 * ((i - offset) % 8)) : (byte) 0x5a);
            }
        }
    }

    @Test
    void anEntryOf64BytesHasItsWordsInOrder() {
        slice.write64BytesPlain(0, 0, WORDS, 2 * WORDS, 3 * WORDS, 4 * WORDS, 5 * WORDS, 6 * WORDS, 7 * WORDS);
        for (int i = 0; i < 8; i++) {
            assertThat(memory.get(JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 8L * i)).isEqualTo(i * WORDS);
        }
    }

    @Test
    void anEntryOf16BytesHasItsWordsInOrder() {
        slice.write16BytesPlain(16, WORDS, 2 * WORDS);
        assertThat(memory.get(JAVA_LONG_UNALIGNED, 16)).isEqualTo(WORDS);
        assertThat(memory.get(JAVA_LONG_UNALIGNED, 24)).isEqualTo(2 * WORDS);
    }

    @Test
    void anEntryThatTheSliceEndsInIsRefused() {
        MemorySegment odd = Arena.ofAuto().allocate(72, 8);
        assertThatThrownBy(() -> slice(odd).write64BytesPlain(64, 1, 1, 1, 1, 1, 1, 1, 1))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> slice(odd).write16BytesPlain(64, 1, 1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(odd.mismatch(Arena.ofAuto().allocate(72))).isEqualTo(-1);
    }

    @Test
    void numbersOfEntriesAreReadAsLongAsTheirBitsAreAsExpected() {
        long[] words = {0x1_01, 0, 0x1_02, 0, 0x2_03, 0, 0x1_04, 0};
        for (int i = 0; i < words.length; i++) {
            memory.set(JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 8L * i, words[i]);
        }
        long[] values = new long[4];
        assertThat(slice.read64AcquireWhile(0, 16, 0xf00, 0x100, values, 4)).isEqualTo(2);
        assertThat(values).containsExactly(0x1_01, 0x1_02, 0, 0);
        assertThat(slice.read64AcquireWhile(0, 16, 0xf00, 0x100, values, 1)).isEqualTo(1);
        assertThat(slice.read64AcquireWhile(32, 16, 0xf00, 0x100, values, 2)).isZero();
        assertThat(slice.read64AcquireWhile(0, 8, 0, 0, values, 0)).isZero();
    }

    @Test
    void numbersOfEntriesThatAreNotAllInsideAreNotRead() {
        long[] values = {7, 7, 7, 7, 7};
        assertThatThrownBy(() -> slice.read64AcquireWhile(0, 16, 0, 0, values, 5))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> slice.read64AcquireWhile(-16, 16, 0, 0, values, 2))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> slice.read64AcquireWhile(0, Integer.MAX_VALUE - 7, 0, 0, values, 2))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> slice.read64AcquireWhile(0, 8, 0, 0, values, 6))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> slice.read64AcquireWhile(0, 8, 0, 0, values, -1))
                .isInstanceOf(IndexOutOfBoundsException.class);
        for (int stride : new int[] {0, -8, 4, 12, Integer.MIN_VALUE}) {
            assertThatThrownBy(() -> slice.read64AcquireWhile(0, stride, 0, 0, values, 2))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(values).containsOnly(7);
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aReadOutsideTheSliceIsRefused(Read read) {
        for (long offset : MmioTest.FAR_OUT) {
            assertThatThrownBy(() -> read.call().at(slice, offset))
                    .isInstanceOfAny(IndexOutOfBoundsException.class, IllegalArgumentException.class);
        }
        for (long offset : new long[] {-read.width(), BYTES, 1L << 40}) {
            assertThatThrownBy(() -> read.call().at(slice, offset)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @ParameterizedTest
    @MethodSource("writes")
    void aWriteOutsideTheSliceIsRefusedAndChangesNothing(Write write) {
        for (long offset : MmioTest.FAR_OUT) {
            assertThatThrownBy(() -> write.call().at(slice, offset, VALUE))
                    .isInstanceOfAny(IndexOutOfBoundsException.class, IllegalArgumentException.class);
        }
        for (long offset : new long[] {-write.alignment(), BYTES - write.width() + write.alignment(), BYTES, 1L << 40}) {
            assertThatThrownBy(() -> write.call().at(slice, offset, VALUE)).isInstanceOf(IndexOutOfBoundsException.class);
        }
        assertThat(memory.mismatch(Arena.ofAuto().allocate(BYTES))).isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aMisalignedReadIsRefused(Read read) {
        for (long offset = 1; offset < read.width(); offset++) {
            long at = offset;
            assertThatThrownBy(() -> read.call().at(slice, at)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @ParameterizedTest
    @MethodSource("writes")
    void aMisalignedWriteIsRefusedAndChangesNothing(Write write) {
        MemorySegment larger = Arena.ofAuto().allocate(2 * BYTES, 8);
        for (long offset = 1; offset < write.alignment(); offset++) {
            long at = offset;
            assertThatThrownBy(() -> write.call().at(slice(larger), at, VALUE))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(larger.mismatch(Arena.ofAuto().allocate(2 * BYTES))).isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aReadAfterTheCloseIsRefused(Read read) {
        DmaSlice closed = closed();
        assertThatThrownBy(() -> read.call().at(closed, 0)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @MethodSource("writes")
    void aWriteAfterTheCloseIsRefused(Write write) {
        DmaSlice closed = closed();
        assertThatThrownBy(() -> write.call().at(closed, 0, VALUE)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @MethodSource("reads")
    void aReadDuringTheCloseGivesWhatTheBufferHeldOrThrows(Read read) throws InterruptedException {
        long held = -1L >>> 64 - 8 * read.width(); // unsigned
        for (int round = 0; round < 25; round++) {
            memory.fill((byte) -1);
            Arena arena = Arena.ofShared(); // closed as a buffer's is
            Mapping mapping = MmioTest.mapping(memory, true);
            DmaSlice doomed = new DmaSlice(seen(memory, arena), 0, mapping);
            assertThat(MmioTest.readUntilTheEnd(() -> read.call().at(doomed, 0), () -> {
                arena.close();
                mapping.end();
            }, memory)).containsOnly(held);
        }
    }

    @SuppressWarnings("restricted")
    private static MemorySegment seen(MemorySegment memory, Arena arena) {
        return memory.reinterpret(arena, null);
    }

    @Test
    void aBufferWithASliceLeavesItsAddressesToThoseWhoHaveTheSlice() {
        FakeKernel kernel = new FakeKernel();
        DmaMemory.Seen seen = DmaMemory.allocate(kernel, 4096, PageSize.BASE, Arena.global());
        DmaSlice held = new DmaSlice(seen.segment(), 0, seen.memory().map());
        kernel.newCalls();
        seen.memory().release();
        assertThat(kernel.newCalls()).containsExactly("vacate 1000");
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        assertThat(kernel.givenBack).isEmpty();
        long address = held.segment().address();
        held = null;
        MmioTest.awaitGarbageCollection(kernel, address);
    }

    private static DmaSlice slice(MemorySegment memory) {
        return new DmaSlice(memory, 0, MmioTest.mapping(memory, true));
    }

    private static DmaSlice closed() {
        Arena arena = Arena.ofShared();
        MemorySegment memory = arena.allocate(BYTES, 8);
        Mapping mapping = MmioTest.mapping(memory, true);
        arena.close(); // as closing a buffer does
        mapping.end();
        return new DmaSlice(memory, 0, mapping);
    }
}
