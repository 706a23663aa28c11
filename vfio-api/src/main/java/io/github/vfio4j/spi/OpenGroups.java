package io.github.vfio4j.spi;

import java.util.HashSet;
import java.util.Set;

/**
 * The groups that this process has open on one kernel, by device number: a second name for the same node is the same
 * group; and the devices that it has open by their own nodes.
 */
public final class OpenGroups {
    /** A device that is bound to an iommufd. */
    private record Bound(long group, String device) {}

    // Guarded by this.
    private final Set<Long> open = new HashSet<>();
    private final Set<Bound> bound = new HashSet<>();

    /** Makes a registry with no group. */
    public OpenGroups() {}

    /**
     * Takes a group.
     *
     * @param deviceNumber the group's node
     * @return false if it is taken already
     */
    public synchronized boolean take(long deviceNumber) {
        return open.add(deviceNumber);
    }

    /**
     * Gives a group back after its file was closed.
     *
     * @param deviceNumber the group's node
     */
    public synchronized void giveBack(long deviceNumber) {
        open.remove(deviceNumber);
    }

    /**
     * Is a group open?
     *
     * @param deviceNumber the group's node
     * @return true if it is taken
     */
    public synchronized boolean isOpen(long deviceNumber) {
        return open.contains(deviceNumber);
    }

    /**
     * Notes that a device was bound to an iommufd.
     *
     * @param group the node of its group
     * @param device the device's name
     */
    public synchronized void bind(long group, String device) {
        bound.add(new Bound(group, device));
    }

    /**
     * Notes that a device that was bound is closed.
     *
     * @param group the node of its group
     * @param device the device's name
     */
    public synchronized void unbind(long group, String device) {
        bound.remove(new Bound(group, device));
    }

    /**
     * Is a device bound to an iommufd?
     *
     * @param group the node of its group
     * @param device the device's name
     * @return true if it is
     */
    public synchronized boolean isBound(long group, String device) {
        return bound.contains(new Bound(group, device));
    }

    /**
     * Is a device of a group bound to an iommufd?
     *
     * @param group the group's node
     * @return true if one is
     */
    public synchronized boolean hasBound(long group) {
        return bound.stream().anyMatch(one -> one.group() == group);
    }
}
