package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_info_cap_header;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dma_map;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dma_unmap;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info_cap_iova_range;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info_dma_avail;
import io.github.vfio4j.ffm.gen.vfio_iova_range;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** The ioctls of a container on an iommufd that stands for one (Linux: iommufd/vfio_compat.c). The kernel's lock is held. */
final class CompatCalls {
    private static final long NO_LIMIT = 0xffff_ffffL;

    private final Iommufd iommufd;

    CompatCalls(Iommufd iommufd) {
        this.iommufd = iommufd;
    }

    int call(SimProcess caller, int request, UserMemory argument) {
        if (request == VFIO_GET_API_VERSION()) {
            return VFIO_API_VERSION();
        }
        if (request == VFIO_CHECK_EXTENSION()) {
            return checkExtension(argument.value());
        }
        if (request == VFIO_SET_IOMMU()) {
            return setIommu(caller, argument.value());
        }
        if (request == VFIO_IOMMU_GET_INFO()) {
            return getInfo(argument);
        }
        if (request == VFIO_IOMMU_MAP_DMA()) {
            return mapDma(caller, argument);
        }
        if (request == VFIO_IOMMU_UNMAP_DMA()) {
            return unmapDma(argument);
        }
        throw new KernelError(Errno.ENOTTY);
    }

    private void check(Operation operation, Facts facts) {
        KernelError.check(iommufd.machine.profile(), operation, facts);
    }

    /** Refuses where there is no address space yet. */
    private Ioas ioas(Operation operation) {
        check(operation, new IoasFacts());
        return iommufd.compat;
    }

    private class IoasFacts implements Facts {
        @Override
        public boolean compatIoasExists() {
            return iommufd.compat != null;
        }
    }

    private int checkExtension(long extension) {
        if (extension == VFIO_DMA_CC_IOMMU()) {
            return ioas(Operation.COMPAT_CHECK_EXTENSION).pageTables().stream()
                            .allMatch(table -> table.iommu.coherent())
                    ? 1
                    : 0;
        }
        boolean type1 = extension == VFIO_TYPE1_IOMMU()
                || extension == VFIO_TYPE1v2_IOMMU()
                || extension == VFIO_UNMAP_ALL();
        return type1 && !iommufd.noIommu || extension == VFIO_NOIOMMU_IOMMU() ? 1 : 0;
    }

    private int setIommu(SimProcess caller, long type) {
        boolean noIommu = iommufd.noIommu && type == VFIO_NOIOMMU_IOMMU();
        boolean v1 = type == VFIO_TYPE1_IOMMU();
        Ioas ioas = iommufd.compat;
        check(Operation.COMPAT_SET_IOMMU, new IoasFacts() {
            @Override
            public boolean groupTranslated() {
                return !noIommu;
            }

            @Override
            public boolean mayDoRawIo() {
                return caller.mayDoRawIo();
            }

            @Override
            public boolean iommuTypeSupported() {
                return noIommu || !iommufd.noIommu && (v1 || type == VFIO_TYPE1v2_IOMMU());
            }

            @Override
            public boolean compatIoasExists() {
                return noIommu || ioas != null;
            }

            @Override
            public boolean largePagesUnused() {
                return noIommu || ioas.largePagesUnused(v1);
            }

            @Override
            public boolean mappingsAligned() {
                return noIommu || ioas.worksWithoutLargePages(v1);
            }
        });
        if (v1) {
            ioas.setLargePages(false);
        }
        return 0;
    }

    // ---- VFIO_IOMMU_GET_INFO

    private int getInfo(UserMemory argument) {
        long capOffset = vfio_iommu_type1_info.cap_offset$offset();
        InfoStruct info = new InfoStruct(argument, vfio_iommu_type1_info.layout(), capOffset);
        long given = info.argsz();
        Ioas ioas = ioas(Operation.COMPAT_GET_INFO);
        vfio_iommu_type1_info.iova_pgsizes(info.fields, pageSizes(ioas));
        vfio_iommu_type1_info.flags(info.fields, VFIO_IOMMU_INFO_PGSIZES() | VFIO_IOMMU_INFO_CAPS());
        long size = vfio_iommu_type1_info.sizeof();
        MemorySegment available = available();
        MemorySegment ranges = ranges(ioas.ranges());
        long rangesAt = size + align(available.byteSize());
        long end = rangesAt + ranges.byteSize();
        // Capabilities for which there is room are written even if there is none for all of them.
        if (given > size && given - size >= available.byteSize()) {
            argument.write(size, available, available.byteSize());
        }
        if (given > rangesAt) {
            writeRanges(argument, rangesAt, ranges, given - rangesAt);
        }
        if (given >= rangesAt) {
            MemorySegment next = UserMemory.zeroed(Integer.BYTES);
            next.set(ValueLayout.JAVA_INT, 0, (int) rangesAt);
            argument.write(size + vfio_info_cap_header.next$offset(), next, Integer.BYTES);
        }
        vfio_iommu_type1_info.cap_offset(info.fields, given >= end ? (int) size : 0);
        vfio_iommu_type1_info.argsz(info.fields, (int) end);
        argument.write(0, info.fields, Math.min(given, size));
        return 0;
    }

    /** Each range for which there is room with the header before it, and the header if there is room for all. */
    private static void writeRanges(UserMemory argument, long at, MemorySegment ranges, long room) {
        long header = vfio_iommu_type1_info_cap_iova_range.sizeof();
        long each = vfio_iova_range.sizeof();
        for (long range = header; range + each <= ranges.byteSize() && range + each <= room; range += each) {
            argument.write(at + range, ranges.asSlice(range, each), each);
        }
        if (room >= ranges.byteSize()) {
            argument.write(at, ranges, header);
        }
    }

    private static long align(long bytes) {
        return bytes + Long.BYTES - 1 & -Long.BYTES;
    }

    /** Every page size while no device is open; else what all its IOMMUs have. */
    private static long pageSizes(Ioas ioas) {
        long sizes = -1;
        for (Hwpt table : ioas.pageTables()) {
            sizes &= table.iommu.pageSizes();
        }
        if ((sizes & Memory.PAGE - 1) != 0) {
            sizes = sizes & -Memory.PAGE | Memory.PAGE;
        }
        return Long.compareUnsigned(sizes, ioas.alignment()) > 0 ? sizes : ioas.alignment();
    }

    private static MemorySegment available() {
        MemorySegment capability = UserMemory.zeroed(vfio_iommu_type1_info_dma_avail.layout());
        header(capability, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL());
        vfio_iommu_type1_info_dma_avail.avail(capability, (int) NO_LIMIT);
        return capability;
    }

    private static MemorySegment ranges(List<IovaRange> all) {
        MemorySegment capability = UserMemory.zeroed(
                vfio_iommu_type1_info_cap_iova_range.sizeof() + all.size() * vfio_iova_range.sizeof());
        header(capability, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE());
        vfio_iommu_type1_info_cap_iova_range.nr_iovas(capability, all.size());
        long at = vfio_iommu_type1_info_cap_iova_range.iova_ranges$offset();
        for (IovaRange range : all) {
            MemorySegment entry = capability.asSlice(at, vfio_iova_range.sizeof());
            vfio_iova_range.start(entry, range.first());
            vfio_iova_range.end(entry, range.last());
            at += vfio_iova_range.sizeof();
        }
        return capability;
    }

    private static void header(MemorySegment capability, int id) {
        vfio_info_cap_header.id(capability, (short) id);
        vfio_info_cap_header.version(capability, (short) 1);
    }

    // ---- VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA

    private int mapDma(SimProcess caller, UserMemory argument) {
        MemorySegment map = new InfoStruct(argument, vfio_iommu_type1_dma_map.layout()).fields;
        int access = vfio_iommu_type1_dma_map.flags(map);
        if ((access & ~(VFIO_DMA_MAP_FLAG_READ() | VFIO_DMA_MAP_FLAG_WRITE())) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        Ioas ioas = iommufd.compat;
        if (ioas == null) {
            ioas(Operation.COMPAT_MAP_DMA);
        }
        long size = vfio_iommu_type1_dma_map.size(map);
        List<Ioas.Slice> slices =
                DmaPages.all(iommufd, caller, vfio_iommu_type1_dma_map.vaddr(map), size, access);
        ioas.map(
                Operation.COMPAT_MAP_DMA,
                new Ioas.Place(vfio_iommu_type1_dma_map.iova(map), true, access, new IoasFacts()),
                slices);
        return 0;
    }

    private int unmapDma(UserMemory argument) {
        long least = vfio_iommu_type1_dma_unmap.data$offset();
        InfoStruct unmap = new InfoStruct(argument, vfio_iommu_type1_dma_unmap.layout(), least);
        boolean all = (vfio_iommu_type1_dma_unmap.flags(unmap.fields) & VFIO_DMA_UNMAP_FLAG_ALL()) != 0;
        if ((vfio_iommu_type1_dma_unmap.flags(unmap.fields) & ~VFIO_DMA_UNMAP_FLAG_ALL()) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        Ioas ioas = ioas(Operation.COMPAT_UNMAP_DMA);
        long iova = vfio_iommu_type1_dma_unmap.iova(unmap.fields);
        long size = vfio_iommu_type1_dma_unmap.size(unmap.fields);
        boolean cuts = !all && !ioas.largePages();
        if (all) {
            check(Operation.COMPAT_UNMAP_DMA, new IoasFacts() {
                @Override
                public boolean unmapAll() {
                    return true;
                }

                @Override
                public long iova() {
                    return iova;
                }

                @Override
                public long size() {
                    return size;
                }
            });
        } else if (cuts) {
            check(Operation.COMPAT_UNMAP_DMA, new IoasFacts() {
                @Override
                public boolean cutAligned() {
                    return ioas.canCut(iova, size);
                }

                @Override
                public long size() {
                    return Memory.PAGE; // looked at later
                }
            });
            ioas.cutBehind(iova + size - 1);
            if (iova != 0) {
                ioas.cutBehind(iova - 1);
            }
        }
        long before = ioas.areas().stream().mapToLong(area -> area.size).sum();
        try {
            ioas.unmap(Operation.COMPAT_UNMAP_DMA, iova, size, all);
        } finally { // what was unmapped is told even where the rest was refused
            long left = ioas.areas().stream().mapToLong(area -> area.size).sum();
            vfio_iommu_type1_dma_unmap.size(unmap.fields, before - left);
            unmap.write();
        }
        return 0;
    }
}
