package io.github.vfio4j;

import io.github.vfio4j.spi.Kernel;
import java.util.List;
import java.util.stream.Collectors;

/** Looks around after a refusal of the kernel for what may have caused it. A hint: the state may have changed since. */
final class Diagnosis {
    private Diagnosis() {}

    /** Says who the members of a group are and which driver each is bound to. */
    static String ofGroup(Kernel kernel, int number) {
        List<String> members;
        try {
            members = kernel.groupMembers(number);
        } catch (VfioException e) {
            return "sysfs shows no IOMMU group " + number + " (" + e.errno() + ")";
        }
        return "members of group " + number + ": "
                + members.stream().map(name -> name + " (" + driver(kernel, name) + ")").collect(Collectors.joining(", "));
    }

    private static String driver(Kernel kernel, String name) {
        try {
            return kernel.pciDevice(PciAddress.parse(name))
                    .driver()
                    .map(driver -> mayStay(driver) ? "driver " + driver : "host driver " + driver)
                    .orElse("no driver");
        } catch (IllegalArgumentException e) {
            return "not a PCI device";
        } catch (VfioException e) {
            return "unknown: " + e.errno();
        }
    }

    /** The drivers that leave DMA to whoever owns the group. */
    private static boolean mayStay(String driver) {
        return driver.contains("vfio") || driver.equals("pci-stub") || driver.equals("pcieport");
    }
}
