package io.github.vfio4j.sim;

import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/**
 * Memory of a process, a file or a dma-buf that an iommufd maps, in one address space or, copied, in several (Linux: struct
 * iopt_pages). Each page is pinned and counted once, while a page table has it; those of a dma-buf are not counted. Guarded by the kernel's lock, except that DMA reads what is
 * pinned.
 */
final class DmaPages {
    /** Whose limit on locked memory a page counts against. */
    private enum Count {
        NOBODY, USER, PROCESS
    }

    private record Page(Memory memory, long offset) {}

    final boolean writable;
    private SimProcess owner; // whom it counts against
    private final SimFile file; // null for memory of the owner
    private final long address; // of the first byte; in a file, where it is there
    private final long base; // of its page
    private final int pages;
    private final Count count;
    private int[] pins; // by page; made with the first
    private volatile Page[] pinned; // by page
    private int areas; // that are made of it

    private DmaPages(Iommufd iommufd, SimProcess owner, SimFile file, long address, long size, boolean writable) {
        this.owner = owner;
        this.file = file;
        this.address = address;
        this.base = address & -Memory.PAGE;
        long needed = (address - base + size + Memory.PAGE - 1) / Memory.PAGE;
        this.pages = (int) Math.min(needed, Integer.MAX_VALUE); // nobody has as much memory to pin
        this.writable = writable;
        this.count = owner.mayLockAnything() ? Count.NOBODY : iommufd.countsByProcess ? Count.PROCESS : Count.USER;
    }

    /** All of some memory of a process, as what is to be mapped. */
    static List<Ioas.Slice> all(Iommufd iommufd, SimProcess owner, long address, long size, int access) {
        boolean writable = (access & IoMapping.WRITE) != 0;
        return List.of(new Ioas.Slice(new DmaPages(iommufd, owner, null, address, size, writable), 0, size));
    }

    /** A range of a file, as what is to be mapped by a process. */
    static List<Ioas.Slice> ofFile(Iommufd iommufd, SimProcess owner, SimFile file, long start, long size, int access) {
        boolean writable = (access & IoMapping.WRITE) != 0;
        return List.of(new Ioas.Slice(new DmaPages(iommufd, owner, file, start, size, writable), 0, size));
    }

    /** Is it of a file that is memory and has the range? Its file does not shrink. */
    private boolean isInFile(long offset, long size) {
        return file instanceof MemoryFile memory && memory.has(address + offset, size);
    }

    /** Is it of a file, other than a dma-buf? */
    boolean ofFile() {
        return file != null && !isOfDmaBuf();
    }

    private boolean isOfDmaBuf() {
        return file instanceof DmaBufFile;
    }

    /** Does a process have to take over what is counted for another one? */
    boolean countsForOther(SimProcess process) {
        return count != Count.NOBODY && owner != process;
    }

    /** Do so many pages, counted like these, keep to the limit of a process that takes them over? */
    boolean withinLimitOf(SimProcess process, long pinnedPages) {
        long counted = count == Count.USER ? process.machine().pagesLockedByUser() : process.memory().pinnedPages();
        return pinnedPages <= process.memlockPages() - counted;
    }

    /** How many of its pages are pinned. */
    int pinnedPages() {
        return pins == null ? 0 : (int) Arrays.stream(pins).filter(n -> n > 0).count();
    }

    /** Counts it for another process. */
    void changeOwner(SimProcess process) {
        int counted = pinnedPages();
        count(-counted);
        owner = process;
        count(counted);
    }

    /** An area is made of it, which keeps the file open. */
    void get() {
        if (areas++ == 0 && file != null) {
            owner.machine().kernel().get(file);
        }
    }

    /** An area of it is gone. */
    void put() {
        if (--areas == 0 && file != null) {
            owner.machine().kernel().put(file);
        }
    }

    /** The program's address of a byte, or where it is in the file. */
    long address(long offset) {
        return address + offset;
    }

    /** The pages that a range of bytes touches, of those that are not pinned yet. */
    BitSet unpinned(long offset, long size) {
        BitSet missing = new BitSet();
        for (int page = first(offset); page <= last(offset, size); page++) {
            if (pins == null || pins[page] == 0) {
                missing.set(page);
            }
        }
        return missing;
    }

    /** Is every page of a range that is not pinned the program's own, or of memory that the file has, and may it be used so? */
    boolean accessible(long offset, long size) {
        return file == null
                ? unpinned(offset, size).stream().allMatch(page -> find(page).isPresent())
                : isOfDmaBuf() || isInFile(offset, size);
    }

    private Optional<Page> find(int page) {
        long at = base + page * Memory.PAGE;
        if (file instanceof DmaBufFile shared) {
            return Optional.of(new Page(shared.memory(), shared.offsetInBar(at)));
        } else if (file != null) {
            return isInFile(at - address, Memory.PAGE)
                    ? Optional.of(new Page(((MemoryFile) file).memory(), at))
                    : Optional.empty();
        }
        int needed = writable ? Syscalls.PROT_WRITE : Syscalls.PROT_READ;
        List<Vma> found = owner.memory().mapped(at, at + Memory.PAGE);
        return found.size() == 1
                        && found.getFirst().size() == Memory.PAGE
                        && (found.getFirst().prot() & needed) != 0
                        && found.getFirst().memory().isRam()
                ? Optional.of(new Page(found.getFirst().memory(), found.getFirst().offset()))
                : Optional.empty();
    }

    /** Do so many more pages keep to the limit that they count against? */
    boolean withinLimit(long more) {
        return isOfDmaBuf() || switch (count) {
            case NOBODY -> true;
            case USER -> more <= owner.memlockPages() - owner.machine().pagesLockedByUser();
            case PROCESS -> more <= owner.memlockPages() - owner.memory().pinnedPages();
        };
    }

    /** Pins a range once more. */
    void pin(long offset, long size) {
        if (pins == null) {
            pins = new int[pages];
            pinned = new Page[pages];
        }
        Page[] changed = pinned.clone();
        int more = 0;
        for (int page = first(offset); page <= last(offset, size); page++) {
            if (pins[page]++ == 0) {
                changed[page] = find(page).orElseThrow();
                more++;
            }
        }
        pinned = changed;
        count(more);
    }

    /** Takes one pin of a range back. */
    void unpin(long offset, long size) {
        Page[] changed = pinned.clone();
        int fewer = 0;
        for (int page = first(offset); page <= last(offset, size); page++) {
            if (--pins[page] == 0) {
                changed[page] = null;
                fewer++;
            }
        }
        pinned = changed;
        count(-fewer);
    }

    private void count(int more) {
        if (isOfDmaBuf()) {
            return;
        }
        if (count == Count.USER) {
            owner.machine().lockedByUser(more);
            owner.memory().pinForUser(more);
        } else {
            owner.memory().pin(more);
        }
    }

    /** Returns the memory from a byte on, as far as it lies in one piece; empty if that memory is gone. */
    Optional<MemorySegment> memory(long offset, long bytes) {
        if (file instanceof DmaBufFile shared && !shared.isReachable()) {
            return Optional.empty();
        }
        Page[] all = pinned;
        long at = address - base + offset;
        int index = (int) (at / Memory.PAGE);
        Page page = all[index];
        long inside = at % Memory.PAGE;
        long end = Memory.PAGE;
        while (end - inside < bytes && follows(all, page, end, ++index)) {
            end += Memory.PAGE;
        }
        return page.memory().live(page.offset() + inside, Math.min(bytes, end - inside));
    }

    private static boolean follows(Page[] all, Page first, long end, int next) {
        return all[next] != null && all[next].memory() == first.memory() && all[next].offset() == first.offset() + end;
    }

    private int first(long offset) {
        return (int) ((address - base + offset) / Memory.PAGE);
    }

    private int last(long offset, long size) {
        return (int) ((address - base + offset + size - 1) / Memory.PAGE);
    }
}
