package io.github.vfio4j.sim;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What an open {@code /dev/iommu} stands for (Linux: struct iommufd_ctx): address spaces, page tables and devices, by
 * number. It lives until the last reference to the file is gone; a device that is bound has one. Guarded by the kernel's
 * lock.
 */
final class Iommufd {
    final SimMachine machine;
    final IommufdFile file;
    private final TreeMap<Integer, IommuObject> objects = new TreeMap<>();
    private final Map<IommuGroup, AttachedGroup> groups = new HashMap<>();

    /** The address space of the container that it stands for; null while it does not. */
    Ioas compat;

    /** It stands for a container of groups without an IOMMU. */
    boolean noIommu;

    /** IOMMU_OPTION_RLIMIT_MODE: is locked memory counted for each process, as containers do? Else for each user. */
    boolean countsByProcess;

    Iommufd(SimMachine machine, IommufdFile file) {
        this.machine = machine;
        this.file = file;
    }

    int freeId() {
        int id = 1;
        while (objects.containsKey(id)) {
            id++;
        }
        return id;
    }

    void add(IommuObject object) {
        objects.put(object.id, object);
    }

    boolean isEmpty() {
        return objects.isEmpty();
    }

    Optional<IommuObject> find(int id) {
        return Optional.ofNullable(objects.get(id));
    }

    /** Finds an object of a kind; null if there is none with this number. */
    <T extends IommuObject> T find(int id, Class<T> kind) {
        return find(id).filter(kind::isInstance).map(kind::cast).orElse(null);
    }

    /** The objects of a kind. */
    <T extends IommuObject> List<T> all(Class<T> kind) {
        return objects.values().stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    /** Destroys what nobody uses. */
    void destroy(IommuObject object) {
        objects.remove(object.id);
        if (compat == object) {
            compat = null;
        }
        object.destroyed();
    }

    /** Tells a program of an object that was made for it; if that fails, the object goes again. */
    void tellOf(IommuObject made, Runnable telling) {
        Undo.unless(telling, () -> destroy(made));
    }

    /** What is attached of a group; the same for all its devices. */
    AttachedGroup attached(IommuGroup group) {
        return groups.computeIfAbsent(group, AttachedGroup::new);
    }

    /** Is a device of the group bound to it? */
    boolean has(IommuGroup group) {
        return objects.values().stream()
                .anyMatch(object -> object instanceof BoundPciDevice bound && bound.device.function.group == group);
    }

    /** The last reference to the file is gone: everything goes, what nobody uses first. */
    void end() {
        while (!objects.isEmpty()) {
            List<IommuObject> leaves =
                    objects.values().stream().filter(object -> object.users == 0).toList();
            if (leaves.isEmpty()) {
                throw new AssertionError("objects use each other: " + objects);
            }
            for (IommuObject leaf : leaves) {
                if (objects.get(leaf.id) == leaf) { // it may have gone with another one
                    destroy(leaf);
                }
            }
        }
    }
}
