package io.github.vfio4j;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A PCI function as sysfs shows it. A snapshot: driver and group can change at any time.
 *
 * @param address where it is
 * @param vendorId the vendor, such as 0x8086
 * @param deviceId the device, such as 0x10d3
 * @param classCode base class, subclass and programming interface, such as 0x010802 for an NVMe controller
 * @param driver the driver that it is bound to, if any
 * @param iommuGroup its IOMMU group; empty when no IOMMU isolates it
 */
public record PciDevice(
        PciAddress address,
        int vendorId,
        int deviceId,
        int classCode,
        Optional<String> driver,
        OptionalInt iommuGroup) {
    /** Nothing is null. */
    public PciDevice {
        Objects.requireNonNull(address, "address");
        Objects.requireNonNull(driver, "driver");
        Objects.requireNonNull(iommuGroup, "iommuGroup");
    }

    /**
     * Is it a bridge to another bus? VFIO gives no bridge to a program.
     *
     * @return true if its class is PCI-to-PCI bridge or CardBus bridge
     */
    public boolean isBridge() {
        int kind = classCode >>> 8;
        return kind == 0x0604 || kind == 0x0607;
    }

    /** Returns a line such as {@code 0000:00:05.0 1b36:0010 class 010802 driver vfio-pci group 4}. */
    @Override
    public String toString() {
        return "%s %04x:%04x class %06x driver %s group %s"
                .formatted(
                        address,
                        vendorId,
                        deviceId,
                        classCode,
                        driver.orElse("none"),
                        iommuGroup.isPresent() ? iommuGroup.getAsInt() : "none");
    }
}
