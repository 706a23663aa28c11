package io.github.vfio4j.spi;

import io.github.vfio4j.KvmSupport;
import io.github.vfio4j.PageSize;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;

/** One kernel as one process sees it: Linux, or a simulated one. */
public interface Kernel {
    /**
     * Names the kernel for people, such as {@code Linux 6.12.107}.
     *
     * @return the name
     */
    String name();

    /**
     * Returns the groups that this process has open on this kernel.
     *
     * @return the registry, always the same object
     */
    OpenGroups openGroups();

    /**
     * Returns the size of a page, the granule of memory for DMA.
     *
     * @return bytes
     */
    long pageSize();

    /**
     * Opens {@code /dev/vfio/vfio}.
     *
     * @return the container
     */
    ContainerPort openContainer();

    /**
     * Opens {@code /dev/iommu} to stand in for a container.
     *
     * @return what answers the calls of a container
     */
    ContainerPort openIommufdContainer();

    /**
     * Returns the device number of a node without opening it, so that aliases of a group can be told.
     *
     * @param path the node
     * @return major in the upper and minor in the lower 32 bits
     */
    long deviceNumber(String path);

    /**
     * Opens a group node.
     *
     * @param path the node, such as {@code /dev/vfio/26}
     * @return the group
     */
    GroupPort openGroup(String path);

    /**
     * Opens {@code /dev/iommu}.
     *
     * @return the iommufd
     */
    IommufdPort openIommufd();

    /**
     * Looks in sysfs for the node of a device's own.
     *
     * @param name the device: a PCI address, or the name of a mediated device
     * @return the node, such as {@code /dev/vfio/devices/vfio0}; empty if the device is not bound to a VFIO driver or
     *     the kernel makes no such nodes
     */
    Optional<String> deviceNode(String name);

    /**
     * Opens a device by its own node. Nothing can be done with it before it is bound to an iommufd.
     *
     * @param path the node
     * @return the device
     */
    DevicePort openDevice(String path);

    /**
     * Gets zeroed memory from the kernel that can be pinned: page-aligned and outside the Java heap and the C heap.
     *
     * @param bytes the size, a multiple of the page size
     * @param pages what it is made of
     * @param arena what the segment lives by; closing it does not give the memory back
     * @return the memory
     */
    MemorySegment allocate(long bytes, PageSize pages, Arena arena);

    /**
     * Makes a file that holds zeroed memory, all of it there ({@code memfd_create}, {@code fallocate}).
     *
     * @param bytes the size, a multiple of the pages'
     * @param pages what it is made of
     * @return the file
     */
    DmaFilePort createDmaFile(long bytes, PageSize pages);

    /**
     * Makes another segment of memory of {@link #allocate}.
     *
     * @param address the memory's address
     * @param bytes the size
     * @param arena what the segment lives by
     * @return the memory
     */
    MemorySegment view(long address, long bytes, Arena arena);

    /**
     * Gives memory of {@link #allocate} back. Its arena is closed by then.
     *
     * @param address the memory's address
     * @param bytes the size
     */
    void free(long address, long bytes);

    /**
     * Gives memory of {@link #allocate} back and puts memory without meaning in its place, in one step: a thread that
     * accesses it meanwhile meets the one or the other. The addresses stay in use until {@link #giveBack}.
     *
     * @param address the memory's address
     * @param bytes the size
     */
    void vacate(long address, long bytes);

    /**
     * Returns all memory of the process as one segment, which takes native access to make.
     *
     * @return from address 0 on; it never ends
     */
    MemorySegment memory();

    /**
     * Lets addresses be used again for anything. Nothing but memory without meaning is mapped there.
     *
     * @param address the first
     * @param bytes how many
     */
    void giveBack(long address, long bytes);

    /**
     * Makes an eventfd that counts from 0 and does not block.
     *
     * @return the eventfd
     */
    EventPort openEvent();

    /**
     * Makes an empty epoll file.
     *
     * @return the epoll file
     */
    WaitPort openWait();

    /**
     * Asks a KVM virtual machine that is made for this what it can do.
     *
     * @return what it can do
     */
    KvmSupport kvmSupport();

    /**
     * Asks a KVM virtual machine that the program made what it can do.
     *
     * @param vm the descriptor of the virtual machine, which stays the program's
     * @return what it can do
     */
    KvmSupport kvmSupport(int vm);

    /**
     * Makes a KVM virtual machine and its VFIO device.
     *
     * @return the VFIO device
     */
    KvmPort openKvm();

    /**
     * Makes the VFIO device of a virtual machine that the program made.
     *
     * @param vm the descriptor of the virtual machine, which stays the program's
     * @return the VFIO device
     */
    KvmPort adoptKvm(int vm);

    /**
     * Makes a Unix socket that other processes connect to.
     *
     * @param address a path, or {@code @} and a name of the abstract namespace
     * @return the socket
     */
    ListenPort listen(String address);

    /**
     * Connects to a Unix socket.
     *
     * @param address a path, or {@code @} and a name of the abstract namespace
     * @return the connection
     */
    HandoverPort connect(String address);

    /**
     * Lists the PCI functions in sysfs, ascending by address.
     *
     * @return the functions
     */
    List<PciDevice> pciDevices();

    /**
     * Reads one PCI function from sysfs.
     *
     * @param address the function
     * @return the function
     */
    PciDevice pciDevice(PciAddress address);

    /**
     * Is a node that of a group without an IOMMU, whatever its name? As sysfs says.
     *
     * @param deviceNumber the node's device number
     * @return true if so; false also if sysfs does not say
     */
    boolean isWithoutIommu(long deviceNumber);

    /**
     * Reads the group of a mediated device from sysfs.
     *
     * @param name the device
     * @return the group's number; empty if it has none
     */
    OptionalInt mediatedDeviceGroup(UUID name);

    /**
     * Lists the members of an IOMMU group by the names of their devices; PCI functions are named by their address.
     *
     * @param group the group
     * @return the names
     */
    List<String> groupMembers(int group);

    /**
     * Returns what makes and removes mediated devices.
     *
     * @return always the same object
     */
    MediatedPort mediated();

    /**
     * Returns what binds PCI functions to drivers.
     *
     * @return always the same object
     */
    BindingPort binding();
}
