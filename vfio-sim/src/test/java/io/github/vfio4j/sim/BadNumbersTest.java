package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.github.vfio4j.Access;
import io.github.vfio4j.AddressSpace;
import io.github.vfio4j.Binder;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceRequest;
import io.github.vfio4j.DirtyBitmap;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.DmaFile;
import io.github.vfio4j.DmaSlice;
import io.github.vfio4j.FaultQueue;
import io.github.vfio4j.Features;
import io.github.vfio4j.GraphicsPlane;
import io.github.vfio4j.Hwpt;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Irq;
import io.github.vfio4j.KvmUser;
import io.github.vfio4j.MigrationStream;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PageSize;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Region;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.Rule;
import io.github.vfio4j.SpaprTceV2;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.Viommu;
import io.github.vfio4j.VirtualEventQueue;
import io.github.vfio4j.VirtualEventType;
import io.github.vfio4j.Waiter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Numbers that mean nothing are refused: negative, misaligned, beyond the end, and so large that a sum overflows; and so is
 * memory that the kernel cannot write. Nothing is sent that changes anything, and nothing is opened, mapped or pinned.
 */
@Timeout(60)
class BadNumbersTest {
    private static final long PAGE = LiveHandles.PAGE;
    private static final long TOP = -PAGE; // the last page of all addresses
    private static final long MOST = Long.MAX_VALUE;
    private static final long MOST_PAGES = MOST & -PAGE;
    private static final long FREE = 0x10_0000; // nothing is mapped there
    private static final int LAST = Integer.MAX_VALUE;

    /**
     * Questions that change nothing: limits of an IOMMU, configuration space, the presence of a feature, a request; and
     * whether a descriptor is one.
     */
    private static final Set<String> QUESTIONS =
            Set.of("ioctl 0x3b70", "ioctl 0x3b84", "pread", "ioctl 0x3b75", "read", "dup");

    private static final LiveHandles LIVE = new LiveHandles();
    private static final MemorySegment FOUR_BYTES = Arena.ofAuto().allocate(4);

    private record Bad(String what, ThrowingCallable call, Class<?> refusal, Optional<Rule> rule) {
        @Override
        public String toString() {
            return what;
        }
    }

    private static final class Table {
        final List<Bad> rows = new ArrayList<>();

        /** It is an argument that is wrong whatever the state. */
        void argument(String what, ThrowingCallable call) {
            rows.add(new Bad(what, call, IllegalArgumentException.class, Optional.empty()));
        }

        /** It is beyond what there is. */
        void index(String what, ThrowingCallable call) {
            rows.add(new Bad(what, call, IndexOutOfBoundsException.class, Optional.empty()));
        }

        /** A rule says so. */
        void rule(Rule rule, String what, ThrowingCallable call) {
            rows.add(new Bad(what, call, VfioException.class, Optional.of(rule)));
        }

        /** The library or the kernel finds nothing. */
        void notFound(String what, ThrowingCallable call) {
            rows.add(new Bad(what, call, VfioException.class, Optional.empty()));
        }
    }

    @AfterAll
    static void end() {
        LIVE.close();
    }

    @ParameterizedTest(name = "{0} is refused")
    @MethodSource({"groups", "addressSpaces", "dirtyPages", "regions", "configurationSpace", "interrupts", "times", "others"})
    void isRefused(Bad bad) {
        List<String> before = LIVE.held();
        LIVE.newCalls();
        Throwable refusal = catchThrowable(bad.call);
        assertThat(refusal).as(bad.what).isInstanceOf(bad.refusal);
        assertThat(refusal.getMessage()).as(bad.what).isNotBlank();
        if (refusal instanceof VfioException e) {
            bad.rule.ifPresent(rule -> assertThat(e.rule()).as(bad.what).contains(rule));
        }
        assertThat(LIVE.newCalls()).as(bad.what).allMatch(QUESTIONS::contains);
        assertThat(LIVE.held()).as(bad.what).isEqualTo(before);
    }

    /** What takes a number and has rows here, unless it says where else. */
    private static final Set<String> IN_THE_TABLES = Set.of(
            "AddressSpace.allocate(long, Access)",
            "AddressSpace.allocate(long, Access, PageSize)",
            "AddressSpace.allocateAt(long, long, Access)",
            "AddressSpace.allocateAt(long, long, Access, PageSize)",
            "AddressSpace.allocateWithin(IovaRange, long, Access)",
            "AddressSpace.allocateWithin(IovaRange, long, Access, PageSize)",
            "AddressSpace.mapAt(long, MemorySegment, Access)",
            "AddressSpace.unmap(long, long)",
            "Binder.members(int)",
            "Binder.reservedRegions(int)",
            "Binder.setVirtualFunctions(PciAddress, int)",
            "Device.attachPasid(int, Hwpt)",
            "Device.detachPasid(int)",
            "Device.iommuHardware(int)",
            "Device.irq(int)",
            "Device.region(int)",
            "DirtyBitmap.isDirty(long)",
            "DirtyBitmap.nextDirty(long)",
            "DirtyBitmap.word(int)",
            "DirtyTracking.read(long, long)",
            "DmaLogging.report(long, long)", // FeaturesTest of vfio-api: no simulated device logs its DMA
            "DmaBuffer.offsetOf(long)",
            "DmaBuffer.slice(long, long)",
            "Features.startDmaLogging(long, List)",
            "Interrupts.add(int, int)",
            "Interrupts.get(int)",
            "Interrupts.trigger(int, boolean[])",
            "NestedHwpt.changed(long, long, boolean)", // IommufdTest of vfio-api: no simulated IOMMU nests page tables
            "Ioas.copyAt(long, DmaBuffer, Access)",
            "Ioas.mapAt(long, DmaFile, Access)",
            "Irq.enable(int, int)",
            "IovaRange.ofBits(int)",
            "KvmUser.setSpaprTce(int)",
            "PciConfig.capability(int)",
            "PciConfig.read16(int)",
            "PciConfig.read32(int)",
            "PciConfig.read8(int)",
            "PciConfig.write16(int, int)",
            "PciConfig.write32(int, int)",
            "PciConfig.write8(int, int)",
            "Region.ioEventFd(long, int, long)",
            "Region.map(long, long)",
            "Region.read(long, MemorySegment)",
            "Region.write(long, MemorySegment)",
            "RegionInfo.mappable(long, long)",
            "SpaprTce.unmap(long, long)",
            "SpaprTceV2.createWindow(long, long, int)",
            "Type1.unmap(long, long)",
            "Vfio.adoptKvmVm(int)",
            "Vfio.kvmSupport(int)",
            "Viommu.addDevice(Device, long)", // VirtualIommuKernelTest: a guest numbers its devices as it likes
            "Viommu.allocateEventQueue(VirtualEventType, int)",
            "Viommu.allocateHardwareQueue(int, long, long)",
            "Vfio.createDmaFile(long)",
            "Vfio.createDmaFile(long, PageSize)",
            "Vfio.groupMembers(int)",
            "Vfio.openGroup(int)",
            "Vfio.openGroup(int, Path)",
            "Vfio.openUnsafeNoIommuGroup(int)",
            "new IovaRange(long, long)",
            "new PciAddress(int, int, int, int)");

    /** The other records hold what a kernel said, whatever it was, and MmioTest and DmaSliceTest of vfio-api have all accesses. */
    private static boolean isElsewhere(Executable member) {
        boolean checked = member.getDeclaringClass() == PciAddress.class || member.getDeclaringClass() == IovaRange.class;
        return member instanceof Constructor && member.getDeclaringClass().isRecord() && !checked
                || member.getDeclaringClass() == Mmio.class
                || member.getDeclaringClass() == DmaSlice.class;
    }

    @Test
    void everyMethodThatTakesANumberIsInATable() {
        assertThat(PublicApi.members().stream()
                        .filter(member -> Arrays.stream(member.getParameterTypes())
                                .anyMatch(type -> type == int.class || type == long.class))
                        .filter(member -> !isElsewhere(member))
                        .map(PublicApi::name))
                .containsExactlyInAnyOrderElementsOf(IN_THE_TABLES);
    }

    @Test
    void whatIsNowhereIsNotThere() {
        RegionInfo region = LIVE.the(Region.class, LiveHandles.BY_GROUP).info();
        assertThat(region.mappable(0, region.size())).isTrue();
        for (long[] part : new long[][] {{-1, 1}, {0, 0}, {0, -1}, {0, MOST}, {MOST, MOST}, {Long.MIN_VALUE, PAGE}}) {
            assertThat(region.mappable(part[0], part[1])).as("0x%x from 0x%x on", part[1], part[0]).isFalse();
        }
        PciConfig config = LIVE.the(PciConfig.class, "");
        assertThat(config.capability(PciConfig.Capability.MSIX)).isPresent();
        for (int id : new int[] {-1, 256, 256 + PciConfig.Capability.MSIX, Integer.MIN_VALUE, LAST}) {
            assertThat(config.capability(id)).as("capability %d", id).isEmpty();
        }
    }

    @Test
    void aTimeLongerThanAnyClockCountsIsForever() throws Exception {
        Duration forever = Duration.ofSeconds(Long.MAX_VALUE, 999_999_999);
        CompletableFuture<DeviceRequest> asked = new CompletableFuture<>();
        try (SimMachine machine = SimMachine.builder()
                        .device(LiveHandles.FIRST, new TestModel(4, 0), 26, SimMachine.VFIO_PCI)
                        .build();
                Vfio vfio = machine.open();
                Device device = vfio.openDevice(LiveHandles.FIRST)) {
            Interrupt interrupt = device.irq(PciIrq.MSIX).enable().get(0);
            interrupt.trigger();
            assertThat(interrupt.await(forever)).isEqualTo(1);
            device.onRequest(forever, asked::complete);
            CompletableFuture<Void> unbinding = CompletableFuture.runAsync(() -> machine.unbind(LiveHandles.FIRST));
            DeviceRequest request = asked.get(60, TimeUnit.SECONDS);
            assertThat(request.deadline()).isEqualTo(Instant.MAX);
            assertThat(unbinding).isNotDone();
            request.device().close();
            unbinding.get(60, TimeUnit.SECONDS);
        }
    }

    static List<Bad> groups() {
        Vfio vfio = LIVE.the(Vfio.class, "");
        Binder binder = LIVE.the(Binder.class, "");
        Table table = new Table();
        for (int number : new int[] {-1, Integer.MIN_VALUE}) {
            table.argument("opening group " + number, () -> vfio.openGroup(number));
            table.argument("opening group %d by a path".formatted(number), () -> vfio.openGroup(number, Path.of("/dev/null")));
            table.argument("opening unsafe group " + number, () -> vfio.openUnsafeNoIommuGroup(number));
            table.argument("listing the members of group " + number, () -> vfio.groupMembers(number));
            table.argument("listing the members and drivers of group " + number, () -> binder.members(number));
            table.argument("listing the reserved regions of group " + number, () -> binder.reservedRegions(number));
            table.notFound("adopting descriptor " + number, () -> vfio.adoptKvmVm(number));
            table.notFound("asking descriptor " + number, () -> vfio.kvmSupport(number));
            table.argument("making %d virtual functions".formatted(number), () -> binder.setVirtualFunctions(LiveHandles.FIRST, number));
        }
        for (int number : new int[] {1, LAST}) {
            table.rule(Rule.SRIOV_TOTAL, "making %d virtual functions where there can be none".formatted(number), () -> binder.setVirtualFunctions(LiveHandles.FIRST, number));
        }
        table.notFound("listing the members of a group that is not there", () -> vfio.groupMembers(LAST));
        table.notFound("listing the members and drivers of a group that is not there", () -> binder.members(LAST));
        table.notFound("listing the reserved regions of a group that is not there", () -> binder.reservedRegions(LAST));
        return table.rows;
    }

    static List<Bad> addressSpaces() {
        Table table = new Table();
        addressSpace(table, LiveHandles.BY_GROUP, Rule.MAP_SIZE, Rule.MAP_ALIGNED, Rule.MAP_WRAP, Rule.MAP_RANGE, Rule.MAP_OVERLAP);
        addressSpace(
                table,
                LiveHandles.BY_IOMMUFD,
                Rule.IOAS_MAP_SIZE,
                Rule.IOAS_MAP_IOVA_ALIGNED,
                Rule.IOAS_MAP_WRAP,
                Rule.IOAS_MAP_RANGE,
                Rule.IOAS_MAP_OVERLAP);
        for (String way : List.of(LiveHandles.BY_POWER_V1, LiveHandles.BY_POWER_V2)) {
            addressSpace(table, way, Rule.MAP_SIZE, Rule.MAP_ALIGNED, Rule.MAP_WRAP, Rule.MAP_RANGE, Rule.MAP_OVERLAP);
        }
        for (String way : List.of(LiveHandles.BY_GROUP, LiveHandles.BY_POWER_V1, LiveHandles.BY_POWER_V2)) {
            AddressSpace space = LIVE.the(AddressSpace.class, way);
            table.rule(Rule.UNMAP_IOVA_ALIGNED, "unmapping at a misaligned IOVA " + way, () -> space.unmap(FREE + 1, PAGE));
            table.rule(Rule.UNMAP_SIZE_ALIGNED, "unmapping a misaligned size " + way, () -> space.unmap(FREE, 1));
            table.rule(Rule.UNMAP_SIZE_ALIGNED, "unmapping nothing " + way, () -> space.unmap(FREE, 0));
            table.rule(Rule.UNMAP_WRAP, "unmapping over the top " + way, () -> space.unmap(TOP, 2 * PAGE));
            table.rule(Rule.UNMAP_WRAP, "unmapping a negative size " + way, () -> space.unmap(FREE, -PAGE));
        }
        SpaprTceV2 power = LIVE.the(SpaprTceV2.class, "");
        for (long size : new long[] {0, -1, 3 * PAGE, PAGE / 2, MOST}) {
            table.argument("a window of %d bytes".formatted(size), () -> power.createWindow(PAGE, size, 1));
            table.argument("a window with pages of %d bytes".formatted(size), () -> power.createWindow(size, 1L << 40, 1));
        }
        for (int levels : new int[] {0, -1, 2, LAST}) {
            table.argument("a window with %d levels".formatted(levels), () -> power.createWindow(PAGE, 1L << 40, levels));
        }
        table.argument("a table that is no descriptor", () -> LIVE.the(KvmUser.class, "").setSpaprTce(-1));
        Ioas ioas = LIVE.the(Ioas.class, "");
        table.rule(Rule.IOAS_UNMAP_SIZE, "unmapping nothing of an iommufd", () -> ioas.unmap(FREE, 0));
        table.rule(Rule.IOAS_UNMAP_WRAP, "unmapping over the top of an iommufd", () -> ioas.unmap(TOP, 2 * PAGE));
        table.rule(Rule.IOAS_UNMAP_WRAP, "unmapping a negative size of an iommufd", () -> ioas.unmap(FREE, -PAGE));
        DmaBuffer buffer = LIVE.the(DmaBuffer.class, LiveHandles.BY_IOMMUFD);
        table.notFound("copying to a misaligned IOVA", () -> ioas.copyAt(FREE + 1, buffer, Access.READ));
        table.notFound("copying to the top", () -> ioas.copyAt(TOP, buffer, Access.READ));
        Device bound = LIVE.the(Device.class, LiveHandles.BY_IOMMUFD);
        Hwpt hwpt = LIVE.the(Hwpt.class, "");
        for (int pasid : new int[] {-1, Integer.MIN_VALUE, 1 << 20, LAST}) {
            table.argument("attaching PASID " + pasid, () -> bound.attachPasid(pasid, hwpt));
            table.argument("detaching PASID " + pasid, () -> bound.detachPasid(pasid));
        }
        table.argument("what the IOMMU is as type -1", () -> bound.iommuHardware(-1));
        table.argument("what the IOMMU is as the lowest type", () -> bound.iommuHardware(Integer.MIN_VALUE));
        DmaFile file = LIVE.the(DmaFile.class, "");
        table.rule(Rule.IOAS_MAP_IOVA_ALIGNED, "mapping a file at a misaligned IOVA", () -> ioas.mapAt(FREE + 1, file, Access.READ));
        table.rule(Rule.IOAS_MAP_RANGE, "mapping a file at the top", () -> ioas.mapAt(TOP, file, Access.READ));
        table.rule(Rule.IOAS_MAP_FILE_LIMIT, "mapping a file at the last byte", () -> ioas.mapAt(-1, file, Access.READ));
        table.notFound("copying to where it is", () -> ioas.copyAt(buffer.iova(), buffer, Access.READ));
        return table.rows;
    }

    private static void addressSpace(Table table, String way, Rule empty, Rule aligned, Rule wraps, Rule outside, Rule overlaps) {
        AddressSpace space = LIVE.the(AddressSpace.class, way);
        DmaBuffer buffer = LIVE.the(DmaBuffer.class, way);
        for (long bytes : new long[] {-1, Long.MIN_VALUE, MOST, MOST / 2 + 1}) {
            table.argument("allocating %d bytes %s".formatted(bytes, way), () -> space.allocate(bytes, Access.READ));
            table.argument(
                    "allocating %d bytes at an IOVA %s".formatted(bytes, way), () -> space.allocateAt(FREE, bytes, Access.READ));
            for (PageSize pages : PageSize.values()) {
                table.argument(
                        "allocating %d bytes of %s %s".formatted(bytes, pages, way),
                        () -> space.allocate(bytes, Access.READ, pages));
                table.argument(
                        "allocating %d bytes of %s at an IOVA %s".formatted(bytes, pages, way),
                        () -> space.allocateAt(FREE, bytes, Access.READ, pages));
                table.argument(
                        "allocating %d bytes of %s in a range %s".formatted(bytes, pages, way),
                        () -> space.allocateWithin(IovaRange.ofBits(32), bytes, Access.READ, pages));
            }
            table.argument(
                    "allocating %d bytes in a range %s".formatted(bytes, way),
                    () -> space.allocateWithin(IovaRange.ofBits(32), bytes, Access.READ));
        }
        for (int bits : new int[] {0, -1, 65, Integer.MIN_VALUE, LAST}) {
            table.argument("IOVAs of %d bits %s".formatted(bits, way), () -> IovaRange.ofBits(bits));
        }
        for (long iova : new long[] {buffer.iova() - 1, buffer.iova() + buffer.size(), -1, Long.MIN_VALUE}) {
            table.index("IOVA 0x%x in a buffer %s".formatted(iova, way), () -> buffer.offsetOf(iova));
        }
        table.index("slicing before the start " + way, () -> buffer.slice(-8, 8));
        table.index("slicing over the end " + way, () -> buffer.slice(PAGE - 8, 16));
        table.index("slicing beyond the end " + way, () -> buffer.slice(2 * PAGE, 0));
        table.index("slicing a negative size " + way, () -> buffer.slice(0, -8));
        table.index("slicing more than there can be " + way, () -> buffer.slice(8, Long.MAX_VALUE));
        table.argument("slicing at a misaligned offset " + way, () -> buffer.slice(4, 8));
        table.rule(empty, "allocating nothing " + way, () -> space.allocate(0, Access.READ));
        table.rule(empty, "allocating nothing at an IOVA " + way, () -> space.allocateAt(FREE, 0, Access.READ));
        table.rule(
                empty, "allocating nothing in a range " + way, () -> space.allocateWithin(IovaRange.ofBits(32), 0, Access.READ));
        table.notFound(
                "allocating where a range has no place " + way,
                () -> space.allocateWithin(new IovaRange(1, 4 * PAGE), PAGE, Access.READ));
        table.notFound(
                "allocating at the very top " + way,
                () -> space.allocateWithin(new IovaRange(-1, -1), PAGE, Access.READ, PageSize.HUGE_2M));
        table.notFound("allocating more than all IOVAs " + way, () -> space.allocate(MOST / 2, Access.READ));
        table.rule(outside, "allocating more than all IOVAs at one " + way, () -> space.allocateAt(FREE, MOST / 2, Access.READ));
        table.notFound(
                "allocating more huge pages than all IOVAs " + way,
                () -> space.allocate(MOST / 2, Access.READ, PageSize.HUGE_1G));
        MemorySegment page = LIVE.the(DmaBuffer.class, way).segment();
        table.rule(aligned, "mapping at a misaligned IOVA " + way, () -> space.mapAt(FREE + 1, page, Access.READ));
        table.rule(outside, "mapping at the top " + way, () -> space.mapAt(TOP - PAGE, page, Access.READ));
        table.rule(overlaps, "mapping where something is " + way, () -> space.mapAt(buffer.iova(), page, Access.READ));
        table.rule(empty, "mapping nothing " + way, () -> space.mapAt(FREE, page.asSlice(0, 0), Access.READ));
        table.rule(aligned, "allocating at a misaligned IOVA " + way, () -> space.allocateAt(FREE + 1, PAGE, Access.READ));
        table.rule(wraps, "allocating over the top " + way, () -> space.allocateAt(TOP, 2 * PAGE, Access.READ));
        table.rule(outside, "allocating at the top " + way, () -> space.allocateAt(TOP - PAGE, PAGE, Access.READ));
        table.rule(overlaps, "allocating where something is " + way, () -> space.allocateAt(buffer.iova(), PAGE, Access.READ));
    }

    static List<Bad> dirtyPages() {
        Table table = new Table();
        for (String way : List.of(LiveHandles.BY_GROUP, LiveHandles.BY_IOMMUFD)) {
            DirtyTracking tracking = LIVE.the(DirtyTracking.class, way);
            table.notFound("dirty pages of a misaligned IOVA " + way, () -> tracking.read(FREE + 1, PAGE));
            table.notFound("dirty pages of a misaligned size " + way, () -> tracking.read(FREE, 1));
            table.notFound("dirty pages of nothing " + way, () -> tracking.read(FREE, 0));
            table.notFound("dirty pages over the top " + way, () -> tracking.read(TOP, 2 * PAGE));
        }
        DirtyTracking type1 = LIVE.the(DirtyTracking.class, LiveHandles.BY_GROUP);
        DirtyTracking hwpt = LIVE.the(DirtyTracking.class, LiveHandles.BY_IOMMUFD);
        for (long size : new long[] {-PAGE, Long.MIN_VALUE, MOST_PAGES}) {
            table.notFound("dirty pages of 0x%x bytes by a group".formatted(size), () -> type1.read(0, size));
            table.argument("dirty pages of 0x%x bytes by an iommufd".formatted(size), () -> hwpt.read(0, size));
        }
        DirtyBitmap bitmap = LIVE.the(DirtyBitmap.class, "");
        for (long page : new long[] {-1, Long.MIN_VALUE, bitmap.pages(), MOST}) {
            table.index("page %d of a bitmap".formatted(page), () -> bitmap.isDirty(page));
        }
        for (long page : new long[] {-1, -64, -65, Long.MIN_VALUE}) {
            table.index("the next dirty page from %d on".formatted(page), () -> bitmap.nextDirty(page));
        }
        table.index("word -1 of a bitmap", () -> bitmap.word(-1));
        table.index("the word behind a bitmap", () -> bitmap.word(bitmap.words()));
        return table.rows;
    }

    static List<Bad> regions() {
        Region region = LIVE.the(Region.class, LiveHandles.BY_GROUP);
        long size = region.info().size();
        Table table = new Table();
        table.rule(Rule.REGION_PAGE, "mapping at a misaligned offset", () -> region.map(1, PAGE));
        for (long offset : new long[] {-PAGE, Long.MIN_VALUE, size, MOST_PAGES}) {
            table.rule(Rule.REGION_MAPPABLE, "mapping at offset 0x%x".formatted(offset), () -> region.map(offset, PAGE));
        }
        for (long bytes : new long[] {0, -1, -PAGE, Long.MIN_VALUE, size + 1, MOST}) {
            table.rule(Rule.REGION_MAPPABLE, "mapping 0x%x bytes".formatted(bytes), () -> region.map(0, bytes));
            table.rule(Rule.REGION_MAPPABLE, "mapping 0x%x bytes from a page on".formatted(bytes), () -> region.map(PAGE, bytes == size + 1 ? size : bytes));
        }
        for (long offset : new long[] {-1, Long.MIN_VALUE, size - 3, size, MOST}) {
            table.index("reading at 0x%x".formatted(offset), () -> region.read(offset, FOUR_BYTES));
            table.index("writing at 0x%x".formatted(offset), () -> region.write(offset, FOUR_BYTES));
            table.rule(Rule.IOEVENTFD_INSIDE, "an eventfd at 0x%x".formatted(offset), () -> region.ioEventFd(offset, 4, 1));
        }
        MemorySegment array = MemorySegment.ofArray(new byte[4]);
        table.argument("reading into a Java array", () -> region.read(0, array));
        table.argument("writing from a Java array", () -> region.write(0, array));
        table.argument("reading into memory that can only be read", () -> region.read(0, FOUR_BYTES.asReadOnly()));
        MigrationStream stream = LIVE.the(MigrationStream.class, "");
        ByteBuffer unwritable = ByteBuffer.allocate(8).asReadOnlyBuffer();
        table.argument("reading the state of a device into a buffer that can only be read", () -> stream.read(unwritable));
        for (int width : new int[] {-1, 0, 3, 16, Integer.MIN_VALUE, LAST}) {
            table.argument("an eventfd for a register of %d bytes".formatted(width), () -> region.ioEventFd(0, width, 1));
        }
        Device device = LIVE.the(Device.class, LiveHandles.BY_GROUP);
        for (int index : new int[] {-1, Integer.MIN_VALUE, device.info().regions(), LAST}) {
            table.index("region " + index, () -> device.region(index));
        }
        table.argument("region -1 with a picture", () -> new GraphicsPlane.InRegion(-1));
        Features features = LIVE.the(Features.class, LiveHandles.BY_GROUP);
        for (RegionInfo.Area part : List.of(
                new RegionInfo.Area(-PAGE, PAGE),
                new RegionInfo.Area(0, 0),
                new RegionInfo.Area(0, -PAGE),
                new RegionInfo.Area(1, PAGE),
                new RegionInfo.Area(size, PAGE),
                new RegionInfo.Area(PAGE, size),
                new RegionInfo.Area(PAGE, MOST_PAGES),
                new RegionInfo.Area(MOST_PAGES, PAGE))) {
            table.notFound("sharing " + part, () -> features.exportDmaBuf(region, List.of(part)));
        }
        return table.rows;
    }

    static List<Bad> configurationSpace() {
        PciConfig config = LIVE.the(PciConfig.class, "");
        int size = (int) LIVE.the(Device.class, LiveHandles.BY_GROUP).region(7).info().size();
        Table table = new Table();
        for (int offset : new int[] {-1, Integer.MIN_VALUE, size, LAST}) {
            table.index("8 bits of configuration space at " + offset, () -> config.read8(offset));
            table.index("16 bits of configuration space at " + offset, () -> config.read16(offset));
            table.index("32 bits of configuration space at " + offset, () -> config.read32(offset));
            table.index("writing 8 bits of configuration space at " + offset, () -> config.write8(offset, 0));
            table.index("writing 16 bits of configuration space at " + offset, () -> config.write16(offset, 0));
            table.index("writing 32 bits of configuration space at " + offset, () -> config.write32(offset, 0));
        }
        table.index("16 bits over the end of configuration space", () -> config.read16(size - 1));
        table.index("32 bits over the end of configuration space", () -> config.read32(size - 3));
        table.index("writing over the end of configuration space", () -> config.write32(size - 3, 0));
        return table.rows;
    }

    static List<Bad> interrupts() {
        Device device = LIVE.the(Device.class, LiveHandles.BY_IOMMUFD);
        Irq disabled = device.irq(PciIrq.MSIX);
        int count = disabled.info().count();
        Table table = new Table();
        for (int number : new int[] {0, -1, Integer.MIN_VALUE}) {
            table.argument("enabling %d interrupts".formatted(number), () -> disabled.enable(0, number));
        }
        for (int number : new int[] {count + 1, LAST}) {
            table.rule(Rule.SET_IRQS_RANGE, "enabling %d interrupts".formatted(number), () -> disabled.enable(0, number));
            table.rule(Rule.SET_IRQS_RANGE, "enabling %d interrupts from 1 on".formatted(number), () -> disabled.enable(1, number));
        }
        for (int start : new int[] {-1, Integer.MIN_VALUE, count, LAST}) {
            table.rule(Rule.SET_IRQS_RANGE, "enabling interrupt " + start, () -> disabled.enable(start, 1));
            table.rule(Rule.SET_IRQS_RANGE, "enabling all from %d on".formatted(start), () -> disabled.enable(start, LAST));
            table.rule(
                    Rule.SET_IRQS_RANGE,
                    "enabling the request interrupt from %d on, which the library watches".formatted(start),
                    () -> device.irq(PciIrq.REQ).enable(start, 1));
        }
        table.argument("enabling no request interrupt, which the library watches", () -> device.irq(PciIrq.REQ).enable(0, 0));
        Interrupts enabled = LIVE.the(Interrupts.class, LiveHandles.BY_GROUP);
        for (int number : new int[] {0, -1, Integer.MIN_VALUE}) {
            table.argument("adding %d interrupts".formatted(number), () -> enabled.add(2, number));
        }
        for (int start : new int[] {-1, Integer.MIN_VALUE, count, LAST}) {
            table.rule(Rule.SET_IRQS_RANGE, "adding interrupt " + start, () -> enabled.add(start, 1));
            table.rule(Rule.SET_IRQS_RANGE, "adding all from %d on".formatted(start), () -> enabled.add(start, LAST));
            table.index("interrupt " + start, () -> enabled.get(start));
            table.index("triggering interrupt " + start, () -> enabled.trigger(start, true));
            table.index("triggering two from %d on".formatted(start), () -> enabled.trigger(start, true, true));
        }
        table.argument("adding what is enabled", () -> enabled.add(1, 1));
        table.index("triggering what is not enabled", () -> enabled.trigger(1, false, true));
        for (int index : new int[] {-1, Integer.MIN_VALUE, device.info().irqs(), LAST}) {
            table.index("interrupt index " + index, () -> device.irq(index));
        }
        return table.rows;
    }

    static List<Bad> times() {
        Table table = new Table();
        Interrupt interrupt = LIVE.the(Interrupt.class, LiveHandles.BY_GROUP);
        Waiter waiter = LIVE.the(Waiter.class, "");
        Device device = LIVE.the(Device.class, LiveHandles.BY_GROUP);
        Binder binder = LIVE.the(Binder.class, "");
        FaultQueue faults = LIVE.the(FaultQueue.class, "");
        VirtualEventQueue events = LIVE.the(VirtualEventQueue.class, "");
        for (Duration time : List.of(Duration.ofNanos(-1), Duration.ofSeconds(Long.MIN_VALUE))) {
            table.argument("waiting for an interrupt for " + time, () -> interrupt.await(time));
            table.argument("waiting for interrupts for " + time, () -> waiter.await(time, (_, _) -> {}));
            table.argument("waiting for page faults for " + time, () -> faults.await(time));
            table.argument("waiting for virtual events for " + time, () -> events.await(time));
            table.argument("giving a device back within " + time, () -> device.onRequest(time, _ -> {}));
            table.argument("binding within " + time, () -> binder.bind(LiveHandles.FREE, time));
        }
        table.argument("binding nothing", () -> binder.bind(List.of(), Duration.ZERO));
        return table.rows;
    }

    static List<Bad> others() {
        Table table = new Table();
        Viommu viommu = LIVE.the(Viommu.class, "");
        for (int number : new int[] {-1, Integer.MIN_VALUE}) {
            table.rule(Rule.VEVENTQ_DEPTH, "a queue of %d events".formatted(number), () -> viommu.allocateEventQueue(
                    VirtualEventType.TEGRA241_CMDQV, number));
            table.argument("hardware queue " + number, () -> viommu.allocateHardwareQueue(number, FREE, PAGE));
        }
        table.rule(Rule.VEVENTQ_DEPTH, "a queue of no events", () -> viommu.allocateEventQueue(VirtualEventType.TEGRA241_CMDQV, 0));
        table.rule(Rule.HW_QUEUE_SIZE, "a hardware queue without memory", () -> viommu.allocateHardwareQueue(1, FREE, 0));
        table.rule(Rule.HW_QUEUE_WRAP, "a hardware queue beyond the top", () -> viommu.allocateHardwareQueue(1, TOP, 2 * PAGE));
        table.rule(Rule.HW_QUEUE_ORDER, "a hardware queue far off", () -> viommu.allocateHardwareQueue(LAST, FREE, PAGE));
        for (int part : new int[] {-1, Integer.MIN_VALUE, 256, LAST}) {
            table.argument("bus " + part, () -> new PciAddress(0, part, 0, 0));
        }
        for (int part : new int[] {-1, Integer.MIN_VALUE, 32, LAST}) {
            table.argument("slot " + part, () -> new PciAddress(0, 0, part, 0));
        }
        for (int part : new int[] {-1, Integer.MIN_VALUE, 8, LAST}) {
            table.argument("function " + part, () -> new PciAddress(0, 0, 0, part));
        }
        table.argument("a range that ends before it starts", () -> new IovaRange(1, 0));
        table.argument("a range that wraps", () -> new IovaRange(TOP, 0));
        Vfio vfio = LIVE.the(Vfio.class, "");
        for (long bytes : new long[] {0, -1, Long.MIN_VALUE, MOST, MOST / 2 + 1}) {
            table.argument("a file of %d bytes".formatted(bytes), () -> vfio.createDmaFile(bytes));
            table.argument("a file of %d bytes in huge pages".formatted(bytes), () -> vfio.createDmaFile(bytes, PageSize.HUGE_2M));
        }
        for (String address : List.of("", "@", "x".repeat(200), "@" + "x".repeat(200), "a\0b")) {
            table.argument("listening at '%s'".formatted(address.replace('\0', '0')), () -> vfio.listen(address));
            table.argument("connecting to '%s'".formatted(address.replace('\0', '0')), () -> vfio.connect(address));
        }
        Features features = LIVE.the(Features.class, LiveHandles.BY_GROUP);
        for (long page : new long[] {0, -1, 3, PAGE + 1, Long.MIN_VALUE, MOST}) {
            table.argument("a log with pages of %d bytes".formatted(page), () -> features.startDmaLogging(page, List.of()));
        }
        return table.rows;
    }
}
