package io.github.vfio4j.sim.differential;

import java.io.Serializable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** A piece of the argument of an ioctl. Its text is the Java that makes it. */
sealed interface Field extends Serializable {
    /** Bytes that it takes. */
    int size();

    /** Puts it into the argument of one kernel. */
    void put(Side side, MemorySegment argument, long offset);

    /** Do the two kernels get different bytes for it? Then only whether they were changed is compared. */
    default boolean differs() {
        return false;
    }

    /** A 32-bit number. */
    record U32(int value) implements Field {
        @Override
        public int size() {
            return Integer.BYTES;
        }

        @Override
        public void put(Side side, MemorySegment argument, long offset) {
            argument.set(ValueLayout.JAVA_INT_UNALIGNED, offset, value);
        }

        @Override
        public String toString() {
            return "u32(" + (value >= 0 && value < 256 ? value : "0x" + Integer.toHexString(value)) + ")";
        }
    }

    /** A 64-bit number. */
    record U64(long value) implements Field {
        @Override
        public int size() {
            return Long.BYTES;
        }

        @Override
        public void put(Side side, MemorySegment argument, long offset) {
            argument.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, value);
        }

        @Override
        public String toString() {
            return "u64(0x" + Long.toHexString(value) + "L)";
        }
    }

    /** A descriptor. */
    record Descriptor(int slot) implements Field {
        @Override
        public int size() {
            return Integer.BYTES;
        }

        @Override
        public void put(Side side, MemorySegment argument, long offset) {
            argument.set(ValueLayout.JAVA_INT_UNALIGNED, offset, side.descriptor(slot));
        }

        @Override
        public boolean differs() {
            return true;
        }

        @Override
        public String toString() {
            return "fd(" + Step.slot(slot) + ")";
        }
    }

    /** An address in the program's memory. */
    record Address(Region region, long offset) implements Field {
        @Override
        public int size() {
            return Long.BYTES;
        }

        @Override
        public void put(Side side, MemorySegment argument, long at) {
            argument.set(ValueLayout.JAVA_LONG_UNALIGNED, at, side.address(region) + offset);
        }

        @Override
        public boolean differs() {
            return true;
        }

        @Override
        public String toString() {
            return "address(Region.%s, 0x%xL)".formatted(region, offset);
        }
    }

    /** An address in a mapped BAR; 0 if nothing is mapped there. */
    record InBar(int mapping, long offset) implements Field {
        @Override
        public int size() {
            return Long.BYTES;
        }

        @Override
        public void put(Side side, MemorySegment argument, long at) {
            argument.set(ValueLayout.JAVA_LONG_UNALIGNED, at, side.mapping(mapping) + offset);
        }

        @Override
        public boolean differs() {
            return true;
        }

        @Override
        public String toString() {
            return "inBar(%d, 0x%xL)".formatted(mapping, offset);
        }
    }

    /** The address of a bitmap in the program's memory, filled before the call; what becomes of it is compared. */
    record Bitmap(long offset, int fill) implements Field {
        static final int BYTES = 1024;

        @Override
        public int size() {
            return Long.BYTES;
        }

        @Override
        public void put(Side side, MemorySegment argument, long at) {
            MemorySegment bitmap = side.memory(Region.RAM, offset, BYTES).fill((byte) fill);
            argument.set(ValueLayout.JAVA_LONG_UNALIGNED, at, bitmap.address());
        }

        byte[] content(Side side) {
            return side.memory(Region.RAM, offset, BYTES).toArray(ValueLayout.JAVA_BYTE);
        }

        @Override
        public boolean differs() {
            return true;
        }

        @Override
        public String toString() {
            return "bitmap(0x%xL, %d)".formatted(offset, fill);
        }
    }

    /** A string with its NUL. */
    record Text(String text) implements Field {
        @Override
        public int size() {
            return text.length() + 1;
        }

        @Override
        public void put(Side side, MemorySegment argument, long offset) {
            byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
            MemorySegment.copy(bytes, 0, argument, ValueLayout.JAVA_BYTE, offset, bytes.length);
            argument.set(ValueLayout.JAVA_BYTE, offset + bytes.length, (byte) 0);
        }

        @Override
        public String toString() {
            return "text(" + Step.quoted(text) + ")";
        }
    }
}
