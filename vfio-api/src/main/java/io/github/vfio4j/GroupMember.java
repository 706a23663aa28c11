package io.github.vfio4j;

import java.util.Objects;
import java.util.Optional;

/**
 * A member of an IOMMU group and what its driver means for the group. A snapshot: it can change before the next call.
 *
 * @param name the kernel's name of the device; a PCI function is named by its address
 * @param driver the driver that it is bound to, if any
 * @param use what that means
 */
public record GroupMember(String name, Optional<String> driver, Use use) {
    /** Nothing is null. */
    public GroupMember {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(driver, "driver");
        Objects.requireNonNull(use, "use");
    }

    /** What the driver of a member means for the group. */
    public enum Use {
        /** Bound to a VFIO driver: a program can open it. */
        VFIO(true, "a program can open it"),
        /** Bound to no driver. */
        DRIVERLESS(true, "no driver, so no DMA; a program cannot open it"),
        /** A bridge. VFIO refuses bridges, and they do not keep the group from programs. */
        BRIDGE(true, "a bridge, which stays with the host and is in nobody's way"),
        /** Bound to a driver that does no DMA of its own: pci-stub or pcieport. */
        STUB(true, "a driver that does no DMA; a program cannot open it"),
        /** Bound to a driver of the host, which keeps the whole group from programs. */
        HOST_DRIVER(false, "a host driver, which keeps the whole group from programs"),
        /** No PCI function, or gone meanwhile: nobody knows. */
        UNKNOWN(false, "not a PCI function, or gone");

        private final boolean viable;
        private final String why;

        Use(boolean viable, String why) {
            this.viable = viable;
            this.why = why;
        }
    }

    /** Finds out what a PCI function is in its group. */
    static GroupMember of(PciDevice device) {
        Use use = device.driver()
                .map(driver -> switch (driver) {
                    case "pci-stub", "pcieport" -> device.isBridge() ? Use.BRIDGE : Use.STUB;
                    default -> driver.contains("vfio") ? Use.VFIO : Use.HOST_DRIVER;
                })
                .orElse(device.isBridge() ? Use.BRIDGE : Use.DRIVERLESS);
        return new GroupMember(device.address().toString(), device.driver(), use);
    }

    /**
     * Does this member leave the group to programs?
     *
     * @return true if so; a group is viable when all its members say so
     */
    public boolean viable() {
        return use.viable;
    }

    /** Returns a line such as {@code 0000:01:03.0 (e1000): a host driver, which keeps the whole group from programs}. */
    @Override
    public String toString() {
        return "%s (%s): %s".formatted(name, driver.orElse("no driver"), use.why);
    }
}
