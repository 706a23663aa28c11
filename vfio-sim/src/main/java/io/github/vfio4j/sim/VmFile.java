package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.kvm_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.kvm_create_device;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;

/** A KVM virtual machine: all that it can do here is to have a VFIO device. */
final class VmFile extends SimFile {
    private final SimMachine machine;
    private final SimProcess owner;
    private boolean hasVfioDevice; // guarded by the kernel's lock

    VmFile(SimMachine machine, SimProcess owner) {
        this.machine = machine;
        this.owner = owner;
    }

    /** The answers that the machine and the virtual machine share. Linux 6.1 on x86 denies that it makes devices. */
    static int checkExtension(KernelProfile profile, long extension) {
        boolean has = extension == KVM_CAP_CHECK_EXTENSION_VM()
                || extension == KVM_CAP_DEVICE_CTRL() && !profile.isBefore(KernelProfile.V6_12);
        return has ? 1 : 0;
    }

    boolean belongsTo(SimProcess process) {
        return owner == process;
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        Facts facts = new Facts() {
            @Override
            public boolean vmOfCaller() {
                return belongsTo(caller);
            }

            @Override
            public boolean vmHasVfioDevice() {
                return hasVfioDevice;
            }
        };
        if (!facts.vmOfCaller()) { // whatever the request
            KernelError.check(machine.profile(), Operation.KVM_CREATE_DEVICE, facts);
        }
        if (request == KVM_CHECK_EXTENSION()) {
            return checkExtension(machine.profile(), argument.value());
        }
        if (request == (int) KVM_CREATE_DEVICE()) {
            return createDevice(caller, argument, facts);
        }
        throw new KernelError(Errno.ENOTTY);
    }

    private int createDevice(SimProcess caller, UserMemory argument, Facts facts) {
        long bytes = kvm_create_device.sizeof();
        MemorySegment create = argument.read(kvm_create_device.layout(), bytes);
        if (kvm_create_device.type(create) != KVM_DEV_TYPE_VFIO()) {
            throw new KernelError(Errno.ENODEV);
        }
        if ((kvm_create_device.flags(create) & KVM_CREATE_DEVICE_TEST()) == 0) {
            machine.kernel().lock();
            try {
                KernelError.check(machine.profile(), Operation.KVM_CREATE_DEVICE, facts);
                int fd = caller.files().add(new KvmVfioFile(machine, this));
                machine.kernel().get(this); // the device keeps its virtual machine
                hasVfioDevice = true;
                kvm_create_device.fd(create, fd);
            } finally {
                machine.kernel().unlock();
            }
        }
        argument.write(0, create, bytes);
        return 0;
    }

    /** Its VFIO device is gone. The kernel's lock is held. */
    void deviceReleased() {
        hasVfioDevice = false;
        machine.kernel().put(this);
    }

    @Override
    void release() {
        // Nothing is left in it.
    }

    @Override
    public String toString() {
        return "KVM virtual machine";
    }
}
