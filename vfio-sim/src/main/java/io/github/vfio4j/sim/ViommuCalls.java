package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.iommu_hw_queue_alloc;
import io.github.vfio4j.ffm.gen.iommu_hwpt_invalidate;
import io.github.vfio4j.ffm.gen.iommu_vdevice_alloc;
import io.github.vfio4j.ffm.gen.iommu_veventq_alloc;
import io.github.vfio4j.ffm.gen.iommu_viommu_alloc;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** The ioctls of virtual IOMMUs, of the only type that there is here: the mock's. */
final class ViommuCalls {
    private static final int TYPE = 0xdeadbeef; // of virtual IOMMUs, hardware queues and commands
    private static final long LEAST_DATA = 2 * Integer.BYTES;
    private static final long DATA = 24; // a number in, a number out, where the page is, bytes of the page
    private static final long COMMAND = 3 * Integer.BYTES;
    private static final long MOST_EVENTS = 1 << 19;

    private ViommuCalls() {}

    private static void check(Iommufd iommufd, Operation operation, Facts facts) {
        KernelError.check(iommufd.machine.profile(), operation, facts);
    }

    private static void supported(boolean supported) {
        if (!supported) {
            throw new KernelError(Errno.EOPNOTSUPP);
        }
    }

    static int alloc(IommufdFile file, SimProcess caller, SizedStruct struct) {
        MemorySegment fields = struct.fields;
        Iommufd iommufd = file.iommufd;
        int type = iommu_viommu_alloc.type(fields);
        supported(iommu_viommu_alloc.flags(fields) == 0 && type != IOMMU_VIOMMU_TYPE_DEFAULT());
        BoundDevice device = file.boundDevice(iommu_viommu_alloc.dev_id(fields));
        Hwpt parent = iommufd.find(iommu_viommu_alloc.hwpt_id(fields), Hwpt.class);
        check(iommufd, Operation.VIOMMU_ALLOC, new Facts() {
            @Override
            public boolean deviceKnown() {
                return device != null;
            }

            @Override
            public boolean viommuSupported() {
                return device instanceof MockDevice && type == TYPE;
            }

            @Override
            public boolean objectKnown() {
                return parent != null;
            }

            @Override
            public boolean parentMayNest() {
                return parent.nests;
            }
        });
        long length = Integer.toUnsignedLong(iommu_viommu_alloc.data_len(fields));
        UserMemory memory = length == 0 ? null : struct.pointer(caller, iommu_viommu_alloc.data_uptr(fields));
        MemorySegment data = length == 0 ? null : MockCalls.data(memory, length, LEAST_DATA, DATA);
        Viommu viommu = new Viommu(parent);
        iommufd.tellOf(viommu, () -> {
            if (data != null) {
                viommu.makePage(data.get(ValueLayout.JAVA_INT, 0));
                data.set(ValueLayout.JAVA_INT, 4, data.get(ValueLayout.JAVA_INT, 0));
                data.set(ValueLayout.JAVA_LONG, 8, viommu.mapOffset());
                data.set(ValueLayout.JAVA_LONG, 16, viommu.mapSize());
                memory.write(0, data, length);
            }
            iommu_viommu_alloc.out_viommu_id(fields, viommu.id);
            struct.write();
        });
        return 0;
    }

    static int allocDevice(IommufdFile file, SimProcess caller, SizedStruct struct) {
        MemorySegment fields = struct.fields;
        Viommu viommu = file.iommufd.find(iommu_vdevice_alloc.viommu_id(fields), Viommu.class);
        BoundDevice device = file.boundDevice(iommu_vdevice_alloc.dev_id(fields));
        long virtualId = iommu_vdevice_alloc.virt_id(fields);
        check(file.iommufd, Operation.VDEVICE_ALLOC, new Facts() {
            @Override
            public boolean viommuKnown() {
                return viommu != null;
            }

            @Override
            public boolean deviceKnown() {
                return device != null;
            }

            @Override
            public boolean deviceBehindViommu() {
                return device instanceof MockDevice;
            }

            @Override
            public boolean deviceIsVirtual() {
                return ((MockDevice) device).virtual != null;
            }

            @Override
            public boolean virtualIdTaken() {
                return viommu.devices.containsKey(virtualId);
            }
        });
        VirtualDevice virtual = new VirtualDevice(viommu, (MockDevice) device, virtualId);
        iommu_vdevice_alloc.out_vdevice_id(fields, virtual.id);
        file.iommufd.tellOf(virtual, struct::write);
        return 0;
    }

    static int allocEventQueue(IommufdFile file, SimProcess caller, SizedStruct struct) {
        MemorySegment fields = struct.fields;
        int type = iommu_veventq_alloc.type(fields);
        supported(iommu_veventq_alloc.flags(fields) == 0
                && iommu_veventq_alloc.__reserved(fields) == 0
                && type != IOMMU_VEVENTQ_TYPE_DEFAULT());
        long depth = Integer.toUnsignedLong(iommu_veventq_alloc.veventq_depth(fields));
        Viommu viommu = file.iommufd.find(iommu_veventq_alloc.viommu_id(fields), Viommu.class);
        check(file.iommufd, Operation.VEVENTQ_ALLOC, new Facts() {
            @Override
            public boolean eventQueueDepthFits() {
                return depth > 0 && depth <= MOST_EVENTS;
            }

            @Override
            public boolean viommuKnown() {
                return viommu != null;
            }

            @Override
            public boolean eventQueueExists() {
                return viommu.eventQueues.containsKey(type);
            }
        });
        VirtualEventQueue queue = new VirtualEventQueue(viommu, type, depth);
        iommu_veventq_alloc.out_veventq_id(fields, queue.id);
        file.iommufd.tellOf(
                queue,
                () -> IommufdFile.openQueue(caller, struct, iommu_veventq_alloc.out_veventq_fd$offset(), queue::open));
        return 0;
    }

    static int allocHardwareQueue(IommufdFile file, SimProcess caller, SizedStruct struct) {
        MemorySegment fields = struct.fields;
        int type = iommu_hw_queue_alloc.type(fields);
        supported(iommu_hw_queue_alloc.flags(fields) == 0 && type != IOMMU_HW_QUEUE_TYPE_DEFAULT());
        Viommu viommu = file.iommufd.find(iommu_hw_queue_alloc.viommu_id(fields), Viommu.class);
        int index = iommu_hw_queue_alloc.index(fields);
        long iova = iommu_hw_queue_alloc.nesting_parent_iova(fields);
        long size = iommu_hw_queue_alloc.length(fields);
        List<Area> memory = viommu == null || size == 0 ? List.of() : viommu.parent.ioas.queueMemory(iova, size);
        boolean inRange = viommu != null && Integer.compareUnsigned(index, viommu.hardwareQueues.length) < 0;
        check(file.iommufd, Operation.HW_QUEUE_ALLOC, new Facts() {
            @Override
            public long iova() {
                return iova;
            }

            @Override
            public long size() {
                return size;
            }

            @Override
            public boolean viommuKnown() {
                return viommu != null;
            }

            @Override
            public boolean hardwareQueuesSupported() {
                return type == TYPE;
            }

            @Override
            public boolean queueMemoryMapped() {
                return !memory.isEmpty();
            }

            @Override
            public boolean hardwareQueueTaken() {
                return inRange && viommu.hardwareQueues[index] != null;
            }

            @Override
            public boolean hardwareQueueBeforeExists() {
                return !inRange || index == 0 || viommu.hardwareQueues[index - 1] != null;
            }
        });
        if (!inRange) {
            throw new KernelError(Errno.EINVAL);
        }
        HardwareQueue queue = new HardwareQueue(viommu, index, memory);
        iommu_hw_queue_alloc.out_hw_queue_id(fields, queue.id);
        file.iommufd.tellOf(queue, struct::write);
        return 0;
    }

    /** Does the commands of an array; how many were done is in the struct afterwards, also when one is refused. */
    static void invalidate(Viommu viommu, SimProcess caller, SizedStruct struct) {
        MemorySegment fields = struct.fields;
        int number = iommu_hwpt_invalidate.entry_num(fields);
        long length = Integer.toUnsignedLong(iommu_hwpt_invalidate.entry_len(fields));
        iommu_hwpt_invalidate.entry_num(fields, 0);
        if (iommu_hwpt_invalidate.data_type(fields) != TYPE) {
            throw new KernelError(Errno.EINVAL);
        }
        UserMemory array = struct.pointer(caller, iommu_hwpt_invalidate.data_uptr(fields));
        MemorySegment[] commands = new MemorySegment[number];
        for (int i = 0; i < number; i++) {
            commands[i] = MockCalls.data(new UserMemory(0, array.slice(i * length)), length, COMMAND, COMMAND);
        }
        for (int i = 0; i < number; i++) {
            int flags = commands[i].get(ValueLayout.JAVA_INT, 0);
            long virtualId = Integer.toUnsignedLong(commands[i].get(ValueLayout.JAVA_INT, 4));
            supported((flags & ~1) == 0);
            VirtualDevice virtual = viommu.devices.get(virtualId);
            if (virtual == null || !virtual.device().forget(commands[i].get(ValueLayout.JAVA_INT, 8), flags != 0)) {
                throw new KernelError(Errno.EINVAL);
            }
            iommu_hwpt_invalidate.entry_num(fields, i + 1);
        }
    }
}
