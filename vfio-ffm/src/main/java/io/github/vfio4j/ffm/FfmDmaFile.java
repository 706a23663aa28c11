package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.DmaFilePort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Optional;

/** A memfd of a size that is sealed. */
final class FfmDmaFile implements DmaFilePort {
    private static final int SEALS = Syscalls.F_SEAL_SEAL | Syscalls.F_SEAL_SHRINK | Syscalls.F_SEAL_GROW;

    private static final VarHandle BYTE = ValueLayout.JAVA_BYTE.varHandle();

    final Fd fd;
    private final long size;
    private final long pageSize;

    private FfmDmaFile(Fd fd, long size, long pageSize) {
        this.fd = fd;
        this.size = size;
        this.pageSize = pageSize;
    }

    /**
     * Makes one with all its memory.
     *
     * @param hugePages what mmap's flags say of huge pages; 0 for none
     */
    static FfmDmaFile create(Syscalls syscalls, long size, long pageSize, int hugePages) {
        Frame frame = new Frame();
        int huge = hugePages == 0 ? 0 : hugePages & ~Syscalls.MAP_HUGETLB | Syscalls.MFD_HUGETLB;
        int number = syscalls.memfdCreate(frame, "vfio4j", Syscalls.MFD_CLOEXEC | Syscalls.MFD_NOEXEC_SEAL | huge);
        Fd fd = Fd.opened(Operation.MEMFD_CREATE, syscalls, frame, number, "memfd of " + size + " bytes");
        try {
            int result;
            do {
                result = syscalls.fallocate(frame, number, 0, size);
            } while (Fd.interrupted(result));
            fd.check(Operation.MEMFD_ALLOCATE, result);
            fd.check(Operation.MEMFD_SEAL, syscalls.addSeals(frame, number, SEALS));
            return new FfmDmaFile(fd, size, pageSize);
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** Takes over what another process made; empty if it is no memory, or does not keep its size. */
    static Optional<FfmDmaFile> received(Fd fd) {
        Statx stat = Statx.of(fd.syscalls, fd.number, "", Syscalls.AT_EMPTY_PATH);
        int seals = fd.syscalls.seals(new Frame(), fd.number);
        boolean keepsItsSize = seals >= 0 && (seals & Syscalls.F_SEAL_SHRINK) != 0;
        return stat.errno() == 0 && keepsItsSize && stat.size() > 0
                ? Optional.of(new FfmDmaFile(fd, stat.size(), stat.blockSize()))
                : Optional.empty();
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public long pageSize() {
        return pageSize;
    }

    @Override
    public MemorySegment map(Arena arena) {
        Frame frame = fd.begin(Operation.MEMORY_ALLOCATE);
        try {
            int prot = Syscalls.PROT_READ | Syscalls.PROT_WRITE;
            long address = fd.syscalls.mmap(frame, size, prot, Syscalls.MAP_SHARED, fd.number, 0);
            if (address < 0) {
                throw new VfioException(Operation.MEMORY_ALLOCATE, new Errno((int) -address), fd.subject());
            }
            MemorySegment memory = FfmKernel.segment(address, size, arena);
            // Memory that fallocate gave is zeroed when a program first touches it, and not when it is pinned: what a device
            // wrote by then would be lost.
            for (long page = 0; page < size; page += pageSize) {
                BYTE.getVolatile(memory, page);
            }
            return memory;
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
