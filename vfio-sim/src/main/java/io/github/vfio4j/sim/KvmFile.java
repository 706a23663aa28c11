package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.kvm_h.*;

import io.github.vfio4j.Errno;

/** An open {@code /dev/kvm}. */
final class KvmFile extends SimFile {
    private final SimMachine machine;

    KvmFile(SimMachine machine) {
        this.machine = machine;
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        if (request == KVM_GET_API_VERSION()) {
            if (argument.value() != 0) {
                throw new KernelError(Errno.EINVAL);
            }
            return KVM_API_VERSION();
        }
        if (request == KVM_CHECK_EXTENSION()) {
            return VmFile.checkExtension(machine.profile(), argument.value());
        }
        if (request == KVM_CREATE_VM()) {
            return createVm(caller, argument.value());
        }
        throw new KernelError(Errno.EINVAL);
    }

    private int createVm(SimProcess caller, long type) {
        machine.kernel().lock();
        try {
            int fd = caller.files().reserve();
            if (type != 0) {
                caller.files().cancel(fd);
                throw new KernelError(Errno.EINVAL);
            }
            caller.install(fd, new VmFile(machine, caller));
            return fd;
        } finally {
            machine.kernel().unlock();
        }
    }

    @Override
    DeviceNumber deviceNumber() {
        return DeviceNumber.KVM;
    }

    @Override
    void release() {
        // Virtual machines live by their own files.
    }

    @Override
    public String toString() {
        return "/dev/kvm";
    }
}
