package io.github.vfio4j;

import java.util.OptionalLong;

/**
 * Which pages of a range devices may have written: one bit for each page, 64 pages to a word. A snapshot; safe from any
 * thread.
 */
public final class DirtyBitmap {
    private final long iova;
    private final long size;
    private final long pageSize;
    private final long[] words;

    DirtyBitmap(long iova, long size, long pageSize, long[] words) {
        this.iova = iova;
        this.size = size;
        this.pageSize = pageSize;
        this.words = words;
    }

    /**
     * Returns where the range starts.
     *
     * @return the IOVA of page 0
     */
    public long iova() {
        return iova;
    }

    /**
     * Returns the size of the range.
     *
     * @return bytes
     */
    public long size() {
        return size;
    }

    /**
     * Returns the size of a page.
     *
     * @return bytes, a power of two
     */
    public long pageSize() {
        return pageSize;
    }

    /**
     * Returns how many pages the range has.
     *
     * @return the number
     */
    public long pages() {
        return size / pageSize;
    }

    /**
     * Tells whether devices may have written a page.
     *
     * @param page the page's number, from 0
     * @return true if so
     * @throws IndexOutOfBoundsException if the range has no such page
     */
    public boolean isDirty(long page) {
        if (page < 0 || page >= pages()) {
            throw new IndexOutOfBoundsException("page " + page + " of " + pages());
        }
        return (words[(int) (page / Long.SIZE)] & 1L << page % Long.SIZE) != 0;
    }

    /**
     * Finds the next page that devices may have written.
     *
     * @param page where to start, from 0
     * @return that page's number, {@code page} or above; empty if there is none
     * @throws IndexOutOfBoundsException if the number is negative
     */
    public OptionalLong nextDirty(long page) {
        if (page < 0) {
            throw new IndexOutOfBoundsException("page " + page);
        }
        long word = page / Long.SIZE;
        long mask = -1L << page % Long.SIZE;
        for (; word < words.length; word++, mask = -1) {
            long found = words[(int) word] & mask;
            if (found != 0) {
                return OptionalLong.of(word * Long.SIZE + Long.numberOfTrailingZeros(found));
            }
        }
        return OptionalLong.empty();
    }

    /**
     * Counts the pages that devices may have written.
     *
     * @return the number
     */
    public long dirtyPages() {
        long count = 0;
        for (long word : words) {
            count += Long.bitCount(word);
        }
        return count;
    }

    /**
     * Returns how many words of 64 pages there are.
     *
     * @return the number
     */
    public int words() {
        return words.length;
    }

    /**
     * Returns the bits of 64 pages.
     *
     * @param index the word, from 0
     * @return bit {@code n} stands for page {@code 64 * index + n}; bits behind the last page are 0
     * @throws IndexOutOfBoundsException if there is no such word
     */
    public long word(int index) {
        return words[index];
    }

    /** Says how much of what is dirty. */
    @Override
    public String toString() {
        return "%d of %d pages dirty from IOVA 0x%x on".formatted(dirtyPages(), pages(), iova);
    }

    /**
     * Makes room for the bits of a range.
     *
     * @throws IllegalArgumentException if no array holds them
     */
    static long[] words(long size, long page) {
        checkSize(size, page);
        return new long[(int) ((size / page + Long.SIZE - 1) / Long.SIZE)];
    }

    /**
     * Refuses a range whose bits no array holds, before anybody is asked for them.
     *
     * @throws IllegalArgumentException if it is as large as that; a negative size is
     */
    static void checkSize(long size, long page) {
        long most = (long) Integer.MAX_VALUE * Long.SIZE; // pages; of 4 KiB that is more than all of 48 bits
        if (Long.compareUnsigned(Long.divideUnsigned(size, page), most) > 0) {
            throw new IllegalArgumentException(
                    "a bitmap is of %d pages of %d bytes at most, not of 0x%x bytes: read it in parts"
                            .formatted(most, page, size));
        }
    }
}
