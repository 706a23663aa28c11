package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ReservedRegion;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.BindingNote;
import io.github.vfio4j.spi.BindingPort;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** The drivers of PCI functions in a sysfs tree, and notes of how they were. */
final class PciBinding implements BindingPort {
    private static final String BUS = "/sys/bus/pci/";
    private static final String NONE = "(null)";
    private static final String NO_IOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";

    private final Syscalls syscalls;
    private final SysFs sysfs;
    private final Notes notes;

    PciBinding(Syscalls syscalls, SysFs sysfs, Notes notes) {
        this.syscalls = syscalls;
        this.sysfs = sysfs;
        this.notes = notes;
    }

    @Override
    public Optional<String> driverOverride(PciAddress device) {
        String path = attribute(device, "driver_override");
        String text = read(path).orElseThrow(() -> new VfioException(Operation.SYSFS_READ, Errno.ENOENT, path));
        return text.isEmpty() || text.equals(NONE) ? Optional.empty() : Optional.of(text);
    }

    @Override
    public void setDriverOverride(PciAddress device, Optional<String> driver) {
        write(Operation.DRIVER_OVERRIDE, attribute(device, "driver_override"), driver.orElse(""));
    }

    @Override
    public void bind(PciAddress device, String driver) {
        write(Operation.DRIVER_BIND, BUS + "drivers/" + driver + "/bind", device.toString());
    }

    @Override
    public void unbind(PciAddress device, String driver) {
        write(Operation.DRIVER_UNBIND, BUS + "drivers/" + driver + "/unbind", device.toString());
    }

    @Override
    public void probe(PciAddress device) {
        write(Operation.DRIVERS_PROBE, BUS + "drivers_probe", device.toString());
    }

    @Override
    public boolean driverLoaded(String driver) {
        try {
            sysfs.list(BUS + "drivers/" + driver);
            return true;
        } catch (SysFs.Failure e) {
            if (e.errno == Errno.ENOENT.number()) {
                return false;
            }
            throw refused(Operation.SYSFS_READ, e);
        }
    }

    @Override
    public int virtualFunctions(PciAddress device) {
        return number(device, "sriov_numvfs", 0);
    }

    @Override
    public int mostVirtualFunctions(PciAddress device) {
        return number(device, "sriov_totalvfs", 0);
    }

    @Override
    public List<PciAddress> virtualFunctionsOf(PciAddress device) {
        List<PciAddress> found = new ArrayList<>();
        int count = virtualFunctions(device);
        for (int i = 0; i < count; i++) {
            String path = attribute(device, "virtfn" + i);
            try {
                found.add(PciAddress.parse(PciTree.nameIn(sysfs.readLink(path))));
            } catch (SysFs.Failure e) {
                throw refused(Operation.SYSFS_READ, e);
            } catch (IllegalArgumentException e) {
                throw PciTree.notUnderstood(path, e.getMessage());
            }
        }
        return found;
    }

    @Override
    public void setVirtualFunctions(PciAddress device, int number) {
        write(Operation.SRIOV_NUMVFS, attribute(device, "sriov_numvfs"), Integer.toString(number));
    }

    @Override
    public OptionalInt numaNode(PciAddress device) {
        int node = number(device, "numa_node", -1);
        return node < 0 ? OptionalInt.empty() : OptionalInt.of(node);
    }

    @Override
    public List<ReservedRegion> reservedRegions(int group) {
        String path = "/sys/kernel/iommu_groups/" + group + "/reserved_regions";
        List<ReservedRegion> regions = new ArrayList<>();
        for (String line : read(path).orElse("").lines().toList()) {
            String[] words = line.split(" ");
            try {
                if (words.length != 3) {
                    throw PciTree.notUnderstood(path, line);
                }
                regions.add(new ReservedRegion(new IovaRange(address(words[0]), address(words[1])), words[2]));
            } catch (IllegalArgumentException e) {
                throw PciTree.notUnderstood(path, line);
            }
        }
        return regions;
    }

    @Override
    public boolean noIommuAllowed() {
        return read(NO_IOMMU).map("Y"::equals).orElse(false);
    }

    @Override
    public List<BindingNote> notes() {
        List<BindingNote> found = new ArrayList<>();
        try {
            for (String name : notes.names()) {
                try {
                    found.add(noteOf(PciAddress.parse(name), notes.read(name)));
                } catch (SysFs.Failure e) {
                    if (e.errno != Errno.ENOENT.number()) { // it is gone by now
                        throw e;
                    }
                } catch (IllegalArgumentException _) {
                    // not one of ours, or of a later version's
                }
            }
        } catch (SysFs.Failure e) {
            throw refused(Operation.BINDING_NOTE, e);
        }
        return found;
    }

    /** Reads the three words of a note: the program, the driver, the override. */
    private BindingNote noteOf(PciAddress device, String text) {
        String[] words = text.strip().split(" ");
        if (words.length != 3) {
            throw new IllegalArgumentException(text);
        }
        return new BindingNote(device, nameOf(words[1]), nameOf(words[2]), !notes.isRunning(words[0]));
    }

    private static Optional<String> nameOf(String word) {
        return Optional.of(word).filter(name -> !name.equals(NONE));
    }

    @Override
    public void note(PciAddress device, Optional<String> driver, Optional<String> override) {
        String text = notes.program() + " " + driver.orElse(NONE) + " " + override.orElse(NONE) + "\n";
        try {
            notes.write(device.toString(), text);
        } catch (SysFs.Failure e) {
            throw refused(Operation.BINDING_NOTE, e);
        }
    }

    @Override
    public void forget(PciAddress device) {
        try {
            notes.remove(device.toString());
        } catch (SysFs.Failure e) {
            throw refused(Operation.BINDING_NOTE, e);
        }
    }

    @Override
    public Optional<Errno> nodeAccess(String node) {
        int result = syscalls.access(new Frame(), node, Syscalls.R_OK | Syscalls.W_OK);
        return result == 0 ? Optional.empty() : Optional.of(new Errno(-result));
    }

    private static long address(String text) {
        if (!text.startsWith("0x")) {
            throw new IllegalArgumentException(text);
        }
        return Long.parseUnsignedLong(text, 2, text.length(), 16);
    }

    private int number(PciAddress device, String name, int ifAbsent) {
        String path = attribute(device, name);
        Optional<String> text = read(path);
        try {
            return text.map(Integer::parseInt).orElse(ifAbsent);
        } catch (NumberFormatException e) {
            throw PciTree.notUnderstood(path, text.orElseThrow());
        }
    }

    private static String attribute(PciAddress device, String name) {
        return BUS + "devices/" + device + "/" + name;
    }

    /** Reads an attribute; empty if there is none. */
    private Optional<String> read(String path) {
        try {
            return Optional.of(sysfs.read(path));
        } catch (SysFs.Failure e) {
            if (e.errno == Errno.ENOENT.number()) {
                return Optional.empty();
            }
            throw refused(Operation.SYSFS_READ, e);
        }
    }

    private void write(Operation operation, String path, String text) {
        try {
            sysfs.write(path, text);
        } catch (SysFs.Failure e) {
            throw refused(operation, e);
        }
    }

    private static VfioException refused(Operation operation, SysFs.Failure e) {
        return new VfioException(operation, new Errno(e.errno), e.getMessage());
    }
}
