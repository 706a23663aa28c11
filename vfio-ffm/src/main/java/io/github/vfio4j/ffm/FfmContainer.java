package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_CHECK_EXTENSION;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GET_API_VERSION;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IOMMU_GET_INFO;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IOMMU_MAP_DMA;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IOMMU_UNMAP_DMA;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_SET_IOMMU;

import io.github.vfio4j.Operation;
import io.github.vfio4j.Type1Info;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dma_map;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dma_unmap;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.ContainerPort;
import java.lang.foreign.MemorySegment;

/** A container file and its ioctls. */
final class FfmContainer implements ContainerPort {
    final Fd fd;

    FfmContainer(Fd fd) {
        this.fd = fd;
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
    public void mapDma(long iova, long address, long size, int flags) {
        Frame frame = fd.begin(Operation.IOMMU_MAP_DMA);
        try {
            MemorySegment map = frame.arg;
            vfio_iommu_type1_dma_map.argsz(map, (int) vfio_iommu_type1_dma_map.sizeof());
            vfio_iommu_type1_dma_map.flags(map, flags);
            vfio_iommu_type1_dma_map.vaddr(map, address);
            vfio_iommu_type1_dma_map.iova(map, iova);
            vfio_iommu_type1_dma_map.size(map, size);
            fd.ioctl(Operation.IOMMU_MAP_DMA, frame, VFIO_IOMMU_MAP_DMA());
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long unmapDma(long iova, long size) {
        Frame frame = fd.begin(Operation.IOMMU_UNMAP_DMA);
        try {
            MemorySegment unmap = frame.arg;
            vfio_iommu_type1_dma_unmap.argsz(unmap, (int) vfio_iommu_type1_dma_unmap.sizeof());
            vfio_iommu_type1_dma_unmap.flags(unmap, 0);
            vfio_iommu_type1_dma_unmap.iova(unmap, iova);
            vfio_iommu_type1_dma_unmap.size(unmap, size);
            fd.ioctl(Operation.IOMMU_UNMAP_DMA, frame, VFIO_IOMMU_UNMAP_DMA());
            return vfio_iommu_type1_dma_unmap.size(unmap); // the kernel says how much it unmapped
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
