package io.github.vfio4j.ffm.port;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * System calls through libc. The handles are constants, so that the JIT compiles each call to a plain native call; errno
 * is captured in the frame. No call is {@code critical}: a critical call holds up every safepoint, and all of these may
 * block or take long.
 */
final class LinuxSyscalls implements Syscalls {
    static final Syscalls INSTANCE = new LinuxSyscalls();

    private static final VarHandle ERRNO =
            Frame.CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno")).withInvokeExactBehavior();

    // open, ioctl and fcntl are variadic from their third parameter on; some ABIs pass variadic arguments elsewhere.
    private static final MethodHandle OPEN =
            function("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle CLOSE = function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle STATX =
            function("statx", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS));
    private static final MethodHandle FACCESSAT =
            function("faccessat", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));
    private static final MethodHandle IOCTL_VALUE = function(
            "ioctl",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG),
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle IOCTL_POINTER = function(
            "ioctl",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS),
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle MMAP = function(
            "mmap",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MUNMAP =
            function("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle READ =
            function("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle WRITE =
            function("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle PREAD =
            function("pread", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle PWRITE =
            function("pwrite", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MEMFD_CREATE =
            function("memfd_create", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle FALLOCATE =
            function("fallocate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle EVENTFD =
            function("eventfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle EPOLL_CREATE =
            function("epoll_create1", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle EPOLL_CTL =
            function("epoll_ctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));
    private static final MethodHandle EPOLL_WAIT =
            function("epoll_wait", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));
    private static final MethodHandle FCNTL = function(
            "fcntl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle UNLINK = function("unlink", FunctionDescriptor.of(JAVA_INT, ADDRESS));
    private static final MethodHandle SOCKETPAIR =
            function("socketpair", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));
    private static final MethodHandle SOCKET =
            function("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle BIND =
            function("bind", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle LISTEN = function("listen", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle ACCEPT =
            function("accept4", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
    private static final MethodHandle CONNECT =
            function("connect", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle SHUTDOWN =
            function("shutdown", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle SENDMSG =
            function("sendmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle RECVMSG =
            function("recvmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));

    private static final MethodHandle SYSCONF = function("sysconf", FunctionDescriptor.of(JAVA_LONG, JAVA_INT));

    private static final int SC_PAGESIZE = 30;
    private static final int AT_EACCESS = 0x200; // by the effective ids, as open does
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_GET_SEALS = 1034;
    private static final int AF_UNIX = 1;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SHUT_RDWR = 2;
    private static final int MAP_FIXED = 0x10;
    private static final int MAP_NORESERVE = IoctlNumber.POWER ? 0x40 : 0x4000;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;

    private LinuxSyscalls() {}

    /** An ioctl's number as the kernel of this machine has it, as the unsigned long that libc takes. */
    private static long number(int request) {
        return Integer.toUnsignedLong(IoctlNumber.here(request));
    }

    static long pageSize() {
        try {
            return (long) SYSCONF.invokeExact(new Frame().errno, SC_PAGESIZE);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int open(Frame frame, String path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            int result = (int) OPEN.invokeExact(frame.errno, arena.allocateFrom(path), flags);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int close(Frame frame, int fd) {
        try {
            int result = (int) CLOSE.invokeExact(frame.errno, fd);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int statx(Frame frame, int fd, String path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            int result =
                    (int) STATX.invokeExact(frame.errno, fd, arena.allocateFrom(path), flags, STATX_TYPE, frame.arg);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int access(Frame frame, String path, int mode) {
        try (Arena arena = Arena.ofConfined()) {
            int result =
                    (int) FACCESSAT.invokeExact(frame.errno, AT_FDCWD, arena.allocateFrom(path), mode, AT_EACCESS);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, long value) {
        try {
            int result = (int) IOCTL_VALUE.invokeExact(frame.errno, fd, number(request), value);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, MemorySegment argument) {
        try {
            int result = (int) IOCTL_POINTER.invokeExact(frame.errno, fd, number(request), argument);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long mmap(Frame frame, long length, int prot, int flags, int fd, long offset) {
        try {
            long result = (long) MMAP.invokeExact(frame.errno, 0L, length, prot, flags, fd, offset);
            return result != -1 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int munmap(Frame frame, long address, long length) {
        try {
            int result = (int) MUNMAP.invokeExact(frame.errno, address, length);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int vacate(Frame frame, long address, long length) {
        try {
            long result = (long) MMAP.invokeExact(
                    frame.errno,
                    address,
                    length,
                    PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
                    -1,
                    0L);
            return result != -1 ? 0 : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public void giveBack(long address, long length) {
        munmap(new Frame(), address, length);
    }

    @Override
    public long read(Frame frame, int fd, MemorySegment target) {
        try {
            long result = (long) READ.invokeExact(frame.errno, fd, target, target.byteSize());
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long write(Frame frame, int fd, MemorySegment source) {
        try {
            long result = (long) WRITE.invokeExact(frame.errno, fd, source, source.byteSize());
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long pread(Frame frame, int fd, MemorySegment target, long offset) {
        try {
            long result = (long) PREAD.invokeExact(frame.errno, fd, target, target.byteSize(), offset);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long pwrite(Frame frame, int fd, MemorySegment source, long offset) {
        try {
            long result = (long) PWRITE.invokeExact(frame.errno, fd, source, source.byteSize(), offset);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int memfdCreate(Frame frame, String name, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            int result = (int) MEMFD_CREATE.invokeExact(frame.errno, arena.allocateFrom(name), flags);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int fallocate(Frame frame, int fd, long offset, long length) {
        try {
            int result = (int) FALLOCATE.invokeExact(frame.errno, fd, 0, offset, length);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int addSeals(Frame frame, int fd, int seals) {
        try {
            int result = (int) FCNTL.invokeExact(frame.errno, fd, F_ADD_SEALS, seals);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int seals(Frame frame, int fd) {
        try {
            int result = (int) FCNTL.invokeExact(frame.errno, fd, F_GET_SEALS, 0);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int eventfd(Frame frame, int initial, int flags) {
        try {
            int result = (int) EVENTFD.invokeExact(frame.errno, initial, flags);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int epollCreate(Frame frame, int flags) {
        try {
            int result = (int) EPOLL_CREATE.invokeExact(frame.errno, flags);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int epollCtl(Frame frame, int epoll, int operation, int fd, MemorySegment event) {
        checkRoom(event, 1);
        try {
            int result = (int) EPOLL_CTL.invokeExact(frame.errno, epoll, operation, fd, event);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int epollWait(Frame frame, int epoll, MemorySegment events, int most, int millis) {
        checkRoom(events, most);
        try {
            int result = (int) EPOLL_WAIT.invokeExact(frame.errno, epoll, events, most, millis);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int dup(Frame frame, int fd) {
        try {
            int result = (int) FCNTL.invokeExact(frame.errno, fd, F_DUPFD_CLOEXEC, 0);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int unlink(Frame frame, String path) {
        try (Arena arena = Arena.ofConfined()) {
            int result = (int) UNLINK.invokeExact(frame.errno, arena.allocateFrom(path));
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int socketpair(Frame frame, int type) {
        try {
            int result = (int) SOCKETPAIR.invokeExact(frame.errno, AF_UNIX, type | SOCK_CLOEXEC, 0, frame.arg);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int socket(Frame frame, int type) {
        try {
            int result = (int) SOCKET.invokeExact(frame.errno, AF_UNIX, type | SOCK_CLOEXEC, 0);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int bind(Frame frame, int socket, String address) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment struct = UnixAddress.encode(address, arena);
            int result = (int) BIND.invokeExact(frame.errno, socket, struct, (int) struct.byteSize());
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int listen(Frame frame, int socket, int backlog) {
        try {
            int result = (int) LISTEN.invokeExact(frame.errno, socket, backlog);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int accept(Frame frame, int socket) {
        try {
            int result = (int)
                    ACCEPT.invokeExact(frame.errno, socket, MemorySegment.NULL, MemorySegment.NULL, SOCK_CLOEXEC);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int connect(Frame frame, int socket, String address) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment struct = UnixAddress.encode(address, arena);
            int result = (int) CONNECT.invokeExact(frame.errno, socket, struct, (int) struct.byteSize());
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int shutdown(Frame frame, int socket) {
        try {
            int result = (int) SHUTDOWN.invokeExact(frame.errno, socket, SHUT_RDWR);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long sendmsg(Frame frame, int socket, MemorySegment data, int[] descriptors) {
        try (Arena arena = Arena.ofConfined()) {
            Message message = new Message(arena, data, descriptors.length);
            message.put(descriptors);
            long result = (long) SENDMSG.invokeExact(frame.errno, socket, message.header, MSG_NOSIGNAL | MSG_DONTWAIT);
            return result >= 0 ? result : -errno(frame);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long recvmsg(Frame frame, int socket, MemorySegment data, int[] descriptors) {
        try (Arena arena = Arena.ofConfined()) {
            Message message = new Message(arena, data, descriptors.length);
            long result = (long) RECVMSG.invokeExact(frame.errno, socket, message.header, MSG_CMSG_CLOEXEC);
            if (result < 0) {
                return -errno(frame);
            }
            frame.arg.set(JAVA_INT, 0, message.take(descriptors));
            frame.arg.set(JAVA_INT, 4, message.flags());
            return result;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** The structs of a message with one buffer and at most one control message (linux/socket.h, 64 bits). */
    private static final class Message {
        private static final long HEADER_BYTES = 56; // struct msghdr
        private static final long CONTROL_HEADER = 16; // struct cmsghdr
        private static final int SOL_SOCKET = 1;
        private static final int SCM_RIGHTS = 1;

        final MemorySegment header;
        private final MemorySegment control;

        Message(Arena arena, MemorySegment data, int descriptors) {
            header = arena.allocate(HEADER_BYTES, 8);
            MemorySegment vector = arena.allocate(16, 8); // struct iovec
            vector.set(ADDRESS, 0, data);
            vector.set(JAVA_LONG, 8, data.byteSize());
            header.set(ADDRESS, 16, vector); // msg_iov
            header.set(JAVA_LONG, 24, 1); // msg_iovlen
            // CMSG_LEN and not CMSG_SPACE: in the padding at the end the kernel would find room for one more.
            control = arena.allocate(CONTROL_HEADER + descriptors * 4L, 8);
            if (descriptors > 0) {
                header.set(ADDRESS, 32, control); // msg_control
                header.set(JAVA_LONG, 40, control.byteSize()); // msg_controllen
            }
        }

        void put(int[] descriptors) {
            control.set(JAVA_LONG, 0, control.byteSize()); // cmsg_len
            control.set(JAVA_INT, 8, SOL_SOCKET); // cmsg_level
            control.set(JAVA_INT, 12, SCM_RIGHTS); // cmsg_type
            MemorySegment.copy(descriptors, 0, control, JAVA_INT, CONTROL_HEADER, descriptors.length);
        }

        /** Takes the descriptors that came out of the control message; returns how many. */
        int take(int[] descriptors) {
            boolean rights = header.get(JAVA_LONG, 40) >= CONTROL_HEADER
                    && control.get(JAVA_INT, 8) == SOL_SOCKET
                    && control.get(JAVA_INT, 12) == SCM_RIGHTS;
            int number = rights ? (int) ((control.get(JAVA_LONG, 0) - CONTROL_HEADER) / 4) : 0;
            MemorySegment.copy(control, JAVA_INT, CONTROL_HEADER, descriptors, 0, number);
            return number;
        }

        int flags() {
            return header.get(JAVA_INT, 48) & ~MSG_CMSG_CLOEXEC; // msg_flags, which repeats this one
        }
    }

    /** The kernel is told a number of events and not of bytes. */
    private static void checkRoom(MemorySegment events, int number) {
        if (events.byteSize() < (long) number * EpollEvent.BYTES) {
            throw new IllegalArgumentException(events.byteSize() + " bytes for " + number + " events");
        }
    }

    private static int errno(Frame frame) {
        return (int) ERRNO.get(frame.errno, 0L);
    }

    /** A closed segment or a wrong argument is the caller's; anything else cannot happen with a libc call. */
    private static RuntimeException unexpected(Throwable t) {
        if (t instanceof RuntimeException e) {
            return e;
        }
        throw new AssertionError("a libc call threw", t);
    }

    @SuppressWarnings("restricted") // downcallHandle: the one place where native functions are bound
    private static MethodHandle function(String name, FunctionDescriptor type, Linker.Option... options) {
        Linker linker = Linker.nativeLinker();
        MemorySegment symbol = linker.defaultLookup()
                .find(name)
                .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name + "; glibc 2.28 or newer is needed"));
        Linker.Option[] all = new Linker.Option[options.length + 1];
        System.arraycopy(options, 0, all, 0, options.length);
        all[options.length] = Linker.Option.captureCallState("errno");
        return linker.downcallHandle(symbol, type, all);
    }
}
