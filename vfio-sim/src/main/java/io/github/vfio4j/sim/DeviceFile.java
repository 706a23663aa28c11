package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_info;
import io.github.vfio4j.ffm.gen.vfio_info_cap_header;
import io.github.vfio4j.ffm.gen.vfio_irq_info;
import io.github.vfio4j.ffm.gen.vfio_region_info;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Optional;

/** An open device, from VFIO_GROUP_GET_DEVICE_FD. */
final class DeviceFile extends SimFile {
    private interface Ioctl {
        int call(DeviceFile file, SimProcess caller, UserMemory argument);
    }

    private static final Map<Integer, Ioctl> IOCTLS = Map.ofEntries(
            Map.entry(VFIO_DEVICE_BIND_IOMMUFD(), (file, _, argument) -> CdevFile.refuse(file.machine, argument)),
            Map.entry(VFIO_DEVICE_GET_INFO(), DeviceFile::getInfo),
            Map.entry(VFIO_DEVICE_GET_REGION_INFO(), DeviceFile::getRegionInfo),
            Map.entry(VFIO_DEVICE_GET_IRQ_INFO(), DeviceFile::getIrqInfo),
            Map.entry(VFIO_DEVICE_SET_IRQS(), DeviceFile::setIrqs),
            Map.entry(VFIO_DEVICE_RESET(), DeviceFile::reset),
            Map.entry(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), DeviceFile::getHotResetInfo),
            Map.entry(VFIO_DEVICE_PCI_HOT_RESET(), DeviceFile::hotReset),
            Map.entry(VFIO_DEVICE_QUERY_GFX_PLANE(), (file, _, argument) -> file.screen().query(argument)),
            Map.entry(VFIO_DEVICE_GET_GFX_DMABUF(), (file, caller, argument) ->
                    file.screen().openDmaBuf(caller, argument, file.toString())),
            Map.entry(VFIO_DEVICE_IOEVENTFD(), DeviceFile::ioEventFd),
            Map.entry(VFIO_DEVICE_FEATURE(), DeviceFile::feature));

    static final int REGION_SHIFT = 40; // VFIO_PCI_OFFSET_SHIFT

    private final VfioDevice device;
    private final SimMachine machine;
    private long position; // of read and write, which take none; guarded by this

    DeviceFile(VfioDevice device) {
        this.device = device;
        this.machine = device.machine();
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        wakeDevice();
        Ioctl ioctl = IOCTLS.get(request);
        if (ioctl == null) {
            throw new KernelError(Errno.ENOTTY);
        }
        return ioctl.call(this, caller, argument);
    }

    /** No function has one. */
    private Screen screen() {
        return new Screen(machine, Optional.empty());
    }

    private void wakeDevice() {
        device.lock.lock();
        try {
            device.power().features.wake();
        } finally {
            device.lock.unlock();
        }
    }

    private int getInfo(SimProcess caller, UserMemory argument) {
        long capOffset = vfio_device_info.cap_offset$offset();
        InfoStruct info = new InfoStruct(argument, vfio_device_info.layout(), capOffset);
        boolean resettable = device.function.model.resettable();
        vfio_device_info.flags(info.fields, VFIO_DEVICE_FLAGS_PCI() | (resettable ? VFIO_DEVICE_FLAGS_RESET() : 0));
        vfio_device_info.num_regions(info.fields, VFIO_PCI_NUM_REGIONS());
        vfio_device_info.num_irqs(info.fields, VFIO_PCI_NUM_IRQS());
        info.write(machine.profile(), capOffset);
        return 0;
    }

    private int getRegionInfo(SimProcess caller, UserMemory argument) {
        InfoStruct struct = new InfoStruct(argument, vfio_region_info.layout());
        MemorySegment info = struct.fields;
        int index = vfio_region_info.index(info);
        if (index < 0 || index >= VFIO_PCI_NUM_REGIONS() || index == VFIO_PCI_VGA_REGION_INDEX()) {
            throw new KernelError(Errno.EINVAL);
        }
        PciBars bars = device.function.bars;
        int readWrite = VFIO_REGION_INFO_FLAG_READ() | VFIO_REGION_INFO_FLAG_WRITE();
        int flags = 0;
        long size = 0;
        if (index == VFIO_PCI_CONFIG_REGION_INDEX()) {
            flags = readWrite;
            size = ConfigSpace.size(device.function);
        } else if (bars.has(index)) {
            flags = readWrite | (bars.mappable(index) ? VFIO_REGION_INFO_FLAG_MMAP() : 0);
            size = bars.size(index);
        }
        vfio_region_info.offset(info, (long) index << REGION_SHIFT);
        vfio_region_info.size(info, size);
        MemorySegment[] capabilities = {};
        if (bars.has(index) && index == bars.msixBar()) {
            flags |= VFIO_REGION_INFO_FLAG_CAPS();
            MemorySegment mappable = UserMemory.zeroed(vfio_info_cap_header.layout());
            vfio_info_cap_header.id(mappable, (short) VFIO_REGION_INFO_CAP_MSIX_MAPPABLE());
            vfio_info_cap_header.version(mappable, (short) 1);
            capabilities = new MemorySegment[] {mappable};
        }
        vfio_region_info.flags(info, flags);
        struct.write(machine.profile(), vfio_region_info.cap_offset$offset(), capabilities);
        return 0;
    }

    private int getIrqInfo(SimProcess caller, UserMemory argument) {
        InfoStruct struct = new InfoStruct(argument, vfio_irq_info.layout());
        MemorySegment info = struct.fields;
        int index = vfio_irq_info.index(info);
        KernelError.check(machine.profile(), Operation.DEVICE_GET_IRQ_INFO, new Facts() {
            @Override
            public boolean irqIndexKnown() {
                return index >= 0 && index < VFIO_PCI_NUM_IRQS();
            }

            @Override
            public boolean irqIndexPresent() {
                return device.interrupts.has(index);
            }
        });
        vfio_irq_info.flags(info, device.interrupts.flags(index));
        vfio_irq_info.count(info, device.interrupts.count(index));
        struct.write();
        return 0;
    }

    private int setIrqs(SimProcess caller, UserMemory argument) {
        machine.kernel().lock();
        try {
            return device.interrupts.set(new IrqRequest(machine, caller, argument, device.interrupts::count));
        } finally {
            machine.kernel().unlock();
        }
    }

    // ---- resets

    private int reset(SimProcess caller, UserMemory argument) {
        machine.kernel().lock();
        try {
            KernelError.check(machine.profile(), Operation.DEVICE_RESET, new Facts() {
                @Override
                public boolean resettable() {
                    return device.function.model.resettable();
                }

                // Who unbinds a device has its lock while waiting for the users.
                @Override
                public boolean deviceLocked() {
                    return device.leaving;
                }
            });
        } finally {
            machine.kernel().unlock();
        }
        device.lock.lock();
        try {
            device.power().reset();
        } finally {
            device.lock.unlock();
        }
        return 0;
    }

    private int getHotResetInfo(SimProcess caller, UserMemory argument) {
        return new BusReset(device).info(argument);
    }

    private int hotReset(SimProcess caller, UserMemory argument) {
        return new BusReset(device).reset(caller, argument);
    }

    private int ioEventFd(SimProcess caller, UserMemory argument) {
        device.lock.lock();
        try {
            return device.power().ioEventFds.set(caller, argument);
        } finally {
            device.lock.unlock();
        }
    }

    private int feature(SimProcess caller, UserMemory argument) {
        device.lock.lock();
        try {
            return device.power().features.call(caller, argument);
        } finally {
            device.lock.unlock();
        }
    }

    // ---- read, write, mmap

    @Override
    synchronized long read(SimProcess caller, MemorySegment target) {
        long done = pread(target, position);
        position += done;
        return done;
    }

    @Override
    synchronized long write(SimProcess caller, MemorySegment source) {
        long done = pwrite(source, position);
        position += done;
        return done;
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
            return 0;
        }
        long index = fileOffset >>> REGION_SHIFT;
        long offset = fileOffset & (1L << REGION_SHIFT) - 1;
        device.lock.lock();
        try {
            device.power().features.wake();
            ConfigSpace config = device.power().config;
            if (index == VFIO_PCI_CONFIG_REGION_INDEX()) {
                return write ? config.write(offset, buffer) : config.read(offset, buffer);
            }
            PciBars bars = device.function.bars;
            int bar = (int) Math.min(index, PciBars.COUNT);
            if (!bars.has(bar) || offset >= bars.size(bar)) {
                throw new KernelError(Errno.EINVAL);
            }
            Operation operation = write ? Operation.REGION_WRITE : Operation.REGION_READ;
            KernelError.check(machine.profile(), operation, new Facts() {
                @Override
                public boolean memoryDecoded() {
                    return config.memoryDecoded();
                }
            });
            long size = Math.min(buffer.byteSize(), bars.size(bar) - offset);
            barAccess(buffer.asSlice(0, size), bar, offset, write);
            return size;
        } finally {
            device.lock.unlock();
        }
    }

    /** Makes the widest aligned accesses, as the kernel does; the MSI-X table is kept from programs. */
    private void barAccess(MemorySegment buffer, int bar, long offset, boolean write) {
        long hidden = bar == device.function.bars.msixBar() ? device.function.bars.msixTableSize() : 0;
        int widest = machine.profile().isBefore(KernelProfile.V6_12) ? Integer.BYTES : Long.BYTES;
        long done = 0;
        while (done < buffer.byteSize()) {
            long at = offset + done;
            long left = buffer.byteSize() - done;
            if (at < hidden) {
                long skip = Math.min(left, hidden - at);
                if (!write) {
                    buffer.asSlice(done, skip).fill((byte) -1);
                }
                done += skip;
                continue;
            }
            int width = widest;
            while (width > left || at % width != 0) {
                width /= 2;
            }
            MemorySegment part = buffer.asSlice(done, width);
            if (write) {
                device.power().write(bar, at, width, SharedAccess.get(part));
            } else {
                SharedAccess.put(part, device.power().read(bar, at, width));
            }
            done += width;
        }
    }

    @Override
    Vma map(long offset, long length, int prot, boolean shared) {
        long index = offset >>> REGION_SHIFT;
        long start = offset & (1L << REGION_SHIFT) - 1;
        PciBars bars = device.function.bars;
        boolean mappable = index < PciBars.COUNT && bars.mappable((int) index);
        boolean inside = mappable && length <= bars.size((int) index) && start <= bars.size((int) index) - length;
        KernelError.check(machine.profile(), Operation.REGION_MAP, new Facts() {
            @Override
            public boolean regionMappable() {
                return shared && inside;
            }
        });
        Memory memory = device.power().bar((int) index);
        long address = memory.address() + start;
        return new Vma(address, address + length, prot, memory, start, this);
    }

    @Override
    boolean mappingAnswers() {
        return device.power().config.memoryDecoded() && !device.power().features.lowPower();
    }

    @Override
    void release() {
        device.close();
    }

    @Override
    public String toString() {
        return "device " + device.function.address;
    }
}
