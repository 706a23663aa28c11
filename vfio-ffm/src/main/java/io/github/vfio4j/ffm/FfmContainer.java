package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Type1Info;
import io.github.vfio4j.ffm.gen.vfio_bitmap;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dirty_bitmap;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dirty_bitmap_get;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dma_map;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dma_unmap;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.ContainerPort;
import io.github.vfio4j.spi.SpaprPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A container file and its ioctls. */
final class FfmContainer implements ContainerPort {
    final Fd fd;
    private final Operation map;
    private final Operation unmap;

    private FfmContainer(Fd fd, Operation map, Operation unmap) {
        this.fd = fd;
        this.map = map;
        this.unmap = unmap;
    }

    static FfmContainer of(Fd fd) {
        return new FfmContainer(fd, Operation.IOMMU_MAP_DMA, Operation.IOMMU_UNMAP_DMA);
    }

    /** An iommufd that stands in for a container. */
    static FfmContainer ofIommufd(Fd fd) {
        return new FfmContainer(fd, Operation.COMPAT_MAP_DMA, Operation.COMPAT_UNMAP_DMA);
    }

    @Override
    public int apiVersion() {
        return fd.ioctl(Operation.GET_API_VERSION, VFIO_GET_API_VERSION(), 0);
    }

    @Override
    public int checkExtension(int extension) {
        return fd.ioctl(Operation.CHECK_EXTENSION, VFIO_CHECK_EXTENSION(), extension);
    }

    @Override
    public void setIommu(int type) {
        fd.ioctl(Operation.SET_IOMMU, VFIO_SET_IOMMU(), type);
    }

    @Override
    public Type1Info iommuInfo() {
        return Info.ask(
                fd, Operation.IOMMU_GET_INFO, VFIO_IOMMU_GET_INFO(), _ -> {}, Type1InfoDecoder::decode);
    }

    @Override
    public boolean keepsTopMappings() {
        // The range wraps and nothing may be done with it: no kernel maps that. Linux 7 tests for the wrap first, and with
        // the same change finds mappings at the top.
        Frame frame = fd.begin(map);
        try {
            encodeMap(frame.arg, -4096, 0, 8192, 0);
            return fd.syscalls.ioctl(frame, fd.number, VFIO_IOMMU_MAP_DMA(), frame.arg) == -Errno.EOVERFLOW.number();
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void mapDma(long iova, long address, long size, int flags) {
        Frame frame = fd.begin(map);
        try {
            encodeMap(frame.arg, iova, address, size, flags);
            fd.ioctl(map, frame, VFIO_IOMMU_MAP_DMA());
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void giveAddress(long iova, long address, long size) {
        mapDma(iova, address, size, VFIO_DMA_MAP_FLAG_VADDR());
    }

    private static void encodeMap(MemorySegment map, long iova, long address, long size, int flags) {
        vfio_iommu_type1_dma_map.argsz(map, (int) vfio_iommu_type1_dma_map.sizeof());
        vfio_iommu_type1_dma_map.flags(map, flags);
        vfio_iommu_type1_dma_map.vaddr(map, address);
        vfio_iommu_type1_dma_map.iova(map, iova);
        vfio_iommu_type1_dma_map.size(map, size);
    }

    @Override
    public long unmapDma(long iova, long size) {
        return unmap(iova, size, 0);
    }

    @Override
    public long unmapAll() {
        return unmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL());
    }

    @Override
    public long takeAddresses(long iova, long size) {
        return unmap(iova, size, VFIO_DMA_UNMAP_FLAG_VADDR());
    }

    private long unmap(long iova, long size, int flags) {
        Frame frame = fd.begin(unmap);
        try {
            encodeUnmap(frame.arg, vfio_iommu_type1_dma_unmap.sizeof(), iova, size, flags);
            fd.ioctl(unmap, frame, VFIO_IOMMU_UNMAP_DMA());
            return vfio_iommu_type1_dma_unmap.size(frame.arg); // the kernel says how much it unmapped
        } finally {
            fd.end(frame);
        }
    }

    private static void encodeUnmap(MemorySegment unmap, long bytes, long iova, long size, int flags) {
        vfio_iommu_type1_dma_unmap.argsz(unmap, (int) bytes);
        vfio_iommu_type1_dma_unmap.flags(unmap, flags);
        vfio_iommu_type1_dma_unmap.iova(unmap, iova);
        vfio_iommu_type1_dma_unmap.size(unmap, size);
    }

    // ---- dirty pages

    @Override
    public long unmapDma(long iova, long size, long pageSize, long[] bitmap) {
        long struct = vfio_iommu_type1_dma_unmap.data$offset();
        return withBitmap(Operation.IOMMU_UNMAP_DMA, struct + vfio_bitmap.sizeof(), bitmap, (frame, argument) -> {
            int flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP();
            encodeUnmap(argument, struct + vfio_bitmap.sizeof(), iova, size, flags);
            encodeBitmap(argument.asSlice(struct), argument, struct + vfio_bitmap.sizeof(), pageSize, bitmap);
            fd.check(
                    Operation.IOMMU_UNMAP_DMA,
                    fd.syscalls.ioctl(frame, fd.number, VFIO_IOMMU_UNMAP_DMA(), argument));
            return vfio_iommu_type1_dma_unmap.size(argument);
        });
    }

    @Override
    public void trackDirtyPages(boolean on) {
        Frame frame = fd.begin(Operation.IOMMU_DIRTY_PAGES);
        try {
            int flags = on ? VFIO_IOMMU_DIRTY_PAGES_FLAG_START() : VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP();
            vfio_iommu_type1_dirty_bitmap.argsz(frame.arg, (int) vfio_iommu_type1_dirty_bitmap.sizeof());
            vfio_iommu_type1_dirty_bitmap.flags(frame.arg, flags);
            fd.ioctl(Operation.IOMMU_DIRTY_PAGES, frame, VFIO_IOMMU_DIRTY_PAGES());
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void dirtyPages(long iova, long size, long pageSize, long[] bitmap) {
        long struct = vfio_iommu_type1_dirty_bitmap.data$offset();
        long whole = struct + vfio_iommu_type1_dirty_bitmap_get.sizeof();
        withBitmap(Operation.IOMMU_DIRTY_PAGES, whole, bitmap, (frame, argument) -> {
            vfio_iommu_type1_dirty_bitmap.argsz(argument, (int) whole);
            vfio_iommu_type1_dirty_bitmap.flags(argument, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP());
            MemorySegment get = argument.asSlice(struct);
            vfio_iommu_type1_dirty_bitmap_get.iova(get, iova);
            vfio_iommu_type1_dirty_bitmap_get.size(get, size);
            encodeBitmap(vfio_iommu_type1_dirty_bitmap_get.bitmap(get), argument, whole, pageSize, bitmap);
            return fd.check(
                    Operation.IOMMU_DIRTY_PAGES,
                    fd.syscalls.ioctl(frame, fd.number, VFIO_IOMMU_DIRTY_PAGES(), argument));
        });
    }

    private interface BitmapCall {
        long call(Frame frame, MemorySegment argument);
    }

    /** Makes a call whose argument has a zeroed bitmap behind the struct, and copies the bitmap out. */
    private long withBitmap(Operation operation, long struct, long[] bitmap, BitmapCall call) {
        Frame frame = fd.begin(operation);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(struct + (long) bitmap.length * Long.BYTES, Long.BYTES);
            long result = call.call(frame, argument);
            MemorySegment.copy(argument, ValueLayout.JAVA_LONG, struct, bitmap, 0, bitmap.length);
            return result;
        } finally {
            fd.end(frame);
        }
    }

    private static void encodeBitmap(
            MemorySegment struct, MemorySegment argument, long offset, long pageSize, long[] bitmap) {
        vfio_bitmap.pgsize(struct, pageSize);
        vfio_bitmap.size(struct, (long) bitmap.length * Long.BYTES);
        vfio_bitmap.data(struct, argument.asSlice(offset));
    }

    @Override
    public SpaprPort spapr() {
        return new FfmSpapr(fd);
    }

    @Override
    public void close() {
        fd.close();
    }
}
