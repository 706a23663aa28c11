package io.github.vfio4j.sim;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The VFIO side of an IOMMU group (Linux: struct vfio_group): made when the first member is bound to vfio-pci, gone when
 * the last one is unbound; an open file outlives it as a dead one. Guarded by the kernel's lock.
 */
final class VfioGroup {
    private final KernelLock kernel;
    private final IommuGroup iommuGroup;
    private final int minor;
    private final List<VfioDevice> devices = new ArrayList<>();
    private boolean gone;

    /** The one file that the group is open through; null while it is not. */
    GroupFile openedFile;

    private VfioContainer container;

    /** One for being in the container, and one for each open device. */
    private int containerUsers;

    VfioGroup(KernelLock kernel, IommuGroup iommuGroup, int minor) {
        this.kernel = kernel;
        this.iommuGroup = iommuGroup;
        this.minor = minor;
    }

    IommuGroup iommuGroup() {
        return iommuGroup;
    }

    int minor() {
        return minor;
    }

    /** The members that are bound to vfio-pci. */
    List<VfioDevice> devices() {
        return devices;
    }

    /** Was the last member unbound? */
    boolean gone() {
        return gone;
    }

    /** The last member was unbound: the group leaves its container, and its file is dead. */
    void end() {
        leaveContainer();
        gone = true;
    }

    Optional<VfioContainer> container() {
        return Optional.ofNullable(container);
    }

    int devicesOpen() {
        return Math.max(0, containerUsers - 1);
    }

    void join(VfioContainer joined) {
        joined.add(this);
        container = joined;
        containerUsers = 1;
    }

    void leaveContainer() {
        if (container != null) {
            container.remove(this);
            container = null;
            containerUsers = 0;
        }
    }

    /** A device is opened for the first time: it keeps the group's file open. */
    void useContainer() {
        containerUsers++;
        kernel.get(openedFile);
    }

    /** A device was closed for the last time. */
    void unuseContainer() {
        containerUsers--;
        kernel.put(openedFile);
    }
}
