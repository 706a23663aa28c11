package io.github.vfio4j.sim;

import io.github.vfio4j.sim.DmaFault.Reason;
import io.github.vfio4j.sim.Translation.Stop;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * Mappings by IOVA, and the devices' way through them. System calls come under the kernel's lock, DMA comes without. A
 * change waits for the DMA in flight and keeps new DMA waiting, so a device reaches nothing any more when the system call
 * that unmapped it returns.
 */
final class IoPageTable<M extends IoMapping> {
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    // By IOVA, unsigned. Changed under both locks.
    private final TreeMap<Long, M> mappings = new TreeMap<>(Long::compareUnsigned);

    /** The mappings, lowest first. */
    Collection<M> mappings() {
        return mappings.values();
    }

    void put(M mapping) {
        lock.writeLock().lock();
        try {
            mappings.put(mapping.iova, mapping);
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** Puts others in the place of a mapping, at one go. */
    void replace(M mapping, List<M> others) {
        lock.writeLock().lock();
        try {
            mappings.remove(mapping.iova);
            others.forEach(other -> mappings.put(other.iova, other));
        } finally {
            lock.writeLock().unlock();
        }
    }

    void remove(Collection<M> gone) {
        lock.writeLock().lock();
        try {
            gone.forEach(mapping -> mappings.remove(mapping.iova));
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** Changes what translates a group that came through here, or comes now. */
    void translate(IommuGroup group, Translation translation) {
        lock.writeLock().lock();
        try {
            group.translation = translation;
        } finally {
            lock.writeLock().unlock();
        }
    }

    List<M> overlapping(long first, long last) {
        if (Long.compareUnsigned(first, last) > 0) { // wraps, which a rule refuses
            return List.of();
        }
        Map.Entry<Long, M> below = mappings.floorEntry(first);
        long from = below != null && Long.compareUnsigned(below.getValue().last(), first) >= 0 ? below.getKey() : first;
        return List.copyOf(mappings.subMap(from, true, last, true).values());
    }

    /** As {@link Translation#access}, of a group that goes through here while its translation is a given one. */
    Stop access(IommuGroup group, Translation translation, boolean write, long iova, MemorySegment buffer) {
        lock.readLock().lock();
        try {
            if (group.translation != translation) {
                return new Stop(iova, Reason.NO_IOMMU);
            }
            List<MemorySegment> pieces = new ArrayList<>();
            long done = 0;
            while (done < buffer.byteSize()) {
                long at = iova + done;
                Map.Entry<Long, M> below = mappings.floorEntry(at);
                if (below == null || Long.compareUnsigned(below.getValue().last(), at) < 0) {
                    return new Stop(at, Reason.NOT_MAPPED);
                }
                M mapping = below.getValue();
                if ((mapping.access & (write ? IoMapping.WRITE : IoMapping.READ)) == 0) {
                    return new Stop(at, write ? Reason.NOT_WRITABLE : Reason.NOT_READABLE);
                }
                long offset = at - mapping.iova;
                long bytes = Math.min(buffer.byteSize() - done, mapping.size - offset);
                MemorySegment piece = mapping.memory(offset, bytes).orElse(null);
                if (piece == null) {
                    return new Stop(at, Reason.MEMORY_GONE);
                }
                pieces.add(piece);
                done += piece.byteSize();
            }
            return copy(write, iova, buffer, pieces);
        } finally {
            lock.readLock().unlock();
        }
    }

    private static Stop copy(boolean write, long iova, MemorySegment buffer, List<MemorySegment> pieces) {
        long done = 0;
        for (MemorySegment piece : pieces) {
            MemorySegment part = buffer.asSlice(done, piece.byteSize());
            try {
                if (write) {
                    SharedAccess.copyEndLast(part, piece);
                } else {
                    MemorySegment.copy(piece, 0, part, 0, piece.byteSize());
                }
            } catch (IllegalStateException e) {
                if (piece.scope().isAlive()) {
                    throw e; // the device's own buffer
                }
                return new Stop(iova + done, Reason.MEMORY_GONE);
            }
            done += piece.byteSize();
        }
        return null;
    }
}
