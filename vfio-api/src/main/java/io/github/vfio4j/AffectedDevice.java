package io.github.vfio4j;

/**
 * A device that a hot reset of another one resets, too ({@code struct vfio_pci_dependent_device}).
 *
 * @param address the device
 * @param group the number of its IOMMU group
 */
public record AffectedDevice(PciAddress address, int group) {}
