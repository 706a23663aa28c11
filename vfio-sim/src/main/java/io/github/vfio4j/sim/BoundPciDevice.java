package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.spi.Facts;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A PCI function that is bound to an iommufd, which owns the DMA of its group (Linux: struct iommufd_device). */
final class BoundPciDevice extends BoundDevice {
    final VfioDevice device;
    private final IommuGroup iommuGroup;
    private final AttachedGroup group;
    private final Map<Integer, Hwpt> pasids = new HashMap<>(); // attached; no device here makes DMA with one

    /** Binds a device that nothing refuses. */
    BoundPciDevice(Iommufd iommufd, VfioDevice device) {
        super(iommufd);
        this.device = device;
        this.iommuGroup = device.group.iommuGroup();
        this.group = iommufd.attached(iommuGroup);
        iommuGroup.claim(iommufd);
    }

    @Override
    SimIommu iommu() {
        return iommuGroup.iommu;
    }

    private boolean isAttached() {
        return group.devices.contains(this);
    }

    private List<IovaRange> reserved() {
        return iommuGroup.iommu.reserved();
    }

    @Override
    int attach(int to, Operation operation, Facts others) {
        IommuObject target = iommufd.find(to).orElse(null);
        Hwpt present = target instanceof Hwpt table ? table : target instanceof Ioas ioas ? present(ioas) : null;
        boolean isNew = target instanceof Ioas && present == null;
        Ioas ioas = present != null ? present.ioas : isNew ? (Ioas) target : null;
        boolean moves = isAttached();
        boolean refusesPasids = !pasids.isEmpty() && (present == null || !present.takesPasids);
        // A page table is filled once the device is attached to it, but before the device moves to it.
        boolean filled = isNew && (moves || !refusesPasids);
        Facts made = filled ? new Hwpt.MakeFacts(ioas, iommuGroup.iommu) : new Facts() {};
        KernelError.check(iommufd.machine.profile(), operation, new AttachToFacts(others, made) {
            @Override
            public boolean objectKnown() {
                return target != null;
            }

            @Override
            public boolean objectFits() {
                return ioas != null;
            }

            @Override
            public boolean groupAttachedElsewhere() {
                return !isAttached() && group.hwpt != null && group.hwpt != present;
            }

            @Override
            public boolean reservedIsFree() {
                boolean asked = !moves || !isNew || canBeFilled(made);
                return staysIn(ioas) || super.reservedIsFree() && (!asked || ioas.isFree(reserved()));
            }

            @Override
            public boolean pageRequestsSupported() {
                return present == null || present.faults() == null; // no device here requests pages
            }
        });
        if (refusesPasids) {
            throw new KernelError(Errno.EINVAL);
        }
        if (present != null && !present.iommu.sharesDomain(iommuGroup.iommu)) {
            throw new KernelError(Errno.EINVAL); // the IOMMU's driver refuses
        }
        move(isNew ? new Hwpt(ioas, iommuGroup.iommu, true, false, false) : present);
        return group.hwpt.id;
    }

    private static boolean canBeFilled(Facts made) {
        return made.mappingsAligned()
                && made.accessGiven()
                && made.filesAreMemory()
                && made.memoryAccessible()
                && made.withinMemlock();
    }

    /** Is it moved between page tables of one address space, or to the very same? */
    private boolean staysIn(Ioas ioas) {
        return isAttached() && group.hwpt.ioas == ioas;
    }

    /** Which page table of an address space it can use, of those that were made for others; null for none. */
    private Hwpt present(Ioas ioas) {
        return ioas.pageTables().stream()
                .filter(table -> table.automatic
                        && (isAttached() || group.hwpt == null || group.hwpt == table)
                        && table.iommu.sharesDomain(iommuGroup.iommu))
                .findFirst()
                .orElse(null);
    }

    /** Attaches it, or moves it with all devices of its group that are attached. */
    private void move(Hwpt to) {
        Hwpt from = group.hwpt;
        if (isAttached() && from == to) {
            return;
        }
        if (isAttached()) {
            for (BoundPciDevice moved : group.devices) {
                from.ioas.unreserve(moved);
                to.ioas.reserve(moved, reserved());
            }
            int moved = group.devices.size();
            to.users += moved;
            from.ioas.table.translate(iommuGroup, to);
            group.hwpt = to;
            drop(from, moved);
            return;
        }
        to.ioas.reserve(this, reserved());
        to.users++;
        users++;
        group.devices.add(this);
        if (from == null) {
            group.hwpt = to;
            to.ioas.table.translate(iommuGroup, to);
        }
    }

    private void drop(Hwpt table, int times) {
        table.users -= times;
        if (table.automatic && table.users == 0) {
            iommufd.destroy(table);
        }
    }

    @Override
    void attachPasid(int pasid, int to) {
        IommuObject target = iommufd.find(to).orElse(null);
        Hwpt table = target instanceof Hwpt made ? made : null;
        KernelError.check(iommufd.machine.profile(), Operation.DEVICE_ATTACH_PASID, new Facts() {
            @Override
            public boolean objectKnown() {
                return target != null;
            }

            @Override
            public boolean objectFits() {
                return table != null || target instanceof Ioas;
            }

            @Override
            public boolean tablesTakePasids() {
                boolean takes = table == null ? !(target instanceof Ioas) : table.takesPasids;
                return takes && (!isAttached() || group.hwpt.takesPasids);
            }
        });
        detachPasid(pasid);
        pasids.put(pasid, table);
        table.users++;
    }

    @Override
    void detachPasid(int pasid) {
        Hwpt table = pasids.remove(pasid);
        if (table != null) {
            table.users--;
        }
    }

    @Override
    void detach() {
        if (!isAttached()) {
            return;
        }
        Hwpt from = group.hwpt;
        group.devices.remove(this);
        if (group.devices.isEmpty()) {
            from.ioas.table.translate(iommuGroup, null);
            group.hwpt = null;
        }
        from.ioas.unreserve(this);
        users--;
        drop(from, 1);
    }

    @Override
    void destroyed() {
        List.copyOf(pasids.keySet()).forEach(this::detachPasid);
        iommuGroup.unclaim();
        super.destroyed();
    }

    @Override
    public String toString() {
        return "device " + id + ": " + device.function.address;
    }
}
