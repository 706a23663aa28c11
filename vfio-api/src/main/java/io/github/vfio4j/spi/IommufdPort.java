package io.github.vfio4j.spi;

import io.github.vfio4j.Access;
import io.github.vfio4j.IoasInfo;
import io.github.vfio4j.IovaRange;
import java.util.List;

/** An open iommufd ({@code /dev/iommu}). Its objects have numbers. */
public interface IommufdPort extends AutoCloseable {
    /**
     * {@code IOMMU_IOAS_ALLOC}.
     *
     * @return the address space
     */
    int allocateIoas();

    /**
     * {@code IOMMU_DESTROY}.
     *
     * @param object an address space or page table
     */
    void destroy(int object);

    /**
     * {@code IOMMU_IOAS_IOVA_RANGES}.
     *
     * @param ioas the address space
     * @return what can be mapped there
     */
    IoasInfo info(int ioas);

    /**
     * {@code IOMMU_IOAS_ALLOW_IOVAS}.
     *
     * @param ioas the address space
     * @param ranges what devices that are attached later must leave
     */
    void allow(int ioas, List<IovaRange> ranges);

    /**
     * {@code IOMMU_IOAS_MAP} at a given IOVA.
     *
     * @param ioas the address space
     * @param iova the device's address
     * @param address the program's address
     * @param size bytes
     * @param access what devices may do
     */
    void map(int ioas, long iova, long address, long size, Access access);

    /**
     * {@code IOMMU_IOAS_COPY} to a given IOVA.
     *
     * @param source the address space where it is mapped
     * @param sourceIova its IOVA there
     * @param ioas the address space to map it in
     * @param iova its IOVA here
     * @param size bytes
     * @param access what devices may do here
     */
    void copy(int source, long sourceIova, int ioas, long iova, long size, Access access);

    /**
     * {@code IOMMU_IOAS_UNMAP}.
     *
     * @param ioas the address space
     * @param iova the device's address
     * @param size bytes; with IOVA 0 the largest number is everything
     * @return how many bytes the kernel unmapped
     */
    long unmap(int ioas, long iova, long size);

    /** Closes the file once no call uses it any more. Does nothing when it is closed. */
    @Override
    void close();
}
