package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_attach_iommufd_pt;
import io.github.vfio4j.ffm.gen.vfio_device_bind_iommufd;
import io.github.vfio4j.ffm.gen.vfio_device_detach_iommufd_pt;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.UUID;

/**
 * An open {@code /dev/vfio/devices/vfioN}. The device is out of reach until it is bound to an iommufd; from then on the
 * file is one of the device, and close alone unbinds.
 */
final class CdevFile extends SimFile {
    private static final long BIND_LEAST = vfio_device_bind_iommufd.token_uuid_ptr$offset();

    private final GroupDevice device;
    private final SimMachine machine;
    private volatile SimFile bound; // null before

    /** Opens a device. The kernel's lock is held. */
    CdevFile(GroupDevice device) {
        this.device = device;
        this.machine = device.machine();
        device.references++;
    }

    GroupDevice device() {
        return device;
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        if (request == VFIO_DEVICE_BIND_IOMMUFD()) {
            return bind(caller, argument);
        }
        SimFile file = bound(Operation.DEVICE_GET_INFO); // the gate is before all of them alike
        if (request == VFIO_DEVICE_ATTACH_IOMMUFD_PT()) {
            return attach(argument);
        }
        if (request == VFIO_DEVICE_DETACH_IOMMUFD_PT()) {
            return detach(argument);
        }
        return file.ioctl(caller, request, argument);
    }

    /** Refuses what needs a device that is bound. */
    private SimFile bound(Operation operation) {
        SimFile file = bound;
        KernelError.check(machine.profile(), operation, new Facts() {
            @Override
            public boolean accessGranted() {
                return file != null;
            }
        });
        return file;
    }

    private boolean pasids() {
        return !machine.profile().isBefore(KernelProfile.V7_2);
    }

    // ---- VFIO_DEVICE_BIND_IOMMUFD

    /** Refuses a file that the device's group gave. */
    static int refuse(SimMachine machine, UserMemory argument) {
        if (!machine.hasIommufd()) {
            throw new KernelError(Errno.ENOTTY);
        }
        MemorySegment bind = bindStruct(machine, argument);
        KernelError.check(machine.profile(), Operation.DEVICE_BIND_IOMMUFD, new Facts() {
            @Override
            public boolean namedFileNegative() {
                return vfio_device_bind_iommufd.iommufd(bind) < 0;
            }

            @Override
            public boolean openedThroughGroup() {
                return true;
            }

            @Override
            public boolean groupOpen() {
                return true;
            }
        });
        throw new AssertionError("no rule refuses a device of a group");
    }

    private int bind(SimProcess caller, UserMemory argument) {
        MemorySegment bind = bindStruct(machine, argument);
        device.openBound(() -> check(caller, argument, bind));
        vfio_device_bind_iommufd.out_devid(bind, device.bound().id);
        Undo.unless(() -> argument.write(0, bind, BIND_LEAST), device::closeBound);
        bound = device.newFile();
        return 0;
    }

    /** Newer kernels look at the size first, and want what they do not know to be 0. */
    private static MemorySegment bindStruct(SimMachine machine, UserMemory argument) {
        GroupLayout layout = vfio_device_bind_iommufd.layout();
        MemorySegment bind = machine.profile().isBefore(KernelProfile.V7_2)
                ? new InfoStruct(argument, layout, BIND_LEAST).fields
                : new SizedStruct(argument, layout, BIND_LEAST, argument.readInt(0)).fields;
        int known = machine.profile().isBefore(KernelProfile.V7_2) ? 0 : VFIO_DEVICE_BIND_FLAG_TOKEN();
        if ((vfio_device_bind_iommufd.flags(bind) & ~known) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        return bind;
    }

    /** The token that a program shows. */
    private static Optional<UUID> token(SimProcess caller, UserMemory argument, MemorySegment bind) {
        if (vfio_device_bind_iommufd.flags(bind) == 0) {
            return Optional.empty();
        }
        UserMemory token = argument.pointer(caller, vfio_device_bind_iommufd.token_uuid_ptr(bind));
        return Optional.of(Features.token(token, 0));
    }

    /** Finds the iommufd, if nothing refuses. The kernel's lock is held. */
    private Iommufd check(SimProcess caller, UserMemory argument, MemorySegment bind) {
        int fd = vfio_device_bind_iommufd.iommufd(bind);
        SimFile named = caller.files().find(fd).orElse(null);
        Iommufd iommufd = named instanceof IommufdFile file ? file.iommufd : null;
        KernelError.check(machine.profile(), Operation.DEVICE_BIND_IOMMUFD, new Facts() {
            @Override
            public boolean namedFileNegative() {
                return fd < 0;
            }

            @Override
            public boolean groupOpen() {
                return device.group.openedFile != null;
            }

            @Override
            public boolean deviceBound() {
                return bound != null;
            }

            // Only newer kernels ask for tokens here.
            @Override
            public boolean vfTokenTaken() {
                return vfio_device_bind_iommufd.flags(bind) == 0
                        || !device.isEmulated() && device.takes(token(caller, argument, bind));
            }

            @Override
            public boolean vfTokenRight() {
                return machine.profile().isBefore(KernelProfile.V7_2) || device.match(token(caller, argument, bind));
            }

            @Override
            public boolean namedFileOpen() {
                return named != null;
            }

            @Override
            public boolean namedFileIsIommufd() {
                return iommufd != null;
            }

            @Override
            public boolean deviceBoundElsewhere() {
                return device.isOpen();
            }

            @Override
            public boolean interruptsIsolated() {
                return device.isEmulated() || machine.interruptsIsolated();
            }

            @Override
            public boolean groupOwnedByHost() {
                return !device.isEmulated() && device.group.iommuGroup().ownedByOther(iommufd);
            }
        });
        return iommufd;
    }

    // ---- VFIO_DEVICE_ATTACH_IOMMUFD_PT, VFIO_DEVICE_DETACH_IOMMUFD_PT

    private int attach(UserMemory argument) {
        long least = vfio_device_attach_iommufd_pt.pasid$offset();
        InfoStruct attach = new InfoStruct(argument, vfio_device_attach_iommufd_pt.layout(), least);
        int flags = vfio_device_attach_iommufd_pt.flags(attach.fields);
        if (flags == VFIO_DEVICE_ATTACH_PASID()) {
            return attachPasid(argument);
        }
        checkFlags(flags, VFIO_DEVICE_ATTACH_PASID());
        machine.kernel().lock();
        try {
            int to = vfio_device_attach_iommufd_pt.pt_id(attach.fields);
            vfio_device_attach_iommufd_pt.pt_id(
                    attach.fields,
                    device.bound().attach(to, Operation.DEVICE_ATTACH_IOMMUFD_PT, new Facts() {}));
            Undo.unless(attach::write, () -> device.bound().detach());
            return 0;
        } finally {
            machine.kernel().unlock();
        }
    }

    /** Older kernels know of none. */
    private int attachPasid(UserMemory argument) {
        KernelError.check(machine.profile(), Operation.DEVICE_ATTACH_PASID, new Facts() {
            @Override
            public boolean pasidSupported() {
                return pasids();
            }
        });
        machine.kernel().lock();
        try {
            if (device.isEmulated()) {
                device.bound().attachPasid(0, 0);
            }
            MemorySegment attach = new InfoStruct(argument, vfio_device_attach_iommufd_pt.layout()).fields;
            device.bound().attachPasid(
                    vfio_device_attach_iommufd_pt.pasid(attach), vfio_device_attach_iommufd_pt.pt_id(attach));
            return 0;
        } finally {
            machine.kernel().unlock();
        }
    }

    private int detach(UserMemory argument) {
        long least = vfio_device_detach_iommufd_pt.pasid$offset();
        InfoStruct detach = new InfoStruct(argument, vfio_device_detach_iommufd_pt.layout(), least);
        int flags = vfio_device_detach_iommufd_pt.flags(detach.fields);
        if (pasids() && flags == VFIO_DEVICE_DETACH_PASID() && !device.isEmulated()) {
            MemorySegment pasid = new InfoStruct(argument, vfio_device_detach_iommufd_pt.layout()).fields; // as long as that
            machine.kernel().lock();
            try {
                device.bound().detachPasid(vfio_device_detach_iommufd_pt.pasid(pasid));
                return 0;
            } finally {
                machine.kernel().unlock();
            }
        }
        checkFlags(flags, VFIO_DEVICE_DETACH_PASID());
        machine.kernel().lock();
        try {
            device.bound().detach();
            return 0;
        } finally {
            machine.kernel().unlock();
        }
    }

    /** No device here has PASIDs: of mediated ones newer kernels say so, of others that the PASID is wrong. */
    private void checkFlags(int flags, int pasid) {
        boolean wanted = pasids() && flags == pasid;
        if (wanted && device.isEmulated()) {
            throw new KernelError(Errno.EOPNOTSUPP);
        }
        if (flags != 0) {
            throw new KernelError(Errno.EINVAL);
        }
    }

    // ---- what a device's file does

    @Override
    long read(SimProcess caller, MemorySegment target) {
        return bound(Operation.REGION_READ).read(caller, target);
    }

    @Override
    long write(SimProcess caller, MemorySegment source) {
        return bound(Operation.REGION_WRITE).write(caller, source);
    }

    @Override
    long pread(MemorySegment target, long offset) {
        return bound(Operation.REGION_READ).pread(target, offset);
    }

    @Override
    long pwrite(MemorySegment source, long offset) {
        return bound(Operation.REGION_WRITE).pwrite(source, offset);
    }

    @Override
    Vma map(long offset, long length, int prot, boolean shared) {
        Vma made = bound(Operation.REGION_MAP).map(offset, length, prot, shared);
        return new Vma(made.start(), made.end(), made.prot(), made.memory(), made.offset(), this);
    }

    @Override
    boolean mappingAnswers() {
        return bound.mappingAnswers();
    }

    @Override
    DeviceNumber deviceNumber() {
        return DeviceNumber.device(device.index);
    }

    @Override
    void release() {
        if (bound != null) {
            device.closeBound();
        }
        machine.kernel().lock();
        try {
            device.unreference();
        } finally {
            machine.kernel().unlock();
        }
    }

    @Override
    public String toString() {
        return device.node();
    }
}
