package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.ffm.gen.vfio_device_info;
import io.github.vfio4j.ffm.gen.vfio_region_info;
import java.lang.foreign.MemorySegment;

/** An open mediated device, as the kernel's sample drivers answer. */
final class EmulatedDeviceFile extends SimFile {
    private static final int REGION_SHIFT = 40;

    private final EmulatedDevice device;

    EmulatedDeviceFile(EmulatedDevice device) {
        this.device = device;
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        if (request == VFIO_DEVICE_BIND_IOMMUFD()) {
            return CdevFile.refuse(device.machine(), argument);
        }
        if (request == VFIO_DEVICE_GET_INFO()) {
            return getInfo(argument);
        }
        if (request == VFIO_DEVICE_GET_REGION_INFO()) {
            return getRegionInfo(argument);
        }
        if (request == VFIO_DEVICE_GET_IRQ_INFO()) {
            return device.interrupts.info(argument);
        }
        if (request == VFIO_DEVICE_SET_IRQS()) {
            device.machine().kernel().lock();
            try {
                return device.interrupts.set(caller, argument);
            } finally {
                device.machine().kernel().unlock();
            }
        }
        if (request == VFIO_DEVICE_FEATURE()) {
            device.lock.lock();
            try {
                return device.migration().call(caller, argument);
            } finally {
                device.lock.unlock();
            }
        }
        if (request == VFIO_DEVICE_RESET()) { // which its flags do not promise
            device.lock.lock();
            try {
                device.migration().reset();
                return 0;
            } finally {
                device.lock.unlock();
            }
        }
        throw new KernelError(Errno.ENOTTY);
    }

    private int getInfo(UserMemory argument) {
        long capOffset = vfio_device_info.cap_offset$offset();
        InfoStruct info = new InfoStruct(argument, vfio_device_info.layout(), capOffset);
        vfio_device_info.flags(info.fields, VFIO_DEVICE_FLAGS_PCI());
        vfio_device_info.num_regions(info.fields, VFIO_PCI_NUM_REGIONS());
        vfio_device_info.num_irqs(info.fields, device.interrupts.infoGiven());
        info.write();
        return 0;
    }

    private int getRegionInfo(UserMemory argument) {
        InfoStruct info = new InfoStruct(argument, vfio_region_info.layout());
        int index = vfio_region_info.index(info.fields);
        if (index < 0 || index >= VFIO_PCI_NUM_REGIONS()) {
            throw new KernelError(Errno.EINVAL);
        }
        vfio_region_info.flags(info.fields, VFIO_REGION_INFO_FLAG_READ() | VFIO_REGION_INFO_FLAG_WRITE());
        vfio_region_info.size(info.fields, device.model.size(index));
        vfio_region_info.offset(info.fields, (long) index << REGION_SHIFT);
        info.write();
        return 0;
    }

    @Override
    long pread(MemorySegment target, long offset) {
        return access(target, offset, false);
    }

    @Override
    long pwrite(MemorySegment source, long offset) {
        return access(source, offset, true);
    }

    private long access(MemorySegment buffer, long fileOffset, boolean write) {
        int index = (int) (fileOffset >>> REGION_SHIFT);
        long start = fileOffset & (1L << REGION_SHIFT) - 1;
        long bytes = buffer.byteSize();
        long size = index < VFIO_PCI_NUM_REGIONS() ? device.model.size(index) : 0;
        if (start > size || bytes > size - start) {
            throw new KernelError(Errno.EFAULT);
        }
        device.lock.lock();
        try {
            int width;
            for (long done = 0; done < bytes; done += width) {
                long at = start + done;
                width = Integer.BYTES;
                while (width > bytes - done || at % width != 0) {
                    width /= 2;
                }
                MemorySegment part = buffer.asSlice(done, width);
                if (write) {
                    device.model.write(index, at, width, SharedAccess.get(part));
                } else {
                    SharedAccess.put(part, device.model.read(index, at, width));
                }
            }
            return bytes;
        } finally {
            device.lock.unlock();
        }
    }

    @Override
    void release() {
        device.close();
    }

    @Override
    public String toString() {
        return "device " + device.name;
    }
}
