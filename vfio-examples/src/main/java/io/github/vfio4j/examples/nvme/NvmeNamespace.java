package io.github.vfio4j.examples.nvme;

import io.github.vfio4j.DmaBuffer;

/**
 * A namespace: numbered blocks of one size. {@link #read} and {@link #write} move blocks and wait;
 * {@link #submitRead} and {@link #submitWrite} only submit, for programs that keep many commands under way.
 */
public final class NvmeNamespace {
    private static final int FLUSH = 0x00;
    private static final int WRITE = 0x01;
    private static final int READ = 0x02;

    private final int id;
    private final long blocks;
    private final int blockBytes;
    private final int maxTransferBytes;
    private final long reads; // the first two words of commands
    private final long writes;

    NvmeNamespace(int id, long blocks, int blockBytes, int maxTransferBytes) {
        this.id = id;
        this.blocks = blocks;
        this.blockBytes = blockBytes;
        this.maxTransferBytes = maxTransferBytes;
        this.reads = (long) id << 32 | READ;
        this.writes = (long) id << 32 | WRITE;
    }

    /**
     * Returns the identifier.
     *
     * @return 1 or more
     */
    public int id() {
        return id;
    }

    /**
     * Returns the size.
     *
     * @return blocks
     */
    public long blocks() {
        return blocks;
    }

    /**
     * Returns the size of a block.
     *
     * @return bytes
     */
    public int blockBytes() {
        return blockBytes;
    }

    /**
     * Returns the most that one command moves.
     *
     * @return bytes
     */
    public int maxTransferBytes() {
        return maxTransferBytes;
    }

    /**
     * Reads blocks into memory and waits for it.
     *
     * @param queue an I/O queue on which nothing else is under way
     * @param firstBlock the first block
     * @param count how many blocks
     * @param target memory that the device may write
     * @param offset where to put the first block in it, a multiple of 4
     * @throws NvmeException if the controller refuses, breaks down, or does not answer
     * @throws IndexOutOfBoundsException if the memory ends before
     * @throws IllegalArgumentException if that is more than one command moves
     * @throws IllegalStateException if a command is under way on the queue
     */
    public void read(NvmeQueue queue, long firstBlock, int count, DmaBuffer target, long offset) {
        transfer("Read", reads, queue, firstBlock, count, target, offset);
    }

    /**
     * Writes blocks from memory and waits for it. They are on the medium after a {@link #flush}.
     *
     * @param queue an I/O queue on which nothing else is under way
     * @param firstBlock the first block
     * @param count how many blocks
     * @param source memory that the device may read
     * @param offset where the first block is in it, a multiple of 4
     * @throws NvmeException if the controller refuses, breaks down, or does not answer
     * @throws IndexOutOfBoundsException if the memory ends before
     * @throws IllegalArgumentException if that is more than one command moves
     * @throws IllegalStateException if a command is under way on the queue
     */
    public void write(NvmeQueue queue, long firstBlock, int count, DmaBuffer source, long offset) {
        transfer("Write", writes, queue, firstBlock, count, source, offset);
    }

    /**
     * Has what was written put on the medium and waits for it.
     *
     * @param queue an I/O queue on which nothing else is under way
     * @throws NvmeException if the controller refuses, breaks down, or does not answer
     * @throws IllegalStateException if a command is under way on the queue
     */
    public void flush(NvmeQueue queue) {
        checkIdle(queue);
        queue.run("Flush of namespace " + id, FLUSH, id, 0, 0, 0, 0);
    }

    /**
     * Submits a read; see {@link NvmeQueue#submit}. Blocks beyond the end come back as a status.
     *
     * @param queue an I/O queue
     * @param firstBlock the first block
     * @param count how many blocks
     * @param iova where to put them
     * @return the command's identifier
     */
    public int submitRead(NvmeQueue queue, long firstBlock, int count, long iova) {
        return submit(reads, queue, firstBlock, count, iova);
    }

    /**
     * Submits a write; see {@link NvmeQueue#submit}. Blocks beyond the end come back as a status.
     *
     * @param queue an I/O queue
     * @param firstBlock the first block
     * @param count how many blocks
     * @param iova where they are
     * @return the command's identifier
     */
    public int submitWrite(NvmeQueue queue, long firstBlock, int count, long iova) {
        return submit(writes, queue, firstBlock, count, iova);
    }

    private int submit(long words0And1, NvmeQueue queue, long firstBlock, int count, long iova) {
        return queue.submit(words0And1, iova, (long) count * blockBytes, firstBlock, count - 1);
    }

    private void transfer(
            String name, long words0And1, NvmeQueue queue, long firstBlock, int count, DmaBuffer memory, long offset) {
        checkIdle(queue);
        if (offset < 0 || offset > memory.size() || (long) count * blockBytes > memory.size() - offset) {
            throw new IndexOutOfBoundsException("%d blocks of %d bytes at offset %d of a buffer of %d bytes"
                    .formatted(count, blockBytes, offset, memory.size()));
        }
        submit(words0And1, queue, firstBlock, count, memory.iova() + offset);
        queue.await();
        if (queue.status() != 0) {
            throw NvmeException.refused(
                    "%s of %d blocks at block %d of namespace %d".formatted(name, count, firstBlock, id),
                    queue.status());
        }
    }

    private static void checkIdle(NvmeQueue queue) {
        if (queue.pending() > 0) {
            throw new IllegalStateException(
                    "queue " + queue.id() + " has " + queue.pending() + " commands under way: reap them first");
        }
    }
}
