package io.github.vfio4j.sim;

/**
 * A mapping in the address space of a process (Linux: struct vm_area_struct).
 *
 * @param start the address of its first byte
 * @param end the address after its last byte
 * @param prot {@code PROT_...}
 * @param memory what is mapped
 * @param offset where in the memory it starts
 * @param file the file that it keeps open; null for anonymous memory
 */
record Vma(long start, long end, int prot, Memory memory, long offset, SimFile file) {
    long size() {
        return end - start;
    }

    /** Returns a part of it. */
    Vma part(long from, long to) {
        return new Vma(from, to, prot, memory, offset + (from - start), file);
    }

    boolean intersects(long from, long to) {
        return start < to && from < end;
    }

    @Override
    public String toString() {
        return "%d bytes at 0x%x of %s".formatted(size(), start, file == null ? "anonymous memory" : file);
    }
}
