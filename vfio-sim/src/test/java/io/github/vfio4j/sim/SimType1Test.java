package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The type1 IOMMU: its limits, mapping, unmapping by both versions, accounting. */
class SimType1Test {
    private static final PciAddress DEVICE = PciAddress.parse("0000:01:00.0");
    private static final long PAGE = 4096;
    private static final int READ_WRITE = READ | WRITE;

    private SimMachine machine;
    private RawProcess p;
    private int container;
    private int group;

    SimType1Test() {
        use(KernelProfile.V7_2, TYPE1V2);
    }

    private void use(KernelProfile kernel, int type) {
        use(SimMachine.builder().kernel(kernel), type);
    }

    private void use(SimMachine.Builder builder, int type) {
        machine = builder.device(DEVICE, new TestModel()).build();
        p = RawProcess.on(machine);
        container = p.openContainer();
        group = p.openGroup(0);
        check(p.setContainer(group, container));
        check(p.setIommu(container, type));
    }

    // ---- VFIO_IOMMU_GET_INFO

    @ParameterizedTest
    @EnumSource
    void infoCarriesAChainOfCapabilities(KernelProfile kernel) {
        use(kernel, TYPE1V2);
        boolean padded = !kernel.isBefore(KernelProfile.V6_12);
        MemorySegment info = p.memory(256);
        info.set(INT, 0, 256);
        assertThat(p.ioctl(container, IOMMU_GET_INFO, info)).isZero();
        assertThat(info.get(INT, 0)).isEqualTo(256);
        assertThat(info.get(INT, 4)).isEqualTo(3); // PGSIZES, CAPS
        assertThat(info.get(LONG, 8)).isEqualTo(0x4020_1000L);
        int migration = info.get(INT, 16);
        assertThat(migration).isEqualTo(24);
        assertThat(info.get(SHORT, migration)).isEqualTo((short) 2);
        assertThat(info.get(LONG, migration + 16)).isEqualTo(PAGE);
        assertThat(info.get(LONG, migration + 24)).isEqualTo(1L << 28);
        int available = info.get(INT, migration + 4);
        assertThat(available).isEqualTo(56);
        assertThat(info.get(SHORT, available)).isEqualTo((short) 3);
        assertThat(info.get(INT, available + 8)).isEqualTo(65535);
        int ranges = info.get(INT, available + 4);
        assertThat(ranges).isEqualTo(padded ? 72 : 68); // Linux 6.1 does not pad
        assertThat(info.get(SHORT, ranges)).isEqualTo((short) 1);
        assertThat(info.get(INT, ranges + 4)).isZero();
        assertThat(info.get(INT, ranges + 8)).isEqualTo(2);
        assertThat(info.get(LONG, ranges + 16)).isZero();
        assertThat(info.get(LONG, ranges + 24)).isEqualTo(0xfedf_ffffL);
        assertThat(info.get(LONG, ranges + 32)).isEqualTo(0xfef0_0000L);
        assertThat(info.get(LONG, ranges + 40)).isEqualTo(0x7f_ffff_ffffL);
    }

    @ParameterizedTest
    @EnumSource
    void aShortBufferIsToldTheSizeThatIsNeeded(KernelProfile kernel) {
        use(kernel, TYPE1V2);
        int needed = kernel.isBefore(KernelProfile.V6_12) ? 116 : 120;
        MemorySegment info = p.memory(256);
        info.set(INT, 0, needed - 1);
        assertThat(p.ioctl(container, IOMMU_GET_INFO, info)).isZero();
        assertThat(info.get(INT, 0)).isEqualTo(needed);
        assertThat(info.get(INT, 4)).isEqualTo(3);
        assertThat(info.get(INT, 16)).isZero();
        assertThat(info.get(LONG, 24)).isZero(); // no capability was written
        assertThat(p.ioctl(container, IOMMU_GET_INFO, info)).isZero();
        assertThat(info.get(INT, 16)).isEqualTo(24);
    }

    @Test
    void infoWritesNoMoreThanItWasGiven() {
        MemorySegment info = p.memory(24);
        info.fill((byte) -1);
        info.set(INT, 0, 16);
        assertThat(p.ioctl(container, IOMMU_GET_INFO, info)).isZero();
        assertThat(info.get(LONG, 8)).isEqualTo(0x4020_1000L);
        assertThat(info.get(LONG, 16)).isEqualTo(-1);
    }

    @Test
    void infoChecksItsArgument() {
        assertThat(p.ioctl(container, IOMMU_GET_INFO, p.memory(15))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(container, IOMMU_GET_INFO, p.ints(15, 0, 0, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(container, IOMMU_GET_INFO, p.ints(256, 0, 0, 0))).isEqualTo(-EFAULT); // the chain has no room
    }

    // ---- VFIO_IOMMU_MAP_DMA

    @Test
    void mappingChecksItsArgument() {
        assertThat(p.ioctl(container, IOMMU_MAP_DMA, p.memory(31))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(container, IOMMU_MAP_DMA, p.ints(31, READ, 0, 0, 0, 0, 4096, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(container, IOMMU_MAP_DMA, p.ints(32, 8, 0, 0, 0, 0, 4096, 0))).isEqualTo(-EINVAL);
    }

    @ParameterizedTest
    @EnumSource
    void whatIsNoRangeIsRefused(KernelProfile kernel) {
        use(kernel, TYPE1V2);
        long memory = p.mmap(4 * PAGE);
        int wrap = kernel == KernelProfile.V7_2 ? EOVERFLOW : EINVAL;
        assertThat(p.map(container, 0x1000, memory, 0, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, -PAGE, memory, 2 * PAGE, READ)).isEqualTo(-wrap);
        assertThat(p.map(container, 0x1000, -PAGE, 2 * PAGE, READ)).isEqualTo(-wrap);
        assertThat(p.map(container, -PAGE + 1, memory, 2 * PAGE, 0)).isEqualTo(-wrap); // wraps before all else
        assertThat(p.map(container, 0x1001, memory, PAGE, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, 0x1000, memory + 1, PAGE, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, 0x1000, memory, PAGE + 1, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, 0x1000, memory, PAGE, 0)).isEqualTo(-EINVAL);
    }

    @Test
    void mappingsDoNotOverlap() {
        long memory = p.mmap(8 * PAGE);
        assertThat(p.map(container, 0x10000, memory, 2 * PAGE, READ_WRITE)).isZero();
        assertThat(p.map(container, 0x10000, memory, 2 * PAGE, READ_WRITE)).isEqualTo(-EEXIST);
        assertThat(p.map(container, 0x11000, memory, PAGE, READ)).isEqualTo(-EEXIST);
        assertThat(p.map(container, 0xf000, memory, 2 * PAGE, READ)).isEqualTo(-EEXIST);
        assertThat(p.map(container, 0xf000, memory, 4 * PAGE, READ)).isEqualTo(-EEXIST);
        assertThat(p.map(container, 0xf000, memory, PAGE, READ)).isZero();
        assertThat(p.map(container, 0x12000, memory, PAGE, READ)).isZero(); // the same memory twice is fine
    }

    @Test
    void aMappingLiesInOneRange() {
        long memory = p.mmap(4 * PAGE);
        assertThat(p.map(container, 0xfedf_f000L, memory, PAGE, READ)).isZero();
        assertThat(p.map(container, 0xfee0_0000L, memory, PAGE, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, 0xfedf_e000L, memory, PAGE, READ)).isZero();
        assertThat(p.map(container, 0xfeef_f000L, memory, 2 * PAGE, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, 0x7f_ffff_f000L, memory, PAGE, READ)).isZero();
        assertThat(p.map(container, 0x80_0000_0000L, memory, PAGE, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, -PAGE, memory, PAGE, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, 0, memory, PAGE, READ)).isZero();
    }

    @Test
    void theBudgetIsCountedDownAndUp() {
        use(SimMachine.builder().dmaEntryLimit(2), TYPE1V2);
        long memory = p.mmap(PAGE);
        assertThat(p.map(container, 0x1000, memory, PAGE, READ)).isZero();
        assertThat(p.map(container, 0x2000, memory, PAGE, READ)).isZero();
        assertThat(p.map(container, 0x3000, memory, PAGE, READ)).isEqualTo(-ENOSPC);
        assertThat(p.map(container, 0x2000, memory, PAGE, READ)).isEqualTo(-EEXIST); // the overlap is looked at first
        assertThat(p.map(container, 0xfee0_0000L, memory, PAGE, READ)).isEqualTo(-ENOSPC); // and the range later
        assertThat(p.unmap(container, 0x1000, PAGE)).isEqualTo(PAGE);
        assertThat(p.map(container, 0x3000, memory, PAGE, READ)).isZero();
    }

    @Test
    void whatIsNotMappedInTheProgramCannotBePinned() {
        long memory = p.mmap(2 * PAGE);
        assertThat(p.map(container, 0x1000, 0, PAGE, READ)).isEqualTo(-EFAULT);
        assertThat(p.map(container, 0x1000, memory, 64 * PAGE, READ)).isEqualTo(-EFAULT);
        check(p.munmap(memory + PAGE, PAGE));
        assertThat(p.map(container, 0x1000, memory, 2 * PAGE, READ)).isEqualTo(-EFAULT);
        assertThat(p.map(container, 0x1000, memory, PAGE, READ)).isZero();
        assertThat(p.process.pinnedBytes()).isEqualTo(PAGE);
    }

    @Test
    void aDeviceMayNotWriteWhatTheProgramMayOnlyRead() {
        long readOnly = p.mmap(PAGE, Syscalls.PROT_READ);
        long none = p.mmap(PAGE, 0);
        assertThat(p.map(container, 0x1000, readOnly, PAGE, WRITE)).isEqualTo(-EFAULT);
        assertThat(p.map(container, 0x1000, readOnly, PAGE, READ)).isZero();
        assertThat(p.map(container, 0x2000, none, PAGE, READ)).isEqualTo(-EFAULT);
    }

    @Test
    void memoryOfABarCanBeMappedAndIsNotCounted() {
        int device = check(p.deviceFd(group, DEVICE.toString()));
        long bar = p.mmapFile(device, 0, 2 * PAGE);
        assertThat(p.map(container, 0x1000, bar, 2 * PAGE, READ_WRITE)).isZero();
        assertThat(p.process.pinnedBytes()).isZero();
    }

    // ---- locked memory

    @Test
    void anUnprivilegedProcessPinsUpToItsLimit() {
        SimMachine small = SimMachine.builder()
                .memlockLimit(4 * PAGE)
                .device(DEVICE, new TestModel())
                .build();
        small.allowGroup(0);
        RawProcess user = new RawProcess(small.startUnprivilegedProcess());
        int c = user.openContainer();
        check(user.setContainer(user.openGroup(0), c));
        check(user.setIommu(c, TYPE1V2));
        long memory = user.mmap(8 * PAGE);
        assertThat(user.map(c, 0x10000, memory, 5 * PAGE, READ)).isEqualTo(-ENOMEM);
        assertThat(user.map(c, 0x10000, memory, 3 * PAGE, READ)).isZero();
        assertThat(user.map(c, 0x20000, memory, 2 * PAGE, READ)).isEqualTo(-ENOMEM); // counted for each mapping
        assertThat(user.map(c, 0x20000, memory, PAGE, READ)).isZero();
        assertThat(user.process.pinnedBytes()).isEqualTo(4 * PAGE);
        // A bad page before the limit is EFAULT, one behind it is never reached.
        assertThat(user.unmap(c, 0x20000, PAGE)).isEqualTo(PAGE);
        assertThat(user.map(c, 0x20000, memory + 7 * PAGE, 2 * PAGE, READ)).isEqualTo(-EFAULT);
        assertThat(user.map(c, 0x20000, memory + 6 * PAGE, 3 * PAGE, READ)).isEqualTo(-ENOMEM);
        assertThat(user.unmap(c, 0x10000, 3 * PAGE)).isEqualTo(3 * PAGE);
        assertThat(user.process.pinnedBytes()).isZero();
    }

    @Test
    void rootPinsWithoutALimit() {
        use(SimMachine.builder().memlockLimit(0), TYPE1V2);
        assertThat(p.map(container, 0x10000, p.mmap(16 * PAGE), 16 * PAGE, READ)).isZero();
        assertThat(p.process.pinnedBytes()).isEqualTo(16 * PAGE);
    }

    // ---- VFIO_IOMMU_UNMAP_DMA

    @Test
    void unmappingChecksItsArgument() {
        assertThat(p.ioctl(container, IOMMU_UNMAP_DMA, p.memory(23))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(container, IOMMU_UNMAP_DMA, p.ints(23, 0, 0, 0, 4096, 0))).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0, PAGE, 8)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0, PAGE, 1)).isEqualTo(-EINVAL); // no room for a bitmap
        assertThat(p.unmap(container, 0, 0, 1 | UNMAP_ALL)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0, 0, 1 | UNMAP_VADDR)).isEqualTo(-EINVAL);
    }

    @ParameterizedTest
    @EnumSource
    void whatIsNoRangeIsNotUnmapped(KernelProfile kernel) {
        use(kernel, TYPE1V2);
        int wrap = kernel == KernelProfile.V7_2 ? EOVERFLOW : EINVAL;
        assertThat(p.unmap(container, 0x1000, 0)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0x1001, PAGE)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0x1000, PAGE + 1)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, -PAGE, 2 * PAGE)).isEqualTo(-wrap);
        assertThat(p.unmap(container, -PAGE + 1, 2 * PAGE)).isEqualTo(-EINVAL); // unlike a map, aligned before wrapping
    }

    @ParameterizedTest
    @ValueSource(ints = {TYPE1, TYPE1V2})
    void unmappingSaysHowMuchItUnmapped(int type) {
        use(KernelProfile.V7_2, type);
        long memory = p.mmap(8 * PAGE);
        check(p.map(container, 0x10000, memory, 2 * PAGE, READ));
        check(p.map(container, 0x20000, memory, 3 * PAGE, READ));
        assertThat(p.unmap(container, 0x30000, PAGE)).isZero(); // nothing there
        assertThat(p.unmap(container, 0, 0x40000)).isEqualTo(5 * PAGE); // several, with holes
        assertThat(p.unmap(container, 0, 0x40000)).isZero();
        assertThat(p.process.pinnedBytes()).isZero();
    }

    @Test
    void version2CutsNoMapping() {
        long memory = p.mmap(4 * PAGE);
        check(p.map(container, 0x10000, memory, 4 * PAGE, READ));
        assertThat(p.unmap(container, 0x10000, PAGE)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0x13000, PAGE)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0x11000, PAGE)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0xf000, 2 * PAGE)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0x13000, 2 * PAGE)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0xf000, 6 * PAGE)).isEqualTo(4 * PAGE);
    }

    @Test
    void version1RemovesEntirelyWhatStartsInTheRange() {
        use(KernelProfile.V7_2, TYPE1);
        long memory = p.mmap(4 * PAGE);
        check(p.map(container, 0x10000, memory, 4 * PAGE, READ));
        assertThat(p.unmap(container, 0x10000, PAGE)).isEqualTo(4 * PAGE);
    }

    @Test
    void version1StopsAtWhatStartsBeforeTheRange() {
        use(KernelProfile.V7_2, TYPE1);
        long memory = p.mmap(4 * PAGE);
        check(p.map(container, 0x10000, memory, 2 * PAGE, READ));
        check(p.map(container, 0x12000, memory, PAGE, READ));
        assertThat(p.unmap(container, 0x11000, 2 * PAGE)).isZero();
        assertThat(p.unmap(container, 0x10000, 3 * PAGE)).isEqualTo(3 * PAGE);
    }

    @ParameterizedTest
    @ValueSource(ints = {TYPE1, TYPE1V2})
    void everythingIsUnmappedAtOnce(int type) {
        use(KernelProfile.V7_2, type);
        long memory = p.mmap(4 * PAGE);
        check(p.map(container, 0, memory, PAGE, READ));
        check(p.map(container, 0x10000, memory, 4 * PAGE, READ));
        assertThat(p.unmap(container, PAGE, 0, UNMAP_ALL)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0, PAGE, UNMAP_ALL)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0, 0, UNMAP_ALL)).isEqualTo(5 * PAGE);
        assertThat(p.unmap(container, 0, 0, UNMAP_ALL)).isZero();
    }

    // ---- new addresses

    @Test
    void aMappingCanLoseItsAddressAndGetANewOne() {
        long memory = p.mmap(2 * PAGE);
        check(p.map(container, 0x10000, memory, 2 * PAGE, READ));
        assertThat(p.map(container, 0x10000, memory, 2 * PAGE, VADDR)).isEqualTo(-EINVAL); // it has its address
        assertThat(p.unmap(container, 0x10000, 2 * PAGE, UNMAP_VADDR)).isEqualTo(2 * PAGE);
        assertThat(p.unmap(container, 0x10000, 2 * PAGE, UNMAP_VADDR)).isEqualTo(-EINVAL); // twice
        assertThat(p.map(container, 0x10000, memory, 2 * PAGE, VADDR | READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, 0x11000, memory, PAGE, VADDR)).isEqualTo(-EINVAL); // another range
        assertThat(p.map(container, 0x30000, memory, PAGE, VADDR)).isEqualTo(-ENOENT);
        assertThat(p.map(container, 0x10000, memory, 2 * PAGE, VADDR)).isZero();
        assertThat(p.process.pinnedBytes()).isEqualTo(2 * PAGE);
    }

    @Test
    void noGroupJoinsWhileAnAddressIsMissing() {
        SimMachine two = SimMachine.builder()
                .device(DEVICE, new TestModel())
                .device(PciAddress.parse("0000:02:00.0"), new TestModel())
                .build();
        RawProcess q = RawProcess.on(two);
        int c = q.openContainer();
        check(q.setContainer(q.openGroup(0), c));
        check(q.setIommu(c, TYPE1V2));
        long memory = q.mmap(PAGE);
        check(q.map(c, 0x10000, memory, PAGE, READ));
        check((int) q.unmap(c, 0x10000, PAGE, UNMAP_VADDR));
        int second = q.openGroup(1);
        assertThat(q.setContainer(second, c)).isEqualTo(-EBUSY);
        check(q.map(c, 0x10000, memory, PAGE, VADDR));
        assertThat(q.setContainer(second, c)).isZero();
    }
}
