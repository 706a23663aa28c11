package io.github.vfio4j.sim.differential;

import io.github.vfio4j.PageSize;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/** A program on one of the two kernels: its descriptors and addresses there. */
final class Side implements Partner {
    static final int SLOTS = 12;
    static final int MAPPINGS = 4;

    private static final int NONE = -1;
    private static final int NEVER_OPEN = 900_000; // above every limit on open files
    private static final long LARGEST_STRUCT = 8192;

    final String name;
    final Syscalls calls;
    final Frame frame = new Frame();
    final MemorySegment buffer = Arena.ofAuto().allocate(LARGEST_STRUCT, 8);
    private final UnaryOperator<String> paths;
    private final Map<Region, Long> regions = new EnumMap<>(Region.class);
    private final Map<Region, MemorySegment> memory = new EnumMap<>(Region.class); // what can be written
    private final int[] descriptors = new int[SLOTS];
    private final long[] mappings = new long[MAPPINGS];
    private final long[] lengths = new long[MAPPINGS];
    private final int[] written = new int[SLOTS]; // bytes of a state
    Partner second; // the other program, if there is one
    int socket = NONE; // for descriptors from and to that one
    Administrator administrator; // of the kernel, if the program is the first one
    int picture; // the dma-buf that a device named last
    final Set<Integer> picturesOpened = new HashSet<>();

    Side(String name, Syscalls calls, UnaryOperator<String> paths) {
        this.name = name;
        this.calls = calls;
        this.paths = paths;
        Arrays.fill(descriptors, NONE);
        FfmKernel kernel = new FfmKernel(name, calls, SysFs.linux(), Notes.linux());
        for (Region region : List.of(Region.RAM, Region.HOLE)) {
            MemorySegment own = kernel.allocate(region.bytes(), PageSize.BASE, Arena.ofAuto());
            memory.put(region, own);
            regions.put(region, own.address());
        }
        for (Region region : List.of(Region.READ_ONLY, Region.NO_ACCESS)) {
            int prot = region == Region.READ_ONLY ? Syscalls.PROT_READ : 0;
            int flags = Syscalls.MAP_PRIVATE | Syscalls.MAP_ANONYMOUS;
            long address = calls.mmap(frame, region.bytes(), prot, flags, -1, 0);
            if (address < 0) {
                throw new IllegalStateException(name + " gives no memory: " + address);
            }
            regions.put(region, address);
        }
    }

    /** A program on this Linux. */
    static Side onLinux(String name, UnaryOperator<String> paths) {
        Side side = new Side(name, Syscalls.linux(), paths);
        protect(side.address(Region.HOLE) + Region.PAGE);
        return side;
    }

    /** Takes a page away and leaves its address taken, so that nothing of the JVM is mapped there meanwhile. */
    private static void protect(long address) {
        Linker linker = Linker.nativeLinker();
        @SuppressWarnings("restricted")
        MethodHandle mprotect = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("mprotect"),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
        try {
            if ((int) mprotect.invokeExact(address, Region.PAGE, 0) != 0) {
                throw new IllegalStateException("mprotect failed");
            }
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** A program on a simulated kernel. */
    static Side simulated(String name, Syscalls calls, UnaryOperator<String> paths) {
        Side side = new Side(name, calls, paths);
        calls.munmap(side.frame, side.address(Region.HOLE) + Region.PAGE, Region.PAGE);
        return side;
    }

    /** Connects two programs on one simulated kernel. */
    void connect(Side other) {
        String address = "@" + name;
        int listener = calls.socket(frame, Syscalls.SOCK_SEQPACKET);
        calls.bind(frame, listener, address);
        calls.listen(frame, listener, 1);
        other.socket = other.calls.socket(other.frame, Syscalls.SOCK_SEQPACKET);
        other.calls.connect(other.frame, other.socket, address);
        socket = calls.accept(frame, listener);
        calls.close(frame, listener);
        second = other;
        other.second = this;
    }

    String path(String path) {
        return paths.apply(path);
    }

    long address(Region region) {
        return regions.get(region);
    }

    /** The program's memory in a region that can be written. */
    MemorySegment memory(Region region, long offset, long bytes) {
        return memory.get(region).asSlice(offset, bytes);
    }

    int descriptor(int slot) {
        return slot >= 0 ? descriptors[slot] : slot == Step.NOT_OPEN ? NEVER_OPEN : NONE;
    }

    /** How many bytes of a state were written to what a slot holds. */
    int written(int slot) {
        return slot >= 0 ? written[slot] : 0;
    }

    void wrote(int slot, int bytes) {
        if (slot >= 0) {
            written[slot] += bytes;
        }
    }

    @Override
    public boolean overwrites(Step step) {
        return step.overwrites(this);
    }

    @Override
    public boolean isOpen(int slot) {
        return descriptors[slot] >= 0;
    }

    /** The address of what is mapped into a slot, or 0. */
    long mapping(int slot) {
        return mappings[slot];
    }

    Outcome opened(int into, int descriptor) {
        if (descriptor >= 0) {
            descriptors[into] = descriptor;
            written[into] = 0;
        }
        return Outcome.handle(descriptor);
    }

    /** A descriptor was closed, whichever slot it was in. */
    void lost(int descriptor) {
        for (int slot = 0; slot < SLOTS; slot++) {
            if (descriptors[slot] == descriptor) {
                descriptors[slot] = NONE;
            }
        }
    }

    Outcome mapped(int into, long address, long length) {
        if (address > 0 || address < -4095) {
            mappings[into] = address;
            lengths[into] = length;
            return Outcome.of(0);
        }
        return Outcome.of(address);
    }

    int close(int slot) {
        int result = calls.close(frame, descriptor(slot));
        if (slot >= 0) {
            descriptors[slot] = NONE; // and never again: the number may be somebody else's by now
        }
        return result;
    }

    int unmap(int slot) {
        if (mappings[slot] == 0) {
            return 0;
        }
        int result = calls.munmap(frame, mappings[slot], lengths[slot]);
        mappings[slot] = 0;
        return result;
    }

    /** Runs a step, and tells with the answer what became of unbindings. A kernel that breaks down has answered, too. */
    @Override
    public Outcome run(Step step) {
        try {
            Outcome outcome = step.run(this);
            return outcome.with(settle());
        } catch (RuntimeException | AssertionError e) {
            return Outcome.brokeDown(e);
        }
    }

    @Override
    public void closeAll() {
        picture = 0; // its number is not given again
        for (int slot = 0; slot < MAPPINGS; slot++) {
            unmap(slot);
        }
        for (int slot = SLOTS - 1; slot >= 0; slot--) {
            if (isOpen(slot)) {
                close(slot);
            }
        }
    }

    /** Waits for what root does to end or to wait in its turn, and tells what became of it. */
    String settle() {
        return administrator == null ? "" : administrator.news();
    }

    /** Ends a sequence: closes what both programs left, and gives the functions back to vfio-pci. */
    void end() {
        closeAll();
        if (second != null) {
            second.closeAll();
        }
        if (administrator != null) {
            administrator.restore();
        }
    }
}
