package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.VirtualEventQueuePort;
import java.time.Duration;
import java.util.List;

/**
 * A queue of events of a virtual IOMMU, to be told to its guest ({@code IOMMU_VEVENTQ_ALLOC}, since Linux 6.15); from
 * {@link Viommu#allocateEventQueue}. When it is full, further events are lost, and the numbers of events tell how many.
 *
 * <p>All methods are safe from any thread. A wait blocks in the kernel, so wait in platform threads; closing the queue
 * ends it, {@link Thread#interrupt} does not.
 */
public final class VirtualEventQueue implements OfViommu, AutoCloseable {
    final int id;
    private final Viommu viommu;
    private final VirtualEventType type;
    private final VirtualEventQueuePort port;
    private final QueueWait wait;
    private volatile boolean closed;

    VirtualEventQueue(Viommu viommu, VirtualEventType type, VirtualEventQueuePort port) {
        this.viommu = viommu;
        this.type = type;
        this.port = port;
        this.id = port.id();
        this.wait = new QueueWait(viommu.iommufd().vfio().kernel(), port, Operation.VEVENTQ_READ);
    }

    /**
     * Returns the kind of its events.
     *
     * @return the kind
     */
    public VirtualEventType type() {
        return type;
    }

    /**
     * Takes the events that are there, without waiting ({@code read} of the queue's file).
     *
     * @return the events, oldest first; none if there is none
     * @throws RuleViolation if the queue is closed
     */
    public List<VirtualEvent> poll() {
        Rule.check(viommu.iommufd().vfio().contract(), Operation.VEVENTQ_READ, new Facts() {
            @Override
            public boolean handleOpen() {
                return !closed;
            }
        });
        try {
            return port.read();
        } catch (VfioException e) {
            if (closed) { // in between
                throw new RuleViolation(Rule.HANDLE_OPEN, Operation.VEVENTQ_READ, "");
            }
            throw e;
        }
    }

    /**
     * Waits until there are events and takes them (epoll, {@code read}).
     *
     * @param timeout how long at most, in steps of a millisecond; 0 does not wait, {@code ChronoUnit.FOREVER} sets no
     *     limit
     * @return the events, oldest first; none after the time
     * @throws RuleViolation if the queue is closed, or is closed during the wait
     * @throws IllegalArgumentException if the time is negative
     * @throws VfioException {@code EMFILE} if the process has too many files open
     */
    public List<VirtualEvent> await(Duration timeout) {
        return wait.await(timeout, this::poll);
    }

    /**
     * Closes the queue's file and destroys the queue ({@code IOMMU_DESTROY}). Waits end with an exception. Idempotent; also
     * done when the virtual IOMMU is closed.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        Iommufd iommufd = viommu.iommufd();
        Teardown.once(iommufd.lock, () -> closed, teardown -> {
            closed = true;
            teardown.step(wait::close);
            port.close();
            viommu.forget(this);
            iommufd.destroy(id, teardown);
        });
    }
}
