package io.github.vfio4j.examples;

import io.github.vfio4j.GroupMember;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Vfio;
import java.io.PrintStream;
import java.util.List;

/** {@code vfio list}: the PCI devices of a machine and what isolates them. */
final class DeviceList {
    private static final String ROW = "%-12s  %-9s  %-18s  %-12s  %-5s  %s";

    private final Vfio vfio;
    private final PrintStream out;

    DeviceList(Vfio vfio, PrintStream out) {
        this.vfio = vfio;
        this.out = out;
    }

    void print() {
        out.println("PCI devices on " + vfio.kernelName());
        out.println();
        out.println(ROW.formatted("address", "id", "class", "driver", "group", "members of the group"));
        List<PciDevice> devices = vfio.pciDevices();
        for (PciDevice device : devices) {
            out.println(ROW.formatted(
                            device.address(),
                            "%04x:%04x".formatted(device.vendorId(), device.deviceId()),
                            "%06x %s".formatted(device.classCode(), PciClass.name(device.classCode())),
                            device.driver().orElse("-"),
                            device.iommuGroup().isPresent() ? device.iommuGroup().getAsInt() : "-",
                            members(device))
                    .stripTrailing());
        }
        if (devices.isEmpty()) {
            out.println("none");
        } else if (devices.stream().allMatch(device -> device.iommuGroup().isEmpty())) {
            out.println();
            out.println("No device has an IOMMU group: the machine has no IOMMU, or it is off"
                    + " (firmware setting; intel_iommu=on for Intel).");
        }
        printInTheWay(devices);
    }

    /** Says of each group that no program can have who is in the way. */
    private void printInTheWay(List<PciDevice> devices) {
        devices.stream()
                .flatMapToInt(device -> device.iommuGroup().stream())
                .distinct()
                .filter(group -> vfio.binder().members(group).stream()
                        .anyMatch(member -> member.use() == GroupMember.Use.VFIO))
                .forEach(group -> vfio.binder().members(group).stream()
                        .filter(member -> !member.viable())
                        .forEach(member -> out.println("group %d is not viable: %s".formatted(group, member))));
    }

    private String members(PciDevice device) {
        return device.iommuGroup().isEmpty()
                ? ""
                : String.join(" ", vfio.groupMembers(device.iommuGroup().getAsInt()));
    }
}
