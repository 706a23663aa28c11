package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.ffm.gen.vfio_device_info;
import io.github.vfio4j.ffm.gen.vfio_info_cap_header;
import io.github.vfio4j.ffm.gen.vfio_region_info;
import io.github.vfio4j.ffm.gen.vfio_region_info_cap_type;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** An open mediated device, as the kernel's sample drivers answer. */
final class EmulatedDeviceFile extends SimFile {
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
        if (request == VFIO_DEVICE_QUERY_GFX_PLANE() || request == VFIO_DEVICE_GET_GFX_DMABUF()) {
            device.lock.lock();
            try {
                return request == VFIO_DEVICE_QUERY_GFX_PLANE()
                        ? device.screen().query(argument)
                        : device.screen().openDmaBuf(caller, argument, device.name);
            } finally {
                device.lock.unlock();
            }
        }
        if (request == VFIO_DEVICE_RESET()) { // which its flags do not promise
            device.lock.lock();
            try {
                device.reset();
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
        vfio_device_info.num_regions(info.fields, device.model.regions());
        vfio_device_info.num_irqs(info.fields, device.interrupts.infoGiven());
        info.write();
        return 0;
    }

    private int getRegionInfo(UserMemory argument) {
        InfoStruct info = new InfoStruct(argument, vfio_region_info.layout());
        int index = vfio_region_info.index(info.fields);
        MediatedModel model = device.model;
        if (!model.hasRegion(index)) {
            throw new KernelError(Errno.EINVAL);
        }
        int flags = VFIO_REGION_INFO_FLAG_READ() | VFIO_REGION_INFO_FLAG_WRITE();
        if (model.mappable(index)) {
            flags |= VFIO_REGION_INFO_FLAG_MMAP();
        }
        vfio_region_info.size(info.fields, model.size(index));
        vfio_region_info.offset(info.fields, model.offset(index));
        Optional<RegionInfo.Type> type = model.type(index);
        if (type.isEmpty()) {
            vfio_region_info.flags(info.fields, flags);
            info.write();
            return 0;
        }
        vfio_region_info.flags(info.fields, flags | VFIO_REGION_INFO_FLAG_CAPS());
        MemorySegment capability = UserMemory.zeroed(vfio_region_info_cap_type.layout());
        MemorySegment header = vfio_region_info_cap_type.header(capability);
        vfio_info_cap_header.id(header, (short) VFIO_REGION_INFO_CAP_TYPE());
        vfio_info_cap_header.version(header, (short) 1);
        vfio_region_info_cap_type.type(capability, type.get().type());
        vfio_region_info_cap_type.subtype(capability, type.get().subtype());
        long given = info.argsz();
        info.write(device.machine().profile(), vfio_region_info.cap_offset$offset(), capability);
        if (info.argsz() != given && device.machine().profile().isBefore(KernelProfile.V7_2)) {
            // The driver says where the capability is also where there is no room for it.
            vfio_region_info.cap_offset(info.fields, (int) vfio_region_info.sizeof());
            info.write();
        }
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
        if (buffer.byteSize() == 0) {
            return 0; // wherever it is
        }
        int index = device.model.regionAt(fileOffset);
        long start = fileOffset - device.model.offset(index);
        long bytes = buffer.byteSize();
        long size = device.model.hasRegion(index) ? device.model.size(index) : 0;
        if (start > size || bytes > size - start) {
            throw new KernelError(Errno.EFAULT);
        }
        device.lock.lock();
        try {
            if (device.model.mappable(index)) {
                MemorySegment memory = device.memory(index).segment();
                MemorySegment.copy(write ? buffer : memory, write ? 0 : start, write ? memory : buffer, write ? start : 0, bytes);
                return bytes;
            }
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
    Vma map(long offset, long length, int prot, boolean shared) {
        int index = device.model.regionAt(offset);
        boolean whole = device.model.mappable(index) && device.model.offset(index) == offset;
        KernelError.check(device.machine().profile(), Operation.REGION_MAP, new Facts() {
            @Override
            public boolean regionMappable() {
                return shared && whole && length <= device.model.size(index);
            }
        });
        Memory memory = device.memory(index);
        return new Vma(memory.address(), memory.address() + length, prot, memory, 0, this);
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
