package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.ffm.gen.iommufd_h;
import io.github.vfio4j.ffm.gen.vfio_h;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Passes system calls on and writes down those that change state. Harmless probes (what a file is, what a kernel
 * offers, how a group is) are not written down.
 */
final class Recorder implements Syscalls {
    private static final Set<Integer> PROBES = Set.of(
            vfio_h.VFIO_GET_API_VERSION(),
            vfio_h.VFIO_CHECK_EXTENSION(),
            vfio_h.VFIO_GROUP_GET_STATUS(),
            vfio_h.VFIO_DEVICE_GET_INFO(),
            vfio_h.VFIO_DEVICE_GET_REGION_INFO(),
            vfio_h.VFIO_DEVICE_GET_IRQ_INFO(),
            vfio_h.VFIO_DEVICE_QUERY_GFX_PLANE(),
            vfio_h.VFIO_IOMMU_GET_INFO(),
            iommufd_h.IOMMU_IOAS_IOVA_RANGES(),
            iommufd_h.IOMMU_GET_HW_INFO());

    private final Syscalls kernel;
    private final List<String> changes = new ArrayList<>();
    private final Map<Long, Long> mappings = new TreeMap<>(); // address to length; guarded by this
    private final AtomicLong calls = new AtomicLong();

    Recorder(Syscalls kernel) {
        this.kernel = kernel;
    }

    /** Returns the calls so far that changed state or tried to. */
    synchronized List<String> changes() {
        return List.copyOf(changes);
    }

    /** Returns how many calls there were, harmless ones and all. */
    long calls() {
        return calls.get();
    }

    /** Returns what was mapped and not unmapped. */
    synchronized List<String> mappings() {
        return mappings.entrySet().stream()
                .map(mapping -> "mapped: 0x%x, %d bytes".formatted(mapping.getKey(), mapping.getValue()))
                .toList();
    }

    private synchronized void change(String call) {
        changes.add(call);
    }

    private void ioctl(int fd, int request) {
        if (!PROBES.contains(request)) {
            change("ioctl(%d, 0x%x)".formatted(fd, request));
        }
    }

    @Override
    public int open(Frame frame, String path, int flags) {
        calls.incrementAndGet();
        change("open(" + path + ")");
        return kernel.open(frame, path, flags);
    }

    @Override
    public int close(Frame frame, int fd) {
        calls.incrementAndGet();
        change("close(" + fd + ")");
        return kernel.close(frame, fd);
    }

    @Override
    public int statx(Frame frame, int fd, String path, int flags) {
        calls.incrementAndGet();
        return kernel.statx(frame, fd, path, flags);
    }

    /** Does VFIO_DEVICE_FEATURE with these flags change nothing? */
    private static boolean asks(int flags) {
        int number = flags & vfio_h.VFIO_DEVICE_FEATURE_MASK();
        boolean state = number == vfio_h.VFIO_DEVICE_FEATURE_MIGRATION()
                || number == vfio_h.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE()
                || number == vfio_h.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE();
        return (flags & vfio_h.VFIO_DEVICE_FEATURE_PROBE()) != 0
                || state && (flags & vfio_h.VFIO_DEVICE_FEATURE_GET()) != 0;
    }

    @Override
    public int access(Frame frame, String path, int mode) {
        calls.incrementAndGet();
        return kernel.access(frame, path, mode);
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, long value) {
        calls.incrementAndGet();
        ioctl(fd, request);
        return kernel.ioctl(frame, fd, request, value);
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, MemorySegment argument) {
        calls.incrementAndGet();
        boolean probe = request == vfio_h.VFIO_DEVICE_FEATURE() && asks(argument.get(ValueLayout.JAVA_INT, 4));
        if (!probe) {
            ioctl(fd, request);
        }
        return kernel.ioctl(frame, fd, request, argument);
    }

    @Override
    public long mmap(Frame frame, long length, int prot, int flags, int fd, long offset) {
        calls.incrementAndGet();
        change("mmap(" + length + ", fd " + fd + ")");
        synchronized (this) {
            long address = kernel.mmap(frame, length, prot, flags, fd, offset);
            if (address > 0) {
                mappings.put(address, length);
            }
            return address;
        }
    }

    @Override
    public int munmap(Frame frame, long address, long length) {
        calls.incrementAndGet();
        change("munmap(" + length + ")");
        synchronized (this) { // a freed address may be another mapping's at once
            int result = kernel.munmap(frame, address, length);
            if (result == 0) {
                mappings.remove(address);
            }
            return result;
        }
    }

    @Override
    public int vacate(Frame frame, long address, long length) {
        calls.incrementAndGet();
        change("vacate(" + length + ")");
        synchronized (this) {
            int result = kernel.vacate(frame, address, length);
            if (result == 0) {
                mappings.remove(address);
            }
            return result;
        }
    }

    /** Comes when the garbage collector finds that nobody can use the addresses, and changes nothing that was mapped. */
    @Override
    public void giveBack(long address, long length) {
        kernel.giveBack(address, length);
    }

    @Override
    public long read(Frame frame, int fd, MemorySegment target) {
        calls.incrementAndGet();
        change("read(" + fd + ")");
        return kernel.read(frame, fd, target);
    }

    @Override
    public long write(Frame frame, int fd, MemorySegment source) {
        calls.incrementAndGet();
        change("write(" + fd + ")");
        return kernel.write(frame, fd, source);
    }

    @Override
    public long pread(Frame frame, int fd, MemorySegment target, long offset) {
        calls.incrementAndGet();
        return kernel.pread(frame, fd, target, offset); // registers with side effects are not read by these tests
    }

    @Override
    public long pwrite(Frame frame, int fd, MemorySegment source, long offset) {
        calls.incrementAndGet();
        change("pwrite(" + fd + ")");
        return kernel.pwrite(frame, fd, source, offset);
    }

    @Override
    public int memfdCreate(Frame frame, String name, int flags) {
        calls.incrementAndGet();
        change("memfd_create()");
        return kernel.memfdCreate(frame, name, flags);
    }

    @Override
    public int fallocate(Frame frame, int fd, long offset, long length) {
        calls.incrementAndGet();
        change("fallocate(" + fd + ")");
        return kernel.fallocate(frame, fd, offset, length);
    }

    @Override
    public int addSeals(Frame frame, int fd, int seals) {
        calls.incrementAndGet();
        change("seal(" + fd + ")");
        return kernel.addSeals(frame, fd, seals);
    }

    @Override
    public int seals(Frame frame, int fd) {
        calls.incrementAndGet();
        return kernel.seals(frame, fd);
    }

    @Override
    public int eventfd(Frame frame, int initial, int flags) {
        calls.incrementAndGet();
        change("eventfd()");
        return kernel.eventfd(frame, initial, flags);
    }

    @Override
    public int epollCreate(Frame frame, int flags) {
        calls.incrementAndGet();
        change("epoll_create()");
        return kernel.epollCreate(frame, flags);
    }

    @Override
    public int epollCtl(Frame frame, int epoll, int operation, int fd, MemorySegment event) {
        calls.incrementAndGet();
        change("epoll_ctl(%d, %d, %d)".formatted(epoll, operation, fd));
        return kernel.epollCtl(frame, epoll, operation, fd, event);
    }

    @Override
    public int epollWait(Frame frame, int epoll, MemorySegment events, int most, int millis) {
        calls.incrementAndGet();
        return kernel.epollWait(frame, epoll, events, most, millis);
    }

    @Override
    public int dup(Frame frame, int fd) {
        change("dup(" + fd + ")");
        return kernel.dup(frame, fd);
    }

    @Override
    public int unlink(Frame frame, String path) {
        change("unlink(" + path + ")");
        return kernel.unlink(frame, path);
    }

    @Override
    public int socketpair(Frame frame, int type) {
        change("socketpair()");
        return kernel.socketpair(frame, type);
    }

    @Override
    public int socket(Frame frame, int type) {
        change("socket()");
        return kernel.socket(frame, type);
    }

    @Override
    public int bind(Frame frame, int socket, String address) {
        change("bind(" + address + ")");
        return kernel.bind(frame, socket, address);
    }

    @Override
    public int listen(Frame frame, int socket, int backlog) {
        change("listen(" + socket + ")");
        return kernel.listen(frame, socket, backlog);
    }

    @Override
    public int accept(Frame frame, int socket) {
        change("accept(" + socket + ")");
        return kernel.accept(frame, socket);
    }

    @Override
    public int connect(Frame frame, int socket, String address) {
        change("connect(" + address + ")");
        return kernel.connect(frame, socket, address);
    }

    @Override
    public int shutdown(Frame frame, int socket) {
        change("shutdown(" + socket + ")");
        return kernel.shutdown(frame, socket);
    }

    @Override
    public long sendmsg(Frame frame, int socket, MemorySegment data, int[] descriptors) {
        change("sendmsg(%d, %d files)".formatted(socket, descriptors.length));
        return kernel.sendmsg(frame, socket, data, descriptors);
    }

    @Override
    public long recvmsg(Frame frame, int socket, MemorySegment data, int[] descriptors) {
        change("recvmsg(" + socket + ")");
        return kernel.recvmsg(frame, socket, data, descriptors);
    }
}
