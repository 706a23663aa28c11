package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;

import io.github.vfio4j.Access;
import io.github.vfio4j.Errno;
import io.github.vfio4j.IoasInfo;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.iommu_destroy;
import io.github.vfio4j.ffm.gen.iommu_ioas_alloc;
import io.github.vfio4j.ffm.gen.iommu_ioas_allow_iovas;
import io.github.vfio4j.ffm.gen.iommu_ioas_copy;
import io.github.vfio4j.ffm.gen.iommu_ioas_iova_ranges;
import io.github.vfio4j.ffm.gen.iommu_ioas_map;
import io.github.vfio4j.ffm.gen.iommu_ioas_unmap;
import io.github.vfio4j.ffm.gen.iommu_iova_range;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.IommufdPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** An iommufd and its ioctls. The argument structs have no room for later fields, so their size is what is known here. */
final class FfmIommufd implements IommufdPort {
    private static final int USUAL_RANGES = 16;
    private static final int MOST_RANGES = 1 << 16; // more is a broken answer

    final Fd fd;

    FfmIommufd(Fd fd) {
        this.fd = fd;
    }

    @Override
    public int allocateIoas() {
        Frame frame = fd.begin(Operation.IOAS_ALLOC);
        try {
            iommu_ioas_alloc.size(frame.arg, (int) iommu_ioas_alloc.sizeof());
            iommu_ioas_alloc.flags(frame.arg, 0);
            iommu_ioas_alloc.out_ioas_id(frame.arg, 0);
            fd.ioctl(Operation.IOAS_ALLOC, frame, IOMMU_IOAS_ALLOC());
            return iommu_ioas_alloc.out_ioas_id(frame.arg);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void destroy(int object) {
        Frame frame = fd.begin(Operation.IOMMU_DESTROY);
        try {
            iommu_destroy.size(frame.arg, (int) iommu_destroy.sizeof());
            iommu_destroy.id(frame.arg, object);
            fd.ioctl(Operation.IOMMU_DESTROY, frame, IOMMU_DESTROY());
        } finally {
            fd.end(frame);
        }
    }

    // ---- ranges

    @Override
    public IoasInfo info(int ioas) {
        long struct = iommu_ioas_iova_ranges.sizeof();
        Frame frame = fd.begin(Operation.IOAS_IOVA_RANGES);
        try (Arena arena = Arena.ofConfined()) {
            int room = USUAL_RANGES;
            while (room <= MOST_RANGES) { // again if there are more
                MemorySegment argument = arena.allocate(struct + room * iommu_iova_range.sizeof(), 8);
                MemorySegment ranges = argument.asSlice(struct);
                iommu_ioas_iova_ranges.size(argument, (int) struct);
                iommu_ioas_iova_ranges.ioas_id(argument, ioas);
                iommu_ioas_iova_ranges.num_iovas(argument, room);
                iommu_ioas_iova_ranges.allowed_iovas(argument, ranges.address());
                int result = fd.syscalls.ioctl(frame, fd.number, IOMMU_IOAS_IOVA_RANGES(), argument);
                int count = iommu_ioas_iova_ranges.num_iovas(argument);
                if (result == -Errno.EMSGSIZE.number() && count > room) {
                    room = count;
                    continue;
                }
                fd.check(Operation.IOAS_IOVA_RANGES, result);
                if (count < 0 || count > room) {
                    throw Info.broken(Operation.IOAS_IOVA_RANGES, "the kernel names more ranges than it gives");
                }
                return new IoasInfo(decode(ranges, count), iommu_ioas_iova_ranges.out_iova_alignment(argument));
            }
            throw Info.broken(Operation.IOAS_IOVA_RANGES, "the kernel names " + room + " ranges");
        } finally {
            fd.end(frame);
        }
    }

    private static List<IovaRange> decode(MemorySegment array, int count) {
        List<IovaRange> ranges = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            MemorySegment range = iommu_iova_range.asSlice(array, i);
            ranges.add(new IovaRange(iommu_iova_range.start(range), iommu_iova_range.last(range)));
        }
        return ranges;
    }

    @Override
    public void allow(int ioas, List<IovaRange> ranges) {
        long struct = iommu_ioas_allow_iovas.sizeof();
        Frame frame = fd.begin(Operation.IOAS_ALLOW_IOVAS);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(struct + ranges.size() * iommu_iova_range.sizeof(), 8);
            MemorySegment array = argument.asSlice(struct);
            for (int i = 0; i < ranges.size(); i++) {
                MemorySegment range = iommu_iova_range.asSlice(array, i);
                iommu_iova_range.start(range, ranges.get(i).first());
                iommu_iova_range.last(range, ranges.get(i).last());
            }
            iommu_ioas_allow_iovas.size(argument, (int) struct);
            iommu_ioas_allow_iovas.ioas_id(argument, ioas);
            iommu_ioas_allow_iovas.num_iovas(argument, ranges.size());
            iommu_ioas_allow_iovas.allowed_iovas(argument, array.address());
            int result = fd.syscalls.ioctl(frame, fd.number, IOMMU_IOAS_ALLOW_IOVAS(), argument);
            fd.check(Operation.IOAS_ALLOW_IOVAS, result);
        } finally {
            fd.end(frame);
        }
    }

    // ---- mappings

    @Override
    public void map(int ioas, long iova, long address, long size, Access access) {
        Frame frame = fd.begin(Operation.IOAS_MAP);
        try {
            iommu_ioas_map.size(frame.arg, (int) iommu_ioas_map.sizeof());
            iommu_ioas_map.flags(frame.arg, flags(access));
            iommu_ioas_map.ioas_id(frame.arg, ioas);
            iommu_ioas_map.__reserved(frame.arg, 0);
            iommu_ioas_map.user_va(frame.arg, address);
            iommu_ioas_map.length(frame.arg, size);
            iommu_ioas_map.iova(frame.arg, iova);
            fd.ioctl(Operation.IOAS_MAP, frame, IOMMU_IOAS_MAP());
        } finally {
            fd.end(frame);
        }
    }

    private static int flags(Access access) {
        return IOMMU_IOAS_MAP_FIXED_IOVA()
                | switch (access) {
                    case READ -> IOMMU_IOAS_MAP_READABLE();
                    case WRITE -> IOMMU_IOAS_MAP_WRITEABLE();
                    case READ_WRITE -> IOMMU_IOAS_MAP_READABLE() | IOMMU_IOAS_MAP_WRITEABLE();
                };
    }

    @Override
    public void copy(int source, long sourceIova, int ioas, long iova, long size, Access access) {
        Frame frame = fd.begin(Operation.IOAS_COPY);
        try {
            iommu_ioas_copy.size(frame.arg, (int) iommu_ioas_copy.sizeof());
            iommu_ioas_copy.flags(frame.arg, flags(access));
            iommu_ioas_copy.dst_ioas_id(frame.arg, ioas);
            iommu_ioas_copy.src_ioas_id(frame.arg, source);
            iommu_ioas_copy.length(frame.arg, size);
            iommu_ioas_copy.dst_iova(frame.arg, iova);
            iommu_ioas_copy.src_iova(frame.arg, sourceIova);
            fd.ioctl(Operation.IOAS_COPY, frame, IOMMU_IOAS_COPY());
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long unmap(int ioas, long iova, long size) {
        Frame frame = fd.begin(Operation.IOAS_UNMAP);
        try {
            iommu_ioas_unmap.size(frame.arg, (int) iommu_ioas_unmap.sizeof());
            iommu_ioas_unmap.ioas_id(frame.arg, ioas);
            iommu_ioas_unmap.iova(frame.arg, iova);
            iommu_ioas_unmap.length(frame.arg, size);
            fd.ioctl(Operation.IOAS_UNMAP, frame, IOMMU_IOAS_UNMAP());
            return iommu_ioas_unmap.length(frame.arg); // the kernel says how much it unmapped
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
