package io.github.vfio4j.sim;

import io.github.vfio4j.ffm.gen.vfio_info_cap_header;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Capabilities behind an info struct, in the order in which they are added (vfio_info_cap_add). */
final class CapabilityChain {
    private final int alignment;
    private final List<MemorySegment> capabilities = new ArrayList<>();

    /** Makes a chain whose capabilities are padded to a number of bytes. */
    CapabilityChain(int alignment) {
        this.alignment = alignment;
    }

    CapabilityChain add(MemorySegment capability) {
        capabilities.add(capability);
        return this;
    }

    /** Returns the bytes of the chain, linked for a place in the info struct. */
    MemorySegment at(long offset) {
        MemorySegment bytes =
                UserMemory.zeroed(capabilities.stream().mapToLong(this::padded).sum());
        long at = 0;
        for (MemorySegment capability : capabilities) {
            long next = at + padded(capability);
            MemorySegment.copy(capability, 0, bytes, at, capability.byteSize());
            boolean last = next == bytes.byteSize();
            vfio_info_cap_header.next(bytes.asSlice(at), last ? 0 : (int) (offset + next));
            at = next;
        }
        return bytes;
    }

    private long padded(MemorySegment capability) {
        return (capability.byteSize() + alignment - 1) / alignment * alignment;
    }
}
