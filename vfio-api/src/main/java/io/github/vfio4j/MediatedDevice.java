package io.github.vfio4j;

import java.util.UUID;

/**
 * A mediated device that {@link MediatedDevices#create(MediatedType, UUID)} made. Closing it removes it. {@link Vfio#close}
 * does not: without a close here it stays, also after the program, until {@link MediatedDevices#remove} of another one. All
 * methods are safe from any thread.
 */
public final class MediatedDevice implements AutoCloseable {
    private final MediatedDevices all;
    private final UUID name;
    private boolean removed; // guarded by this

    MediatedDevice(MediatedDevices all, UUID name) {
        this.all = all;
        this.name = name;
    }

    /**
     * Returns its name, by which it is opened.
     *
     * @return the name
     */
    public UUID name() {
        return name;
    }

    /**
     * Removes it, and waits as {@link MediatedDevices#remove} does. Idempotent; one that somebody else removed is gone
     * already. After a failure it can be called again.
     *
     * @throws RuleViolation if this program has the device open; nothing was changed
     * @throws VfioException {@code EACCES} without root
     */
    @Override
    public synchronized void close() {
        if (removed) {
            return;
        }
        try {
            all.remove(name);
        } catch (VfioException e) {
            if (!e.errno().equals(Errno.ENOENT)) {
                throw e;
            }
        }
        removed = true;
    }

    /** Names it. */
    @Override
    public String toString() {
        return "mediated device " + name;
    }
}
