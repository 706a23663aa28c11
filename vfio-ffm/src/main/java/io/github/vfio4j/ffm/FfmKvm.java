package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.kvm_h.KVM_API_VERSION;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_CAP_SPAPR_TCE_VFIO;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_CHECK_EXTENSION;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_CREATE_DEVICE;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_CREATE_DEVICE_TEST;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_CREATE_VM;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_TYPE_VFIO;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_VFIO_FILE;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_VFIO_FILE_ADD;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_VFIO_FILE_DEL;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_GET_API_VERSION;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_HAS_DEVICE_ATTR;
import static io.github.vfio4j.ffm.gen.kvm_h.KVM_SET_DEVICE_ATTR;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KvmSupport;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
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
        return on(makeVm(syscalls));
    }

    /** Makes the device of a virtual machine of the program's. */
    static FfmKvm adopt(Syscalls syscalls, int number) {
        return on(copy(Operation.KVM_CREATE_DEVICE, syscalls, number));
    }

    /** Asks a virtual machine that is made for this. */
    static KvmSupport support(Syscalls syscalls) {
        return support(makeVm(syscalls));
    }

    /** Asks a virtual machine of the program's. */
    static KvmSupport support(Syscalls syscalls, int number) {
        return support(copy(Operation.KVM_CHECK_EXTENSION, syscalls, number));
    }

    private static Fd makeVm(Syscalls syscalls) {
        Fd kvm = Fd.open(Operation.OPEN_KVM, syscalls, NODE);
        try {
            int version = kvm.ioctl(Operation.KVM_GET_API_VERSION, KVM_GET_API_VERSION(), 0);
            if (version != KVM_API_VERSION()) {
                throw new VfioException(
                        Operation.KVM_GET_API_VERSION,
                        Errno.EOPNOTSUPP,
                        "the kernel speaks KVM API version " + version + ", this library version " + KVM_API_VERSION());
            }
            int number = kvm.ioctl(Operation.KVM_CREATE_VM, KVM_CREATE_VM(), 0);
            return new Fd(syscalls, number, "a virtual machine of the library's");
        } finally {
            kvm.close();
        }
    }

    /** Copies a descriptor, so that it stays the same file whatever the program does with its own. */
    private static Fd copy(Operation operation, Syscalls syscalls, int number) {
        Frame frame = new Frame();
        return Fd.opened(
                operation, syscalls, frame, syscalls.dup(frame, number), "the virtual machine of descriptor " + number);
    }

    private static KvmSupport support(Fd vm) {
        try {
            boolean spaprTables = has(vm, KVM_CAP_SPAPR_TCE_VFIO());
            return new KvmSupport(hasVfioDevice(vm), spaprTables);
        } finally {
            vm.close();
        }
    }

    private static boolean has(Fd vm, int extension) {
        return vm.ioctl(Operation.KVM_CHECK_EXTENSION, KVM_CHECK_EXTENSION(), extension) > 0;
    }

    /** Does not ask for KVM_CAP_DEVICE_CTRL: KVM of Linux 6.1 on x86 denies it, and makes devices. */
    private static boolean hasVfioDevice(Fd vm) {
        return is(Errno.ENODEV, () -> createDevice(vm, KVM_CREATE_DEVICE_TEST()));
    }

    /** Does a question succeed? The one errno says that it does not; any other is a failure. */
    private static boolean is(Errno no, Runnable question) {
        try {
            question.run();
            return true;
        } catch (VfioException e) {
            if (e.errno().equals(no)) {
                return false;
            }
            throw e;
        }
    }

    private static FfmKvm on(Fd vm) {
        try {
            return new FfmKvm(vm, new Fd(vm.syscalls, createDevice(vm, 0), "the VFIO device of " + vm.subject()));
        } catch (RuntimeException e) {
            vm.close();
            throw e;
        }
    }

    /** Returns the device's descriptor; -1 if it is only a test. */
    private static int createDevice(Fd vm, int flags) {
        Frame frame = vm.begin(Operation.KVM_CREATE_DEVICE);
        try {
            kvm_create_device.type(frame.arg, KVM_DEV_TYPE_VFIO());
            kvm_create_device.fd(frame.arg, -1);
            kvm_create_device.flags(frame.arg, flags);
            vm.ioctl(Operation.KVM_CREATE_DEVICE, frame, (int) KVM_CREATE_DEVICE());
            return kvm_create_device.fd(frame.arg);
        } finally {
            vm.end(frame);
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
    public boolean takesSpaprTables() {
        return is(Errno.ENXIO, () -> {
            Frame frame = device.begin(Operation.KVM_HAS_ATTRIBUTE);
            try {
                kvm_device_attr.flags(frame.arg, 0);
                kvm_device_attr.group(frame.arg, KVM_DEV_VFIO_FILE());
                kvm_device_attr.attr(frame.arg, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE());
                kvm_device_attr.addr(frame.arg, 0);
                device.ioctl(Operation.KVM_HAS_ATTRIBUTE, frame, (int) KVM_HAS_DEVICE_ATTR());
            } finally {
                device.end(frame);
            }
        });
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
