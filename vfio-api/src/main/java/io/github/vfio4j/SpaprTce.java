package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.SpaprPort;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * The IO address space of a container on PowerPC (sPAPR TCE): what {@link Container#setSpaprTceV1} and
 * {@link Container#setSpaprTceV2} give. Maps memory for the PCI devices of the container's groups, and opens them. It
 * ends when the container's last group leaves; every mapping and every window ends with it.
 *
 * <p>Memory is mapped inside {@linkplain #windows windows}, in units of a window's pages. A page of a window must not be
 * larger than those of the memory: the kernel answers {@code EPERM} otherwise. The kernel says little of its own accord:
 * it would replace what a new mapping overlaps, unmap parts of what was mapped, and looks at the first page of a range
 * alone to see whether that is in a window. So the library refuses such ranges, by the rules of type1, and unmaps buffer by
 * buffer.
 *
 * <p>A group that leaves takes all mappings of the container with it (Linux 6.12), also those that devices of other groups
 * use: these devices fault then.
 *
 * <p>All methods are safe from any thread. The kernel answers {@code EPERM} to any other process than the one that enabled
 * it, or registered memory or made a window first.
 *
 * <p>Source: linux/vfio.h and {@code drivers/vfio/vfio_iommu_spapr_tce.c} of Linux 6.12. Tested on made bytes alone: no
 * such machine was at hand. The numbers of the ioctls are other ones on PowerPC than on x86-64; the library converts them.
 */
public abstract sealed class SpaprTce extends AddressSpace permits SpaprTceV1, SpaprTceV2 {
    private static final int EEH = 5; // VFIO_EEH
    private static final long DEFAULT_PAGE = 4096; // tce_iommu_create_default_window: IOMMU_PAGE_SHIFT_4K, one level

    final Container container;
    // Guarded by lock.
    private List<SpaprWindow> windows; // ascending; null before the kernel was asked
    private Eeh eeh;

    SpaprTce(Container container) {
        super(container.vfio(), Operation.IOMMU_MAP_DMA, Operation.IOMMU_UNMAP_DMA);
        this.container = container;
    }

    /**
     * Returns the version that was set.
     *
     * @return the version
     */
    public abstract SpaprVersion version();

    /**
     * Asks the kernel for the default window and for what windows can be made ({@code VFIO_IOMMU_SPAPR_TCE_GET_INFO}).
     *
     * @return what it says now
     * @throws RuleViolation if this IOMMU has ended
     */
    public SpaprInfo info() {
        lock.lock();
        try {
            checkAlive(Operation.SPAPR_GET_INFO);
            return port().info();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Lists the windows: the default one, with pages of 4 KiB, and those that the program made.
     *
     * @return the windows, ascending
     * @throws RuleViolation if this IOMMU has ended
     */
    public List<SpaprWindow> windows() {
        lock.lock();
        try {
            checkAlive(Operation.SPAPR_GET_INFO);
            return knownWindows();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public List<IovaRange> ranges() {
        return windows().stream().map(SpaprWindow::range).toList();
    }

    /**
     * Returns the smallest page of all windows. What is mapped in a window is a multiple of that window's.
     *
     * @return bytes, a power of two
     * @throws RuleViolation if this IOMMU has ended
     */
    @Override
    public long granule() {
        lock.lock();
        try {
            checkAlive(Operation.SPAPR_GET_INFO);
            return smallestPage();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Opens a device of a group in this IOMMU's container ({@code VFIO_GROUP_GET_DEVICE_FD}); as
     * {@link Type1#openDevice(Group, PciAddress)}.
     *
     * @param group the device's group
     * @param address the device
     * @return the device, which is watched: see {@link Device#requested}
     * @throws RuleViolation if the group is closed or not in this container, or this IOMMU has ended
     * @throws VfioException {@code ENODEV} if the group has no such device on a VFIO driver, or what opening it gives
     */
    public Device openDevice(Group group, PciAddress address) {
        return open(group, address, null);
    }

    /**
     * Opens a virtual function whose physical one is bound to vfio-pci, or a physical one with virtual ones in use; as
     * {@link Type1#openDevice(Group, PciAddress, UUID)}.
     *
     * @param group the device's group
     * @param address the device
     * @param vfToken the token of the physical function
     * @return the device
     * @throws RuleViolation as {@link #openDevice(Group, PciAddress)}
     * @throws VfioException {@code EACCES} if the token is wrong, {@code EINVAL} if the device takes none, and as
     *     {@link #openDevice(Group, PciAddress)}
     */
    public Device openDevice(Group group, PciAddress address, UUID vfToken) {
        return open(group, address, Objects.requireNonNull(vfToken, "vfToken"));
    }

    private Device open(Group group, PciAddress address, UUID vfToken) {
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(address, "address");
        return container.openDevice(group, address.toString(), vfToken, this, () -> !ended(), true);
    }

    /**
     * Returns the error handling of the devices, if the machine has it on ({@code VFIO_CHECK_EXTENSION} with
     * {@code VFIO_EEH}).
     *
     * @return always the same object; empty for a machine without it
     * @throws RuleViolation if this IOMMU has ended
     */
    public Optional<Eeh> eeh() {
        lock.lock();
        try {
            checkAlive(Operation.CHECK_EXTENSION);
            if (container.port.checkExtension(EEH) <= 0) {
                return Optional.empty();
            }
            if (eeh == null) {
                eeh = new Eeh(this);
            }
            return Optional.of(eeh);
        } finally {
            lock.unlock();
        }
    }

    /**
     * {@inheritDoc}
     *
     * <p>The kernel unmaps buffer by buffer. If it refuses one, those before it are unmapped, and the memory of all is kept.
     */
    @Override
    public long unmap(long iova, long size) {
        return super.unmap(iova, size);
    }

    // ---- for those that belong to it; the lock is held

    SpaprPort port() {
        return container.port.spapr();
    }

    void checkAlive(Operation operation) {
        if (container.closed()) {
            throw new RuleViolation(Rule.HANDLE_OPEN, operation, "");
        }
        if (ended()) {
            throw new RuleViolation(Rule.INFO_NEEDS_IOMMU, operation, "");
        }
    }

    List<SpaprWindow> knownWindows() {
        if (windows == null) {
            windows = port().info().dma32Window().stream()
                    .map(range -> new SpaprWindow(range, DEFAULT_PAGE, 1))
                    .toList();
        }
        return windows;
    }

    void add(SpaprWindow made) {
        windows = Stream.concat(knownWindows().stream(), Stream.of(made))
                .sorted(Comparator.comparing(window -> window.range().first(), Long::compareUnsigned))
                .toList();
    }

    void remove(SpaprWindow gone) {
        windows = knownWindows().stream().filter(window -> !window.equals(gone)).toList();
    }

    boolean isEmpty(SpaprWindow window) {
        IovaRange range = window.range();
        return inRange(range.first(), range.last() - range.first() + 1).isEmpty();
    }

    long machinePage() {
        return container.vfio().kernel().pageSize();
    }

    // ---- the kernel's part of an address space

    @Override
    Facts alive() {
        return new Alive();
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
        return knownWindows().stream().mapToLong(SpaprWindow::pageSize).min().orElse(machinePage());
    }

    @Override
    List<IovaRange> usable() {
        return knownWindows().stream().map(SpaprWindow::range).toList();
    }

    /** Whatever is allocated consists of pages of the machine and of the smallest window. */
    @Override
    List<IovaRange> places() {
        long page = Math.max(machinePage(), smallestPage());
        return knownWindows().stream()
                .filter(window -> window.pageSize() <= page)
                .map(SpaprWindow::range)
                .toList();
    }

    @Override
    boolean finds(long iova, long size) {
        return true;
    }

    @Override
    long unmapInKernel(long iova, long size) {
        return unmapInKernel(inRange(iova, size));
    }

    @Override
    long unmapAllInKernel() {
        return unmapInKernel(all());
    }

    private long unmapInKernel(List<DmaBuffer> buffers) {
        buffers.forEach(this::unmapInKernel);
        return buffers.stream().mapToLong(DmaBuffer::size).sum(); // the kernel does not say
    }

    void unmapInKernel(DmaBuffer buffer) {
        container.port.unmapDma(buffer.iova(), buffer.size());
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
    }

    /** A range that is to be mapped or unmapped. */
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
            return knownWindows().stream()
                    .filter(window -> window.range().contains(new IovaRange(iova, iova)))
                    .mapToLong(SpaprWindow::pageSize)
                    .findFirst()
                    .orElse(smallestPage());
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
            return !usable().isEmpty() && insideUsable(iova, size);
        }
    }
}
