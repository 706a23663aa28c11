package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.iommufd_h.IOMMU_FAULT_QUEUE_ALLOC;
import static io.github.vfio4j.ffm.gen.iommufd_h.IOMMU_IOAS_MAP_FILE;
import static io.github.vfio4j.ffm.gen.kvm_h.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.ffm.gen.iommu_fault_alloc;
import io.github.vfio4j.ffm.gen.kvm_create_device;
import io.github.vfio4j.ffm.gen.kvm_device_attr;
import io.github.vfio4j.ffm.gen.vfio_device_gfx_plane_info;
import io.github.vfio4j.ffm.port.Syscalls;
import java.io.Serializable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * One system call of a program that knows its descriptors and addresses by slots. Its text is the Java that makes it, so
 * that a sequence can be printed as a test.
 */
sealed interface Step extends Serializable {
    /** A descriptor that is negative. */
    int NEGATIVE = -1;
    /** A descriptor that never was open. */
    int NOT_OPEN = -2;

    /** Does the call on one kernel. */
    Outcome run(Side side);

    /** Would its descriptor or mapping overwrite one that is there? */
    default boolean overwrites(Side side) {
        return false;
    }

    /** How a device is called: by its place in vm/machine.sh; $edu, $testdev and $shared stand for group numbers. */
    record Open(int into, String path) implements Step {
        @Override
        public Outcome run(Side side) {
            int flags = Syscalls.O_RDWR | Syscalls.O_CLOEXEC;
            return side.opened(into, side.calls.open(side.frame, side.path(path), flags));
        }

        @Override
        public boolean overwrites(Side side) {
            return side.isOpen(into);
        }

        @Override
        public String toString() {
            return "open(%d, \"%s\")".formatted(into, path);
        }
    }

    record Close(int fd) implements Step {
        @Override
        public Outcome run(Side side) {
            return Outcome.of(side.close(fd));
        }

        @Override
        public String toString() {
            return "close(" + slot(fd) + ")";
        }
    }

    /** statx of a path, or of an open file if the path is empty. */
    record Stat(int fd, String path) implements Step {
        @Override
        public Outcome run(Side side) {
            int flags = path.isEmpty() ? Syscalls.AT_EMPTY_PATH : 0;
            int directory = path.isEmpty() ? side.descriptor(fd) : Syscalls.AT_FDCWD;
            MemorySegment statx = side.frame.arg;
            int result = side.calls.statx(side.frame, directory, side.path(path), flags);
            if (result < 0) {
                return Outcome.of(result);
            }
            // Of the answer: the type of the file, and whether it has a device number.
            int type = statx.get(ValueLayout.JAVA_SHORT, 28) >> 12 & 0xf;
            int number = statx.get(ValueLayout.JAVA_INT, 128) != 0 ? 1 : 0;
            return new Outcome(0, new byte[] {(byte) type, (byte) number});
        }

        @Override
        public String toString() {
            return path.isEmpty() ? "stat(" + slot(fd) + ")" : "stat(\"" + path + "\")";
        }
    }

    /** An ioctl with an argument by value; 0 is also a null pointer. */
    record Ioctl(int fd, int request, long value) implements Step {
        @Override
        public Outcome run(Side side) {
            return Outcome.of(side.calls.ioctl(side.frame, side.descriptor(fd), request, value));
        }

        @Override
        public String toString() {
            return "ioctl(%s, %s, 0x%xL)".formatted(slot(fd), name(request), value);
        }
    }

    /** An ioctl with a struct; what follows the struct in memory is compared, too. */
    record IoctlStruct(int into, int fd, int request, List<Field> fields) implements Step {
        private static final int LEAST = 512;
        private static final byte UNTOUCHED = (byte) 0xa5;

        @Override
        public Outcome run(Side side) {
            MemorySegment argument = make(side);
            byte[] before = argument.toArray(ValueLayout.JAVA_BYTE);
            long result = side.calls.ioctl(side.frame, side.descriptor(fd), request, argument);
            byte[] after = argument.toArray(ValueLayout.JAVA_BYTE);
            if (into >= 0) {
                result = side.opened(into, (int) result).result();
            }
            hide(before, after);
            return new Outcome(result, withBitmap(side, after));
        }

        private byte[] withBitmap(Side side, byte[] argument) {
            for (Field field : fields) {
                if (field instanceof Field.Bitmap bitmap) {
                    byte[] both = Arrays.copyOf(argument, argument.length + Field.Bitmap.BYTES);
                    System.arraycopy(bitmap.content(side), 0, both, argument.length, Field.Bitmap.BYTES);
                    return both;
                }
            }
            return argument;
        }

        /** Puts the struct into the buffer. */
        private MemorySegment make(Side side) {
            int size = fields.stream().mapToInt(Field::size).sum();
            MemorySegment argument = side.buffer.asSlice(0, Math.max(size, LEAST)).fill(UNTOUCHED);
            long at = 0;
            for (Field field : fields) {
                field.put(side, argument, at);
                at += field.size();
            }
            return argument;
        }

        /** Hides what differs between the kernels by its nature: descriptors and addresses that were left as they were. */
        private void hide(byte[] before, byte[] after) {
            int from = 0;
            for (Field field : fields) {
                int to = Math.min(from + field.size(), after.length);
                if (field.differs() && Arrays.equals(before, from, to, after, from, to)) {
                    Arrays.fill(after, from, to, (byte) 0);
                }
                from = to;
            }
            Masks.hide(this, after);
        }

        @Override
        public boolean overwrites(Side side) {
            return into >= 0 && side.isOpen(into);
        }

        @Override
        public String toString() {
            String arguments = fields.stream().map(Field::toString).collect(Collectors.joining(", "));
            if (into < 0) {
                return "ioctl(%s, %s%s%s)".formatted(slot(fd), name(request), fields.isEmpty() ? "" : ", ", arguments);
            }
            return request == VFIO_GROUP_GET_DEVICE_FD()
                    ? "getDevice(%d, %s, %s)".formatted(into, slot(fd), arguments)
                    : "ioctlInto(%d, %s, %s, %s)".formatted(into, slot(fd), name(request), arguments);
        }
    }

    /** Leaves two numbers in the program's memory. */
    record Put(long offset, long first, long second) implements Step {
        @Override
        public Outcome run(Side side) {
            MemorySegment at = side.memory(Region.RAM, offset, 2L * Long.BYTES);
            at.set(ValueLayout.JAVA_LONG, 0, first);
            at.set(ValueLayout.JAVA_LONG, Long.BYTES, second);
            return Outcome.of(0);
        }

        @Override
        public String toString() {
            return "put(0x%xL, 0x%xL, 0x%xL)".formatted(offset, first, second);
        }
    }

    /** An ioctl whose struct lies at the end of the program's memory: only its first bytes are there. */
    record Cut(int bytes, IoctlStruct call) implements Step {
        private static final int EFAULT = 14;

        @Override
        public Outcome run(Side side) {
            MemorySegment argument = side.memory(Region.HOLE, Region.PAGE - bytes, bytes)
                    .copyFrom(call.make(side).asSlice(0, bytes));
            byte[] before = argument.toArray(ValueLayout.JAVA_BYTE);
            long result = side.calls.ioctl(side.frame, side.descriptor(call.fd), call.request, argument.address());
            if (result == -EFAULT) {
                return Outcome.of(result); // how much was written before that is not told
            }
            byte[] after = argument.toArray(ValueLayout.JAVA_BYTE);
            call.hide(before, after);
            return new Outcome(result, after);
        }

        @Override
        public String toString() {
            return "cut(%d, %s)".formatted(bytes, call);
        }
    }

    /** mmap of an open file. */
    record Map(int into, int fd, long length, int prot, int flags, long offset) implements Step {
        @Override
        public Outcome run(Side side) {
            long address = side.calls.mmap(side.frame, length, prot, flags, side.descriptor(fd), offset);
            return side.mapped(into, address, length);
        }

        @Override
        public boolean overwrites(Side side) {
            return side.mapping(into) != 0;
        }

        @Override
        public String toString() {
            return "map(%d, %s, 0x%xL, %d, %d, 0x%xL)".formatted(into, slot(fd), length, prot, flags, offset);
        }
    }

    /** munmap of what was mapped into a slot. */
    record Unmap(int mapping) implements Step {
        @Override
        public Outcome run(Side side) {
            return Outcome.of(side.unmap(mapping));
        }

        @Override
        public String toString() {
            return "unmap(" + mapping + ")";
        }
    }

    /** read, or pread from an offset. */
    record Read(int fd, int size, long offset) implements Step {
        /** No offset: read. */
        static final long AT_POSITION = Long.MIN_VALUE;

        @Override
        public Outcome run(Side side) {
            MemorySegment target = side.buffer.asSlice(0, size).fill((byte) 0xa5);
            int descriptor = side.descriptor(fd);
            long result = offset == AT_POSITION
                    ? side.calls.read(side.frame, descriptor, target)
                    : side.calls.pread(side.frame, descriptor, target, offset);
            byte[] read = target.toArray(ValueLayout.JAVA_BYTE);
            Masks.hide(this, read);
            if (offset == AT_POSITION && side.administrator != null && side.administrator.asked()) {
                Arrays.fill(read, (byte) 0); // a request is repeated every ten seconds
            }
            return new Outcome(result, read);
        }

        @Override
        public String toString() {
            return offset == AT_POSITION
                    ? "read(%s, %d)".formatted(slot(fd), size)
                    : "pread(%s, %d, 0x%xL)".formatted(slot(fd), size, offset);
        }
    }

    /** write, or pwrite to an offset. */
    record Write(int fd, List<Byte> bytes, long offset) implements Step {
        @Override
        public Outcome run(Side side) {
            MemorySegment source = side.buffer.asSlice(0, bytes.size());
            for (int i = 0; i < bytes.size(); i++) {
                source.set(ValueLayout.JAVA_BYTE, i, bytes.get(i));
            }
            int descriptor = side.descriptor(fd);
            return Outcome.of(
                    offset == Read.AT_POSITION
                            ? side.calls.write(side.frame, descriptor, source)
                            : side.calls.pwrite(side.frame, descriptor, source, offset));
        }

        @Override
        public String toString() {
            byte[] raw = new byte[bytes.size()];
            for (int i = 0; i < raw.length; i++) {
                raw[i] = bytes.get(i);
            }
            String hex = HexFormat.of().formatHex(raw);
            return offset == Read.AT_POSITION
                    ? "write(%s, \"%s\")".formatted(slot(fd), hex)
                    : "pwrite(%s, \"%s\", 0x%xL)".formatted(slot(fd), hex, offset);
        }
    }

    /** eventfd; it never blocks. */
    record Event(int into, int initial, int flags) implements Step {
        @Override
        public Outcome run(Side side) {
            return side.opened(into, side.calls.eventfd(side.frame, initial, flags | Syscalls.EFD_NONBLOCK));
        }

        @Override
        public boolean overwrites(Side side) {
            return side.isOpen(into);
        }

        @Override
        public String toString() {
            return "eventfd(%d, %d, 0x%x)".formatted(into, initial, flags);
        }
    }

    /** memfd_create, and memory for it. */
    record Memfd(int into, long bytes) implements Step {
        @Override
        public Outcome run(Side side) {
            int fd = side.calls.memfdCreate(side.frame, "vfio4j", Syscalls.MFD_CLOEXEC);
            if (fd >= 0 && side.calls.fallocate(side.frame, fd, 0, bytes) < 0) {
                throw new AssertionError("no memory");
            }
            return side.opened(into, fd);
        }

        @Override
        public boolean overwrites(Side side) {
            return side.isOpen(into);
        }

        @Override
        public String toString() {
            return "memfd(%d, 0x%xL)".formatted(into, bytes);
        }
    }

    /** IOMMU_FAULT_QUEUE_ALLOC, which tells the queue's number and file in its struct. */
    record MakeFaultQueue(int into, int iommufd, int flags) implements Step {
        @Override
        public Outcome run(Side side) {
            MemorySegment alloc = side.buffer.asSlice(0, iommu_fault_alloc.sizeof()).fill((byte) 0xa5);
            iommu_fault_alloc.size(alloc, (int) iommu_fault_alloc.sizeof());
            iommu_fault_alloc.flags(alloc, flags);
            int result = side.calls.ioctl(side.frame, side.descriptor(iommufd), IOMMU_FAULT_QUEUE_ALLOC(), alloc);
            if (result < 0) {
                return Outcome.of(result);
            }
            Outcome opened = side.opened(into, iommu_fault_alloc.out_fault_fd(alloc));
            return opened.result() < 0 ? opened : Outcome.of(iommu_fault_alloc.out_fault_id(alloc));
        }

        @Override
        public boolean overwrites(Side side) {
            return side.isOpen(into);
        }

        @Override
        public String toString() {
            return "makeFaultQueue(%d, %s, %d)".formatted(into, slot(iommufd), flags);
        }
    }

    /** KVM_CREATE_VM. */
    record MakeVm(int into, int kvm) implements Step {
        @Override
        public Outcome run(Side side) {
            return side.opened(into, side.calls.ioctl(side.frame, side.descriptor(kvm), KVM_CREATE_VM(), 0L));
        }

        @Override
        public boolean overwrites(Side side) {
            return side.isOpen(into);
        }

        @Override
        public String toString() {
            return "makeVm(%d, %s)".formatted(into, slot(kvm));
        }
    }

    /** KVM_CREATE_DEVICE: the virtual machine's VFIO device, or another type's. */
    record MakeVmDevice(int into, int vm, int type, int flags) implements Step {
        @Override
        public Outcome run(Side side) {
            MemorySegment create = side.buffer.asSlice(0, kvm_create_device.sizeof()).fill((byte) 0xa5);
            kvm_create_device.type(create, type);
            kvm_create_device.flags(create, flags);
            int result = side.calls.ioctl(side.frame, side.descriptor(vm), (int) KVM_CREATE_DEVICE(), create);
            boolean made = result == 0 && (flags & KVM_CREATE_DEVICE_TEST()) == 0;
            return made ? side.opened(into, kvm_create_device.fd(create)) : Outcome.of(result);
        }

        @Override
        public boolean overwrites(Side side) {
            return side.isOpen(into);
        }

        @Override
        public String toString() {
            return "makeVmDevice(%d, %s, %d, %d)".formatted(into, slot(vm), type, flags);
        }
    }

    /** KVM_SET_DEVICE_ATTR (or KVM_HAS_DEVICE_ATTR) of a VFIO device: adds a file, or takes it away. */
    record VmAttribute(int vfio, boolean set, int group, long attribute, int fd) implements Step {
        private static final long DESCRIPTOR = Region.RAM.bytes() - Region.PAGE;

        @Override
        public Outcome run(Side side) {
            MemorySegment named = side.memory(Region.RAM, DESCRIPTOR, Integer.BYTES);
            named.set(ValueLayout.JAVA_INT, 0, side.descriptor(fd));
            MemorySegment attr = side.buffer.asSlice(0, kvm_device_attr.sizeof()).fill((byte) 0);
            kvm_device_attr.group(attr, group);
            kvm_device_attr.attr(attr, attribute);
            kvm_device_attr.addr(attr, named.address());
            long request = set ? KVM_SET_DEVICE_ATTR() : KVM_HAS_DEVICE_ATTR();
            return Outcome.of(side.calls.ioctl(side.frame, side.descriptor(vfio), (int) request, attr));
        }

        @Override
        public String toString() {
            return "vmAttribute(%s, %b, %d, %d, %s)".formatted(slot(vfio), set, group, attribute, slot(fd));
        }
    }

    /** One more descriptor of the same open file. */
    record Dup(int into, int fd) implements Step {
        @Override
        public Outcome run(Side side) {
            return side.opened(into, side.calls.dup(side.frame, side.descriptor(fd)));
        }

        @Override
        public boolean overwrites(Side side) {
            return side.isOpen(into);
        }

        @Override
        public String toString() {
            return "dup(%d, %s)".formatted(into, slot(fd));
        }
    }

    /** Gives the other process a descriptor of the same open file (SCM_RIGHTS), which goes into a slot there. */
    record Pass(int into, int fd) implements Step {
        @Override
        public Outcome run(Side side) {
            Outcome sent = side.run(new Send(fd));
            return sent.result() < 0 ? sent : side.second.run(new Receive(into));
        }

        @Override
        public boolean overwrites(Side side) {
            return side.second.isOpen(into);
        }

        @Override
        public String toString() {
            return "pass(%d, %s)".formatted(into, slot(fd));
        }
    }

    /** The one half of passing a descriptor. */
    record Send(int fd) implements Step {
        @Override
        public Outcome run(Side side) {
            MemorySegment one = side.buffer.asSlice(0, 1);
            return Outcome.of(side.calls.sendmsg(side.frame, side.socket, one, new int[] {side.descriptor(fd)}));
        }
    }

    /** The other half. */
    record Receive(int into) implements Step {
        @Override
        public Outcome run(Side side) {
            int[] descriptor = {NEGATIVE};
            long result = side.calls.recvmsg(side.frame, side.socket, side.buffer.asSlice(0, 1), descriptor);
            return result < 0 ? Outcome.of(result) : side.opened(into, descriptor[0]);
        }
    }

    /** Root writes an attribute of sysfs. */
    record Attribute(String path, String text) implements Step {
        @Override
        public Outcome run(Side side) {
            return Outcome.of(side.administrator.write(path, text));
        }

        /** What is written about a device that is being unbound waits, too. */
        @Override
        public boolean overwrites(Side side) {
            return side.administrator.isUnbinding(text) || side.administrator.isUnbinding(function());
        }

        /** Whose attribute it is. */
        private String function() {
            String[] names = path.split("/");
            return names[names.length - 2];
        }

        @Override
        public String toString() {
            return "sysfs(\"%s\", %s)".formatted(path, quoted(text));
        }
    }

    /** Root looks which driver a function has. */
    record DriverOf(String address) implements Step {
        @Override
        public Outcome run(Side side) {
            return side.administrator.driver(address);
        }

        @Override
        public boolean overwrites(Side side) {
            return side.administrator.isUnbinding(address);
        }

        @Override
        public String toString() {
            return "driverOf(\"" + address + "\")";
        }
    }

    /** Opens or binds a mediated device and resets it: the kernel's samples keep their state from the last time. */
    record Fresh(int device, Step opening) implements Step {
        @Override
        public Outcome run(Side side) {
            Outcome opened = opening.run(side);
            if (opened.result() >= 0) {
                side.calls.ioctl(side.frame, side.descriptor(device), VFIO_DEVICE_RESET(), 0);
            }
            return opened;
        }

        @Override
        public boolean overwrites(Side side) {
            return opening.overwrites(side);
        }

        @Override
        public String toString() {
            return "fresh(%d, %s)".formatted(device, opening);
        }
    }

    /** Reads a register, and compares it unlike what else regions hold. */
    record Register(int fd, long offset, int size) implements Step {
        @Override
        public Outcome run(Side side) {
            MemorySegment target = side.buffer.asSlice(0, size).fill((byte) 0xa5);
            long result = side.calls.pread(side.frame, side.descriptor(fd), target, offset);
            return new Outcome(result, target.toArray(ValueLayout.JAVA_BYTE));
        }

        @Override
        public String toString() {
            return "register(%s, 0x%xL, %d)".formatted(slot(fd), offset, size);
        }
    }

    /** VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, which tells the file of the state in its struct. 1 if there is one. */
    record MigrationState(int into, int device, int argsz, int flags, int state) implements Step {
        private static final int SIZE = 16;
        private static final int STATE = 8;
        private static final int FILE = 12;
        private static final int UNTOUCHED = 77;

        @Override
        public Outcome run(Side side) {
            MemorySegment feature = side.buffer.asSlice(0, SIZE);
            feature.set(ValueLayout.JAVA_INT, 0, argsz);
            feature.set(ValueLayout.JAVA_INT, 4, flags | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE());
            feature.set(ValueLayout.JAVA_INT, STATE, state);
            feature.set(ValueLayout.JAVA_INT, FILE, UNTOUCHED);
            int result = side.calls.ioctl(side.frame, side.descriptor(device), VFIO_DEVICE_FEATURE(), feature);
            int file = feature.get(ValueLayout.JAVA_INT, FILE);
            boolean opened = result == 0 && file >= 0 && (flags & VFIO_DEVICE_FEATURE_PROBE()) == 0 && argsz >= SIZE;
            if (opened) {
                side.opened(into, file);
                feature.set(ValueLayout.JAVA_INT, FILE, 0);
            }
            return new Outcome(opened ? 1 : result, feature.toArray(ValueLayout.JAVA_BYTE));
        }

        @Override
        public boolean overwrites(Side side) {
            return side.isOpen(into);
        }

        @Override
        public String toString() {
            return "migrationState(%d, %s, %d, 0x%x, %d)".formatted(into, slot(device), argsz, flags, state);
        }
    }

    /**
     * Goes on writing a state of mtty where the last such step ended, so that each byte comes to its place whatever was left
     * out: the driver takes what it is given, and uses it as indexes.
     */
    record WriteState(int fd, MttyState state, int size) implements Step {
        private static final int EFAULT = 14;

        @Override
        public Outcome run(Side side) {
            byte[] all = Arrays.copyOf(state.bytes(), Math.max(side.written(fd) + size, MttyState.BYTES));
            MemorySegment source = side.buffer.asSlice(0, size).copyFrom(MemorySegment.ofArray(all).asSlice(side.written(fd), size));
            long result = side.calls.write(side.frame, side.descriptor(fd), source);
            if (result >= 0 || result == -EFAULT) { // that of another device is refused when it is there
                side.wrote(fd, size);
            }
            return Outcome.of(result);
        }

        @Override
        public String toString() {
            return "writeState(%s, %s, %d)".formatted(slot(fd), state, size);
        }
    }

    /** VFIO_DEVICE_QUERY_GFX_PLANE. The kernel's sample makes a picture when it is first asked for, and says ENOMEM then. */
    record QueryPlane(IoctlStruct call) implements Step {
        private static final int ENOMEM = 12;
        private static final int DMABUF_ID = (int) vfio_device_gfx_plane_info.dmabuf_id$offset();

        @Override
        public Outcome run(Side side) {
            Outcome first = call.run(side);
            Outcome answer = first.result() == -ENOMEM ? call.run(side) : first;
            if (answer.result() == 0) {
                side.picture = ByteBuffer.wrap(answer.written()).order(ByteOrder.nativeOrder()).getInt(DMABUF_ID);
            }
            return answer;
        }

        @Override
        public String toString() {
            return "queryPlane(" + call + ")";
        }
    }

    /**
     * VFIO_DEVICE_GET_GFX_DMABUF of the picture that was told last. Each is opened once: the kernel's sample gives the same
     * file away twice, and counts it once.
     */
    record OpenPicture(int into, int device) implements Step {
        private static final int NONE = 0x7fff_ffff;

        @Override
        public Outcome run(Side side) {
            int picture = side.picturesOpened.add(side.picture) ? side.picture : NONE;
            MemorySegment id = side.buffer.asSlice(0, Integer.BYTES);
            id.set(ValueLayout.JAVA_INT, 0, picture);
            return side.opened(into, side.calls.ioctl(side.frame, side.descriptor(device), VFIO_DEVICE_GET_GFX_DMABUF(), id));
        }

        @Override
        public boolean overwrites(Side side) {
            return side.isOpen(into);
        }

        @Override
        public String toString() {
            return "openPicture(%d, %s)".formatted(into, slot(device));
        }
    }

    /** A step of the second process. */
    record Second(Step step) implements Step {
        @Override
        public Outcome run(Side side) {
            if (step instanceof Pass(int into, int fd)) {
                Outcome sent = side.second.run(new Send(fd));
                return sent.result() < 0 ? sent : side.run(new Receive(into));
            }
            return side.second.run(step);
        }

        @Override
        public boolean overwrites(Side side) {
            return step instanceof Pass(int into, int fd) ? side.isOpen(into) : side.second.overwrites(step);
        }

        @Override
        public String toString() {
            return "second(" + step + ")";
        }
    }

    // ---- the words that sequences are written in

    static Step open(int into, String path) {
        return new Open(into, path);
    }

    static Step close(int fd) {
        return new Close(fd);
    }

    static Step stat(String path) {
        return new Stat(NEGATIVE, path);
    }

    static Step stat(int fd) {
        return new Stat(fd, "");
    }

    static Step ioctl(int fd, int request, long value) {
        return new Ioctl(fd, request, value);
    }

    static Step ioctl(int fd, int request, Field... fields) {
        return new IoctlStruct(NEGATIVE, fd, request, List.of(fields));
    }

    static Step getDevice(int into, int group, Field... name) {
        return new IoctlStruct(into, group, VFIO_GROUP_GET_DEVICE_FD(), List.of(name));
    }

    /** An ioctl whose result is a new descriptor. */
    static Step ioctlInto(int into, int fd, int request, Field... fields) {
        return new IoctlStruct(into, fd, request, List.of(fields));
    }

    static Step put(long offset, long first, long second) {
        return new Put(offset, first, second);
    }

    static Step cut(int bytes, Step ioctl) {
        return new Cut(bytes, (IoctlStruct) ioctl);
    }

    static Step map(int into, int fd, long length, int prot, int flags, long offset) {
        return new Map(into, fd, length, prot, flags, offset);
    }

    static Step unmap(int mapping) {
        return new Unmap(mapping);
    }

    static Step read(int fd, int size) {
        return new Read(fd, size, Read.AT_POSITION);
    }

    static Step pread(int fd, int size, long offset) {
        return new Read(fd, size, offset);
    }

    static Step write(int fd, String hex) {
        return pwrite(fd, hex, Read.AT_POSITION);
    }

    static Step pwrite(int fd, String hex, long offset) {
        byte[] raw = HexFormat.of().parseHex(hex);
        Byte[] bytes = new Byte[raw.length];
        Arrays.setAll(bytes, i -> raw[i]);
        return new Write(fd, List.of(bytes), offset);
    }

    static Step eventfd(int into, int initial, int flags) {
        return new Event(into, initial, flags);
    }

    static Step memfd(int into, long bytes) {
        return new Memfd(into, bytes);
    }

    static Step fresh(int device, Step opening) {
        return new Fresh(device, opening);
    }

    static Step register(int fd, long offset, int size) {
        return new Register(fd, offset, size);
    }

    static Step migrationState(int into, int device, int argsz, int flags, int state) {
        return new MigrationState(into, device, argsz, flags, state);
    }

    static Step writeState(int fd, MttyState state, int size) {
        return new WriteState(fd, state, size);
    }

    static Step queryPlane(Step ioctl) {
        return new QueryPlane((IoctlStruct) ioctl);
    }

    static Step openPicture(int into, int device) {
        return new OpenPicture(into, device);
    }

    static Step makeFaultQueue(int into, int iommufd, int flags) {
        return new MakeFaultQueue(into, iommufd, flags);
    }

    static Step makeVm(int into, int kvm) {
        return new MakeVm(into, kvm);
    }

    static Step makeVmDevice(int into, int vm, int type, int flags) {
        return new MakeVmDevice(into, vm, type, flags);
    }

    static Step vmAttribute(int vfio, boolean set, int group, long attribute, int fd) {
        return new VmAttribute(vfio, set, group, attribute, fd);
    }

    static Step dup(int into, int fd) {
        return new Dup(into, fd);
    }

    static Step pass(int into, int fd) {
        return new Pass(into, fd);
    }

    static Step sysfs(String path, String text) {
        return new Attribute(path, text);
    }

    static Step override(String function, String driver) {
        return sysfs("/sys/bus/pci/devices/" + function + "/driver_override", driver);
    }

    static Step bind(String driver, String function) {
        return sysfs("/sys/bus/pci/drivers/" + driver + "/bind", function);
    }

    static Step unbind(String driver, String function) {
        return sysfs("/sys/bus/pci/drivers/" + driver + "/unbind", function);
    }

    static Step probe(String function) {
        return sysfs("/sys/bus/pci/drivers_probe", function);
    }

    static Step driverOf(String function) {
        return new DriverOf(function);
    }

    static Step second(Step step) {
        return new Second(step);
    }

    static Field u32(int value) {
        return new Field.U32(value);
    }

    static Field u64(long value) {
        return new Field.U64(value);
    }

    static Field fd(int slot) {
        return new Field.Descriptor(slot);
    }

    static Field address(Region region, long offset) {
        return new Field.Address(region, offset);
    }

    static Field inBar(int mapping, long offset) {
        return new Field.InBar(mapping, offset);
    }

    static Field bitmap(long offset, int fill) {
        return new Field.Bitmap(offset, fill);
    }

    static Field text(String text) {
        return new Field.Text(text);
    }

    /** A string as Java writes it; a long one of one character as what makes it. */
    static String quoted(String text) {
        return text.length() > 100 && text.chars().distinct().count() == 1
                ? "\"%c\".repeat(%d)".formatted(text.charAt(0), text.length())
                : "\"" + text.replace("\n", "\\n").replace("\t", "\\t") + "\"";
    }

    static String slot(int fd) {
        return switch (fd) {
            case NEGATIVE -> "NEGATIVE";
            case NOT_OPEN -> "NOT_OPEN";
            default -> Integer.toString(fd);
        };
    }

    /** A number's name. Several kinds of file share numbers; a container's names come first. */
    private static String name(int request) {
        String name = Names.OF.get(request);
        return name == null ? "0x" + Integer.toHexString(request) : name + "()";
    }

    /** The names of the ioctls. */
    final class Names {
        static final java.util.Map<Integer, String> OF = java.util.Map.ofEntries(
                java.util.Map.entry(VFIO_GET_API_VERSION(), "VFIO_GET_API_VERSION"),
                java.util.Map.entry(VFIO_CHECK_EXTENSION(), "VFIO_CHECK_EXTENSION"),
                java.util.Map.entry(VFIO_SET_IOMMU(), "VFIO_SET_IOMMU"),
                java.util.Map.entry(VFIO_GROUP_GET_STATUS(), "VFIO_GROUP_GET_STATUS"),
                java.util.Map.entry(VFIO_GROUP_SET_CONTAINER(), "VFIO_GROUP_SET_CONTAINER"),
                java.util.Map.entry(VFIO_GROUP_UNSET_CONTAINER(), "VFIO_GROUP_UNSET_CONTAINER"),
                java.util.Map.entry(VFIO_GROUP_GET_DEVICE_FD(), "VFIO_GROUP_GET_DEVICE_FD"),
                java.util.Map.entry(VFIO_DEVICE_GET_INFO(), "VFIO_DEVICE_GET_INFO"),
                java.util.Map.entry(VFIO_DEVICE_GET_REGION_INFO(), "VFIO_DEVICE_GET_REGION_INFO"),
                java.util.Map.entry(VFIO_DEVICE_GET_IRQ_INFO(), "VFIO_DEVICE_GET_IRQ_INFO"),
                java.util.Map.entry(VFIO_DEVICE_SET_IRQS(), "VFIO_DEVICE_SET_IRQS"),
                java.util.Map.entry(VFIO_DEVICE_RESET(), "VFIO_DEVICE_RESET"),
                java.util.Map.entry(VFIO_DEVICE_IOEVENTFD(), "VFIO_DEVICE_IOEVENTFD"),
                java.util.Map.entry(VFIO_DEVICE_BIND_IOMMUFD(), "VFIO_DEVICE_BIND_IOMMUFD"),
                java.util.Map.entry(IOMMU_IOAS_MAP_FILE(), "IOMMU_IOAS_MAP_FILE"),
                java.util.Map.entry(VFIO_IOMMU_GET_INFO(), "VFIO_IOMMU_GET_INFO"),
                java.util.Map.entry(VFIO_IOMMU_MAP_DMA(), "VFIO_IOMMU_MAP_DMA"),
                java.util.Map.entry(VFIO_IOMMU_UNMAP_DMA(), "VFIO_IOMMU_UNMAP_DMA"),
                java.util.Map.entry(VFIO_IOMMU_DIRTY_PAGES(), "VFIO_IOMMU_DIRTY_PAGES"));

        private Names() {}
    }
}
