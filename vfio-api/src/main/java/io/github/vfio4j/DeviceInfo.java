package io.github.vfio4j;

/**
 * What {@code VFIO_DEVICE_GET_INFO} says of a device ({@code struct vfio_device_info}).
 *
 * @param pci the device is a PCI function ({@code VFIO_DEVICE_FLAGS_PCI})
 * @param resettable {@code VFIO_DEVICE_RESET} works ({@code VFIO_DEVICE_FLAGS_RESET})
 * @param regions how many regions there are; indexes run from 0
 * @param irqs how many interrupt indexes there are
 */
public record DeviceInfo(boolean pci, boolean resettable, int regions, int irqs) {}
