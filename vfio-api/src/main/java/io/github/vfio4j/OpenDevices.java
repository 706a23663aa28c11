package io.github.vfio4j;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/** The open devices of a group, or one that was received without its group. */
final class OpenDevices {
    /** Held while devices are opened and closed; a group's own lock. */
    final ReentrantLock lock = new ReentrantLock();

    private final Vfio vfio;
    // Guarded by lock; oldest first.
    private final List<Device> devices = new ArrayList<>();

    OpenDevices(Vfio vfio) {
        this.vfio = vfio;
    }

    Vfio vfio() {
        return vfio;
    }

    /** The lock is held. */
    void add(Device device) {
        devices.add(device);
        vfio.opened(device);
    }

    /**
     * Adds a device, and watches it if that is wanted and no other handle of it is watched: the kernel has one receiver for
     * a device's requests. The lock is held. If it cannot be watched, it is closed.
     */
    void add(Device device, boolean watched) {
        boolean first = devices.stream().noneMatch(other -> other.name().equals(device.name()) && other.watch() != null);
        add(device);
        if (watched && first && device.info().pci()) {
            try {
                device.startWatching();
            } catch (RuntimeException e) {
                Teardown.after(e, device::closeHandle);
                throw e;
            }
        }
    }

    /** The lock is held. */
    void remove(Device device) {
        devices.remove(device);
        vfio.closed(device);
    }

    /** The lock is held. */
    int number() {
        return devices.size();
    }

    /** Is a device of that name among them? */
    boolean has(String name) {
        lock.lock();
        try {
            return devices.stream().anyMatch(device -> device.name().equals(name));
        } finally {
            lock.unlock();
        }
    }

    /** The lock is held. */
    List<Device> all() {
        return List.copyOf(devices);
    }

    /** Closes them, newest first. The lock is held. */
    void closeAll() {
        Teardown teardown = new Teardown();
        for (Device device : List.copyOf(devices).reversed()) {
            teardown.step(device::closeHandle);
        }
        teardown.finish();
    }
}
