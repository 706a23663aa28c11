package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_group_status;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Supplier;

/** An open {@code /dev/vfio/N}. */
final class GroupFile extends SimFile {
    private interface Ioctl {
        int call(GroupFile file, SimProcess caller, UserMemory argument);
    }

    private static final Map<Integer, Ioctl> IOCTLS = Map.of(
            VFIO_GROUP_GET_STATUS(), GroupFile::getStatus,
            VFIO_GROUP_SET_CONTAINER(), GroupFile::setContainer,
            VFIO_GROUP_UNSET_CONTAINER(), GroupFile::unsetContainer,
            VFIO_GROUP_GET_DEVICE_FD(), GroupFile::getDeviceFd);

    private static final int LONGEST_NAME = 4096; // PAGE_SIZE, with the NUL

    private final SimMachine machine;
    private final VfioGroup group;

    private GroupFile(SimMachine machine, VfioGroup group) {
        this.machine = machine;
        this.group = group;
    }

    /** Opens a group. The kernel's lock is held. */
    static GroupFile open(SimMachine machine, SimProcess caller, VfioGroup group) {
        KernelError.check(machine.profile(), Operation.OPEN_GROUP, new Facts() {
            @Override
            public boolean groupTranslated() {
                return group.iommuGroup().type != GroupType.NO_IOMMU;
            }

            @Override
            public boolean mayDoRawIo() {
                return caller.mayDoRawIo();
            }

            @Override
            public boolean groupGone() {
                return group.gone();
            }

            @Override
            public boolean groupBoundByDevice() {
                return group.hasDeviceBound();
            }

            @Override
            public boolean groupOpen() {
                return group.busy();
            }
        });
        GroupFile file = new GroupFile(machine, group);
        group.openedFile = file;
        return file;
    }

    VfioGroup group() {
        return group;
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        Ioctl ioctl = IOCTLS.get(request);
        if (ioctl == null) {
            throw new KernelError(Errno.ENOTTY);
        }
        return ioctl.call(this, caller, argument);
    }

    private int getStatus(SimProcess caller, UserMemory argument) {
        InfoStruct status = new InfoStruct(argument, vfio_group_status.layout());
        machine.kernel().lock();
        try {
            KernelError.check(machine.profile(), Operation.GROUP_GET_STATUS, facts());
            int flags = 0;
            if (machine.profile() == KernelProfile.DOCUMENTS) {
                flags = (group.container().isPresent() ? VFIO_GROUP_FLAGS_CONTAINER_SET() : 0)
                        | (group.iommuGroup().viable() ? VFIO_GROUP_FLAGS_VIABLE() : 0);
            } else if (group.hasIommu()) {
                flags = VFIO_GROUP_FLAGS_CONTAINER_SET() | VFIO_GROUP_FLAGS_VIABLE();
            } else if (!group.iommuGroup().owned()) {
                flags = VFIO_GROUP_FLAGS_VIABLE();
            }
            vfio_group_status.flags(status.fields, flags);
        } finally {
            machine.kernel().unlock();
        }
        status.write();
        return 0;
    }

    private int setContainer(SimProcess caller, UserMemory argument) {
        int fd = argument.readInt(0);
        machine.kernel().lock();
        try {
            SimFile named = caller.files().find(fd).orElse(null);
            if (named instanceof IommufdFile iommufd) {
                setIommufd(iommufd);
                return 0;
            }
            VfioContainer container = named instanceof ContainerFile file ? file.container : null;
            Supplier<Facts> joining = () -> container
                    .iommu()
                    .map(iommu -> iommu.joining(group.iommuGroup(), caller))
                    .orElse(new Facts() {});
            KernelError.check(machine.profile(), Operation.GROUP_SET_CONTAINER, new AttachFacts(joining) {
                @Override
                public boolean groupInContainer() {
                    return group.hasIommu();
                }

                @Override
                public boolean groupGone() {
                    return group.gone();
                }

                @Override
                public boolean namedFileNegative() {
                    return fd < 0;
                }

                @Override
                public boolean namedFileOpen() {
                    return named != null;
                }

                @Override
                public boolean namedFileIsContainer() {
                    return container != null;
                }

                @Override
                public boolean groupTranslated() {
                    return !withoutIommu();
                }

                @Override
                public boolean mayDoRawIo() {
                    return caller.mayDoRawIo();
                }

                @Override
                public boolean groupsOfOtherKind() {
                    return !container.groups().isEmpty()
                            && container.holdsOnly(GroupType.NO_IOMMU) != withoutIommu();
                }

                @Override
                public boolean groupOwnedByHost() {
                    return group.iommuGroup().owned();
                }

                @Override
                public boolean addressMissing() {
                    return container.iommu().isPresent() && container.iommu().get().addressMissing();
                }
            });
            group.join(container);
            return 0;
        } finally {
            machine.kernel().unlock();
        }
    }

    /** The iommufd stands for a container. Nobody owns the group's DMA before a device is opened. */
    private void setIommufd(IommufdFile file) {
        Iommufd iommufd = file.iommufd;
        KernelError.check(machine.profile(), Operation.GROUP_SET_CONTAINER, new Facts() {
            @Override
            public boolean groupInContainer() {
                return group.hasIommu();
            }

            @Override
            public boolean groupGone() {
                return group.gone();
            }

            @Override
            public boolean iommufdOfOtherKind() {
                return withoutIommu() ? iommufd.compat != null : iommufd.noIommu;
            }
        });
        if (withoutIommu()) {
            iommufd.noIommu = true;
        } else if (iommufd.compat == null) {
            iommufd.compat = new Ioas(iommufd);
        }
        group.join(file);
    }

    private int unsetContainer(SimProcess caller, UserMemory argument) {
        machine.kernel().lock();
        try {
            KernelError.check(machine.profile(), Operation.GROUP_UNSET_CONTAINER, facts());
            group.leaveContainer();
            group.leaveIommufd();
            return 0;
        } finally {
            machine.kernel().unlock();
        }
    }

    private int getDeviceFd(SimProcess caller, UserMemory argument) {
        DeviceName name = new DeviceName(string(argument));
        GroupDevice device;
        machine.kernel().lock();
        try {
            device = find(name);
            if (device == null) {
                check(caller, name, null);
            }
            device.references++; // it cannot be unbound before this open is over
        } finally {
            machine.kernel().unlock();
        }
        try {
            return device.open(caller, () -> check(caller, name, device));
        } finally {
            machine.kernel().lock();
            device.unreference();
            machine.kernel().unlock();
        }
    }

    /** Refuses what the state does not allow. The kernel's lock is held. */
    private void check(SimProcess caller, DeviceName name, GroupDevice device) {
        boolean first = device == null || !device.isOpen();
        Iommufd iommufd = group.iommufd() == null ? null : group.iommufd().iommufd;
        boolean bindsPci = first && iommufd != null && group.iommuGroup().type == GroupType.IOMMU;
        KernelError.check(machine.profile(), Operation.GROUP_GET_DEVICE_FD, new GroupFacts() {
            @Override
            public boolean compatRefused() {
                return first && iommufd != null && withoutIommu() && (!caller.mayDoRawIo() || iommufd.compat != null);
            }

            @Override
            public boolean interruptsIsolated() {
                return !bindsPci || machine.interruptsIsolated();
            }

            @Override
            public boolean groupOwnedByHost() {
                return bindsPci && group.iommuGroup().ownedByOther(iommufd);
            }

            @Override
            public boolean compatIoasExists() {
                return iommufd == null || withoutIommu() || !first || iommufd.compat != null;
            }

            @Override
            public boolean deviceNameAccepted() {
                return device == null || name.wellFormed();
            }

            @Override
            public boolean vfTokenTaken() {
                return device == null || device.takes(name.token());
            }

            @Override
            public boolean vfTokenRight() {
                return device == null || device.match(name.token());
            }

            @Override
            public boolean deviceKnown() {
                return device != null;
            }

            @Override
            public boolean descriptorFree() {
                return caller.files().hasFree();
            }

            // Newer kernels ask this of the first open alone.
            @Override
            public boolean groupTranslated() {
                return !withoutIommu() || iommufd != null || !first && !machine.profile().isBefore(KernelProfile.V6_12);
            }

            @Override
            public boolean mayDoRawIo() {
                return caller.mayDoRawIo();
            }
        });
    }

    private boolean withoutIommu() {
        return group.iommuGroup().type == GroupType.NO_IOMMU;
    }

    private GroupDevice find(DeviceName name) {
        boolean leavingToo = machine.profile().isBefore(KernelProfile.V6_12);
        return group.devices().stream()
                .filter(device -> device.isNamed(name) && (leavingToo || !device.leaving))
                .findFirst()
                .orElse(null);
    }

    private static String string(UserMemory argument) {
        byte[] bytes = new byte[LONGEST_NAME];
        for (int length = 0; length < LONGEST_NAME; length++) {
            bytes[length] = argument.readByte(length);
            if (bytes[length] == 0) {
                return new String(bytes, 0, length, StandardCharsets.ISO_8859_1);
            }
        }
        throw new KernelError(Errno.EINVAL);
    }

    /** What is so of the group. The kernel's lock is held while it is asked. */
    Facts facts() {
        return new GroupFacts();
    }

    /** By the documents: somebody outside uses the group. The kernel's lock is held. */
    void addExternalUser() {
        group.addExternalUser();
    }

    /** That user is gone. The kernel's lock is held. */
    void removeExternalUser() {
        group.removeExternalUser();
    }

    /** What every operation on the group may ask. */
    private class GroupFacts implements Facts {
        @Override
        public boolean groupGone() {
            return group.gone();
        }

        @Override
        public boolean groupInContainer() {
            return group.hasIommu();
        }

        @Override
        public int devicesOpen() {
            return group.devicesOpen();
        }

        @Override
        public boolean iommuSet() {
            return group.iommufd() != null
                    || group.container().isPresent() && group.container().get().iommuSet();
        }

        @Override
        public int externalUsers() {
            return group.externalUsers();
        }

        @Override
        public boolean groupViable() {
            return group.iommuGroup().viable();
        }
    }

    @Override
    DeviceNumber deviceNumber() {
        return DeviceNumber.group(group.minor());
    }

    @Override
    void release() {
        machine.kernel().lock();
        try {
            group.fileReleased();
        } finally {
            machine.kernel().unlock();
        }
    }

    @Override
    public String toString() {
        return group.node();
    }
}
