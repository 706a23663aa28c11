package io.github.vfio4j;

import io.github.vfio4j.spi.Kernel;
import java.util.stream.Collectors;

/** Looks around after a refusal of the kernel for what may have caused it. A hint: the state may have changed since. */
final class Diagnosis {
    private Diagnosis() {}

    /** Says who the members of a group are and which driver each is bound to. */
    static String ofGroup(Kernel kernel, int number) {
        try {
            return "members of group " + number + ": "
                    + Binder.members(kernel, number).stream().map(Diagnosis::inShort).collect(Collectors.joining(", "));
        } catch (VfioException e) {
            return "sysfs shows no IOMMU group " + number + " (" + e.errno() + ")";
        }
    }

    private static String inShort(GroupMember member) {
        String driver = member.driver().map(name -> "driver " + name).orElse("no driver");
        return member.name() + " (" + switch (member.use()) {
            case HOST_DRIVER -> "host " + driver;
            case UNKNOWN -> "not a PCI device, or gone";
            default -> driver;
        } + ")";
    }
}
