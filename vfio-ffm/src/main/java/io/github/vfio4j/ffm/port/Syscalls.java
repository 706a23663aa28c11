package io.github.vfio4j.ffm.port;

import java.lang.foreign.MemorySegment;

/**
 * The system calls of one process. Every method returns what the kernel returned, or {@code -errno}. Arguments are the
 * kernel's own: the same numbers, the same bytes. All methods are safe from any thread, as long as no two calls in
 * flight share a {@link Frame}. Nothing is retried here, {@code EINTR} comes back like any other errno.
 */
public interface Syscalls {
    /** {@code O_RDWR}. */
    int O_RDWR = 2;
    /** {@code W_OK}. */
    int W_OK = 2;
    /** {@code R_OK}. */
    int R_OK = 4;
    /** {@code O_CLOEXEC}. */
    int O_CLOEXEC = 0x80000;
    /** {@code AT_FDCWD}. */
    int AT_FDCWD = -100;
    /** {@code AT_EMPTY_PATH}. */
    int AT_EMPTY_PATH = 0x1000;
    /** {@code STATX_TYPE}. */
    int STATX_TYPE = 1;
    /** {@code PROT_READ}. */
    int PROT_READ = 1;
    /** {@code PROT_WRITE}. */
    int PROT_WRITE = 2;
    /** {@code MAP_SHARED}. */
    int MAP_SHARED = 1;
    /** {@code MAP_PRIVATE}. */
    int MAP_PRIVATE = 2;
    /** {@code MAP_ANONYMOUS}. */
    int MAP_ANONYMOUS = 0x20;
    /** Of mmap: huge pages that are reserved. */
    int MAP_HUGETLB = 0x40000;
    /** Of mmap: where the flags have the size of huge pages, as a power of two. */
    int MAP_HUGE_SHIFT = 26;
    /** {@code MFD_CLOEXEC}. */
    int MFD_CLOEXEC = 1;
    /** Of memfd_create: huge pages; their size stands where mmap has it. */
    int MFD_HUGETLB = 4;
    /** Of memfd_create, since Linux 6.3: memory alone, never a program; the file can be sealed. */
    int MFD_NOEXEC_SEAL = 8;
    /** {@code F_SEAL_SEAL}: no more seals. */
    int F_SEAL_SEAL = 1;
    /** {@code F_SEAL_SHRINK}. */
    int F_SEAL_SHRINK = 2;
    /** {@code F_SEAL_GROW}. */
    int F_SEAL_GROW = 4;
    /** {@code EFD_CLOEXEC}. */
    int EFD_CLOEXEC = 0x80000;
    /** {@code EFD_NONBLOCK}. */
    int EFD_NONBLOCK = 0x800;
    /** {@code EPOLL_CLOEXEC}. */
    int EPOLL_CLOEXEC = 0x80000;
    /** {@code EPOLL_CTL_ADD}. */
    int EPOLL_CTL_ADD = 1;
    /** {@code EPOLL_CTL_DEL}. */
    int EPOLL_CTL_DEL = 2;
    /** {@code EPOLLIN}. */
    int EPOLLIN = 1;
    /** {@code SOCK_SEQPACKET}: a connection that keeps the bounds of messages. */
    int SOCK_SEQPACKET = 5;
    /** {@code MSG_CTRUNC}: a message carried more than there was room for. */
    int MSG_CTRUNC = 8;

    /**
     * Returns the system calls of this process on Linux.
     *
     * @return the one instance
     */
    static Syscalls linux() {
        return LinuxSyscalls.INSTANCE;
    }

    /**
     * Asks the C library for the size of this machine's pages.
     *
     * @return bytes
     */
    static long linuxPageSize() {
        return LinuxSyscalls.pageSize();
    }

    /**
     * open(2) without a mode.
     *
     * @param frame memory of this call
     * @param path the path
     * @param flags {@code O_...}
     * @return a descriptor or -errno
     */
    int open(Frame frame, String path, int flags);

    /**
     * close(2).
     *
     * @param frame memory of this call
     * @param fd the descriptor, which is gone whatever this returns
     * @return 0 or -errno
     */
    int close(Frame frame, int fd);

    /**
     * statx(2). Its struct is the same on every architecture: stx_blksize at 4, stx_mode at 28,
     * stx_size at 40, stx_rdev_major at 128, stx_rdev_minor at 132.
     *
     * @param frame memory of this call; the answer, 256 bytes, is put in {@link Frame#arg}
     * @param fd a directory, {@link #AT_FDCWD}, or the file itself with {@link #AT_EMPTY_PATH} and an empty path
     * @param path the path
     * @param flags {@code AT_...}
     * @return 0 or -errno
     */
    int statx(Frame frame, int fd, String path, int flags);

    /**
     * {@code faccessat(AT_FDCWD, path, mode, AT_EACCESS)}: do the file's permissions let this process open it?
     *
     * @param frame for errno
     * @param path the file
     * @param mode {@link #R_OK}, {@link #W_OK} or both
     * @return 0 or -errno
     */
    int access(Frame frame, String path, int mode);

    /**
     * ioctl(2) with an argument by value, or none (0).
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @param request the number
     * @param value the argument
     * @return 0 or more, or -errno
     */
    int ioctl(Frame frame, int fd, int request, long value);

    /**
     * ioctl(2) with a pointer to a struct.
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @param request the number
     * @param argument native memory, often {@link Frame#arg}; the kernel may read and write all of it
     * @return 0 or more, or -errno
     */
    int ioctl(Frame frame, int fd, int request, MemorySegment argument);

    /**
     * mmap(2) at an address of the kernel's choice.
     *
     * @param frame memory of this call
     * @param length bytes
     * @param prot {@code PROT_...}
     * @param flags {@code MAP_...}
     * @param fd the file, -1 for anonymous memory
     * @param offset where in the file, a multiple of the page size
     * @return the address, or -errno (-4095 to -1)
     */
    long mmap(Frame frame, long length, int prot, int flags, int fd, long offset);

    /**
     * munmap(2).
     *
     * @param frame memory of this call
     * @param address what mmap returned
     * @param length bytes
     * @return 0 or -errno
     */
    int munmap(Frame frame, long address, long length);

    /**
     * mmap(2) of anonymous memory that reserves no swap ({@code MAP_NORESERVE}) in the place of what is mapped
     * ({@code MAP_FIXED}). The kernel does it in one step: no access finds nothing there.
     *
     * @param frame memory of this call
     * @param address what mmap returned
     * @param length bytes
     * @return 0 or -errno
     */
    int vacate(Frame frame, long address, long length);

    /**
     * munmap(2) of what {@link #vacate} put there. Comes at any time, from a thread that has nobody to tell of a failure.
     *
     * @param address what mmap returned
     * @param length bytes
     */
    void giveBack(long address, long length);

    /**
     * read(2).
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @param target native memory to fill
     * @return bytes read or -errno
     */
    long read(Frame frame, int fd, MemorySegment target);

    /**
     * write(2).
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @param source native memory to write
     * @return bytes written or -errno
     */
    long write(Frame frame, int fd, MemorySegment source);

    /**
     * pread(2).
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @param target native memory to fill
     * @param offset where in the file
     * @return bytes read or -errno
     */
    long pread(Frame frame, int fd, MemorySegment target, long offset);

    /**
     * pwrite(2).
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @param source native memory to write
     * @param offset where in the file
     * @return bytes written or -errno
     */
    long pwrite(Frame frame, int fd, MemorySegment source, long offset);

    /**
     * memfd_create(2).
     *
     * @param frame memory of this call
     * @param name what people see of it
     * @param flags {@code MFD_...}
     * @return a descriptor or -errno
     */
    int memfdCreate(Frame frame, String name, int flags);

    /**
     * fallocate(2) without a mode: the file has memory for all bytes up to here.
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @param offset where to begin
     * @param length bytes
     * @return 0 or -errno
     */
    int fallocate(Frame frame, int fd, long offset, long length);

    /**
     * fcntl(2) with {@code F_ADD_SEALS}.
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @param seals {@code F_SEAL_...}
     * @return 0 or -errno
     */
    int addSeals(Frame frame, int fd, int seals);

    /**
     * fcntl(2) with {@code F_GET_SEALS}.
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @return {@code F_SEAL_...} or -errno
     */
    int seals(Frame frame, int fd);

    /**
     * eventfd(2).
     *
     * @param frame memory of this call
     * @param initial the counter's first value
     * @param flags {@code EFD_...}
     * @return a descriptor or -errno
     */
    int eventfd(Frame frame, int initial, int flags);

    /**
     * epoll_create1(2).
     *
     * @param frame memory of this call
     * @param flags {@code EPOLL_CLOEXEC} or 0
     * @return a descriptor or -errno
     */
    int epollCreate(Frame frame, int flags);

    /**
     * epoll_ctl(2).
     *
     * @param frame memory of this call
     * @param epoll the epoll descriptor
     * @param operation {@code EPOLL_CTL_...}
     * @param fd the descriptor to wait for
     * @param event an {@link EpollEvent}, often at the start of {@link Frame#arg}; not read for a removal
     * @return 0 or -errno
     */
    int epollCtl(Frame frame, int epoll, int operation, int fd, MemorySegment event);

    /**
     * epoll_wait(2). Not ended by {@link Thread#interrupt}.
     *
     * @param frame memory of this call
     * @param epoll the epoll descriptor
     * @param events room for at least {@code most} times an {@link EpollEvent}, often {@link Frame#arg}
     * @param most how many events to return at most, at least 1
     * @param millis how long to wait for the first; 0 does not wait, -1 waits without limit
     * @return how many events there are, 0 after the time, or -errno
     */
    int epollWait(Frame frame, int epoll, MemorySegment events, int most, int millis);

    /**
     * fcntl(2) with {@code F_DUPFD_CLOEXEC}: one more descriptor of the same open file.
     *
     * @param frame memory of this call
     * @param fd the descriptor
     * @return the new descriptor or -errno
     */
    int dup(Frame frame, int fd);

    /**
     * unlink(2).
     *
     * @param frame memory of this call
     * @param path the path
     * @return 0 or -errno
     */
    int unlink(Frame frame, String path);

    /**
     * socketpair(2) of {@code AF_UNIX}, close-on-exec.
     *
     * @param frame memory of this call; the two descriptors are put in {@link Frame#arg}, at 0 and 4
     * @param type {@code SOCK_...}
     * @return 0 or -errno
     */
    int socketpair(Frame frame, int type);

    /**
     * socket(2) of {@code AF_UNIX}, close-on-exec.
     *
     * @param frame memory of this call
     * @param type {@code SOCK_...}
     * @return a descriptor or -errno
     */
    int socket(Frame frame, int type);

    /**
     * bind(2) of a Unix socket.
     *
     * @param frame memory of this call
     * @param socket the descriptor
     * @param address as {@link UnixAddress} takes it
     * @return 0 or -errno
     */
    int bind(Frame frame, int socket, String address);

    /**
     * listen(2).
     *
     * @param frame memory of this call
     * @param socket the descriptor
     * @param backlog how many connections may wait for {@link #accept}
     * @return 0 or -errno
     */
    int listen(Frame frame, int socket, int backlog);

    /**
     * accept4(2), close-on-exec. Waits for a connection.
     *
     * @param frame memory of this call
     * @param socket the descriptor
     * @return the connection's descriptor or -errno
     */
    int accept(Frame frame, int socket);

    /**
     * connect(2) of a Unix socket.
     *
     * @param frame memory of this call
     * @param socket the descriptor
     * @param address as {@link UnixAddress} takes it
     * @return 0 or -errno
     */
    int connect(Frame frame, int socket, String address);

    /**
     * shutdown(2) of both directions: who waits in {@link #accept} or {@link #recvmsg} returns.
     *
     * @param frame memory of this call
     * @param socket the descriptor
     * @return 0 or -errno
     */
    int shutdown(Frame frame, int socket);

    /**
     * sendmsg(2) with {@code MSG_NOSIGNAL} and {@code MSG_DONTWAIT}: bytes, and copies of descriptors ({@code SCM_RIGHTS}).
     * The open files are kept by the message until it is received or the receiving socket is gone.
     *
     * @param frame memory of this call
     * @param socket the descriptor
     * @param data native memory to send
     * @param descriptors what to send along
     * @return bytes sent or -errno
     */
    long sendmsg(Frame frame, int socket, MemorySegment data, int[] descriptors);

    /**
     * recvmsg(2) with {@code MSG_CMSG_CLOEXEC}. Waits for a message.
     *
     * @param frame memory of this call; the number of descriptors that came along is put in {@link Frame#arg} at 0,
     *     {@code msg_flags} at 4 (with {@link #MSG_CTRUNC} if there were more than fit; these are closed)
     * @param socket the descriptor
     * @param data native memory to fill
     * @param descriptors is filled with the new descriptors, which are open also when this method returns 0
     * @return bytes received, 0 when the other end is closed, or -errno
     */
    long recvmsg(Frame frame, int socket, MemorySegment data, int[] descriptors);
}
