package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Container;
import io.github.vfio4j.Contract;
import io.github.vfio4j.Group;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.ffm.gen.vfio_h;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A process of this machine's kernel that has one VFIO device besides: eventfd and epoll are Linux's own, VFIO's ioctls
 * agree to everything. SET_IRQS keeps the eventfds that it is given and signals them when an interrupt is triggered.
 */
final class FakeDeviceProcess extends NoSyscalls {
    static final int VECTORS = 200;

    private final Syscalls linux = Syscalls.linux();
    private final int[] eventfds = new int[VECTORS];
    private int nextFile = 1_000_000; // no descriptor of Linux

    /** Opens the device, whose index 2 is MSI-X. */
    Device open(Vfio vfio) {
        Container container = vfio.openContainer();
        Group group = vfio.openGroup(1);
        container.attach(group);
        return container.setIommu(IommuType.TYPE1_V2).openDevice(group, PciAddress.parse("0000:00:05.0"));
    }

    Vfio vfio() {
        FfmKernel kernel = new FfmKernel("fake", this, new SysFs() {
            @Override
            public String read(String path) throws Failure {
                throw new Failure(Errno.ENOENT.number(), path);
            }

            @Override
            public List<String> list(String path) throws Failure {
                throw new Failure(Errno.ENOENT.number(), path);
            }

            @Override
            public String readLink(String path) throws Failure {
                throw new Failure(Errno.ENOENT.number(), path);
            }

            @Override
            public void write(String path, String text) throws Failure {
                throw new Failure(Errno.ENOENT.number(), path);
            }
        }, Notes.linux());
        return Vfio.on(kernel, Contract.STRICT);
    }

    @Override
    public int open(Frame frame, String path, int flags) {
        return nextFile++;
    }

    @Override
    public int statx(Frame frame, int fd, String path, int flags) {
        return 0;
    }

    @Override
    public int close(Frame frame, int fd) {
        return fd >= 1_000_000 ? 0 : linux.close(frame, fd);
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, long value) {
        return request == vfio_h.VFIO_CHECK_EXTENSION() ? 1 : 0;
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, MemorySegment argument) {
        if (request == vfio_h.VFIO_GROUP_GET_DEVICE_FD()) {
            return nextFile++;
        } else if (request == vfio_h.VFIO_GROUP_GET_STATUS()) {
            argument.set(JAVA_INT, 4, vfio_h.VFIO_GROUP_FLAGS_VIABLE() | vfio_h.VFIO_GROUP_FLAGS_CONTAINER_SET());
        } else if (request == vfio_h.VFIO_DEVICE_GET_INFO()) {
            argument.set(JAVA_INT, 4, vfio_h.VFIO_DEVICE_FLAGS_PCI());
            argument.set(JAVA_INT, 8, 9);
            argument.set(JAVA_INT, 12, 5);
        } else if (request == vfio_h.VFIO_DEVICE_GET_IRQ_INFO()) {
            argument.set(JAVA_INT, 4, vfio_h.VFIO_IRQ_INFO_EVENTFD());
            argument.set(JAVA_INT, 12, argument.get(JAVA_INT, 8) == vfio_h.VFIO_PCI_MSIX_IRQ_INDEX() ? VECTORS : 1);
        } else if (request == vfio_h.VFIO_DEVICE_SET_IRQS()) {
            setIrqs(frame, argument);
        }
        return 0;
    }

    private synchronized void setIrqs(Frame frame, MemorySegment set) {
        int flags = set.get(JAVA_INT, 4);
        int start = set.get(JAVA_INT, 12);
        for (int i = 0; i < set.get(JAVA_INT, 16); i++) {
            if ((flags & vfio_h.VFIO_IRQ_SET_DATA_EVENTFD()) != 0) {
                eventfds[start + i] = set.get(JAVA_INT, 20 + 4L * i);
            } else if ((flags & vfio_h.VFIO_IRQ_SET_DATA_NONE()) != 0 || set.get(JAVA_BYTE, 20L + i) != 0) {
                signal(frame, start + i);
            }
        }
    }

    private void signal(Frame frame, int vector) {
        try (Arena arena = Arena.ofConfined()) {
            long written = linux.write(frame, eventfds[vector], arena.allocateFrom(JAVA_LONG, 1));
            if (written != Long.BYTES) {
                throw new AssertionError("eventfd " + eventfds[vector] + " took " + written);
            }
        }
    }

    @Override
    public long read(Frame frame, int fd, MemorySegment target) {
        return linux.read(frame, fd, target);
    }

    @Override
    public long write(Frame frame, int fd, MemorySegment source) {
        return linux.write(frame, fd, source);
    }

    @Override
    public int eventfd(Frame frame, int initial, int flags) {
        return linux.eventfd(frame, initial, flags);
    }

    @Override
    public int epollCreate(Frame frame, int flags) {
        return linux.epollCreate(frame, flags);
    }

    @Override
    public int epollCtl(Frame frame, int epoll, int operation, int fd, MemorySegment event) {
        return linux.epollCtl(frame, epoll, operation, fd, event);
    }

    @Override
    public int epollWait(Frame frame, int epoll, MemorySegment events, int most, int millis) {
        return linux.epollWait(frame, epoll, events, most, millis);
    }
}
