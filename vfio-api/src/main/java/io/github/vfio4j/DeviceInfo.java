package io.github.vfio4j;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * What {@code VFIO_DEVICE_GET_INFO} says of a device ({@code struct vfio_device_info}).
 *
 * @param bus what kind of device it is, which decides what its indexes mean
 * @param resettable {@code VFIO_DEVICE_RESET} works ({@code VFIO_DEVICE_FLAGS_RESET})
 * @param regions how many regions there are; indexes run from 0
 * @param irqs how many interrupt indexes there are
 * @param capabilities what else the kernel tells
 */
public record DeviceInfo(
        Bus bus, boolean resettable, int regions, int irqs, List<DeviceCapability> capabilities) {
    /** The kinds of devices, one for each flag {@code VFIO_DEVICE_FLAGS_...}. */
    public enum Bus {
        /** A PCI function, or a mediated device that looks like one ({@code vfio-pci}). */
        PCI,
        /** A platform device. */
        PLATFORM,
        /** A device of Arm's AMBA bus. */
        AMBA,
        /** A channel of s390. */
        CCW,
        /** An adjunct processor of s390. */
        AP,
        /** A device of NXP's management complex. */
        FSL_MC,
        /** A device of AMD's CDX bus. */
        CDX,
        /** None of these. */
        OTHER
    }

    /** Copies the list. */
    public DeviceInfo {
        Objects.requireNonNull(bus, "bus");
        capabilities = Given.elements(capabilities, "capabilities");
    }

    /**
     * Tells whether its regions and interrupts are those of a PCI function.
     *
     * @return true on the bus {@link Bus#PCI}
     */
    public boolean pci() {
        return bus == Bus.PCI;
    }

    /**
     * Finds a capability.
     *
     * @param <T> the capability's type
     * @param type which
     * @return the first of that type
     */
    public <T extends DeviceCapability> Optional<T> capability(Class<T> type) {
        Objects.requireNonNull(type, "type");
        return capabilities.stream().filter(type::isInstance).map(type::cast).findFirst();
    }
}
