package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.spi.Facts;
import java.util.Arrays;
import java.util.List;

/**
 * The device that Linux has to test iommufd (CONFIG_IOMMUFD_TEST, struct mock_dev), bound from its start to its end. Its
 * IOMMU nests page tables and hands page faults on. No program sees more of it than {@link MockCalls} shows. Guarded by the
 * kernel's lock.
 */
final class MockDevice extends BoundDevice {
    /** Pages of 2 KiB from 16 MiB to 2 GiB (MOCK_APERTURE_START, MOCK_APERTURE_LAST). */
    static final SimIommu IOMMU = new SimIommu(
            0x7fff_ffffL, 0x800 | Memory.PAGE, true, List.of(new IovaRange(0, 0xff_ffffL)), true);

    private PageTableObject table; // null while not attached
    private final int[] cache = {REMEMBERED, REMEMBERED, REMEMBERED, REMEMBERED}; // MOCK_DEV_CACHE_NUM

    /** As a guest knows it; null if none does. */
    VirtualDevice virtual;

    private static final int EVENTS = 0xbeefbeef; // IOMMU_VEVENTQ_TYPE_SELFTEST
    private static final int REMEMBERED = 0xbaddad; // IOMMU_TEST_DEV_CACHE_DEFAULT

    MockDevice(Iommufd iommufd) {
        super(iommufd);
    }

    @Override
    boolean keepsIommufd() {
        return false; // it ends with that
    }

    @Override
    SimIommu iommu() {
        return IOMMU;
    }

    @Override
    int attach(int to, Operation operation, Facts others) {
        IommuObject target = iommufd.find(to).orElse(null);
        PageTableObject present = target instanceof PageTableObject made ? made : target instanceof Ioas ioas ? present(ioas) : null;
        Facts made = target instanceof Ioas ioas && present == null ? new Hwpt.MakeFacts(ioas, IOMMU) : new Facts() {};
        KernelError.check(iommufd.machine.profile(), operation, new AttachToFacts(others, made) {
            @Override
            public boolean objectKnown() {
                return target != null;
            }

            @Override
            public boolean objectFits() {
                return present != null || target instanceof Ioas;
            }

            @Override
            public boolean deviceKnownToGuest() {
                return viommuOf(present) == null || isKnownTo(viommuOf(present));
            }
        });
        move(present != null ? present : new Hwpt((Ioas) target, IOMMU, true, false, false));
        return table.id;
    }

    private boolean isKnownTo(Viommu viommu) {
        return virtual != null && virtual.viommu() == viommu;
    }

    private static Viommu viommuOf(PageTableObject table) {
        return table instanceof NestedHwpt nested && nested.parent() instanceof Viommu viommu ? viommu : null;
    }

    private static Hwpt present(Ioas ioas) {
        return ioas.pageTables().stream()
                .filter(hwpt -> hwpt.automatic && hwpt.iommu == IOMMU)
                .findFirst()
                .orElse(null);
    }

    private void move(PageTableObject to) {
        if (to != table) {
            to.users++;
            detach();
            table = to;
            users++;
            if (to instanceof Hwpt hwpt) {
                hwpt.ioas.reserve(this, IOMMU.reserved());
            }
        }
    }

    @Override
    void detach() {
        if (table == null) {
            return;
        }
        PageTableObject from = table;
        table = null;
        users--;
        if (from.faults() != null) {
            from.faults().answer(this);
        }
        from.users--;
        if (from instanceof Hwpt hwpt) {
            hwpt.ioas.unreserve(this);
            if (hwpt.automatic && hwpt.users == 0) {
                iommufd.destroy(hwpt);
            }
        }
    }

    /** It requests a page; nobody hears of that if its page table has no fault queue. */
    void fault(int pasid, int group, int permissions, long address) {
        boolean found = pasid == 0 || table instanceof NestedHwpt; // a guest has the PASIDs in its own tables
        if (found && table != null && table.faults() != null) {
            table.faults().add(new FaultQueue.Group(this, pasid, group, permissions, address));
        }
    }

    /** Its virtual IOMMU has something to tell of it. */
    void event() {
        Viommu viommu = viommuOf(table);
        if (viommu == null || !isKnownTo(viommu) || virtual.virtualId == 0) {
            throw new KernelError(Errno.ENOENT);
        }
        VirtualEventQueue queue = viommu.eventQueues.get(EVENTS);
        if (queue == null) {
            throw new KernelError(Errno.EOPNOTSUPP);
        }
        queue.report((int) virtual.virtualId);
    }

    /** What its IOMMU remembers of it at an index; not even that beyond the end. */
    boolean remembers(int index, int value) {
        return Integer.compareUnsigned(index, cache.length) < 0 && cache[index] == value;
    }

    /** Has its IOMMU forget something of it, or all; false beyond the end. */
    boolean forget(int index, boolean all) {
        if (Integer.compareUnsigned(index, cache.length) >= 0) {
            return false;
        }
        Arrays.fill(cache, all ? 0 : index, all ? cache.length : index + 1, 0);
        return true;
    }

    @Override
    void destroyed() {
        if (virtual != null) {
            iommufd.destroy(virtual);
        }
        super.destroyed();
    }

    @Override
    public String toString() {
        return "device " + id + ": a mock";
    }

    /** Who has it, by whose number a program ends it (Linux: struct selftest_obj). */
    static final class Owner extends IommuObject {
        MockDevice device;

        Owner(Iommufd iommufd) {
            super(iommufd);
        }

        @Override
        void destroyed() {
            if (device != null) {
                device.unbind();
            }
        }

        @Override
        public String toString() {
            return "mock " + id;
        }
    }
}
