package io.github.vfio4j.spi;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The groups that this process has open on one kernel, by device number: a second name for the same node is the same
 * group.
 */
public final class OpenGroups {
    private final Set<Long> open = ConcurrentHashMap.newKeySet();

    /** Makes a registry with no group. */
    public OpenGroups() {}

    /**
     * Takes a group.
     *
     * @param deviceNumber the group's node
     * @return false if it is taken already
     */
    public boolean take(long deviceNumber) {
        return open.add(deviceNumber);
    }

    /**
     * Gives a group back after its file was closed.
     *
     * @param deviceNumber the group's node
     */
    public void giveBack(long deviceNumber) {
        open.remove(deviceNumber);
    }
}
