package io.github.vfio4j.spi;

import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.IrqInfo;
import io.github.vfio4j.RegionInfo;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.UUID;

/** An open device file. */
public interface DevicePort extends AutoCloseable {
    /**
     * {@code VFIO_DEVICE_BIND_IOMMUFD} of a file of the device's own node.
     *
     * @param iommufd an iommufd of the same kernel
     * @param vfToken the token of the physical function; null for none
     * @return the device's number there
     */
    int bind(IommufdPort iommufd, UUID vfToken);

    /**
     * {@code VFIO_DEVICE_ATTACH_IOMMUFD_PT} of a device that is bound.
     *
     * @param pageTable the number of an address space or page table
     */
    void attach(int pageTable);

    /** {@code VFIO_DEVICE_DETACH_IOMMUFD_PT} of a device that is bound. */
    void detach();

    /**
     * {@code VFIO_DEVICE_ATTACH_IOMMUFD_PT} with {@code VFIO_DEVICE_ATTACH_PASID}.
     *
     * @param pasid the PASID
     * @param pageTable the number of a page table
     */
    void attachPasid(int pasid, int pageTable);

    /**
     * {@code VFIO_DEVICE_DETACH_IOMMUFD_PT} with {@code VFIO_DEVICE_DETACH_PASID}.
     *
     * @param pasid the PASID
     */
    void detachPasid(int pasid);

    /**
     * {@code VFIO_DEVICE_GET_INFO}.
     *
     * @return what the device has
     */
    DeviceInfo info();

    /**
     * {@code VFIO_DEVICE_GET_REGION_INFO}.
     *
     * @param index the region
     * @return the region
     */
    RegionInfo regionInfo(int index);

    /**
     * {@code VFIO_DEVICE_GET_IRQ_INFO}.
     *
     * @param index the interrupt index
     * @return the interrupt index
     */
    IrqInfo irqInfo(int index);

    /**
     * {@code VFIO_DEVICE_SET_IRQS} with {@code VFIO_IRQ_SET_DATA_NONE}. TRIGGER with a count of 0 disables the index.
     *
     * @param index the interrupt index
     * @param action what to do
     * @param start the first interrupt
     * @param count how many
     */
    void setIrqs(int index, IrqAction action, int start, int count);

    /**
     * {@code VFIO_DEVICE_SET_IRQS} with {@code VFIO_IRQ_SET_DATA_BOOL}.
     *
     * @param index the interrupt index
     * @param action what to do
     * @param start the first interrupt
     * @param chosen for each interrupt from there on, whether to do it
     */
    void setIrqs(int index, IrqAction action, int start, boolean[] chosen);

    /**
     * {@code VFIO_DEVICE_SET_IRQS} with {@code VFIO_IRQ_SET_DATA_EVENTFD}.
     *
     * @param index the interrupt index
     * @param action what to do
     * @param start the first interrupt
     * @param events the event of each interrupt from there on; null for none
     * @return 0, or a positive number if nothing was done because only so many interrupts are available
     */
    int setIrqs(int index, IrqAction action, int start, EventPort[] events);

    /** {@code VFIO_DEVICE_RESET}. */
    void reset();

    /**
     * {@code VFIO_DEVICE_GET_PCI_HOT_RESET_INFO}.
     *
     * @return what a hot reset resets
     */
    HotResetInfo hotResetInfo();

    /**
     * {@code VFIO_DEVICE_PCI_HOT_RESET}.
     *
     * @param groups groups of the same kernel
     */
    void hotReset(List<GroupPort> groups);

    /**
     * {@code VFIO_DEVICE_IOEVENTFD}.
     *
     * @param offset of the register in the device file
     * @param width of the register: 1, 2, 4 or 8 bytes
     * @param value what to write
     * @param event when; null takes away what was set
     */
    void ioEventFd(long offset, int width, long value, EventPort event);

    /**
     * Returns {@code VFIO_DEVICE_FEATURE}.
     *
     * @return the features of the device
     */
    FeaturePort features();

    /**
     * Returns the ioctls about the device's screen.
     *
     * @return the screen, whether there is one or not
     */
    GraphicsPort graphics();

    /**
     * pread of the device file.
     *
     * @param offset where in the file
     * @param target native memory to fill
     * @return how many bytes were read, which may be fewer
     */
    long read(long offset, MemorySegment target);

    /**
     * pwrite of the device file.
     *
     * @param offset where in the file
     * @param source native memory to write
     * @return how many bytes were written, which may be fewer
     */
    long write(long offset, MemorySegment source);

    /**
     * Maps a part of the device file, shared.
     *
     * @param offset where in the file
     * @param size bytes
     * @param writable whether it may be written as well as read
     * @return the mapping's address
     */
    long map(long offset, long size, boolean writable);

    /**
     * Puts memory without meaning in the place of what {@link #map} mapped, in one step: a thread that accesses it
     * meanwhile meets the one or the other. The addresses stay in use until {@link Kernel#giveBack}.
     *
     * @param address the mapping's address
     * @param size bytes
     */
    void unmap(long address, long size);

    /** Closes the file once no call uses it any more. Does nothing when it is closed. */
    @Override
    void close();
}
