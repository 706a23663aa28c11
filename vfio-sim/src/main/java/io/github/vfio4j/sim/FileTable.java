package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The descriptors of one process: the lowest free number first, from 3 on (0 to 2 are taken by what every process has).
 * Guarded by the kernel's lock.
 */
final class FileTable {
    private static final int FIRST = 3;

    /** Takes a number while its file is being opened. */
    private static final Object RESERVED = new Object();

    private final List<Object> slots = new ArrayList<>();
    private int limit = 1024;

    /** Sets RLIMIT_NOFILE. */
    void limit(int files) {
        limit = files;
    }

    boolean hasFree() {
        return free() < limit;
    }

    /** Takes the lowest free number. */
    int reserve() {
        int fd = free();
        if (fd >= limit) {
            throw new KernelError(Errno.EMFILE);
        }
        put(fd, RESERVED);
        return fd;
    }

    void cancel(int fd) {
        put(fd, null);
    }

    /** Puts a file at a number that was reserved; the table has the file's first reference from now on. */
    void install(int fd, SimFile file) {
        put(fd, file);
    }

    int add(SimFile file) {
        int fd = reserve();
        install(fd, file);
        return fd;
    }

    Optional<SimFile> find(int fd) {
        int slot = fd - FIRST;
        boolean open = slot >= 0 && slot < slots.size() && slots.get(slot) instanceof SimFile;
        return open ? Optional.of((SimFile) slots.get(slot)) : Optional.empty();
    }

    SimFile get(int fd) {
        return find(fd).orElseThrow(() -> new KernelError(Errno.EBADF));
    }

    SimFile remove(int fd) {
        SimFile file = get(fd);
        put(fd, null);
        return file;
    }

    /** Returns the numbers in use, ascending. */
    List<Integer> open() {
        List<Integer> open = new ArrayList<>();
        for (int slot = 0; slot < slots.size(); slot++) {
            if (slots.get(slot) instanceof SimFile) {
                open.add(slot + FIRST);
            }
        }
        return open;
    }

    private int free() {
        int slot = slots.indexOf(null);
        return (slot < 0 ? slots.size() : slot) + FIRST;
    }

    private void put(int fd, Object what) {
        int slot = fd - FIRST;
        while (slots.size() <= slot) {
            slots.add(null);
        }
        slots.set(slot, what);
    }
}
