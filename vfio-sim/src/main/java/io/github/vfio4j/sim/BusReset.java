package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.gen.vfio_pci_dependent_device;
import io.github.vfio4j.ffm.gen.vfio_pci_hot_reset;
import io.github.vfio4j.ffm.gen.vfio_pci_hot_reset_info;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The hot reset of a device: that of its bus, for there are no slots. Bus 0 is a root bus, which cannot be reset; every
 * other bus is behind a bridge, which is no function of the machine and can.
 */
final class BusReset {
    private final VfioDevice device;
    private final SimMachine machine;
    private final List<PciFunction> affected;
    private final boolean possible;

    BusReset(VfioDevice device) {
        PciAddress address = device.function.address;
        this.device = device;
        this.machine = device.machine();
        this.possible = address.bus() != 0;
        this.affected = machine.functions().stream()
                .filter(function -> function.address.domain() == address.domain()
                        && function.address.bus() == address.bus())
                .toList();
    }

    /** VFIO_DEVICE_GET_PCI_HOT_RESET_INFO. */
    int info(UserMemory argument) {
        long least = vfio_pci_hot_reset_info.devices$offset();
        long each = vfio_pci_dependent_device.sizeof();
        InfoStruct struct = new InfoStruct(argument, vfio_pci_hot_reset_info.layout(), least);
        vfio_pci_hot_reset_info.flags(struct.fields, 0);
        try {
            KernelError.check(machine.profile(), Operation.GET_PCI_HOT_RESET_INFO, new BusFacts() {
                @Override
                public long roomForAffected() {
                    return (struct.argsz() - least) / each;
                }
            });
        } catch (KernelError e) {
            if (e.errno() == Errno.ENOSPC.number()) {
                vfio_pci_hot_reset_info.count(struct.fields, affected.size());
                struct.write();
            }
            throw e;
        }
        vfio_pci_hot_reset_info.count(struct.fields, affected.size());
        int[] ids = byDevice() ? deviceIds() : groupIds();
        if (byDevice()) {
            boolean owned = Arrays.stream(ids).noneMatch(id -> id == VFIO_PCI_DEVID_NOT_OWNED());
            vfio_pci_hot_reset_info.flags(
                    struct.fields,
                    VFIO_PCI_HOT_RESET_FLAG_DEV_ID() | (owned ? VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED() : 0));
        }
        struct.write();
        long at = least;
        int index = 0;
        for (PciFunction function : affected) {
            MemorySegment entry = UserMemory.zeroed(vfio_pci_dependent_device.layout());
            PciAddress address = function.address;
            vfio_pci_dependent_device.group_id(entry, ids[index++]);
            vfio_pci_dependent_device.segment(entry, (short) address.domain());
            vfio_pci_dependent_device.bus(entry, (byte) address.bus());
            vfio_pci_dependent_device.devfn(entry, (byte) (address.device() << 3 | address.function()));
            argument.write(at, entry, each);
            at += each;
        }
        return 0;
    }

    /** Was the device opened by its own node, so that its iommufd says what is owned? */
    private boolean byDevice() {
        machine.kernel().lock();
        try {
            return device.isOpenByNode();
        } finally {
            machine.kernel().unlock();
        }
    }

    private int[] groupIds() {
        return affected.stream().mapToInt(function -> function.group.number).toArray();
    }

    private int[] deviceIds() {
        machine.kernel().lock();
        try {
            Iommufd iommufd = device.bound().iommufd;
            return affected.stream().mapToInt(function -> deviceId(function, iommufd)).toArray();
        } finally {
            machine.kernel().unlock();
        }
    }

    /** The number of a function in an iommufd, or whether that owns it nonetheless. */
    private static int deviceId(PciFunction function, Iommufd iommufd) {
        if (function.vfio().isEmpty()) {
            return VFIO_PCI_DEVID_NOT_OWNED();
        }
        BoundDevice bound = function.vfio().get().bound();
        if (bound != null && bound.iommufd == iommufd) {
            return bound.id;
        }
        return iommufd.has(function.group) ? VFIO_PCI_DEVID_OWNED() : VFIO_PCI_DEVID_NOT_OWNED();
    }

    /** VFIO_DEVICE_PCI_HOT_RESET. */
    int reset(SimProcess caller, UserMemory argument) {
        long groupsAt = vfio_pci_hot_reset.group_fds$offset();
        InfoStruct struct = new InfoStruct(argument, vfio_pci_hot_reset.layout(), groupsAt);
        if (vfio_pci_hot_reset.flags(struct.fields) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        long count = Integer.toUnsignedLong(vfio_pci_hot_reset.count(struct.fields));
        List<VfioDevice> devices =
                affected.stream().flatMap(function -> function.vfio().stream()).toList();
        devices.forEach(device -> device.lock.lock()); // always in the order of their addresses
        try {
            machine.kernel().lock();
            try {
                KernelError.check(machine.profile(), Operation.PCI_HOT_RESET, new ResetFacts(caller, argument, count));
            } finally {
                machine.kernel().unlock();
            }
            devices.stream().filter(device -> device.power() != null).forEach(device -> device.power()
                    .reset());
        } finally {
            devices.forEach(device -> device.lock.unlock());
        }
        return 0;
    }

    private class BusFacts implements Facts {
        @Override
        public boolean busResettable() {
            return possible;
        }

        @Override
        public int devicesAffected() {
            return affected.size();
        }
    }

    /** What is so of a reset; the kernel's lock is held. The descriptors are read when they are asked for. */
    private final class ResetFacts extends BusFacts {
        private final SimProcess caller;
        private final UserMemory argument;
        private final long count;
        private final boolean byDevice = byDevice();
        private final Set<VfioGroup> groups = new HashSet<>();
        private boolean looked;
        private boolean open = true;
        private boolean allGroups = true;

        ResetFacts(SimProcess caller, UserMemory argument, long count) {
            this.caller = caller;
            this.argument = argument;
            this.count = count;
        }

        @Override
        public boolean hotResetByDevice() {
            return byDevice;
        }

        @Override
        public long groupsGiven() {
            boolean askedLater = machine.profile().isBefore(KernelProfile.V6_12) && !possible;
            return askedLater ? 1 : count; // Linux 6.1 first asks whether there is anything to reset
        }

        /** One descriptor after the other: the first wrong one decides. But all are read before. */
        private void look() {
            if (looked) {
                return;
            }
            looked = true;
            int[] descriptors = new int[(int) count];
            for (int i = 0; i < count; i++) {
                descriptors[i] = argument.readInt(vfio_pci_hot_reset.group_fds$offset() + (long) i * Integer.BYTES);
            }
            for (int descriptor : descriptors) {
                SimFile file = caller.files().find(descriptor).orElse(null);
                if (!(file instanceof GroupFile group)) {
                    open = file != null;
                    allGroups = false;
                    return;
                }
                groups.add(group.group());
            }
        }

        @Override
        public boolean namedFileOpen() {
            look();
            return open;
        }

        @Override
        public boolean namedFilesAreGroups() {
            look();
            return allGroups;
        }

        @Override
        public boolean affectedUnbound() {
            return affected.stream().anyMatch(function -> function.vfio().isEmpty());
        }

        @Override
        public boolean affectedNotOwned() {
            if (byDevice) {
                return affected.stream()
                        .anyMatch(function -> deviceId(function, device.bound().iommufd) == VFIO_PCI_DEVID_NOT_OWNED());
            }
            look();
            return affected.stream()
                    .flatMap(function -> function.vfio().stream())
                    .anyMatch(member -> !groups.contains(member.group));
        }
    }
}
