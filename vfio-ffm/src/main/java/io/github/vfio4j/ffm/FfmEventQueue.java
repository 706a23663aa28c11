package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;

import io.github.vfio4j.Operation;
import io.github.vfio4j.VirtualEvent;
import io.github.vfio4j.VirtualEventType;
import io.github.vfio4j.ffm.gen.iommu_vevent_arm_smmuv3;
import io.github.vfio4j.ffm.gen.iommu_vevent_tegra241_cmdqv;
import io.github.vfio4j.ffm.gen.iommufd_vevent_header;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.VirtualEventQueuePort;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** The file of a queue of events of a virtual IOMMU. The kernel gives whole events alone, as many as fit. */
final class FfmEventQueue implements VirtualEventQueuePort, Readable {
    private static final ValueLayout.OfLong LITTLE_ENDIAN =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long HEADER = iommufd_vevent_header.sizeof();

    private final Fd fd;
    private final int id;
    private final VirtualEventType type;

    FfmEventQueue(Fd fd, int id, VirtualEventType type) {
        this.fd = fd;
        this.id = id;
        this.type = type;
    }

    static int number(VirtualEventType type) {
        return switch (type) {
            case ARM_SMMUV3 -> IOMMU_VEVENTQ_TYPE_ARM_SMMUV3();
            case TEGRA241_CMDQV -> IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV();
        };
    }

    @Override
    public Fd fd() {
        return fd;
    }

    @Override
    public int id() {
        return id;
    }

    @Override
    public List<VirtualEvent> read() {
        Frame frame = fd.begin(Operation.VEVENTQ_READ);
        try {
            long size = fd.check(Operation.VEVENTQ_READ, fd.syscalls.read(frame, fd.number, frame.arg));
            return decode(frame.arg.asSlice(0, size));
        } finally {
            fd.end(frame);
        }
    }

    private List<VirtualEvent> decode(MemorySegment bytes) {
        List<VirtualEvent> events = new ArrayList<>();
        long data = switch (type) {
            case ARM_SMMUV3 -> iommu_vevent_arm_smmuv3.sizeof();
            case TEGRA241_CMDQV -> iommu_vevent_tegra241_cmdqv.sizeof();
        };
        long at = 0;
        while (at < bytes.byteSize()) {
            boolean whole = at + HEADER <= bytes.byteSize();
            MemorySegment header = whole ? bytes.asSlice(at, HEADER) : null;
            boolean lost = whole && (iommufd_vevent_header.flags(header) & IOMMU_VEVENTQ_FLAG_LOST_EVENTS()) != 0;
            long end = at + HEADER + (lost ? 0 : data);
            if (end > bytes.byteSize()) {
                throw Info.broken(Operation.VEVENTQ_READ, "the kernel gives part of an event");
            }
            int sequence = iommufd_vevent_header.sequence(header);
            events.add(lost ? new VirtualEvent.Lost(sequence) : event(sequence, bytes.asSlice(at + HEADER, data)));
            at = end;
        }
        return events;
    }

    private VirtualEvent event(int sequence, MemorySegment data) {
        return switch (type) {
            case ARM_SMMUV3 ->
                new VirtualEvent.ArmSmmuV3(sequence, word(data, 0), word(data, 1), word(data, 2), word(data, 3));
            case TEGRA241_CMDQV -> new VirtualEvent.Tegra241Cmdqv(sequence, word(data, 0), word(data, 1));
        };
    }

    /** The hardware writes them as little-endian. */
    private static long word(MemorySegment data, int index) {
        return data.getAtIndex(LITTLE_ENDIAN, index);
    }

    @Override
    public void close() {
        fd.close();
    }
}
