package io.github.vfio4j.sim;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The kernel's bitmap of the pages of one mapping that were written (Linux: the bitmap of struct vfio_dma), and how it is
 * told to a program. As on Linux, all of it works on whole words of 64 bits: a mapping that does not start at a word of
 * the program's bitmap leaves bits behind its own last page, which later answers tell.
 */
final class DirtyPages {
    private static final int BITS = Long.SIZE;

    private final long pages;
    private final long[] words; // one more than the pages need

    DirtyPages(long pages) {
        this.pages = pages;
        this.words = new long[Math.toIntExact(words(pages) + 1)];
    }

    /** How many bytes a bitmap of pages takes (Linux: DIRTY_BITMAP_BYTES). */
    static long bytes(long pages) {
        return words(pages) * Long.BYTES;
    }

    private static long words(long bits) {
        return (bits + BITS - 1) / BITS;
    }

    /** Every page of the mapping counts as written. */
    void setAll() {
        fill(true);
    }

    /** No page of the mapping counts as written; what lies behind its last page stays. */
    void clear() {
        fill(false);
    }

    private void fill(boolean value) {
        int whole = (int) (pages / BITS);
        Arrays.fill(words, 0, whole, value ? -1 : 0);
        long rest = (1L << pages % BITS) - 1;
        words[whole] = value ? words[whole] | rest : words[whole] & ~rest;
    }

    /**
     * Writes the bitmap out (Linux: update_user_bitmap).
     *
     * @param first the place of the mapping's first page in the program's bitmap
     */
    void tell(UserMemory bitmap, long first) {
        long offset = first / BITS * Long.BYTES;
        int shift = (int) (first % BITS);
        int told = (int) words(pages + shift);
        if (shift != 0) {
            for (int i = told - 1; i >= 0; i--) {
                words[i] = words[i] << shift | (i == 0 ? 0 : words[i - 1] >>> BITS - shift);
            }
            MemorySegment there = UserMemory.zeroed(Long.BYTES);
            bitmap.read(offset, there, Long.BYTES);
            words[0] |= there.get(ValueLayout.JAVA_LONG, 0);
        }
        bitmap.write(offset, MemorySegment.ofArray(words), (long) told * Long.BYTES);
    }
}
