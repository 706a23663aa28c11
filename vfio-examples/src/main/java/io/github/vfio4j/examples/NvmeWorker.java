package io.github.vfio4j.examples;

import io.github.vfio4j.DmaSlice;
import io.github.vfio4j.examples.nvme.NvmeNamespace;
import io.github.vfio4j.examples.nvme.NvmeQueue;
import java.util.SplittableRandom;

/**
 * Keeps one NVMe queue busy with reads and writes of random places, all of one size, and compares every byte that is read
 * with what was written there last. For one thread; {@link #run} allocates nothing.
 *
 * <p>Each place has a version, which each write raises. What is written depends on seed, place, version and position, so
 * that data of another place, of an older write, or half of each, is found out. Commands on the same place have no order,
 * so a place has one command under way at most.
 */
final class NvmeWorker {
    private final NvmeNamespace namespace;
    private final NvmeQueue queue;
    private final DmaSlice data;
    private final int bytes;
    private final int blocks;
    private final long firstBlock;
    private final long seed;
    private final boolean raw;
    private final SplittableRandom random;

    // By place.
    private final int[] versions;
    private final boolean[] busy;
    // By part of the data memory: one for each command under way.
    private final int[] freeParts;
    private final int[] placeOf;
    private final boolean[] writes;
    // By command identifier.
    private final int[] partOf;

    private int freeCount;
    private long reads;
    private long written;

    /**
     * Makes a worker.
     *
     * @param data memory of {@code depth * bytes}
     * @param bytes what one command moves, a multiple of the block size and of 8
     * @param firstBlock where its places begin
     * @param places how many there are, at least {@code depth}
     * @param raw only read, and compare nothing
     */
    NvmeWorker(
            NvmeNamespace namespace,
            NvmeQueue queue,
            DmaSlice data,
            int bytes,
            long firstBlock,
            int places,
            int depth,
            long seed,
            boolean raw) {
        this.namespace = namespace;
        this.queue = queue;
        this.data = data;
        this.bytes = bytes;
        this.blocks = bytes / namespace.blockBytes();
        this.firstBlock = firstBlock;
        this.seed = seed;
        this.raw = raw;
        this.random = new SplittableRandom(seed);
        this.versions = new int[places];
        this.busy = new boolean[places];
        this.freeParts = new int[depth];
        this.placeOf = new int[depth];
        this.writes = new boolean[depth];
        this.partOf = new int[queue.capacity()];
        for (int part = 0; part < depth; part++) {
            freeParts[part] = part;
        }
        freeCount = depth;
    }

    /** Writes every place once, so that there is something to compare with. */
    void prepare() {
        for (int place = 0; place < versions.length || queue.pending() > 0; ) {
            while (place < versions.length && freeCount > 0) {
                submit(place++, true);
            }
            finishAtLeastOne();
        }
    }

    /** Carries out so many reads and writes. */
    void run(long operations) {
        long left = operations;
        while (left > 0 || queue.pending() > 0) {
            while (left > 0 && freeCount > 0) {
                submit(freePlace(), !raw && random.nextInt(2) == 0);
                left--;
            }
            finishAtLeastOne();
        }
    }

    /** Reads every place once more and compares. */
    void sweep() {
        for (int place = 0; place < versions.length || queue.pending() > 0; ) {
            while (place < versions.length && freeCount > 0) {
                submit(place++, false);
            }
            finishAtLeastOne();
        }
    }

    long reads() {
        return reads;
    }

    long writes() {
        return written;
    }

    private int freePlace() {
        int place = random.nextInt(busy.length);
        while (busy[place]) { // fewer are busy than there are
            place = place + 1 == busy.length ? 0 : place + 1;
        }
        return place;
    }

    private void submit(int place, boolean write) {
        int part = freeParts[--freeCount];
        long iova = data.iova() + (long) part * bytes;
        long block = firstBlock + (long) place * blocks;
        busy[place] = true;
        placeOf[part] = place;
        writes[part] = write;
        int command;
        if (write) {
            versions[place]++;
            fill(part, pattern(place), 0);
            command = namespace.submitWrite(queue, block, blocks, iova);
        } else {
            if (!raw) {
                fill(part, pattern(place), -1);
            }
            command = namespace.submitRead(queue, block, blocks, iova);
        }
        partOf[command] = part;
    }

    private void finishAtLeastOne() {
        for (int command = queue.await(); command != NvmeQueue.NONE; command = queue.reap()) {
            int part = partOf[command];
            int place = placeOf[part];
            if (queue.status() != 0) {
                throw queue.failure((writes[part] ? "Write of place " : "Read of place ") + place);
            }
            if (writes[part]) {
                written++;
            } else {
                reads++;
                if (!raw) {
                    compare(part, place);
                }
            }
            busy[place] = false;
            freeParts[freeCount++] = part;
        }
    }

    /** What the data of a place begins with; the rest follows from it. */
    private long pattern(int place) {
        long z = seed + place * 0x9e37_79b9_7f4a_7c15L + versions[place] * 0xd1b5_4a32_d192_ed03L;
        z = (z ^ z >>> 30) * 0xbf58_476d_1ce4_e5b9L;
        z = (z ^ z >>> 27) * 0x94d0_49bb_1331_11ebL;
        return z ^ z >>> 31;
    }

    private static long next(long word) {
        return word * 0x5851_f42d_4c95_7f2dL + 0x1405_7b7e_f767_814fL;
    }

    /** Writes the pattern, or with a mask of -1 its opposite: a read that does nothing must be found out. */
    private void fill(int part, long first, long mask) {
        long word = first;
        long start = (long) part * bytes;
        for (long offset = start; offset < start + bytes; offset += Long.BYTES) {
            data.write64Plain(offset, word ^ mask);
            word = next(word);
        }
    }

    private void compare(int part, int place) {
        long word = pattern(place);
        long start = (long) part * bytes;
        for (long offset = start; offset < start + bytes; offset += Long.BYTES) {
            if (data.read64Plain(offset) != word) {
                throw new CommandException("place %d (block %d) does not hold its version %d: wrong from byte %d on"
                        .formatted(place, firstBlock + (long) place * blocks, versions[place], offset - start));
            }
            word = next(word);
        }
    }
}
