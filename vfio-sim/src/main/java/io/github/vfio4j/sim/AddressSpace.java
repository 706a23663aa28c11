package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * The address space of one process, as far as mmap made it. Guarded by the kernel's lock.
 *
 * <p>Anonymous mappings never overlap. Mappings of a BAR are views of one memory and may lie at the same address twice,
 * so they are kept apart, each one counted for itself. When one is vacated, its file is let go; the memory is the BAR's
 * still, and lives on for a thread that touches it too late.
 */
final class AddressSpace {
    private final KernelLock kernel;
    private final TreeMap<Long, Vma> anonymous = new TreeMap<>();
    private final List<Vma> ofFiles = new ArrayList<>();
    private final List<Vma> vacated = new ArrayList<>(); // what the program may still touch, and nobody else
    private long pinnedPages;
    private long pinnedForUser;

    AddressSpace(KernelLock kernel) {
        this.kernel = kernel;
    }

    /** Maps zeroed memory and returns its address. */
    long mapAnonymous(long length, int prot) {
        return mapAnonymous(length, prot, () -> Memory.ofProgram(length));
    }

    /** Maps zeroed memory that is made on the way, and returns its address. */
    long mapAnonymous(long length, int prot, Supplier<Memory> made) {
        Memory memory;
        try {
            memory = made.get();
        } catch (OutOfMemoryError | IllegalArgumentException e) {
            throw new KernelError(Errno.ENOMEM);
        }
        long start = memory.address();
        anonymous.put(start, new Vma(start, start + length, prot, memory, 0, null));
        return start;
    }

    /** Would unmapping whole pages cut a huge one? */
    boolean cutsHugePage(long address, long length) {
        return anonymousIn(address, address + length).stream()
                .mapToLong(vma -> vma.memory().pageSize())
                .anyMatch(page -> (address | length) % page != 0);
    }

    /** Adds the mapping of a file, which it keeps open, and returns its address. */
    long mapFile(Vma vma) {
        kernel.get(vma.file());
        ofFiles.add(vma);
        return vma.start();
    }

    /** Unmaps whole pages; where nothing is mapped nothing happens. */
    void unmap(long address, long length) {
        long end = address + length;
        for (int i = ofFiles.size() - 1; i >= 0; i--) { // a view that is meant as a whole, the newest first
            Vma vma = ofFiles.get(i);
            if (vma.start() == address && vma.end() == end) {
                ofFiles.remove(i);
                kernel.put(vma.file());
                return;
            }
        }
        for (Vma vma : ofFiles.stream().filter(v -> v.intersects(address, end)).toList()) {
            ofFiles.remove(vma);
            for (Vma rest : rests(vma, address, end)) {
                mapFile(rest);
            }
            kernel.put(vma.file());
        }
        for (Vma vma : anonymousIn(address, end)) {
            anonymous.remove(vma.start());
            for (Vma rest : rests(vma, address, end)) {
                anonymous.put(rest.start(), rest);
            }
            long from = Math.max(vma.start(), address);
            vma.memory().giveBack(vma.offset() + from - vma.start(), Math.min(vma.end(), end) - from);
        }
    }

    /** Puts memory without meaning in the place of one whole mapping. */
    void vacate(long address, long length) {
        for (int i = ofFiles.size() - 1; i >= 0; i--) {
            Vma vma = ofFiles.get(i);
            if (vma.start() == address && vma.size() == length) {
                ofFiles.remove(i);
                vacated.add(vma);
                kernel.put(vma.file());
                return;
            }
        }
        Vma vma = anonymous.get(address);
        if (vma != null && vma.size() == length) {
            anonymous.remove(address);
            vacated.add(vma);
            vma.memory().leave(vma.offset(), length);
            return;
        }
        throw new KernelError(Errno.ENOMEM); // a simulated kernel gives memory at no address but its own
    }

    /** Lets go of memory that was vacated. */
    void giveBack(long address, long length) {
        for (int i = 0; i < vacated.size(); i++) {
            if (vacated.get(i).start() == address && vacated.get(i).size() == length) {
                vacated.remove(i).memory().free();
                return;
            }
        }
    }

    /** Returns what is mapped from an address on, in order and without gaps, up to an end. */
    List<Vma> mapped(long address, long end) {
        List<Vma> parts = new ArrayList<>();
        long at = address;
        while (at < end) {
            Vma vma = find(at);
            if (vma == null) {
                break;
            }
            Vma part = vma.part(at, Math.min(end, vma.end()));
            parts.add(part);
            at = part.end();
        }
        return parts;
    }

    /**
     * Returns the memory that a pointer points into, up to the end of its mapping, read-only if it is mapped so; empty if it
     * points nowhere, or to what the program has no access to.
     */
    MemorySegment at(long address) {
        Vma vma = find(address);
        if (vma == null || vma.prot() == 0) {
            return MemorySegment.NULL;
        }
        MemorySegment memory = vma.memory()
                .live(vma.offset() + address - vma.start(), vma.end() - address)
                .orElse(MemorySegment.NULL);
        return (vma.prot() & Syscalls.PROT_WRITE) == 0 ? memory.asReadOnly() : memory;
    }

    long pinnedPages() {
        return pinnedPages;
    }

    void pin(long pages) {
        pinnedPages += pages;
    }

    void unpin(long pages) {
        pinnedPages -= pages;
    }

    /** Pages that an iommufd pinned, which counts them against the limit of the user and not of the process. */
    long pinnedForUser() {
        return pinnedForUser;
    }

    void pinForUser(long pages) {
        pinnedForUser += pages;
    }

    List<Vma> mappings() {
        List<Vma> all = new ArrayList<>(anonymous.values());
        all.addAll(ofFiles);
        return all;
    }

    /** The process ends: files are let go. */
    void dropFiles() {
        ofFiles.forEach(vma -> kernel.put(vma.file()));
        vacated.addAll(ofFiles); // threads of the program may run on
        ofFiles.clear();
    }

    /** The process has ended: its memory goes. */
    void freeMemory() {
        anonymous.values().forEach(vma -> vma.memory().giveBack(vma.offset(), vma.size()));
        anonymous.clear();
    }

    private Vma find(long address) {
        Map.Entry<Long, Vma> below = anonymous.floorEntry(address);
        if (below != null && address < below.getValue().end()) {
            return below.getValue();
        }
        return ofFiles.stream()
                .filter(v -> v.start() <= address && address < v.end())
                .findFirst()
                .orElse(null);
    }

    private List<Vma> anonymousIn(long from, long to) {
        Map.Entry<Long, Vma> below = anonymous.floorEntry(from);
        long first = below != null && below.getValue().intersects(from, to) ? below.getKey() : from;
        return List.copyOf(anonymous.subMap(first, to).values());
    }

    private static List<Vma> rests(Vma vma, long from, long to) {
        List<Vma> rests = new ArrayList<>();
        if (vma.start() < from) {
            rests.add(vma.part(vma.start(), from));
        }
        if (to < vma.end()) {
            rests.add(vma.part(to, vma.end()));
        }
        return rests;
    }
}
