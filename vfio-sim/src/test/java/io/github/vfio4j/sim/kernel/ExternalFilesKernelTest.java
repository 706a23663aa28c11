package io.github.vfio4j.sim.kernel;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Errno;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What KVM's VFIO device, Unix sockets and duplicates answer and keep open, by raw system calls. */
class ExternalFilesKernelTest extends KernelTest {
    private static final int KVM_GET_API_VERSION = 0xae00;
    private static final int KVM_CREATE_VM = 0xae01;
    private static final int KVM_CHECK_EXTENSION = 0xae03;
    private static final int KVM_CREATE_DEVICE = 0xc00caee0;
    private static final int KVM_SET_DEVICE_ATTR = 0x4018aee1;
    private static final int KVM_GET_DEVICE_ATTR = 0x4018aee2;
    private static final int KVM_HAS_DEVICE_ATTR = 0x4018aee3;
    private static final int DEVICE_CTRL = 89; // KVM_CAP_DEVICE_CTRL
    private static final int CHECK_EXTENSION_VM = 105; // KVM_CAP_CHECK_EXTENSION_VM
    private static final int VFIO = 4; // KVM_DEV_TYPE_VFIO
    private static final int TEST = 1; // KVM_CREATE_DEVICE_TEST
    private static final int FILE = 1; // KVM_DEV_VFIO_FILE
    private static final int ADD = 1;
    private static final int DEL = 2;

    private static final int ENOTSOCK = 88;
    private static final int EISCONN = 106;
    private static final int ENOTCONN = 107;

    private final Syscalls calls = machine.syscalls();
    private final Frame frame = new Frame();
    private final Arena arena = Arena.ofShared();
    private final int group = groupOf(machine.loner());
    private final Deque<Integer> open = new ArrayDeque<>();

    @AfterEach
    void closeAll() {
        while (!open.isEmpty()) {
            close(open.pop());
        }
        arena.close();
    }

    /** Keeps a descriptor to be closed at the end, or passes an errno on. */
    private int keep(int fd) {
        if (fd >= 0) {
            open.push(fd);
        }
        return fd;
    }

    private int close(int fd) {
        open.remove(fd);
        return calls.close(frame, fd);
    }

    private int open(String path) {
        return keep(calls.open(frame, path, Syscalls.O_RDWR | Syscalls.O_CLOEXEC));
    }

    private int openGroup() {
        return open("/dev/vfio/" + group);
    }

    private int ioctl(int fd, int request, long value) {
        return calls.ioctl(frame, fd, request, value);
    }

    private int event() {
        return keep(calls.eventfd(frame, 0, Syscalls.EFD_CLOEXEC));
    }

    private int vm() {
        return keep(ioctl(open("/dev/kvm"), KVM_CREATE_VM, 0));
    }

    /** The new descriptor, or -errno; -1 also if none was made. */
    private int createDevice(int vm, int type, int flags) {
        MemorySegment create = arena.allocate(12, 8);
        create.set(JAVA_INT, 0, type);
        create.set(JAVA_INT, 4, -1);
        create.set(JAVA_INT, 8, flags);
        int result = calls.ioctl(frame, vm, KVM_CREATE_DEVICE, create);
        return result < 0 ? result : keep(create.get(JAVA_INT, 4));
    }

    private int attribute(int device, int request, int attributes, long attribute, int fd) {
        MemorySegment struct = arena.allocate(32, 8);
        struct.set(JAVA_INT, 4, attributes);
        struct.set(JAVA_LONG, 8, attribute);
        struct.set(JAVA_LONG, 16, struct.address() + 24);
        struct.set(JAVA_INT, 24, fd);
        return calls.ioctl(frame, device, request, struct);
    }

    private int add(int device, int fd) {
        return attribute(device, KVM_SET_DEVICE_ATTR, FILE, ADD, fd);
    }

    private int delete(int device, int fd) {
        return attribute(device, KVM_SET_DEVICE_ATTR, FILE, DEL, fd);
    }

    private static int no(Errno errno) {
        return -errno.number();
    }

    private void assertGroupBusy() {
        assertThat(openGroup()).isEqualTo(no(Errno.EBUSY));
    }

    private void assertGroupFree() {
        assertThat(openGroup()).isNotNegative();
    }

    // ---- KVM

    @Test
    void aVirtualMachineHasOneVfioDevice() {
        int kvm = open("/dev/kvm");
        int deviceControl = machine.isLinux61() ? 0 : 1; // it makes devices, but denies it
        assertThat(ioctl(kvm, KVM_GET_API_VERSION, 0)).isEqualTo(12);
        assertThat(ioctl(kvm, KVM_GET_API_VERSION, 1)).isEqualTo(no(Errno.EINVAL));
        assertThat(ioctl(kvm, KVM_CHECK_EXTENSION, CHECK_EXTENSION_VM)).isEqualTo(1);
        assertThat(ioctl(kvm, KVM_CHECK_EXTENSION, DEVICE_CTRL)).isEqualTo(deviceControl);
        assertThat(ioctl(kvm, KVM_CREATE_VM, 77)).isEqualTo(no(Errno.EINVAL));
        assertThat(ioctl(kvm, 0x3b67, 0)).isEqualTo(no(Errno.EINVAL)); // VFIO_GROUP_GET_STATUS
        int vm = vm();
        assertThat(ioctl(vm, KVM_CHECK_EXTENSION, DEVICE_CTRL)).isEqualTo(deviceControl);
        assertThat(ioctl(vm, 0x3b67, 0)).isEqualTo(no(Errno.ENOTTY));
        assertThat(ioctl(vm, KVM_CREATE_DEVICE, 0)).isEqualTo(no(Errno.EFAULT));
        assertThat(createDevice(vm, 99, 0)).isEqualTo(no(Errno.ENODEV));
        assertThat(createDevice(vm, VFIO, TEST)).isEqualTo(-1); // makes none
        int device = createDevice(vm, VFIO, 0);
        assertThat(device).isNotNegative();
        assertThat(createDevice(vm, VFIO, 0)).isEqualTo(no(Errno.EBUSY));
        assertThat(createDevice(vm, VFIO, TEST)).isEqualTo(-1);
        close(device);
        assertThat(createDevice(vm, VFIO, 0)).isNotNegative();
    }

    @Test
    void itsAttributesAreFilesToAddAndToRemove() {
        int device = createDevice(vm(), VFIO, 0);
        assertThat(attribute(device, KVM_HAS_DEVICE_ATTR, FILE, ADD, 0)).isZero();
        assertThat(attribute(device, KVM_HAS_DEVICE_ATTR, FILE, DEL, 0)).isZero();
        assertThat(attribute(device, KVM_HAS_DEVICE_ATTR, FILE, 3, 0)).isEqualTo(no(Errno.ENXIO));
        assertThat(attribute(device, KVM_HAS_DEVICE_ATTR, 2, ADD, 0)).isEqualTo(no(Errno.ENXIO));
        assertThat(attribute(device, KVM_GET_DEVICE_ATTR, FILE, ADD, 0)).isEqualTo(no(Errno.EPERM));
        assertThat(attribute(device, KVM_SET_DEVICE_ATTR, FILE, 3, 0)).isEqualTo(no(Errno.ENXIO));
        assertThat(ioctl(device, KVM_SET_DEVICE_ATTR, 0)).isEqualTo(no(Errno.EFAULT));
        assertThat(ioctl(device, KVM_GET_DEVICE_ATTR, 0)).isEqualTo(no(Errno.EPERM));
        assertThat(ioctl(device, 0x3b67, 0)).isEqualTo(no(Errno.ENOTTY));
    }

    @Test
    void filesAreKnownByIdentityAndNotByTheirState() {
        int device = createDevice(vm(), VFIO, 0);
        int event = event();
        int opened = openGroup();
        assertThat(add(device, -1)).isEqualTo(no(Errno.EBADF));
        assertThat(add(device, event)).isEqualTo(no(Errno.EINVAL));
        assertThat(add(device, open("/dev/vfio/vfio"))).isEqualTo(no(Errno.EINVAL));
        assertThat(add(device, opened)).isZero(); // in no container
        int copy = keep(calls.dup(frame, opened));
        assertThat(add(device, copy)).isEqualTo(no(Errno.EEXIST));
        assertThat(delete(device, event)).isEqualTo(no(Errno.ENOENT));
        assertThat(delete(device, -1)).isEqualTo(no(Errno.EBADF));
        close(opened);
        assertThat(delete(device, copy)).isZero();
        assertThat(delete(device, copy)).isEqualTo(no(Errno.ENOENT));
    }

    @Test
    void kvmKeepsAFileOpenAsLongAsItsDeviceAndNotItsVirtualMachine() {
        int vm = vm();
        int device = createDevice(vm, VFIO, 0);
        int opened = openGroup();
        assertThat(add(device, opened)).isZero();
        close(opened);
        assertGroupBusy();
        close(vm);
        assertGroupBusy();
        close(device);
        assertGroupFree();
    }

    @Test
    void kvmDoesNotKeepAGroupInItsContainer() {
        int device = createDevice(vm(), VFIO, 0);
        int container = open("/dev/vfio/vfio");
        int opened = openGroup();
        assertThat(calls.ioctl(frame, opened, 0x3b68, arena.allocateFrom(JAVA_INT, container))).isZero();
        assertThat(ioctl(container, 0x3b66, 3)).isZero();
        assertThat(add(device, opened)).isZero();
        assertThat(ioctl(opened, 0x3b69, 0)).isZero(); // VFIO_GROUP_UNSET_CONTAINER
    }

    // ---- duplicates and messages

    private int[] pair() {
        assertThat(calls.socketpair(frame, Syscalls.SOCK_SEQPACKET)).isZero();
        return new int[] {keep(frame.arg.get(JAVA_INT, 0)), keep(frame.arg.get(JAVA_INT, 4))};
    }

    private long send(int socket, int... files) {
        return calls.sendmsg(frame, socket, arena.allocate(1), files);
    }

    private long receive(int socket, int... files) {
        return calls.recvmsg(frame, socket, arena.allocate(8), files);
    }

    @Test
    void aDuplicateKeepsTheFileOpen() {
        int opened = openGroup();
        int copy = keep(calls.dup(frame, opened));
        close(opened);
        assertGroupBusy();
        close(copy);
        assertGroupFree();
    }

    @Test
    void aMessageKeepsItsFilesOpenUntilItIsReceivedOrItsReceiverIsGone() {
        int[] ends = pair();
        int opened = openGroup();
        assertThat(send(ends[0], opened)).isEqualTo(1);
        assertThat(send(ends[0], opened, opened)).isEqualTo(1);
        close(opened);
        close(ends[0]);
        assertGroupBusy();
        int[] received = {-1};
        assertThat(receive(ends[1], received)).isEqualTo(1);
        assertThat(frame.arg.get(JAVA_INT, 0)).isEqualTo(1);
        close(keep(received[0]));
        assertGroupBusy(); // the second message
        close(ends[1]);
        assertGroupFree();
    }

    @Test
    void aConnectionThatNobodyAcceptedEndsWithItsListener() {
        String address = machine.socketAddress();
        int listener = keep(calls.socket(frame, Syscalls.SOCK_SEQPACKET));
        assertThat(calls.listen(frame, listener, 1)).isEqualTo(no(Errno.EINVAL)); // no address
        assertThat(calls.bind(frame, listener, address)).isZero();
        assertThat(calls.bind(frame, listener, address + "2")).isEqualTo(no(Errno.EINVAL));
        assertThat(calls.accept(frame, listener)).isEqualTo(no(Errno.EINVAL)); // it does not listen
        assertThat(calls.listen(frame, listener, 1)).isZero();
        int client = keep(calls.socket(frame, Syscalls.SOCK_SEQPACKET));
        assertThat(send(client)).isEqualTo(-ENOTCONN);
        assertThat(receive(client)).isEqualTo(-ENOTCONN);
        assertThat(calls.connect(frame, client, address)).isZero();
        assertThat(calls.connect(frame, client, address)).isEqualTo(-EISCONN);
        int opened = openGroup();
        assertThat(send(client, opened)).isEqualTo(1);
        close(opened);
        assertGroupBusy();
        close(listener);
        assertGroupFree();
        assertThat(receive(client)).isEqualTo(no(Errno.ECONNRESET)); // once
        assertThat(receive(client)).isZero();
        assertThat(send(client)).isEqualTo(no(Errno.EPIPE));
        int second = keep(calls.socket(frame, Syscalls.SOCK_SEQPACKET));
        assertThat(calls.connect(frame, second, address)).isEqualTo(no(Errno.ECONNREFUSED)); // the file is there still
        assertThat(calls.unlink(frame, address)).isZero();
        assertThat(calls.connect(frame, second, address)).isEqualTo(no(Errno.ENOENT));
    }

    @Test
    void otherFilesAreNoSockets() {
        int event = event();
        assertThat(calls.listen(frame, event, 1)).isEqualTo(-ENOTSOCK);
        assertThat(calls.accept(frame, event)).isEqualTo(-ENOTSOCK);
        assertThat(calls.shutdown(frame, event)).isEqualTo(-ENOTSOCK);
        assertThat(send(event)).isEqualTo(-ENOTSOCK);
        assertThat(receive(event)).isEqualTo(-ENOTSOCK);
        assertThat(send(-1)).isEqualTo(no(Errno.EBADF));
        int[] ends = pair();
        assertThat(send(ends[0], 900_000)).isEqualTo(no(Errno.EBADF));
        assertThat(send(ends[0], new int[254])).isEqualTo(no(Errno.EINVAL)); // SCM_MAX_FD is 253
    }
}
