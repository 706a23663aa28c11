package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.ffm.port.Syscalls;

/**
 * A file that holds memory (memfd_create). It gets its memory in one piece, is mapped shared and within its size alone (a
 * touch beyond is SIGBUS on Linux), and is neither read nor written.
 */
final class MemoryFile extends SimFile {
    private static final int ALLOW_SEALING = 2;
    private static final int LONGEST_NAME = 249;
    private static final int ALL_SEALS = 0x3f;
    private static final int REGULAR = 0x8000; // S_IFREG
    private static final int SIZES = -1 << Syscalls.MAP_HUGE_SHIFT;

    private final SimMachine machine;
    private final long page;
    private Memory memory; // null while it has none
    private int seals;

    private MemoryFile(SimMachine machine, long page, int seals) {
        this.machine = machine;
        this.page = page;
        this.seals = seals;
    }

    static MemoryFile create(SimMachine machine, String name, int flags) {
        boolean noexec = !machine.profile().isBefore(KernelProfile.V6_12); // since Linux 6.3
        boolean huge = (flags & Syscalls.MFD_HUGETLB) != 0;
        int known = Syscalls.MFD_CLOEXEC
                | ALLOW_SEALING
                | (noexec ? Syscalls.MFD_NOEXEC_SEAL : 0)
                | (huge ? Syscalls.MFD_HUGETLB | SIZES : 0);
        if ((flags & ~known) != 0 || name.length() > LONGEST_NAME) {
            throw new KernelError(Errno.EINVAL);
        }
        long page = huge ? 1L << (flags >>> Syscalls.MAP_HUGE_SHIFT) : Memory.PAGE;
        if (huge && page != SimMachine.HUGE_PAGE) {
            throw new KernelError(Errno.ENODEV);
        }
        boolean sealable = (flags & (ALLOW_SEALING | Syscalls.MFD_NOEXEC_SEAL)) != 0;
        return new MemoryFile(machine, page, sealable ? 0 : Syscalls.F_SEAL_SEAL);
    }

    @Override
    int seals() {
        return seals;
    }

    @Override
    int blockSize() {
        return (int) page;
    }

    @Override
    int mode() {
        return REGULAR;
    }

    @Override
    long size() {
        return memory == null ? 0 : memory.segment().byteSize();
    }

    @Override
    void allocate(long end) {
        if (end <= size()) {
            return;
        }
        if ((seals & Syscalls.F_SEAL_GROW) != 0) {
            throw new KernelError(Errno.EPERM);
        }
        long pages = (end + page - 1) / page;
        if (memory != null || page != Memory.PAGE && !machine.takeHugePages(pages)) {
            throw new KernelError(Errno.ENOSPC);
        }
        try {
            memory = Memory.ofFile(pages * page, page);
        } catch (OutOfMemoryError | IllegalArgumentException e) {
            if (page != Memory.PAGE) {
                machine.giveHugePages(pages);
            }
            throw new KernelError(Errno.ENOMEM);
        }
    }

    @Override
    void seal(int more) {
        if ((more & ~ALL_SEALS) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        if ((seals & Syscalls.F_SEAL_SEAL) != 0) {
            throw new KernelError(Errno.EPERM);
        }
        seals |= more;
    }

    @Override
    Vma map(long offset, long length, int prot, boolean shared) {
        long size = (length + page - 1) / page * page;
        if (!shared) {
            throw new KernelError(Errno.ENODEV);
        }
        if (offset % page != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        if (!has(offset, size)) {
            throw new KernelError(Errno.ENOMEM);
        }
        long start = memory.address() + offset;
        return new Vma(start, start + size, prot, memory, offset, this);
    }

    /** Does a range lie inside? */
    boolean has(long offset, long length) {
        return Long.compareUnsigned(offset, size()) <= 0 && Long.compareUnsigned(length, size() - offset) <= 0;
    }

    Memory memory() {
        return memory;
    }

    /** The huge pages go back to those that are free. */
    @Override
    void release() {
        if (memory != null && page != Memory.PAGE) {
            machine.giveHugePages(size() / page);
        }
    }

    @Override
    public String toString() {
        return "memfd of %d bytes".formatted(size());
    }
}
