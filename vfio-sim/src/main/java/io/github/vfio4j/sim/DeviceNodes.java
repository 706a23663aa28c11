package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** The device nodes of a machine: what open and stat find in {@code /dev}. Guarded by the kernel's lock. */
final class DeviceNodes {
    private static final String DIRECTORY = "/dev/vfio";
    private static final String CONTAINER = "/dev/vfio/vfio";
    private static final String DEVICES = "/dev/vfio/devices";
    private static final String IOMMUFD = "/dev/iommu";
    private static final String KVM = "/dev/kvm";
    private static final int S_IFDIR = 0x4000;
    private static final int EISDIR = 21;

    /** What stat finds. */
    record Stat(int mode, DeviceNumber number) {}

    private final SimMachine machine;
    private final Map<DeviceNumber, VfioGroup> groups = new HashMap<>();
    private final Set<VfioGroup> gone = new HashSet<>(); // which a file keeps, and with it the number
    private final Map<String, DeviceNumber> aliases = new HashMap<>();
    private final Set<Integer> openToAll = new HashSet<>(); // group numbers

    DeviceNodes(SimMachine machine) {
        this.machine = machine;
    }

    Collection<VfioGroup> groups() {
        return groups.values();
    }

    /** Returns the lowest minor number that no group has, nor one that is gone and still open. */
    int freeMinor() {
        gone.removeIf(group -> group.openedFile == null);
        Set<DeviceNumber> taken = new HashSet<>(groups.keySet());
        gone.forEach(group -> taken.add(DeviceNumber.group(group.minor())));
        int minor = 0;
        while (taken.contains(DeviceNumber.group(minor))) {
            minor++;
        }
        return minor;
    }

    void add(VfioGroup group) {
        groups.put(DeviceNumber.group(group.minor()), group);
    }

    void remove(VfioGroup group) {
        groups.remove(DeviceNumber.group(group.minor()));
        gone.add(group);
    }

    /** Makes one more node with the device number of another. */
    void alias(String path, String node) {
        aliases.put(path, find(node).orElseThrow(() -> new IllegalArgumentException("there is no node " + node)));
    }

    /** Lets every user open a group's node. */
    void allow(int group) {
        openToAll.add(group);
    }

    Stat stat(String path) {
        if (isDirectory(path)) {
            return new Stat(S_IFDIR, DeviceNumber.NONE);
        }
        DeviceNumber number = find(path).orElseThrow(() -> new KernelError(Errno.ENOENT));
        return new Stat(SimFile.CHARACTER_DEVICE, number);
    }

    SimFile open(SimProcess process, String path) {
        if (isDirectory(path)) {
            throw new KernelError(EISDIR);
        }
        checkAccess(process, path);
        DeviceNumber number = find(path).orElseThrow();
        if (number.equals(DeviceNumber.CONTAINER)) {
            return new ContainerFile(machine);
        }
        if (number.equals(DeviceNumber.KVM)) {
            return new KvmFile(machine);
        }
        if (number.equals(DeviceNumber.IOMMUFD)) {
            return new IommufdFile(machine);
        }
        Optional<GroupDevice> device = device(number);
        if (device.isPresent()) {
            return new CdevFile(device.get());
        }
        VfioGroup group = groups.get(number);
        if (group == null) { // a node of one's own that outlived the group or the device
            throw new KernelError(Errno.ENXIO);
        }
        return GroupFile.open(machine, process, group);
    }

    /** Fails as the permissions of a path demand: directories, the container and nodes of one's own are for all. */
    void checkAccess(SimProcess process, String path) {
        if (isDirectory(path)) {
            return;
        }
        DeviceNumber number = find(path).orElseThrow(() -> new KernelError(Errno.ENOENT));
        VfioGroup group = device(number).map(device -> device.group).orElse(groups.get(number));
        boolean ofRoot = number.equals(DeviceNumber.KVM)
                || number.equals(DeviceNumber.IOMMUFD) && !machine.iommufdAllowed()
                || group != null && !openToAll.contains(group.iommuGroup().number);
        if (ofRoot && !process.privileged()) {
            throw new KernelError(Errno.EACCES);
        }
    }

    private Optional<DeviceNumber> find(String path) {
        if (path.equals(CONTAINER)) {
            return Optional.of(DeviceNumber.CONTAINER);
        }
        if (path.equals(KVM)) {
            return Optional.of(DeviceNumber.KVM);
        }
        if (path.equals(IOMMUFD) && machine.hasIommufd()) {
            return Optional.of(DeviceNumber.IOMMUFD);
        }
        Optional<DeviceNumber> device =
                devices().filter(d -> path.equals(d.node())).map(d -> DeviceNumber.device(d.index)).findFirst();
        if (device.isPresent()) {
            return device;
        }
        if (aliases.containsKey(path)) {
            return Optional.of(aliases.get(path));
        }
        return groups.entrySet().stream()
                .filter(entry -> path.equals(entry.getValue().node()))
                .map(Map.Entry::getKey)
                .findFirst();
    }

    /** The devices that have nodes of their own: they are behind an IOMMU or none is needed, and nobody unbinds them. */
    private Stream<GroupDevice> devices() {
        return machine.hasIommufd()
                ? groups.values().stream()
                        .filter(group -> group.iommuGroup().type != GroupType.NO_IOMMU)
                        .flatMap(group -> group.devices().stream())
                        .filter(device -> !device.leaving)
                : Stream.empty();
    }

    private Optional<GroupDevice> device(DeviceNumber number) {
        return devices()
                .filter(device -> DeviceNumber.device(device.index).equals(number))
                .findFirst();
    }

    private boolean isDirectory(String path) {
        return path.equals(DIRECTORY)
                || path.equals("/dev")
                || path.equals("/")
                || path.equals(DEVICES) && devices().findAny().isPresent();
    }
}
