package io.github.vfio4j;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/** Those outside who use a group and its devices, or the devices of an iommufd. Guarded by the owner's lock. */
final class ExternalUsers {
    final ReentrantLock lock;
    private final List<ExternalUser> users = new ArrayList<>(); // oldest first

    /** @param lock the owner's */
    ExternalUsers(ReentrantLock lock) {
        this.lock = lock;
    }

    /** Returns a snapshot. */
    List<ExternalUser> all() {
        lock.lock();
        try {
            return List.copyOf(users);
        } finally {
            lock.unlock();
        }
    }

    void add(ExternalUser user) {
        users.add(user);
    }

    void remove(ExternalUser user) {
        users.remove(user);
    }

    /** Takes a device, or the group itself (null), from KVM: it cannot be done once the file is closed. */
    void dropKvm(Device device) {
        Teardown teardown = new Teardown();
        for (ExternalUser user : List.copyOf(users).reversed()) {
            if (user instanceof KvmUser && user.device().orElse(null) == device) {
                teardown.step(user::drop);
            }
        }
        teardown.finish();
    }

    /** Has another process a file of the group or of a device? */
    boolean heldByPeer() {
        return users.stream().anyMatch(PeerUser.class::isInstance);
    }
}
