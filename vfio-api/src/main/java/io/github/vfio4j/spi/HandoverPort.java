package io.github.vfio4j.spi;

/** A connection to another process, through which groups and devices go. */
public interface HandoverPort extends AutoCloseable {
    /**
     * What came through.
     *
     * @param <P> its kind
     * @param name what the sender calls it: a group's number, a device's name
     * @param port the file, checked to be of its kind
     */
    record Received<P>(String name, P port) {}

    /**
     * Sends a group. Does not wait.
     *
     * @param group a group of the same kernel
     * @param name its number
     */
    void send(GroupPort group, String name);

    /**
     * Sends a device. Does not wait.
     *
     * @param device a device of the same kernel
     * @param name its name
     */
    void send(DevicePort device, String name);

    /**
     * Sends a file of memory. Does not wait.
     *
     * @param file a file of the same kernel
     */
    void send(DmaFilePort file);

    /**
     * Sends an iommufd. Does not wait.
     *
     * @param iommufd an iommufd of the same kernel
     */
    void send(IommufdPort iommufd);

    /**
     * Waits for a message and takes the file of memory that it carries.
     *
     * @return the file, whose size is sealed
     */
    DmaFilePort receiveDmaFile();

    /**
     * Waits for a message and takes the iommufd that it carries.
     *
     * @return the iommufd
     */
    IommufdPort receiveIommufd();

    /**
     * Waits for a message and takes the group that it carries.
     *
     * @return the group
     */
    Received<GroupPort> receiveGroup();

    /**
     * Waits for a message and takes the device that it carries.
     *
     * @return the device
     */
    Received<DevicePort> receiveDevice();

    /** Ends what waits here, then closes the socket. Does nothing when it is closed. */
    @Override
    void close();
}
