package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/**
 * A virtual IOMMU, which that of {@link MockDevice} alone has (Linux: struct iommufd_viommu, struct mock_viommu). Guarded by
 * the kernel's lock.
 */
final class Viommu extends IommuObject {
    private static final long PAGE_SIZE = 2 * Memory.PAGE;
    private static final int QUEUES = 2; // IOMMU_TEST_HW_QUEUE_MAX

    final Hwpt parent;
    final Map<Long, VirtualDevice> devices = new HashMap<>(); // by their numbers in the guest
    final Map<Integer, VirtualEventQueue> eventQueues = new HashMap<>(); // by their types
    final HardwareQueue[] hardwareQueues = new HardwareQueue[QUEUES];
    private Memory page; // null without one
    private long mapOffset;

    Viommu(Hwpt parent) {
        super(parent.iommufd);
        this.parent = parent;
        parent.users++;
    }

    /** Gives it a page to be mapped, which begins with a number. */
    void makePage(int first) {
        long end = iommufd.all(Viommu.class).stream()
                .filter(other -> other.page != null)
                .mapToLong(other -> other.mapOffset + PAGE_SIZE)
                .max()
                .orElse(Memory.PAGE);
        page = Memory.ofBar(PAGE_SIZE);
        page.segment().set(ValueLayout.JAVA_INT, 0, first);
        mapOffset = end;
    }

    long mapOffset() {
        return mapOffset;
    }

    long mapSize() {
        return page == null ? 0 : PAGE_SIZE;
    }

    /** Maps the page of the virtual IOMMU that has it at an offset. */
    static Vma map(Iommufd iommufd, long offset, long length, int prot) {
        Viommu owner = iommufd.all(Viommu.class).stream()
                .filter(viommu -> viommu.page != null && viommu.mapOffset == offset && length == PAGE_SIZE)
                .findFirst()
                .orElseThrow(() -> new KernelError(Errno.ENXIO));
        long start = owner.page.address();
        return new Vma(start, start + length, prot, owner.page, 0, new MappedPage(owner));
    }

    @Override
    void destroyed() {
        parent.users--;
    }

    @Override
    public String toString() {
        return "virtual IOMMU " + id;
    }

    /** What keeps the virtual IOMMU, and the iommufd, while its page is mapped. */
    private static final class MappedPage extends SimFile {
        private final Viommu viommu;

        MappedPage(Viommu viommu) {
            this.viommu = viommu;
            references = 0; // the mapping takes the first one
            viommu.users++;
            viommu.iommufd.machine.kernel().get(viommu.iommufd.file);
        }

        @Override
        void release() {
            KernelLock kernel = viommu.iommufd.machine.kernel();
            kernel.lock();
            try {
                viommu.users--;
                kernel.put(viommu.iommufd.file);
            } finally {
                kernel.unlock();
            }
        }

        @Override
        public String toString() {
            return "page of " + viommu;
        }
    }
}
