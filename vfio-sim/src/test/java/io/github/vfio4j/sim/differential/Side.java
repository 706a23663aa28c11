package io.github.vfio4j.sim.differential;

import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.UnaryOperator;

/** One of the two kernels, with the program's descriptors and addresses there. */
final class Side {
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
    private final int[] descriptors = new int[SLOTS];
    private final long[] mappings = new long[MAPPINGS];
    private final long[] lengths = new long[MAPPINGS];

    Side(String name, Syscalls calls, UnaryOperator<String> paths) {
        this.name = name;
        this.calls = calls;
        this.paths = paths;
        Arrays.fill(descriptors, NONE);
        for (Region region : Region.values()) {
            int prot = switch (region) {
                case RAM, HOLE -> Syscalls.PROT_READ | Syscalls.PROT_WRITE;
                case READ_ONLY -> Syscalls.PROT_READ;
                case NO_ACCESS -> 0;
            };
            int flags = Syscalls.MAP_PRIVATE | Syscalls.MAP_ANONYMOUS;
            long address = calls.mmap(frame, region.bytes(), prot, flags, -1, 0);
            if (address < 0) {
                throw new IllegalStateException(name + " gives no memory: " + address);
            }
            regions.put(region, address);
        }
    }

    String path(String path) {
        return paths.apply(path);
    }

    long address(Region region) {
        return regions.get(region);
    }

    /** The program's memory at an address. */
    @SuppressWarnings("restricted")
    MemorySegment memory(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    int descriptor(int slot) {
        return slot >= 0 ? descriptors[slot] : slot == Step.NOT_OPEN ? NEVER_OPEN : NONE;
    }

    boolean isOpen(int slot) {
        return descriptors[slot] >= 0;
    }

    /** The address of what is mapped into a slot, or 0. */
    long mapping(int slot) {
        return mappings[slot];
    }

    Outcome opened(int into, int descriptor) {
        if (descriptor >= 0) {
            descriptors[into] = descriptor;
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

    /** Runs a step. A kernel that breaks down has answered, too. */
    Outcome run(Step step) {
        try {
            return step.run(this);
        } catch (RuntimeException | AssertionError e) {
            return Outcome.brokeDown(e);
        }
    }

    /** Gives back what a sequence left. */
    void closeAll() {
        for (int slot = 0; slot < MAPPINGS; slot++) {
            unmap(slot);
        }
        for (int slot = SLOTS - 1; slot >= 0; slot--) {
            if (isOpen(slot)) {
                close(slot);
            }
        }
    }
}
