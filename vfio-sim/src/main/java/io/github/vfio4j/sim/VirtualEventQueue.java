package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.iommufd_h.IOMMU_VEVENTQ_FLAG_LOST_EVENTS;

import io.github.vfio4j.Errno;
import io.github.vfio4j.ffm.gen.iommufd_vevent_header;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A queue of events of a virtual IOMMU (Linux: struct iommufd_veventq). Guarded by the kernel's lock. */
final class VirtualEventQueue extends IommuObject {
    /** An event: the number that the guest has for a device; or that events were lost. */
    private record Event(int sequence, boolean lost, int virtualId) {}

    private final Viommu viommu;
    private final int type;
    private final long depth;
    private final EventQueue<Event> events = new EventQueue<>();
    private int number; // of events in it that are not lost
    private int sequence;

    VirtualEventQueue(Viommu viommu, int type, long depth) {
        super(viommu.iommufd);
        this.viommu = viommu;
        this.type = type;
        this.depth = depth;
        viommu.users++;
        viommu.eventQueues.put(type, this);
    }

    /** What was lost stands at the end alone, and once: the number of the next event tells the same. */
    void report(int virtualId) {
        boolean full = number == depth;
        events.removeIf(Event::lost);
        events.add(new Event(sequence, full, virtualId));
        sequence = sequence + 1 & Integer.MAX_VALUE;
        number += full ? 0 : 1;
    }

    @Override
    void destroyed() {
        viommu.users--;
        viommu.eventQueues.remove(type);
    }

    @Override
    public String toString() {
        return "event queue " + id + " of " + viommu;
    }

    /** Opens its file. The kernel's lock is held. */
    QueueFile open() {
        return new QueueFile(this, events) {
            @Override
            long read(SimProcess caller, MemorySegment target) {
                kernel().lock();
                try {
                    return readEvents(target);
                } finally {
                    kernel().unlock();
                }
            }

            @Override
            public String toString() {
                return "[iommufd-viommu-event]";
            }
        };
    }

    private long readEvents(MemorySegment target) {
        long done = 0;
        for (Event event = events.first(); event != null; event = events.first()) {
            long size = iommufd_vevent_header.sizeof() + (event.lost ? 0 : Integer.BYTES);
            if (target.byteSize() - done < size) {
                if (done == 0) {
                    throw new KernelError(Errno.EINVAL);
                }
                break;
            }
            MemorySegment bytes = UserMemory.zeroed(size);
            iommufd_vevent_header.flags(bytes, event.lost ? IOMMU_VEVENTQ_FLAG_LOST_EVENTS() : 0);
            iommufd_vevent_header.sequence(bytes, event.sequence);
            if (!event.lost) {
                bytes.set(ValueLayout.JAVA_INT, iommufd_vevent_header.sizeof(), event.virtualId);
                number--;
            }
            events.removeFirst();
            MemorySegment.copy(bytes, 0, target, done, size);
            done += size;
        }
        return done;
    }
}
