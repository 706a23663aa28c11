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
     * {@code VFIO_IOMMU_MAP_DMA}.
     *
     * @param iova the device's address
     * @param address the program's address
     * @param size bytes
     * @param flags READ is bit 0, WRITE is bit 1
     */
    void mapDma(long iova, long address, long size, int flags);

    /**
     * {@code VFIO_IOMMU_UNMAP_DMA}.
     *
     * @param iova the device's address
     * @param size bytes
     * @return how many bytes the kernel unmapped
     */
    long unmapDma(long iova, long size);

    /** Closes the file once no call uses it any more. Does nothing when it is closed. */
    @Override
    void close();
}
