package io.github.vfio4j;

/** One kernel operation of the library, named as the kernel names it. Exceptions and {@linkplain Rule rules} carry it. */
public enum Operation {
    /** Opening a container, {@code /dev/vfio/vfio}. */
    OPEN_CONTAINER("open of the VFIO container node"),
    /** Asking for the API version. */
    GET_API_VERSION("VFIO_GET_API_VERSION"),
    /** Asking what a container can do. */
    CHECK_EXTENSION("VFIO_CHECK_EXTENSION"),
    /** Giving a container its IOMMU. */
    SET_IOMMU("VFIO_SET_IOMMU"),
    /** Opening a group node. */
    OPEN_GROUP("open of the VFIO group node"),
    /** Asking for a group's state. */
    GROUP_GET_STATUS("VFIO_GROUP_GET_STATUS"),
    /** Putting a group into a container. */
    GROUP_SET_CONTAINER("VFIO_GROUP_SET_CONTAINER"),
    /** Taking a group out of its container. */
    GROUP_UNSET_CONTAINER("VFIO_GROUP_UNSET_CONTAINER"),
    /** Opening a device of a group. */
    GROUP_GET_DEVICE_FD("VFIO_GROUP_GET_DEVICE_FD"),
    /** Opening a device by its own node, {@code /dev/vfio/devices/vfioN}. */
    OPEN_DEVICE("open of the VFIO device node"),
    /** Binding a device that was opened so to an iommufd. */
    DEVICE_BIND_IOMMUFD("VFIO_DEVICE_BIND_IOMMUFD"),
    /** Giving a device an address space of its iommufd. */
    DEVICE_ATTACH_IOMMUFD_PT("VFIO_DEVICE_ATTACH_IOMMUFD_PT"),
    /** Taking the address space from a device. */
    DEVICE_DETACH_IOMMUFD_PT("VFIO_DEVICE_DETACH_IOMMUFD_PT"),
    /** Letting a PASID of a device reach what is mapped. */
    DEVICE_ATTACH_PASID("VFIO_DEVICE_ATTACH_IOMMUFD_PT with a PASID"),
    /** Taking that away. */
    DEVICE_DETACH_PASID("VFIO_DEVICE_DETACH_IOMMUFD_PT with a PASID"),
    /** Asking what a device has. */
    DEVICE_GET_INFO("VFIO_DEVICE_GET_INFO"),
    /** Asking for one region of a device. */
    DEVICE_GET_REGION_INFO("VFIO_DEVICE_GET_REGION_INFO"),
    /** Asking for one interrupt index of a device. */
    DEVICE_GET_IRQ_INFO("VFIO_DEVICE_GET_IRQ_INFO"),
    /** Enabling, disabling, masking and triggering interrupts of a device. */
    DEVICE_SET_IRQS("VFIO_DEVICE_SET_IRQS"),
    /** Resetting a device. */
    DEVICE_RESET("VFIO_DEVICE_RESET"),
    /** Asking which devices a reset of the slot or bus resets. */
    GET_PCI_HOT_RESET_INFO("VFIO_DEVICE_GET_PCI_HOT_RESET_INFO"),
    /** Resetting the slot or bus of a device. */
    PCI_HOT_RESET("VFIO_DEVICE_PCI_HOT_RESET"),
    /** Asking what a graphics device shows. */
    QUERY_GFX_PLANE("VFIO_DEVICE_QUERY_GFX_PLANE"),
    /** Opening a picture that it shows. */
    GET_GFX_DMABUF("VFIO_DEVICE_GET_GFX_DMABUF"),
    /** Having the kernel write a register when an eventfd is signalled. */
    IOEVENTFD("VFIO_DEVICE_IOEVENTFD"),
    /** Asking whether a device has a feature. */
    DEVICE_FEATURE("VFIO_DEVICE_FEATURE"),
    /** Setting the token of a device's virtual functions. */
    PCI_VF_TOKEN("VFIO_DEVICE_FEATURE_PCI_VF_TOKEN"),
    /** Letting a device go into low power. */
    LOW_POWER_ENTRY("VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY"),
    /** Taking a device out of low power. */
    LOW_POWER_EXIT("VFIO_DEVICE_FEATURE_LOW_POWER_EXIT"),
    /** Asking whether a device can be moved to another machine. */
    MIGRATION("VFIO_DEVICE_FEATURE_MIGRATION"),
    /** Asking for or changing the state of a device in a move. */
    MIG_DEVICE_STATE("VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE"),
    /** Asking how much of a device there is to move. */
    MIG_DATA_SIZE("VFIO_DEVICE_FEATURE_MIG_DATA_SIZE"),
    /** Asking to be told when estimates begin anew. */
    MIG_PRECOPY_INFO_V2("VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2"),
    /** Asking for an estimate of what is left to move. */
    MIG_GET_PRECOPY_INFO("VFIO_MIG_GET_PRECOPY_INFO"),
    /** Reading the state of a device. */
    MIG_DATA_READ("read of a VFIO migration data file"),
    /** Writing the state of a device. */
    MIG_DATA_WRITE("write of a VFIO migration data file"),
    /** Having a device log the memory that it writes. */
    DMA_LOGGING_START("VFIO_DEVICE_FEATURE_DMA_LOGGING_START"),
    /** Ending such a log. */
    DMA_LOGGING_STOP("VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP"),
    /** Reading such a log. */
    DMA_LOGGING_REPORT("VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT"),
    /** Changing whether a device may access memory. */
    BUS_MASTER("VFIO_DEVICE_FEATURE_BUS_MASTER"),
    /** Sharing parts of a BAR. */
    DMA_BUF("VFIO_DEVICE_FEATURE_DMA_BUF"),
    /** Reading a device region. */
    REGION_READ("pread of a VFIO device region"),
    /** Writing a device region. */
    REGION_WRITE("pwrite of a VFIO device region"),
    /** Mapping a device region into the program. */
    REGION_MAP("mmap of a VFIO device region"),
    /** Unmapping a device region from the program. */
    REGION_UNMAP("mmap over a VFIO device region"),
    /** Making the counter that an interrupt raises. */
    EVENTFD_CREATE("eventfd"),
    /** Taking what it counted. */
    EVENTFD_READ("read of an eventfd"),
    /** Counting by hand. */
    EVENTFD_WRITE("write of an eventfd"),
    /** Making what waits for several interrupts. */
    EPOLL_CREATE("epoll_create1"),
    /** Changing which interrupts it waits for. */
    EPOLL_CTL("epoll_ctl"),
    /** Waiting for interrupts. */
    EPOLL_WAIT("epoll_wait"),
    /** Asking for the limits of a type1 IOMMU. */
    IOMMU_GET_INFO("VFIO_IOMMU_GET_INFO"),
    /** Giving devices access to memory. */
    IOMMU_MAP_DMA("VFIO_IOMMU_MAP_DMA"),
    /** Taking that access away. */
    IOMMU_UNMAP_DMA("VFIO_IOMMU_UNMAP_DMA"),
    /** Tracking which pages devices wrote. */
    IOMMU_DIRTY_PAGES("VFIO_IOMMU_DIRTY_PAGES"),
    /** Asking for the windows of PowerPC's IOMMU. */
    SPAPR_GET_INFO("VFIO_IOMMU_SPAPR_TCE_GET_INFO"),
    /** Letting memory be mapped in its first version. */
    SPAPR_ENABLE("VFIO_IOMMU_ENABLE"),
    /** Ending that. */
    SPAPR_DISABLE("VFIO_IOMMU_DISABLE"),
    /** Registering memory that is to be mapped in its second version. */
    SPAPR_REGISTER_MEMORY("VFIO_IOMMU_SPAPR_REGISTER_MEMORY"),
    /** Ending that. */
    SPAPR_UNREGISTER_MEMORY("VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY"),
    /** Making a window of it. */
    SPAPR_CREATE_WINDOW("VFIO_IOMMU_SPAPR_TCE_CREATE"),
    /** Removing a window of it. */
    SPAPR_REMOVE_WINDOW("VFIO_IOMMU_SPAPR_TCE_REMOVE"),
    /** Handling errors of a partitionable endpoint of PowerPC. */
    EEH_PE_OP("VFIO_EEH_PE_OP"),
    /** Opening an iommufd, {@code /dev/iommu}. */
    OPEN_IOMMUFD("open of the iommufd node"),
    /** Destroying an object of an iommufd. */
    IOMMU_DESTROY("IOMMU_DESTROY"),
    /** Making an address space for devices. */
    IOAS_ALLOC("IOMMU_IOAS_ALLOC"),
    /** Saying which IOVAs the kernel may choose, and devices that are attached later must leave. */
    IOAS_ALLOW_IOVAS("IOMMU_IOAS_ALLOW_IOVAS"),
    /** Asking which IOVAs can be mapped in an address space. */
    IOAS_IOVA_RANGES("IOMMU_IOAS_IOVA_RANGES"),
    /** Giving the devices of an address space access to memory. */
    IOAS_MAP("IOMMU_IOAS_MAP"),
    /** Mapping once more what is mapped. */
    IOAS_COPY("IOMMU_IOAS_COPY"),
    /** Giving the devices of an address space access to the memory of a file. */
    IOAS_MAP_FILE("IOMMU_IOAS_MAP_FILE"),
    /** Making this process the one that has the mappings by file. */
    IOAS_CHANGE_PROCESS("IOMMU_IOAS_CHANGE_PROCESS"),
    /** Taking that access away. */
    IOAS_UNMAP("IOMMU_IOAS_UNMAP"),
    /** Choosing or asking for an option of an iommufd. */
    IOMMU_OPTION("IOMMU_OPTION"),
    /** Choosing or asking for the address space of an iommufd that stands in for a container. */
    IOMMU_VFIO_IOAS("IOMMU_VFIO_IOAS"),
    /** Making a page table of an address space. */
    HWPT_ALLOC("IOMMU_HWPT_ALLOC"),
    /** Having an IOMMU forget what it remembers of a guest's page table. */
    HWPT_INVALIDATE("IOMMU_HWPT_INVALIDATE"),
    /** Making a queue for page faults of devices. */
    FAULT_QUEUE_ALLOC("IOMMU_FAULT_QUEUE_ALLOC"),
    /** Taking page faults. */
    FAULT_QUEUE_READ("read of a fault queue"),
    /** Answering page faults. */
    FAULT_QUEUE_WRITE("write of a fault queue"),
    /** Making a virtual IOMMU. */
    VIOMMU_ALLOC("IOMMU_VIOMMU_ALLOC"),
    /** Mapping its page of registers. */
    VIOMMU_MAP("mmap of an iommufd"),
    /** Telling by which number a guest knows a device. */
    VDEVICE_ALLOC("IOMMU_VDEVICE_ALLOC"),
    /** Making a queue for events of a virtual IOMMU. */
    VEVENTQ_ALLOC("IOMMU_VEVENTQ_ALLOC"),
    /** Taking such events. */
    VEVENTQ_READ("read of a virtual event queue"),
    /** Giving an IOMMU a queue of a guest's commands. */
    HW_QUEUE_ALLOC("IOMMU_HW_QUEUE_ALLOC"),
    /** Asking what the IOMMU of a device can do. */
    GET_HW_INFO("IOMMU_GET_HW_INFO"),
    /** Tracking which pages the devices of a page table write. */
    HWPT_SET_DIRTY_TRACKING("IOMMU_HWPT_SET_DIRTY_TRACKING"),
    /** Asking which pages they wrote. */
    HWPT_GET_DIRTY_BITMAP("IOMMU_HWPT_GET_DIRTY_BITMAP"),
    /** Asking what an iommufd that stands in for a container can do. */
    COMPAT_CHECK_EXTENSION("VFIO_CHECK_EXTENSION of an iommufd"),
    /** Giving such an iommufd its IOMMU. */
    COMPAT_SET_IOMMU("VFIO_SET_IOMMU of an iommufd"),
    /** Asking for its limits. */
    COMPAT_GET_INFO("VFIO_IOMMU_GET_INFO of an iommufd"),
    /** Mapping with it. */
    COMPAT_MAP_DMA("VFIO_IOMMU_MAP_DMA of an iommufd"),
    /** Unmapping with it. */
    COMPAT_UNMAP_DMA("VFIO_IOMMU_UNMAP_DMA of an iommufd"),
    /** Getting memory for DMA. */
    MEMORY_ALLOCATE("mmap of memory for DMA"),
    /** Giving memory for DMA back. */
    MEMORY_FREE("munmap of memory for DMA"),
    /** Making a file that holds memory for DMA. */
    MEMFD_CREATE("memfd_create"),
    /** Getting the memory of such a file. */
    MEMFD_ALLOCATE("fallocate of a memfd"),
    /** Keeping such a file from changing its size. */
    MEMFD_SEAL("F_ADD_SEALS of a memfd"),
    /** Reading the device tree in sysfs. */
    SYSFS_READ("read of sysfs"),
    /** Noting how a device's driver was, and reading such notes. */
    BINDING_NOTE("note of a binding"),
    /** Saying which driver alone may take a device. */
    DRIVER_OVERRIDE("write of driver_override"),
    /** Binding a device to a driver. */
    DRIVER_BIND("write of a driver's bind"),
    /** Unbinding a device from its driver. */
    DRIVER_UNBIND("write of a driver's unbind"),
    /** Letting the kernel find a driver for a device. */
    DRIVERS_PROBE("write of drivers_probe"),
    /** Making and removing the virtual functions of a physical one. */
    SRIOV_NUMVFS("write of sriov_numvfs"),
    /** Making a mediated device. */
    MDEV_CREATE("write of a mediated type's create"),
    /** Removing a mediated device. */
    MDEV_REMOVE("write of a mediated device's remove"),
    /** Letting somebody outside use a group: KVM or another process. Named after the kernel's function of 2013 to 2021. */
    GET_EXTERNAL_USER("vfio_group_get_external_user"),
    /** Opening KVM, {@code /dev/kvm}. */
    OPEN_KVM("open of the KVM node"),
    /** Asking which API KVM speaks. */
    KVM_GET_API_VERSION("KVM_GET_API_VERSION"),
    /** Asking what a virtual machine can do. */
    KVM_CHECK_EXTENSION("KVM_CHECK_EXTENSION"),
    /** Making a virtual machine. */
    KVM_CREATE_VM("KVM_CREATE_VM"),
    /** Making the device of a virtual machine that VFIO files are given to. */
    KVM_CREATE_DEVICE("KVM_CREATE_DEVICE"),
    /** Giving KVM a group or a device. */
    KVM_FILE_ADD("KVM_DEV_VFIO_FILE_ADD"),
    /** Taking a group or a device from KVM. */
    KVM_FILE_DEL("KVM_DEV_VFIO_FILE_DEL"),
    /** Asking what KVM can be given. */
    KVM_HAS_ATTRIBUTE("KVM_HAS_DEVICE_ATTR"),
    /** Giving a group of KVM's a table of PowerPC's IOMMU. */
    KVM_SET_SPAPR_TCE("KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE"),
    /** Waiting for processes that connect, to hand files over. */
    HANDOVER_LISTEN("bind and listen of a Unix socket"),
    /** Taking such a connection. */
    HANDOVER_ACCEPT("accept of a Unix socket"),
    /** Connecting to such a process. */
    HANDOVER_CONNECT("connect of a Unix socket"),
    /** Handing a group or a device over. */
    HANDOVER_SEND("sendmsg with SCM_RIGHTS"),
    /** Getting a group or a device. */
    HANDOVER_RECEIVE("recvmsg with SCM_RIGHTS");

    private final String kernelName;

    Operation(String kernelName) {
        this.kernelName = kernelName;
    }

    /**
     * Returns the kernel's name of the operation: the ioctl's constant, or the system call and what it acts on.
     *
     * @return the name, such as {@code VFIO_SET_IOMMU}
     */
    public String kernelName() {
        return kernelName;
    }
}
