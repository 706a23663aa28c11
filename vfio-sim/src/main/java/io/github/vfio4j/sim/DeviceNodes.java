package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The device nodes of a machine: what open and stat find in {@code /dev}. Guarded by the kernel's lock. */
final class DeviceNodes {
    private static final String DIRECTORY = "/dev/vfio";
    private static final String CONTAINER = "/dev/vfio/vfio";
    private static final String KVM = "/dev/kvm";
    private static final int S_IFDIR = 0x4000;
    private static final int EISDIR = 21;

    /** What stat finds. */
    record Stat(int mode, DeviceNumber number) {}

    private final SimMachine machine;
    private final Map<DeviceNumber, VfioGroup> groups = new HashMap<>();
    private final Map<String, DeviceNumber> aliases = new HashMap<>();
    private final Set<Integer> openToAll = new HashSet<>(); // group numbers

    DeviceNodes(SimMachine machine) {
        this.machine = machine;
    }

    Collection<VfioGroup> groups() {
        return groups.values();
    }

    /** Returns the lowest minor number that no group has. */
    int freeMinor() {
        int minor = 0;
        while (groups.containsKey(DeviceNumber.group(minor))) {
            minor++;
        }
        return minor;
    }

    void add(VfioGroup group) {
        groups.put(DeviceNumber.group(group.minor()), group);
    }

    void remove(VfioGroup group) {
        groups.remove(DeviceNumber.group(group.minor()));
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
        VfioGroup group = groups.get(number);
        if (group == null) { // a node of one's own that outlived the group
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
        VfioGroup group = groups.get(number);
        boolean ofRoot = number.equals(DeviceNumber.KVM)
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
        if (aliases.containsKey(path)) {
            return Optional.of(aliases.get(path));
        }
        return groups.entrySet().stream()
                .filter(entry -> path.equals(entry.getValue().node()))
                .map(Map.Entry::getKey)
                .findFirst();
    }

    private static boolean isDirectory(String path) {
        return path.equals(DIRECTORY) || path.equals("/dev") || path.equals("/");
    }
}
