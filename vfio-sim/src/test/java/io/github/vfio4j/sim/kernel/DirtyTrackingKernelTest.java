package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.DirtyBitmap;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DirtyTrackingInfo;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Type1;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** Dirty pages of devices behind the IOMMU: all that is mapped, and not a page more. */
class DirtyTrackingKernelTest extends KernelTest {
    private static final long PAGE = 4096;
    private static final long WORD = 64 * PAGE; // what one word of a bitmap stands for

    private final Container container = vfio.openContainer();
    private final Group group = openGroupOf(machine.nvme());
    private Type1 iommu = setIommu(IommuType.TYPE1_V2);

    private Type1 setIommu(IommuType type) {
        container.attach(group);
        return container.setIommu(type);
    }

    @Test
    void theKernelSaysWhatItCanTell() {
        DirtyTrackingInfo info = iommu.info().dirtyTracking().orElseThrow();
        assertThat(info.pageSizes()).isEqualTo(PAGE);
        assertThat(info.largestBitmap()).isEqualTo(1 << 28);
    }

    @Test
    void everyPageThatIsPinnedIsDirtyEachTime() {
        DmaBuffer buffer = iommu.allocate(70 * PAGE, Access.READ_WRITE);
        DirtyTracking tracking = iommu.trackDirtyPages();
        for (int time = 0; time < 2; time++) {
            DirtyBitmap dirty = tracking.read(buffer);
            assertThat(dirty.iova()).isEqualTo(buffer.iova());
            assertThat(dirty.pages()).isEqualTo(70);
            assertThat(dirty.dirtyPages()).isEqualTo(70);
            assertThat(dirty.word(0)).isEqualTo(-1);
            assertThat(dirty.word(1)).isEqualTo(0x3f);
        }
    }

    @Test
    void aRangeTellsTheMappingsInItAndLeavesTheRestClean() {
        DirtyTracking tracking = iommu.trackDirtyPages();
        iommu.allocateAt(WORD, 3 * PAGE, Access.WRITE);
        iommu.allocateAt(3 * WORD, WORD + PAGE, Access.WRITE);
        DirtyBitmap dirty = tracking.read(0, 6 * WORD);
        assertThat(dirty.words()).isEqualTo(6);
        assertThat(dirty.dirtyPages()).isEqualTo(3 + 65);
        assertThat(dirty.nextDirty(0)).hasValue(64);
        assertThat(dirty.nextDirty(67)).hasValue(3 * 64);
        assertThat(dirty.nextDirty(4 * 64 + 1)).isEmpty();
        assertThat(dirty.isDirty(66)).isTrue();
        assertThat(dirty.isDirty(67)).isFalse();
    }

    @Test
    void mappingsThatShareAWordOfTheBitmapAreNotReadTogether() {
        DirtyTracking tracking = iommu.trackDirtyPages();
        DmaBuffer first = iommu.allocateAt(WORD, 16 * PAGE, Access.WRITE);
        DmaBuffer second = iommu.allocateAt(WORD + 16 * PAGE, 16 * PAGE, Access.WRITE);
        assertRefused(Rule.DIRTY_STALE, () -> tracking.read(WORD, WORD));
        assertRefused(Rule.DIRTY_STALE, () -> tracking.read(WORD - PAGE, WORD + PAGE));
        // One by one they tell no bit of the other, also when asked again.
        for (int time = 0; time < 2; time++) {
            assertThat(tracking.read(first).word(0)).isEqualTo(0xffff);
            assertThat(tracking.read(second).word(0)).isEqualTo(0xffff);
        }
        assertThat(tracking.read(WORD + 16 * PAGE, WORD).word(0)).isEqualTo(0xffff);
    }

    @Test
    void rangesThatTheKernelWouldNotReadAreRefused() {
        DirtyTracking tracking = iommu.trackDirtyPages();
        iommu.allocateAt(WORD, 16 * PAGE, Access.WRITE);
        assertRefused(Rule.DIRTY_SIZE, () -> tracking.read(WORD, 0));
        assertRefused(Rule.DIRTY_WRAP, () -> tracking.read(-PAGE, 2 * PAGE));
        assertRefused(Rule.DIRTY_BITMAP_BUFFER, () -> tracking.read(0, 1L << 44));
        assertRefused(Rule.DIRTY_ALIGNED, () -> tracking.read(WORD + 1, PAGE));
        assertRefused(Rule.DIRTY_ALIGNED, () -> tracking.read(WORD, PAGE + 1));
        assertRefused(Rule.DIRTY_WHOLE, () -> tracking.read(WORD, 15 * PAGE));
        assertRefused(Rule.DIRTY_WHOLE, () -> tracking.read(WORD + PAGE, 15 * PAGE));
    }

    @Test
    void unmappingABufferTellsItsDirtyPagesAndClosesIt() {
        DirtyTracking tracking = iommu.trackDirtyPages();
        DmaBuffer buffer = iommu.allocateAt(WORD + PAGE, 5 * PAGE, Access.READ_WRITE);
        DirtyBitmap dirty = tracking.unmap(buffer);
        assertThat(dirty.iova()).isEqualTo(WORD + PAGE);
        assertThat(dirty.word(0)).isEqualTo(0x1f);
        assertThatIllegalStateException().isThrownBy(() -> buffer.segment().get(ValueLayout.JAVA_BYTE, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> tracking.unmap(buffer));
        iommu.allocateAt(WORD + PAGE, PAGE, Access.READ);
    }

    @Test
    void whatIsNotTrackedIsNotTold() {
        DmaBuffer buffer = iommu.allocate(PAGE, Access.READ_WRITE);
        DirtyTracking tracking = iommu.trackDirtyPages();
        assertThat(iommu.trackDirtyPages()).isSameAs(tracking);
        tracking.close();
        tracking.close();
        assertRefused(Rule.DIRTY_ON, () -> tracking.read(buffer));
        assertRefused(Rule.UNMAP_DIRTY_ON, () -> tracking.unmap(buffer));
        assertThat(iommu.trackDirtyPages().read(buffer).dirtyPages()).isEqualTo(1);
    }

    @Test
    void anIommuOfTheFirstTypeTracksNothing() {
        container.detach(group);
        Type1 first = setIommu(IommuType.TYPE1);
        assertRefused(Rule.DIRTY_TYPE, first::trackDirtyPages);
    }

    @Test
    void trackingEndsWithTheIommu() {
        DirtyTracking tracking = iommu.trackDirtyPages();
        container.detach(group);
        assertRefused(Rule.DIRTY_NEEDS_IOMMU, () -> tracking.read(0, PAGE));
        tracking.close();
        iommu = setIommu(IommuType.TYPE1_V2);
        assertThat(iommu.trackDirtyPages()).isNotSameAs(tracking);
    }
}
