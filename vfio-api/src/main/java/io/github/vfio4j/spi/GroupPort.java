package io.github.vfio4j.spi;

import io.github.vfio4j.GroupStatus;
import java.util.UUID;

/** An open group file ({@code /dev/vfio/N}). */
public interface GroupPort extends AutoCloseable {
    /**
     * Returns the device number of the open file.
     *
     * @return major in the upper and minor in the lower 32 bits
     */
    long deviceNumber();

    /**
     * {@code VFIO_GROUP_GET_STATUS}.
     *
     * @return the state
     */
    GroupStatus status();

    /**
     * {@code VFIO_GROUP_SET_CONTAINER}.
     *
     * @param container a container of the same kernel
     */
    void setContainer(ContainerPort container);

    /** {@code VFIO_GROUP_UNSET_CONTAINER}. */
    void unsetContainer();

    /**
     * {@code VFIO_GROUP_GET_DEVICE_FD}.
     *
     * @param name the device's name, such as {@code 0000:06:0d.0}
     * @param vfToken the token of the physical function; null for none
     * @return the device
     */
    DevicePort openDevice(String name, UUID vfToken);

    /** Closes the file once no call uses it any more. Does nothing when it is closed. */
    @Override
    void close();
}
