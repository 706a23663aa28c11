package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * The rules of VFIO, each stated once. The constants of one operation stand in the order in which the kernel checks
 * them, so the first broken one decides the errno. The library checks them before it calls the kernel, exceptions carry
 * them, refusals of the kernel are explained by them, and the simulated kernel answers by them.
 */
public enum Rule {
    // ---- any operation
    /** A closed handle does nothing. */
    HANDLE_OPEN(
            "handle.open",
            null,
            EnforcedBy.API,
            Errno.EBADF,
            "the handle is closed",
            "fdget",
            "open it again; a handle never comes back once it or its owner was closed",
            f -> !f.handleOpen()),
    /** A device is accessible once it is bound. */
    DEVICE_BOUND(
            "device.bound",
            null,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the device was opened by its own node and is not bound to an iommufd yet",
            "vfio_device_fops_unl_ioctl",
            "bind it first: only then is it accessible",
            f -> !f.accessGranted()),
    /** A device does what it has. */
    FEATURE_SUPPORTED(
            "feature.supported",
            Operation.DEVICE_FEATURE,
            Also.FEATURES,
            EnforcedBy.API,
            Errno.ENOTTY,
            "the device, or this kernel, does not have the feature",
            "vfio_ioctl_device_feature",
            "ask device.features().has(feature)",
            f -> !f.featureSupported()),

    // ---- binding to drivers in sysfs
    /** Only root says which driver may take a device. */
    OVERRIDE_ACCESS(
            "driver-override.access",
            Operation.DRIVER_OVERRIDE,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not write to sysfs",
            "kernfs_fop_open",
            "bind as root, once, before the program starts; then give the user the group node",
            null),
    /** Only root notes how devices were bound. */
    NOTE_ACCESS(
            "binding-note.access",
            Operation.BINDING_NOTE,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not write to /run/vfio4j, where it is noted how devices were before they are bound",
            "may_create",
            "bind as root, once, before the program starts; then give the user the group node",
            null),
    /** Only root binds devices. */
    BIND_ACCESS(
            "driver-bind.access",
            Operation.DRIVER_BIND,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not write to sysfs",
            "kernfs_fop_open",
            "bind as root, once, before the program starts; then give the user the group node",
            null),
    /** A driver that takes a device must be there. */
    BIND_DRIVER_LOADED(
            "driver-bind.loaded",
            Operation.DRIVER_BIND,
            EnforcedBy.API,
            Errno.ENOENT,
            "the kernel has no driver of that name",
            "kernfs_fop_open",
            "load it (modprobe vfio-pci)",
            f -> !f.driverLoaded()),
    /** A driver takes only what it is for. */
    BIND_MATCHES(
            "driver-bind.matches",
            Operation.DRIVER_BIND,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the device is gone, or its driver_override names another driver, or the driver is not for it",
            "bind_store",
            "set driver_override to the driver first; look whether somebody else changed it",
            f -> !f.driverMatches()),
    /** A device has one driver. */
    BIND_FREE(
            "driver-bind.free",
            Operation.DRIVER_BIND,
            EnforcedBy.KERNEL,
            Errno.EBUSY,
            "the device is bound to a driver",
            "device_driver_attach",
            "unbind it from that one first",
            Facts::driverBound),
    /** Host drivers stay away from a group that a program has. */
    BIND_UNCLAIMED(
            "driver-bind.unclaimed",
            Operation.DRIVER_BIND,
            EnforcedBy.KERNEL,
            Errno.EBUSY,
            "a program has the group, so a host driver does not get a member of it",
            "iommu_device_use_default_domain",
            "take the group out of its container first: container.detach(group)",
            Facts::groupClaimed),
    /** Bridges are not given to programs. */
    BIND_NO_BRIDGE(
            "driver-bind.bridge",
            Operation.DRIVER_BIND,
            EnforcedBy.API,
            Errno.EINVAL,
            "the function is a bridge",
            "vfio_pci_core_register_device",
            "bind the functions behind it; a bridge may keep its driver (pcieport) or have none",
            Facts::bridge),
    /** A function that has virtual functions keeps its driver. */
    BIND_NO_VIRTUAL_FUNCTIONS(
            "driver-bind.virtual-functions",
            Operation.DRIVER_BIND,
            EnforcedBy.API,
            Errno.EBUSY,
            "the function has virtual functions",
            "vfio_pci_vf_init",
            "write 0 to its sriov_numvfs first",
            Facts::virtualFunctions),
    /** A program gets only what an IOMMU isolates. */
    BIND_ISOLATED(
            "driver-bind.isolated",
            Operation.DRIVER_BIND,
            EnforcedBy.API,
            Errno.EINVAL,
            "no IOMMU isolates the device (it has no iommu_group), and the mode without one is off",
            "vfio_group_find_or_alloc",
            "turn the IOMMU on (firmware, and intel_iommu=on or its like)",
            f -> !f.isolated()),
    /** A host driver loses a device only when somebody names it. */
    BIND_WHOLE_GROUP(
            "driver-bind.whole-group",
            Operation.DRIVER_BIND,
            EnforcedBy.API,
            Errno.EPERM,
            "members of the group have host drivers and were not named: taken along, the host would lose them; left "
                    + "there, no program could use the group",
            "vfio_container_attach_group",
            "look what the host does with these members; then name them all, or use a device of another group",
            Facts::hostDriversStay) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** Unbinding waits until the device is closed. */
    UNBIND_NOT_OPEN_HERE(
            "driver-unbind.open-here",
            Operation.DRIVER_UNBIND,
            EnforcedBy.API,
            Errno.EBUSY,
            "this program has the device open, and the write would wait for it",
            "vfio_unregister_group_dev",
            "close the device first",
            Facts::deviceOpenHere) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** Only root unbinds devices. */
    UNBIND_ACCESS(
            "driver-unbind.access",
            Operation.DRIVER_UNBIND,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not write to sysfs",
            "kernfs_fop_open",
            "unbind as root",
            null),
    /** Only the driver that has a device lets it go. */
    UNBIND_BOUND(
            "driver-unbind.bound",
            Operation.DRIVER_UNBIND,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the device is not bound to this driver (any more)",
            "unbind_store",
            "look again: the driver link in sysfs says which one has it",
            f -> !f.boundToThisDriver()),
    /** Only a device that is there is probed. */
    PROBE_DEVICE(
            "drivers-probe.device",
            Operation.DRIVERS_PROBE,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "there is no such device",
            "drivers_probe_store",
            "look again: it was unplugged",
            f -> !f.deviceKnown()),
    /** Host drivers stay away from a group that a program has. */
    PROBE_UNCLAIMED(
            "drivers-probe.unclaimed",
            Operation.DRIVERS_PROBE,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "a program has the group, so a host driver does not get a member of it",
            "iommu_device_use_default_domain",
            "take the group out of its container first: container.detach(group)",
            Facts::groupClaimed),

    // ---- write of sriov_numvfs
    /** A function has room for so many virtual ones. */
    SRIOV_TOTAL(
            "sriov.total",
            Operation.SRIOV_NUMVFS,
            EnforcedBy.API,
            Errno.ERANGE,
            "the function cannot have so many virtual functions",
            "sriov_numvfs_store",
            "ask for no more than its sriov_totalvfs",
            f -> !f.virtualFunctionsFit()),
    /** The number goes back to 0 before it becomes another. */
    SRIOV_NONE(
            "sriov.none",
            Operation.SRIOV_NUMVFS,
            EnforcedBy.API,
            Errno.EBUSY,
            "the function has virtual functions already",
            "sriov_numvfs_store",
            "remove them first: binder.setVirtualFunctions(address, 0)",
            Facts::virtualFunctionsMade),
    /** The driver of the physical function makes the virtual ones. */
    SRIOV_DRIVER(
            "sriov.driver",
            Operation.SRIOV_NUMVFS,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "the function has no driver, or one that makes no virtual functions",
            "sriov_numvfs_store",
            "bind a driver that does; vfio-pci does if its parameter enable_sriov is Y",
            f -> !f.makesVirtualFunctions()),

    // ---- write of create and remove of mediated devices
    /** Only root makes devices. */
    MDEV_CREATE_ACCESS(
            "mdev-create.access",
            Operation.MDEV_CREATE,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not write to sysfs",
            "kernfs_fop_open",
            "make the device as root, once, before the program starts; then give the user the group node",
            null),
    /** A parent makes what it has types of. */
    MDEV_CREATE_TYPE(
            "mdev-create.type",
            Operation.MDEV_CREATE,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "there is no such parent, or it does not make such a type",
            "kernfs_fop_open",
            "look at what there is now: vfio.mediatedDevices().types(); the parent's driver may have been unloaded",
            null),
    /** A name is one device's. */
    MDEV_CREATE_NAME(
            "mdev-create.name",
            Operation.MDEV_CREATE,
            EnforcedBy.KERNEL,
            Errno.EEXIST,
            "there is a mediated device of this name, of whatever parent",
            "mdev_device_create",
            "take another name, or let the library take a random one; or remove the other device",
            Facts::mediatedNameTaken),
    /** A parent makes so many. */
    MDEV_CREATE_INSTANCES(
            "mdev-create.instances",
            Operation.MDEV_CREATE,
            EnforcedBy.KERNEL,
            Errno.EUSERS,
            "the parent has as many mediated devices as it can have",
            "mdev_device_create",
            "remove one of them: MediatedType.devices() of its types names them",
            f -> !f.mediatedInstancesLeft()),
    /** The driver of a parent has so much to give. */
    MDEV_CREATE_ROOM(
            "mdev-create.room",
            Operation.MDEV_CREATE,
            EnforcedBy.KERNEL,
            Errno.ENOSPC,
            "the parent has too little left for a device of this type",
            "mtty_init_dev",
            "take a smaller type, or remove a device: MediatedType.devices() of the parent's types names them",
            f -> !f.mediatedRoomLeft()),
    /** Removing waits until the device is closed. */
    MDEV_REMOVE_NOT_OPEN_HERE(
            "mdev-remove.open-here",
            Operation.MDEV_REMOVE,
            EnforcedBy.API,
            Errno.EBUSY,
            "this program has the device open, and the write would wait for it",
            "vfio_unregister_group_dev",
            "close the device first",
            Facts::deviceOpenHere) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** Only root removes devices. */
    MDEV_REMOVE_ACCESS(
            "mdev-remove.access",
            Operation.MDEV_REMOVE,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not write to sysfs",
            "kernfs_fop_open",
            "remove it as root",
            null),
    /** What is gone is not removed. */
    MDEV_REMOVE_THERE(
            "mdev-remove.there",
            Operation.MDEV_REMOVE,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "there is no such mediated device (any more)",
            "kernfs_fop_open",
            "look at what there is now: vfio.mediatedDevices().types() names the devices of each type",
            null),

    // ---- open of /dev/vfio/vfio
    /** The container node must exist. */
    CONTAINER_NODE_EXISTS(
            "open-container.node",
            Operation.OPEN_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "the kernel has no /dev/vfio/vfio",
            "vfio_dev",
            "load the driver (modprobe vfio-pci); a kernel without CONFIG_VFIO_CONTAINER has no containers",
            null),

    /** The program needs access to the container node. */
    CONTAINER_NODE_ACCESS(
            "open-container.access",
            Operation.OPEN_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not open the container node",
            "vfio_fops_open",
            "give the user read and write access to the node; the kernel makes it accessible to everybody",
            null),

    // ---- open of /dev/vfio/N
    /** The group node must exist. */
    GROUP_NODE_EXISTS(
            "open-group.node",
            Operation.OPEN_GROUP,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "no device of the group is bound to a VFIO driver",
            "vfio_group_fops_open",
            "bind the device to vfio-pci first",
            null),
    /** The program needs access to the group node. */
    GROUP_NODE_ACCESS(
            "open-group.access",
            Operation.OPEN_GROUP,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not open the group node",
            "vfio_group_fops_open",
            "give the user read and write access to the node (chown or a udev rule)",
            null),
    /** A group needs a device with a VFIO driver. */
    GROUP_HAS_DRIVER(
            "open-group.driver",
            Operation.OPEN_GROUP,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the last device of the group was just bound away from its VFIO driver",
            "vfio_group_fops_open",
            "bind the device to vfio-pci again",
            Facts::groupGone),
    /** A group without an IOMMU is for privileged programs. */
    GROUP_OPEN_PRIVILEGE(
            "open-group.privilege",
            Operation.OPEN_GROUP,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "the group has no IOMMU, and the program may not do raw I/O (CAP_SYS_RAWIO)",
            "vfio_group_fops_open",
            "run with CAP_SYS_RAWIO, or better turn the IOMMU on",
            f -> !f.groupTranslated() && !f.mayDoRawIo()),
    /** A group without an IOMMU is opened by a name that says so. */
    GROUP_OPEN_UNSAFE(
            "open-group.unsafe",
            Operation.OPEN_GROUP,
            EnforcedBy.API,
            Errno.EPERM,
            "the node is that of a group without an IOMMU: its devices reach all memory of the machine",
            "vfio_group_fops_open",
            "turn the IOMMU on; a program that means it calls vfio.openUnsafeNoIommuGroup(number)",
            f -> !f.groupTranslated() && !f.unsafeAllowed()) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** A group is used through its own file or through those of its devices. */
    GROUP_OPEN_CDEV(
            "open-group.cdev",
            Operation.OPEN_GROUP,
            EnforcedBy.API,
            Errno.EBUSY,
            "a device of the group is bound through its own file (/dev/vfio/devices)",
            "vfio_group_fops_open",
            "use one of the two ways for all devices of the group",
            Facts::groupBoundByDevice),
    /** A group is open at most once, in all the machine. */
    GROUP_OPEN_ONCE(
            "open-group.once",
            Operation.OPEN_GROUP,
            EnforcedBy.API,
            Errno.EBUSY,
            "the group is open already",
            "vfio_group_fops_open",
            "use the group that is open, or close it first; if it is not open here, another process or a device that"
                    + " is still open holds it, or one of its devices is bound through its cdev",
            Facts::groupOpen),

    // ---- VFIO_GROUP_SET_CONTAINER
    /** A descriptor is not negative. */
    SET_CONTAINER_FD_NEGATIVE(
            "set-container.fd-negative",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the descriptor that should be the container is negative",
            "vfio_group_fops_unl_ioctl",
            "open a container: vfio.openContainer()",
            Facts::namedFileNegative) {
        @Override
        public Kind kind() {
            return Kind.DOCUMENTS;
        }
    },
    /** The descriptor that is named must be open. */
    SET_CONTAINER_FD_OPEN(
            "set-container.fd-open",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.TYPE,
            Errno.EBADF,
            "no file is open at the descriptor that should be the container",
            "vfio_group_ioctl_set_container",
            "open a container: vfio.openContainer()",
            f -> !f.namedFileOpen()),
    /** A group is in at most one container. */
    SET_CONTAINER_ONCE(
            "set-container.once",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.API,
            Errno.EINVAL,
            "the group is in a container already",
            "vfio_group_ioctl_set_container",
            "take it out first: container.detach(group)",
            Facts::groupInContainer),
    /** The group must still have a device. */
    SET_CONTAINER_GROUP_EXISTS(
            "set-container.group-exists",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the last device of the group was bound away from its VFIO driver; this handle never revives",
            "vfio_group_ioctl_set_container",
            "close the group, bind the device to vfio-pci and open the group again",
            Facts::groupGone),
    /** The file that is named must be a container. */
    SET_CONTAINER_FD_KIND(
            "set-container.fd-kind",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.TYPE,
            Errno.EBADFD,
            "the file that should be the container is something else",
            "vfio_group_ioctl_set_container",
            "open a container: vfio.openContainer()",
            f -> !f.namedFileIsContainer()) {
        @Override
        public Errno errno(KernelProfile kernel) {
            return kernel.isBefore(KernelProfile.V6_12) ? Errno.EINVAL : errno();
        }
    },
    /** All groups of what stands in for a container have an IOMMU, or none. */
    SET_CONTAINER_COMPAT_KINDS(
            "set-container.compat-kinds",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "an iommufd that stands in for a container has groups behind an IOMMU, and this one is behind none, "
                    + "or the other way round",
            "iommufd_vfio_compat_ioas_create",
            "use an iommufd for each kind",
            Facts::iommufdOfOtherKind),
    /** A group without an IOMMU is for privileged programs. */
    SET_CONTAINER_PRIVILEGE(
            "set-container.privilege",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "the group has no IOMMU, and the program may not do raw I/O (CAP_SYS_RAWIO)",
            "vfio_container_attach_group",
            "run with CAP_SYS_RAWIO, or better turn the IOMMU on",
            f -> !f.groupTranslated() && !f.mayDoRawIo()),
    /** All groups of a container have an IOMMU, or none. */
    SET_CONTAINER_KINDS(
            "set-container.kinds",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.API,
            Errno.EPERM,
            "groups without an IOMMU do not share a container with others",
            "vfio_container_attach_group",
            "use a container for each kind",
            Facts::groupsOfOtherKind),
    /** No member of the group may be in the hands of a host driver. */
    SET_CONTAINER_OWNERSHIP(
            "set-container.viable",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "a member of the group is bound to a host driver, or somebody else owns the group",
            "vfio_container_attach_group",
            "bind every member of the group to vfio-pci or pci-stub, or to no driver",
            Facts::groupOwnedByHost) {
        @Override
        public boolean isOf(KernelProfile kernel) {
            return kernel != KernelProfile.DOCUMENTS; // there DEVICE_VIABLE
        }
    },
    /** The IOMMU must not serve the group for somebody else. */
    SET_CONTAINER_DOMAIN_BUSY(
            "set-container.domain-busy",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EBUSY,
            "the group is attached to another domain of the IOMMU",
            "iommu_group_claim_dma_owner",
            "end what uses the group: another driver or another program",
            null),
    /** A group cannot join while a mapping waits for its new address. */
    SET_CONTAINER_ADDRESSES(
            "set-container.addresses",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.API,
            Errno.EBUSY,
            "a mapping of the container lost its address (VFIO_DMA_UNMAP_FLAG_VADDR) and has no new one yet",
            "vfio_iommu_type1_attach_group",
            "give every mapping its new address first",
            Facts::addressMissing),
    /** The IOMMU must have a domain for the group. */
    SET_CONTAINER_DOMAIN(
            "set-container.domain",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the IOMMU has no domain for the group",
            "iommu_paging_domain_alloc",
            "look at the kernel's log",
            null) {
        @Override
        public Errno errno(KernelProfile kernel) {
            return kernel.isBefore(KernelProfile.V6_12) ? Errno.EIO : errno();
        }
    },
    /** An IOMMU that is to nest takes only what can. */
    SET_CONTAINER_NESTING(
            "set-container.nesting",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the container's IOMMU is to nest, which it was while only mediated devices were in it, and the "
                    + "group's IOMMU cannot",
            "iommu_enable_nesting",
            "set a type1 v2 IOMMU instead",
            f -> !f.nestingPossible()),
    /** The group's IOMMU reaches what is mapped. */
    SET_CONTAINER_APERTURE(
            "set-container.aperture",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the group's IOMMU does not reach what is mapped, or nothing that the other groups' IOMMUs reach",
            "vfio_iommu_aper_conflict",
            "attach all groups before anything is mapped, or use another container",
            f -> !f.apertureFits()),
    /** Nothing is mapped where the group reserves IOVAs. */
    SET_CONTAINER_RESERVED(
            "set-container.reserved",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the group reserves IOVAs where something is mapped",
            "vfio_iommu_resv_conflict",
            "unmap what lies in reserved_regions of the group in sysfs, or attach the group before anything "
                    + "is mapped",
            f -> !f.reservedIsFree()),
    /** Something is left that can be mapped. */
    SET_CONTAINER_NOTHING_LEFT(
            "set-container.nothing-left",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the groups' IOMMUs and reserved IOVAs leave nothing that could be mapped",
            "vfio_iommu_resv_exclude",
            "use another container",
            f -> !f.iovasLeft()),
    /** A group that joins a container with an IOMMU needs isolated interrupts. */
    SET_CONTAINER_INTERRUPTS(
            "set-container.interrupts",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "the platform cannot isolate interrupts (no interrupt remapping)",
            "vfio_iommu_type1_attach_group",
            "turn interrupt remapping on; vfio_iommu_type1.allow_unsafe_interrupts=1 waives it, unsafely",
            f -> !f.interruptsIsolated()),
    /** What is mapped is memory. */
    SET_CONTAINER_MEMORY(
            "set-container.memory",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.EFAULT,
            "memory that is mapped, and must now be pinned, is no longer memory of the program that mapped it",
            "vfio_iommu_replay",
            "unmap it from the IOMMU before it is given back",
            f -> !f.memoryAccessible()),
    /** Pinned memory counts against the limit on locked memory. */
    SET_CONTAINER_MEMLOCK(
            "set-container.memlock",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.ENOMEM,
            "what is mapped must now be pinned, over the limit on locked memory of the program that mapped it "
                    + "or of this one",
            "vfio_iommu_replay",
            "raise the limits (ulimit -l, LimitMEMLOCK= in systemd), or attach the group before anything is "
                    + "mapped",
            f -> !f.withinMemlock()),
    /** What mediated devices mapped lies in reach of the IOMMU that comes later. */
    SET_CONTAINER_REACH(
            "set-container.reach",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.KERNEL,
            Errno.ERANGE,
            "something is mapped beyond the reach of the group's IOMMU",
            "vfio_iommu_replay",
            "unmap it, or attach the group before anything is mapped",
            f -> !f.mappingsInReach()) {
        @Override
        public Errno errno(KernelProfile kernel) {
            return kernel.isBefore(KernelProfile.V7_2) ? Errno.EFAULT : errno();
        }
    },
    /** What is mapped for mediated devices is memory, or not much. */
    SET_CONTAINER_ENDLESS(
            "set-container.endless",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.TYPE,
            Errno.EFAULT,
            "memory that is not there is mapped for mediated devices, an enormous range of it, and a group behind an IOMMU "
                    + "joins: the kernel fails to pin it, and then looks at every page of the range to undo nothing",
            "vfio_iommu_replay",
            "map what was allocated: iommu.allocate(size, access)",
            null) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** A group keeps its container while its devices are open. */
    SET_CONTAINER_MOVED(
            "set-container.moved",
            Operation.GROUP_SET_CONTAINER,
            EnforcedBy.TYPE,
            Errno.EBUSY,
            "a group of mediated devices is moved from an iommufd to a container while a device of it is "
                    + "open: the kernel then gives up a reference to the group that nobody took",
            "vfio_device_group_unuse_iommu",
            "close the devices before their group changes its container",
            null) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },

    // ---- VFIO_SET_IOMMU
    /** An IOMMU belongs to groups: a container without one cannot have it. */
    SET_IOMMU_NEEDS_GROUP(
            "set-iommu.needs-group",
            Operation.SET_IOMMU,
            EnforcedBy.API,
            Errno.EINVAL,
            "the container holds no group",
            "vfio_ioctl_set_iommu",
            "attach a group first: container.attach(group)",
            f -> f.groupsInContainer() == 0),
    /** The IOMMU is set once; only the last group's leave unsets it. */
    SET_IOMMU_ONCE(
            "set-iommu.once",
            Operation.SET_IOMMU,
            EnforcedBy.API,
            Errno.EINVAL,
            "the container has its IOMMU already",
            "vfio_ioctl_set_iommu",
            "use what setIommu returned; to choose another type, detach all groups first",
            Facts::iommuSet),
    /** The kernel must have the IOMMU type. */
    SET_IOMMU_TYPE(
            "set-iommu.type",
            Operation.SET_IOMMU,
            EnforcedBy.API,
            Errno.ENODEV,
            "the kernel does not offer this IOMMU type for the container",
            "vfio_ioctl_set_iommu",
            "ask container.supports(type), and load vfio_iommu_type1",
            f -> !f.iommuTypeSupported()),
    /** An extension that can only be asked for is not an IOMMU type. */
    SET_IOMMU_OPENS(
            "set-iommu.opens",
            Operation.SET_IOMMU,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the number is an extension that the kernel reports and not a type that it can set",
            "vfio_iommu_type1_open",
            "choose a type of IommuType",
            f -> !f.iommuTypeOpens()),
    /** Groups without an IOMMU are for privileged programs. */
    SET_IOMMU_PRIVILEGE(
            "set-iommu.privilege",
            Operation.SET_IOMMU,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "the groups have no IOMMU, and the program may not do raw I/O (CAP_SYS_RAWIO)",
            "vfio_noiommu_open",
            "run with CAP_SYS_RAWIO, or better turn the IOMMU on",
            f -> !f.groupTranslated() && !f.mayDoRawIo()),
    /** The IOMMU must have a domain for the groups. */
    SET_IOMMU_DOMAIN(
            "set-iommu.domain",
            Operation.SET_IOMMU,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the IOMMU has no domain for a group",
            "iommu_paging_domain_alloc",
            "look at the kernel's log",
            null) {
        @Override
        public Errno errno(KernelProfile kernel) {
            return kernel.isBefore(KernelProfile.V6_12) ? Errno.EIO : errno();
        }
    },
    /** The groups' IOMMUs reach something in common. */
    SET_IOMMU_APERTURE(
            "set-iommu.aperture",
            Operation.SET_IOMMU,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the groups' IOMMUs reach no IOVA in common",
            "vfio_iommu_aper_conflict",
            "use another container for some of the groups",
            f -> !f.apertureFits()),
    /** Something is left that can be mapped. */
    SET_IOMMU_NOTHING_LEFT(
            "set-iommu.nothing-left",
            Operation.SET_IOMMU,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the groups' IOMMUs and reserved IOVAs leave nothing that could be mapped",
            "vfio_iommu_resv_exclude",
            "use another container for some of the groups",
            f -> !f.iovasLeft()),
    /** The groups' interrupts must be isolated. */
    SET_IOMMU_INTERRUPTS(
            "set-iommu.interrupts",
            Operation.SET_IOMMU,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "the platform cannot isolate interrupts (no interrupt remapping)",
            "vfio_iommu_type1_attach_group",
            "turn interrupt remapping on; vfio_iommu_type1.allow_unsafe_interrupts=1 waives it, unsafely",
            f -> !f.interruptsIsolated()),

    // ---- VFIO_GROUP_GET_STATUS
    /** The group must still have a device. */
    STATUS_GROUP_EXISTS(
            "group-status.group-exists",
            Operation.GROUP_GET_STATUS,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the last device of the group was bound away from its VFIO driver; this handle never revives",
            "vfio_group_ioctl_get_status",
            "close the group, bind the device to vfio-pci and open the group again",
            Facts::groupGone),

    // ---- VFIO_GROUP_GET_DEVICE_FD
    /** A device is named by its address, and a virtual function by a token besides. */
    DEVICE_NAME(
            "open-device.name",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "what follows the address is no well-formed vf_token",
            "vfio_pci_core_match",
            "name the device by its address alone",
            f -> !f.deviceNameAccepted()),
    /** Not every device has a token. */
    DEVICE_TOKEN_TAKEN(
            "open-device.token-taken",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "a token was shown, and the device takes none: it is no SR-IOV function, or a virtual one whose physical one "
                    + "is not bound to vfio-pci",
            "vfio_pci_validate_vf_token",
            "open the device without a token",
            f -> !f.vfTokenTaken()),
    /** A virtual function is opened with the token of the physical one. */
    DEVICE_TOKEN(
            "open-device.token",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "the device is a virtual function, or a physical one with virtual functions in use, and needs the "
                    + "token of the physical one",
            "vfio_pci_validate_vf_token",
            "open it with the token that the program of the physical function chose",
            f -> !f.vfTokenRight()),
    /** The device must be in the group and bound to a VFIO driver. */
    DEVICE_IN_GROUP(
            "open-device.known",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the group has no device of that name that is bound to a VFIO driver",
            "vfio_device_get_from_name",
            "check the address and the group's members, and bind the device to vfio-pci",
            f -> !f.deviceKnown()),
    /** An open device needs a file descriptor. */
    DEVICE_DESCRIPTOR(
            "open-device.descriptor",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.EMFILE,
            "the process has as many files open as it may",
            "get_unused_fd_flags",
            "close files, or raise the limit (ulimit -n, LimitNOFILE= in systemd)",
            f -> !f.descriptorFree()),
    /** The group must be in a container: an open group alone protects nothing. */
    DEVICE_NEEDS_CONTAINER(
            "open-device.needs-container",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.API,
            Errno.EINVAL,
            "the group is in no container",
            "vfio_group_ioctl_get_device_fd",
            "attach the group, then set the IOMMU",
            f -> !f.groupInContainer()),
    /** The group must be in the container whose IOMMU is to protect the device. */
    DEVICE_NEEDS_THIS_CONTAINER(
            "open-device.needs-this-container",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.API,
            Errno.EINVAL,
            "the group is in another container than the one whose IOMMU was asked",
            "vfio_group_use_container",
            "open the device through the IOMMU of the group's own container",
            f -> !f.groupInThisContainer()),
    /** A device without an IOMMU is for privileged programs. */
    DEVICE_COMPAT_PRIVILEGE(
            "open-device.compat-privilege",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.TYPE,
            Errno.EPERM,
            "the device is behind no IOMMU, its group in an iommufd, and the program may not do raw I/O "
                    + "(CAP_SYS_RAWIO), or the iommufd has an address space for containers",
            "vfio_df_group_open",
            "use a container",
            f -> f.compatRefused()),
    /** The container must have its IOMMU. */
    DEVICE_NEEDS_IOMMU(
            "open-device.needs-iommu",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.API,
            Errno.EINVAL,
            "the container has no IOMMU (any more)",
            "vfio_group_use_container",
            "set it: container.setIommu(type); it ends when the last group leaves",
            f -> !f.iommuSet()),
    /** A group with a host driver on a member gives no device. */
    DEVICE_VIABLE(
            "open-device.viable",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.API,
            Errno.EINVAL,
            "a member of the group is bound to a host driver",
            "vfio_group_get_device_fd",
            "bind every member of the group to vfio-pci or pci-stub, or to no driver",
            f -> !f.groupViable()) {
        @Override
        public Kind kind() {
            return Kind.DOCUMENTS;
        }
    },
    /** A group without an IOMMU is for privileged programs. */
    DEVICE_PRIVILEGE(
            "open-device.privilege",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "the group has no IOMMU, and the program may not do raw I/O (CAP_SYS_RAWIO)",
            "vfio_group_use_container",
            "run with CAP_SYS_RAWIO, or better turn the IOMMU on",
            f -> !f.groupTranslated() && !f.mayDoRawIo()),
    /** Devices may not raise interrupts of others. */
    DEVICE_COMPAT_INTERRUPTS(
            "open-device.compat-interrupts",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "the group is in an iommufd, and the platform cannot isolate message interrupts (no interrupt remapping)",
            "iommufd_device_bind",
            "turn interrupt remapping on, or waive it with iommufd.allow_unsafe_interrupts=1 if you trust the device",
            f -> !f.interruptsIsolated()),
    /** All devices of a group have one owner. */
    DEVICE_COMPAT_OWNERSHIP(
            "open-device.compat-owner",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "the group is in an iommufd, and a member is bound to a host driver or has another owner",
            "iommu_device_claim_dma_owner",
            "bind every member to a VFIO driver or to none, and open the group by one iommufd",
            Facts::groupOwnedByHost),
    /** What stands in for a container needs an address space. */
    DEVICE_COMPAT_IOAS(
            "open-device.compat-ioas",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.TYPE,
            Errno.ENODEV,
            "the group is in an iommufd, whose address space for containers is gone",
            "vfio_iommufd_compat_attach_ioas",
            "use a container",
            f -> !f.compatIoasExists()),
    /** All devices of a group are attached to one page table. */
    DEVICE_COMPAT_TOGETHER(
            "open-device.compat-together",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the group is in an iommufd, and another device of it is attached to another page table",
            "iommufd_hw_pagetable_attach",
            "use a container",
            Facts::groupAttachedElsewhere),
    /** What a device cannot translate must not be mapped. */
    DEVICE_COMPAT_RESERVED(
            "open-device.compat-reserved",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.EADDRINUSE,
            "the group is in an iommufd, where IOVAs are mapped that the device or its IOMMU cannot use",
            "iopt_reserve_iova",
            "unmap them, or open the device before anything is mapped",
            f -> !f.reservedIsFree() || !f.mappingsAligned()),
    /** What is mapped lets devices read, write or both. */
    DEVICE_COMPAT_PERMISSION(
            "open-device.compat-permission",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the group is in an iommufd, where something is mapped that lets devices neither read nor write",
            "iopt_table_add_domain",
            "use a container",
            f -> !f.accessGiven()),
    /** A file that is mapped is memory. */
    DEVICE_COMPAT_FILE(
            "open-device.compat-file",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the group is in an iommufd, where a file is mapped that is no memory, or that ends before the range",
            "iopt_table_add_domain",
            "use a container",
            f -> !f.filesAreMemory()),
    /** What is mapped is pinned when the first device is opened. */
    DEVICE_COMPAT_MEMORY(
            "open-device.compat-memory",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.TYPE,
            Errno.EFAULT,
            "the group is in an iommufd, where memory is mapped that is not there",
            "iopt_table_add_domain",
            "use a container",
            f -> !f.memoryAccessible()),
    /** Pinned memory counts against the limit on locked memory. */
    DEVICE_COMPAT_MEMLOCK(
            "open-device.compat-memlock",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.ENOMEM,
            "the group is in an iommufd, where more is mapped than the limit on locked memory (RLIMIT_MEMLOCK) allows",
            "iopt_table_add_domain",
            "use a container, or raise the limit",
            f -> !f.withinMemlock()),
    /** A device is reset when it is first opened. */
    DEVICE_BUSY(
            "open-device.busy",
            Operation.GROUP_GET_DEVICE_FD,
            EnforcedBy.KERNEL,
            Errno.EAGAIN,
            "somebody else resets the device or its bus",
            "vfio_pci_core_enable",
            "open it again",
            null),

    // ---- VFIO_GROUP_UNSET_CONTAINER
    /** Only a group in a container can leave it. */
    UNSET_NEEDS_CONTAINER(
            "unset-container.needs-container",
            Operation.GROUP_UNSET_CONTAINER,
            EnforcedBy.API,
            Errno.EINVAL,
            "the group is not in the container",
            "vfio_group_ioctl_unset_container",
            "detach only what was attached",
            f -> !f.groupInContainer() || !f.groupInThisContainer()),
    /** A group with an open device cannot leave its container. */
    UNSET_DEVICE_OPEN(
            "unset-container.device-open",
            Operation.GROUP_UNSET_CONTAINER,
            EnforcedBy.API,
            Errno.EBUSY,
            "a device of the group is open",
            "vfio_group_ioctl_unset_container",
            "close the group's devices first; a mapping of a BAR keeps its device open",
            f -> f.devicesOpen() > 0),

    /** A group with a user outside cannot leave its container. */
    UNSET_EXTERNAL_USER(
            "unset-container.external-user",
            Operation.GROUP_UNSET_CONTAINER,
            EnforcedBy.API,
            Errno.EBUSY,
            "an external user of the group is registered",
            "vfio_group_unset_container",
            "release it first: externalUser.release(), for another process once that has closed what it got",
            f -> f.externalUsers() > 0) {
        @Override
        public Kind kind() {
            return Kind.DOCUMENTS;
        }
    },

    // ---- VFIO_IOMMU_GET_INFO
    /** Only a container with its IOMMU has limits to tell. */
    INFO_NEEDS_IOMMU(
            "iommu-info.needs-iommu",
            Operation.IOMMU_GET_INFO,
            EnforcedBy.API,
            Errno.EINVAL,
            "the container has no IOMMU (any more)",
            "vfio_fops_unl_ioctl",
            "set it: container.setIommu(type); it ends when the last group leaves",
            f -> !f.iommuSet()),
    /** Only an IOMMU translates. */
    INFO_TRANSLATED(
            "iommu-info.translated",
            Operation.IOMMU_GET_INFO,
            EnforcedBy.TYPE,
            Errno.ENOTTY,
            "the container has no IOMMU: its groups are such without one, and devices use addresses of "
                    + "physical memory",
            "vfio_noiommu_ioctl",
            "ask iommu.translates()",
            f -> !f.dmaTranslated()),

    // ---- VFIO_IOMMU_MAP_DMA
    /** Only a container with its IOMMU can map. */
    MAP_NEEDS_IOMMU(
            "map-dma.needs-iommu",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the container has no IOMMU (any more)",
            "vfio_fops_unl_ioctl",
            "set it: container.setIommu(type); it ends when the last group leaves",
            f -> !f.iommuSet()),
    /** Only an IOMMU translates. */
    MAP_TRANSLATED(
            "map-dma.translated",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.ENOTTY,
            "the container has no IOMMU: its groups are such without one, and devices use addresses of "
                    + "physical memory",
            "vfio_noiommu_ioctl",
            "use groups behind an IOMMU; without one nothing can be mapped, and the library hands out no "
                    + "physical addresses",
            f -> !f.dmaTranslated()),
    /** A mapping has a size. */
    MAP_SIZE(
            "map-dma.size",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the size is 0",
            "vfio_dma_do_map",
            "map at least one page",
            f -> f.size() == 0),
    /** A mapping does not wrap around the address space. */
    MAP_WRAP(
            "map-dma.wrap",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the range wraps around the end of the address space (before Linux 7 the errno is EINVAL)",
            "vfio_dma_do_map",
            "choose a lower IOVA or a smaller size",
            f -> wraps(f.iova(), f.size()) || wraps(f.address(), f.size())) {
        @Override
        public Errno errno(KernelProfile kernel) {
            return kernel.isBefore(KernelProfile.V7_2) ? Errno.EINVAL : errno();
        }
    },
    /** A mapping lets devices read, write or both. */
    MAP_PERMISSION(
            "map-dma.permission",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the flags let a device neither read nor write, or give an address and permissions at once",
            "vfio_dma_do_map",
            "give an Access",
            f -> !f.accessGiven()),
    /** A mapping consists of whole pages. */
    MAP_ALIGNED(
            "map-dma.aligned",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "IOVA, address or size is not a multiple of the IOMMU's smallest page",
            "vfio_dma_do_map",
            "align all three to iommu.info().granule()",
            f -> ((f.iova() | f.address() | f.size()) & (f.granule() - 1)) != 0),
    /** Only a mapping can be given a new address. */
    MAP_ADDRESS_TARGET(
            "map-dma.address-target",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.ENOENT,
            "nothing is mapped where a new address is to be given (VFIO_DMA_MAP_FLAG_VADDR)",
            "vfio_dma_do_map",
            "map it first",
            f -> !f.addressHasTarget()),
    /** A new address is given once, to the mapping that lost its own, as a whole. */
    MAP_ADDRESS_AWAITED(
            "map-dma.address-awaited",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the mapping has not lost its address, or has another IOVA or size",
            "vfio_dma_do_map",
            "name the mapping exactly, after VFIO_DMA_UNMAP_FLAG_VADDR",
            f -> !f.addressAwaited()),
    /** Mappings do not overlap. */
    MAP_OVERLAP(
            "map-dma.overlap",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.EEXIST,
            "the range overlaps a mapping",
            "vfio_dma_do_map",
            "choose another IOVA, or close the mapping first",
            Facts::overlapsMapping),
    /** A container holds a limited number of mappings. */
    MAP_BUDGET(
            "map-dma.budget",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.KERNEL,
            Errno.ENOSPC,
            "the container holds as many mappings as it may",
            "vfio_dma_do_map",
            "map larger pieces, or raise vfio_iommu_type1.dma_entry_limit before SET_IOMMU",
            f -> f.mappingsLeft() <= 0),
    /** A mapping lies inside what the IOMMU can translate. */
    MAP_RANGE(
            "map-dma.range",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the range is not inside one range of IOVAs that the IOMMU can map",
            "vfio_iommu_iova_dma_valid",
            "choose an IOVA inside iommu.info().ranges()",
            f -> !f.insideIovaRange()),
    /** What is mapped must be memory of the program. */
    MAP_MEMORY(
            "map-dma.memory",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.KERNEL,
            Errno.EFAULT,
            "a page of the range is not mapped in the program, or it is read-only and the device may write",
            "vaddr_get_pfns",
            "map memory that the program has, and may write if the device may",
            f -> !f.memoryAccessible()),
    /** Pinned memory counts against the limit on locked memory. */
    MAP_MEMLOCK(
            "map-dma.memlock",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.KERNEL,
            Errno.ENOMEM,
            "the limit on locked memory (RLIMIT_MEMLOCK) is reached, or the kernel is out of memory",
            "vfio_pin_pages_remote",
            "raise the limit (ulimit -l, LimitMEMLOCK= in systemd), or map less",
            f -> !f.withinMemlock()),
    /** While dirty pages are tracked, what is mapped has a bitmap. */
    MAP_TRACKABLE(
            "map-dma.trackable",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "dirty pages are tracked, and the kernel has no bitmap for a mapping of 2^31 pages and more",
            "vfio_dma_bitmap_alloc",
            "map smaller buffers",
            f -> f.pagesToTrack() > Integer.MAX_VALUE),
    /** The very top of the address space is not mapped where the kernel would lose it. */
    MAP_TOP(
            "map-dma.top",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the mapping would end at the very top of the address space, where kernels before Linux 7 never "
                    + "find it again: it could be mapped twice and not be unmapped",
            "vfio_find_dma",
            "choose an IOVA below the last page",
            f -> f.topIsLost() && f.size() != 0 && f.iova() + f.size() == 0) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** Also what stands in for a container maps for reading, writing or both. */
    MAP_COMPAT_PERMISSION(
            "map-dma.compat-permission",
            Operation.IOMMU_MAP_DMA,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "an iommufd that stands in for a container is to map without letting devices read or write: it "
                    + "takes that until a device is opened, and Linux 7 warns of itself",
            "iommufd_vfio_map_dma",
            "give an Access",
            null) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },

    // ---- VFIO_IOMMU_UNMAP_DMA
    /** Only a container with its IOMMU can unmap. */
    UNMAP_NEEDS_IOMMU(
            "unmap-dma.needs-iommu",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the container has no IOMMU (any more)",
            "vfio_fops_unl_ioctl",
            "nothing is left to unmap",
            f -> !f.iommuSet()),
    /** Only an IOMMU translates. */
    UNMAP_TRANSLATED(
            "unmap-dma.translated",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.TYPE,
            Errno.ENOTTY,
            "the container has no IOMMU: its groups are such without one, and devices use addresses of "
                    + "physical memory",
            "vfio_noiommu_ioctl",
            "nothing is mapped",
            f -> !f.dmaTranslated()),
    /** The dirty pages are told of what is unmapped as a range. */
    UNMAP_BITMAP_ALONE(
            "unmap-dma.bitmap-alone",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the dirty pages are asked for (VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) where everything, or only "
                    + "an address, is to be unmapped",
            "vfio_iommu_type1_unmap_dma",
            "unmap one buffer: dirtyTracking.unmap(buffer)",
            f -> !f.dirtyBitmapPossible()),
    /** A bitmap has a bit for each page. */
    UNMAP_BITMAP_BUFFER(
            "unmap-dma.bitmap-buffer",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the bitmap for the dirty pages is no memory of a program, larger than 256 MiB, or has no bit for "
                    + "each page",
            "vfio_iommu_type1_unmap_dma",
            "let the library make the bitmap: dirtyTracking.unmap(buffer)",
            f -> !f.dirtyBitmapFits()),
    /** Mediated devices need the addresses. */
    UNMAP_ADDRESS_EMULATED(
            "unmap-dma.address-emulated",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.API,
            Errno.EBUSY,
            "addresses are to be taken while a group of mediated devices is in the container",
            "vfio_dma_do_unmap",
            "ask iommu.updatesAddresses(); mediated devices pin pages by their address at any time",
            f -> f.addressesToTake() && f.emulatedGroupAttached()),
    /** Unmapping starts at a page. */
    UNMAP_IOVA_ALIGNED(
            "unmap-dma.iova-aligned",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the IOVA is not a multiple of the IOMMU's smallest page",
            "vfio_dma_do_unmap",
            "unmap what was mapped",
            f -> (f.iova() & (f.granule() - 1)) != 0),
    /** Unmapping everything names no range. */
    UNMAP_ALL_RANGE(
            "unmap-dma.all",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "everything is to be unmapped, and a range is given besides",
            "vfio_dma_do_unmap",
            "give neither IOVA nor size with VFIO_DMA_UNMAP_FLAG_ALL",
            f -> f.unmapAll() && (f.iova() | f.size()) != 0),
    /** Unmapping names whole pages. */
    UNMAP_SIZE_ALIGNED(
            "unmap-dma.size-aligned",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the size is 0 or not a multiple of the IOMMU's smallest page",
            "vfio_dma_do_unmap",
            "unmap what was mapped",
            f -> !f.unmapAll() && (f.size() == 0 || (f.size() & (f.granule() - 1)) != 0)),
    /** Unmapping does not wrap around the address space. */
    UNMAP_WRAP(
            "unmap-dma.wrap",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the range wraps around the end of the address space (before Linux 7 the errno is EINVAL)",
            "vfio_dma_do_unmap",
            "unmap what was mapped",
            f -> wraps(f.iova(), f.size())) {
        @Override
        public Errno errno(KernelProfile kernel) {
            return kernel.isBefore(KernelProfile.V7_2) ? Errno.EINVAL : errno();
        }
    },
    /** Dirty pages are told while they are tracked. */
    UNMAP_DIRTY_ON(
            "unmap-dma.dirty-tracking",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "dirty tracking is off, or the bitmap is not for the IOMMU's smallest page",
            "vfio_dma_do_unmap",
            "start it: iommu.trackDirtyPages()",
            f -> !f.dirtyTracking()),
    /** A type1 v2 unmap cuts no mapping. */
    UNMAP_WHOLE(
            "unmap-dma.whole",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the range would cut a mapping",
            "vfio_dma_do_unmap",
            "unmap what was mapped",
            Facts::cutsMapping),
    /** A mapping loses its address once. */
    UNMAP_ADDRESS(
            "unmap-dma.address",
            Operation.IOMMU_UNMAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "a mapping of the range lost its address already (VFIO_DMA_UNMAP_FLAG_VADDR)",
            "vfio_dma_do_unmap",
            "give it its new address first",
            Facts::addressMissing),

    // ---- VFIO_IOMMU_DIRTY_PAGES
    /** Only a container with its IOMMU tracks dirty pages. */
    DIRTY_NEEDS_IOMMU(
            "dirty-pages.needs-iommu",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.API,
            Errno.EINVAL,
            "the container has no IOMMU (any more)",
            "vfio_fops_unl_ioctl",
            "set it: container.setIommu(type); it ends when the last group leaves",
            f -> !f.iommuSet()),
    /** Only an IOMMU translates. */
    DIRTY_TRANSLATED(
            "dirty-pages.translated",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.TYPE,
            Errno.ENOTTY,
            "the container has no IOMMU: its groups are such without one, and devices use addresses of "
                    + "physical memory",
            "vfio_noiommu_ioctl",
            "use groups behind an IOMMU",
            f -> !f.dmaTranslated()),
    /** Only a type1 v2 IOMMU tracks dirty pages. */
    DIRTY_TYPE(
            "dirty-pages.type",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.API,
            Errno.EACCES,
            "the IOMMU is of the first type (VFIO_TYPE1_IOMMU), or an iommufd stands in for the container",
            "vfio_iommu_type1_dirty_pages",
            "set IommuType.TYPE1_V2",
            f -> !f.type1V2()),
    /** Dirty tracking is started, stopped or read. */
    DIRTY_ONE_ACTION(
            "dirty-pages.one-action",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the flags name none or several of start, stop and reading",
            "vfio_iommu_type1_dirty_pages",
            "call one of trackDirtyPages, read and close",
            f -> !f.dirtyActionValid()),
    /** Dirty pages are read of a range. */
    DIRTY_SIZE(
            "dirty-pages.size",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.API,
            Errno.EINVAL,
            "the size is 0",
            "vfio_iommu_type1_dirty_pages",
            "read at least one page",
            f -> f.size() == 0),
    /** A range of dirty pages does not wrap around the address space. */
    DIRTY_WRAP(
            "dirty-pages.wrap",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the range wraps around the end of the address space (before Linux 7 the errno is EINVAL)",
            "vfio_iommu_type1_dirty_pages",
            "read a smaller range",
            f -> wraps(f.iova(), f.size())) {
        @Override
        public Errno errno(KernelProfile kernel) {
            return kernel.isBefore(KernelProfile.V7_2) ? Errno.EINVAL : errno();
        }
    },
    /** A bitmap has a bit for each page. */
    DIRTY_BITMAP_BUFFER(
            "dirty-pages.bitmap-buffer",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.API,
            Errno.EINVAL,
            "the bitmap is no memory of a program, larger than 256 MiB, or has no bit for each page",
            "vfio_iommu_type1_dirty_pages",
            "read smaller ranges: iommu.info().dirtyTracking() tells the largest bitmap",
            f -> !f.dirtyBitmapFits()),
    /** Dirty pages are whole pages. */
    DIRTY_ALIGNED(
            "dirty-pages.aligned",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.API,
            Errno.EINVAL,
            "IOVA or size is not a multiple of the IOMMU's smallest page, or the bitmap is for other pages",
            "vfio_iommu_type1_dirty_pages",
            "align both to iommu.info().granule()",
            f -> ((f.iova() | f.size()) & (f.granule() - 1)) != 0),
    /** Dirty pages are told while they are tracked. */
    DIRTY_ON(
            "dirty-pages.on",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.API,
            Errno.EINVAL,
            "dirty tracking is off",
            "vfio_iommu_type1_dirty_pages",
            "start it: iommu.trackDirtyPages()",
            f -> !f.dirtyTracking()),
    /** Every mapping has a bitmap. */
    DIRTY_TRACKABLE(
            "dirty-pages.trackable",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the kernel has no bitmap for a mapping of 2^31 pages and more",
            "vfio_dma_bitmap_alloc",
            "map smaller buffers",
            f -> f.pagesToTrack() > Integer.MAX_VALUE),
    /** Dirty pages are told of whole mappings. */
    DIRTY_WHOLE(
            "dirty-pages.whole",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.API,
            Errno.EINVAL,
            "the range would cut a mapping",
            "vfio_iova_dirty_bitmap",
            "read whole mappings",
            Facts::cutsMapping),
    /** No two mappings share a word of the bitmap. */
    DIRTY_STALE(
            "dirty-pages.stale",
            Operation.IOMMU_DIRTY_PAGES,
            EnforcedBy.API,
            Errno.EINVAL,
            "a mapping in the range does not start a multiple of 64 pages behind the range's start: the "
                    + "kernel would keep other pages' bits and tell them later as this mapping's",
            "update_user_bitmap",
            "read the mapping alone: dirtyTracking.read(buffer), or map buffers that are read together 64 "
                    + "pages apart",
            f -> !f.dirtyBitmapsApart()) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },

    // ---- VFIO_DEVICE_GET_IRQ_INFO
    /** There are so many interrupt indexes. */
    IRQ_INFO_INDEX(
            "irq-info.index",
            Operation.DEVICE_GET_IRQ_INFO,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the device has no interrupt index of that number",
            "vfio_pci_ioctl_get_irq_info",
            "stay below device.info().irqs(); PciIrq names those of PCI",
            f -> !f.irqIndexKnown()),
    /** Some devices lack an index. */
    IRQ_INFO_PRESENT(
            "irq-info.present",
            Operation.DEVICE_GET_IRQ_INFO,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the device lacks this interrupt index: only PCI Express devices report errors, and mediated devices have "
                    + "what their driver gives them",
            "vfio_pci_ioctl_get_irq_info",
            "do without; a device without it tells nobody of such events",
            f -> !f.irqIndexPresent()),

    // ---- VFIO_DEVICE_SET_IRQS
    /** There are so many interrupt indexes. */
    SET_IRQS_INDEX(
            "set-irqs.index",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "no device of this kind has an interrupt index of that number",
            "vfio_set_irqs_validate_and_prepare",
            "stay below device.info().irqs(); PciIrq names those of PCI",
            f -> !f.irqIndexKnown()),
    /** The flags are those that the kernel knows. */
    SET_IRQS_FLAGS(
            "set-irqs.flags",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the flags have bits that are neither a kind of data nor an action",
            "vfio_set_irqs_validate_and_prepare",
            "give one VFIO_IRQ_SET_DATA_ and one VFIO_IRQ_SET_ACTION_",
            f -> !f.irqFlagsKnown()),
    /** The interrupts that are named must exist. */
    SET_IRQS_RANGE(
            "set-irqs.range",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.API,
            Errno.EINVAL,
            "start and count name interrupts that the index does not have",
            "vfio_set_irqs_validate_and_prepare",
            "stay below irq.info().count()",
            f -> f.irqStart() < 0
                    || f.irqStart() >= f.irqsOfIndex()
                    || f.irqCount() < 0
                    || f.irqCount() > f.irqsOfIndex() - f.irqStart()),
    /** The interrupts carry one kind of data. */
    SET_IRQS_DATA(
            "set-irqs.data",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the flags name no kind of data or several",
            "vfio_set_irqs_validate_and_prepare",
            "give exactly one of VFIO_IRQ_SET_DATA_NONE, BOOL and EVENTFD",
            f -> !f.irqDataOfOneKind()),
    /** Each of the interrupts has its data. */
    SET_IRQS_ROOM(
            "set-irqs.room",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "argsz does not cover the data of all interrupts",
            "vfio_set_irqs_validate_and_prepare",
            "give a byte (BOOL) or four (EVENTFD) for each interrupt, and count them in argsz",
            f -> !f.irqDataCovered()),
    /** The data is memory of the program. */
    SET_IRQS_MEMORY(
            "set-irqs.memory",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EFAULT,
            "the data is not memory that the program has",
            "vfio_pci_ioctl_set_irqs",
            "put it behind the struct",
            f -> !f.irqDataReadable()),
    /** Not every index can be masked. */
    SET_IRQS_ACTION(
            "set-irqs.action",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.API,
            Errno.ENOTTY,
            "the interrupts cannot be masked and unmasked (so)",
            "vfio_pci_set_irqs_ioctl",
            "ask irq.info().maskable(); on PCI only INTx is, message interrupts are masked in the device",
            f -> !f.irqActionSupported()),
    /** A PCI device raises INTx, MSI or MSI-X, one of them at a time. */
    SET_IRQS_EXCLUSIVE(
            "set-irqs.exclusive",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.API,
            Errno.EINVAL,
            "another of INTx, MSI and MSI-X is enabled",
            "vfio_pci_set_msi_trigger",
            "close the interrupts that are enabled, then enable the others",
            Facts::otherIrqsEnabled),
    /** Only enabled interrupts can be masked, unmasked and triggered. */
    SET_IRQS_ENABLED(
            "set-irqs.enabled",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.API,
            Errno.EINVAL,
            "the interrupts are not enabled (any more)",
            "vfio_pci_set_msi_trigger",
            "enable them: irq.enable(start, count)",
            f -> !f.irqsEnabled()),
    /** Where an index has one interrupt, that one is named. */
    SET_IRQS_ONE(
            "set-irqs.one",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the index has one interrupt, and start and count do not name it",
            "vfio_pci_set_intx_trigger",
            "give start 0 and count 1; a count of 0 is for disabling alone",
            f -> !f.theIrqNamed()),
    /** No event masks an interrupt. */
    SET_IRQS_MASK_EVENT(
            "set-irqs.mask-event",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.ENOTTY,
            "an eventfd cannot mask, though one can unmask",
            "vfio_pci_set_intx_mask",
            "call interrupt.mask()",
            Facts::irqMaskEventGiven),
    /** Message interrupts are enabled with vectors. */
    SET_IRQS_SOME(
            "set-irqs.some",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.ERANGE,
            "message interrupts were to be enabled without any vector",
            "vfio_msi_enable",
            "enable at least one",
            Facts::noIrqsAllocated),
    /** Message interrupts need somebody who routes them. */
    SET_IRQS_ROUTED(
            "set-irqs.routed",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.KERNEL,
            Errno.ENOTSUPP,
            "nobody routes message interrupts of the device: it is behind no IOMMU, and those of the machine remap interrupts",
            "__pci_enable_msi_range",
            "use INTx, or poll",
            f -> !f.irqMessagesRouted()),
    /** Some interrupts get all their vectors when they are enabled. */
    SET_IRQS_RESIZE(
            "set-irqs.resize",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.API,
            Errno.EINVAL,
            "vectors beyond those that were enabled cannot be added now",
            "vfio_msi_alloc_irq",
            "ask irq.info().noResize(); close the interrupts and enable them with as many vectors as are needed",
            Facts::irqsBeyondEnabled),
    /** Older kernels trigger no vectors beyond those that were enabled. */
    SET_IRQS_TRIGGER(
            "set-irqs.trigger",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "vectors beyond those that were enabled cannot be triggered",
            "vfio_pci_set_msi_trigger",
            "trigger an interrupt that is enabled",
            Facts::irqsTriggeredBeyondEnabled) {
        @Override
        public boolean isOf(KernelProfile kernel) {
            return kernel.isBefore(KernelProfile.V6_12); // newer ones pass over them
        }
    },
    /** A descriptor is one, or -1 for none. */
    SET_IRQS_FD_NEGATIVE(
            "set-irqs.fd-negative",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the descriptor that should be an eventfd is less than -1",
            "vfio_pci_set_ctx_trigger_single",
            "give -1 to take an eventfd away",
            Facts::namedFileNegative) {
        @Override
        public boolean isOf(KernelProfile kernel) {
            return !kernel.isBefore(KernelProfile.V6_12); // older ones take it for nothing to do
        }
    },
    /** The descriptor that is named must be open. */
    SET_IRQS_FD_OPEN(
            "set-irqs.fd-open",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EBADF,
            "no file is open at the descriptor that should be an eventfd",
            "eventfd_ctx_fdget",
            "make one; the library does",
            f -> !f.namedFileOpen()),
    /** An interrupt signals an eventfd. */
    SET_IRQS_FD_KIND(
            "set-irqs.fd-kind",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the file that should be an eventfd is something else",
            "eventfd_ctx_fdget",
            "make one; the library does",
            f -> !f.namedFileIsEvent()),
    /** An interrupt is unmasked by one event. */
    SET_IRQS_UNMASK_EVENT(
            "set-irqs.unmask-event",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.API,
            Errno.EBUSY,
            "the interrupt has an unmask event already",
            "vfio_virqfd_enable",
            "close that one first",
            Facts::irqUnmaskEventSet),
    /** INTx needs a line. */
    SET_IRQS_LINE(
            "set-irqs.line",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the platform routes no interrupt line to the device",
            "vfio_intx_enable",
            "use MSI or MSI-X",
            null),
    /** An interrupt line is shared only by devices that can be masked one by one. */
    SET_IRQS_SHARED_LINE(
            "set-irqs.shared-line",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.KERNEL,
            Errno.EBUSY,
            "a device that cannot be masked on its own (DisINTx of PCI 2.3) has its interrupt line for itself, and this "
                    + "one's is in use",
            "vfio_intx_enable",
            "use MSI or MSI-X, or bind the other devices of the line to no driver",
            Facts::irqLineTaken),
    /** The machine must have the vectors. */
    SET_IRQS_VECTORS(
            "set-irqs.vectors",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.KERNEL,
            Errno.ENOSPC,
            "the machine has fewer interrupt vectors free than were asked for",
            "vfio_msi_enable",
            "enable fewer; more than one MSI vector needs interrupt remapping",
            null),
    /** A device that was asked back gets no new interrupts. */
    SET_IRQS_REQUESTED(
            "set-irqs.requested",
            Operation.DEVICE_SET_IRQS,
            EnforcedBy.API,
            Errno.EBUSY,
            "the device was asked back: somebody waits until it is closed",
            "vfio_pci_core_request",
            "end the work on the device and close it",
            Facts::deviceRequested) {
        @Override
        public Kind kind() {
            return Kind.COURTESY;
        }
    },

    // ---- waiting
    /** Each enabled interrupt takes a file descriptor. */
    EVENT_DESCRIPTOR(
            "eventfd.descriptor",
            Operation.EVENTFD_CREATE,
            EnforcedBy.KERNEL,
            Errno.EMFILE,
            "the process has as many files open as it may; each enabled interrupt is one",
            "get_unused_fd_flags",
            "enable fewer interrupts, or raise the limit (ulimit -n, LimitNOFILE= in systemd)",
            null),

    // ---- external users
    /** Without an IOMMU there is no protection to rely on. */
    EXTERNAL_TRANSLATED(
            "external-user.translated",
            Operation.GET_EXTERNAL_USER,
            EnforcedBy.API,
            Errno.EPERM,
            "no IOMMU translates the DMA of the group (a no-IOMMU group)",
            "vfio_group_get_external_user",
            "use an IOMMU",
            f -> !f.groupTranslated()) {
        @Override
        public Kind kind() {
            return Kind.DOCUMENTS;
        }
    },
    /** An open group alone protects nothing. */
    EXTERNAL_NEEDS_CONTAINER(
            "external-user.needs-container",
            Operation.GET_EXTERNAL_USER,
            EnforcedBy.API,
            Errno.EINVAL,
            "the group is in no container: nothing keeps its devices from the host's memory",
            "vfio_group_get_external_user",
            "attach the group and set the IOMMU first",
            f -> !f.groupInContainer()) {
        @Override
        public Kind kind() {
            return Kind.DOCUMENTS;
        }
    },
    /** Only an IOMMU that is set protects. */
    EXTERNAL_NEEDS_IOMMU(
            "external-user.needs-iommu",
            Operation.GET_EXTERNAL_USER,
            EnforcedBy.API,
            Errno.EINVAL,
            "the group's container has no IOMMU (any more)",
            "vfio_group_get_external_user",
            "set it: container.setIommu(type)",
            f -> !f.iommuSet()) {
        @Override
        public Kind kind() {
            return Kind.DOCUMENTS;
        }
    },
    /** A group with a host driver on a member is not protected. */
    EXTERNAL_VIABLE(
            "external-user.viable",
            Operation.GET_EXTERNAL_USER,
            EnforcedBy.API,
            Errno.EINVAL,
            "a member of the group is bound to a host driver, or the last was bound away from VFIO",
            "vfio_group_get_external_user",
            "bind every member of the group to vfio-pci or pci-stub, or to no driver",
            f -> !f.groupViable()) {
        @Override
        public Kind kind() {
            return Kind.DOCUMENTS;
        }
    },

    // ---- KVM
    /** KVM needs its node. */
    KVM_NODE_EXISTS(
            "open-kvm.node",
            Operation.OPEN_KVM,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "the kernel has no /dev/kvm",
            "kvm_init",
            "load kvm_intel or kvm_amd; the processor must offer virtualization, and the firmware must not "
                    + "turn it off",
            null),
    /** The program needs access to KVM. */
    KVM_NODE_ACCESS(
            "open-kvm.access",
            Operation.OPEN_KVM,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not open /dev/kvm",
            "kvm_init",
            "give the user the group kvm",
            null),
    /** The descriptor of a virtual machine must be open. */
    KVM_VM_OPEN(
            "kvm-vm.open",
            Operation.KVM_CREATE_DEVICE,
            Also.ASKS_A_VM,
            EnforcedBy.KERNEL,
            Errno.EBADF,
            "no file is open at the descriptor of the virtual machine",
            "fdget",
            "hand over the descriptor that KVM_CREATE_VM returned, while it is open",
            null),
    /** A virtual machine is no other file. */
    KVM_VM_KIND(
            "kvm-vm.kind",
            Operation.KVM_CREATE_DEVICE,
            Also.ASKS_A_VM,
            EnforcedBy.KERNEL,
            Errno.ENOTTY,
            "the file is no virtual machine of KVM",
            "vfs_ioctl",
            "hand over the descriptor that KVM_CREATE_VM returned",
            null),
    /** KVM is no virtual machine. */
    KVM_VM_MADE(
            "kvm-vm.made",
            Operation.KVM_CREATE_DEVICE,
            Also.ASKS_A_VM,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the file is no virtual machine of KVM, but /dev/kvm itself or some other",
            "kvm_dev_ioctl",
            "hand over the descriptor that KVM_CREATE_VM of /dev/kvm returned",
            null),
    /** A virtual machine belongs to the process that made it. */
    KVM_CREATE_DEVICE_PROCESS(
            "kvm-create-device.process",
            Operation.KVM_CREATE_DEVICE,
            Also.ASKS_A_VM,
            EnforcedBy.KERNEL,
            Errno.EIO,
            "the virtual machine was made by another process",
            "kvm_vm_ioctl",
            "call from the process that made the virtual machine",
            f -> !f.vmOfCaller()),
    /** The kernel must have the device. */
    KVM_CREATE_DEVICE_KNOWN(
            "kvm-create-device.known",
            Operation.KVM_CREATE_DEVICE,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "KVM has no VFIO device",
            "kvm_ioctl_create_device",
            "use a kernel with CONFIG_KVM_VFIO",
            null),
    /** A virtual machine has one VFIO device. */
    KVM_CREATE_DEVICE_ONCE(
            "kvm-create-device.once",
            Operation.KVM_CREATE_DEVICE,
            EnforcedBy.KERNEL,
            Errno.EBUSY,
            "the virtual machine has its VFIO device already",
            "kvm_vfio_create",
            "let whoever made it add the files; once that is closed another can be made",
            Facts::vmHasVfioDevice),
    /** A virtual machine belongs to the process that made it. */
    KVM_ADD_PROCESS(
            "kvm-add.process",
            Operation.KVM_FILE_ADD,
            EnforcedBy.KERNEL,
            Errno.EIO,
            "the virtual machine was made by another process, or is dead",
            "kvm_device_ioctl",
            "call from the process that made the virtual machine",
            f -> !f.vmOfCaller()),
    /** The descriptor that is named must be open. */
    KVM_ADD_FD_OPEN(
            "kvm-add.fd-open",
            Operation.KVM_FILE_ADD,
            EnforcedBy.TYPE,
            Errno.EBADF,
            "no file is open at the descriptor",
            "kvm_vfio_file_add",
            "give KVM a group or a device",
            f -> !f.namedFileOpen()),
    /** KVM takes files of VFIO. */
    KVM_ADD_FD_KIND(
            "kvm-add.fd-kind",
            Operation.KVM_FILE_ADD,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the file is none that KVM takes: before Linux 6.6 it takes groups and no devices",
            "kvm_vfio_file_add",
            "give it the group of the device",
            f -> !f.namedFileIsVfio()),
    /** KVM takes a file once. */
    KVM_ADD_ONCE(
            "kvm-add.once",
            Operation.KVM_FILE_ADD,
            EnforcedBy.API,
            Errno.EEXIST,
            "KVM has the file already",
            "kvm_vfio_file_add",
            "use the external user that is there",
            Facts::kvmHasFile),
    /** A virtual machine belongs to the process that made it. */
    KVM_DEL_PROCESS(
            "kvm-del.process",
            Operation.KVM_FILE_DEL,
            EnforcedBy.KERNEL,
            Errno.EIO,
            "the virtual machine was made by another process, or is dead",
            "kvm_device_ioctl",
            "call from the process that made the virtual machine",
            f -> !f.vmOfCaller()),
    /** The descriptor that is named must be open. */
    KVM_DEL_FD_OPEN(
            "kvm-del.fd-open",
            Operation.KVM_FILE_DEL,
            EnforcedBy.TYPE,
            Errno.EBADF,
            "no file is open at the descriptor",
            "kvm_vfio_file_del",
            "release the user before the group or device is closed, or close the virtual machine",
            f -> !f.namedFileOpen()),
    /** KVM gives up what it has. */
    KVM_DEL_KNOWN(
            "kvm-del.known",
            Operation.KVM_FILE_DEL,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "KVM does not have the file",
            "kvm_vfio_file_del",
            "release only what was added",
            Facts::kvmLacksFile),

    // ---- handing files to another process
    /** An address is free. */
    LISTEN_ADDRESS_FREE(
            "listen.address-free",
            Operation.HANDOVER_LISTEN,
            EnforcedBy.KERNEL,
            Errno.EADDRINUSE,
            "the address is in use, or a process that died left its file",
            "unix_bind",
            "choose another address; if nobody listens there, remove the file",
            null),
    /** Somebody must listen. */
    CONNECT_FILE(
            "connect.file",
            Operation.HANDOVER_CONNECT,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "there is no socket of that path",
            "unix_find_bsd",
            "let the other process listen first, and check the path",
            null),
    /** Somebody must listen. */
    CONNECT_LISTENER(
            "connect.listener",
            Operation.HANDOVER_CONNECT,
            EnforcedBy.KERNEL,
            Errno.ECONNREFUSED,
            "nobody listens at the address",
            "unix_stream_connect",
            "let the other process listen first",
            null),
    /** The socket's file decides who may connect. */
    CONNECT_ACCESS(
            "connect.access",
            Operation.HANDOVER_CONNECT,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not write to the socket's file",
            "unix_find_bsd",
            "give the user write access to the file and search access to its directories",
            null),
    /** A connection has two ends. */
    SEND_PEER(
            "send.peer",
            Operation.HANDOVER_SEND,
            EnforcedBy.KERNEL,
            Errno.EPIPE,
            "the other end is closed",
            "unix_dgram_sendmsg",
            "connect again",
            null),
    /** Messages wait in limited room. */
    SEND_ROOM(
            "send.room",
            Operation.HANDOVER_SEND,
            EnforcedBy.KERNEL,
            Errno.EAGAIN,
            "the other process does not take its messages",
            "sock_alloc_send_pskb",
            "let it receive what it was sent",
            null),
    /** A connection has two ends. */
    RECEIVE_PEER(
            "receive.peer",
            Operation.HANDOVER_RECEIVE,
            EnforcedBy.KERNEL,
            Errno.ECONNRESET,
            "the other end is closed",
            "unix_dgram_recvmsg",
            "connect again",
            null),
    /** A message is what was asked for. */
    RECEIVE_MESSAGE(
            "receive.message",
            Operation.HANDOVER_RECEIVE,
            EnforcedBy.API,
            Errno.EBADMSG,
            "the message is not one file of the kind that was asked for; what came was closed",
            "scm_detach_fds",
            "receive in the order in which the other process sends",
            null),

    // ---- open of /dev/vfio/devices/vfioN
    /** The device node must exist. */
    CDEV_NODE_EXISTS(
            "open-cdev.node",
            Operation.OPEN_DEVICE,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "the device has no node of its own: it is not bound to a VFIO driver, is behind no IOMMU, or the "
                    + "kernel has no such nodes",
            "vfio_device_fops_cdev_open",
            "bind the device to vfio-pci; a kernel without CONFIG_VFIO_DEVICE_CDEV has groups alone: "
                    + "vfio.openGroup(number)",
            null),
    /** The program needs access to the device node. */
    CDEV_NODE_ACCESS(
            "open-cdev.access",
            Operation.OPEN_DEVICE,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not open the device node",
            "vfio_device_fops_cdev_open",
            "give the user read and write access to the node (chown or a udev rule)",
            null),
    /** A device that leaves is not opened. */
    CDEV_STAYS(
            "open-cdev.leaving",
            Operation.OPEN_DEVICE,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the device is just being unbound from its VFIO driver",
            "vfio_device_fops_cdev_open",
            "bind the device to vfio-pci again",
            null),

    // ---- open of /dev/iommu
    /** The iommufd node must exist. */
    IOMMUFD_NODE_EXISTS(
            "open-iommufd.node",
            Operation.OPEN_IOMMUFD,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "the kernel has no /dev/iommu",
            "iommufd_fops_open",
            "load the driver (modprobe iommufd); a kernel without CONFIG_IOMMUFD has containers: vfio.openContainer()",
            null),
    /** The program needs access to the iommufd node. */
    IOMMUFD_NODE_ACCESS(
            "open-iommufd.access",
            Operation.OPEN_IOMMUFD,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "this user may not open the iommufd node",
            "iommufd_fops_open",
            "give the user read and write access to the node",
            null),

    // ---- VFIO_DEVICE_BIND_IOMMUFD
    /** A descriptor is not negative. */
    BIND_IOMMUFD_NEGATIVE(
            "bind-iommufd.fd-negative",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the descriptor that should be the iommufd is negative",
            "vfio_df_ioctl_bind_iommufd",
            "open an iommufd",
            Facts::namedFileNegative),
    /** Only a file of the device's own node is bound. */
    BIND_IOMMUFD_OWN_FILE(
            "bind-iommufd.own-file",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the device was opened through its group",
            "vfio_df_ioctl_bind_iommufd",
            "open the device by its own node, with the group closed",
            Facts::openedThroughGroup),
    /** A group is used through its own file or through those of its devices. */
    BIND_IOMMUFD_GROUP_CLOSED(
            "bind-iommufd.group-closed",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.API,
            Errno.EBUSY,
            "the group of the device is open",
            "vfio_device_block_group",
            "use one of the two ways for all devices of the group: close the group first",
            Facts::groupOpen),
    /** A file is bound once. */
    BIND_IOMMUFD_ONCE(
            "bind-iommufd.once",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "this file of the device is bound already",
            "vfio_df_ioctl_bind_iommufd",
            "use the device as it is; only closing it unbinds it",
            Facts::deviceBound),
    /** Not every device has a token. */
    BIND_IOMMUFD_TOKEN_TAKEN(
            "bind-iommufd.token-taken",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "a token was shown, and the device takes none: it is no SR-IOV function, or a virtual one whose physical one "
                    + "is not bound to vfio-pci",
            "vfio_df_check_token",
            "open the device without a token",
            f -> !f.vfTokenTaken()),
    /** A virtual function is bound with the token of the physical one. */
    BIND_IOMMUFD_TOKEN(
            "bind-iommufd.token",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.KERNEL,
            Errno.EACCES,
            "the device is a virtual function, or a physical one with virtual functions in use, and needs the "
                    + "token of the physical one",
            "vfio_df_check_token",
            "open it with the token that the program of the physical function chose",
            f -> !f.vfTokenRight()),
    /** The descriptor that is named must be open. */
    BIND_IOMMUFD_FD_OPEN(
            "bind-iommufd.fd-open",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.TYPE,
            Errno.EBADF,
            "no file is open at the descriptor that should be the iommufd",
            "iommufd_ctx_from_fd",
            "open an iommufd",
            f -> !f.namedFileOpen()),
    /** The file that is named must be an iommufd. */
    BIND_IOMMUFD_FD_KIND(
            "bind-iommufd.fd-kind",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.TYPE,
            Errno.EBADFD,
            "the file that should be the iommufd is something else",
            "iommufd_ctx_from_fd",
            "open an iommufd",
            f -> !f.namedFileIsIommufd()),
    /** A device is bound once, in all the machine. */
    BIND_IOMMUFD_DEVICE_ONCE(
            "bind-iommufd.device-once",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.API,
            Errno.EINVAL,
            "the device is bound through another file of it",
            "vfio_df_open",
            "use that one, or close it first; if it is not open here, another process has the device",
            Facts::deviceBoundElsewhere),
    /** DMA through an iommufd is coherent. */
    BIND_IOMMUFD_COHERENT(
            "bind-iommufd.coherent",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the IOMMU cannot make the device's DMA coherent with the caches",
            "iommufd_device_bind",
            "use the device through its group and a container",
            null),
    /** Devices may not raise interrupts of others. */
    BIND_IOMMUFD_INTERRUPTS(
            "bind-iommufd.interrupts",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "the platform cannot isolate message interrupts (no interrupt remapping)",
            "iommufd_device_bind",
            "turn interrupt remapping on, or waive it with iommufd.allow_unsafe_interrupts=1 if you trust the device",
            f -> !f.interruptsIsolated()),
    /** All devices of a group have one owner. */
    BIND_IOMMUFD_OWNERSHIP(
            "bind-iommufd.owner",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "a member of the group is bound to a host driver or to another iommufd, or the group is in a container",
            "iommu_device_claim_dma_owner",
            "bind every member of the group to vfio-pci, pci-stub or no driver, and all that are used to one iommufd",
            Facts::groupOwnedByHost),
    /** The IOMMU must not serve the group for somebody else. */
    BIND_IOMMUFD_DOMAIN_BUSY(
            "bind-iommufd.domain-busy",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.KERNEL,
            Errno.EBUSY,
            "the group is attached to another domain of the IOMMU",
            "iommu_device_claim_dma_owner",
            "end what uses the group: another driver or another program",
            null),
    /** A device is opened while nobody resets it. */
    BIND_IOMMUFD_BUSY(
            "bind-iommufd.busy",
            Operation.DEVICE_BIND_IOMMUFD,
            EnforcedBy.KERNEL,
            Errno.EAGAIN,
            "somebody else resets the device or its bus",
            "vfio_pci_core_enable",
            "bind it again",
            null),

    // ---- VFIO_DEVICE_ATTACH_IOMMUFD_PT with a PASID
    /** A driver may have no PASIDs. */
    ATTACH_PASID_DRIVER(
            "attach-pasid.driver",
            Operation.DEVICE_ATTACH_PASID,
            EnforcedBy.KERNEL,
            Errno.EOPNOTSUPP,
            "the device's driver attaches no PASIDs, as with mediated devices",
            "vfio_df_ioctl_attach_pt",
            "attach the device without a PASID",
            f -> !f.driverTakesPasids()),
    /** A PASID is not 0. */
    ATTACH_PASID(
            "attach-pasid.zero",
            Operation.DEVICE_ATTACH_PASID,
            EnforcedBy.API,
            Errno.EINVAL,
            "PASID 0 is to be attached: it is the device itself, which the kernel then no longer attaches or "
                    + "detaches",
            "vfio_df_ioctl_attach_pt",
            "attach the device without a PASID",
            f -> f.pasid() == 0) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** A device has PASIDs or not. */
    ATTACH_PASID_SUPPORTED(
            "attach-pasid.supported",
            Operation.DEVICE_ATTACH_PASID,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the device has PASIDs and not this one, or the kernel is older than Linux 6.15",
            "iommu_attach_device_pasid",
            "ask device.iommuHardware().pasidBits()",
            f -> !f.pasidSupported()),

    // ---- VFIO_DEVICE_ATTACH_IOMMUFD_PT
    /** What a device is attached to must exist. */
    ATTACH_KNOWN(
            "attach.known",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            Also.ATTACHES,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no object with this number",
            "iommufd_device_change_pt",
            "name an address space or page table of the iommufd that the device is bound to",
            f -> !f.objectKnown()),
    /** A device is attached to an address space or a page table. */
    ATTACH_KIND(
            "attach.kind",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            Also.ATTACHES,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the object is neither an address space nor a page table",
            "iommufd_device_change_pt",
            "name an address space or page table",
            f -> !f.objectFits()),
    /** A page table is made for PASIDs. */
    ATTACH_PASID_TABLE(
            "attach-pasid.table",
            Operation.DEVICE_ATTACH_PASID,
            EnforcedBy.API,
            Errno.EINVAL,
            "the page table, or the one that the device is attached to, was not made for PASIDs",
            "iommufd_hwpt_pasid_compat",
            "make it with HwptFlag.PASID",
            f -> !f.tablesTakePasids()),
    /** All devices of a group are attached to one page table. */
    ATTACH_TOGETHER(
            "attach.together",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.API,
            Errno.EINVAL,
            "another device of the group is attached to another page table",
            "iommufd_hw_pagetable_attach",
            "attach it where the other device of the group is, or detach that one first",
            Facts::groupAttachedElsewhere),
    /** What a device cannot translate must not be mapped. */
    ATTACH_RESERVED(
            "attach.reserved",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.KERNEL,
            Errno.EADDRINUSE,
            "IOVAs that the device or its IOMMU cannot use are mapped, or were promised (IOMMU_IOAS_ALLOW_IOVAS)",
            "iopt_reserve_iova",
            "unmap what lies outside the ranges of the address space, or attach before anything is mapped",
            f -> !f.reservedIsFree()),
    /** What is mapped must consist of the IOMMU's pages. */
    ATTACH_ALIGNED(
            "attach.aligned",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.API,
            Errno.EADDRINUSE,
            "something is mapped that is no multiple of the IOMMU's smallest page",
            "iopt_check_iova_alignment",
            "map whole pages: before a device is attached the kernel takes parts of pages",
            f -> !f.mappingsAligned()),
    /** What is mapped lets devices read, write or both. */
    ATTACH_PERMISSION(
            "attach.permission",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "something is mapped that lets devices neither read nor write",
            "iopt_table_add_domain",
            "unmap it; only an iommufd that stands in for a container takes such a mapping",
            f -> !f.accessGiven()),
    /** A file that is mapped is memory. */
    ATTACH_FILE(
            "attach.file",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "a file is mapped that is no memory, or that ends before the range",
            "iopt_table_add_domain",
            "map memory of memfd_create",
            f -> !f.filesAreMemory()),
    /** What is mapped is pinned when the first device is attached. */
    ATTACH_MEMORY(
            "attach.memory",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.KERNEL,
            Errno.EFAULT,
            "memory that is mapped is no longer there, or is read-only and the device may write",
            "iopt_table_add_domain",
            "unmap what the program gave back",
            f -> !f.memoryAccessible()),
    /** Pinned memory counts against the limit on locked memory. */
    ATTACH_MEMLOCK(
            "attach.memlock",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.KERNEL,
            Errno.ENOMEM,
            "the limit on locked memory (RLIMIT_MEMLOCK) is reached, or the kernel is out of memory",
            "iopt_table_add_domain",
            "raise the limit (ulimit -l, LimitMEMLOCK= in systemd), or map less",
            f -> !f.withinMemlock()),
    /** A device that cannot wait for pages has no page faults to handle. */
    ATTACH_PAGE_REQUESTS(
            "attach.page-requests",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the page table has a fault queue, and the device requests no pages (PCIe's Page Request Interface), or its IOMMU"
                    + " handles no requests",
            "iommu_attach_group_handle",
            "make the page table without a fault queue",
            f -> !f.pageRequestsSupported()),
    /** What a guest is told of a device has the guest's number of the device. */
    ATTACH_VIRTUAL(
            "attach.virtual",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "the page table is of a virtual IOMMU, whose guest has no number for the device",
            "iommufd_viommu_get_vdev_id",
            "tell the number first: viommu.addDevice(device, number)",
            f -> !f.deviceKnownToGuest()),
    /** A device is attached while nobody resets it. */
    ATTACH_BUSY(
            "attach.busy",
            Operation.DEVICE_ATTACH_IOMMUFD_PT,
            EnforcedBy.KERNEL,
            Errno.EBUSY,
            "the device is just being reset",
            "iommu_attach_group",
            "attach it again",
            null),

    // ---- IOMMU_DESTROY
    /** What is destroyed must exist. */
    DESTROY_KNOWN(
            "iommu-destroy.known",
            Operation.IOMMU_DESTROY,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no object with this number",
            "iommufd_object_remove",
            "destroy each object once",
            f -> !f.objectKnown()),
    /** Only what nobody uses is destroyed. */
    DESTROY_UNUSED(
            "iommu-destroy.unused",
            Operation.IOMMU_DESTROY,
            EnforcedBy.API,
            Errno.EBUSY,
            "the object is in use: an address space by page tables, a page table by devices, a device by its file",
            "iommufd_object_remove",
            "close or detach what uses it first",
            Facts::objectInUse),

    // ---- IOMMU_IOAS_ALLOW_IOVAS
    /** The address space must exist. */
    IOAS_ALLOW_KNOWN(
            "ioas-allow.known",
            Operation.IOAS_ALLOW_IOVAS,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no address space with this number",
            "iommufd_ioas_allow_iovas",
            "name an address space",
            f -> !f.objectKnown()),
    /** Ranges have a length and lie apart. */
    IOAS_ALLOW_RANGES(
            "ioas-allow.ranges",
            Operation.IOAS_ALLOW_IOVAS,
            EnforcedBy.API,
            Errno.EINVAL,
            "a range ends before or where it begins, or two overlap",
            "iommufd_ioas_load_iovas",
            "give ranges of two bytes and more that lie apart",
            f -> !f.rangesApart()),
    /** Only what can be mapped is allowed. */
    IOAS_ALLOW_RESERVED(
            "ioas-allow.reserved",
            Operation.IOAS_ALLOW_IOVAS,
            EnforcedBy.API,
            Errno.EADDRINUSE,
            "a range includes IOVAs that an attached device or its IOMMU cannot use",
            "iopt_set_allow_iova",
            "allow ranges inside those of the address space",
            f -> !f.reservedIsFree()),

    // ---- IOMMU_IOAS_IOVA_RANGES
    /** The address space must exist. */
    IOAS_RANGES_KNOWN(
            "ioas-ranges.known",
            Operation.IOAS_IOVA_RANGES,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no address space with this number",
            "iommufd_ioas_iova_ranges",
            "name an address space",
            f -> !f.objectKnown()),
    /** The answer needs room for every range. */
    IOAS_RANGES_ROOM(
            "ioas-ranges.room",
            Operation.IOAS_IOVA_RANGES,
            EnforcedBy.TYPE,
            Errno.EMSGSIZE,
            "there is no room for all ranges; the kernel wrote how many there are",
            "iommufd_ioas_iova_ranges",
            "ask again with as much room",
            f -> !f.roomForRanges()),

    // ---- IOMMU_IOAS_COPY
    /** A length or IOVA is below 2^64 - 1. */
    IOAS_COPY_LIMIT(
            "ioas-copy.limit",
            Operation.IOAS_COPY,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "an IOVA or the length is that of the very top, 2^64 - 1",
            "iommufd_ioas_copy",
            "choose lower IOVAs or a smaller length",
            f -> f.sourceIova() == -1 || f.iova() == -1 || f.size() == -1),
    /** A mapping lets devices read, write or both. */
    IOAS_COPY_PERMISSION(
            "ioas-copy.permission",
            Operation.IOAS_COPY,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the flags let a device neither read nor write",
            "iommufd_ioas_copy",
            "give an Access",
            f -> !f.accessGiven()),
    /** The address space that is copied from must exist. */
    IOAS_COPY_KNOWN(
            "ioas-copy.known",
            Operation.IOAS_COPY,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no address space with the number of the source",
            "iommufd_ioas_copy",
            "name an address space",
            f -> !f.sourceKnown()),
    /** A copy has a size. */
    IOAS_COPY_SIZE(
            "ioas-copy.size",
            Operation.IOAS_COPY,
            EnforcedBy.API,
            Errno.EINVAL,
            "the length is 0",
            "iopt_get_pages",
            "copy at least one page",
            f -> f.size() == 0),
    /** A range does not wrap around the address space. */
    IOAS_COPY_WRAP(
            "ioas-copy.wrap",
            Operation.IOAS_COPY,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the range of the source wraps around the end of the address space",
            "iopt_get_pages",
            "choose a lower IOVA or a smaller length",
            f -> wraps(f.sourceIova(), f.size())),
    /** Only what is mapped is copied. */
    IOAS_COPY_MAPPED(
            "ioas-copy.mapped",
            Operation.IOAS_COPY,
            EnforcedBy.API,
            Errno.ENOENT,
            "a part of the range of the source is not mapped",
            "iopt_get_pages",
            "copy what is mapped",
            f -> !f.sourceMapped()),
    /** The address space that is copied to must exist. */
    IOAS_COPY_TARGET(
            "ioas-copy.target",
            Operation.IOAS_COPY,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no address space with the number of the target",
            "iommufd_ioas_copy",
            "name an address space",
            f -> !f.objectKnown()),

    // ---- IOMMU_IOAS_MAP_FILE
    /** Older kernels do not have the newer operations of an iommufd. */
    IOMMUFD_OPERATION_KNOWN(
            "iommufd.operation-known",
            Operation.IOAS_MAP_FILE,
            Also.SINCE_6_13,
            EnforcedBy.KERNEL,
            Errno.ENOTTY,
            "the kernel is older than this operation of an iommufd",
            "iommufd_fops_ioctl",
            "use a newer kernel (the operation's documentation says since when), or do without",
            f -> !f.operationKnown()),
    /** A length or IOVA is below 2^64 - 1. */
    IOAS_MAP_FILE_LIMIT(
            "ioas-map-file.limit",
            Operation.IOAS_MAP_FILE,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the IOVA or the length is that of the very top, 2^64 - 1",
            "iommufd_ioas_map_file",
            "choose a lower IOVA or a smaller length",
            f -> f.iova() == -1 || f.size() == -1),
    /** A mapping lets devices read, write or both. */
    IOAS_MAP_FILE_PERMISSION(
            "ioas-map-file.permission",
            Operation.IOAS_MAP_FILE,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the flags let a device neither read nor write",
            "iommufd_ioas_map_file",
            "give an Access",
            f -> !f.accessGiven()),
    /** The address space must exist. */
    IOAS_MAP_FILE_KNOWN(
            "ioas-map-file.known",
            Operation.IOAS_MAP_FILE,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no address space with this number",
            "iommufd_ioas_map_file",
            "name an address space",
            f -> !f.objectKnown()),

    // ---- VFIO_IOMMU_MAP_DMA of an iommufd that stands in for a container
    /** What stands in for a container needs an address space. */
    COMPAT_MAP_NEEDS_IOAS(
            "compat-map.needs-ioas",
            Operation.COMPAT_MAP_DMA,
            EnforcedBy.TYPE,
            Errno.ENODEV,
            "no group was given to the iommufd yet, so it has no address space for containers",
            "iommufd_vfio_map_dma",
            "use a container, or the iommufd's own operations",
            f -> !f.compatIoasExists()),

    // ---- IOMMU_IOAS_CHANGE_PROCESS
    /** Only what is mapped by file outlives a process. */
    CHANGE_PROCESS_FILES(
            "ioas-change-process.files",
            Operation.IOAS_CHANGE_PROCESS,
            EnforcedBy.API,
            Errno.EINVAL,
            "something is mapped that is memory of a process and of no file",
            "iommufd_ioas_change_process",
            "map files (Ioas.map), or unmap the rest",
            f -> !f.allMappedByFile()),
    /** Pinned memory counts against the limit on locked memory. */
    CHANGE_PROCESS_MEMLOCK(
            "ioas-change-process.memlock",
            Operation.IOAS_CHANGE_PROCESS,
            EnforcedBy.KERNEL,
            Errno.ENOMEM,
            "the limit on locked memory (RLIMIT_MEMLOCK) is reached: what is pinned counts for both processes for a moment",
            "iommufd_ioas_change_process",
            "raise the limit (ulimit -l, LimitMEMLOCK= in systemd)",
            f -> !f.withinMemlock()),

    // ---- IOMMU_IOAS_MAP
    /** A length or IOVA is below 2^64 - 1. */
    IOAS_MAP_LIMIT(
            "ioas-map.limit",
            Operation.IOAS_MAP,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the IOVA or the length is that of the very top, 2^64 - 1",
            "iommufd_ioas_map",
            "choose a lower IOVA or a smaller length",
            f -> f.iova() == -1 || f.size() == -1),
    /** A mapping lets devices read, write or both. */
    IOAS_MAP_PERMISSION(
            "ioas-map.permission",
            Operation.IOAS_MAP,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the flags let a device neither read nor write",
            "iommufd_ioas_map",
            "give an Access",
            f -> !f.accessGiven()),
    /** The address space must exist. */
    IOAS_MAP_KNOWN(
            "ioas-map.known",
            Operation.IOAS_MAP,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no address space with this number",
            "iommufd_ioas_map",
            "name an address space",
            f -> !f.objectKnown()),
    /** A mapping has a size. */
    IOAS_MAP_SIZE(
            "ioas-map.size",
            Operation.IOAS_MAP,
            Also.MAPS_MEMORY,
            EnforcedBy.API,
            Errno.EINVAL,
            "the length is 0",
            "iopt_alloc_pages",
            "map at least one page",
            f -> f.size() == 0),
    /** Older kernels look at the length before they add it to the address. */
    IOAS_MAP_ALL_FIRST(
            "ioas-map.all-first",
            Operation.IOAS_MAP,
            Also.MAPS_MEMORY,
            EnforcedBy.API,
            Errno.EINVAL,
            "the length is almost 2^64",
            "iopt_alloc_pages",
            "map memory of the program",
            f -> isAlmostAll(f.size())) {
        @Override
        public boolean isOf(KernelProfile kernel) {
            return kernel.isBefore(KernelProfile.V7_2);
        }
    },
    /** Memory does not wrap around the address space. */
    IOAS_MAP_ADDRESS_WRAP(
            "ioas-map.address-wrap",
            Operation.IOAS_MAP,
            Also.MAPS_PROGRAM,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "address and length reach the end of 64 bits",
            "iopt_alloc_pages",
            "map memory of the program",
            f -> Long.compareUnsigned(f.address() + f.size(), f.address()) < 0),
    /** A range of a file does not wrap around the end of 64 bits. */
    IOAS_MAP_FILE_WRAP(
            "ioas-map-file.wrap",
            Operation.IOAS_MAP_FILE,
            EnforcedBy.TYPE,
            Errno.EOVERFLOW,
            "start and length reach beyond 64 bits",
            "iopt_map_file_pages",
            "map what the file has",
            f -> wraps(f.address(), f.size())),
    /** The descriptor that is named must be open. */
    IOAS_MAP_FILE_FD_OPEN(
            "ioas-map-file.fd-open",
            Operation.IOAS_MAP_FILE,
            EnforcedBy.TYPE,
            Errno.EBADF,
            "no file is open at the descriptor",
            "iopt_map_file_pages",
            "open the file",
            f -> !f.namedFileOpen()),
    /** A dma-buf has what is mapped of it. */
    IOAS_MAP_FILE_DMA_BUF_RANGE(
            "ioas-map-file.dma-buf-range",
            Operation.IOAS_MAP_FILE,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the range is empty, or ends behind the dma-buf",
            "iopt_map_dmabuf",
            "map what the dma-buf has",
            f -> !f.dmaBufHasRange()),
    /** A dma-buf of a BAR that is out of reach is not mapped. */
    IOAS_MAP_FILE_DMA_BUF_REACH(
            "ioas-map-file.dma-buf-reach",
            Operation.IOAS_MAP_FILE,
            EnforcedBy.TYPE,
            Errno.ENODEV,
            "the device whose BAR it is was closed, decodes no memory or is in low power",
            "vfio_pci_dma_buf_iommufd_map",
            "keep the device open and awake, and its memory decode on",
            f -> !f.dmaBufReachable()),
    /** Of dma-bufs, an iommufd maps those that vfio-pci makes of one part of a BAR. */
    IOAS_MAP_FILE_DMA_BUF_KIND(
            "ioas-map-file.dma-buf-kind",
            Operation.IOAS_MAP_FILE,
            EnforcedBy.TYPE,
            Errno.EOPNOTSUPP,
            "the dma-buf is not one of vfio-pci, or of several parts of a BAR",
            "vfio_pci_dma_buf_iommufd_map",
            "share each part of the BAR as a dma-buf of its own",
            f -> !f.dmaBufOfOnePart()),
    /** A mapping is smaller than the address space. */
    IOAS_MAP_ALL(
            "ioas-map.all",
            Operation.IOAS_MAP,
            Also.MAPS_MEMORY,
            EnforcedBy.API,
            Errno.EINVAL,
            "the length is almost 2^64",
            "iopt_alloc_pages",
            "map memory of the program",
            f -> isAlmostAll(f.size())),
    /** A mapping consists of whole pages. */
    IOAS_MAP_SIZE_ALIGNED(
            "ioas-map.size-aligned",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.API,
            Errno.EINVAL,
            "the length is not a multiple of the smallest page of the IOMMUs",
            "iopt_alloc_area_pages",
            "align it to what the address space says",
            f -> (f.size() & (f.granule() - 1)) != 0),
    /** The kernel looks for less than half of the address space. */
    IOAS_MAP_HALF(
            "ioas-map.half",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "no IOVA is given, and the length is half of the address space or more",
            "iopt_alloc_iova",
            "give an IOVA, or map less",
            f -> !f.iovaGiven() && Long.compareUnsigned(f.size(), Long.MAX_VALUE) >= 0),
    /** The kernel places memory as it is aligned. */
    IOAS_MAP_PLACE_ALIGNED(
            "ioas-map.place-aligned",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.API,
            Errno.EINVAL,
            "no IOVA is given, and the memory is not aligned to the smallest page of the IOMMUs",
            "iopt_alloc_iova",
            "align the address to what the address space says",
            f -> !f.iovaGiven() && (f.address() & (f.granule() - 1)) != 0),
    /** The kernel places a mapping only where there is room. */
    IOAS_MAP_PLACE(
            "ioas-map.place",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.KERNEL,
            Errno.ENOSPC,
            "no IOVA is given, and no gap between the mappings is large enough",
            "iopt_alloc_iova",
            "give an IOVA, map smaller pieces, or allow more IOVAs",
            f -> !f.iovaGiven() && !f.iovaFree()),
    /** A mapping consists of whole pages. */
    IOAS_MAP_IOVA_ALIGNED(
            "ioas-map.iova-aligned",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.API,
            Errno.EINVAL,
            "the IOVA is not a multiple of the smallest page of the IOMMUs",
            "iopt_check_iova",
            "align it to what the address space says",
            f -> f.iovaGiven() && (f.iova() & (f.granule() - 1)) != 0),
    /** A mapping does not wrap around the address space. */
    IOAS_MAP_WRAP(
            "ioas-map.wrap",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the range wraps around the end of the address space",
            "iopt_check_iova",
            "choose a lower IOVA or a smaller length",
            f -> f.iovaGiven() && wraps(f.iova(), f.size())),
    /** A mapping lies inside what the IOMMUs can translate. */
    IOAS_MAP_RANGE(
            "ioas-map.range",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.API,
            Errno.EINVAL,
            "the range includes IOVAs that an attached device or its IOMMU cannot use",
            "iopt_check_iova",
            "choose an IOVA inside the ranges of the address space",
            f -> f.iovaGiven() && !f.insideIovaRange()),
    /** Mappings do not overlap. */
    IOAS_MAP_OVERLAP(
            "ioas-map.overlap",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.API,
            Errno.EEXIST,
            "the range overlaps a mapping",
            "iopt_check_iova",
            "choose another IOVA, or let the kernel choose, or unmap first",
            f -> f.iovaGiven() && f.overlapsMapping()),
    /** A copy allows no more than what it is made of. */
    IOAS_MAP_WRITABLE(
            "ioas-map.writable",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.API,
            Errno.EPERM,
            "the copy is to let devices write, and the memory was mapped for reading alone",
            "iopt_insert_area",
            "map the memory anew, for writing",
            f -> !f.sourceWritable()),
    /** A mapping consists of whole pages. */
    IOAS_MAP_ADDRESS_ALIGNED(
            "ioas-map.address-aligned",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.API,
            Errno.EINVAL,
            "the memory is not aligned to the smallest page of the IOMMUs",
            "iopt_insert_area",
            "align the address to what the address space says",
            f -> (f.address() & (f.granule() - 1)) != 0),
    /** A file that is mapped, or copied, is memory. */
    IOAS_MAP_FILE_FD_KIND(
            "ioas-map-file.fd-kind",
            Operation.IOAS_MAP_FILE,
            Also.COPIES,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the file is no memory that can be pinned, or ends before the range; the kernel looks once there is a page "
                    + "table",
            "memfd_pin_folios",
            "map memory of memfd_create",
            f -> !f.filesAreMemory()),
    /** What is mapped must be memory of the program. */
    IOAS_MAP_MEMORY(
            "ioas-map.memory",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.KERNEL,
            Errno.EFAULT,
            "a page of the range is not mapped in the program, or it is read-only and the device may write",
            "iopt_area_fill_domains",
            "map memory that the program has, and may write if the device may",
            f -> !f.memoryAccessible()),
    /** Pinned memory counts against the limit on locked memory. */
    IOAS_MAP_MEMLOCK(
            "ioas-map.memlock",
            Operation.IOAS_MAP,
            Also.FILLS_A_RANGE,
            EnforcedBy.KERNEL,
            Errno.ENOMEM,
            "the limit on locked memory (RLIMIT_MEMLOCK) of the user is reached, or the kernel is out of memory",
            "iopt_area_fill_domains",
            "raise the limit (ulimit -l, LimitMEMLOCK= in systemd), or map less",
            f -> !f.withinMemlock()),
    /** A mapping of an attached device lets it read, write or both. */
    COMPAT_MAP_PERMISSION(
            "compat-map.permission",
            Operation.COMPAT_MAP_DMA,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the flags let a device neither read nor write, and a device is attached",
            "iommufd_vfio_map_dma",
            "give an Access",
            f -> !f.accessGiven()),

    // ---- VFIO_IOMMU_UNMAP_DMA of an iommufd that stands in for a container
    /** What stands in for a container needs an address space. */
    COMPAT_UNMAP_NEEDS_IOAS(
            "compat-unmap.needs-ioas",
            Operation.COMPAT_UNMAP_DMA,
            EnforcedBy.TYPE,
            Errno.ENODEV,
            "no group was given to the iommufd yet, so it has no address space for containers",
            "iommufd_vfio_unmap_dma",
            "use a container, or the iommufd's own operations",
            f -> !f.compatIoasExists()),
    /** Everything is no range. */
    COMPAT_UNMAP_ALL_RANGE(
            "compat-unmap.all",
            Operation.COMPAT_UNMAP_DMA,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "everything is to be unmapped, and a range is given",
            "iommufd_vfio_unmap_dma",
            "give IOVA 0 and size 0 with VFIO_DMA_UNMAP_FLAG_ALL",
            f -> f.unmapAll() && (f.iova() != 0 || f.size() != 0)),
    /** A mapping is cut between pages. */
    COMPAT_UNMAP_CUT(
            "compat-unmap.cut",
            Operation.COMPAT_UNMAP_DMA,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "a mapping is to be cut inside a page",
            "iopt_area_split",
            "unmap whole pages",
            f -> !f.cutAligned()),
    /** No buffer loses a part of itself. */
    COMPAT_UNMAP_PART(
            "compat-unmap.part",
            Operation.COMPAT_UNMAP_DMA,
            EnforcedBy.API,
            Errno.EINVAL,
            "the range would cut a buffer: an iommufd in place of a container of the first type (VFIO_TYPE1_IOMMU) "
                    + "unmaps just that part, and a device that goes on with the buffer loses data",
            "iopt_cut_iova",
            "unmap what was mapped",
            Facts::cutsPart) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },

    // ---- IOMMU_IOAS_UNMAP
    /** The address space must exist. */
    IOAS_UNMAP_KNOWN(
            "ioas-unmap.known",
            Operation.IOAS_UNMAP,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no address space with this number",
            "iommufd_ioas_unmap",
            "name an address space",
            f -> !f.objectKnown()),
    /** A length or IOVA is below 2^64 - 1. */
    IOAS_UNMAP_LIMIT(
            "ioas-unmap.limit",
            Operation.IOAS_UNMAP,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the IOVA or the length is that of the very top, 2^64 - 1",
            "iommufd_ioas_unmap",
            "choose a lower IOVA or a smaller length; everything is IOVA 0 and length 2^64 - 1",
            f -> !f.unmapAll() && (f.iova() == -1 || f.size() == -1)),
    /** A range has a size. */
    IOAS_UNMAP_SIZE(
            "ioas-unmap.size",
            Operation.IOAS_UNMAP,
            Also.UNMAPS,
            EnforcedBy.API,
            Errno.EINVAL,
            "the length is 0",
            "iopt_unmap_iova",
            "unmap at least one page",
            f -> !f.unmapAll() && f.size() == 0),
    /** A range does not wrap around the address space. */
    IOAS_UNMAP_WRAP(
            "ioas-unmap.wrap",
            Operation.IOAS_UNMAP,
            Also.UNMAPS,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the range wraps around the end of the address space",
            "iopt_unmap_iova",
            "choose a lower IOVA or a smaller length",
            f -> !f.unmapAll() && wraps(f.iova(), f.size())),
    /** A mapping is unmapped as a whole. */
    IOAS_UNMAP_WHOLE(
            "ioas-unmap.whole",
            Operation.IOAS_UNMAP,
            Also.UNMAPS,
            EnforcedBy.API,
            Errno.ENOENT,
            "the range cuts a mapping",
            "iopt_unmap_iova_range",
            "unmap whole mappings",
            Facts::cutsMapping),
    /** A queue that the hardware takes commands from keeps its memory. */
    IOAS_UNMAP_QUEUE(
            "ioas-unmap.queue",
            Operation.IOAS_UNMAP,
            EnforcedBy.KERNEL,
            Errno.EBUSY,
            "the memory of a hardware queue is in the range",
            "iopt_unmap_iova_range",
            "close the queue first: viommu.allocateHardwareQueue gave it",
            Facts::usedByHardwareQueue),
    /** Only what is mapped is unmapped. */
    IOAS_UNMAP_MAPPED(
            "ioas-unmap.mapped",
            Operation.IOAS_UNMAP,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "nothing is mapped in the range",
            "iommufd_ioas_unmap",
            "unmap what is mapped, once",
            f -> !f.unmapAll() && f.nothingMapped()),

    // ---- IOMMU_OPTION
    /** The address space must exist. */
    OPTION_KNOWN(
            "iommu-option.known",
            Operation.IOMMU_OPTION,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no address space with this number",
            "iommufd_ioas_option",
            "name an address space",
            f -> !f.objectKnown()),
    /** How memory is counted is for privileged programs. */
    OPTION_PRIVILEGE(
            "iommu-option.privilege",
            Operation.IOMMU_OPTION,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "how locked memory is counted is for privileged programs (CAP_SYS_RESOURCE)",
            "iommufd_option_rlimit_mode",
            "run with CAP_SYS_RESOURCE, or leave it as it is",
            f -> !f.mayRaiseLimits()),
    /** How memory is counted is said before anything is made. */
    OPTION_FIRST(
            "iommu-option.first",
            Operation.IOMMU_OPTION,
            EnforcedBy.API,
            Errno.EBUSY,
            "the iommufd has an object already",
            "iommufd_option_rlimit_mode",
            "say it first, before an address space is made or a device bound",
            f -> !f.iommufdEmpty()),
    /** An option is 0 or 1. */
    OPTION_VALUE(
            "iommu-option.value",
            Operation.IOMMU_OPTION,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the value of the option is neither 0 nor 1",
            "iommufd_option",
            "give 0 or 1",
            f -> !f.optionValueValid()),
    /** Large pages are turned off before they are used. */
    OPTION_LARGE_PAGES(
            "iommu-option.large-pages",
            Operation.IOMMU_OPTION,
            EnforcedBy.API,
            Errno.EINVAL,
            "large pages are to be turned off, and something is mapped for an attached device",
            "iopt_disable_large_pages",
            "turn them off before anything is mapped",
            f -> !f.largePagesUnused()),
    /** Without large pages every mapping is made of pages. */
    OPTION_ALIGNED(
            "iommu-option.aligned",
            Operation.IOMMU_OPTION,
            EnforcedBy.API,
            Errno.EADDRINUSE,
            "large pages are to be turned off, and something is mapped that is not made of pages",
            "iopt_disable_large_pages",
            "turn them off before anything is mapped",
            f -> !f.mappingsAligned()),

    // ---- IOMMU_VFIO_IOAS
    /** Only an address space that was chosen can be told. */
    VFIO_IOAS_EXISTS(
            "vfio-ioas.exists",
            Operation.IOMMU_VFIO_IOAS,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "the iommufd has no address space for containers",
            "iommufd_vfio_ioas",
            "give it one (IOMMU_VFIO_IOAS_SET), or a group",
            f -> !f.compatIoasExists()),
    /** The address space must exist. */
    VFIO_IOAS_KNOWN(
            "vfio-ioas.known",
            Operation.IOMMU_VFIO_IOAS,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no address space with this number",
            "iommufd_vfio_ioas",
            "name an address space",
            f -> !f.objectKnown()),

    // ---- IOMMU_HWPT_ALLOC
    /** A page table is made for a device. */
    HWPT_DEVICE(
            "hwpt-alloc.device",
            Operation.HWPT_ALLOC,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no device with this number",
            "iommufd_hwpt_alloc",
            "name a device that is bound to the iommufd",
            f -> !f.deviceKnown()),
    /** A page table belongs to an address space. */
    HWPT_PARENT(
            "hwpt-alloc.parent",
            Operation.HWPT_ALLOC,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the iommufd has no address space or page table with this number",
            "iommufd_hwpt_alloc",
            "name an address space",
            f -> !f.objectKnown() || !f.objectFits()),
    /** A page table can do what the IOMMU can. */
    HWPT_SUPPORTED(
            "hwpt-alloc.supported",
            Operation.HWPT_ALLOC,
            EnforcedBy.KERNEL,
            Errno.EOPNOTSUPP,
            "the IOMMU of the device, its driver or the kernel has no such page tables; none has a fault queue, and others"
                    + " nested in it",
            "iommufd_hwpt_paging_alloc",
            "ask the device's IOMMU what it can do (IOMMU_GET_HW_INFO); without dirty tracking every IOMMU can",
            f -> !f.pageTableSupported()),
    /** Only in some page tables can others be nested. */
    HWPT_NEST_PARENT(
            "hwpt-alloc.nest-parent",
            Operation.HWPT_ALLOC,
            EnforcedBy.API,
            Errno.EINVAL,
            "a page table is to be nested in one that was not made for that",
            "iommufd_hwpt_nested_alloc",
            "make the outer one with HwptFlag.NEST_PARENT",
            f -> !f.parentMayNest()),
    /** What an IOMMU cannot translate must not be mapped. */
    HWPT_RESERVED(
            "hwpt-alloc.reserved",
            Operation.HWPT_ALLOC,
            EnforcedBy.KERNEL,
            Errno.EADDRINUSE,
            "IOVAs beyond the reach of the IOMMU are mapped, or were promised (IOMMU_IOAS_ALLOW_IOVAS)",
            "iopt_table_add_domain",
            "unmap them first",
            f -> !f.reservedIsFree() || !f.mappingsAligned()),
    /** What is mapped lets devices read, write or both. */
    HWPT_PERMISSION(
            "hwpt-alloc.permission",
            Operation.HWPT_ALLOC,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "something is mapped that lets devices neither read nor write",
            "iopt_table_add_domain",
            "unmap it; only an iommufd that stands in for a container takes such a mapping",
            f -> !f.accessGiven()),
    /** A file that is mapped is memory. */
    HWPT_FILE(
            "hwpt-alloc.file",
            Operation.HWPT_ALLOC,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "a file is mapped that is no memory, or that ends before the range",
            "iopt_table_add_domain",
            "map memory of memfd_create",
            f -> !f.filesAreMemory()),
    /** What is mapped is pinned for the first page table. */
    HWPT_MEMORY(
            "hwpt-alloc.memory",
            Operation.HWPT_ALLOC,
            EnforcedBy.KERNEL,
            Errno.EFAULT,
            "memory that is mapped is no longer there, or is read-only and the device may write",
            "iopt_table_add_domain",
            "unmap what the program gave back",
            f -> !f.memoryAccessible()),
    /** Pinned memory counts against the limit on locked memory. */
    HWPT_MEMLOCK(
            "hwpt-alloc.memlock",
            Operation.HWPT_ALLOC,
            EnforcedBy.KERNEL,
            Errno.ENOMEM,
            "the limit on locked memory (RLIMIT_MEMLOCK) is reached, or the kernel is out of memory",
            "iopt_table_add_domain",
            "raise the limit (ulimit -l, LimitMEMLOCK= in systemd), or map less",
            f -> !f.withinMemlock()),
    /** A fault queue that is named must exist. */
    HWPT_FAULT_QUEUE(
            "hwpt-alloc.fault-queue",
            Operation.HWPT_ALLOC,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no fault queue with this number",
            "iommufd_hwpt_alloc",
            "name a fault queue of the iommufd",
            f -> !f.faultQueueKnown()),

    // ---- write of a fault queue
    /** A group of page faults is answered once. */
    FAULT_UNANSWERED(
            "fault-queue.unanswered",
            Operation.FAULT_QUEUE_WRITE,
            EnforcedBy.API,
            Errno.EINVAL,
            "the group of page faults is none of this queue's, or was answered, by the kernel when its device was detached, say",
            "iommufd_fault_fops_write",
            "answer each group once, while its device is attached",
            f -> !f.faultsUnanswered()),

    // ---- IOMMU_VIOMMU_ALLOC
    /** A virtual IOMMU is a part of the one of a device. */
    VIOMMU_DEVICE(
            "viommu-alloc.device",
            Operation.VIOMMU_ALLOC,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no device with this number",
            "iommufd_viommu_alloc_ioctl",
            "name a device that is bound to the iommufd",
            f -> !f.deviceKnown()),
    /** Few IOMMUs have virtual ones, each of its own kind. */
    VIOMMU_SUPPORTED(
            "viommu-alloc.supported",
            Operation.VIOMMU_ALLOC,
            EnforcedBy.KERNEL,
            Errno.EOPNOTSUPP,
            "the IOMMU of the device, or its driver, has no virtual IOMMUs of this kind",
            "iommufd_viommu_alloc_ioctl",
            "ask device.iommuHardware() what it is",
            f -> !f.viommuSupported()),
    /** A virtual IOMMU is made of a page table. */
    VIOMMU_PARENT(
            "viommu-alloc.parent",
            Operation.VIOMMU_ALLOC,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no page table with this number",
            "iommufd_viommu_alloc_ioctl",
            "name a page table that was made with IOMMU_HWPT_ALLOC_NEST_PARENT",
            f -> !f.objectKnown()),
    /** Only of some page tables are virtual IOMMUs made. */
    VIOMMU_NEST_PARENT(
            "viommu-alloc.nest-parent",
            Operation.VIOMMU_ALLOC,
            EnforcedBy.API,
            Errno.EINVAL,
            "a virtual IOMMU is to be made of a page table that was not made for that",
            "iommufd_viommu_alloc_ioctl",
            "make the page table with HwptFlag.NEST_PARENT",
            f -> !f.parentMayNest()),

    // ---- IOMMU_VDEVICE_ALLOC
    /** A virtual device is behind a virtual IOMMU. */
    VDEVICE_VIOMMU(
            "vdevice-alloc.viommu",
            Operation.VDEVICE_ALLOC,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no virtual IOMMU with this number",
            "iommufd_vdevice_alloc_ioctl",
            "name a virtual IOMMU",
            f -> !f.viommuKnown()),
    /** A virtual device is a device. */
    VDEVICE_DEVICE(
            "vdevice-alloc.device",
            Operation.VDEVICE_ALLOC,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no device with this number",
            "iommufd_vdevice_alloc_ioctl",
            "name a device that is bound to the iommufd",
            f -> !f.deviceKnown()),
    /** A virtual IOMMU has the devices of the real one. */
    VDEVICE_IOMMU(
            "vdevice-alloc.iommu",
            Operation.VDEVICE_ALLOC,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the device is behind another IOMMU than the virtual one is a part of",
            "iommufd_vdevice_alloc_ioctl",
            "make a virtual IOMMU for each real one",
            f -> !f.deviceBehindViommu()),
    /** A guest has one number for a device. */
    VDEVICE_ONCE(
            "vdevice-alloc.once",
            Operation.VDEVICE_ALLOC,
            EnforcedBy.API,
            Errno.EEXIST,
            "a guest has a number for the device already",
            "iommufd_vdevice_alloc_ioctl",
            "close that virtual device first",
            Facts::deviceIsVirtual),
    /** A guest's number is that of one device. */
    VDEVICE_ID(
            "vdevice-alloc.id",
            Operation.VDEVICE_ALLOC,
            EnforcedBy.API,
            Errno.EEXIST,
            "another device has the number in the guest",
            "iommufd_vdevice_alloc_ioctl",
            "choose another number",
            Facts::virtualIdTaken),

    // ---- IOMMU_VEVENTQ_ALLOC
    /** A queue holds events. */
    VEVENTQ_DEPTH(
            "veventq-alloc.depth",
            Operation.VEVENTQ_ALLOC,
            EnforcedBy.API,
            Errno.EINVAL,
            "the queue shall hold no event, or more than the kernel lets it",
            "iommufd_veventq_alloc",
            "choose a smaller depth, 1 or more",
            f -> !f.eventQueueDepthFits()),
    /** Events are of a virtual IOMMU. */
    VEVENTQ_VIOMMU(
            "veventq-alloc.viommu",
            Operation.VEVENTQ_ALLOC,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no virtual IOMMU with this number",
            "iommufd_veventq_alloc",
            "name a virtual IOMMU",
            f -> !f.viommuKnown()),
    /** Events of a kind go to one queue. */
    VEVENTQ_ONCE(
            "veventq-alloc.once",
            Operation.VEVENTQ_ALLOC,
            EnforcedBy.API,
            Errno.EEXIST,
            "the virtual IOMMU has a queue for events of this kind",
            "iommufd_veventq_alloc",
            "use that one, or close it first",
            Facts::eventQueueExists),

    // ---- IOMMU_HW_QUEUE_ALLOC
    /** A queue has memory. */
    HW_QUEUE_SIZE(
            "hw-queue-alloc.size",
            Operation.HW_QUEUE_ALLOC,
            EnforcedBy.API,
            Errno.EINVAL,
            "the queue has no memory; or the hardware has none with this index, or none in such memory",
            "iommufd_hw_queue_alloc_ioctl",
            "choose a power of two as size, memory at a multiple of it, and an index that the hardware has",
            f -> f.size() == 0),
    /** A queue's memory does not wrap around the address space. */
    HW_QUEUE_WRAP(
            "hw-queue-alloc.wrap",
            Operation.HW_QUEUE_ALLOC,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the queue's memory wraps around the end of the address space",
            "iommufd_hw_queue_alloc_ioctl",
            "choose a lower IOVA or a smaller size",
            f -> wraps(f.iova(), f.size())),
    /** A queue is of a virtual IOMMU. */
    HW_QUEUE_VIOMMU(
            "hw-queue-alloc.viommu",
            Operation.HW_QUEUE_ALLOC,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no virtual IOMMU with this number",
            "iommufd_hw_queue_alloc_ioctl",
            "name a virtual IOMMU",
            f -> !f.viommuKnown()),
    /** Few IOMMUs take commands from a guest's queue. */
    HW_QUEUE_SUPPORTED(
            "hw-queue-alloc.supported",
            Operation.HW_QUEUE_ALLOC,
            EnforcedBy.API,
            Errno.EOPNOTSUPP,
            "the virtual IOMMU has no such queues",
            "iommufd_hw_queue_alloc_ioctl",
            "make the virtual IOMMU as ViommuType.TEGRA241_CMDQV, on hardware that has it",
            f -> !f.hardwareQueuesSupported()),
    /** A queue's memory is the guest's. */
    HW_QUEUE_MAPPED(
            "hw-queue-alloc.mapped",
            Operation.HW_QUEUE_ALLOC,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "nothing, or not all of it, is mapped where the queue's memory shall be",
            "iommufd_access_pin_pages",
            "map the guest's memory first",
            f -> !f.queueMemoryMapped()),
    /** Each queue has an index of its own. */
    HW_QUEUE_INDEX(
            "hw-queue-alloc.index",
            Operation.HW_QUEUE_ALLOC,
            EnforcedBy.API,
            Errno.EEXIST,
            "the virtual IOMMU has a queue with this index",
            "tegra241_vintf_alloc_lvcmdq_user",
            "use that one, or close it first",
            Facts::hardwareQueueTaken),
    /** Queues are made in order. */
    HW_QUEUE_ORDER(
            "hw-queue-alloc.order",
            Operation.HW_QUEUE_ALLOC,
            EnforcedBy.API,
            Errno.EIO,
            "the virtual IOMMU has no queue with the index before this",
            "tegra241_vintf_alloc_lvcmdq_user",
            "make queues from index 0 on, one by one",
            f -> !f.hardwareQueueBeforeExists()),

    // ---- IOMMU_GET_HW_INFO
    /** The device must be bound. */
    HW_INFO_DEVICE(
            "hw-info.device",
            Operation.GET_HW_INFO,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no device with this number",
            "iommufd_get_hw_info",
            "name a device that is bound to the iommufd",
            f -> !f.deviceKnown()),

    // ---- IOMMU_HWPT_SET_DIRTY_TRACKING
    /** The page table must exist. */
    HWPT_TRACK_KNOWN(
            "hwpt-track.known",
            Operation.HWPT_SET_DIRTY_TRACKING,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no page table with this number",
            "iommufd_hwpt_set_dirty_tracking",
            "name a page table",
            f -> !f.objectKnown()),
    /** Only a page table that was made for it tracks dirty pages. */
    HWPT_TRACK_SUPPORTED(
            "hwpt-track.supported",
            Operation.HWPT_SET_DIRTY_TRACKING,
            EnforcedBy.API,
            Errno.EOPNOTSUPP,
            "the page table was not made for dirty tracking",
            "iopt_set_dirty_tracking",
            "make it with IOMMU_HWPT_ALLOC_DIRTY_TRACKING",
            f -> !f.dirtyTrackingSupported()),

    // ---- IOMMU_HWPT_GET_DIRTY_BITMAP
    /** The page table must exist. */
    HWPT_DIRTY_KNOWN(
            "hwpt-dirty.known",
            Operation.HWPT_GET_DIRTY_BITMAP,
            EnforcedBy.TYPE,
            Errno.ENOENT,
            "the iommufd has no page table with this number",
            "iommufd_hwpt_get_dirty_bitmap",
            "name a page table",
            f -> !f.objectKnown()),
    /** A range has a size and does not wrap around the address space. */
    HWPT_DIRTY_WRAP(
            "hwpt-dirty.wrap",
            Operation.HWPT_GET_DIRTY_BITMAP,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "the range wraps around the end of the address space",
            "iommufd_check_iova_range",
            "choose a lower IOVA or a smaller length",
            f -> Long.compareUnsigned(f.iova() + f.size() - 1, f.iova()) < 0),
    /** A range of dirty pages is made of pages. */
    HWPT_DIRTY_ALIGNED(
            "hwpt-dirty.aligned",
            Operation.HWPT_GET_DIRTY_BITMAP,
            EnforcedBy.API,
            Errno.EINVAL,
            "the range is not made of pages, those of the IOMMU or those of the bitmap",
            "iommufd_check_iova_range",
            "align both ends to the page size",
            f -> !f.dirtyRangeAligned()),
    /** Only a page table that was made for it tracks dirty pages. */
    HWPT_DIRTY_SUPPORTED(
            "hwpt-dirty.supported",
            Operation.HWPT_GET_DIRTY_BITMAP,
            EnforcedBy.API,
            Errno.EOPNOTSUPP,
            "the page table was not made for dirty tracking",
            "iommu_read_and_clear_dirty",
            "make it with IOMMU_HWPT_ALLOC_DIRTY_TRACKING",
            f -> !f.dirtyTrackingSupported()),

    // ---- VFIO_CHECK_EXTENSION, VFIO_SET_IOMMU, VFIO_IOMMU_GET_INFO of an iommufd that stands in for a container
    /** What stands in for a container needs an address space. */
    COMPAT_EXTENSION_IOAS(
            "compat-extension.needs-ioas",
            Operation.COMPAT_CHECK_EXTENSION,
            EnforcedBy.TYPE,
            Errno.ENODEV,
            "whether DMA is coherent is asked, and no group was given to the iommufd yet",
            "iommufd_vfio_cc_iommu",
            "use a container",
            f -> !f.compatIoasExists()),
    /** A group without an IOMMU is for privileged programs. */
    COMPAT_SET_PRIVILEGE(
            "compat-set-iommu.privilege",
            Operation.COMPAT_SET_IOMMU,
            EnforcedBy.TYPE,
            Errno.EPERM,
            "the group has no IOMMU, and the program may not do raw I/O (CAP_SYS_RAWIO)",
            "iommufd_vfio_set_iommu",
            "run with CAP_SYS_RAWIO, or better turn the IOMMU on",
            f -> !f.groupTranslated() && !f.mayDoRawIo()),
    /** A type is one of type1. */
    COMPAT_SET_TYPE(
            "compat-set-iommu.type",
            Operation.COMPAT_SET_IOMMU,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the iommufd knows no such type of IOMMU, or not for groups without one",
            "iommufd_vfio_set_iommu",
            "use VFIO_TYPE1v2_IOMMU",
            f -> !f.iommuTypeSupported()),
    /** An IOMMU belongs to groups. */
    COMPAT_SET_NEEDS_GROUP(
            "compat-set-iommu.needs-group",
            Operation.COMPAT_SET_IOMMU,
            EnforcedBy.TYPE,
            Errno.ENODEV,
            "no group was given to the iommufd yet",
            "iommufd_vfio_set_iommu",
            "give it a group first",
            f -> !f.compatIoasExists()),
    /** Version 1 is set before pages are mapped. */
    COMPAT_SET_LARGE_PAGES(
            "compat-set-iommu.large-pages",
            Operation.COMPAT_SET_IOMMU,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the first version of type1 is set while something is mapped for an open device",
            "iopt_disable_large_pages",
            "use VFIO_TYPE1v2_IOMMU, or set it before",
            f -> !f.largePagesUnused()),
    /** Version 1 maps whole pages. */
    COMPAT_SET_ALIGNED(
            "compat-set-iommu.aligned",
            Operation.COMPAT_SET_IOMMU,
            EnforcedBy.TYPE,
            Errno.EADDRINUSE,
            "the first version of type1 is set while something is mapped that is not made of pages",
            "iopt_disable_large_pages",
            "use VFIO_TYPE1v2_IOMMU, or set it before",
            f -> !f.mappingsAligned()),
    /** What stands in for a container needs an address space. */
    COMPAT_INFO_NEEDS_IOAS(
            "compat-info.needs-ioas",
            Operation.COMPAT_GET_INFO,
            EnforcedBy.TYPE,
            Errno.ENODEV,
            "no group was given to the iommufd yet, so it has no address space for containers",
            "iommufd_vfio_iommu_get_info",
            "use a container",
            f -> !f.compatIoasExists()),

    // ---- device files
    /** A device must say that it can be reset. */
    RESET_SUPPORTED(
            "device-reset.supported",
            Operation.DEVICE_RESET,
            EnforcedBy.API,
            Errno.EINVAL,
            "the device cannot be reset on its own",
            "vfio_pci_ioctl_reset",
            "ask device.info().resettable()",
            f -> !f.resettable()),
    /** A function is reset alone while nobody configures it. */
    RESET_BUSY(
            "device-reset.busy",
            Operation.DEVICE_RESET,
            EnforcedBy.KERNEL,
            Errno.EAGAIN,
            "somebody else configures or resets the device",
            "pci_try_reset_function",
            "try again",
            Facts::deviceLocked),

    // ---- VFIO_DEVICE_GET_PCI_HOT_RESET_INFO
    /** Not every device can be reset with its slot or bus. */
    HOT_RESET_INFO_SUPPORTED(
            "hot-reset-info.supported",
            Operation.GET_PCI_HOT_RESET_INFO,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "neither the slot nor the bus of the device can be reset, as on a root bus",
            "vfio_pci_ioctl_get_pci_hot_reset_info",
            "reset the function alone: device.reset()",
            f -> !f.busResettable()),
    /** The answer needs room for every affected device. */
    HOT_RESET_INFO_ROOM(
            "hot-reset-info.room",
            Operation.GET_PCI_HOT_RESET_INFO,
            EnforcedBy.TYPE,
            Errno.ENOSPC,
            "argsz has no room for all affected devices; the kernel wrote how many there are",
            "vfio_pci_ioctl_get_pci_hot_reset_info",
            "ask again with as much room",
            f -> f.roomForAffected() < f.devicesAffected()),
    /** The devices must stay while they are listed. */
    HOT_RESET_INFO_STABLE(
            "hot-reset-info.stable",
            Operation.GET_PCI_HOT_RESET_INFO,
            EnforcedBy.KERNEL,
            Errno.EAGAIN,
            "a device came while the affected ones were listed",
            "vfio_pci_fill_devs",
            "ask again",
            null),
    /** An affected device must be in an IOMMU group. */
    HOT_RESET_INFO_GROUPS(
            "hot-reset-info.groups",
            Operation.GET_PCI_HOT_RESET_INFO,
            EnforcedBy.KERNEL,
            Errno.EPERM,
            "an affected device is in no IOMMU group",
            "vfio_pci_fill_devs",
            "reset the function alone: device.reset()",
            null),

    // ---- VFIO_DEVICE_PCI_HOT_RESET
    /** A hot reset names the groups that it may reset. */
    HOT_RESET_GROUPS(
            "hot-reset.groups",
            Operation.PCI_HOT_RESET,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "no group is given",
            "vfio_pci_ioctl_pci_hot_reset",
            "give the groups of all affected devices",
            f -> !f.hotResetByDevice() && f.groupsGiven() == 0),
    /** A device that is bound to an iommufd is reset without groups. */
    HOT_RESET_NO_GROUPS(
            "hot-reset.no-groups",
            Operation.PCI_HOT_RESET,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "groups are given, and the device is bound to an iommufd, which says by itself what is owned",
            "vfio_pci_ioctl_pci_hot_reset",
            "give no groups",
            f -> f.hotResetByDevice() && f.groupsGiven() > 0),
    /** Not every device can be reset with its slot or bus. */
    HOT_RESET_SUPPORTED(
            "hot-reset.supported",
            Operation.PCI_HOT_RESET,
            EnforcedBy.KERNEL,
            Errno.ENODEV,
            "neither the slot nor the bus of the device can be reset, as on a root bus",
            "vfio_pci_ioctl_pci_hot_reset",
            "reset the function alone: device.reset()",
            f -> !f.busResettable()),
    /** No more groups than affected devices are named. */
    HOT_RESET_FEWER_GROUPS(
            "hot-reset.fewer-groups",
            Operation.PCI_HOT_RESET,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "more groups are given than devices are affected",
            "vfio_pci_ioctl_pci_hot_reset_groups",
            "give the groups of the affected devices alone",
            f -> f.groupsGiven() > f.devicesAffected()),
    /** The descriptors that are named must be open. */
    HOT_RESET_FD_OPEN(
            "hot-reset.fd-open",
            Operation.PCI_HOT_RESET,
            EnforcedBy.TYPE,
            Errno.EBADF,
            "no file is open at a descriptor that should be a group",
            "vfio_pci_ioctl_pci_hot_reset_groups",
            "open the group: vfio.openGroup(number)",
            f -> !f.namedFileOpen()),
    /** The files that are named must be groups. */
    HOT_RESET_FD_KIND(
            "hot-reset.fd-kind",
            Operation.PCI_HOT_RESET,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "a file that should be a group is something else",
            "vfio_pci_ioctl_pci_hot_reset_groups",
            "give groups, not their devices",
            f -> !f.namedFilesAreGroups()),
    /** Every affected device must be bound to a VFIO driver. */
    HOT_RESET_BOUND(
            "hot-reset.bound",
            Operation.PCI_HOT_RESET,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "an affected device is not bound to a VFIO driver",
            "vfio_pci_dev_set_resettable",
            "bind every affected device to vfio-pci",
            Facts::affectedUnbound),
    /** Every affected device must be ours. */
    HOT_RESET_OWNED(
            "hot-reset.owned",
            Operation.PCI_HOT_RESET,
            EnforcedBy.API,
            Errno.EINVAL,
            "an affected device is in none of the groups that were given, or is not the iommufd's of this device",
            "vfio_pci_dev_set_hot_reset",
            "open the groups of all device.affectedByHotReset(), and give them; or open these devices by the same iommufd",
            Facts::affectedNotOwned),
    /** A bus is reset while nobody uses it. */
    HOT_RESET_BUSY(
            "hot-reset.busy",
            Operation.PCI_HOT_RESET,
            EnforcedBy.KERNEL,
            Errno.EBUSY,
            "a thread accesses an affected device just now",
            "vfio_pci_dev_set_hot_reset",
            "try again",
            null),
    /** The link must come back. */
    HOT_RESET_LINK(
            "hot-reset.link",
            Operation.PCI_HOT_RESET,
            EnforcedBy.KERNEL,
            Errno.ENOTTY,
            "the link below the root port did not come back in time",
            "pci_bridge_secondary_bus_reset",
            "the device may be unusable: close it",
            null),

    // ---- VFIO_DEVICE_QUERY_GFX_PLANE
    /** Few devices have a screen. */
    GFX_PLANE_SCREEN(
            "gfx-plane.screen",
            Operation.QUERY_GFX_PLANE,
            EnforcedBy.API,
            Errno.ENOTTY,
            "the device has no screen",
            "vfio_device_fops_unl_ioctl",
            "choose a mediated device of a graphics driver; ask device.graphics().ways()",
            f -> !f.screenPresent()),
    /** A device shows its pictures in one way. */
    GFX_PLANE_WAY(
            "gfx-plane.way",
            Operation.QUERY_GFX_PLANE,
            EnforcedBy.API,
            Errno.EINVAL,
            "the device does not show its pictures in this way",
            "mdpy_query_gfx_plane",
            "choose one of device.graphics().ways()",
            f -> !f.planeWayOffered()),

    // ---- VFIO_DEVICE_GET_GFX_DMABUF
    /** Few devices hand out dma-bufs of what they show. */
    GFX_DMABUF_OFFERED(
            "gfx-dmabuf.offered",
            Operation.GET_GFX_DMABUF,
            EnforcedBy.API,
            Errno.ENOTTY,
            "the device shows no pictures as dma-bufs",
            "vfio_device_fops_unl_ioctl",
            "ask device.graphics().ways()",
            f -> !f.dmaBufsOffered()),
    /** What a device does not show has no dma-buf. */
    GFX_DMABUF_KNOWN(
            "gfx-dmabuf.known",
            Operation.GET_GFX_DMABUF,
            EnforcedBy.KERNEL,
            Errno.ENOENT,
            "the device shows no picture with this number (any more)",
            "mbochs_get_gfx_dmabuf",
            "ask for the plane again",
            f -> !f.dmaBufKnown()),
    /** The sample driver counts neither the files of a dma-buf nor its pages when it is opened again. */
    GFX_DMABUF_ONCE(
            "gfx-dmabuf.once",
            Operation.GET_GFX_DMABUF,
            EnforcedBy.API,
            Errno.EBUSY,
            "the dma-buf was opened already: the kernel's sample driver mbochs takes no reference for a second file, "
                    + "and frees memory that is in use",
            "mbochs_get_gfx_dmabuf",
            "keep the one that you have as long as it may be shown",
            Facts::dmaBufTaken) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },

    // ---- VFIO_DEVICE_IOEVENTFD
    /** The kernel writes registers of BARs. */
    IOEVENTFD_BAR(
            "ioeventfd.bar",
            Operation.IOEVENTFD,
            EnforcedBy.API,
            Errno.EINVAL,
            "the region is no BAR",
            "vfio_pci_ioeventfd",
            "choose a register in one of the regions 0 to 5",
            f -> !f.registerInBar()),
    /** A register lies in its BAR. */
    IOEVENTFD_INSIDE(
            "ioeventfd.inside",
            Operation.IOEVENTFD,
            EnforcedBy.API,
            Errno.EINVAL,
            "the register is not inside the BAR",
            "vfio_pci_ioeventfd",
            "stay below region.info().size()",
            f -> !f.registerInside()),
    /** The MSI-X table belongs to the kernel. */
    IOEVENTFD_MSIX(
            "ioeventfd.msix",
            Operation.IOEVENTFD,
            EnforcedBy.API,
            Errno.EINVAL,
            "the register overlaps the MSI-X table",
            "vfio_pci_ioeventfd",
            "stay out of device.config().msixTable()",
            Facts::registerInMsixTable),
    /** The kernel writes up to 4 bytes. */
    IOEVENTFD_WIDTH(
            "ioeventfd.width",
            Operation.IOEVENTFD,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "since Linux 7 the kernel writes no 8 bytes at once",
            "vfio_pci_ioeventfd",
            "choose a register of 1, 2 or 4 bytes",
            f -> !f.registerWidthSupported()),
    /** One eventfd writes one value to a register. */
    IOEVENTFD_ONCE(
            "ioeventfd.once",
            Operation.IOEVENTFD,
            EnforcedBy.API,
            Errno.EEXIST,
            "an eventfd writes the same value to the register already",
            "vfio_pci_ioeventfd",
            "use that one, or close it first",
            Facts::registerEventSet),
    /** Only what was set is taken away. */
    IOEVENTFD_KNOWN(
            "ioeventfd.known",
            Operation.IOEVENTFD,
            EnforcedBy.TYPE,
            Errno.ENODEV,
            "no eventfd writes that value to the register",
            "vfio_pci_ioeventfd",
            "close what region.ioEventFd returned",
            Facts::registerEventMissing),
    /** A device has a thousand of them at most. */
    IOEVENTFD_LIMIT(
            "ioeventfd.limit",
            Operation.IOEVENTFD,
            EnforcedBy.API,
            Errno.ENOSPC,
            "the device has 1000 eventfds for its registers",
            "vfio_pci_ioeventfd",
            "close one that is not needed",
            f -> f.registerEventsLeft() == 0),
    /** The descriptor that is named must be open. */
    IOEVENTFD_FD_OPEN(
            "ioeventfd.fd-open",
            Operation.IOEVENTFD,
            EnforcedBy.TYPE,
            Errno.EBADF,
            "no file is open at the descriptor that should be the eventfd",
            "vfio_virqfd_enable",
            "open an eventfd",
            f -> !f.namedFileOpen()),
    /** The file that is named must be an eventfd. */
    IOEVENTFD_FD_KIND(
            "ioeventfd.fd-kind",
            Operation.IOEVENTFD,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the file that should be the eventfd is something else",
            "vfio_virqfd_enable",
            "open an eventfd",
            f -> !f.namedFileIsEvent()),

    // ---- VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY
    /** A mapped region must keep answering: an access would kill the program (SIGBUS). */
    LOW_POWER_MAPPED(
            "low-power.mapped",
            Operation.LOW_POWER_ENTRY,
            EnforcedBy.API,
            Errno.EBUSY,
            "a region of the device is mapped",
            "vfio_pci_mmap_page_fault",
            "unmap the regions first: device.unmapRegions()",
            Facts::mappedRegionsGoDead) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** The descriptor that is named must be open. */
    LOW_POWER_FD_OPEN(
            "low-power.fd-open",
            Operation.LOW_POWER_ENTRY,
            EnforcedBy.TYPE,
            Errno.EBADF,
            "no file is open at the descriptor that should be the eventfd",
            "vfio_pci_core_pm_entry_with_wakeup",
            "open an eventfd",
            f -> !f.namedFileOpen()),
    /** The file that is named must be an eventfd. */
    LOW_POWER_FD_KIND(
            "low-power.fd-kind",
            Operation.LOW_POWER_ENTRY,
            EnforcedBy.TYPE,
            Errno.EINVAL,
            "the file that should be the eventfd is something else",
            "vfio_pci_core_pm_entry_with_wakeup",
            "open an eventfd",
            f -> !f.namedFileIsEvent()),
    /** A device goes into low power once. */
    LOW_POWER_ONCE(
            "low-power.once",
            Operation.LOW_POWER_ENTRY,
            EnforcedBy.API,
            Errno.EINVAL,
            "the device is in low power already",
            "vfio_pci_runtime_pm_entry",
            "take it out first: device.features().exitLowPower()",
            Facts::lowPowerEngaged),

    // ---- VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
    /** A device goes to states that it has. */
    MIGRATION_STATE_SUPPORTED(
            "migration-state.supported",
            Operation.MIG_DEVICE_STATE,
            EnforcedBy.API,
            Errno.EINVAL,
            "the device does not have the state",
            "vfio_mig_get_next_state",
            "ask migration.support()",
            f -> !f.migrationStateSupported()),
    /** Not every state can be reached from every other. */
    MIGRATION_STATE_REACHABLE(
            "migration-state.reachable",
            Operation.MIG_DEVICE_STATE,
            EnforcedBy.API,
            Errno.EINVAL,
            "the device cannot go to that state from the one that it is in",
            "vfio_mig_get_next_state",
            "pre-copy is not reached while the state is copied (STOP_COPY); a device that failed must be reset",
            f -> !f.migrationStateReachable()),

    // ---- VFIO_MIG_GET_PRECOPY_INFO
    /** There are estimates in pre-copy alone. */
    PRECOPY_INFO_STATE(
            "precopy-info.state",
            Operation.MIG_GET_PRECOPY_INFO,
            EnforcedBy.KERNEL,
            Errno.EINVAL,
            "the device is not in pre-copy",
            "vfio_mig_get_precopy_info",
            "ask migration.dataSize(), or just read to the end",
            f -> !f.preCopying()),

    // ---- VFIO_DEVICE_FEATURE_DMA_LOGGING_START
    /** A log is of something. */
    DMA_LOGGING_RANGES(
            "dma-logging.ranges",
            Operation.DMA_LOGGING_START,
            EnforcedBy.API,
            Errno.EINVAL,
            "no range is given",
            "vfio_ioctl_device_feature_logging_start",
            "name the ranges that are mapped for the device",
            f -> f.loggedRanges() == 0),
    /** A log is of a page full of ranges at most. */
    DMA_LOGGING_MOST(
            "dma-logging.most",
            Operation.DMA_LOGGING_START,
            EnforcedBy.API,
            Errno.E2BIG,
            "more ranges are given than fit into a page",
            "vfio_ioctl_device_feature_logging_start",
            "join ranges that lie close to each other",
            f -> f.loggedRanges() > f.loggedRangesMost()),
    /** A log is of whole pages. */
    DMA_LOGGING_ALIGNED(
            "dma-logging.aligned",
            Operation.DMA_LOGGING_START,
            EnforcedBy.API,
            Errno.EINVAL,
            "a range does not begin and end with a page",
            "vfio_ioctl_device_feature_logging_start",
            "widen the range to whole pages",
            f -> !f.loggedRangesAligned()),
    /** A range that is logged ends before the address space does. */
    DMA_LOGGING_WRAP(
            "dma-logging.wrap",
            Operation.DMA_LOGGING_START,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "a range reaches the end of the address space",
            "vfio_ioctl_device_feature_logging_start",
            "end it a page before",
            Facts::loggedRangesWrap),
    /** The ranges of a log are apart. */
    DMA_LOGGING_OVERLAP(
            "dma-logging.overlap",
            Operation.DMA_LOGGING_START,
            EnforcedBy.API,
            Errno.EINVAL,
            "two ranges overlap",
            "vfio_ioctl_device_feature_logging_start",
            "join them",
            Facts::loggedRangesOverlap),

    // ---- VFIO_DEVICE_FEATURE_DMA_BUF
    /** Not every device's memory can be shared. */
    DMA_BUF_POSSIBLE(
            "dma-buf.possible",
            Operation.DMA_BUF,
            EnforcedBy.KERNEL,
            Errno.EOPNOTSUPP,
            "the device's driver, or the machine, cannot share the memory of the device",
            "vfio_pci_core_feature_dma_buf",
            "copy through memory",
            null),
    /** Something is shared. */
    DMA_BUF_PARTS(
            "dma-buf.parts",
            Operation.DMA_BUF,
            EnforcedBy.API,
            Errno.EINVAL,
            "no part is given",
            "vfio_pci_core_feature_dma_buf",
            "name at least one part of the BAR",
            f -> f.sharedParts() == 0),
    /** BARs are shared. */
    DMA_BUF_BAR(
            "dma-buf.bar",
            Operation.DMA_BUF,
            EnforcedBy.API,
            Errno.ENODEV,
            "the region is no BAR, or one that the device lacks",
            "vfio_pci_core_feature_dma_buf",
            "choose one of the regions 0 to 5 of which region.info().mappable() is true",
            f -> !f.sharedBarPresent()),
    /** Whole pages are shared. */
    DMA_BUF_PAGES(
            "dma-buf.pages",
            Operation.DMA_BUF,
            EnforcedBy.API,
            Errno.EINVAL,
            "a part is empty or not of whole pages, or all of them are 2^63 bytes long",
            "validate_dmabuf_input",
            "share whole pages",
            f -> !f.sharedPartsAligned()),
    /** A part of the BAR does not wrap around. */
    DMA_BUF_WRAP(
            "dma-buf.wrap",
            Operation.DMA_BUF,
            EnforcedBy.API,
            Errno.EOVERFLOW,
            "a part reaches over the top of all addresses",
            "vfio_pci_core_fill_phys_vec",
            "stay below region.info().size()",
            Facts::sharedPartsWrap),
    /** Parts of the BAR are shared. */
    DMA_BUF_INSIDE(
            "dma-buf.inside",
            Operation.DMA_BUF,
            EnforcedBy.API,
            Errno.EINVAL,
            "a part is not inside the BAR",
            "vfio_pci_core_fill_phys_vec",
            "stay below region.info().size()",
            f -> !f.sharedPartsInside()),

    // ---- regions
    /** A memory BAR is read only while the device decodes its memory. */
    REGION_READ_DECODED(
            "region-read.decoded",
            Operation.REGION_READ,
            EnforcedBy.KERNEL,
            Errno.EIO,
            "memory decode is off in the device's command register, or the device is gone",
            "vfio_pci_core_do_io_rw",
            "turn it on first: device.config().enableMemory()",
            f -> !f.memoryDecoded()),
    /** The ROM is only read. */
    REGION_WRITE_WRITABLE(
            "region-write.writable",
            Operation.REGION_WRITE,
            EnforcedBy.API,
            Errno.EINVAL,
            "the region can only be read",
            "vfio_pci_rw",
            "ask region.info().writable()",
            f -> !f.regionWritable()),
    /** A memory BAR is written only while the device decodes its memory. */
    REGION_WRITE_DECODED(
            "region-write.decoded",
            Operation.REGION_WRITE,
            EnforcedBy.KERNEL,
            Errno.EIO,
            "memory decode is off in the device's command register, or the device is gone",
            "vfio_pci_core_do_io_rw",
            "turn it on first: device.config().enableMemory()",
            f -> !f.memoryDecoded()),
    /** A mapped region must keep answering: an access would kill the program (SIGBUS). */
    REGION_WRITE_MAPPED(
            "region-write.mapped",
            Operation.REGION_WRITE,
            EnforcedBy.API,
            Errno.EBUSY,
            "a region is mapped, and the write turns memory decode off or puts the device into D3hot",
            "vfio_pci_mmap_page_fault",
            "unmap the regions first: device.unmapRegions()",
            Facts::mappedRegionsGoDead) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** A region is mapped from a page on. */
    REGION_PAGE(
            "region-map.page",
            Operation.REGION_MAP,
            EnforcedBy.API,
            Errno.EINVAL,
            "the part of the region does not begin at a page",
            "ksys_mmap_pgoff",
            "map from the page on that holds it, and add the rest to the offsets",
            f -> !f.regionPartAligned()),
    /** Only what the region's info says can be mapped. */
    REGION_MAPPABLE(
            "region-map.mappable",
            Operation.REGION_MAP,
            EnforcedBy.API,
            Errno.EINVAL,
            "the region, or this part of it, cannot be mapped",
            "vfio_pci_core_mmap",
            "map a part that region.info().areas() lists, or use region.read and region.write",
            f -> !f.regionMappable()),
    /** A BAR of a device without power must not be touched: the access would kill the program (SIGBUS). */
    REGION_POWERED(
            "region-map.powered",
            Operation.REGION_MAP,
            EnforcedBy.API,
            Errno.EIO,
            "the device is in a low-power state",
            "vfio_pci_mmap_page_fault",
            "bring it back to D0, or leave low power, first",
            Facts::poweredDown) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** A BAR whose memory decode is off must not be touched: the access would kill the program (SIGBUS). */
    REGION_DECODED(
            "region-map.decoded",
            Operation.REGION_MAP,
            EnforcedBy.API,
            Errno.EIO,
            "memory decode is off in the device's command register",
            "vfio_pci_mmap_page_fault",
            "turn it on first: device.config().enableMemory()",
            f -> !f.memoryDecoded()) {
        @Override
        public Kind kind() {
            return Kind.HAZARD;
        }
    },
    /** A device that was asked back is not settled on anew. */
    REGION_REQUESTED(
            "region-map.requested",
            Operation.REGION_MAP,
            EnforcedBy.API,
            Errno.EBUSY,
            "the device was asked back: somebody waits until it is closed",
            "vfio_pci_core_request",
            "end the work on the device and close it",
            Facts::deviceRequested) {
        @Override
        public Kind kind() {
            return Kind.COURTESY;
        }
    };

    /** Whose rule it is. */
    public enum Kind {
        /** The kernel's: it refuses what breaks the rule. */
        KERNEL,
        /**
         * VFIO's documents': an external user of a group counts like a device that is open, say. Linux no longer
         * refuses what breaks the rule; {@link Contract#STRICT} does.
         */
        DOCUMENTS,
        /** Nobody's: somebody else waits for what the program holds. Linux lets it pass; {@link Contract#STRICT} does not. */
        COURTESY,
        /** Nobody's: the kernel lets it pass, and the kernel, the program or its data are harmed. */
        HAZARD
    }

    /** Who keeps a rule from being broken. */
    public enum EnforcedBy {
        /** The types: a program that breaks the rule does not compile. */
        TYPE,
        /** The library, before any call. */
        API,
        /** The kernel alone, for what a process cannot know; the rule explains the errno. */
        KERNEL
    }

    /** Operations that end with the same checks as another. The constants above cannot use fields of their own class. */
    private static final class Also {
        static final Set<Operation> MAPS_MEMORY = Set.of(Operation.IOAS_MAP_FILE, Operation.COMPAT_MAP_DMA);
        static final Set<Operation> ATTACHES = Set.of(Operation.DEVICE_ATTACH_PASID);
        static final Set<Operation> FEATURES = Set.of(
                Operation.PCI_VF_TOKEN,
                Operation.LOW_POWER_ENTRY,
                Operation.LOW_POWER_EXIT,
                Operation.MIGRATION,
                Operation.MIG_DATA_SIZE,
                Operation.MIG_PRECOPY_INFO_V2,
                Operation.DMA_LOGGING_START,
                Operation.BUS_MASTER,
                Operation.DMA_BUF);
        static final Set<Operation> SINCE_6_13 = Set.of(
                Operation.IOAS_CHANGE_PROCESS,
                Operation.VIOMMU_ALLOC,
                Operation.VDEVICE_ALLOC,
                Operation.VEVENTQ_ALLOC,
                Operation.HW_QUEUE_ALLOC);
        static final Set<Operation> ASKS_A_VM = Set.of(Operation.KVM_CHECK_EXTENSION);
        static final Set<Operation> MAPS_PROGRAM = Set.of(Operation.COMPAT_MAP_DMA);
        static final Set<Operation> COPIES = Set.of(Operation.IOAS_COPY);
        static final Set<Operation> FILLS_A_RANGE =
                Set.of(Operation.IOAS_COPY, Operation.IOAS_MAP_FILE, Operation.COMPAT_MAP_DMA);
        static final Set<Operation> UNMAPS = Set.of(Operation.COMPAT_UNMAP_DMA);
    }

    private static final Rule[] ALL = values();
    private static final Map<Operation, List<Rule>> IN_ORDER = byOperation(List.of(ALL));
    private static final Map<Operation, List<Rule>> AS_DOCUMENTED = byOperation(asDocumented());
    /** Of those in order, what the library looks at itself: every call of a program goes through these. */
    private static final Rule[][][] ENFORCED = enforced(); // by contract and operation

    private final String id;
    private final Operation operation;
    private final Set<Operation> also;
    private final EnforcedBy enforcedBy;
    private final Errno errno;
    private final String broken;
    private final String kernelFunction;
    private final String instead;
    private final transient Predicate<Facts> isBroken;

    Rule(
            String id,
            Operation operation,
            EnforcedBy enforcedBy,
            Errno errno,
            String broken,
            String kernelFunction,
            String instead,
            Predicate<Facts> isBroken) {
        this(id, operation, Set.of(), enforcedBy, errno, broken, kernelFunction, instead, isBroken);
    }

    Rule(
            String id,
            Operation operation,
            Set<Operation> also,
            EnforcedBy enforcedBy,
            Errno errno,
            String broken,
            String kernelFunction,
            String instead,
            Predicate<Facts> isBroken) {
        this.id = id;
        this.operation = operation;
        this.also = also;
        this.enforcedBy = enforcedBy;
        this.errno = errno;
        this.broken = broken;
        this.kernelFunction = kernelFunction;
        this.instead = instead;
        this.isBroken = isBroken;
    }

    /**
     * Returns the rule's name in the documentation, such as {@code set-iommu.needs-group}.
     *
     * @return the name
     */
    public String id() {
        return id;
    }

    /**
     * Returns the operation that the rule is about.
     *
     * @return the operation; empty for a rule about every operation
     */
    public Optional<Operation> operation() {
        return Optional.ofNullable(operation);
    }

    /** Is the rule checked in an operation? */
    boolean isAbout(Operation asked) {
        return operation == null || operation == asked || also.contains(asked);
    }

    /**
     * Returns who keeps the rule from being broken.
     *
     * @return who
     */
    public EnforcedBy enforcedBy() {
        return enforcedBy;
    }

    /**
     * Returns whose rule it is, which decides the {@link Contract}s that check it.
     *
     * @return whose
     */
    public Kind kind() {
        return Kind.KERNEL;
    }

    /**
     * Does a line of kernels refuse what breaks the rule?
     *
     * @param kernel the line
     * @return true for the kernel's rules; for the documents' if the kernel is the documents' own
     */
    public boolean isOf(KernelProfile kernel) {
        Objects.requireNonNull(kernel, "kernel");
        return kind() == Kind.KERNEL || kind() == Kind.DOCUMENTS && kernel == KernelProfile.DOCUMENTS;
    }

    /**
     * Returns what the newest kernel answers when the rule is broken; for a rule that is not the kernel's, what would
     * be the answer.
     *
     * @return the errno
     */
    public Errno errno() {
        return errno;
    }

    /**
     * Returns what a line of kernels answers when the rule is broken.
     *
     * @param kernel the line
     * @return the errno
     */
    public Errno errno(KernelProfile kernel) {
        Objects.requireNonNull(kernel, "kernel");
        return errno;
    }

    /**
     * Says what is the case when the rule is broken.
     *
     * @return half a sentence
     */
    public String broken() {
        return broken;
    }

    /**
     * Returns the function of the kernel that checks the rule.
     *
     * @return its name
     */
    public String kernelFunction() {
        return kernelFunction;
    }

    /**
     * Says what to do instead.
     *
     * @return half a sentence
     */
    public String instead() {
        return instead;
    }

    /**
     * Finds the first rule of the newest kernel that an operation breaks in a state, in the kernel's order. Backends use
     * it.
     *
     * @param operation the operation
     * @param facts the state
     * @return the rule, if any is broken
     */
    @SuppressWarnings("exports") // facts come from a backend; a user has none to ask with
    public static Optional<Rule> firstBroken(Operation operation, Facts facts) {
        return firstBroken(KernelProfile.V7_2, operation, facts);
    }

    /**
     * Finds the first rule of a line of kernels that an operation breaks in a state, in the kernel's order. Backends use
     * it.
     *
     * @param kernel the line
     * @param operation the operation
     * @param facts the state
     * @return the rule, if any is broken
     */
    @SuppressWarnings("exports") // facts come from a backend; a user has none to ask with
    public static Optional<Rule> firstBroken(KernelProfile kernel, Operation operation, Facts facts) {
        Objects.requireNonNull(kernel, "kernel");
        Objects.requireNonNull(operation, "operation");
        Objects.requireNonNull(facts, "facts");
        for (Rule rule : (kernel == KernelProfile.DOCUMENTS ? AS_DOCUMENTED : IN_ORDER).get(operation)) {
            if (rule.isOf(kernel) && rule.isBrokenBy(facts)) {
                return Optional.of(rule);
            }
        }
        return Optional.empty();
    }

    /** Throws the first broken rule that the library enforces; what only the kernel can know is left to it. */
    static void check(Contract contract, Operation operation, Facts facts) {
        check(contract, operation, facts, () -> "");
    }

    /** As {@link #check(Contract, Operation, Facts)}; the refusal says more. */
    static void check(Contract contract, Operation operation, Facts facts, Supplier<String> detail) {
        for (Rule rule : ENFORCED[contract.ordinal()][operation.ordinal()]) {
            if (rule.isBroken.test(facts)) {
                throw new RuleViolation(rule, operation, detail.get());
            }
        }
    }

    /** Returns the rules that an errno of some kernel may come from; the types let no call break the others. */
    static List<Rule> thatAnswer(Operation operation, Errno errno) {
        return Arrays.stream(ALL)
                .filter(r -> r.operation != null
                        && r.isAbout(operation)
                        && r.kind() == Kind.KERNEL
                        && r.enforcedBy != EnforcedBy.TYPE
                        && r.mayAnswer(errno))
                .toList();
    }

    private boolean mayAnswer(Errno answer) {
        return Arrays.stream(KernelProfile.values()).anyMatch(kernel -> errno(kernel).equals(answer));
    }

    private boolean isBrokenBy(Facts facts) {
        return isBroken != null && isBroken.test(facts);
    }

    private static Rule[][][] enforced() {
        Rule[][][] enforced = new Rule[Contract.values().length][Operation.values().length][];
        for (Contract contract : Contract.values()) {
            IN_ORDER.forEach((operation, order) -> enforced[contract.ordinal()][operation.ordinal()] = order.stream()
                    .filter(r -> r.enforcedBy == EnforcedBy.API && contract.has(r) && r.isBroken != null)
                    .toArray(Rule[]::new));
        }
        return enforced;
    }

    /** The rules about each operation, in a given order. */
    private static Map<Operation, List<Rule>> byOperation(List<Rule> order) {
        Map<Operation, List<Rule>> rules = new EnumMap<>(Operation.class);
        for (Operation asked : Operation.values()) {
            rules.put(
                    asked,
                    order.stream()
                            .filter(rule -> rule.isAbout(asked))
                            .toList());
        }
        return rules;
    }

    /** The documents' kernel looked at the container before the descriptor, and at its state before the device's name. */
    private static List<Rule> asDocumented() {
        List<Rule> order = new ArrayList<>(List.of(ALL));
        move(order, SET_CONTAINER_ONCE, SET_CONTAINER_FD_OPEN);
        for (Rule state : List.of(DEVICE_NEEDS_CONTAINER, DEVICE_NEEDS_IOMMU, DEVICE_VIABLE)) {
            move(order, state, DEVICE_NAME);
        }
        return order;
    }

    private static void move(List<Rule> order, Rule rule, Rule before) {
        order.remove(rule);
        order.add(order.indexOf(before), rule);
    }

    /** Could the kernel not even round it up to pages? */
    private static boolean isAlmostAll(long size) {
        return Long.compareUnsigned(size, -1 - 4096) > 0;
    }

    private static boolean wraps(long start, long size) {
        return size != 0 && Long.compareUnsigned(start + size - 1, start) < 0;
    }
}
