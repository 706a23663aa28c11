package io.github.vfio4j;

/**
 * Another process as a user of a group or a device, from {@link Handover#send(Group)}. It has an open file of its own
 * now, which cannot be taken away, and whose close this process cannot see. So releasing calls nothing: it is your
 * statement that the other process has closed what it got (or has ended).
 *
 * <p>Closing the group or the container while such a user is registered leaves the group in the kernel's container, so
 * that the other process keeps the protection of the IOMMU; what this process mapped is unmapped. The group can be opened
 * again when the other process has closed its copy, and its device files. Likewise closing a device that was opened by its
 * own node, its address space or its iommufd, while such a user of a device of that iommufd is registered: nothing is
 * detached, the address space stays in the kernel, and what this process mapped is unmapped.
 */
public final class PeerUser extends ExternalUser {
    private final String peer;

    PeerUser(String peer, ExternalUsers users, Group group, Device device) {
        super(users, group, device);
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
