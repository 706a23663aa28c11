package io.github.vfio4j.spi;

import io.github.vfio4j.EehError;
import io.github.vfio4j.PeState;
import io.github.vfio4j.SpaprInfo;

/** The ioctls of a container that PowerPC alone has. Memory is mapped and unmapped as with type1. */
public interface SpaprPort {
    /**
     * {@code VFIO_IOMMU_SPAPR_TCE_GET_INFO}.
     *
     * @return the windows
     */
    SpaprInfo info();

    /** {@code VFIO_IOMMU_ENABLE}. */
    void enable();

    /** {@code VFIO_IOMMU_DISABLE}. */
    void disable();

    /**
     * {@code VFIO_IOMMU_SPAPR_REGISTER_MEMORY}.
     *
     * @param address the program's address
     * @param size bytes
     */
    void registerMemory(long address, long size);

    /**
     * {@code VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY}.
     *
     * @param address the program's address
     * @param size bytes
     */
    void unregisterMemory(long address, long size);

    /**
     * {@code VFIO_IOMMU_SPAPR_TCE_CREATE}.
     *
     * @param pageShift the size of a page, as a power of two
     * @param size bytes
     * @param levels of the table
     * @return the first IOVA
     */
    long createWindow(int pageShift, long size, int levels);

    /**
     * {@code VFIO_IOMMU_SPAPR_TCE_REMOVE}.
     *
     * @param start the first IOVA
     */
    void removeWindow(long start);

    /**
     * {@code VFIO_EEH_PE_OP}.
     *
     * @param step what to do
     */
    void eeh(EehStep step);

    /**
     * {@code VFIO_EEH_PE_OP} with {@code VFIO_EEH_PE_GET_STATE}.
     *
     * @return the state
     */
    PeState peState();

    /**
     * {@code VFIO_EEH_PE_OP} with {@code VFIO_EEH_PE_INJECT_ERR}.
     *
     * @param error the error
     */
    void inject(EehError error);
}
