package io.github.vfio4j.spi;

import io.github.vfio4j.Access;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.HwptFlag;
import io.github.vfio4j.IoasInfo;
import io.github.vfio4j.IommuHardware;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.SmmuCommand;
import io.github.vfio4j.ViommuType;
import io.github.vfio4j.VirtualEventType;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

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
     * {@code IOMMU_IOAS_MAP_FILE} of a whole file at a given IOVA.
     *
     * @param ioas the address space
     * @param iova the device's address
     * @param file the file
     * @param access what devices may do
     */
    void map(int ioas, long iova, DmaFilePort file, Access access);

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

    /**
     * {@code IOMMU_HWPT_ALLOC} without data of the hardware.
     *
     * @param device the number of a device that is bound
     * @param ioas the address space
     * @param flags what it shall be able to do
     * @param faults the fault queue of its devices, if they shall have one
     * @return the page table
     */
    int allocateHwpt(int device, int ioas, Set<HwptFlag> flags, OptionalInt faults);

    /**
     * {@code IOMMU_HWPT_ALLOC} with data of the hardware.
     *
     * @param device the number of a device that is bound
     * @param parent the page table to nest it in
     * @param table the guest's page table
     * @param faults the fault queue of its devices, if they shall have one
     * @return the nested page table
     */
    int allocateNested(int device, int parent, GuestPageTable table, OptionalInt faults);

    /**
     * {@code IOMMU_FAULT_QUEUE_ALLOC}.
     *
     * @return the queue
     */
    FaultQueuePort allocateFaultQueue();

    /**
     * A virtual IOMMU that was made.
     *
     * @param id its number
     * @param mapOffset where its page is to be mapped from
     * @param mapSize bytes of its page; 0 if it has none
     */
    record NewViommu(int id, long mapOffset, long mapSize) {}

    /**
     * {@code IOMMU_VIOMMU_ALLOC}.
     *
     * @param device the number of a device that is bound
     * @param parent the page table that it is to be made of
     * @param type its kind
     * @return the virtual IOMMU
     */
    NewViommu allocateViommu(int device, int parent, ViommuType type);

    /**
     * {@code IOMMU_VDEVICE_ALLOC}.
     *
     * @param viommu the virtual IOMMU
     * @param device the number of a device that is bound
     * @param virtualId its number in the guest
     * @return the virtual device
     */
    int allocateVirtualDevice(int viommu, int device, long virtualId);

    /**
     * {@code IOMMU_VEVENTQ_ALLOC}.
     *
     * @param viommu the virtual IOMMU
     * @param type the kind of events
     * @param depth how many events it holds at most
     * @return the queue
     */
    VirtualEventQueuePort allocateEventQueue(int viommu, VirtualEventType type, int depth);

    /**
     * {@code IOMMU_HW_QUEUE_ALLOC} of a queue of Tegra241.
     *
     * @param viommu the virtual IOMMU
     * @param index which queue
     * @param iova its first IOVA in the page table that the virtual IOMMU was made of
     * @param size bytes
     * @return the queue
     */
    int allocateHardwareQueue(int viommu, int index, long iova, long size);

    /**
     * {@code IOMMU_HWPT_INVALIDATE} of a virtual IOMMU of SMMUv3.
     *
     * @param viommu the virtual IOMMU
     * @param commands the commands
     * @return how many were done; fewer if the next one was refused, which is an error if it is the first
     */
    int invalidate(int viommu, List<SmmuCommand> commands);

    /**
     * Maps the page of a virtual IOMMU.
     *
     * @param offset where from
     * @param size bytes
     * @return the address
     */
    long map(long offset, long size);

    /**
     * {@code IOMMU_HWPT_INVALIDATE} of a nested page table of VT-d.
     *
     * @param hwpt the page table
     * @param address the guest's first address
     * @param pages how many pages of 4096 bytes
     * @param leavesOnly whether to forget entries of the last level alone
     */
    void invalidate(int hwpt, long address, long pages, boolean leavesOnly);

    /**
     * {@code IOMMU_HWPT_SET_DIRTY_TRACKING}.
     *
     * @param hwpt the page table
     * @param on whether to track
     */
    void trackDirtyPages(int hwpt, boolean on);

    /**
     * {@code IOMMU_HWPT_GET_DIRTY_BITMAP}.
     *
     * @param hwpt the page table
     * @param iova the device's address
     * @param size bytes
     * @param pageSize bytes for each bit
     * @param bitmap where to put the bits; the kernel sees zeros first
     * @param clear whether to start anew; otherwise the range is unmapped next
     */
    void dirtyPages(int hwpt, long iova, long size, long pageSize, long[] bitmap, boolean clear);

    /**
     * {@code IOMMU_GET_HW_INFO}.
     *
     * @param device the number of a device that is bound
     * @return what its IOMMU is
     */
    IommuHardware hardware(int device);

    /**
     * {@code IOMMU_GET_HW_INFO} with {@code IOMMU_HW_INFO_FLAG_INPUT_TYPE}.
     *
     * @param device the number of a device that is bound
     * @param type {@code IOMMU_HW_INFO_TYPE_...}
     * @return what its IOMMU is, as that type
     */
    IommuHardware hardware(int device, int type);

    /**
     * {@code IOMMU_OPTION}, to ask.
     *
     * @param option the option
     * @param object the address space, or 0
     * @return the value
     */
    long option(int option, int object);

    /**
     * {@code IOMMU_OPTION}, to choose.
     *
     * @param option the option
     * @param object the address space, or 0
     * @param value the value
     */
    void option(int option, int object, long value);

    /** {@code IOMMU_IOAS_CHANGE_PROCESS}. */
    void changeProcess();

    /**
     * {@code IOMMU_VFIO_IOAS}, to ask.
     *
     * @return the address space that the calls of a container use; empty if there is none
     */
    OptionalInt containerIoas();

    /**
     * {@code IOMMU_VFIO_IOAS}, to choose.
     *
     * @param ioas the address space that the calls of a container use
     */
    void containerIoas(int ioas);

    /** {@code IOMMU_VFIO_IOAS}, to have none. */
    void clearContainerIoas();

    /** Closes the file once no call uses it any more. Does nothing when it is closed. */
    @Override
    void close();
}
