package io.github.vfio4j.sim;

import io.github.vfio4j.Contract;
import io.github.vfio4j.PageSize;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.Kernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A process on a {@link SimMachine}: its open files, its memory, its privileges. What several of them do at once is safe;
 * what one does that another must not see (a group that is open) the others see as Linux would show it.
 */
public final class SimProcess {
    private static final int ESRCH = 3;

    private final SimMachine machine;
    private final int id;
    private final boolean privileged;
    private final FileTable files = new FileTable();
    private final AddressSpace memory;
    private final Syscalls syscalls;
    private final Notes notes;
    private final Kernel kernel;
    private final List<SimFile> filesInCalls = new ArrayList<>(); // one for each call; guarded by the kernel's lock
    private boolean rawIoDropped; // guarded by the kernel's lock
    private long memlockLimit; // guarded by the kernel's lock
    private volatile boolean dead;

    SimProcess(SimMachine machine, int id, boolean privileged, DeviceNodes nodes) {
        this.machine = machine;
        this.id = id;
        this.privileged = privileged;
        this.memlockLimit = machine.memlockLimit();
        this.memory = new AddressSpace(machine.kernel());
        this.syscalls = new SimSyscalls(this, machine.kernel(), nodes);
        this.notes = machine.notesFor(this);
        this.kernel = new FfmKernel("simulated " + machine.profile(), syscalls, new SimSysFs(machine, privileged), notes);
    }

    /**
     * Gets memory of the process for devices to reach ({@link io.github.vfio4j.AddressSpace#map}): a simulated kernel knows of
     * no other memory than what it gave.
     *
     * @param bytes the size, rounded up to whole pages
     * @return zeroed memory, which stays
     * @throws IllegalArgumentException if the size is not positive
     * @throws io.github.vfio4j.VfioException {@code ENOMEM} if there is not so much
     */
    public MemorySegment allocate(long bytes) {
        if (bytes <= 0 || bytes > Long.MAX_VALUE - Memory.PAGE) {
            throw new IllegalArgumentException("a size in bytes, not " + bytes);
        }
        return kernel.allocate((bytes + Memory.PAGE - 1) / Memory.PAGE * Memory.PAGE, PageSize.BASE, Arena.global());
    }

    /**
     * Returns VFIO as this process sees it, under {@link Contract#STRICT}: what {@link Vfio#open()} is to a program on
     * Linux.
     *
     * @return a new object; several of one process know of each other's open groups
     */
    public Vfio open() {
        return open(Contract.STRICT);
    }

    /**
     * Returns VFIO as this process sees it: what {@link Vfio#open(Contract)} is to a program on Linux.
     *
     * @param contract what to refuse
     * @return a new object; several of one process know of each other's open groups
     */
    public Vfio open(Contract contract) {
        return Vfio.on(kernel, contract);
    }

    /**
     * Returns VFIO as this process sees it when some of its system calls fail.
     *
     * @param contract what to refuse
     * @param filter which calls fail
     * @return a new object; it does not know of the groups that others have open
     */
    public Vfio open(Contract contract, CallFilter filter) {
        return Vfio.on(
                new FfmKernel(
                        "simulated " + machine.profile(),
                        FilteredCalls.of(syscalls, filter),
                        FilteredCalls.of(new SimSysFs(machine, privileged), filter),
                        FilteredCalls.of(notes, filter)),
                contract);
    }

    /** Its system calls. */
    Syscalls syscalls() {
        return syscalls;
    }

    Notes notes() {
        return notes;
    }

    /** What no other process of the machine is called. */
    String name() {
        return Integer.toString(id);
    }

    SimMachine machine() {
        return machine;
    }

    FileTable files() {
        return files;
    }

    AddressSpace memory() {
        return memory;
    }

    /** Is it root's? */
    boolean privileged() {
        return privileged;
    }

    /** CAP_IPC_LOCK. */
    boolean mayLockAnything() {
        return privileged;
    }

    /** CAP_SYS_RESOURCE. */
    boolean mayRaiseLimits() {
        return privileged;
    }

    /** CAP_SYS_RAWIO. */
    boolean mayDoRawIo() {
        return privileged && !rawIoDropped;
    }

    /** Takes CAP_SYS_RAWIO from the process, which groups without an IOMMU need. */
    public void dropRawIo() {
        machine.kernel().lock();
        rawIoDropped = true;
        machine.kernel().unlock();
    }

    /** RLIMIT_MEMLOCK, in pages. */
    long memlockPages() {
        return memlockLimit / Memory.PAGE;
    }

    /**
     * Sets how much memory it may pin (RLIMIT_MEMLOCK), if it is unprivileged.
     *
     * @param bytes the limit; at first that of the machine
     */
    public void limitLockedMemory(long bytes) {
        machine.kernel().lock();
        memlockLimit = bytes;
        machine.kernel().unlock();
    }

    boolean dead() {
        return dead;
    }

    void checkAlive() {
        if (dead) {
            throw new KernelError(ESRCH);
        }
    }

    /** Finds a file for a call that does not hold the kernel's lock all the time: one more reference. The lock is held. */
    SimFile file(int fd) {
        checkAlive();
        SimFile file = files.get(fd);
        machine.kernel().get(file);
        filesInCalls.add(file);
        return file;
    }

    /** That call ended. The lock is held. */
    void callEnds(SimFile file) {
        filesInCalls.remove(file);
        machine.kernel().changed();
    }

    /** Gives a file to a descriptor that was reserved, or drops it if the process died meanwhile. */
    void install(int fd, SimFile file) {
        if (dead) {
            machine.kernel().put(file);
        } else {
            files.install(fd, file);
        }
    }

    /**
     * Sets how many files it may have open at once (RLIMIT_NOFILE); 1024 at first.
     *
     * @param number the limit: descriptors stay below it
     */
    public void limitOpenFiles(int number) {
        machine.kernel().lock();
        try {
            files.limit(number);
        } finally {
            machine.kernel().unlock();
        }
    }

    /**
     * Kills the process, as SIGKILL would: what it mapped is unmapped, its files are closed in the order of their
     * descriptors, and devices that only it had open lose power. Calls in flight end before that. Whatever its threads
     * call afterwards fails with ESRCH. Does nothing to a dead process.
     */
    public void kill() {
        try {
            closeFiles();
        } finally {
            machine.kernel().lock();
            memory.freeMemory(); // now that no device reaches it
            machine.ended(this);
            machine.kernel().unlock();
        }
    }

    private void closeFiles() {
        KernelLock lock = machine.kernel();
        lock.lock();
        try {
            if (dead) {
                return;
            }
            dead = true;
            filesInCalls.forEach(SimFile::wake);
            lock.await(filesInCalls::isEmpty);
            memory.dropFiles();
            files.open().forEach(fd -> lock.put(files.remove(fd)));
        } finally {
            lock.unlock(); // releases them
        }
    }

    /**
     * Lists what the process has not given back: open files, memory mappings, pinned memory. Empty after a program that
     * closed everything.
     *
     * @return a line for each
     */
    public List<String> leaks() {
        machine.kernel().lock();
        try {
            List<String> leaks = new ArrayList<>();
            files.open().forEach(fd -> leaks.add("%s: descriptor %d is open: %s".formatted(this, fd, files.get(fd))));
            memory.mappings().forEach(vma -> leaks.add("%s: mapped: %s".formatted(this, vma)));
            if (allPinned() != 0) {
                leaks.add("%s: %d bytes are pinned for DMA".formatted(this, allPinned()));
            }
            return leaks;
        } finally {
            machine.kernel().unlock();
        }
    }

    /**
     * Returns how much memory is pinned for devices, as counted against RLIMIT_MEMLOCK.
     *
     * @return bytes
     */
    public long pinnedBytes() {
        machine.kernel().lock();
        try {
            return allPinned();
        } finally {
            machine.kernel().unlock();
        }
    }

    private long allPinned() {
        return (memory.pinnedPages() + memory.pinnedForUser()) * Memory.PAGE;
    }

    /** Names it, such as {@code process 1}. */
    @Override
    public String toString() {
        return "process " + id + (privileged ? "" : " (unprivileged)") + (dead ? " (dead)" : "");
    }
}
