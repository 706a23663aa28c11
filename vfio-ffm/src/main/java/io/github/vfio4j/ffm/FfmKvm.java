package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.kvm_h.KVM_CREATE_DEVICE;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_CREATE_VM;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_TYPE_VFIO;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_VFIO_FILE;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_VFIO_FILE_ADD;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_VFIO_FILE_DEL;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_SET_DEVICE_ATTR;

import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.kvm_create_device;
import io.github.vfio4j.ffm.gen.kvm_device_attr;
import io.github.vfio4j.ffm.gen.kvm_vfio_spapr_tce;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.KvmPort;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;

/** The VFIO device of a virtual machine, and the machine's own descriptor. */
final class FfmKvm implements KvmPort {
    private static final String NODE = "/dev/kvm";
    private static final long VALUE = 32; // where in a frame that stands which the attribute points to

    private final Fd vm;
    private final Fd device;

    private FfmKvm(Fd vm, Fd device) {
        this.vm = vm;
        this.device = device;
    }

    static FfmKvm open(Syscalls syscalls) {
        Fd kvm = Fd.open(Operation.OPEN_KVM, syscalls, NODE);
        try {
            int number = kvm.ioctl(Operation.KVM_CREATE_VM, KVM_CREATE_VM(), 0);
            return on(new Fd(syscalls, number, "a virtual machine of the library's"));
        } finally {
            kvm.close();
        }
    }

    /** Takes over a copy of a descriptor. */
    static FfmKvm adopt(Syscalls syscalls, int number) {
        Frame frame = new Frame();
        String subject = "the virtual machine of descriptor " + number;
        int copy = syscalls.dup(frame, number);
        return on(Fd.opened(Operation.KVM_CREATE_DEVICE, syscalls, frame, copy, subject));
    }

    private static FfmKvm on(Fd vm) {
        try {
            Frame frame = vm.begin(Operation.KVM_CREATE_DEVICE);
            try {
                kvm_create_device.type(frame.arg, KVM_DEV_TYPE_VFIO());
                kvm_create_device.fd(frame.arg, -1);
                kvm_create_device.flags(frame.arg, 0);
                vm.ioctl(Operation.KVM_CREATE_DEVICE, frame, (int) KVM_CREATE_DEVICE());
                int number = kvm_create_device.fd(frame.arg);
                return new FfmKvm(vm, new Fd(vm.syscalls, number, "the VFIO device of " + vm.subject()));
            } finally {
                vm.end(frame);
            }
        } catch (RuntimeException e) {
            vm.close();
            throw e;
        }
    }

    @Override
    public void add(GroupPort group) {
        set(Operation.KVM_FILE_ADD, KVM_DEV_VFIO_FILE_ADD(), ((FfmGroup) group).fd);
    }

    @Override
    public void add(DevicePort opened) {
        set(Operation.KVM_FILE_ADD, KVM_DEV_VFIO_FILE_ADD(), ((FfmDevice) opened).fd);
    }

    @Override
    public void remove(GroupPort group) {
        set(Operation.KVM_FILE_DEL, KVM_DEV_VFIO_FILE_DEL(), ((FfmGroup) group).fd);
    }

    @Override
    public void remove(DevicePort opened) {
        set(Operation.KVM_FILE_DEL, KVM_DEV_VFIO_FILE_DEL(), ((FfmDevice) opened).fd);
    }

    @Override
    public void setSpaprTce(GroupPort group, int table) {
        Fd file = ((FfmGroup) group).fd;
        set(Operation.KVM_SET_SPAPR_TCE, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE(), file, value -> {
            kvm_vfio_spapr_tce.groupfd(value, file.number);
            kvm_vfio_spapr_tce.tablefd(value, table);
        });
    }

    private void set(Operation operation, int attribute, Fd file) {
        set(operation, attribute, file, value -> value.set(ValueLayout.JAVA_INT, 0, file.number));
    }

    private void set(Operation operation, int attribute, Fd file, Consumer<MemorySegment> value) {
        file.hold(operation);
        try {
            Frame frame = device.begin(operation);
            try {
                value.accept(frame.arg.asSlice(VALUE));
                kvm_device_attr.flags(frame.arg, 0);
                kvm_device_attr.group(frame.arg, KVM_DEV_VFIO_FILE());
                kvm_device_attr.attr(frame.arg, attribute);
                kvm_device_attr.addr(frame.arg, frame.arg.address() + VALUE);
                device.ioctl(operation, frame, (int) KVM_SET_DEVICE_ATTR());
            } finally {
                device.end(frame);
            }
        } finally {
            file.release();
        }
    }

    @Override
    public void close() {
        device.close();
        vm.close();
    }
}
