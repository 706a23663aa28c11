package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.EACCES;
import static io.github.vfio4j.sim.Errnos.EFAULT;
import static io.github.vfio4j.sim.Errnos.EINVAL;
import static io.github.vfio4j.sim.Errnos.EOVERFLOW;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Dirty pages as the kernel tells them, word by word. */
class SimDirtyPagesTest {
    private static final long PAGE = 4096;
    private static final long JUNK = 0x5555_5555_5555_5555L;

    private RawProcess p;
    private int container;
    private long bitmap; // one page
    private long memory; // 200 pages

    SimDirtyPagesTest() {
        use(KernelProfile.V7_2, TYPE1V2);
    }

    private void use(KernelProfile kernel, int type) {
        SimMachine machine = SimMachine.builder()
                .kernel(kernel)
                .device(PciAddress.parse("0000:01:00.0"), new TestModel())
                .build();
        p = RawProcess.on(machine);
        container = p.openContainer();
        check(p.setContainer(p.openGroup(0), container));
        check(p.setIommu(container, type));
        bitmap = p.mmap(PAGE);
        memory = p.mmap(200 * PAGE);
    }

    private int get(long iova, long pages) {
        return p.getDirty(container, iova, pages * PAGE, PAGE, (pages + 63) / 64 * 8, bitmap);
    }

    private long word(int index) {
        return p.at(bitmap).getAtIndex(LONG, index);
    }

    private void fill(long value) {
        for (int i = 0; i < 8; i++) {
            p.at(bitmap).setAtIndex(LONG, i, value);
        }
    }

    private void map(long iova, long pages) {
        check(p.map(container, iova, memory, pages * PAGE, READ));
    }

    @Test
    void version1TracksNothing() {
        use(KernelProfile.V7_2, TYPE1);
        assertThat(p.dirtyPages(container, DIRTY_START)).isEqualTo(-EACCES);
        assertThat(p.ioctl(container, IOMMU_DIRTY_PAGES, p.memory(1))).isEqualTo(-EACCES); // before all else
    }

    @Test
    void aContainerWithoutAnIommuTracksNothing() {
        assertThat(p.dirtyPages(p.openContainer(), DIRTY_START)).isEqualTo(-EINVAL);
    }

    @Test
    void itChecksItsArgument() {
        assertThat(p.ioctl(container, IOMMU_DIRTY_PAGES, p.memory(7))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(container, IOMMU_DIRTY_PAGES, p.ints(7, DIRTY_START))).isEqualTo(-EINVAL);
        assertThat(p.dirtyPages(container, 0)).isEqualTo(-EINVAL);
        assertThat(p.dirtyPages(container, 8)).isEqualTo(-EINVAL);
        assertThat(p.dirtyPages(container, DIRTY_START | DIRTY_STOP)).isEqualTo(-EINVAL);
        assertThat(p.dirtyPages(container, DIRTY_GET)).isEqualTo(-EINVAL); // no room for the range
        assertThat(p.ioctl(container, IOMMU_DIRTY_PAGES, p.ints(48, DIRTY_GET))).isEqualTo(-EFAULT);
    }

    @Test
    void startAndStopCanBeCalledTwice() {
        assertThat(p.dirtyPages(container, DIRTY_STOP)).isZero();
        assertThat(p.dirtyPages(container, DIRTY_START)).isZero();
        assertThat(p.dirtyPages(container, DIRTY_START)).isZero();
        assertThat(p.dirtyPages(container, DIRTY_STOP)).isZero();
        assertThat(get(0x10000, 64)).isEqualTo(-EINVAL); // off
    }

    @ParameterizedTest
    @EnumSource
    void whatIsNoRangeIsRefused(KernelProfile kernel) {
        use(kernel, TYPE1V2);
        int wrap = kernel == KernelProfile.V7_2 ? EOVERFLOW : EINVAL;
        check(p.dirtyPages(container, DIRTY_START));
        assertThat(p.getDirty(container, 0x10000, 0, PAGE, 8, bitmap)).isEqualTo(-EINVAL);
        assertThat(p.getDirty(container, -PAGE, 2 * PAGE, PAGE, 8, bitmap)).isEqualTo(-wrap);
        assertThat(p.getDirty(container, 0x10000, 65 * PAGE, PAGE, 8, bitmap)).isEqualTo(-EINVAL); // too small
        assertThat(p.getDirty(container, 0x10000, PAGE, PAGE, (1 << 28) + 1, 0)).isEqualTo(-EINVAL); // too large
        assertThat(p.getDirty(container, 0x10000, PAGE, PAGE, 8, -8)).isEqualTo(-EINVAL); // the kernel's half
        assertThat(p.getDirty(container, 0x10000, 2 * PAGE, 2 * PAGE, 8, bitmap)).isEqualTo(-EINVAL);
        assertThat(p.getDirty(container, 0x10001, PAGE, PAGE, 8, bitmap)).isEqualTo(-EINVAL);
        assertThat(p.getDirty(container, 0x10000, PAGE + 1, PAGE, 8, bitmap)).isEqualTo(-EINVAL);
        assertThat(p.getDirty(container, 0x10000, PAGE, PAGE, 8, bitmap)).isZero();
        // A range that ends at the very top wraps on older kernels.
        assertThat(p.getDirty(container, -PAGE, PAGE, PAGE, 8, bitmap)).isEqualTo(wrap == EINVAL ? -EINVAL : 0);
    }

    @Test
    void aRangeCutsNoMapping() {
        map(0x10000, 4);
        check(p.dirtyPages(container, DIRTY_START));
        assertThat(get(0x10000, 3)).isEqualTo(-EINVAL);
        assertThat(get(0x11000, 64)).isEqualTo(-EINVAL);
        assertThat(get(0x10000, 4)).isZero();
    }

    @Test
    void whatIsPinnedForDevicesIsAlwaysDirty() {
        map(0x10000, 70);
        check(p.dirtyPages(container, DIRTY_START));
        for (int time = 0; time < 2; time++) {
            fill(0);
            assertThat(get(0x10000, 128)).isZero();
            assertThat(word(0)).isEqualTo(-1);
            assertThat(word(1)).isEqualTo(0x3f);
        }
    }

    @Test
    void theLastWordOfAMappingIsWrittenWhole() {
        map(0x10000, 16);
        check(p.dirtyPages(container, DIRTY_START));
        fill(JUNK);
        assertThat(get(0x10000, 128)).isZero();
        assertThat(word(0)).isEqualTo(0xffff);
        assertThat(word(1)).isEqualTo(JUNK); // no mapping, not written
    }

    @Test
    void bitsThatWereShiftedInStayBehindTheLastPage() {
        map(0x10000, 16);
        check(p.dirtyPages(container, DIRTY_START));
        fill(JUNK);
        assertThat(get(0, 64)).isZero();
        assertThat(word(0)).isEqualTo(0xffff_0000L | JUNK);
        fill(0);
        assertThat(get(0x10000, 64)).isZero();
        assertThat(word(0)).isEqualTo(0xffff_0000L | JUNK | 0xffff);
        fill(0);
        assertThat(p.unmapDirty(container, 0x10000, 16 * PAGE, PAGE, 8, bitmap)).isEqualTo(16 * PAGE);
        assertThat(word(0)).isEqualTo(0xffff_0000L | JUNK | 0xffff);
    }

    @Test
    void aMappingAcrossTwoWordsIsShiftedAcross() {
        map(0x10000, 64);
        check(p.dirtyPages(container, DIRTY_START));
        fill(0);
        assertThat(get(0, 128)).isZero();
        assertThat(word(0)).isEqualTo(-1L << 16);
        assertThat(word(1)).isEqualTo(0xffff);
        fill(0);
        assertThat(get(0x10000, 64)).isZero();
        assertThat(word(0)).isEqualTo(-1);
        assertThat(word(1)).isZero(); // not written
    }

    @Test
    void unmappingTellsTheDirtyPages() {
        map(0x10000, 16);
        assertThat(p.unmapDirty(container, 0x10000, 16 * PAGE, PAGE, 8, bitmap)).isEqualTo(-EINVAL); // off
        check(p.dirtyPages(container, DIRTY_START));
        map(0x50000, 3);
        assertThat(p.unmapDirty(container, 0x50000, 3 * PAGE, 2 * PAGE, 8, bitmap)).isEqualTo(-EINVAL);
        assertThat(p.unmapDirty(container, 0x50000, 3 * PAGE, PAGE, 7, bitmap)).isEqualTo(-EINVAL);
        assertThat(p.unmapDirty(container, 0x50000, 3 * PAGE, PAGE, 8, bitmap)).isEqualTo(3 * PAGE);
        assertThat(word(0)).isEqualTo(7);
        assertThat(p.unmap(container, 0x50000, 3 * PAGE)).isZero();
    }

    @Test
    void whatWasUnmappedBeforeTheBitmapFailedIsGone() {
        map(0x10000, 64);
        map(0x50000, 64);
        check(p.dirtyPages(container, DIRTY_START));
        long end = bitmap + PAGE - 8; // room for one mapping
        assertThat(p.unmapDirty(container, 0x10000, 128 * PAGE, PAGE, 16, end)).isEqualTo(-EFAULT);
        assertThat(p.unmap(container, 0x10000, 64 * PAGE)).isZero();
        assertThat(p.unmap(container, 0x50000, 64 * PAGE)).isEqualTo(64 * PAGE);
    }
}
