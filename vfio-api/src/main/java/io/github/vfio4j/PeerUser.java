package io.github.vfio4j;

/**
 * Another process as a user of a group or a device, from {@link Handover#send(Group)}. It has an open file of its own
 * now, which cannot be taken away, and whose close this process cannot see. So releasing calls nothing: it is your
 * statement that the other process has closed what it got (or has ended).
 *
 * <p>Closing the group or the container while such a user is registered leaves the group in the kernel's container, so
 * that the other process keeps the protection of the IOMMU; what this process mapped is unmapped. The group can be opened
 * again when the other process has closed its copy, and its device files.
 */
public final class PeerUser extends ExternalUser {
    private final String peer;

    PeerUser(String peer, Group group, Device device) {
        super(group, device);
        this.peer = peer;
    }

    @Override
    void end() {
        // There is nothing to call.
    }

    @Override
    String kind() {
        return peer;
    }
}
