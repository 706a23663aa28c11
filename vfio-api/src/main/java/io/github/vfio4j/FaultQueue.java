package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.FaultQueuePort;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * A queue of page faults of devices ({@code IOMMU_FAULT_QUEUE_ALLOC}, since Linux 6.11): requests for pages that a page
 * table does not map, of devices that can wait for them. A page table that is made with the queue has the faults of the
 * devices that are attached to it end here: {@link Ioas#allocateHwpt(Device, FaultQueue, HwptFlag...)},
 * {@link Hwpt#nest(Device, GuestPageTable, FaultQueue)}. Each group of faults is read once, and the device waits until it
 * is answered.
 *
 * <p>The kernel answers with {@link PageResponse#INVALID} what is unanswered when its device is detached, attached to
 * another page table or closed, or when the queue is.
 *
 * <p>All methods are safe from any thread. A wait blocks in the kernel, so wait in platform threads; closing the queue
 * ends it, {@link Thread#interrupt} does not.
 */
public final class FaultQueue implements AutoCloseable {
    final int id;
    private final Iommufd iommufd;
    private final FaultQueuePort port;
    private final QueueWait wait;
    // Guarded by the iommufd's lock, so that a group is not read while its device is detached.
    private final Map<Integer, PageFaultGroup> unanswered = new HashMap<>();
    private final List<PageTable> pageTables = new ArrayList<>(); // made with it; oldest first
    private volatile boolean closed;

    FaultQueue(Iommufd iommufd, FaultQueuePort port) {
        this.iommufd = iommufd;
        this.port = port;
        this.id = port.id();
        this.wait = new QueueWait(iommufd.vfio().kernel(), port, Operation.FAULT_QUEUE_READ);
    }

    /**
     * Takes the groups of faults that are there, without waiting ({@code read} of the queue's file).
     *
     * @return the groups, oldest first; none if there is none
     * @throws RuleViolation if the queue is closed
     */
    public List<PageFaultGroup> poll() {
        iommufd.lock.lock();
        try {
            Rule.check(iommufd.vfio().contract(), Operation.FAULT_QUEUE_READ, new Alive());
            List<PageFaultGroup> groups = new ArrayList<>();
            List<PageFault> faults = new ArrayList<>();
            for (FaultQueuePort.Fault fault : port.read()) {
                faults.add(new PageFault(
                        deviceOf(fault),
                        fault.pasid(),
                        fault.group(),
                        fault.permissions(),
                        fault.address(),
                        fault.length()));
                if (fault.last()) {
                    PageFaultGroup group = new PageFaultGroup(fault.cookie(), faults);
                    unanswered.put(group.cookie(), group);
                    groups.add(group);
                    faults.clear();
                }
            }
            return groups;
        } finally {
            iommufd.lock.unlock();
        }
    }

    private Optional<Device> deviceOf(FaultQueuePort.Fault fault) {
        return iommufd.devices.all().stream()
                .filter(device -> device.idIn(iommufd) == fault.device())
                .findFirst();
    }

    /**
     * Waits until there are faults and takes them (epoll, {@code read}).
     *
     * @param timeout how long at most, in steps of a millisecond; 0 does not wait, {@code ChronoUnit.FOREVER} sets no
     *     limit
     * @return the groups, oldest first; none after the time
     * @throws RuleViolation if the queue is closed, or is closed during the wait
     * @throws IllegalArgumentException if the time is negative
     * @throws VfioException {@code EMFILE} if the process has too many files open
     */
    public List<PageFaultGroup> await(Duration timeout) {
        return wait.await(timeout, this::poll);
    }

    /**
     * Answers a group of faults ({@code write} of the queue's file); its device goes on.
     *
     * @param group a group that was taken from this queue, and was not answered
     * @param response the answer
     * @throws RuleViolation if the group is none of this queue's, was answered already, by the kernel when its device was
     *     detached, say, or if the queue is closed
     */
    public void answer(PageFaultGroup group, PageResponse response) {
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(response, "response");
        iommufd.lock.lock();
        try {
            Rule.check(iommufd.vfio().contract(), Operation.FAULT_QUEUE_WRITE, new Alive() {
                @Override
                public boolean faultsUnanswered() {
                    return unanswered.get(group.cookie()) == group; // the same number may be another group's by now
                }
            });
            port.respond(group.cookie(), response == PageResponse.SUCCESS);
            unanswered.remove(group.cookie());
        } finally {
            iommufd.lock.unlock();
        }
    }

    /** The kernel answered the faults of a device. The iommufd's lock is held. */
    void forgetFaultsOf(Device device) {
        unanswered.values().removeIf(group ->
                group.faults().stream().anyMatch(fault -> fault.device().filter(device::equals).isPresent()));
    }

    /** A page table was made with it. The iommufd's lock is held. */
    void add(PageTable pageTable) {
        pageTables.add(pageTable);
    }

    /** Such a page table was closed. The iommufd's lock is held. */
    void remove(PageTable pageTable) {
        pageTables.remove(pageTable);
    }

    Iommufd iommufd() {
        return iommufd;
    }

    boolean closed() {
        return closed;
    }

    /**
     * Closes the page tables that were made with the queue, which detaches their devices, then the queue's file, and destroys
     * the queue ({@code IOMMU_DESTROY}): the kernel destroys none that a page table or a file uses. Waits end with an
     * exception. Idempotent; also done when the iommufd is closed.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public void close() {
        Teardown.once(iommufd.lock, () -> closed, teardown -> {
            closed = true;
            List.copyOf(pageTables).reversed().forEach(table -> teardown.step(() -> close(table)));
            teardown.step(wait::close);
            port.close();
            iommufd.destroy(id, teardown);
            unanswered.clear();
            iommufd.forget(this);
        });
    }

    private static void close(PageTable table) {
        switch (table) {
            case Hwpt hwpt -> hwpt.close();
            case NestedHwpt nested -> nested.close();
            case Ioas _ -> throw new AssertionError("an address space has no fault queue");
        }
    }

    private class Alive implements Facts {
        @Override
        public boolean handleOpen() {
            return !closed;
        }
    }
}
