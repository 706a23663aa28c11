package io.github.vfio4j;

/** The way on which a device was opened. What a driver does with the device is the same on each. */
public enum OpenedBy {
    /** Through its group and a container ({@code VFIO_GROUP_GET_DEVICE_FD}); its address space is a {@link Type1}. */
    GROUP,
    /**
     * By its own node and an iommufd ({@code /dev/vfio/devices/vfioN}, {@code VFIO_DEVICE_BIND_IOMMUFD}); its address
     * space is an {@link Ioas}. Linux 6.6 and newer, if the kernel was built so.
     */
    CDEV,
    /** By another process, which handed the device or its group over and has the address space. */
    PEER
}
