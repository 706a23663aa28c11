package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.ffm.port.UnixAddress;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.DmaFilePort;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.HandoverPort;
import io.github.vfio4j.spi.IommufdPort;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;

/**
 * A connected Unix socket. A message is a text, {@code group 26}, {@code device NAME}, {@code memory} or {@code iommufd}, and
 * one descriptor.
 */
final class FfmHandover implements HandoverPort {
    private static final String GROUP = "group ";
    private static final String DEVICE = "device ";
    private static final String MEMORY = "memory";
    private static final String IOMMUFD = "iommufd";
    private static final int LONGEST_TEXT = 256;
    private static final int MSG_TRUNC = 0x20;
    private static final int S_IFMT = 0xf000;
    private static final int S_IFCHR = 0x2000;
    private static final long TEXT = 8; // where in a frame; what recvmsg tells comes before

    private final Fd fd;

    FfmHandover(Fd fd) {
        this.fd = fd;
    }

    static FfmHandover connect(Syscalls syscalls, String address) {
        UnixAddress.check(address);
        Operation operation = Operation.HANDOVER_CONNECT;
        Frame frame = new Frame();
        int number = syscalls.socket(frame, Syscalls.SOCK_SEQPACKET);
        Fd fd = Fd.opened(operation, syscalls, frame, number, "socket " + address);
        try {
            fd.check(operation, syscalls.connect(frame, number, address));
            return new FfmHandover(fd);
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    @Override
    public void send(GroupPort group, String name) {
        send(((FfmGroup) group).fd, GROUP + name);
    }

    @Override
    public void send(DevicePort device, String name) {
        send(((FfmDevice) device).fd, DEVICE + name);
    }

    @Override
    public void send(DmaFilePort file) {
        send(((FfmDmaFile) file).fd, MEMORY);
    }

    @Override
    public void send(IommufdPort iommufd) {
        send(((FfmIommufd) iommufd).fd, IOMMUFD);
    }

    private void send(Fd file, String text) {
        Operation operation = Operation.HANDOVER_SEND;
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        file.hold(operation);
        try {
            Frame frame = fd.begin(operation);
            try {
                MemorySegment data = frame.arg.asSlice(TEXT, bytes.length);
                MemorySegment.copy(MemorySegment.ofArray(bytes), 0, data, 0, bytes.length);
                fd.check(operation, fd.syscalls.sendmsg(frame, fd.number, data, new int[] {file.number}));
            } finally {
                fd.end(frame);
            }
        } finally {
            file.release();
        }
    }

    @Override
    public Received<GroupPort> receiveGroup() {
        return receive(GROUP, this::group);
    }

    @Override
    public Received<DevicePort> receiveDevice() {
        return receive(DEVICE, this::device);
    }

    @Override
    public DmaFilePort receiveDmaFile() {
        return receive(MEMORY, this::memory).port();
    }

    @Override
    public IommufdPort receiveIommufd() {
        return receive(IOMMUFD, this::iommufd).port();
    }

    /** Takes a message of a kind. Whatever else comes is closed. */
    private <P> Received<P> receive(String kind, Function<Fd, P> open) {
        Operation operation = Operation.HANDOVER_RECEIVE;
        Frame frame = fd.begin(operation);
        try {
            int[] files = new int[2]; // a second one is too many, and must not be missed
            MemorySegment data = frame.arg.asSlice(TEXT, LONGEST_TEXT);
            long bytes;
            do {
                bytes = fd.syscalls.recvmsg(frame, fd.number, data, files);
            } while (bytes == -Errno.EINTR.number());
            fd.check(operation, bytes);
            int number = frame.arg.get(ValueLayout.JAVA_INT, 0);
            int flags = frame.arg.get(ValueLayout.JAVA_INT, 4);
            if (bytes == 0 && number == 0) {
                throw new VfioException(operation, Errno.ECONNRESET, fd.subject());
            }
            String text = new String(data.asSlice(0, bytes).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
            boolean whole = (flags & (MSG_TRUNC | Syscalls.MSG_CTRUNC)) == 0;
            if (!whole || number != 1 || !text.startsWith(kind)) {
                for (int i = 0; i < number; i++) {
                    fd.syscalls.close(frame, files[i]);
                }
                throw unexpected(kind, "%d%s descriptors and '%s'".formatted(number, whole ? "" : " or more", text));
            }
            Fd file = new Fd(fd.syscalls, files[0], text);
            try {
                return new Received<>(text.substring(kind.length()), open.apply(file));
            } catch (RuntimeException e) {
                file.close();
                throw e;
            }
        } finally {
            fd.end(frame);
        }
    }

    /** A group is a character device that knows its state, and the node that the text names if that is here. */
    private FfmGroup group(Fd file) {
        String number = file.subject().substring(GROUP.length());
        if (!number.matches("[0-9]{1,9}")) {
            throw unexpected(GROUP, "one descriptor and '" + file.subject() + "'");
        }
        Statx stat = Statx.of(file.syscalls, file.number, "", Syscalls.AT_EMPTY_PATH);
        FfmGroup group = new FfmGroup(file, stat.deviceNumber());
        boolean isGroup = (stat.mode() & S_IFMT) == S_IFCHR;
        try {
            if (isGroup) {
                group.status();
            }
        } catch (VfioException e) {
            isGroup = e.errno().equals(Errno.ENODEV); // its devices are gone
        }
        if (!isGroup) {
            throw unexpected(GROUP, "a file that is no VFIO group, as '" + file.subject() + "'");
        }
        Statx node = Statx.of(file.syscalls, Syscalls.AT_FDCWD, "/dev/vfio/" + number, 0);
        if (node.errno() == 0 && node.deviceNumber() != stat.deviceNumber()) {
            throw unexpected(GROUP, "another group than /dev/vfio/" + number);
        }
        return group;
    }

    /** Memory keeps its size. */
    private FfmDmaFile memory(Fd file) {
        return FfmDmaFile.received(file)
                .orElseThrow(() -> unexpected(MEMORY, "a file that is no memory of a sealed size, as '" + file.subject() + "'"));
    }

    /** An iommufd knows that it has no address space 0. */
    private FfmIommufd iommufd(Fd file) {
        FfmIommufd iommufd = new FfmIommufd(file);
        try {
            iommufd.info(0);
        } catch (VfioException e) {
            if (e.errno().equals(Errno.ENOENT)) {
                return iommufd;
            }
        }
        throw unexpected(IOMMUFD, "a file that is no iommufd, as '" + file.subject() + "'");
    }

    /** A device tells what it has. */
    private FfmDevice device(Fd file) {
        FfmDevice device = new FfmDevice(file);
        try {
            device.info();
            return device;
        } catch (VfioException e) {
            if (e.errno().equals(Errno.ENOTTY) || e.errno().equals(Errno.EINVAL)) {
                throw unexpected(DEVICE, "a file that is no VFIO device, as '" + file.subject() + "'");
            }
            throw e;
        }
    }

    private VfioException unexpected(String kind, String came) {
        return new VfioException(
                Operation.HANDOVER_RECEIVE,
                Errno.EBADMSG,
                "%s: expected one descriptor and '%s...', and %s came".formatted(fd.subject(), kind, came));
    }

    @Override
    public void close() {
        fd.wakeSocket();
        fd.close();
    }
}
