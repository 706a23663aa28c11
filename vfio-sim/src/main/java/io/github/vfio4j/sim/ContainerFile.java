package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_bitmap;
import io.github.vfio4j.ffm.gen.vfio_info_cap_header;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dirty_bitmap;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dirty_bitmap_get;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dma_map;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_dma_unmap;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info_cap_iova_range;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info_cap_migration;
import io.github.vfio4j.ffm.gen.vfio_iommu_type1_info_dma_avail;
import io.github.vfio4j.ffm.gen.vfio_iova_range;
import io.github.vfio4j.ffm.uapi.UapiExtras;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** An open {@code /dev/vfio/vfio}. */
final class ContainerFile extends SimFile {
    /** The IOMMU driver is asked once there is one. */
    private interface Type1Ioctl {
        int call(ContainerFile file, SimProcess caller, Type1Iommu iommu, UserMemory argument);
    }

    private record Type1Request(Operation operation, Type1Ioctl ioctl) {}

    private static final Map<Integer, Type1Request> TYPE1_REQUESTS = Map.of(
            VFIO_IOMMU_GET_INFO(), new Type1Request(Operation.IOMMU_GET_INFO, ContainerFile::getInfo),
            VFIO_IOMMU_MAP_DMA(), new Type1Request(Operation.IOMMU_MAP_DMA, ContainerFile::mapDma),
            VFIO_IOMMU_UNMAP_DMA(), new Type1Request(Operation.IOMMU_UNMAP_DMA, ContainerFile::unmapDma),
            VFIO_IOMMU_DIRTY_PAGES(), new Type1Request(Operation.IOMMU_DIRTY_PAGES, ContainerFile::dirtyPages));

    private static final long MAX_DIRTY_BITMAP = 1 << 28; // DIRTY_BITMAP_SIZE_MAX of vfio_iommu_type1.c

    final VfioContainer container = new VfioContainer();
    private final SimMachine machine;

    ContainerFile(SimMachine machine) {
        this.machine = machine;
    }

    @Override
    int ioctl(SimProcess caller, int request, UserMemory argument) {
        machine.kernel().lock();
        try {
            if (request == VFIO_GET_API_VERSION()) {
                return VFIO_API_VERSION();
            }
            if (request == VFIO_CHECK_EXTENSION()) {
                return checkExtension(argument.value());
            }
            if (request == VFIO_SET_IOMMU()) {
                return setIommu(caller, argument.value());
            }
            Type1Request known = TYPE1_REQUESTS.get(request);
            Type1Iommu iommu = container.iommu().orElse(null);
            if (iommu == null) {
                throw withoutIommu(known);
            }
            if (known == null) {
                throw new KernelError(Errno.ENOTTY);
            }
            return known.ioctl().call(this, caller, iommu, argument);
        } finally {
            machine.kernel().unlock();
        }
    }

    /** Refuses what only an IOMMU could answer; which rule says so, if the request is known. */
    private KernelError withoutIommu(Type1Request known) {
        if (known == null) {
            return new KernelError(container.iommuSet() ? Errno.ENOTTY : Errno.EINVAL);
        }
        KernelError.check(machine.profile(), known.operation(), new Facts() {
            @Override
            public boolean iommuSet() {
                return container.iommuSet();
            }

            @Override
            public boolean dmaTranslated() {
                return false;
            }
        });
        throw new AssertionError("no rule keeps " + known.operation() + " from a container without an IOMMU");
    }

    // ---- VFIO_CHECK_EXTENSION

    /** Asks the driver that is set, else all that fit the groups. */
    private int checkExtension(long extension) {
        boolean empty = container.groups().isEmpty();
        boolean noIommu = container.holdsOnly(GroupType.NO_IOMMU);
        boolean known = (empty || !noIommu) && type1Knows(extension) || (empty || noIommu) && noIommuKnows(extension);
        return known ? 1 : 0;
    }

    private boolean type1Knows(long extension) {
        Optional<Type1Iommu> iommu = container.iommu();
        return extension == VFIO_TYPE1_IOMMU()
                || extension == VFIO_TYPE1v2_IOMMU()
                || extension == VFIO_UNMAP_ALL()
                || extension == VFIO_UPDATE_VADDR() && iommu.isPresent() && !iommu.get().hasEmulatedGroup()
                || extension == VFIO_DMA_CC_IOMMU() && iommu.isPresent() && iommu.get().coherent()
                || extension == UapiExtras.VFIO_TYPE1_NESTING_IOMMU && hasNesting();
    }

    private boolean noIommuKnows(long extension) {
        return extension == VFIO_NOIOMMU_IOMMU() && machine.noIommuAllowed();
    }

    /** Older kernels offer the type, and an IOMMU without it refuses. */
    private boolean hasNesting() {
        return machine.profile().isBefore(KernelProfile.V7_2);
    }

    // ---- VFIO_SET_IOMMU

    private int setIommu(SimProcess caller, long type) {
        boolean noIommu = container.holdsOnly(GroupType.NO_IOMMU);
        boolean nesting = type == UapiExtras.VFIO_TYPE1_NESTING_IOMMU && hasNesting();
        // A type1 v2 IOMMU where there is none that could refuse to nest.
        boolean nothingToNest = nesting && container.holdsOnly(GroupType.EMULATED);
        boolean type1 = !noIommu && (type == VFIO_TYPE1_IOMMU() || type == VFIO_TYPE1v2_IOMMU() || nothingToNest);
        boolean onlyAsked = !noIommu && !type1 && (type == VFIO_UNMAP_ALL() || nesting);
        Type1Iommu made = type1 ? new Type1Iommu(machine, type != VFIO_TYPE1_IOMMU(), nesting) : null;
        Consumer<Facts> check = joining -> KernelError.check(machine.profile(), Operation.SET_IOMMU, new AttachFacts(() -> joining) {
            @Override
            public int groupsInContainer() {
                return container.groups().size();
            }

            @Override
            public boolean iommuSet() {
                return container.iommuSet();
            }

            @Override
            public boolean iommuTypeSupported() {
                return type1 || onlyAsked || noIommu && noIommuKnows(type);
            }

            @Override
            public boolean iommuTypeOpens() {
                return !onlyAsked;
            }

            @Override
            public boolean groupTranslated() {
                return !noIommu;
            }

            @Override
            public boolean mayDoRawIo() {
                return caller.mayDoRawIo();
            }
        });
        if (!type1 || container.groups().isEmpty()) {
            check.accept(new Facts() {});
        }
        if (type1) {
            for (VfioGroup group : container.groups()) { // one after the other: the first that does not fit decides
                check.accept(made.joining(group.iommuGroup(), caller));
                made.attach(group.iommuGroup());
            }
            container.setIommu(made);
        } else {
            container.setNoIommu();
        }
        return 0;
    }

    // ---- VFIO_IOMMU_GET_INFO

    private int getInfo(SimProcess caller, Type1Iommu iommu, UserMemory argument) {
        long capOffset = vfio_iommu_type1_info.cap_offset$offset();
        InfoStruct info = new InfoStruct(argument, vfio_iommu_type1_info.layout(), capOffset);
        vfio_iommu_type1_info.flags(info.fields, VFIO_IOMMU_INFO_PGSIZES() | VFIO_IOMMU_INFO_CAPS());
        vfio_iommu_type1_info.iova_pgsizes(info.fields, iommu.pageSizes());
        info.write(machine.profile(), capOffset, capabilities(iommu));
        return 0;
    }

    private static MemorySegment[] capabilities(Type1Iommu iommu) {
        MemorySegment migration = UserMemory.zeroed(vfio_iommu_type1_info_cap_migration.layout());
        header(migration, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION());
        vfio_iommu_type1_info_cap_migration.pgsize_bitmap(migration, Long.lowestOneBit(iommu.pageSizes()));
        vfio_iommu_type1_info_cap_migration.max_dirty_bitmap_size(migration, MAX_DIRTY_BITMAP);

        MemorySegment available = UserMemory.zeroed(vfio_iommu_type1_info_dma_avail.layout());
        header(available, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL());
        vfio_iommu_type1_info_dma_avail.avail(available, iommu.mappingsLeft());

        int count = iommu.ranges().size();
        if (count == 0) { // no group behind an IOMMU
            return new MemorySegment[] {migration, available};
        }
        MemorySegment ranges = UserMemory.zeroed(
                vfio_iommu_type1_info_cap_iova_range.sizeof() + count * vfio_iova_range.sizeof());
        header(ranges, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE());
        vfio_iommu_type1_info_cap_iova_range.nr_iovas(ranges, count);
        long offset = vfio_iommu_type1_info_cap_iova_range.iova_ranges$offset();
        for (IovaRange range : iommu.ranges()) {
            MemorySegment entry = ranges.asSlice(offset, vfio_iova_range.sizeof());
            vfio_iova_range.start(entry, range.first());
            vfio_iova_range.end(entry, range.last());
            offset += vfio_iova_range.sizeof();
        }
        return new MemorySegment[] {migration, available, ranges};
    }

    private static void header(MemorySegment capability, int id) {
        vfio_info_cap_header.id(capability, (short) id);
        vfio_info_cap_header.version(capability, (short) 1);
    }

    // ---- VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA

    private int mapDma(SimProcess caller, Type1Iommu iommu, UserMemory argument) {
        MemorySegment map = new InfoStruct(argument, vfio_iommu_type1_dma_map.layout()).fields;
        int flags = vfio_iommu_type1_dma_map.flags(map);
        int access = VFIO_DMA_MAP_FLAG_READ() | VFIO_DMA_MAP_FLAG_WRITE();
        checkFlags(flags, access | VFIO_DMA_MAP_FLAG_VADDR());
        long iova = vfio_iommu_type1_dma_map.iova(map);
        long address = vfio_iommu_type1_dma_map.vaddr(map);
        long size = vfio_iommu_type1_dma_map.size(map);
        if ((flags & VFIO_DMA_MAP_FLAG_VADDR()) != 0) {
            iommu.giveAddress(caller, iova, address, size, flags & access);
        } else {
            iommu.map(caller, iova, address, size, flags & access);
        }
        return 0;
    }

    private int unmapDma(SimProcess caller, Type1Iommu iommu, UserMemory argument) {
        long least = vfio_iommu_type1_dma_unmap.data$offset();
        InfoStruct unmap = new InfoStruct(argument, vfio_iommu_type1_dma_unmap.layout(), least);
        int flags = vfio_iommu_type1_dma_unmap.flags(unmap.fields);
        int dirty = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP();
        int all = VFIO_DMA_UNMAP_FLAG_ALL();
        int addressOnly = VFIO_DMA_UNMAP_FLAG_VADDR();
        checkFlags(flags, dirty | all | addressOnly);
        BitmapRequest bitmap = null;
        if ((flags & dirty) != 0 && (flags & (all | addressOnly)) == 0) {
            checkRoom(unmap.argsz() - least, vfio_bitmap.sizeof());
            MemorySegment wanted = UserMemory.zeroed(vfio_bitmap.layout());
            argument.read(least, wanted, wanted.byteSize());
            bitmap = BitmapRequest.of(caller, argument, wanted);
        }
        long size = iommu.unmap(
                vfio_iommu_type1_dma_unmap.iova(unmap.fields),
                vfio_iommu_type1_dma_unmap.size(unmap.fields),
                new Type1Iommu.Unmap((flags & all) != 0, (flags & addressOnly) != 0, (flags & dirty) != 0, bitmap));
        vfio_iommu_type1_dma_unmap.size(unmap.fields, size);
        unmap.write();
        return 0;
    }

    // ---- VFIO_IOMMU_DIRTY_PAGES

    private int dirtyPages(SimProcess caller, Type1Iommu iommu, UserMemory argument) {
        DirtyRequest request = new DirtyRequest(iommu, argument);
        KernelError.check(machine.profile(), Operation.IOMMU_DIRTY_PAGES, request);
        int flags = request.flags();
        if (flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START() || flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP()) {
            iommu.trackDirtyPages(flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START());
            return 0;
        }
        checkRoom(request.room(), vfio_iommu_type1_dirty_bitmap_get.sizeof());
        MemorySegment range = UserMemory.zeroed(vfio_iommu_type1_dirty_bitmap_get.layout());
        argument.read(DirtyRequest.RANGE, range, range.byteSize());
        iommu.tellDirtyPages(
                vfio_iommu_type1_dirty_bitmap_get.iova(range),
                vfio_iommu_type1_dirty_bitmap_get.size(range),
                BitmapRequest.of(caller, argument, vfio_iommu_type1_dirty_bitmap_get.bitmap(range)));
        return 0;
    }

    /** The argument of VFIO_IOMMU_DIRTY_PAGES. It is not read where the IOMMU tracks none. */
    private static final class DirtyRequest implements Facts {
        static final long RANGE = vfio_iommu_type1_dirty_bitmap.data$offset();

        private final Type1Iommu iommu;
        private final UserMemory argument;
        private InfoStruct struct;

        DirtyRequest(Type1Iommu iommu, UserMemory argument) {
            this.iommu = iommu;
            this.argument = argument;
        }

        private InfoStruct struct() {
            if (struct == null) {
                struct = new InfoStruct(argument, vfio_iommu_type1_dirty_bitmap.layout(), RANGE);
                checkFlags(
                        flags(),
                        VFIO_IOMMU_DIRTY_PAGES_FLAG_START()
                                | VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP()
                                | VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP());
            }
            return struct;
        }

        int flags() {
            return vfio_iommu_type1_dirty_bitmap.flags(struct().fields);
        }

        /** Bytes behind the header. */
        long room() {
            return struct().argsz() - RANGE;
        }

        @Override
        public boolean type1V2() {
            return iommu.isV2();
        }

        @Override
        public boolean dirtyActionValid() {
            return Integer.bitCount(flags()) == 1;
        }
    }

    private static void checkFlags(int flags, int known) {
        if ((flags & ~known) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
    }

    private static void checkRoom(long room, long needed) {
        if (room < needed) {
            throw new KernelError(Errno.EINVAL);
        }
    }

    @Override
    DeviceNumber deviceNumber() {
        return DeviceNumber.CONTAINER;
    }

    @Override
    void release() {
        // Groups in the container keep it, its IOMMU and its mappings.
    }

    @Override
    public String toString() {
        return "/dev/vfio/vfio";
    }
}
