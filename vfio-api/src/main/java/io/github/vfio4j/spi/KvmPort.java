package io.github.vfio4j.spi;

/** The VFIO device of a KVM virtual machine. */
public interface KvmPort extends AutoCloseable {
    /**
     * {@code KVM_DEV_VFIO_FILE_ADD} of a group.
     *
     * @param group a group of the same kernel
     */
    void add(GroupPort group);

    /**
     * {@code KVM_DEV_VFIO_FILE_ADD} of a device.
     *
     * @param device a device of the same kernel
     */
    void add(DevicePort device);

    /**
     * {@code KVM_DEV_VFIO_FILE_DEL} of a group.
     *
     * @param group what was added
     */
    void remove(GroupPort group);

    /**
     * {@code KVM_DEV_VFIO_FILE_DEL} of a device.
     *
     * @param device what was added
     */
    void remove(DevicePort device);

    /**
     * {@code KVM_HAS_DEVICE_ATTR} of {@code KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE}.
     *
     * @return whether there is such an attribute
     */
    boolean takesSpaprTables();

    /**
     * {@code KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE}.
     *
     * @param group what was added
     * @param table the descriptor of a table of the virtual machine
     */
    void setSpaprTce(GroupPort group, int table);

    /** Closes the device, and the virtual machine as far as it is the library's. Does nothing when it is closed. */
    @Override
    void close();
}
