package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Operation;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.ffm.gen.vfio_region_info;
import io.github.vfio4j.ffm.gen.vfio_region_info_cap_sparse_mmap;
import io.github.vfio4j.ffm.gen.vfio_region_info_cap_type;
import io.github.vfio4j.ffm.gen.vfio_region_sparse_mmap_area;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads {@code struct vfio_region_info} and its capabilities. */
final class RegionInfoDecoder {
    private static final Operation OPERATION = Operation.DEVICE_GET_REGION_INFO;
    private static final ValueLayout.OfLong INT64 = ValueLayout.JAVA_LONG_UNALIGNED; // on Linux 6.1

    private final long size;
    private List<RegionInfo.Area> areas;
    private boolean msixMappable;
    private Optional<RegionInfo.Type> type = Optional.empty();

    private RegionInfoDecoder(long size) {
        this.size = size;
        this.areas = size == 0 ? List.of() : List.of(new RegionInfo.Area(0, size));
    }

    static RegionInfo decode(MemorySegment answer) {
        int flags = vfio_region_info.flags(answer);
        RegionInfoDecoder decoder = new RegionInfoDecoder(vfio_region_info.size(answer));
        if ((flags & VFIO_REGION_INFO_FLAG_CAPS()) != 0) {
            Info.capabilities(
                    OPERATION,
                    answer,
                    vfio_region_info.cap_offset(answer),
                    vfio_region_info.sizeof(),
                    decoder::capability);
        }
        boolean mappable = (flags & VFIO_REGION_INFO_FLAG_MMAP()) != 0;
        return new RegionInfo(
                vfio_region_info.index(answer),
                (flags & VFIO_REGION_INFO_FLAG_READ()) != 0,
                (flags & VFIO_REGION_INFO_FLAG_WRITE()) != 0,
                decoder.size,
                vfio_region_info.offset(answer),
                mappable ? decoder.areas : List.of(),
                decoder.msixMappable,
                decoder.type);
    }

    private void capability(int id, MemorySegment capability) {
        if (id == VFIO_REGION_INFO_CAP_SPARSE_MMAP()) {
            areas = areas(capability);
        } else if (id == VFIO_REGION_INFO_CAP_MSIX_MAPPABLE()) {
            msixMappable = true;
        } else if (id == VFIO_REGION_INFO_CAP_TYPE()) {
            MemorySegment struct = Info.struct(
                    capability, vfio_region_info_cap_type.layout(), vfio_region_info_cap_type.sizeof());
            type = Optional.of(new RegionInfo.Type(
                    vfio_region_info_cap_type.type(struct), vfio_region_info_cap_type.subtype(struct)));
        }
    }

    private List<RegionInfo.Area> areas(MemorySegment capability) {
        long first = vfio_region_info_cap_sparse_mmap.areas$offset();
        long each = vfio_region_sparse_mmap_area.sizeof();
        long count = Integer.toUnsignedLong(
                capability.get(ValueLayout.JAVA_INT, vfio_region_info_cap_sparse_mmap.nr_areas$offset()));
        List<RegionInfo.Area> found = new ArrayList<>();
        for (long at = first; at < first + count * each; at += each) {
            long start = capability.get(INT64, at + vfio_region_sparse_mmap_area.offset$offset());
            long length = capability.get(INT64, at + vfio_region_sparse_mmap_area.size$offset());
            if (start < 0 || length < 0 || start > size || length > size - start) {
                throw Info.broken(OPERATION, "an area to be mapped leaves the region, which has " + size + " bytes");
            }
            if (length > 0) { // drivers give an empty one where nothing can be mapped
                found.add(new RegionInfo.Area(start, length));
            }
        }
        return found;
    }
}
