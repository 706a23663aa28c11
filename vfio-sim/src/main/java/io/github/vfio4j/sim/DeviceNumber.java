package io.github.vfio4j.sim;

/** The device number of a node. */
record DeviceNumber(int major, int minor) {
    static final DeviceNumber NONE = new DeviceNumber(0, 0);

    /** {@code /dev/vfio/vfio}: a misc device, VFIO_MINOR of linux/miscdevice.h. */
    static final DeviceNumber CONTAINER = new DeviceNumber(10, 196);

    /** {@code /dev/kvm}: a misc device, KVM_MINOR of linux/miscdevice.h. */
    static final DeviceNumber KVM = new DeviceNumber(10, 232);

    /** {@code /dev/iommu}: a misc device, dynamic on Linux. */
    static final DeviceNumber IOMMUFD = new DeviceNumber(10, 125);

    private static final int DEVICE_MAJOR = 240; // dynamic on Linux
    private static final int GROUP_MAJOR = 241; // dynamic on Linux

    static DeviceNumber group(int minor) {
        return new DeviceNumber(GROUP_MAJOR, minor);
    }

    static DeviceNumber device(int index) {
        return new DeviceNumber(DEVICE_MAJOR, index);
    }

    boolean isGroup() {
        return major == GROUP_MAJOR;
    }
}
