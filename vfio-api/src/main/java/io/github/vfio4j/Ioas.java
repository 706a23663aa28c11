package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import java.util.List;

/**
 * An IO address space of an iommufd ({@code IOMMU_IOAS_ALLOC}). Memory can be mapped before and after devices are
 * attached: {@link Device#attach}. From the first attached device on it is pinned.
 *
 * <p>All methods are safe from any thread.
 */
public final class Ioas extends AddressSpace implements PageTable, AutoCloseable {
    private static final long EVERYTHING = -1; // with IOVA 0

    final int id;
    private final Iommufd iommufd;
    private IoasInfo info; // as the kernel said; null if that has changed. Guarded by lock
    private volatile boolean closed;

    Ioas(Iommufd iommufd, int id) {
        super(iommufd.vfio(), Operation.IOAS_MAP, Operation.IOAS_UNMAP);
        this.iommufd = iommufd;
        this.id = id;
    }

    /**
     * Returns this.
     *
     * @return this address space
     */
    @Override
    public Ioas ioas() {
        return this;
    }

    /**
     * Asks the kernel what can be mapped here ({@code IOMMU_IOAS_IOVA_RANGES}). It changes when devices are attached or
     * detached.
     *
     * @return the limits now
     * @throws RuleViolation if this address space is closed
     */
    public IoasInfo info() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOAS_IOVA_RANGES, alive());
            return iommufd.port.info(id);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public List<IovaRange> ranges() {
        return info().ranges();
    }

    @Override
    public long granule() {
        return info().granule();
    }

    /**
     * Detaches the devices that are attached here, destroys the address space with all mappings, then frees the memory
     * ({@code VFIO_DEVICE_DETACH_IOMMUFD_PT}, {@code IOMMU_DESTROY}). The devices stay open. Idempotent; also done when the
     * iommufd is closed.
     *
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same, and memory that may
     *     still be mapped is kept until the iommufd is closed
     */
    @Override
    public void close() {
        iommufd.lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            Teardown teardown = new Teardown();
            teardown.step(() -> iommufd.detachFrom(this));
            if (teardown.step(() -> iommufd.port.destroy(id))) {
                dropped(teardown);
            } else {
                teardown.step(this::release);
            }
            teardown.finish();
        } finally {
            iommufd.lock.unlock();
        }
    }

    /** The kernel has it no more: nothing is mapped. The iommufd's lock is held. */
    void dropped(Teardown teardown) {
        teardown.step(() -> end(() -> {}));
        iommufd.forget(this);
    }

    Iommufd iommufd() {
        return iommufd;
    }

    boolean closed() {
        return closed;
    }

    /** A device was attached or detached: ask again. */
    void limitsChanged() {
        lock.lock();
        try {
            info = null;
        } finally {
            lock.unlock();
        }
    }

    // ---- the kernel's part of an address space

    private IoasInfo limits() {
        if (info == null) {
            info = iommufd.port.info(id);
        }
        return info;
    }

    @Override
    Facts alive() {
        return new Alive();
    }

    @Override
    Facts request(long iova, long size) {
        return new Request(iova, size);
    }

    @Override
    long smallestPage() {
        return limits().granule();
    }

    @Override
    List<IovaRange> usable() {
        return limits().ranges();
    }

    @Override
    boolean finds(long iova, long size) {
        return true;
    }

    @Override
    void mapInKernel(long iova, long address, long size, Access access) {
        iommufd.port.map(id, iova, address, size, access);
    }

    @Override
    long unmapInKernel(long iova, long size) {
        return inRange(iova, size).isEmpty() ? 0 : iommufd.port.unmap(id, iova, size); // it refuses to unmap nothing
    }

    @Override
    long unmapAllInKernel() {
        return iommufd.port.unmap(id, 0, EVERYTHING);
    }

    private class Alive implements Facts {
        @Override
        public boolean handleOpen() {
            return !closed;
        }
    }

    /** A range that is to be mapped or unmapped. */
    private final class Request extends Alive {
        private final long iova;
        private final long size;

        Request(long iova, long size) {
            this.iova = iova;
            this.size = size;
        }

        @Override
        public long iova() {
            return iova;
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public long granule() {
            return smallestPage();
        }

        @Override
        public boolean overlapsMapping() {
            return overlaps(iova, size);
        }

        @Override
        public boolean cutsMapping() {
            return cuts(iova, size);
        }

        @Override
        public boolean insideIovaRange() {
            return insideUsable(iova, size);
        }
    }
}
