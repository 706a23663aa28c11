package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.ffm.port.EpollEvent;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.ffm.port.UnixAddress;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/** The system calls of one simulated process. A dead process gets ESRCH from all of them. */
final class SimSyscalls implements Syscalls {
    private static final int MAP_TYPE = 0x0f;
    private static final int MAP_SHARED_VALIDATE = 3;
    private static final int PROT_EXEC = 4;
    private static final long ADDRESS_SPACE = (1L << 47) - Memory.PAGE; // TASK_SIZE of x86-64
    private static final int STATX_BYTES = 256;
    private static final int S_IFDIR = 0x4000;

    private final SimProcess process;
    private final KernelLock kernel;
    private final DeviceNodes nodes;

    SimSyscalls(SimProcess process, KernelLock kernel, DeviceNodes nodes) {
        this.process = process;
        this.kernel = kernel;
        this.nodes = nodes;
    }

    @Override
    public int open(Frame frame, String path, int flags) {
        return (int) locked(() -> {
            if (!process.files().hasFree()) { // taken before the path is looked at
                throw new KernelError(Errno.EMFILE);
            }
            return process.files().add(nodes.open(process, path));
        });
    }

    @Override
    public int close(Frame frame, int fd) {
        return (int) locked(() -> {
            kernel.put(process.files().remove(fd));
            return 0;
        });
    }

    @Override
    public int statx(Frame frame, int fd, String path, int flags) {
        return (int) locked(() -> {
            int mode = 0;
            long size = 0;
            int blockSize = 0;
            DeviceNumber number = DeviceNumber.NONE;
            if (!path.isEmpty()) {
                if (!path.startsWith("/") && fd != AT_FDCWD) {
                    process.files().get(fd);
                    throw new KernelError(Errno.ENOTDIR);
                }
                DeviceNodes.Stat stat = nodes.stat(path);
                mode = stat.mode();
                number = stat.number();
            } else if ((flags & AT_EMPTY_PATH) == 0) {
                throw new KernelError(Errno.ENOENT);
            } else if (fd == AT_FDCWD) {
                mode = S_IFDIR;
            } else {
                SimFile file = process.files().get(fd);
                number = file.deviceNumber();
                mode = file.mode();
                size = file.size();
                blockSize = file.blockSize();
            }
            MemorySegment statx = frame.arg.asSlice(0, STATX_BYTES).fill((byte) 0);
            statx.set(ValueLayout.JAVA_INT, 0, STATX_TYPE); // stx_mask
            statx.set(ValueLayout.JAVA_INT, 4, blockSize); // stx_blksize
            statx.set(ValueLayout.JAVA_SHORT, 28, (short) mode); // stx_mode
            statx.set(ValueLayout.JAVA_LONG, 40, size); // stx_size
            statx.set(ValueLayout.JAVA_INT, 128, number.major()); // stx_rdev_major
            statx.set(ValueLayout.JAVA_INT, 132, number.minor()); // stx_rdev_minor
            return 0;
        });
    }

    @Override
    public int access(Frame frame, String path, int mode) {
        return (int) locked(() -> {
            nodes.checkAccess(process, path);
            return 0;
        });
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, long value) {
        return (int) onFile(fd, file -> {
            kernel.lock();
            UserMemory argument;
            try {
                argument = new UserMemory(value, process.memory().at(value));
            } finally {
                kernel.unlock();
            }
            return file.ioctl(process, request, argument);
        });
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, MemorySegment argument) {
        UserMemory memory = UserMemory.of(argument);
        return (int) onFile(fd, file -> file.ioctl(process, request, memory));
    }

    @Override
    public long mmap(Frame frame, long length, int prot, int flags, int fd, long offset) {
        return locked(() -> {
            if (offset % Memory.PAGE != 0) {
                throw new KernelError(Errno.EINVAL);
            }
            boolean anonymous = (flags & MAP_ANONYMOUS) != 0;
            SimFile file = anonymous ? null : process.files().get(fd);
            if (length == 0) {
                throw new KernelError(Errno.EINVAL);
            }
            long size = pages(length);
            if (size <= 0 || size > ADDRESS_SPACE) { // before the file is asked
                throw new KernelError(Errno.ENOMEM);
            }
            if (!anonymous && Long.compareUnsigned(offset, -1L - size) > 0) {
                throw new KernelError(Errno.EOVERFLOW);
            }
            int type = flags & MAP_TYPE;
            boolean shared = type == MAP_SHARED || type == MAP_SHARED_VALIDATE && !anonymous;
            if (!shared && type != MAP_PRIVATE) {
                throw new KernelError(Errno.EINVAL);
            }
            if (anonymous && (flags & MAP_HUGETLB) != 0) {
                return mapHugePages(length, prot, flags);
            } else if (anonymous) {
                return process.memory().mapAnonymous(size, prot);
            }
            boolean withoutNode = file.deviceNumber().equals(DeviceNumber.NONE);
            if ((prot & PROT_EXEC) != 0 && withoutNode && !process.machine().profile().isBefore(KernelProfile.V7_2)) {
                throw new KernelError(Errno.EPERM);
            }
            return process.memory().mapFile(file.map(offset, size, prot, shared));
        });
    }

    /** Pages of 2 MiB alone may be reserved here; of those of 1 GiB there are none. */
    private long mapHugePages(long length, int prot, int flags) {
        long page = 1L << (flags >>> MAP_HUGE_SHIFT);
        if (page != 1L << 21 && page != 1L << 30) {
            throw new KernelError(Errno.EINVAL);
        }
        SimMachine machine = process.machine();
        long number = (length + page - 1) / page;
        if (page != SimMachine.HUGE_PAGE || !machine.takeHugePages(number)) {
            throw new KernelError(Errno.ENOMEM);
        }
        try {
            return process.memory().mapAnonymous(
                    number * page,
                    prot,
                    () -> Memory.ofHugePages(number * page, page, () -> machine.giveHugePages(number)));
        } catch (KernelError e) { // there was no memory to make them of
            machine.giveHugePages(number);
            throw e;
        }
    }

    @Override
    public int munmap(Frame frame, long address, long length) {
        return (int) locked(() -> {
            long size = pages(length);
            if (address % Memory.PAGE != 0 || size <= 0 || address < 0 || address + size < 0) {
                throw new KernelError(Errno.EINVAL);
            }
            if (process.memory().cutsHugePage(address, size)) {
                throw new KernelError(Errno.EINVAL);
            }
            process.memory().unmap(address, size);
            return 0;
        });
    }

    @Override
    public int vacate(Frame frame, long address, long length) {
        return (int) locked(() -> {
            process.memory().vacate(address, pages(length));
            return 0;
        });
    }

    @Override
    public void giveBack(long address, long length) {
        kernel.lock();
        try {
            process.memory().giveBack(address, pages(length));
        } finally {
            kernel.unlock();
        }
    }

    @Override
    public long read(Frame frame, int fd, MemorySegment target) {
        checkNative(target);
        return onFile(fd, file -> file.read(process, target));
    }

    @Override
    public long write(Frame frame, int fd, MemorySegment source) {
        checkNative(source);
        return onFile(fd, file -> file.write(process, source));
    }

    @Override
    public long pread(Frame frame, int fd, MemorySegment target, long offset) {
        checkNative(target);
        return offset < 0 ? -Errno.EINVAL.number() : onFile(fd, file -> file.pread(target, offset));
    }

    @Override
    public long pwrite(Frame frame, int fd, MemorySegment source, long offset) {
        checkNative(source);
        return offset < 0 ? -Errno.EINVAL.number() : onFile(fd, file -> file.pwrite(source, offset));
    }

    @Override
    public int memfdCreate(Frame frame, String name, int flags) {
        return (int) locked(() -> process.files().add(MemoryFile.create(process.machine(), name, flags)));
    }

    @Override
    public int fallocate(Frame frame, int fd, long offset, long length) {
        return (int) locked(() -> {
            SimFile file = process.files().get(fd);
            if (offset < 0 || length <= 0) {
                throw new KernelError(Errno.EINVAL);
            }
            if (offset + length < 0) {
                throw new KernelError(new Errno(27)); // EFBIG
            }
            file.allocate(offset + length);
            return 0;
        });
    }

    @Override
    public int addSeals(Frame frame, int fd, int seals) {
        return (int) locked(() -> {
            process.files().get(fd).seal(seals);
            return 0;
        });
    }

    @Override
    public int seals(Frame frame, int fd) {
        return (int) locked(() -> process.files().get(fd).seals());
    }

    @Override
    public int eventfd(Frame frame, int initial, int flags) {
        return (int) locked(() -> process.files().add(EventFdFile.open(initial, flags)));
    }

    @Override
    public int epollCreate(Frame frame, int flags) {
        return (int) locked(() -> process.files().add(EpollFile.open(flags)));
    }

    @Override
    public int epollCtl(Frame frame, int epoll, int operation, int fd, MemorySegment event) {
        checkNative(event);
        return (int) locked(() -> {
            FileTable files = process.files();
            EpollFile.control(files.get(epoll), operation, fd, files.get(fd), event);
            return 0;
        });
    }

    @Override
    public int epollWait(Frame frame, int epoll, MemorySegment events, int most, int millis) {
        checkNative(events);
        return (int) onFile(epoll, file -> {
            EpollFile.checkMost(most);
            if (events.byteSize() < (long) most * EpollEvent.BYTES) {
                throw new IllegalArgumentException(events.byteSize() + " bytes for " + most + " events");
            }
            if (!(file instanceof EpollFile waits)) {
                throw new KernelError(Errno.EINVAL);
            }
            return waits.await(events, most, millis, process::dead);
        });
    }

    @Override
    public int dup(Frame frame, int fd) {
        return (int) locked(() -> {
            SimFile file = process.files().get(fd);
            int copy = process.files().add(file);
            kernel.get(file);
            return copy;
        });
    }

    @Override
    public int unlink(Frame frame, String path) {
        return (int) locked(() -> {
            if (UnixAddress.isAbstract(path) || process.machine().sockets().remove(path) == null) {
                throw new KernelError(Errno.ENOENT);
            }
            return 0;
        });
    }

    @Override
    public int socketpair(Frame frame, int type) {
        return (int) locked(() -> {
            UnixSocket one = UnixSocket.open(process.machine(), type);
            UnixSocket other = UnixSocket.open(process.machine(), type);
            int first = process.files().add(one);
            int second;
            try {
                second = process.files().add(other);
            } catch (KernelError e) {
                kernel.put(process.files().remove(first));
                throw e;
            }
            one.pair(other);
            frame.arg.set(ValueLayout.JAVA_INT, 0, first);
            frame.arg.set(ValueLayout.JAVA_INT, 4, second);
            return 0;
        });
    }

    @Override
    public int socket(Frame frame, int type) {
        return (int) locked(() -> process.files().add(UnixSocket.open(process.machine(), type)));
    }

    @Override
    public int bind(Frame frame, int socket, String address) {
        UnixAddress.check(address);
        return onSocket(socket, s -> s.bind(address));
    }

    @Override
    public int listen(Frame frame, int socket, int backlog) {
        return onSocket(socket, s -> s.listen(backlog));
    }

    @Override
    public int accept(Frame frame, int socket) {
        return (int) onFile(socket, file -> UnixSocket.of(file).accept(process));
    }

    @Override
    public int connect(Frame frame, int socket, String address) {
        UnixAddress.check(address);
        return (int) onFile(socket, file -> {
            UnixSocket.of(file).connect(process, address);
            return 0;
        });
    }

    @Override
    public int shutdown(Frame frame, int socket) {
        return onSocket(socket, UnixSocket::shutDown);
    }

    @Override
    public long sendmsg(Frame frame, int socket, MemorySegment data, int[] descriptors) {
        checkNative(data);
        return locked(() ->
                UnixSocket.of(process.files().get(socket)).send(process.files(), data, descriptors));
    }

    @Override
    public long recvmsg(Frame frame, int socket, MemorySegment data, int[] descriptors) {
        checkNative(data);
        return onFile(socket, file -> {
            UnixSocket.Arrival arrival = UnixSocket.of(file).receive(process, data, descriptors);
            frame.arg.set(ValueLayout.JAVA_INT, 0, arrival.files());
            frame.arg.set(ValueLayout.JAVA_INT, 4, arrival.flags());
            return arrival.bytes();
        });
    }

    private int onSocket(int fd, Consumer<UnixSocket> call) {
        return (int) locked(() -> {
            call.accept(UnixSocket.of(process.files().get(fd)));
            return 0;
        });
    }

    private interface FileCall {
        long on(SimFile file);
    }

    /** Calls an open file, which stays open meanwhile even if its descriptor is closed. */
    private long onFile(int fd, FileCall call) {
        try {
            SimFile file;
            kernel.lock();
            try {
                file = process.file(fd);
            } finally {
                kernel.unlock();
            }
            try {
                return call.on(file);
            } finally {
                kernel.lock();
                kernel.put(file);
                kernel.unlock(); // may release it
                kernel.lock();
                process.callEnds(file);
                kernel.unlock();
            }
        } catch (KernelError e) {
            return -e.errno();
        }
    }

    private long locked(LongSupplier call) {
        kernel.lock();
        try {
            process.checkAlive();
            return call.getAsLong();
        } catch (KernelError e) {
            return -e.errno();
        } finally {
            kernel.unlock();
        }
    }

    private static long pages(long bytes) {
        return bytes + Memory.PAGE - 1 & -Memory.PAGE;
    }

    private static void checkNative(MemorySegment buffer) {
        if (!buffer.isNative()) {
            throw new IllegalArgumentException("a kernel takes native memory, not a Java array");
        }
    }
}
