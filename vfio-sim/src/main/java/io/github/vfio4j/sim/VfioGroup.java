package io.github.vfio4j.sim;

import io.github.vfio4j.KernelProfile;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The VFIO side of an IOMMU group (Linux: struct vfio_group): made when the first member is bound to vfio-pci, gone when
 * the last one is unbound; an open file outlives it as a dead one. Guarded by the kernel's lock.
 */
final class VfioGroup {
    private final KernelLock kernel;
    private final boolean documents; // the counts are those of KernelProfile.DOCUMENTS
    private final IommuGroup iommuGroup;
    private final int minor;
    private final List<GroupDevice> devices = new ArrayList<>();
    private boolean gone;

    /** The one file that the group is open through; null while it is not. */
    GroupFile openedFile;

    private VfioContainer container;
    private IommufdFile iommufd; // in place of a container
    private int devicesBound; // by their own nodes

    /**
     * One for being in the container, and one for each open device. By the documents: one for the group's file, one for each
     * file of a device, one for each external user, and the last one that goes takes the group out of the container.
     */
    private int containerUsers;

    private int externalUsers; // by the documents alone; part of containerUsers

    VfioGroup(SimMachine machine, IommuGroup iommuGroup, int minor) {
        this.kernel = machine.kernel();
        this.documents = machine.profile() == KernelProfile.DOCUMENTS;
        this.iommuGroup = iommuGroup;
        this.minor = minor;
    }

    IommuGroup iommuGroup() {
        return iommuGroup;
    }

    int minor() {
        return minor;
    }

    /** Its node. */
    String node() {
        return "/dev/vfio/" + (iommuGroup.type == GroupType.NO_IOMMU ? "noiommu-" : "") + iommuGroup.number;
    }

    /** The members that are bound to a VFIO driver. */
    List<GroupDevice> devices() {
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

    /** The iommufd that stands for its container; null for none. */
    IommufdFile iommufd() {
        return iommufd;
    }

    /** Is it in a container, or in an iommufd that stands for one? */
    boolean hasIommu() {
        return container != null || iommufd != null;
    }

    void join(IommufdFile joined) {
        kernel.get(joined);
        iommufd = joined;
    }

    void leaveIommufd() {
        if (iommufd != null) {
            kernel.put(iommufd);
            iommufd = null;
        }
    }

    /** Is a device of it bound by its own node? */
    boolean hasDeviceBound() {
        return devicesBound > 0;
    }

    void deviceBound(int more) {
        devicesBound += more;
    }

    int devicesOpen() {
        return Math.max(0, containerUsers - externalUsers - 1);
    }

    int externalUsers() {
        return externalUsers;
    }

    /** Can it not be opened? By the documents a container that somebody else keeps it in is as good as an open file. */
    boolean busy() {
        return openedFile != null || documents && container != null;
    }

    /** Its file was released. */
    void fileReleased() {
        if (documents) {
            dropUser();
        } else {
            leaveContainer();
            leaveIommufd();
        }
        openedFile = null;
    }

    void addExternalUser() {
        externalUsers++;
        containerUsers++;
    }

    void removeExternalUser() {
        externalUsers--;
        dropUser();
    }

    private void dropUser() {
        if (containerUsers > 0 && --containerUsers == 0) {
            leaveContainer();
        }
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

    /** A device is opened. The first open of a device keeps the group's file open. */
    void deviceOpened(boolean first) {
        if (documents) {
            containerUsers++;
        } else if (first) {
            containerUsers++;
            kernel.get(openedFile);
        }
    }

    /** A file of a device was released. */
    void deviceClosed(boolean last) {
        if (documents) {
            dropUser();
        } else if (last) {
            containerUsers--;
            kernel.put(openedFile);
        }
    }
}
