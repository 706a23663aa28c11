package io.github.vfio4j.sim;

import java.util.concurrent.locks.ReentrantLock;

/**
 * A device that is bound to a VFIO driver (Linux: struct vfio_device). The first open gives it power, the last close takes
 * it; a mapping of a BAR counts as an open file. All that reaches the model goes through the device's lock, one at a time.
 */
abstract class GroupDevice {
    final VfioGroup group;

    /** Before the kernel's lock in order. Held while the model is called. */
    final ReentrantLock lock = new ReentrantLock();

    /** Opens, and open files; unbinding waits for 0. Guarded by the kernel's lock. */
    int references;

    /** It is about to be unbound: newer kernels no longer open it. Guarded by the kernel's lock. */
    boolean leaving;

    private final SimMachine machine;
    private int openCount; // guarded by the kernel's lock

    GroupDevice(SimMachine machine, VfioGroup group) {
        this.machine = machine;
        this.group = group;
    }

    SimMachine machine() {
        return machine;
    }

    /** Does a name mean this device, whatever options follow? */
    abstract boolean isNamed(DeviceName name);

    /** Does it take the options that follow? */
    abstract boolean takes(DeviceName name);

    /** The device's lock is held. */
    abstract void powerOn();

    /** The device's lock is held. */
    abstract void powerOff();

    /** Makes another open file of it. */
    abstract SimFile newFile();

    /** Is it open, so that the model has power? The kernel's lock is held. */
    boolean isOpen() {
        return openCount > 0;
    }

    /** Drops a reference. The kernel's lock is held. */
    void unreference() {
        references--;
        machine.kernel().changed();
    }

    /**
     * Opens the device.
     *
     * @param caller who gets the descriptor
     * @param check what refuses; runs under the kernel's lock
     * @return the descriptor
     */
    int open(SimProcess caller, Runnable check) {
        lock.lock();
        try {
            int fd;
            boolean first;
            machine.kernel().lock();
            try {
                check.run();
                fd = caller.files().reserve();
                first = openCount++ == 0;
                references++;
                group.deviceOpened(first);
            } finally {
                machine.kernel().unlock();
            }
            boolean done = false;
            try {
                if (first) {
                    powerOn();
                }
                machine.kernel().lock();
                try {
                    caller.install(fd, newFile());
                } finally {
                    machine.kernel().unlock();
                }
                done = true;
                return fd;
            } finally {
                if (!done) { // the model threw
                    machine.kernel().lock();
                    caller.files().cancel(fd);
                    closed();
                    machine.kernel().unlock();
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** A file of the device is released: with the last one the model loses its power. */
    void close() {
        lock.lock();
        try {
            boolean last;
            machine.kernel().lock();
            try {
                last = openCount == 1;
            } finally {
                machine.kernel().unlock();
            }
            try {
                if (last) {
                    powerOff();
                }
            } finally {
                machine.kernel().lock();
                closed();
                machine.kernel().unlock();
            }
        } finally {
            lock.unlock();
        }
    }

    private void closed() {
        group.deviceClosed(--openCount == 0);
        unreference();
    }
}
