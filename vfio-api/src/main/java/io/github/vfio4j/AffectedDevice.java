package io.github.vfio4j;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A device that a hot reset of another one resets, too ({@code struct vfio_pci_dependent_device}). Of a device that was
 * opened through its group the kernel tells the affected devices' groups, of one that was opened by its own node whether
 * they are the program's.
 *
 * @param address the device
 * @param group the number of its IOMMU group; empty if the other one was opened by its own node
 * @param owned whether it, or all that are open of its group, are bound to the same iommufd; empty if the other one was
 *     opened through its group
 */
public record AffectedDevice(PciAddress address, OptionalInt group, Optional<Boolean> owned) {
    /** Nothing is null. */
    public AffectedDevice {
        Objects.requireNonNull(address, "address");
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(owned, "owned");
    }
}
