package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IOMMU_INFO_CAPS;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IOMMU_INFO_PGSIZES;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL;

import io.github.vfio4j.DirtyTrackingInfo;
import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Type1Info;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info_cap_iova_range;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info_cap_migration;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info_dma_avail;
import io.github.vfio4j.ffm.gen.vfio_iova_range;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Reads {@code struct vfio_iommu_type1_info} and its capabilities. */
final class Type1InfoDecoder {
    // Linux 6.1 does not pad capabilities to 8 bytes: 64-bit fields may be only 4-byte aligned.
    private static final ValueLayout.OfLong INT64 = ValueLayout.JAVA_LONG_UNALIGNED;

    private static final long SMALLEST_PAGE = 4096;

    private final List<IovaRange> ranges = new ArrayList<>();
    private OptionalInt mappingsLeft = OptionalInt.empty();
    private Optional<DirtyTrackingInfo> dirtyTracking = Optional.empty();

    private Type1InfoDecoder() {}

    static Type1Info decode(MemorySegment answer) {
        Type1InfoDecoder decoder = new Type1InfoDecoder();
        int flags = vfio_iommu_type1_info.flags(answer);
        // The chain starts behind the struct as the header has it, on older kernels too.
        if ((flags & VFIO_IOMMU_INFO_CAPS()) != 0) {
            Info.capabilities(
                    Operation.IOMMU_GET_INFO,
                    answer,
                    vfio_iommu_type1_info.cap_offset(answer),
                    vfio_iommu_type1_info.sizeof(),
                    decoder::capability);
        }
        boolean told = (flags & VFIO_IOMMU_INFO_PGSIZES()) != 0;
        return new Type1Info(
                told ? vfio_iommu_type1_info.iova_pgsizes(answer) : SMALLEST_PAGE,
                decoder.ranges,
                decoder.mappingsLeft,
                decoder.dirtyTracking);
    }

    private void capability(int id, MemorySegment capability) {
        if (id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE()) {
            ranges(capability);
        } else if (id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL()) {
            int left = capability.get(ValueLayout.JAVA_INT, vfio_iommu_type1_info_dma_avail.avail$offset());
            mappingsLeft = OptionalInt.of(left < 0 ? Integer.MAX_VALUE : left); // unsigned
        } else if (id == VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION()) {
            dirtyTracking = Optional.of(new DirtyTrackingInfo(
                    capability.get(INT64, vfio_iommu_type1_info_cap_migration.pgsize_bitmap$offset()),
                    capability.get(INT64, vfio_iommu_type1_info_cap_migration.max_dirty_bitmap_size$offset())));
        }
    }

    private void ranges(MemorySegment capability) {
        int count = capability.get(ValueLayout.JAVA_INT, vfio_iommu_type1_info_cap_iova_range.nr_iovas$offset());
        long first = vfio_iommu_type1_info_cap_iova_range.sizeof();
        long each = vfio_iova_range.sizeof();
        if (Integer.toUnsignedLong(count) > (capability.byteSize() - first) / each) {
            throw new VfioException(
                    Operation.IOMMU_GET_INFO, new Errno(71), "the kernel names more IOVA ranges than it gives");
        }
        for (int i = 0; i < count; i++) {
            long at = first + i * each;
            ranges.add(new IovaRange(
                    capability.get(INT64, at + vfio_iova_range.start$offset()),
                    capability.get(INT64, at + vfio_iova_range.end$offset())));
        }
    }
}
