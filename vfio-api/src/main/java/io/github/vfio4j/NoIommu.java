package io.github.vfio4j;

import java.util.Objects;
import java.util.UUID;

/**
 * What {@link Container#setUnsafeNoIommu} gives: the way to the devices of groups without an IOMMU. Nothing stands between
 * these devices and memory: what a program lets them do, they do to the whole machine. There is nothing to map with, for
 * devices take addresses of physical memory, which the library does not hand out. It ends when the container's last group
 * leaves.
 *
 * <p>All methods are safe from any thread.
 */
public final class NoIommu {
    private final Container container;
    private volatile boolean ended;

    NoIommu(Container container) {
        this.container = container;
    }

    /**
     * Opens a device of a group in the container ({@code VFIO_GROUP_GET_DEVICE_FD}). Its registers, interrupts and reset are
     * used as those of any device; {@link Device#iommu} has nothing to give.
     *
     * @param group the device's group
     * @param address the device
     * @return the device
     * @throws RuleViolation if the group is closed or not in the container, or this has ended
     * @throws VfioException {@code EPERM} without CAP_SYS_RAWIO, {@code ENODEV} if the group has no such device, or what
     *     opening it gives
     */
    public Device openDevice(Group group, PciAddress address) {
        return open(group, address, null);
    }

    /**
     * Opens a virtual function whose physical one is bound to vfio-pci, or a physical one with virtual ones in use; as
     * {@link Type1#openDevice(Group, PciAddress, UUID)}.
     *
     * @param group the device's group
     * @param address the device
     * @param vfToken the token of the physical function
     * @return the device
     * @throws RuleViolation as {@link #openDevice(Group, PciAddress)}
     * @throws VfioException {@code EACCES} if the token is wrong, {@code EINVAL} if the device takes none, and as
     *     {@link #openDevice(Group, PciAddress)}
     */
    public Device openDevice(Group group, PciAddress address, UUID vfToken) {
        return open(group, address, Objects.requireNonNull(vfToken, "vfToken"));
    }

    private Device open(Group group, PciAddress address, UUID vfToken) {
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(address, "address");
        return container.openDevice(group, address.toString(), vfToken, null, () -> !ended, true);
    }

    /** The container's last group left. */
    void end() {
        ended = true;
    }
}
