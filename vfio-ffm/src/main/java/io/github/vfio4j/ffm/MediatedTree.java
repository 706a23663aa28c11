package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_API_AMBA_STRING;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_API_AP_STRING;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_API_CCW_STRING;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_API_PCI_STRING;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_API_PLATFORM_STRING;

import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.Errno;
import io.github.vfio4j.MediatedType;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.spi.MediatedPort;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** The mediated devices of a sysfs tree and the types that there are. */
final class MediatedTree implements MediatedPort {
    private static final String PARENTS = "/sys/class/mdev_bus";
    private static final String DEVICES = "/sys/bus/mdev/devices/";

    /** What {@code device_api} says; a word that is not here is a newer kernel's. */
    private static final Map<String, DeviceInfo.Bus> BUSES = Map.of(
            VFIO_DEVICE_API_PCI_STRING().getString(0), DeviceInfo.Bus.PCI,
            VFIO_DEVICE_API_PLATFORM_STRING().getString(0), DeviceInfo.Bus.PLATFORM,
            VFIO_DEVICE_API_AMBA_STRING().getString(0), DeviceInfo.Bus.AMBA,
            VFIO_DEVICE_API_CCW_STRING().getString(0), DeviceInfo.Bus.CCW,
            VFIO_DEVICE_API_AP_STRING().getString(0), DeviceInfo.Bus.AP);

    private final SysFs sysfs;

    MediatedTree(SysFs sysfs) {
        this.sysfs = sysfs;
    }

    @Override
    public List<MediatedType> types() {
        List<MediatedType> found = new ArrayList<>();
        for (String parent : namesIn(PARENTS)) {
            for (String name : namesIn(types(parent))) {
                try {
                    found.add(read(parent, name));
                } catch (SysFs.Failure e) {
                    if (!isGone(e)) { // the driver of the parent was unloaded meanwhile
                        throw refused(Operation.SYSFS_READ, e);
                    }
                }
            }
        }
        return found;
    }

    @Override
    public MediatedType type(String parent, String name) {
        try {
            return read(parent, name);
        } catch (SysFs.Failure e) {
            throw refused(Operation.SYSFS_READ, e);
        }
    }

    private MediatedType read(String parent, String name) throws SysFs.Failure {
        String type = types(parent) + "/" + name;
        try {
            return new MediatedType(
                    parent,
                    name,
                    sysfs.read(type + "/name"),
                    description(type + "/description"),
                    BUSES.getOrDefault(sysfs.read(type + "/device_api"), DeviceInfo.Bus.OTHER),
                    Integer.parseInt(sysfs.read(type + "/available_instances")),
                    sysfs.list(type + "/devices").stream()
                            .sorted()
                            .map(UUID::fromString)
                            .toList());
        } catch (IllegalArgumentException e) { // no number, or no name of a device
            throw PciTree.notUnderstood(type, e.getMessage());
        }
    }

    private Optional<String> description(String path) throws SysFs.Failure {
        try {
            return Optional.of(sysfs.read(path));
        } catch (SysFs.Failure e) {
            if (isGone(e)) { // the driver has none to tell
                return Optional.empty();
            }
            throw e;
        }
    }

    @Override
    public void create(String parent, String type, UUID device) {
        write(Operation.MDEV_CREATE, types(parent) + "/" + type + "/create", device.toString());
    }

    @Override
    public void remove(UUID device) {
        write(Operation.MDEV_REMOVE, DEVICES + device + "/remove", "1");
    }

    private void write(Operation operation, String path, String text) {
        try {
            sysfs.write(path, text);
        } catch (SysFs.Failure e) {
            throw refused(operation, e);
        }
    }

    private static String types(String parent) {
        return PARENTS + "/" + parent + "/mdev_supported_types";
    }

    /** Lists a directory in order; one that is not there has nothing in it. */
    private List<String> namesIn(String directory) {
        try {
            return sysfs.list(directory).stream().sorted().toList();
        } catch (SysFs.Failure e) {
            if (isGone(e)) {
                return List.of();
            }
            throw refused(Operation.SYSFS_READ, e);
        }
    }

    private static boolean isGone(SysFs.Failure e) {
        return e.errno == Errno.ENOENT.number();
    }

    private static VfioException refused(Operation operation, SysFs.Failure e) {
        return new VfioException(operation, new Errno(e.errno), e.getMessage());
    }
}
