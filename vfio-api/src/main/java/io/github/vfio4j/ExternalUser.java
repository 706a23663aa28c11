package io.github.vfio4j;

import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Somebody outside who uses a group or a device: KVM or another process. While it is registered, it counts like an open
 * device of the group: the group cannot be {@linkplain Container#detach detached} (under
 * {@link Contract#STRICT}; Linux itself would let it pass).
 *
 * <p>An open group by itself protects nothing. So under {@link Contract#STRICT} an external user is only taken of a group
 * that is in a container with an IOMMU and is viable. The kernel is asked for the latter ({@code VFIO_GROUP_GET_STATUS}).
 * A device that was opened by its own node is protected from the moment on that it is bound to its {@link Iommufd}.
 *
 * <p>It can be released in every state of the group and the device, in any order, from any thread, and twice.
 */
public abstract sealed class ExternalUser implements AutoCloseable permits KvmUser, PeerUser {
    private final ExternalUsers users; // where it is registered
    private final Group group; // null for a device that was opened by its own node
    private final Device device; // null for the group itself
    private volatile boolean released; // written under the users' lock

    ExternalUser(ExternalUsers users, Group group, Device device) {
        this.users = users;
        this.group = group;
        this.device = device;
    }

    /**
     * Returns the group that is used, as a whole or through its device.
     *
     * @return the group; empty if it is a device that was opened by its own node
     */
    public final Optional<Group> group() {
        return Optional.ofNullable(group);
    }

    /**
     * Returns the device that is used.
     *
     * @return the device; empty if it is the group itself
     */
    public final Optional<Device> device() {
        return Optional.ofNullable(device);
    }

    /**
     * Says whether this user is gone: released, or ended by the close of what it used.
     *
     * @return true if it no longer counts
     */
    public final boolean released() {
        return released;
    }

    /**
     * Ends the use. What that means is said by {@link KvmUser} and {@link PeerUser}. Idempotent.
     *
     * @throws VfioException if the kernel refuses; the user then stays registered
     */
    public final void release() {
        users.lock.lock();
        try {
            if (!released) {
                end();
                gone();
            }
        } finally {
            users.lock.unlock();
        }
    }

    /** As {@link #release}. */
    @Override
    public final void close() {
        release();
    }

    /** Ends the use because what is used is closing. The users' lock is held. */
    final void drop() {
        if (!released) {
            try {
                end();
            } finally {
                gone();
            }
        }
    }

    /** The lock under which it is released. */
    final ReentrantLock lock() {
        return users.lock;
    }

    /** Is it this very file that is used? */
    final boolean uses(Group itsGroup, Device itsDevice) {
        return group == itsGroup && device == itsDevice;
    }

    /** Takes the file from the user, as far as that can be done. The users' lock is held. */
    abstract void end();

    private void gone() {
        released = true;
        users.remove(this);
    }

    /** Names the user and what it uses. */
    @Override
    public String toString() {
        return kind() + " uses " + (device == null ? "group " + group.number() : "device " + device.name());
    }

    abstract String kind();
}
