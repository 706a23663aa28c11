package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.iommu_hwpt_page_response;
import io.github.vfio4j.ffm.gen.iommu_hwpt_pgfault;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.TreeMap;

/** A queue of page faults of devices (Linux: struct iommufd_fault). Guarded by the kernel's lock. */
final class FaultQueue extends IommuObject {
    /** Page faults that are answered together; the devices here have one alone in each group. */
    record Group(MockDevice device, int pasid, int number, int permissions, long address) {}

    private final EventQueue<Group> unread = new EventQueue<>();
    private final TreeMap<Integer, Group> unanswered = new TreeMap<>(); // by cookie

    FaultQueue(Iommufd iommufd) {
        super(iommufd);
    }

    void add(Group group) {
        unread.add(group);
    }

    /** The kernel answers all of a device that goes. */
    void answer(MockDevice device) {
        unread.removeIf(group -> group.device == device);
        unanswered.values().removeIf(group -> group.device == device);
    }

    private int freeCookie() {
        int cookie = 1;
        while (unanswered.containsKey(cookie)) {
            cookie++;
        }
        return cookie;
    }

    @Override
    void destroyed() {
        unanswered.clear();
    }

    @Override
    public String toString() {
        return "fault queue " + id;
    }

    /** Opens its file. The kernel's lock is held. */
    QueueFile open() {
        return new QueueFile(this, unread) {
            @Override
            long read(SimProcess caller, MemorySegment target) {
                kernel().lock();
                try {
                    return readGroups(target);
                } finally {
                    kernel().unlock();
                }
            }

            @Override
            long write(SimProcess caller, MemorySegment source) {
                kernel().lock();
                try {
                    return answer(source);
                } finally {
                    kernel().unlock();
                }
            }

            @Override
            public String toString() {
                return "[iommufd-pgfault]";
            }
        };
    }

    private long readGroups(MemorySegment target) {
        long size = iommu_hwpt_pgfault.sizeof();
        if (target.byteSize() % size != 0) {
            throw new KernelError(Errno.ESPIPE);
        }
        long done = 0;
        for (Group group = unread.first(); group != null; group = unread.first()) {
            if (target.byteSize() - done < size) {
                if (done == 0) {
                    throw new KernelError(Errno.EINVAL);
                }
                break;
            }
            int cookie = freeCookie();
            unanswered.put(cookie, group);
            unread.removeFirst();
            MemorySegment fault = UserMemory.zeroed(iommu_hwpt_pgfault.layout());
            iommu_hwpt_pgfault.flags(
                    fault,
                    IOMMU_PGFAULT_FLAGS_LAST_PAGE() | (group.pasid != 0 ? IOMMU_PGFAULT_FLAGS_PASID_VALID() : 0));
            iommu_hwpt_pgfault.dev_id(fault, group.device.id);
            iommu_hwpt_pgfault.pasid(fault, group.pasid);
            iommu_hwpt_pgfault.grpid(fault, group.number);
            iommu_hwpt_pgfault.perm(fault, group.permissions);
            iommu_hwpt_pgfault.addr(fault, group.address);
            iommu_hwpt_pgfault.cookie(fault, cookie);
            MemorySegment.copy(fault, 0, target, done, size);
            done += size;
        }
        return done;
    }

    private long answer(MemorySegment source) {
        long size = iommu_hwpt_page_response.sizeof();
        if (source.byteSize() % size != 0) {
            throw new KernelError(Errno.ESPIPE);
        }
        long done = 0;
        while (done < source.byteSize()) {
            MemorySegment response = UserMemory.zeroed(iommu_hwpt_page_response.layout());
            MemorySegment.copy(source, done, response, 0, size);
            int code = iommu_hwpt_page_response.code(response);
            int cookie = iommu_hwpt_page_response.cookie(response);
            try {
                if (code != IOMMUFD_PAGE_RESP_SUCCESS() && code != IOMMUFD_PAGE_RESP_INVALID()) {
                    throw new KernelError(Errno.EINVAL);
                }
                KernelError.check(iommufd.machine.profile(), Operation.FAULT_QUEUE_WRITE, new Facts() {
                    @Override
                    public boolean faultsUnanswered() {
                        return unanswered.containsKey(cookie);
                    }
                });
            } catch (KernelError e) {
                if (done == 0) {
                    throw e;
                }
                return done;
            }
            unanswered.remove(cookie);
            done += size;
        }
        return done;
    }
}
