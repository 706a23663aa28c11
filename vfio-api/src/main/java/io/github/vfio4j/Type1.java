package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;

/**
 * The IO address space of a container: what {@code VFIO_SET_IOMMU} gives. Maps memory for the devices of the container's groups, and
 * opens them. It ends when the container's last group leaves; every mapping ends with it.
 *
 * <p>All methods are safe from any thread.
 */
public final class Type1 extends AddressSpace {
    private static final int DMA_CC = 4; // VFIO_DMA_CC_IOMMU
    private static final int UNMAP_ALL = 9; // VFIO_UNMAP_ALL
    private static final int UPDATE_VADDR = 10; // VFIO_UPDATE_VADDR

    private final Container container;
    private final IommuType type;
    // Guarded by lock.
    private final Set<DmaBuffer> withoutAddress = new HashSet<>(); // of those that are mapped
    private Type1Info limits;
    private DirtyTracking tracking; // null while it is off
    private final boolean losesTopMappings;

    Type1(Container container, IommuType type) {
        super(
                container.vfio(),
                container.isIommufd() ? Operation.COMPAT_MAP_DMA : Operation.IOMMU_MAP_DMA,
                container.isIommufd() ? Operation.COMPAT_UNMAP_DMA : Operation.IOMMU_UNMAP_DMA);
        this.container = container;
        this.type = type;
        this.losesTopMappings = !container.port.keepsTopMappings();
    }

    /**
     * Returns the type that was set.
     *
     * @return the type
     */
    public IommuType type() {
        return type;
    }

    /**
     * Asks the kernel for the limits ({@code VFIO_IOMMU_GET_INFO}). They change when groups join or leave.
     *
     * @return the limits now
     * @throws RuleViolation if this IOMMU has ended
     */
    public Type1Info info() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_GET_INFO, alive());
            return container.port.iommuInfo();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Opens a device of a group in this IOMMU's container ({@code VFIO_GROUP_GET_DEVICE_FD}). The first open of a PCI
     * device enables it, resets it if it can be reset, and turns bus mastering off. The device is watched: see
     * {@link Device#requested}.
     *
     * @param group the device's group
     * @param address the device
     * @return the device
     * @throws RuleViolation if the group is closed or not in this container, or this IOMMU has ended
     * @throws VfioException {@code ENODEV} if the group has no such device on a VFIO driver, or what opening it gives
     */
    public Device openDevice(Group group, PciAddress address) {
        return open(group, address, null, true);
    }

    /**
     * Opens a virtual function whose physical one is bound to vfio-pci, or a physical one with virtual ones in use: the
     * token shows that the programs trust each other ({@code vf_token=} behind the device's name). Opening a physical
     * function whose virtual ones nobody has open sets the token. Otherwise as {@link #openDevice(Group, PciAddress)}.
     *
     * @param group the device's group
     * @param address the device
     * @param vfToken the token of the physical function, which its program chose so or with {@link Features#setVfToken}
     * @return the device
     * @throws RuleViolation as {@link #openDevice(Group, PciAddress)}
     * @throws VfioException {@code EACCES} if the token is wrong, {@code EINVAL} if the device takes none, and as
     *     {@link #openDevice(Group, PciAddress)}, which is refused with {@code EACCES} where a token is needed
     */
    public Device openDevice(Group group, PciAddress address, UUID vfToken) {
        return open(group, address, Objects.requireNonNull(vfToken, "vfToken"), true);
    }

    /**
     * Opens a device without watching it: spares two eventfds, and nobody hears when the device is asked back or reports
     * an error. Otherwise as {@link #openDevice(Group, PciAddress)}.
     *
     * @param group the device's group
     * @param address the device
     * @return the device
     * @throws RuleViolation as {@link #openDevice(Group, PciAddress)}
     * @throws VfioException as {@link #openDevice(Group, PciAddress)}
     */
    public Device openDeviceUnwatched(Group group, PciAddress address) {
        return open(group, address, null, false);
    }

    /**
     * Opens a PCI device.
     *
     * @param vfToken the token of the physical function; null for none
     */
    Device open(Group group, PciAddress address, UUID vfToken, boolean watched) {
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(address, "address");
        return container.openDevice(group, address.toString(), vfToken, this, () -> !ended(), watched);
    }

    /**
     * Opens a mediated device of a group in this IOMMU's container ({@code VFIO_GROUP_GET_DEVICE_FD}). Its driver in the
     * kernel does all DMA for it, and reaches no more than what is mapped here.
     *
     * @param group the device's group: {@link Vfio#groupOf}
     * @param mediatedDevice the device's name
     * @return the device
     * @throws RuleViolation as {@link #openDevice(Group, PciAddress)}
     * @throws VfioException as {@link #openDevice(Group, PciAddress)}
     */
    public Device openDevice(Group group, UUID mediatedDevice) {
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(mediatedDevice, "mediatedDevice");
        return container.openDevice(group, mediatedDevice.toString(), null, this, () -> !ended(), false);
    }

    /**
     * Tells whether all IOMMUs of the container make DMA coherent with the caches, whatever a device asks for
     * ({@code VFIO_DMA_CC_IOMMU}). On x86 DMA is coherent in any case, unless a device asks for no snooping.
     *
     * @return true if they do, and with mediated devices alone
     * @throws RuleViolation if this IOMMU has ended
     */
    public boolean coherent() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_GET_INFO, alive());
            return container.port.checkExtension(DMA_CC) > 0;
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

    // ---- unmapping

    /**
     * Tells whether the kernel unmaps everything in one call ({@code VFIO_UNMAP_ALL}), as {@link #unmapAll} has it do.
     *
     * @return true on each Linux that the library is for
     * @throws RuleViolation if this IOMMU has ended
     */
    public boolean unmapsAll() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_GET_INFO, alive());
            return container.port.checkExtension(UNMAP_ALL) > 0;
        } finally {
            lock.unlock();
        }
    }

    /**
     * {@inheritDoc}
     *
     * <p>A type1 v1 IOMMU takes the first buffer in the range as its measure: if that starts before the range, nothing at
     * all is unmapped; else every buffer that starts in the range goes, also the part of it that lies behind the range. An
     * iommufd in place of a container would unmap a part of a buffer there, which is refused.
     * Before Linux 7 nothing is unmapped in a range that ends at the very top of the address space.
     */
    @Override
    public long unmap(long iova, long size) {
        return super.unmap(iova, size);
    }

    // ---- dirty pages

    /**
     * Starts to track which pages devices write ({@code VFIO_IOMMU_DIRTY_PAGES_FLAG_START}).
     *
     * @return the tracking; the same object while it is on
     * @throws RuleViolation if this is a type1 v1 IOMMU or of an iommufd, or has ended
     * @throws VfioException {@code ENOMEM} if the kernel has no memory for the bitmaps
     */
    public DirtyTracking trackDirtyPages() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_DIRTY_PAGES, alive());
            if (tracking == null) {
                container.port.trackDirtyPages(true);
                tracking = new DirtyTracking(new Tracker());
            }
            return tracking;
        } finally {
            lock.unlock();
        }
    }

    private final class Tracker implements DirtyTracking.Tracker {
        @Override
        public DirtyBitmap read(DirtyTracking asked, DmaBuffer buffer) {
            return dirtyPages(asked, buffer);
        }

        @Override
        public DirtyBitmap read(DirtyTracking asked, long iova, long size) {
            return dirtyPages(asked, iova, size);
        }

        @Override
        public DirtyBitmap unmap(DirtyTracking asked, DmaBuffer buffer) {
            return unmapDirty(asked, buffer);
        }

        @Override
        public void stop(DirtyTracking asked) {
            stopTracking(asked);
        }
    }

    void stopTracking(DirtyTracking stopped) {
        lock.lock();
        try {
            if (tracking == stopped) {
                if (!ended()) {
                    container.port.trackDirtyPages(false);
                }
                tracking = null;
            }
        } finally {
            lock.unlock();
        }
    }

    DirtyBitmap dirtyPages(DirtyTracking asked, DmaBuffer buffer) {
        lock.lock();
        try {
            checkMapped(buffer);
            return dirtyPages(asked, buffer.iova(), buffer.size());
        } finally {
            lock.unlock();
        }
    }

    DirtyBitmap dirtyPages(DirtyTracking asked, long iova, long size) {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_DIRTY_PAGES, alive());
            long page = limits().granule();
            Rule.check(contract, Operation.IOMMU_DIRTY_PAGES, new Request(iova, size) {
                @Override
                public boolean dirtyBitmapFits() {
                    long most = limits().dirtyTracking().map(DirtyTrackingInfo::largestBitmap).orElse(0L);
                    return Long.compareUnsigned(size / page, most * Byte.SIZE) <= 0;
                }

                @Override
                public boolean dirtyTracking() {
                    return tracking == asked;
                }

                @Override
                public boolean dirtyBitmapsApart() {
                    return inRange(iova, size).stream()
                            .allMatch(buffer -> (buffer.iova() - iova) % (page * Long.SIZE) == 0);
                }
            });
            long[] words = DirtyBitmap.words(size, page);
            container.port.dirtyPages(iova, size, page, words);
            return new DirtyBitmap(iova, size, page, words);
        } finally {
            lock.unlock();
        }
    }

    DirtyBitmap unmapDirty(DirtyTracking asked, DmaBuffer buffer) {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_UNMAP_DMA, alive());
            long page = limits().granule();
            Rule.check(contract, Operation.IOMMU_UNMAP_DMA, new Request(buffer.iova(), buffer.size()) {
                @Override
                public boolean dirtyTracking() {
                    return tracking == asked;
                }
            });
            checkMapped(buffer);
            long[] words = DirtyBitmap.words(buffer.size(), page);
            checkUnmapped(buffer, container.port.unmapDma(buffer.iova(), buffer.size(), page, words));
            forget(buffer);
            return new DirtyBitmap(buffer.iova(), buffer.size(), page, words);
        } finally {
            lock.unlock();
        }
    }

    // ---- addresses

    /**
     * Tells whether the kernel can take and give addresses of mappings ({@code VFIO_UPDATE_VADDR}): not while a group of
     * mediated devices is in the container.
     *
     * @return true if it can
     * @throws RuleViolation if this IOMMU has ended
     */
    public boolean updatesAddresses() {
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_GET_INFO, alive());
            return container.port.checkExtension(UPDATE_VADDR) > 0;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes the kernel forget where a buffer's memory is in this program ({@code VFIO_DMA_UNMAP_FLAG_VADDR}); devices keep
     * reaching the memory. What needs the address waits or is refused until it is {@linkplain #giveAddress given anew}: no
     * group may join the container meanwhile. For programs that hand a container to another process.
     *
     * @param buffer a buffer of this IOMMU
     * @throws RuleViolation if the buffer lost its address already, a group of mediated devices is in the container, or
     *     this IOMMU has ended
     * @throws IllegalArgumentException if the buffer is not mapped in this IOMMU
     */
    public void takeAddress(DmaBuffer buffer) {
        Objects.requireNonNull(buffer, "buffer");
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_UNMAP_DMA, alive());
            Rule.check(
                    contract,
                    Operation.IOMMU_UNMAP_DMA,
                    new Request(buffer.iova(), buffer.size()) {
                        @Override
                        public boolean addressesToTake() {
                            return true;
                        }

                        @Override
                        public boolean emulatedGroupAttached() {
                            return !updatesAddresses();
                        }

                        @Override
                        public boolean addressMissing() {
                            return withoutAddress.contains(buffer);
                        }
                    });
            checkMapped(buffer);
            long taken = container.port.takeAddresses(buffer.iova(), buffer.size());
            withoutAddress.add(buffer);
            checkUnmapped(buffer, taken);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Tells the kernel where a buffer's memory is in this program ({@code VFIO_DMA_MAP_FLAG_VADDR}), after it
     * {@linkplain #takeAddress forgot}.
     *
     * @param buffer a buffer of this IOMMU that lost its address
     * @throws RuleViolation if the buffer has its address or is not mapped, or this IOMMU has ended
     * @throws VfioException {@code ENOMEM} over the limit on locked memory, if another process had mapped it
     */
    public void giveAddress(DmaBuffer buffer) {
        Objects.requireNonNull(buffer, "buffer");
        lock.lock();
        try {
            Rule.check(contract, Operation.IOMMU_MAP_DMA, alive());
            Rule.check(contract, Operation.IOMMU_MAP_DMA, new Request(buffer.iova(), buffer.size()) {
                @Override
                public boolean overlapsMapping() {
                    return false; // it is to be there
                }

                @Override
                public boolean addressHasTarget() {
                    return overlaps(buffer.iova(), buffer.size()); // by another mapping, too
                }

                @Override
                public boolean addressAwaited() {
                    return withoutAddress.contains(buffer);
                }
            });
            container.port.giveAddress(buffer.iova(), buffer.segment().address(), buffer.size());
            withoutAddress.remove(buffer);
        } finally {
            lock.unlock();
        }
    }

    @Override
    boolean addressMissing() {
        lock.lock();
        try {
            return !withoutAddress.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    // ---- the container's doings

    @Override
    void limitsChanged() {
        lock.lock();
        try {
            limits = null;
        } finally {
            lock.unlock();
        }
    }

    private Type1Info limits() {
        if (limits == null || container.isIommufd()) { // there they change with the devices that are open
            limits = container.port.iommuInfo();
        }
        return limits;
    }

    // ---- the kernel's part of an address space

    @Override
    Facts alive() {
        return new Alive();
    }

    /** Also where an iommufd stands in, which itself has its mappings as long as it is open. */
    @Override
    void checkAlive(Operation operation) {
        super.checkAlive(
                switch (operation) {
                    case COMPAT_MAP_DMA -> Operation.IOMMU_MAP_DMA;
                    case COMPAT_UNMAP_DMA -> Operation.IOMMU_UNMAP_DMA;
                    default -> operation;
                });
    }

    @Override
    Facts request(long iova, long address, long size) {
        return new Request(iova, size) {
            @Override
            public long address() {
                return address;
            }
        };
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
        return !(type == IommuType.TYPE1 && !container.cuts() && startsBefore(iova))
                && !(losesTopMappings && iova + size == 0); // the end of the range is 0 there: nothing lies before it
    }

    @Override
    void mapInKernel(long iova, long address, long size, Access access) {
        container.port.mapDma(iova, address, size, access.flags());
    }

    @Override
    long unmapInKernel(long iova, long size) {
        return container.port.unmapDma(iova, size);
    }

    @Override
    long unmapAllInKernel() {
        return container.port.unmapAll();
    }

    @Override
    void forgotten(DmaBuffer buffer) {
        if (!withoutAddress.isEmpty()) { // most programs take no addresses
            withoutAddress.remove(buffer);
        }
    }

    private class Alive implements Facts {
        @Override
        public boolean handleOpen() {
            return !container.closed();
        }

        @Override
        public boolean iommuSet() {
            return !ended();
        }

        @Override
        public boolean type1V2() {
            return type == IommuType.TYPE1_V2 && !container.isIommufd();
        }
    }

    /** A range that is to be mapped, unmapped or read. */
    private class Request extends Alive {
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
        public boolean topIsLost() {
            return losesTopMappings;
        }

        @Override
        public boolean overlapsMapping() {
            return overlaps(iova, size);
        }

        @Override
        public boolean cutsMapping() {
            return type == IommuType.TYPE1_V2 && !container.cuts() && cuts(iova, size);
        }

        @Override
        public boolean cutsPart() {
            return container.cuts() && cuts(iova, size);
        }

        @Override
        public boolean insideIovaRange() {
            return insideUsable(iova, size);
        }
    }
}
