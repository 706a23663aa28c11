package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;

import io.github.vfio4j.Access;
import io.github.vfio4j.Errno;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.HwptFlag;
import io.github.vfio4j.IoasInfo;
import io.github.vfio4j.IommuHardware;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.SmmuCommand;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ViommuType;
import io.github.vfio4j.VirtualEventType;
import io.github.vfio4j.ffm.gen.iommu_destroy;
import io.github.vfio4j.ffm.gen.iommu_fault_alloc;
import io.github.vfio4j.ffm.gen.iommu_hw_info;
import io.github.vfio4j.ffm.gen.iommu_hw_queue_alloc;
import io.github.vfio4j.ffm.gen.iommu_hwpt_alloc;
import io.github.vfio4j.ffm.gen.iommu_hwpt_amd_guest;
import io.github.vfio4j.ffm.gen.iommu_hwpt_arm_smmuv3;
import io.github.vfio4j.ffm.gen.iommu_hwpt_get_dirty_bitmap;
import io.github.vfio4j.ffm.gen.iommu_hwpt_invalidate;
import io.github.vfio4j.ffm.gen.iommu_hwpt_set_dirty_tracking;
import io.github.vfio4j.ffm.gen.iommu_hwpt_vtd_s1;
import io.github.vfio4j.ffm.gen.iommu_hwpt_vtd_s1_invalidate;
import io.github.vfio4j.ffm.gen.iommu_ioas_alloc;
import io.github.vfio4j.ffm.gen.iommu_ioas_allow_iovas;
import io.github.vfio4j.ffm.gen.iommu_ioas_change_process;
import io.github.vfio4j.ffm.gen.iommu_ioas_copy;
import io.github.vfio4j.ffm.gen.iommu_ioas_iova_ranges;
import io.github.vfio4j.ffm.gen.iommu_ioas_map;
import io.github.vfio4j.ffm.gen.iommu_ioas_map_file;
import io.github.vfio4j.ffm.gen.iommu_ioas_unmap;
import io.github.vfio4j.ffm.gen.iommu_iova_range;
import io.github.vfio4j.ffm.gen.iommu_option;
import io.github.vfio4j.ffm.gen.iommu_vdevice_alloc;
import io.github.vfio4j.ffm.gen.iommu_veventq_alloc;
import io.github.vfio4j.ffm.gen.iommu_vfio_ioas;
import io.github.vfio4j.ffm.gen.iommu_viommu_alloc;
import io.github.vfio4j.ffm.gen.iommu_viommu_arm_smmuv3_invalidate;
import io.github.vfio4j.ffm.gen.iommu_viommu_tegra241_cmdqv;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.DmaFilePort;
import io.github.vfio4j.spi.FaultQueuePort;
import io.github.vfio4j.spi.IommufdPort;
import io.github.vfio4j.spi.VirtualEventQueuePort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/** An iommufd and its ioctls. The argument structs have no room for later fields, so their size is what is known here. */
final class FfmIommufd implements IommufdPort {
    private static final ValueLayout.OfLong LITTLE_ENDIAN =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int USUAL_RANGES = 16;
    private static final int MOST_DATA = 256; // of the hardware; the largest known has 72 bytes
    private static final int MOST_RANGES = 1 << 16; // more is a broken answer

    final Fd fd;

    FfmIommufd(Fd fd) {
        this.fd = fd;
    }

    @Override
    public int allocateIoas() {
        Frame frame = fd.begin(Operation.IOAS_ALLOC);
        try {
            iommu_ioas_alloc.size(frame.arg, (int) iommu_ioas_alloc.sizeof());
            iommu_ioas_alloc.flags(frame.arg, 0);
            iommu_ioas_alloc.out_ioas_id(frame.arg, 0);
            fd.ioctl(Operation.IOAS_ALLOC, frame, IOMMU_IOAS_ALLOC());
            return iommu_ioas_alloc.out_ioas_id(frame.arg);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void destroy(int object) {
        Frame frame = fd.begin(Operation.IOMMU_DESTROY);
        try {
            iommu_destroy.size(frame.arg, (int) iommu_destroy.sizeof());
            iommu_destroy.id(frame.arg, object);
            fd.ioctl(Operation.IOMMU_DESTROY, frame, IOMMU_DESTROY());
        } finally {
            fd.end(frame);
        }
    }

    // ---- ranges

    @Override
    public IoasInfo info(int ioas) {
        long struct = iommu_ioas_iova_ranges.sizeof();
        Frame frame = fd.begin(Operation.IOAS_IOVA_RANGES);
        try (Arena arena = Arena.ofConfined()) {
            int room = USUAL_RANGES;
            while (room <= MOST_RANGES) { // again if there are more
                MemorySegment argument = arena.allocate(struct + room * iommu_iova_range.sizeof(), 8);
                MemorySegment ranges = argument.asSlice(struct);
                iommu_ioas_iova_ranges.size(argument, (int) struct);
                iommu_ioas_iova_ranges.ioas_id(argument, ioas);
                iommu_ioas_iova_ranges.num_iovas(argument, room);
                iommu_ioas_iova_ranges.allowed_iovas(argument, ranges.address());
                int result = fd.syscalls.ioctl(frame, fd.number, IOMMU_IOAS_IOVA_RANGES(), argument);
                int count = iommu_ioas_iova_ranges.num_iovas(argument);
                if (result == -Errno.EMSGSIZE.number() && count > room) {
                    room = count;
                    continue;
                }
                fd.check(Operation.IOAS_IOVA_RANGES, result);
                if (count < 0 || count > room) {
                    throw Info.broken(Operation.IOAS_IOVA_RANGES, "the kernel names more ranges than it gives");
                }
                return new IoasInfo(decode(ranges, count), iommu_ioas_iova_ranges.out_iova_alignment(argument));
            }
            throw Info.broken(Operation.IOAS_IOVA_RANGES, "the kernel names " + room + " ranges");
        } finally {
            fd.end(frame);
        }
    }

    private static List<IovaRange> decode(MemorySegment array, int count) {
        List<IovaRange> ranges = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            MemorySegment range = iommu_iova_range.asSlice(array, i);
            ranges.add(new IovaRange(iommu_iova_range.start(range), iommu_iova_range.last(range)));
        }
        return ranges;
    }

    @Override
    public void allow(int ioas, List<IovaRange> ranges) {
        long struct = iommu_ioas_allow_iovas.sizeof();
        Frame frame = fd.begin(Operation.IOAS_ALLOW_IOVAS);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(struct + ranges.size() * iommu_iova_range.sizeof(), 8);
            MemorySegment array = argument.asSlice(struct);
            for (int i = 0; i < ranges.size(); i++) {
                MemorySegment range = iommu_iova_range.asSlice(array, i);
                iommu_iova_range.start(range, ranges.get(i).first());
                iommu_iova_range.last(range, ranges.get(i).last());
            }
            iommu_ioas_allow_iovas.size(argument, (int) struct);
            iommu_ioas_allow_iovas.ioas_id(argument, ioas);
            iommu_ioas_allow_iovas.num_iovas(argument, ranges.size());
            iommu_ioas_allow_iovas.allowed_iovas(argument, array.address());
            int result = fd.syscalls.ioctl(frame, fd.number, IOMMU_IOAS_ALLOW_IOVAS(), argument);
            fd.check(Operation.IOAS_ALLOW_IOVAS, result);
        } finally {
            fd.end(frame);
        }
    }

    // ---- mappings

    @Override
    public void map(int ioas, long iova, long address, long size, Access access) {
        Frame frame = fd.begin(Operation.IOAS_MAP);
        try {
            iommu_ioas_map.size(frame.arg, (int) iommu_ioas_map.sizeof());
            iommu_ioas_map.flags(frame.arg, flags(access));
            iommu_ioas_map.ioas_id(frame.arg, ioas);
            iommu_ioas_map.__reserved(frame.arg, 0);
            iommu_ioas_map.user_va(frame.arg, address);
            iommu_ioas_map.length(frame.arg, size);
            iommu_ioas_map.iova(frame.arg, iova);
            fd.ioctl(Operation.IOAS_MAP, frame, IOMMU_IOAS_MAP());
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void map(int ioas, long iova, DmaFilePort file, Access access) {
        Fd memory = ((FfmDmaFile) file).fd;
        memory.hold(Operation.IOAS_MAP_FILE);
        try {
            Frame frame = fd.begin(Operation.IOAS_MAP_FILE);
            try {
                iommu_ioas_map_file.size(frame.arg, (int) iommu_ioas_map_file.sizeof());
                iommu_ioas_map_file.flags(frame.arg, flags(access));
                iommu_ioas_map_file.ioas_id(frame.arg, ioas);
                iommu_ioas_map_file.fd(frame.arg, memory.number);
                iommu_ioas_map_file.start(frame.arg, 0);
                iommu_ioas_map_file.length(frame.arg, file.size());
                iommu_ioas_map_file.iova(frame.arg, iova);
                fd.ioctl(Operation.IOAS_MAP_FILE, frame, IOMMU_IOAS_MAP_FILE());
            } finally {
                fd.end(frame);
            }
        } finally {
            memory.release();
        }
    }

    private static int flags(Access access) {
        return IOMMU_IOAS_MAP_FIXED_IOVA()
                | switch (access) {
                    case READ -> IOMMU_IOAS_MAP_READABLE();
                    case WRITE -> IOMMU_IOAS_MAP_WRITEABLE();
                    case READ_WRITE -> IOMMU_IOAS_MAP_READABLE() | IOMMU_IOAS_MAP_WRITEABLE();
                };
    }

    @Override
    public void copy(int source, long sourceIova, int ioas, long iova, long size, Access access) {
        Frame frame = fd.begin(Operation.IOAS_COPY);
        try {
            iommu_ioas_copy.size(frame.arg, (int) iommu_ioas_copy.sizeof());
            iommu_ioas_copy.flags(frame.arg, flags(access));
            iommu_ioas_copy.dst_ioas_id(frame.arg, ioas);
            iommu_ioas_copy.src_ioas_id(frame.arg, source);
            iommu_ioas_copy.length(frame.arg, size);
            iommu_ioas_copy.dst_iova(frame.arg, iova);
            iommu_ioas_copy.src_iova(frame.arg, sourceIova);
            fd.ioctl(Operation.IOAS_COPY, frame, IOMMU_IOAS_COPY());
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long unmap(int ioas, long iova, long size) {
        Frame frame = fd.begin(Operation.IOAS_UNMAP);
        try {
            iommu_ioas_unmap.size(frame.arg, (int) iommu_ioas_unmap.sizeof());
            iommu_ioas_unmap.ioas_id(frame.arg, ioas);
            iommu_ioas_unmap.iova(frame.arg, iova);
            iommu_ioas_unmap.length(frame.arg, size);
            fd.ioctl(Operation.IOAS_UNMAP, frame, IOMMU_IOAS_UNMAP());
            return iommu_ioas_unmap.length(frame.arg); // the kernel says how much it unmapped
        } finally {
            fd.end(frame);
        }
    }

    // ---- page tables

    @Override
    public int allocateHwpt(int device, int ioas, Set<HwptFlag> flags, OptionalInt faults) {
        Frame frame = fd.begin(Operation.HWPT_ALLOC);
        try {
            frame.arg.asSlice(0, iommu_hwpt_alloc.sizeof()).fill((byte) 0);
            iommu_hwpt_alloc.size(frame.arg, (int) iommu_hwpt_alloc.sizeof());
            iommu_hwpt_alloc.flags(
                    frame.arg, flags.stream().mapToInt(FfmIommufd::number).sum() | takeFaults(frame.arg, faults));
            iommu_hwpt_alloc.dev_id(frame.arg, device);
            iommu_hwpt_alloc.pt_id(frame.arg, ioas);
            iommu_hwpt_alloc.data_type(frame.arg, IOMMU_HWPT_DATA_NONE());
            fd.ioctl(Operation.HWPT_ALLOC, frame, IOMMU_HWPT_ALLOC());
            return iommu_hwpt_alloc.out_hwpt_id(frame.arg);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public int allocateNested(int device, int parent, GuestPageTable table, OptionalInt faults) {
        Frame frame = fd.begin(Operation.HWPT_ALLOC);
        try {
            long struct = iommu_hwpt_alloc.sizeof();
            MemorySegment data = frame.arg.asSlice(struct);
            frame.arg.asSlice(0, struct + MOST_DATA).fill((byte) 0);
            iommu_hwpt_alloc.size(frame.arg, (int) struct);
            iommu_hwpt_alloc.flags(frame.arg, takeFaults(frame.arg, faults));
            iommu_hwpt_alloc.dev_id(frame.arg, device);
            iommu_hwpt_alloc.pt_id(frame.arg, parent);
            iommu_hwpt_alloc.data_uptr(frame.arg, data.address());
            switch (table) {
                case GuestPageTable.Vtd vtd -> {
                    iommu_hwpt_alloc.data_type(frame.arg, IOMMU_HWPT_DATA_VTD_S1());
                    iommu_hwpt_alloc.data_len(frame.arg, (int) iommu_hwpt_vtd_s1.sizeof());
                    iommu_hwpt_vtd_s1.flags(data, flags(vtd));
                    iommu_hwpt_vtd_s1.pgtbl_addr(data, vtd.address());
                    iommu_hwpt_vtd_s1.addr_width(data, vtd.addressWidth());
                }
                case GuestPageTable.ArmSmmuV3 smmu -> {
                    iommu_hwpt_alloc.data_type(frame.arg, IOMMU_HWPT_DATA_ARM_SMMUV3());
                    iommu_hwpt_alloc.data_len(frame.arg, (int) iommu_hwpt_arm_smmuv3.sizeof());
                    words(data, smmu.word0(), smmu.word1());
                }
                case GuestPageTable.Amd amd -> {
                    iommu_hwpt_alloc.data_type(frame.arg, IOMMU_HWPT_DATA_AMD_GUEST());
                    iommu_hwpt_alloc.data_len(frame.arg, (int) iommu_hwpt_amd_guest.sizeof());
                    words(data, amd.word0(), amd.word1(), amd.word2(), amd.word3());
                }
            }
            fd.ioctl(Operation.HWPT_ALLOC, frame, IOMMU_HWPT_ALLOC());
            return iommu_hwpt_alloc.out_hwpt_id(frame.arg);
        } finally {
            fd.end(frame);
        }
    }

    /** Names a fault queue; returns the flag for it. */
    private static int takeFaults(MemorySegment alloc, OptionalInt faults) {
        iommu_hwpt_alloc.fault_id(alloc, faults.orElse(0));
        return faults.isPresent() ? IOMMU_HWPT_FAULT_ID_VALID() : 0;
    }

    @Override
    public FaultQueuePort allocateFaultQueue() {
        Frame frame = fd.begin(Operation.FAULT_QUEUE_ALLOC);
        try {
            frame.arg.asSlice(0, iommu_fault_alloc.sizeof()).fill((byte) 0);
            iommu_fault_alloc.size(frame.arg, (int) iommu_fault_alloc.sizeof());
            fd.ioctl(Operation.FAULT_QUEUE_ALLOC, frame, IOMMU_FAULT_QUEUE_ALLOC());
            int id = iommu_fault_alloc.out_fault_id(frame.arg);
            return new FfmFaultQueue(
                    new Fd(fd.syscalls, iommu_fault_alloc.out_fault_fd(frame.arg), "fault queue " + id), id);
        } finally {
            fd.end(frame);
        }
    }

    private static int flags(GuestPageTable.Vtd table) {
        return (table.supervisorRequests() ? IOMMU_VTD_S1_SRE() : 0)
                | (table.extendedAccessed() ? IOMMU_VTD_S1_EAFE() : 0)
                | (table.writeProtect() ? IOMMU_VTD_S1_WPE() : 0);
    }

    /** The hardware reads them as little-endian. */
    private static void words(MemorySegment data, long... words) {
        for (int i = 0; i < words.length; i++) {
            data.setAtIndex(LITTLE_ENDIAN, i, words[i]);
        }
    }

    @Override
    public void invalidate(int hwpt, long address, long pages, boolean leavesOnly) {
        Frame frame = fd.begin(Operation.HWPT_INVALIDATE);
        try {
            MemorySegment entry = frame.arg.asSlice(iommu_hwpt_invalidate.sizeof(), iommu_hwpt_vtd_s1_invalidate.sizeof());
            entry.fill((byte) 0);
            iommu_hwpt_vtd_s1_invalidate.addr(entry, address);
            iommu_hwpt_vtd_s1_invalidate.npages(entry, pages);
            iommu_hwpt_vtd_s1_invalidate.flags(entry, leavesOnly ? IOMMU_VTD_INV_FLAGS_LEAF() : 0);
            iommu_hwpt_invalidate.size(frame.arg, (int) iommu_hwpt_invalidate.sizeof());
            iommu_hwpt_invalidate.hwpt_id(frame.arg, hwpt);
            iommu_hwpt_invalidate.data_uptr(frame.arg, entry.address());
            iommu_hwpt_invalidate.data_type(frame.arg, IOMMU_HWPT_INVALIDATE_DATA_VTD_S1());
            iommu_hwpt_invalidate.entry_len(frame.arg, (int) entry.byteSize());
            iommu_hwpt_invalidate.entry_num(frame.arg, 1);
            iommu_hwpt_invalidate.__reserved(frame.arg, 0);
            fd.ioctl(Operation.HWPT_INVALIDATE, frame, IOMMU_HWPT_INVALIDATE());
        } finally {
            fd.end(frame);
        }
    }

    // ---- virtual IOMMUs

    @Override
    public NewViommu allocateViommu(int device, int parent, ViommuType type) {
        Frame frame = fd.begin(Operation.VIOMMU_ALLOC);
        try {
            long struct = iommu_viommu_alloc.sizeof();
            MemorySegment data = frame.arg.asSlice(struct, iommu_viommu_tegra241_cmdqv.sizeof());
            frame.arg.asSlice(0, struct + data.byteSize()).fill((byte) 0);
            iommu_viommu_alloc.size(frame.arg, (int) struct);
            iommu_viommu_alloc.dev_id(frame.arg, device);
            iommu_viommu_alloc.hwpt_id(frame.arg, parent);
            switch (type) {
                case ARM_SMMUV3 -> iommu_viommu_alloc.type(frame.arg, IOMMU_VIOMMU_TYPE_ARM_SMMUV3());
                case TEGRA241_CMDQV -> {
                    iommu_viommu_alloc.type(frame.arg, IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV());
                    iommu_viommu_alloc.data_len(frame.arg, (int) data.byteSize());
                    iommu_viommu_alloc.data_uptr(frame.arg, data.address());
                }
            }
            fd.ioctl(Operation.VIOMMU_ALLOC, frame, IOMMU_VIOMMU_ALLOC());
            return new NewViommu(
                    iommu_viommu_alloc.out_viommu_id(frame.arg),
                    iommu_viommu_tegra241_cmdqv.out_vintf_mmap_offset(data),
                    iommu_viommu_tegra241_cmdqv.out_vintf_mmap_length(data));
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public int allocateVirtualDevice(int viommu, int device, long virtualId) {
        Frame frame = fd.begin(Operation.VDEVICE_ALLOC);
        try {
            iommu_vdevice_alloc.size(frame.arg, (int) iommu_vdevice_alloc.sizeof());
            iommu_vdevice_alloc.viommu_id(frame.arg, viommu);
            iommu_vdevice_alloc.dev_id(frame.arg, device);
            iommu_vdevice_alloc.out_vdevice_id(frame.arg, 0);
            iommu_vdevice_alloc.virt_id(frame.arg, virtualId);
            fd.ioctl(Operation.VDEVICE_ALLOC, frame, IOMMU_VDEVICE_ALLOC());
            return iommu_vdevice_alloc.out_vdevice_id(frame.arg);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public VirtualEventQueuePort allocateEventQueue(int viommu, VirtualEventType type, int depth) {
        Frame frame = fd.begin(Operation.VEVENTQ_ALLOC);
        try {
            frame.arg.asSlice(0, iommu_veventq_alloc.sizeof()).fill((byte) 0);
            iommu_veventq_alloc.size(frame.arg, (int) iommu_veventq_alloc.sizeof());
            iommu_veventq_alloc.viommu_id(frame.arg, viommu);
            iommu_veventq_alloc.type(frame.arg, FfmEventQueue.number(type));
            iommu_veventq_alloc.veventq_depth(frame.arg, depth);
            fd.ioctl(Operation.VEVENTQ_ALLOC, frame, IOMMU_VEVENTQ_ALLOC());
            int id = iommu_veventq_alloc.out_veventq_id(frame.arg);
            int file = iommu_veventq_alloc.out_veventq_fd(frame.arg);
            return new FfmEventQueue(new Fd(fd.syscalls, file, "event queue " + id), id, type);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public int allocateHardwareQueue(int viommu, int index, long iova, long size) {
        Frame frame = fd.begin(Operation.HW_QUEUE_ALLOC);
        try {
            frame.arg.asSlice(0, iommu_hw_queue_alloc.sizeof()).fill((byte) 0);
            iommu_hw_queue_alloc.size(frame.arg, (int) iommu_hw_queue_alloc.sizeof());
            iommu_hw_queue_alloc.viommu_id(frame.arg, viommu);
            iommu_hw_queue_alloc.type(frame.arg, IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV());
            iommu_hw_queue_alloc.index(frame.arg, index);
            iommu_hw_queue_alloc.nesting_parent_iova(frame.arg, iova);
            iommu_hw_queue_alloc.length(frame.arg, size);
            fd.ioctl(Operation.HW_QUEUE_ALLOC, frame, IOMMU_HW_QUEUE_ALLOC());
            return iommu_hw_queue_alloc.out_hw_queue_id(frame.arg);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public int invalidate(int viommu, List<SmmuCommand> commands) {
        long struct = iommu_hwpt_invalidate.sizeof();
        long entry = iommu_viommu_arm_smmuv3_invalidate.sizeof();
        Frame frame = fd.begin(Operation.HWPT_INVALIDATE);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(struct + commands.size() * entry, 8);
            MemorySegment array = argument.asSlice(struct);
            for (int i = 0; i < commands.size(); i++) {
                words(array.asSlice(i * entry, entry), commands.get(i).word0(), commands.get(i).word1());
            }
            iommu_hwpt_invalidate.size(argument, (int) struct);
            iommu_hwpt_invalidate.hwpt_id(argument, viommu);
            iommu_hwpt_invalidate.data_uptr(argument, array.address());
            iommu_hwpt_invalidate.data_type(argument, IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3());
            iommu_hwpt_invalidate.entry_len(argument, (int) entry);
            iommu_hwpt_invalidate.entry_num(argument, commands.size());
            int result = fd.syscalls.ioctl(frame, fd.number, IOMMU_HWPT_INVALIDATE(), argument);
            int done = iommu_hwpt_invalidate.entry_num(argument);
            boolean some = result < 0 && done > 0 && done < commands.size();
            fd.check(Operation.HWPT_INVALIDATE, some ? 0 : result);
            return done;
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long map(long offset, long size) {
        Frame frame = fd.begin(Operation.VIOMMU_MAP);
        try {
            int prot = Syscalls.PROT_READ | Syscalls.PROT_WRITE;
            return fd.check(
                    Operation.VIOMMU_MAP,
                    fd.syscalls.mmap(frame, size, prot, Syscalls.MAP_SHARED, fd.number, offset));
        } finally {
            fd.end(frame);
        }
    }

    private static int number(HwptFlag flag) {
        return switch (flag) {
            case NEST_PARENT -> IOMMU_HWPT_ALLOC_NEST_PARENT();
            case DIRTY_TRACKING -> IOMMU_HWPT_ALLOC_DIRTY_TRACKING();
            case PASID -> IOMMU_HWPT_ALLOC_PASID();
        };
    }

    @Override
    public void trackDirtyPages(int hwpt, boolean on) {
        Frame frame = fd.begin(Operation.HWPT_SET_DIRTY_TRACKING);
        try {
            iommu_hwpt_set_dirty_tracking.size(frame.arg, (int) iommu_hwpt_set_dirty_tracking.sizeof());
            iommu_hwpt_set_dirty_tracking.flags(frame.arg, on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE() : 0);
            iommu_hwpt_set_dirty_tracking.hwpt_id(frame.arg, hwpt);
            iommu_hwpt_set_dirty_tracking.__reserved(frame.arg, 0);
            fd.ioctl(Operation.HWPT_SET_DIRTY_TRACKING, frame, IOMMU_HWPT_SET_DIRTY_TRACKING());
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void dirtyPages(int hwpt, long iova, long size, long pageSize, long[] bitmap, boolean clear) {
        long struct = iommu_hwpt_get_dirty_bitmap.sizeof();
        Frame frame = fd.begin(Operation.HWPT_GET_DIRTY_BITMAP);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(struct + (long) bitmap.length * Long.BYTES, 8);
            iommu_hwpt_get_dirty_bitmap.size(argument, (int) struct);
            iommu_hwpt_get_dirty_bitmap.hwpt_id(argument, hwpt);
            iommu_hwpt_get_dirty_bitmap.flags(argument, clear ? 0 : IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR());
            iommu_hwpt_get_dirty_bitmap.iova(argument, iova);
            iommu_hwpt_get_dirty_bitmap.length(argument, size);
            iommu_hwpt_get_dirty_bitmap.page_size(argument, pageSize);
            iommu_hwpt_get_dirty_bitmap.data(argument, argument.address() + struct);
            int result = fd.syscalls.ioctl(frame, fd.number, IOMMU_HWPT_GET_DIRTY_BITMAP(), argument);
            fd.check(Operation.HWPT_GET_DIRTY_BITMAP, result);
            MemorySegment.copy(argument, ValueLayout.JAVA_LONG, struct, bitmap, 0, bitmap.length);
        } finally {
            fd.end(frame);
        }
    }

    // ---- what the hardware is, and options

    @Override
    public IommuHardware hardware(int device) {
        return hardware(device, 0, 0);
    }

    @Override
    public IommuHardware hardware(int device, int type) {
        return hardware(device, IOMMU_HW_INFO_FLAG_INPUT_TYPE(), type);
    }

    private IommuHardware hardware(int device, int flags, int type) {
        long struct = iommu_hw_info.sizeof();
        Frame frame = fd.begin(Operation.GET_HW_INFO);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(struct + MOST_DATA, 8);
            iommu_hw_info.size(argument, (int) struct);
            iommu_hw_info.flags(argument, flags);
            iommu_hw_info.in_data_type(argument, type);
            iommu_hw_info.dev_id(argument, device);
            iommu_hw_info.data_len(argument, MOST_DATA);
            iommu_hw_info.data_uptr(argument, argument.address() + struct);
            int result = fd.syscalls.ioctl(frame, fd.number, IOMMU_GET_HW_INFO(), argument);
            fd.check(Operation.GET_HW_INFO, result);
            int length = Math.clamp(Integer.toUnsignedLong(iommu_hw_info.data_len(argument)), 0, MOST_DATA);
            byte[] data = argument.asSlice(struct, length).toArray(ValueLayout.JAVA_BYTE);
            return new IommuHardware(
                    iommu_hw_info.out_data_type(argument),
                    iommu_hw_info.out_capabilities(argument),
                    Byte.toUnsignedInt(iommu_hw_info.out_max_pasid_log2(argument)),
                    ByteBuffer.wrap(data));
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long option(int option, int object) {
        return option(IOMMU_OPTION_OP_GET(), option, object, 0);
    }

    @Override
    public void option(int option, int object, long value) {
        option(IOMMU_OPTION_OP_SET(), option, object, value);
    }

    private long option(int what, int option, int object, long value) {
        Frame frame = fd.begin(Operation.IOMMU_OPTION);
        try {
            iommu_option.size(frame.arg, (int) iommu_option.sizeof());
            iommu_option.option_id(frame.arg, option);
            iommu_option.op(frame.arg, (short) what);
            iommu_option.__reserved(frame.arg, (short) 0);
            iommu_option.object_id(frame.arg, object);
            iommu_option.val64(frame.arg, value);
            fd.ioctl(Operation.IOMMU_OPTION, frame, IOMMU_OPTION());
            return iommu_option.val64(frame.arg);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void changeProcess() {
        Frame frame = fd.begin(Operation.IOAS_CHANGE_PROCESS);
        try {
            iommu_ioas_change_process.size(frame.arg, (int) iommu_ioas_change_process.sizeof());
            iommu_ioas_change_process.__reserved(frame.arg, 0);
            fd.ioctl(Operation.IOAS_CHANGE_PROCESS, frame, IOMMU_IOAS_CHANGE_PROCESS());
        } finally {
            fd.end(frame);
        }
    }

    // ---- in place of a container

    @Override
    public OptionalInt containerIoas() {
        try {
            return OptionalInt.of(containerIoas(IOMMU_VFIO_IOAS_GET(), 0));
        } catch (VfioException e) {
            if (e.errno().equals(Errno.ENODEV)) {
                return OptionalInt.empty();
            }
            throw e;
        }
    }

    @Override
    public void containerIoas(int ioas) {
        containerIoas(IOMMU_VFIO_IOAS_SET(), ioas);
    }

    @Override
    public void clearContainerIoas() {
        containerIoas(IOMMU_VFIO_IOAS_CLEAR(), 0);
    }

    private int containerIoas(int what, int ioas) {
        Frame frame = fd.begin(Operation.IOMMU_VFIO_IOAS);
        try {
            iommu_vfio_ioas.size(frame.arg, (int) iommu_vfio_ioas.sizeof());
            iommu_vfio_ioas.ioas_id(frame.arg, ioas);
            iommu_vfio_ioas.op(frame.arg, (short) what);
            iommu_vfio_ioas.__reserved(frame.arg, (short) 0);
            fd.ioctl(Operation.IOMMU_VFIO_IOAS, frame, IOMMU_VFIO_IOAS());
            return iommu_vfio_ioas.ioas_id(frame.arg);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
