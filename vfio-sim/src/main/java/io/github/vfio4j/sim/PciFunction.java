package io.github.vfio4j.sim;

import io.github.vfio4j.PciAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** A PCI function of a machine and the driver that it is bound to. Guarded by the kernel's lock. */
final class PciFunction {
    /** Drivers that leave the DMA of the group to others (driver_managed_dma). */
    private static final Set<String> NO_DMA_OF_THEIR_OWN = Set.of(SimMachine.VFIO_PCI, "pci-stub", "pcieport");

    private static final int LINES = 4;

    final PciAddress address;
    final PciModel model;
    final PciBars bars;

    /**
     * Its group. Null while it has none: where it is behind no IOMMU, it has one while it is bound to vfio-pci. Changed
     * under the kernel's lock, never while it is open.
     */
    volatile IommuGroup group;

    /** The one driver that may take it ({@code driver_override}). */
    Optional<String> override = Optional.empty();

    /** The host driver that is for it: the first that it was bound to without an override. */
    private Optional<String> hostDriver = Optional.empty();

    private Optional<String> driver = Optional.empty();
    private VfioDevice vfio; // while bound to vfio-pci

    /** The physical function whose virtual one it is; null for all others. */
    final PciFunction physical;

    /** The virtual functions that it can have, by their numbers. */
    final List<Virtual> virtual = new ArrayList<>();

    /** Those that it has. */
    int virtualFunctions;

    /** A virtual function that may come to be. */
    record Virtual(PciAddress address, PciModel model) {}

    PciFunction(PciAddress address, PciModel model, IommuGroup group, PciFunction physical) {
        this.address = address;
        this.model = model;
        this.bars = new PciBars(address, model);
        this.group = group;
        this.physical = physical;
    }

    Optional<String> driver() {
        return driver;
    }

    Optional<VfioDevice> vfio() {
        return Optional.ofNullable(vfio);
    }

    /** Is it bound to a driver of the host that uses it for DMA? */
    boolean ownedByHost() {
        return driver.isPresent() && !NO_DMA_OF_THEIR_OWN.contains(driver.get());
    }

    /** The interrupt line that its pin is wired to; those of functions without a pin are nobody else's. */
    int interruptLine() {
        int pin = model.interruptPin();
        return pin == 0 ? -1 : (address.device() + pin - 1) % LINES;
    }

    boolean isBridge() {
        return model.identity().classCode() >>> 8 == 0x0604;
    }

    /** Which driver would take it, as the PCI bus matches them? */
    Optional<String> matching() {
        return override.isPresent() ? override : hostDriver;
    }

    void bound(String to, VfioDevice device) {
        if (hostDriver.isEmpty() && override.isEmpty() && (ownsDma(to) || isBridge())) {
            hostDriver = Optional.of(to);
        }
        driver = Optional.of(to);
        vfio = device;
    }

    void unbound() {
        driver = Optional.empty();
        vfio = null;
    }

    static boolean ownsDma(String driver) {
        return !NO_DMA_OF_THEIR_OWN.contains(driver);
    }
}
