package io.github.vfio4j;

/** What is made of a virtual IOMMU and goes before it. */
sealed interface OfViommu permits NestedHwpt, VirtualDevice, VirtualEventQueue, HardwareQueue {
    void close();
}
