package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_GET_INFO;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_GET_IRQ_INFO;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_GET_REGION_INFO;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_IOEVENTFD;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_RESET;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_INFO_AUTOMASKED;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_INFO_EVENTFD;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_INFO_MASKABLE;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_IRQ_INFO_NORESIZE;

import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.IrqInfo;
import io.github.vfio4j.Operation;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.ffm.gen.vfio_device_ioeventfd;
import io.github.vfio4j.ffm.gen.vfio_irq_info;
import io.github.vfio4j.ffm.gen.vfio_region_info;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.FeaturePort;
import io.github.vfio4j.spi.GraphicsPort;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.HotResetInfo;
import io.github.vfio4j.spi.IommufdPort;
import io.github.vfio4j.spi.IrqAction;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.UUID;

/** A device file: its ioctls, its reads and writes, its mappings. */
final class FfmDevice implements DevicePort {
    final Fd fd;

    FfmDevice(Fd fd) {
        this.fd = fd;
    }

    @Override
    public int bind(IommufdPort iommufd, UUID vfToken) {
        return DeviceBinding.bind(fd, ((FfmIommufd) iommufd).fd, vfToken);
    }

    @Override
    public void attach(int pageTable) {
        DeviceBinding.attach(fd, pageTable);
    }

    @Override
    public void detach() {
        DeviceBinding.detach(fd);
    }

    @Override
    public void attachPasid(int pasid, int pageTable) {
        DeviceBinding.attachPasid(fd, pasid, pageTable);
    }

    @Override
    public void detachPasid(int pasid) {
        DeviceBinding.detachPasid(fd, pasid);
    }

    @Override
    public DeviceInfo info() {
        return Info.ask(
                fd, Operation.DEVICE_GET_INFO, VFIO_DEVICE_GET_INFO(), _ -> {}, DeviceInfoDecoder::decode);
    }

    @Override
    public RegionInfo regionInfo(int index) {
        return Info.ask(
                fd,
                Operation.DEVICE_GET_REGION_INFO,
                VFIO_DEVICE_GET_REGION_INFO(),
                vfio_region_info.sizeof(),
                question -> vfio_region_info.index(question, index),
                RegionInfoDecoder::decode);
    }

    @Override
    public IrqInfo irqInfo(int index) {
        return Info.ask(
                fd,
                Operation.DEVICE_GET_IRQ_INFO,
                VFIO_DEVICE_GET_IRQ_INFO(),
                question -> vfio_irq_info.index(question, index),
                answer -> {
                    int flags = vfio_irq_info.flags(answer);
                    return new IrqInfo(
                            index,
                            vfio_irq_info.count(answer),
                            (flags & VFIO_IRQ_INFO_EVENTFD()) != 0,
                            (flags & VFIO_IRQ_INFO_MASKABLE()) != 0,
                            (flags & VFIO_IRQ_INFO_AUTOMASKED()) != 0,
                            (flags & VFIO_IRQ_INFO_NORESIZE()) != 0);
                });
    }

    @Override
    public void setIrqs(int index, IrqAction action, int start, int count) {
        new IrqSet(fd, index, action, start).none(count);
    }

    @Override
    public void setIrqs(int index, IrqAction action, int start, boolean[] chosen) {
        new IrqSet(fd, index, action, start).bools(chosen);
    }

    @Override
    public int setIrqs(int index, IrqAction action, int start, EventPort[] events) {
        return new IrqSet(fd, index, action, start).events(events);
    }

    @Override
    public void reset() {
        fd.ioctl(Operation.DEVICE_RESET, VFIO_DEVICE_RESET(), 0);
    }

    @Override
    public HotResetInfo hotResetInfo() {
        return HotReset.info(fd);
    }

    @Override
    public void hotReset(List<GroupPort> groups) {
        HotReset.reset(fd, groups);
    }

    @Override
    public void ioEventFd(long offset, int width, long value, EventPort event) {
        Fd eventFd = event == null ? null : ((FfmEvent) event).fd;
        if (eventFd != null) {
            eventFd.hold(Operation.IOEVENTFD);
        }
        try {
            Frame frame = fd.begin(Operation.IOEVENTFD);
            try {
                MemorySegment set = frame.arg;
                vfio_device_ioeventfd.argsz(set, (int) vfio_device_ioeventfd.sizeof());
                vfio_device_ioeventfd.flags(set, width); // VFIO_DEVICE_IOEVENTFD_8 and so on are the bytes
                vfio_device_ioeventfd.offset(set, offset);
                vfio_device_ioeventfd.data(set, value);
                vfio_device_ioeventfd.fd(set, eventFd == null ? -1 : eventFd.number);
                vfio_device_ioeventfd.reserved(set, 0);
                fd.ioctl(Operation.IOEVENTFD, frame, VFIO_DEVICE_IOEVENTFD());
            } finally {
                fd.end(frame);
            }
        } finally {
            if (eventFd != null) {
                eventFd.release();
            }
        }
    }

    @Override
    public FeaturePort features() {
        return new FfmFeatures(fd);
    }

    @Override
    public GraphicsPort graphics() {
        return new FfmGraphics(fd);
    }

    @Override
    public long read(long offset, MemorySegment target) {
        Frame frame = fd.begin(Operation.REGION_READ);
        try {
            long result;
            do {
                result = fd.syscalls.pread(frame, fd.number, target, offset);
            } while (Fd.interrupted(result));
            return fd.check(Operation.REGION_READ, result);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long write(long offset, MemorySegment source) {
        Frame frame = fd.begin(Operation.REGION_WRITE);
        try {
            long result;
            do {
                result = fd.syscalls.pwrite(frame, fd.number, source, offset);
            } while (Fd.interrupted(result));
            return fd.check(Operation.REGION_WRITE, result);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long map(long offset, long size, boolean writable) {
        Frame frame = fd.begin(Operation.REGION_MAP);
        try {
            int prot = Syscalls.PROT_READ | (writable ? Syscalls.PROT_WRITE : 0);
            return fd.check(
                    Operation.REGION_MAP,
                    fd.syscalls.mmap(frame, size, prot, Syscalls.MAP_SHARED, fd.number, offset));
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void unmap(long address, long size) {
        Frame frame = fd.begin(Operation.REGION_UNMAP);
        try {
            fd.check(Operation.REGION_UNMAP, fd.syscalls.vacate(frame, address, size));
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
