package io.github.vfio4j.sim;

/** The file of a queue of an iommufd. It keeps the queue from being destroyed, and the iommufd alive. */
abstract class QueueFile extends PollableFile {
    final IommuObject object;
    private final EventQueue<?> events;

    /** The kernel's lock is held. */
    QueueFile(IommuObject object, EventQueue<?> events) {
        this.object = object;
        this.events = events;
        object.users++;
        kernel().get(object.iommufd.file);
    }

    final KernelLock kernel() {
        return object.iommufd.machine.kernel();
    }

    @Override
    final Readiness readiness() {
        return events;
    }

    @Override
    final void release() {
        events.closed();
        kernel().lock();
        try {
            object.users--;
            kernel().put(object.iommufd.file);
        } finally {
            kernel().unlock();
        }
    }
}
