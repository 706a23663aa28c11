package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.vfio4j.sim.PciBus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The memory of one command's data, from its PRP entries (NVM Express 1.4 section 4.3). All entries are read and checked
 * before any data moves. Made once, filled for each command.
 */
final class PageList {
    private static final ValueLayout.OfLong INT64 = JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int ENTRY_BYTES = 8;
    private static final int CHUNK_ENTRIES = 64;

    private final PciBus bus;
    private final MemorySegment chunk = Arena.ofAuto().allocate(CHUNK_ENTRIES * ENTRY_BYTES, ENTRY_BYTES);
    private final long[] iova;
    private final int[] bytes;
    private int count;

    PageList(PciBus bus, int maxBytes) {
        this.bus = bus;
        int maxPages = (maxBytes >>> Registers.MIN_PAGE_SHIFT) + 1;
        this.iova = new long[maxPages];
        this.bytes = new int[maxPages];
    }

    int count() {
        return count;
    }

    long iova(int index) {
        return iova[index];
    }

    int bytes(int index) {
        return bytes[index];
    }

    /**
     * Reads the PRP entries of a command.
     *
     * @param length how much data the command moves, from 1 to the most this list was made for
     */
    Status read(long prp1, long prp2, int length, int pageSize) {
        count = 0;
        if ((prp1 & 3) != 0) {
            return Status.INVALID_PRP_OFFSET;
        }
        int first = (int) Math.min(length, pageSize - (prp1 & (pageSize - 1)));
        add(prp1, first);
        int rest = length - first;
        if (rest == 0) {
            return Status.SUCCESS;
        }
        if (rest > pageSize) {
            return readList(prp2, rest, pageSize);
        }
        if ((prp2 & (pageSize - 1)) != 0) {
            return Status.INVALID_PRP_OFFSET;
        }
        add(prp2, rest);
        return Status.SUCCESS;
    }

    private Status readList(long list, int length, int pageSize) {
        if ((list & (ENTRY_BYTES - 1)) != 0) {
            return Status.INVALID_PRP_OFFSET;
        }
        long at = list;
        int rest = length;
        while (rest > 0) {
            int wanted = (rest + pageSize - 1) / pageSize;
            int inPage = (int) (pageSize - (at & (pageSize - 1))) / ENTRY_BYTES;
            // The last slot of a page is data if it is the last entry of all, and leads to the next page otherwise.
            int entries = Math.min(Math.min(wanted, inPage), CHUNK_ENTRIES);
            if (!bus.dmaRead(at, chunk.asSlice(0, (long) entries * ENTRY_BYTES))) {
                return Status.DATA_TRANSFER_ERROR;
            }
            boolean chained = wanted > inPage && entries == inPage;
            at += (long) entries * ENTRY_BYTES;
            for (int i = 0; i < entries; i++) {
                long entry = chunk.get(INT64, (long) i * ENTRY_BYTES);
                if ((entry & (pageSize - 1)) != 0) {
                    return Status.INVALID_PRP_OFFSET;
                }
                if (chained && i == entries - 1) {
                    at = entry;
                } else {
                    int part = Math.min(rest, pageSize);
                    add(entry, part);
                    rest -= part;
                }
            }
        }
        return Status.SUCCESS;
    }

    private void add(long address, int length) {
        iova[count] = address;
        bytes[count] = length;
        count++;
    }
}
