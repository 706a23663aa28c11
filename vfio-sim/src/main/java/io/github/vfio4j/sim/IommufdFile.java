package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.iommu_destroy;
import io.github.vfio4j.ffm.gen.iommu_fault_alloc;
import io.github.vfio4j.ffm.gen.iommu_hw_info;
import io.github.vfio4j.ffm.gen.iommu_hwpt_alloc;
import io.github.vfio4j.ffm.gen.iommu_hwpt_get_dirty_bitmap;
import io.github.vfio4j.ffm.gen.iommu_hwpt_invalidate;
import io.github.vfio4j.ffm.gen.iommu_hwpt_set_dirty_tracking;
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
import io.github.vfio4j.ffm.gen.iommu_hw_queue_alloc;
import io.github.vfio4j.ffm.gen.iommu_vdevice_alloc;
import io.github.vfio4j.ffm.gen.iommu_veventq_alloc;
import io.github.vfio4j.ffm.gen.iommu_vfio_ioas;
import io.github.vfio4j.ffm.gen.iommu_viommu_alloc;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/**
 * An open {@code /dev/iommu}. It answers the ioctls of a container, too, in {@link CompatCalls}, and those that test it in
 * {@link MockCalls}.
 */
final class IommufdFile extends SimFile {
    private interface Ioctl {
        int call(IommufdFile file, SimProcess caller, SizedStruct struct);
    }

    private record Request(GroupLayout layout, long least, Ioctl ioctl) {}

    private static final Map<Integer, Request> REQUESTS = requests();
    /** What Linux 6.12 does not have. */
    private static final Map<Integer, Operation> NEWER = Map.of(
            IOMMU_IOAS_MAP_FILE(), Operation.IOAS_MAP_FILE,
            IOMMU_IOAS_CHANGE_PROCESS(), Operation.IOAS_CHANGE_PROCESS,
            IOMMU_VIOMMU_ALLOC(), Operation.VIOMMU_ALLOC,
            IOMMU_VDEVICE_ALLOC(), Operation.VDEVICE_ALLOC,
            IOMMU_VEVENTQ_ALLOC(), Operation.VEVENTQ_ALLOC,
            IOMMU_HW_QUEUE_ALLOC(), Operation.HW_QUEUE_ALLOC);

    private static final int FIRST_COMMAND = IOMMUFD_CMD_BASE();
    private static final int ACCESS = IOMMU_IOAS_MAP_READABLE() | IOMMU_IOAS_MAP_WRITEABLE();

    final Iommufd iommufd;
    private final SimMachine machine;
    private final CompatCalls compat;

    IommufdFile(SimMachine machine) {
        this.machine = machine;
        this.iommufd = new Iommufd(machine, this);
        this.compat = new CompatCalls(iommufd);
    }

    private static Map<Integer, Request> requests() {
        Map<Integer, Request> requests = new HashMap<>();
        requests.put(
                MockCalls.REQUEST,
                new Request(
                        MockCalls.LAYOUT,
                        MockCalls.LEAST,
                        (file, caller, struct) -> new MockCalls(file.iommufd, caller, struct).call()));
        requests.put(IOMMU_FAULT_QUEUE_ALLOC(), all(iommu_fault_alloc.layout(), IommufdFile::allocFaultQueue));
        requests.put(
                IOMMU_VIOMMU_ALLOC(),
                new Request(iommu_viommu_alloc.layout(), iommu_viommu_alloc.data_len$offset(), ViommuCalls::alloc));
        requests.put(IOMMU_VDEVICE_ALLOC(), all(iommu_vdevice_alloc.layout(), ViommuCalls::allocDevice));
        requests.put(
                IOMMU_VEVENTQ_ALLOC(),
                new Request(
                        iommu_veventq_alloc.layout(), iommu_veventq_alloc.__reserved$offset(), ViommuCalls::allocEventQueue));
        requests.put(IOMMU_HW_QUEUE_ALLOC(), all(iommu_hw_queue_alloc.layout(), ViommuCalls::allocHardwareQueue));
        requests.put(IOMMU_HWPT_INVALIDATE(), all(iommu_hwpt_invalidate.layout(), IommufdFile::invalidate));
        requests.put(IOMMU_DESTROY(), all(iommu_destroy.layout(), IommufdFile::destroy));
        requests.put(IOMMU_IOAS_ALLOC(), all(iommu_ioas_alloc.layout(), IommufdFile::alloc));
        requests.put(IOMMU_IOAS_ALLOW_IOVAS(), all(iommu_ioas_allow_iovas.layout(), IommufdFile::allowIovas));
        requests.put(IOMMU_IOAS_COPY(), all(iommu_ioas_copy.layout(), IommufdFile::copy));
        requests.put(IOMMU_IOAS_IOVA_RANGES(), all(iommu_ioas_iova_ranges.layout(), IommufdFile::iovaRanges));
        requests.put(IOMMU_IOAS_MAP(), all(iommu_ioas_map.layout(), IommufdFile::map));
        requests.put(IOMMU_IOAS_MAP_FILE(), all(iommu_ioas_map_file.layout(), IommufdFile::mapFile));
        requests.put(
                IOMMU_IOAS_CHANGE_PROCESS(),
                all(iommu_ioas_change_process.layout(), IommufdFile::changeProcess));
        requests.put(IOMMU_IOAS_UNMAP(), all(iommu_ioas_unmap.layout(), IommufdFile::unmap));
        requests.put(IOMMU_OPTION(), all(iommu_option.layout(), IommufdFile::option));
        requests.put(IOMMU_VFIO_IOAS(), all(iommu_vfio_ioas.layout(), IommufdFile::vfioIoas));
        requests.put(
                IOMMU_HWPT_ALLOC(),
                new Request(iommu_hwpt_alloc.layout(), iommu_hwpt_alloc.data_type$offset(), IommufdFile::allocHwpt));
        requests.put(
                IOMMU_GET_HW_INFO(),
                new Request(iommu_hw_info.layout(), iommu_hw_info.out_capabilities$offset(), IommufdFile::hwInfo));
        requests.put(
                IOMMU_HWPT_SET_DIRTY_TRACKING(),
                all(iommu_hwpt_set_dirty_tracking.layout(), IommufdFile::setDirtyTracking));
        requests.put(
                IOMMU_HWPT_GET_DIRTY_BITMAP(),
                all(iommu_hwpt_get_dirty_bitmap.layout(), IommufdFile::getDirtyBitmap));
        return requests;
    }

    /** A struct that has been the same from the start. */
    private static Request all(GroupLayout layout, Ioctl ioctl) {
        return new Request(layout, layout.byteSize(), ioctl);
    }

    /** Newer kernels map pages of virtual IOMMUs. */
    @Override
    Vma map(long offset, long length, int prot, boolean shared) {
        if (machine.profile().isBefore(KernelProfile.V7_2)) {
            throw new KernelError(Errno.ENODEV);
        }
        if (!shared) {
            throw new KernelError(Errno.EINVAL);
        }
        return Viommu.map(iommufd, offset, length, prot);
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        machine.kernel().lock();
        try {
            int command = request & 0xff;
            if (command < FIRST_COMMAND || command > lastCommand() && request != MockCalls.REQUEST) {
                return unknown(caller, request, argument);
            }
            int size = argument.readInt(0);
            Request known = REQUESTS.get(request);
            if (known == null) {
                throw new KernelError(Errno.ENOTTY);
            }
            return known.ioctl().call(this, caller, new SizedStruct(argument, known.layout(), known.least(), size));
        } finally {
            machine.kernel().unlock();
        }
    }

    /** A command that is none of an iommufd's, or that this kernel does not have yet. */
    private int unknown(SimProcess caller, int request, UserMemory argument) {
        if (NEWER.containsKey(request)) {
            check(NEWER.get(request), new Facts() {
                @Override
                public boolean operationKnown() {
                    return false;
                }
            });
        }
        return compat.call(caller, request, argument);
    }

    private int lastCommand() {
        boolean older = machine.profile().isBefore(KernelProfile.V7_2);
        return older ? IOMMUFD_CMD_FAULT_QUEUE_ALLOC() : IOMMUFD_CMD_HW_QUEUE_ALLOC();
    }

    private void check(Operation operation, Facts facts) {
        KernelError.check(machine.profile(), operation, facts);
    }

    private static void supported(boolean supported) {
        if (!supported) {
            throw new KernelError(Errno.EOPNOTSUPP);
        }
    }

    /** Refuses a number that no object has. */
    private void known(Operation operation, IommuObject object) {
        check(operation, new Facts() {
            @Override
            public boolean objectKnown() {
                return object != null;
            }
        });
    }

    private int destroy(SimProcess caller, SizedStruct struct) {
        IommuObject object = iommufd.find(iommu_destroy.id(struct.fields)).orElse(null);
        check(Operation.IOMMU_DESTROY, new Facts() {
            @Override
            public boolean objectKnown() {
                return object != null;
            }

            @Override
            public boolean objectInUse() {
                return object.users > 0;
            }
        });
        iommufd.destroy(object);
        return 0;
    }

    // ---- address spaces

    private int alloc(SimProcess caller, SizedStruct struct) {
        supported(iommu_ioas_alloc.flags(struct.fields) == 0);
        Ioas ioas = new Ioas(iommufd);
        iommu_ioas_alloc.out_ioas_id(struct.fields, ioas.id);
        iommufd.tellOf(ioas, struct::write);
        return 0;
    }

    private int iovaRanges(SimProcess caller, SizedStruct struct) {
        supported(iommu_ioas_iova_ranges.__reserved(struct.fields) == 0);
        Ioas ioas = iommufd.find(iommu_ioas_iova_ranges.ioas_id(struct.fields), Ioas.class);
        known(Operation.IOAS_IOVA_RANGES, ioas);
        List<IovaRange> ranges = ioas.ranges();
        long room = Integer.toUnsignedLong(iommu_ioas_iova_ranges.num_iovas(struct.fields));
        UserMemory array = struct.pointer(caller, iommu_ioas_iova_ranges.allowed_iovas(struct.fields));
        long at = 0;
        for (IovaRange range : ranges.subList(0, (int) Math.min(room, ranges.size()))) {
            MemorySegment entry = UserMemory.zeroed(iommu_iova_range.layout());
            iommu_iova_range.start(entry, range.first());
            iommu_iova_range.last(entry, range.last());
            array.write(at, entry, entry.byteSize());
            at += entry.byteSize();
        }
        iommu_ioas_iova_ranges.num_iovas(struct.fields, ranges.size());
        iommu_ioas_iova_ranges.out_iova_alignment(struct.fields, ioas.alignment());
        struct.write();
        check(Operation.IOAS_IOVA_RANGES, new Facts() {
            @Override
            public boolean roomForRanges() {
                return ranges.size() <= room;
            }
        });
        return 0;
    }

    private int allowIovas(SimProcess caller, SizedStruct struct) {
        supported(iommu_ioas_allow_iovas.__reserved(struct.fields) == 0);
        Ioas ioas = iommufd.find(iommu_ioas_allow_iovas.ioas_id(struct.fields), Ioas.class);
        known(Operation.IOAS_ALLOW_IOVAS, ioas);
        long count = Integer.toUnsignedLong(iommu_ioas_allow_iovas.num_iovas(struct.fields));
        UserMemory array = struct.pointer(caller, iommu_ioas_allow_iovas.allowed_iovas(struct.fields));
        List<IovaRange> ranges = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            MemorySegment entry = UserMemory.zeroed(iommu_iova_range.layout());
            array.read(i * entry.byteSize(), entry, entry.byteSize());
            long first = iommu_iova_range.start(entry);
            long last = iommu_iova_range.last(entry);
            if (Long.compareUnsigned(first, last) > 0) {
                last = first; // as wrong as an empty one
            }
            ranges.add(new IovaRange(first, last));
        }
        ioas.allow(ranges);
        return 0;
    }

    // ---- mapping

    private int map(SimProcess caller, SizedStruct struct) {
        MemorySegment map = struct.fields;
        int flags = iommu_ioas_map.flags(map);
        supported(knownMapFlags(flags) && iommu_ioas_map.__reserved(map) == 0);
        long size = iommu_ioas_map.length(map);
        Ioas ioas = iommufd.find(iommu_ioas_map.ioas_id(map), Ioas.class);
        MapRequest request = new MapRequest(iommu_ioas_map.iova(map), size, flags, ioas);
        if (ioas == null) {
            throw refused(Operation.IOAS_MAP, request);
        }
        List<Ioas.Slice> slices =
                DmaPages.all(iommufd, caller, iommu_ioas_map.user_va(map), size, access(flags));
        iommu_ioas_map.iova(map, ioas.map(Operation.IOAS_MAP, request.place(), slices));
        struct.write();
        return 0;
    }

    /** A request that breaks a rule already by what it names. */
    private KernelError refused(Operation operation, Facts request) {
        check(operation, request);
        throw new AssertionError("no rule refuses " + operation);
    }

    private int mapFile(SimProcess caller, SizedStruct struct) {
        MemorySegment map = struct.fields;
        int flags = iommu_ioas_map_file.flags(map);
        supported(knownMapFlags(flags));
        Ioas ioas = iommufd.find(iommu_ioas_map_file.ioas_id(map), Ioas.class);
        SimFile file = caller.files().find(iommu_ioas_map_file.fd(map)).orElse(null);
        long start = iommu_ioas_map_file.start(map);
        long size = iommu_ioas_map_file.length(map);
        MapRequest request = new MapRequest(iommu_ioas_map_file.iova(map), size, flags, ioas) {
            @Override
            public long address() {
                return start;
            }

            @Override
            public boolean namedFileOpen() {
                return file != null;
            }

            @Override
            public boolean dmaBufHasRange() {
                return !(file instanceof DmaBufFile shared) || shared.has(start, size());
            }

            @Override
            public boolean dmaBufOfOnePart() {
                return !(file instanceof DmaBufFile shared) || shared.isOfOnePart();
            }

            @Override
            public boolean dmaBufReachable() {
                return !(file instanceof DmaBufFile shared) || shared.isReachable();
            }
        };
        if (ioas == null || file == null) {
            throw refused(Operation.IOAS_MAP_FILE, request);
        }
        // A file that is no memory is refused when it is to be pinned: at once only where there is a page table.
        List<Ioas.Slice> slices = DmaPages.ofFile(iommufd, caller, file, start, size, access(flags));
        iommu_ioas_map_file.iova(map, ioas.map(Operation.IOAS_MAP_FILE, request.place(), slices));
        struct.write();
        return 0;
    }

    private int copy(SimProcess caller, SizedStruct struct) {
        MemorySegment copy = struct.fields;
        int flags = iommu_ioas_copy.flags(copy);
        supported(knownMapFlags(flags));
        long from = iommu_ioas_copy.src_iova(copy);
        long to = iommu_ioas_copy.dst_iova(copy);
        long size = iommu_ioas_copy.length(copy);
        Ioas source = iommufd.find(iommu_ioas_copy.src_ioas_id(copy), Ioas.class);
        Ioas target = iommufd.find(iommu_ioas_copy.dst_ioas_id(copy), Ioas.class);
        Optional<List<Ioas.Slice>> slices = source == null ? Optional.empty() : source.slices(from, size);
        MapRequest request = new MapRequest(to, size, flags, target) {
            @Override
            public long sourceIova() {
                return from;
            }

            @Override
            public boolean sourceKnown() {
                return source != null;
            }

            @Override
            public boolean sourceMapped() {
                return slices.isPresent();
            }
        };
        if (slices.isEmpty() || target == null) {
            throw refused(Operation.IOAS_COPY, request);
        }
        iommu_ioas_copy.dst_iova(copy, target.map(Operation.IOAS_COPY, request.place(), slices.get()));
        struct.write();
        return 0;
    }

    private static boolean knownMapFlags(int flags) {
        return (flags & ~(IOMMU_IOAS_MAP_FIXED_IOVA() | ACCESS)) == 0;
    }

    private static int access(int flags) {
        return ((flags & IOMMU_IOAS_MAP_READABLE()) != 0 ? IoMapping.READ : 0)
                | ((flags & IOMMU_IOAS_MAP_WRITEABLE()) != 0 ? IoMapping.WRITE : 0);
    }

    /** What is asked for. */
    private static class MapRequest implements Facts {
        private final long iova;
        private final long size;
        private final int flags;
        private final Ioas ioas;

        MapRequest(long iova, long size, int flags, Ioas ioas) {
            this.iova = iova;
            this.size = size;
            this.flags = flags;
            this.ioas = ioas;
        }

        Ioas.Place place() {
            return new Ioas.Place(
                    iova, (flags & IOMMU_IOAS_MAP_FIXED_IOVA()) != 0, IommufdFile.access(flags), this);
        }

        @Override
        public long iova() {
            return iova;
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public boolean accessGiven() {
            return (flags & ACCESS) != 0;
        }

        @Override
        public boolean objectKnown() {
            return ioas != null;
        }
    }

    private int unmap(SimProcess caller, SizedStruct struct) {
        MemorySegment unmap = struct.fields;
        Ioas ioas = iommufd.find(iommu_ioas_unmap.ioas_id(unmap), Ioas.class);
        known(Operation.IOAS_UNMAP, ioas);
        long iova = iommu_ioas_unmap.iova(unmap);
        long size = iommu_ioas_unmap.length(unmap);
        boolean all = iova == 0 && size == -1;
        iommu_ioas_unmap.length(unmap, ioas.unmap(Operation.IOAS_UNMAP, iova, size, all));
        struct.write();
        return 0;
    }

    private int changeProcess(SimProcess caller, SizedStruct struct) {
        supported(iommu_ioas_change_process.__reserved(struct.fields) == 0);
        Set<DmaPages> all = new LinkedHashSet<>();
        iommufd.all(Ioas.class).forEach(ioas -> ioas.areas().forEach(area -> all.add(area.pages)));
        check(Operation.IOAS_CHANGE_PROCESS, new Facts() {
            @Override
            public boolean allMappedByFile() {
                return all.stream().allMatch(DmaPages::ofFile);
            }

            @Override
            public boolean withinMemlock() {
                List<DmaPages> counted =
                        all.stream().filter(pages -> pages.countsForOther(caller)).toList();
                long pinned = counted.stream().mapToLong(DmaPages::pinnedPages).sum();
                return pinned == 0 || counted.stream().allMatch(pages -> pages.withinLimitOf(caller, pinned));
            }
        });
        all.forEach(pages -> pages.changeOwner(caller));
        return 0;
    }

    // ---- options

    private int option(SimProcess caller, SizedStruct struct) {
        MemorySegment option = struct.fields;
        supported(iommu_option.__reserved(option) == 0);
        boolean get = iommu_option.op(option) == IOMMU_OPTION_OP_GET();
        boolean set = iommu_option.op(option) == IOMMU_OPTION_OP_SET();
        int object = iommu_option.object_id(option);
        long value = iommu_option.val64(option);
        if (iommu_option.option_id(option) == IOMMU_OPTION_RLIMIT_MODE()) {
            supported(object == 0 && (get || set));
            if (set) {
                check(Operation.IOMMU_OPTION, new Facts() {
                    @Override
                    public boolean mayRaiseLimits() {
                        return caller.mayRaiseLimits();
                    }

                    @Override
                    public boolean iommufdEmpty() {
                        return iommufd.isEmpty();
                    }

                    @Override
                    public boolean optionValueValid() {
                        return iommu_option.val64(option) == 0 || iommu_option.val64(option) == 1;
                    }
                });
                iommufd.countsByProcess = value == 1;
            }
            value = iommufd.countsByProcess ? 1 : 0;
        } else {
            Ioas ioas = iommufd.find(object, Ioas.class);
            boolean large = iommu_option.option_id(option) == IOMMU_OPTION_HUGE_PAGES();
            supported(large);
            known(Operation.IOMMU_OPTION, ioas);
            supported(get || set);
            if (set) {
                boolean off = value == 0;
                check(Operation.IOMMU_OPTION, new Facts() {
                    @Override
                    public boolean optionValueValid() {
                        return off || iommu_option.val64(option) == 1;
                    }

                    @Override
                    public boolean largePagesUnused() {
                        return ioas.largePagesUnused(off);
                    }

                    @Override
                    public boolean mappingsAligned() {
                        return ioas.worksWithoutLargePages(off);
                    }
                });
                ioas.setLargePages(!off);
            }
            value = ioas.largePages() ? 1 : 0;
        }
        iommu_option.val64(option, value);
        struct.write(iommu_option.val64$offset(), Long.BYTES);
        return 0;
    }

    private int vfioIoas(SimProcess caller, SizedStruct struct) {
        MemorySegment choice = struct.fields;
        supported(iommu_vfio_ioas.__reserved(choice) == 0);
        int operation = iommu_vfio_ioas.op(choice);
        if (operation == IOMMU_VFIO_IOAS_GET()) {
            check(Operation.IOMMU_VFIO_IOAS, new Facts() {
                @Override
                public boolean compatIoasExists() {
                    return iommufd.compat != null;
                }
            });
            iommu_vfio_ioas.ioas_id(choice, iommufd.compat.id);
            struct.write();
        } else if (operation == IOMMU_VFIO_IOAS_SET()) {
            Ioas ioas = iommufd.find(iommu_vfio_ioas.ioas_id(choice), Ioas.class);
            known(Operation.IOMMU_VFIO_IOAS, ioas);
            iommufd.compat = ioas;
        } else {
            supported(operation == IOMMU_VFIO_IOAS_CLEAR());
            iommufd.compat = null;
        }
        return 0;
    }

    // ---- page tables

    private int allocHwpt(SimProcess caller, SizedStruct struct) {
        MemorySegment alloc = struct.fields;
        supported(iommu_hwpt_alloc.__reserved(alloc) == 0);
        boolean typed = iommu_hwpt_alloc.data_type(alloc) != IOMMU_HWPT_DATA_NONE();
        boolean data = iommu_hwpt_alloc.data_len(alloc) != 0;
        if (typed != data) {
            throw new KernelError(Errno.EINVAL);
        }
        int flags = iommu_hwpt_alloc.flags(alloc);
        boolean newer = !machine.profile().isBefore(KernelProfile.V7_2);
        boolean nests = (flags & IOMMU_HWPT_ALLOC_NEST_PARENT()) != 0;
        boolean faults = (flags & IOMMU_HWPT_FAULT_ID_VALID()) != 0;
        boolean tracks = (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING()) != 0;
        boolean pasids = (flags & IOMMU_HWPT_ALLOC_PASID()) != 0;
        BoundDevice device = boundDevice(iommu_hwpt_alloc.dev_id(alloc));
        boolean mock = device instanceof MockDevice;
        int knownFlags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING()
                | (mock ? IOMMU_HWPT_ALLOC_NEST_PARENT() : 0)
                | (newer ? IOMMU_HWPT_ALLOC_PASID() | IOMMU_HWPT_FAULT_ID_VALID() : 0);
        boolean otherFlags = (flags & ~knownFlags) != 0;
        boolean otherNestedFlags =
                (flags & ~(IOMMU_HWPT_FAULT_ID_VALID() | (newer ? IOMMU_HWPT_ALLOC_PASID() : 0))) != 0;
        IommuObject parent = iommufd.find(iommu_hwpt_alloc.pt_id(alloc)).orElse(null);
        FaultQueue queue = iommufd.find(iommu_hwpt_alloc.fault_id(alloc), FaultQueue.class);
        Ioas ioas = parent instanceof Ioas space ? space : null;
        SimIommu iommu = device == null ? null : device.iommu();
        check(Operation.HWPT_ALLOC, new Hwpt.MakeFacts(ioas, iommu) {
            @Override
            public boolean deviceKnown() {
                return device != null;
            }

            @Override
            public boolean objectKnown() {
                return parent != null;
            }

            @Override
            public boolean objectFits() {
                return ioas != null || parent instanceof Hwpt || parent instanceof Viommu && mock;
            }

            @Override
            public boolean pageTableSupported() {
                return ioas == null
                        ? typed && !otherNestedFlags // every driver nests
                        : !otherFlags && !typed && (!tracks || iommu.dirtyTracking()) && !(faults && nests);
            }

            @Override
            public boolean parentMayNest() {
                return !(parent instanceof Hwpt outer) || mock && outer.nests;
            }

            @Override
            public boolean faultQueueKnown() {
                return !faults || queue != null;
            }
        });
        PageTableObject made;
        if (ioas != null) {
            Hwpt table = new Hwpt(ioas, iommu, false, tracks, pasids);
            table.nests = nests;
            made = table;
        } else {
            made = nest(caller, struct, parent);
        }
        if (faults) {
            made.faultsTo(queue);
        }
        iommu_hwpt_alloc.out_hwpt_id(alloc, made.id);
        iommufd.tellOf(made, struct::write);
        return 0;
    }

    /** A device that the IOMMU knows; null if none has this number. */
    BoundDevice boundDevice(int id) {
        BoundDevice device = iommufd.find(id, BoundDevice.class);
        return device == null || device.iommu() == null ? null : device;
    }

    private NestedHwpt nest(SimProcess caller, SizedStruct struct, IommuObject parent) {
        MemorySegment alloc = struct.fields;
        supported(iommu_hwpt_alloc.data_type(alloc) == MockCalls.HWPT_DATA);
        long known = machine.profile().isBefore(KernelProfile.V7_2) ? Integer.BYTES : 2 * Integer.BYTES;
        UserMemory memory = struct.pointer(caller, iommu_hwpt_alloc.data_uptr(alloc));
        long given = Integer.toUnsignedLong(iommu_hwpt_alloc.data_len(alloc));
        MemorySegment data = MockCalls.data(memory, given, Integer.BYTES, known);
        return new NestedHwpt(parent, data.get(ValueLayout.JAVA_INT, 0));
    }

    private int allocFaultQueue(SimProcess caller, SizedStruct struct) {
        supported(iommu_fault_alloc.flags(struct.fields) == 0);
        FaultQueue queue = new FaultQueue(iommufd);
        iommu_fault_alloc.out_fault_id(struct.fields, queue.id);
        iommufd.tellOf(queue, () -> openQueue(caller, struct, iommu_fault_alloc.out_fault_fd$offset(), queue::open));
        return 0;
    }

    /** Gives a new queue's file to the program, once that knows its numbers. */
    static void openQueue(SimProcess caller, SizedStruct struct, long fdOffset, Supplier<QueueFile> open) {
        int fd = caller.files().reserve();
        struct.fields.set(ValueLayout.JAVA_INT, fdOffset, fd);
        Undo.unless(
                () -> {
                    struct.write();
                    caller.files().install(fd, open.get());
                },
                () -> caller.files().cancel(fd));
    }

    private int invalidate(SimProcess caller, SizedStruct struct) {
        MemorySegment fields = struct.fields;
        int done = 0;
        try {
            supported(iommu_hwpt_invalidate.__reserved(fields) == 0);
            int number = iommu_hwpt_invalidate.entry_num(fields);
            long length = Integer.toUnsignedLong(iommu_hwpt_invalidate.entry_len(fields));
            if (number != 0 && (iommu_hwpt_invalidate.data_uptr(fields) == 0 || length == 0 || length > Memory.PAGE)) {
                throw new KernelError(Errno.EINVAL);
            }
            IommuObject object = iommufd.find(iommu_hwpt_invalidate.hwpt_id(fields)).orElse(null);
            if (object instanceof Viommu viommu) {
                try {
                    ViommuCalls.invalidate(viommu, caller, struct);
                } finally {
                    done = iommu_hwpt_invalidate.entry_num(fields);
                }
                return 0;
            }
            if (!(object instanceof NestedHwpt nested)) {
                boolean older = machine.profile().isBefore(KernelProfile.V7_2);
                throw new KernelError(object == null || older ? Errno.ENOENT : Errno.EINVAL);
            }
            if (iommu_hwpt_invalidate.data_type(fields) != MockCalls.INVALIDATE_DATA) {
                throw new KernelError(Errno.EINVAL);
            }
            UserMemory array = struct.pointer(caller, iommu_hwpt_invalidate.data_uptr(fields));
            for (; done < number; done++) {
                UserMemory entry = new UserMemory(0, array.slice(done * length));
                MemorySegment request = MockCalls.data(entry, length, 2L * Integer.BYTES, 2L * Integer.BYTES);
                int flags = request.get(ValueLayout.JAVA_INT, 0);
                supported((flags & ~1) == 0);
                if (!nested.forget(request.get(ValueLayout.JAVA_INT, Integer.BYTES), flags != 0)) {
                    throw new KernelError(Errno.EINVAL);
                }
            }
        } finally {
            iommu_hwpt_invalidate.entry_num(fields, done);
            struct.write();
        }
        return 0;
    }

    private int hwInfo(SimProcess caller, SizedStruct struct) {
        MemorySegment info = struct.fields;
        boolean newer = !machine.profile().isBefore(KernelProfile.V7_2);
        int flags = iommu_hw_info.flags(info);
        boolean asked = newer && flags == IOMMU_HW_INFO_FLAG_INPUT_TYPE();
        supported(flags == 0 || asked);
        BoundDevice device = boundDevice(iommu_hw_info.dev_id(info));
        check(Operation.GET_HW_INFO, new Facts() {
            @Override
            public boolean deviceKnown() {
                return device != null;
            }
        });
        supported(!asked || iommu_hw_info.in_data_type(info) == IOMMU_HW_INFO_TYPE_NONE());
        int room = iommu_hw_info.data_len(info);
        if (room != 0) { // the simulated IOMMU tells no more
            struct.pointer(caller, iommu_hw_info.data_uptr(info)).write(0, UserMemory.zeroed(room), room);
        }
        iommu_hw_info.data_len(info, 0);
        iommu_hw_info.out_data_type(info, IOMMU_HW_INFO_TYPE_NONE());
        iommu_hw_info.out_max_pasid_log2(info, (byte) 0);
        int noAts = newer ? IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED() : 0; // no model translates addresses itself
        iommu_hw_info.out_capabilities(info, device.iommu().dirtyTracking() ? noAts | IOMMU_HW_CAP_DIRTY_TRACKING() : noAts);
        struct.write();
        return 0;
    }

    private int setDirtyTracking(SimProcess caller, SizedStruct struct) {
        int flags = iommu_hwpt_set_dirty_tracking.flags(struct.fields);
        supported((flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE()) == 0);
        Hwpt table = iommufd.find(iommu_hwpt_set_dirty_tracking.hwpt_id(struct.fields), Hwpt.class);
        check(Operation.HWPT_SET_DIRTY_TRACKING, new TableFacts(table));
        table.track(flags != 0);
        return 0;
    }

    private int getDirtyBitmap(SimProcess caller, SizedStruct struct) {
        MemorySegment get = struct.fields;
        int flags = iommu_hwpt_get_dirty_bitmap.flags(get);
        supported((flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR()) == 0
                && iommu_hwpt_get_dirty_bitmap.__reserved(get) == 0);
        Hwpt table = iommufd.find(iommu_hwpt_get_dirty_bitmap.hwpt_id(get), Hwpt.class);
        long iova = iommu_hwpt_get_dirty_bitmap.iova(get);
        long size = iommu_hwpt_get_dirty_bitmap.length(get);
        long pageSize = iommu_hwpt_get_dirty_bitmap.page_size(get);
        check(Operation.HWPT_GET_DIRTY_BITMAP, new TableFacts(table) {
            @Override
            public long iova() {
                return iova;
            }

            @Override
            public long size() {
                return size;
            }

            @Override
            public boolean dirtyRangeAligned() {
                long ends = iova | iova + size;
                return pageSize != 0 && (ends & table.ioas.alignment() - 1) == 0 && (ends & pageSize - 1) == 0;
            }
        });
        UserMemory bitmap = struct.pointer(caller, iommu_hwpt_get_dirty_bitmap.data(get));
        for (long page : table.dirtyPages(iova, size, flags == 0)) {
            long bit = (page - iova) / pageSize;
            MemorySegment octet = UserMemory.zeroed(Byte.BYTES);
            octet.fill((byte) (bitmap.readByte(bit / Byte.SIZE) | 1 << bit % Byte.SIZE));
            bitmap.write(bit / Byte.SIZE, octet, Byte.BYTES);
        }
        return 0;
    }

    /** What rules ask of a page table that is named. */
    private static class TableFacts implements Facts {
        private final Hwpt table;

        TableFacts(Hwpt table) {
            this.table = table;
        }

        @Override
        public boolean objectKnown() {
            return table != null;
        }

        @Override
        public boolean dirtyTrackingSupported() {
            return table.tracksDirtyPages;
        }
    }

    @Override
    DeviceNumber deviceNumber() {
        return DeviceNumber.IOMMUFD;
    }

    @Override
    void release() {
        machine.kernel().lock();
        try {
            iommufd.end();
        } finally {
            machine.kernel().unlock();
        }
    }

    @Override
    public String toString() {
        return "/dev/iommu";
    }
}
