package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.kvm_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.kvm_device_attr;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * The VFIO device of a KVM virtual machine. A file that it was given stays open by that. By the documents it is an
 * external user of the group instead: no reference to the file, but one of the group's users.
 */
final class KvmVfioFile extends SimFile {
    private static final int ADDRESS_BYTES = Integer.BYTES;

    private final SimMachine machine;
    private final VmFile vm;
    private final List<SimFile> files = new ArrayList<>(); // oldest first; guarded by the kernel's lock

    KvmVfioFile(SimMachine machine, VmFile vm) {
        this.machine = machine;
        this.vm = vm;
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        if (!vm.belongsTo(caller)) {
            check(Operation.KVM_FILE_ADD, new Request(caller, null));
        }
        if (request == (int) KVM_SET_DEVICE_ATTR()) {
            return setAttribute(caller, argument);
        }
        if (request == (int) KVM_GET_DEVICE_ATTR()) {
            throw new KernelError(Errno.EPERM);
        }
        if (request == (int) KVM_HAS_DEVICE_ATTR()) {
            attribute(read(argument));
            return 0;
        }
        throw new KernelError(Errno.ENOTTY);
    }

    private static MemorySegment read(UserMemory argument) {
        return argument.read(kvm_device_attr.layout(), kvm_device_attr.sizeof());
    }

    /** Which attribute it is; ENXIO if there is none such. */
    private static Operation attribute(MemorySegment request) {
        long attribute = kvm_device_attr.attr(request);
        if (kvm_device_attr.group(request) == KVM_DEV_VFIO_FILE()) {
            if (attribute == KVM_DEV_VFIO_FILE_ADD()) {
                return Operation.KVM_FILE_ADD;
            }
            if (attribute == KVM_DEV_VFIO_FILE_DEL()) {
                return Operation.KVM_FILE_DEL;
            }
        }
        throw new KernelError(Errno.ENXIO);
    }

    private int setAttribute(SimProcess caller, UserMemory argument) {
        MemorySegment request = read(argument);
        Operation operation = attribute(request);
        MemorySegment descriptor = UserMemory.zeroed(ADDRESS_BYTES);
        machine.kernel().lock();
        try {
            argument.pointer(caller, kvm_device_attr.addr(request)).read(0, descriptor, ADDRESS_BYTES);
            int fd = descriptor.get(ValueLayout.JAVA_INT, 0);
            SimFile file = caller.files().find(fd).orElse(null);
            if (operation == Operation.KVM_FILE_DEL) {
                check(operation, new Request(caller, file));
                remove(file);
                return 0;
            }
            if (documents() && file instanceof GroupFile group) {
                check(Operation.GET_EXTERNAL_USER, group.facts());
            }
            check(operation, new Request(caller, file));
            add(file);
            return 0;
        } finally {
            machine.kernel().unlock();
        }
    }

    private void add(SimFile file) {
        files.add(file);
        if (documents()) {
            ((GroupFile) file).addExternalUser();
        } else {
            machine.kernel().get(file);
        }
    }

    private void remove(SimFile file) {
        files.remove(file);
        drop(file);
    }

    private void drop(SimFile file) {
        if (documents()) {
            ((GroupFile) file).removeExternalUser();
        } else {
            machine.kernel().put(file);
        }
    }

    private boolean documents() {
        return machine.profile() == KernelProfile.DOCUMENTS;
    }

    private void check(Operation operation, Facts facts) {
        KernelError.check(machine.profile(), operation, facts);
    }

    /** What is asked of it: a file to add or to remove, null if none is open. */
    private final class Request implements Facts {
        private final SimProcess caller;
        private final SimFile file;

        Request(SimProcess caller, SimFile file) {
            this.caller = caller;
            this.file = file;
        }

        @Override
        public boolean vmOfCaller() {
            return vm.belongsTo(caller);
        }

        @Override
        public boolean namedFileOpen() {
            return file != null;
        }

        @Override
        public boolean namedFileIsVfio() {
            boolean devicesToo = !machine.profile().isBefore(KernelProfile.V6_12);
            boolean device =
                    file instanceof DeviceFile || file instanceof EmulatedDeviceFile || file instanceof CdevFile;
            return file instanceof GroupFile || devicesToo && device;
        }

        @Override
        public boolean kvmHasFile() {
            return files.contains(file);
        }

        @Override
        public boolean kvmLacksFile() {
            return !files.contains(file);
        }
    }

    @Override
    void release() {
        machine.kernel().lock();
        try {
            files.forEach(this::drop);
            files.clear();
            vm.deviceReleased();
        } finally {
            machine.kernel().unlock();
        }
    }

    @Override
    public String toString() {
        return "VFIO device of a KVM virtual machine";
    }
}
