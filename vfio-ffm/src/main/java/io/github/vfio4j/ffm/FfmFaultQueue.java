package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PageFault.Permission;
import io.github.vfio4j.ffm.gen.iommu_hwpt_page_response;
import io.github.vfio4j.ffm.gen.iommu_hwpt_pgfault;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.FaultQueuePort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/** A fault queue's file. The kernel gives whole groups alone, as many as fit. */
final class FfmFaultQueue implements FaultQueuePort, Readable {
    private static final long FAULT = iommu_hwpt_pgfault.sizeof();
    private static final int USUAL_FAULTS = 512; // a device seldom has more requests in flight
    private static final int MOST_FAULTS = 1 << 20; // a larger group is a broken answer

    private final Fd fd;
    private final int id;
    private MemorySegment buffer = buffer(USUAL_FAULTS); // guarded by this

    FfmFaultQueue(Fd fd, int id) {
        this.fd = fd;
        this.id = id;
    }

    private static MemorySegment buffer(long faults) {
        return Arena.ofAuto().allocate(faults * FAULT, 8);
    }

    @Override
    public Fd fd() {
        return fd;
    }

    @Override
    public int id() {
        return id;
    }

    @Override
    public synchronized List<Fault> read() {
        Frame frame = fd.begin(Operation.FAULT_QUEUE_READ);
        try {
            long result = fd.syscalls.read(frame, fd.number, buffer);
            // EINVAL: the first group does not fit
            while (result == -Errno.EINVAL.number() && buffer.byteSize() < MOST_FAULTS * FAULT) {
                buffer = buffer(2 * buffer.byteSize() / FAULT);
                result = fd.syscalls.read(frame, fd.number, buffer);
            }
            fd.check(Operation.FAULT_QUEUE_READ, result);
            return decode(buffer, result);
        } finally {
            fd.end(frame);
        }
    }

    private static List<Fault> decode(MemorySegment array, long bytes) {
        List<Fault> faults = new ArrayList<>();
        for (long i = 0; i < bytes / FAULT; i++) {
            MemorySegment fault = iommu_hwpt_pgfault.asSlice(array, i);
            int flags = iommu_hwpt_pgfault.flags(fault);
            boolean pasid = (flags & IOMMU_PGFAULT_FLAGS_PASID_VALID()) != 0;
            faults.add(new Fault(
                    iommu_hwpt_pgfault.dev_id(fault),
                    pasid ? OptionalInt.of(iommu_hwpt_pgfault.pasid(fault)) : OptionalInt.empty(),
                    (flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE()) != 0,
                    iommu_hwpt_pgfault.grpid(fault),
                    permissions(iommu_hwpt_pgfault.perm(fault)),
                    iommu_hwpt_pgfault.addr(fault),
                    iommu_hwpt_pgfault.length(fault),
                    iommu_hwpt_pgfault.cookie(fault)));
        }
        if (bytes % FAULT != 0 || !faults.isEmpty() && !faults.getLast().last()) {
            throw Info.broken(Operation.FAULT_QUEUE_READ, "the kernel gives part of a group of page faults");
        }
        return faults;
    }

    private static Set<Permission> permissions(int bits) {
        Set<Permission> permissions = EnumSet.noneOf(Permission.class);
        for (Permission permission : Permission.values()) {
            int bit = switch (permission) {
                case READ -> IOMMU_PGFAULT_PERM_READ();
                case WRITE -> IOMMU_PGFAULT_PERM_WRITE();
                case EXECUTE -> IOMMU_PGFAULT_PERM_EXEC();
                case PRIVILEGED -> IOMMU_PGFAULT_PERM_PRIV();
            };
            if ((bits & bit) != 0) {
                permissions.add(permission);
            }
        }
        return permissions;
    }

    @Override
    public void respond(int cookie, boolean success) {
        Frame frame = fd.begin(Operation.FAULT_QUEUE_WRITE);
        try {
            MemorySegment response = frame.arg.asSlice(0, iommu_hwpt_page_response.sizeof());
            iommu_hwpt_page_response.cookie(response, cookie);
            iommu_hwpt_page_response.code(
                    response, success ? IOMMUFD_PAGE_RESP_SUCCESS() : IOMMUFD_PAGE_RESP_INVALID());
            long result = fd.syscalls.write(frame, fd.number, response);
            if (fd.check(Operation.FAULT_QUEUE_WRITE, result) != response.byteSize()) {
                throw Info.broken(Operation.FAULT_QUEUE_WRITE, "the kernel takes part of an answer");
            }
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
