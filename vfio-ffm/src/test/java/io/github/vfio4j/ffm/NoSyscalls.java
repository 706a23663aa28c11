package io.github.vfio4j.ffm;

import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;

/** A kernel that has no system call; a test overrides those that it is about. */
class NoSyscalls implements Syscalls {
    private static final int ENOSYS = 38;

    @Override
    public int open(Frame frame, String path, int flags) {
        return -ENOSYS;
    }

    @Override
    public int close(Frame frame, int fd) {
        return -ENOSYS;
    }

    @Override
    public int statx(Frame frame, int fd, String path, int flags) {
        return -ENOSYS;
    }

    @Override
    public int access(Frame frame, String path, int mode) {
        return -ENOSYS;
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, long value) {
        return -ENOSYS;
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, MemorySegment argument) {
        return -ENOSYS;
    }

    @Override
    public long mmap(Frame frame, long length, int prot, int flags, int fd, long offset) {
        return -ENOSYS;
    }

    @Override
    public int munmap(Frame frame, long address, long length) {
        return -ENOSYS;
    }

    @Override
    public int vacate(Frame frame, long address, long length) {
        return -ENOSYS;
    }

    @Override
    public void giveBack(long address, long length) {}

    @Override
    public long read(Frame frame, int fd, MemorySegment target) {
        return -ENOSYS;
    }

    @Override
    public long write(Frame frame, int fd, MemorySegment source) {
        return -ENOSYS;
    }

    @Override
    public long pread(Frame frame, int fd, MemorySegment target, long offset) {
        return -ENOSYS;
    }

    @Override
    public long pwrite(Frame frame, int fd, MemorySegment source, long offset) {
        return -ENOSYS;
    }

    @Override
    public int memfdCreate(Frame frame, String name, int flags) {
        return -ENOSYS;
    }

    @Override
    public int fallocate(Frame frame, int fd, long offset, long length) {
        return -ENOSYS;
    }

    @Override
    public int addSeals(Frame frame, int fd, int seals) {
        return -ENOSYS;
    }

    @Override
    public int seals(Frame frame, int fd) {
        return -ENOSYS;
    }

    @Override
    public int eventfd(Frame frame, int initial, int flags) {
        return -ENOSYS;
    }

    @Override
    public int epollCreate(Frame frame, int flags) {
        return -ENOSYS;
    }

    @Override
    public int epollCtl(Frame frame, int epoll, int operation, int fd, MemorySegment event) {
        return -ENOSYS;
    }

    @Override
    public int epollWait(Frame frame, int epoll, MemorySegment events, int most, int millis) {
        return -ENOSYS;
    }

    @Override
    public int dup(Frame frame, int fd) {
        return -ENOSYS;
    }

    @Override
    public int unlink(Frame frame, String path) {
        return -ENOSYS;
    }

    @Override
    public int socketpair(Frame frame, int type) {
        return -ENOSYS;
    }

    @Override
    public int socket(Frame frame, int type) {
        return -ENOSYS;
    }

    @Override
    public int bind(Frame frame, int socket, String address) {
        return -ENOSYS;
    }

    @Override
    public int listen(Frame frame, int socket, int backlog) {
        return -ENOSYS;
    }

    @Override
    public int accept(Frame frame, int socket) {
        return -ENOSYS;
    }

    @Override
    public int connect(Frame frame, int socket, String address) {
        return -ENOSYS;
    }

    @Override
    public int shutdown(Frame frame, int socket) {
        return -ENOSYS;
    }

    @Override
    public long sendmsg(Frame frame, int socket, MemorySegment data, int[] descriptors) {
        return -ENOSYS;
    }

    @Override
    public long recvmsg(Frame frame, int socket, MemorySegment data, int[] descriptors) {
        return -ENOSYS;
    }
}
