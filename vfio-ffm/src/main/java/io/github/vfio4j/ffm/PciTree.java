package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.SysFs;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.regex.Pattern;

/** The PCI functions and IOMMU groups of a sysfs tree. */
final class PciTree {
    private static final String DEVICES = "/sys/bus/pci/devices";
    private static final String GROUPS = "/sys/kernel/iommu_groups";

    private static final Pattern MEDIATED = Pattern.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");

    private final SysFs sysfs;

    PciTree(SysFs sysfs) {
        this.sysfs = sysfs;
    }

    List<PciDevice> devices() {
        List<PciDevice> devices = new ArrayList<>();
        for (String name : list(DEVICES)) {
            try {
                devices.add(device(PciAddress.parse(name)));
            } catch (IllegalArgumentException _) {
                // Not named like a function: nothing that VFIO could give away.
            } catch (VfioException e) {
                if (!e.errno().equals(Errno.ENOENT)) { // it was unplugged meanwhile
                    throw e;
                }
            }
        }
        devices.sort(Comparator.comparing(PciDevice::address));
        return devices;
    }

    PciDevice device(PciAddress address) {
        String path = DEVICES + "/" + address;
        try {
            return new PciDevice(
                    address,
                    hex(path + "/vendor"),
                    hex(path + "/device"),
                    hex(path + "/class"),
                    link(path + "/driver"),
                    group(path + "/iommu_group"));
        } catch (SysFs.Failure e) {
            throw refused(e);
        }
    }

    List<String> groupMembers(int group) {
        return list(GROUPS + "/" + group + "/devices").stream().sorted().toList();
    }

    /** A group's node is called as the device that sysfs has for its number. */
    boolean isWithoutIommu(long major, long minor) {
        try {
            return link("/sys/dev/char/" + major + ":" + minor).orElse("").startsWith("noiommu-");
        } catch (SysFs.Failure e) {
            return false; // a container of the system may hide this part of sysfs
        }
    }

    /** A device's entry is called as its node; without a {@code dev} the kernel makes no node of it. */
    Optional<String> deviceNode(String name) {
        String bus = MEDIATED.matcher(name).matches() ? "mdev" : "pci";
        String entries = "/sys/bus/" + bus + "/devices/" + name + "/vfio-dev";
        try {
            for (String entry : sysfs.list(entries)) {
                if (sysfs.list(entries + "/" + entry).contains("dev")) {
                    return Optional.of("/dev/vfio/devices/" + entry);
                }
            }
            return Optional.empty();
        } catch (SysFs.Failure e) {
            if (e.errno == Errno.ENOENT.number()) {
                return Optional.empty();
            }
            throw refused(e);
        }
    }

    OptionalInt mediatedDeviceGroup(UUID name) {
        String path = "/sys/bus/mdev/devices/" + name;
        try {
            sysfs.list(path);
            return group(path + "/iommu_group");
        } catch (SysFs.Failure e) {
            throw refused(e);
        }
    }

    private int hex(String path) throws SysFs.Failure {
        String text = sysfs.read(path);
        try {
            return Integer.decode(text);
        } catch (NumberFormatException e) {
            throw notUnderstood(path, text);
        }
    }

    private OptionalInt group(String path) throws SysFs.Failure {
        Optional<String> group = link(path);
        try {
            return group.isEmpty() ? OptionalInt.empty() : OptionalInt.of(Integer.parseUnsignedInt(group.get()));
        } catch (NumberFormatException e) {
            throw notUnderstood(path, group.get());
        }
    }

    static VfioException notUnderstood(String path, String text) {
        return new VfioException(Operation.SYSFS_READ, Errno.EIO, "%s says '%s'".formatted(path, text));
    }

    /** Returns the last part of what a link says; empty if there is none. */
    private Optional<String> link(String path) throws SysFs.Failure {
        try {
            return Optional.of(nameIn(sysfs.readLink(path)));
        } catch (SysFs.Failure e) {
            if (e.errno == Errno.ENOENT.number()) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** Returns the last part of what a link says. */
    static String nameIn(String target) {
        return target.substring(target.lastIndexOf('/') + 1);
    }

    private List<String> list(String path) {
        try {
            return sysfs.list(path);
        } catch (SysFs.Failure e) {
            throw refused(e);
        }
    }

    private static VfioException refused(SysFs.Failure e) {
        return new VfioException(Operation.SYSFS_READ, new Errno(e.errno), e.getMessage());
    }
}
