package io.github.vfio4j.spi;

import io.github.vfio4j.Type1Info;

/** An open container file ({@code /dev/vfio/vfio}). */
public interface ContainerPort extends AutoCloseable {
    /**
     * {@code VFIO_GET_API_VERSION}.
     *
     * @return the version
     */
    int apiVersion();

    /**
     * {@code VFIO_CHECK_EXTENSION}.
     *
     * @param extension the extension's number
     * @return 0 for no, more for yes
     */
    int checkExtension(int extension);

    /**
     * {@code VFIO_SET_IOMMU}.
     *
     * @param type the IOMMU type's number
     */
    void setIommu(int type);

    /**
     * {@code VFIO_IOMMU_GET_INFO} of a type1 IOMMU.
     *
     * @return the limits
     */
    Type1Info iommuInfo();

    /**
     * Does the kernel find mappings again that end at the very top of the address space? Asked of a type1 IOMMU by a
     * {@code VFIO_IOMMU_MAP_DMA} that every kernel refuses.
     *
     * @return true since Linux 7
     */
    boolean keepsTopMappings();

    /**
     * {@code VFIO_IOMMU_MAP_DMA}.
     *
     * @param iova the device's address
     * @param address the program's address
     * @param size bytes
     * @param flags READ is bit 0, WRITE is bit 1
     */
    void mapDma(long iova, long address, long size, int flags);

    /**
     * {@code VFIO_IOMMU_MAP_DMA} with {@code VFIO_DMA_MAP_FLAG_VADDR}: gives a mapping that lost its address a new one.
     *
     * @param iova the device's address
     * @param address the program's address
     * @param size bytes
     */
    void giveAddress(long iova, long address, long size);

    /**
     * {@code VFIO_IOMMU_UNMAP_DMA}.
     *
     * @param iova the device's address
     * @param size bytes
     * @return how many bytes the kernel unmapped
     */
    long unmapDma(long iova, long size);

    /**
     * {@code VFIO_IOMMU_UNMAP_DMA} with {@code VFIO_DMA_UNMAP_FLAG_ALL}.
     *
     * @return how many bytes the kernel unmapped
     */
    long unmapAll();

    /**
     * {@code VFIO_IOMMU_UNMAP_DMA} with {@code VFIO_DMA_UNMAP_FLAG_VADDR}: takes the addresses of mappings.
     *
     * @param iova the device's address
     * @param size bytes
     * @return the bytes of the mappings
     */
    long takeAddresses(long iova, long size);

    /**
     * {@code VFIO_IOMMU_UNMAP_DMA} with {@code VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP}.
     *
     * @param iova the device's address
     * @param size bytes
     * @param pageSize bytes for each bit
     * @param bitmap where to put the bits; the kernel sees zeros first
     * @return how many bytes the kernel unmapped
     */
    long unmapDma(long iova, long size, long pageSize, long[] bitmap);

    /**
     * {@code VFIO_IOMMU_DIRTY_PAGES}, start or stop.
     *
     * @param on whether to start
     */
    void trackDirtyPages(boolean on);

    /**
     * {@code VFIO_IOMMU_DIRTY_PAGES} with {@code VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP}.
     *
     * @param iova the device's address
     * @param size bytes
     * @param pageSize bytes for each bit
     * @param bitmap where to put the bits; the kernel sees zeros first
     */
    void dirtyPages(long iova, long size, long pageSize, long[] bitmap);

    /**
     * Returns the ioctls that PowerPC alone has.
     *
     * @return them, whether the kernel has them or not
     */
    SpaprPort spapr();

    /** Closes the file once no call uses it any more. Does nothing when it is closed. */
    @Override
    void close();
}
