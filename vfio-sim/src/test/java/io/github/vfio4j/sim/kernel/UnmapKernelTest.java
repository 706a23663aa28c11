package io.github.vfio4j.sim.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Type1;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Unmapping ranges and everything, by both versions of type1. */
class UnmapKernelTest extends KernelTest {
    private static final long PAGE = 4096;

    private final Container container = vfio.openContainer();
    private final Group group = openGroupOf(machine.nvme());
    private Type1 iommu;
    private DmaBuffer low; // 2 pages at 0x10000
    private DmaBuffer high; // 3 pages at 0x14000

    private void use(IommuType type) {
        container.attach(group);
        iommu = container.setIommu(type);
        low = iommu.allocateAt(0x10000, 2 * PAGE, Access.READ_WRITE);
        high = iommu.allocateAt(0x14000, 3 * PAGE, Access.READ_WRITE);
    }

    private static boolean usable(DmaBuffer buffer) {
        try {
            buffer.segment().get(JAVA_BYTE, 0);
            return true;
        } catch (IllegalStateException e) {
            return false;
        }
    }

    @ParameterizedTest
    @EnumSource
    void aRangeMayHoldSeveralBuffersAndGaps(IommuType type) {
        use(type);
        assertThat(iommu.unmap(0, 0x20000)).isEqualTo(5 * PAGE);
        assertThat(usable(low)).isFalse();
        assertThat(usable(high)).isFalse();
        low.close();
        assertThat(iommu.unmap(0, 0x20000)).isZero();
        iommu.allocateAt(0x10000, 7 * PAGE, Access.READ);
    }

    @ParameterizedTest
    @EnumSource
    void everythingGoesAtOnce(IommuType type) {
        use(type);
        assertThat(iommu.unmapsAll()).isTrue();
        int left = iommu.info().mappingsLeft().orElseThrow();
        assertThat(iommu.unmapAll()).isEqualTo(5 * PAGE);
        assertThat(usable(low)).isFalse();
        assertThat(iommu.unmapAll()).isZero();
        assertThat(iommu.info().mappingsLeft()).hasValue(left + 2);
    }

    @ParameterizedTest
    @EnumSource
    void whatIsNoRangeIsRefused(IommuType type) {
        use(type);
        assertRefused(Rule.UNMAP_IOVA_ALIGNED, () -> iommu.unmap(0x10001, PAGE));
        assertRefused(Rule.UNMAP_SIZE_ALIGNED, () -> iommu.unmap(0x10000, PAGE + 1));
        assertRefused(Rule.UNMAP_SIZE_ALIGNED, () -> iommu.unmap(0x10000, 0));
        assertRefused(Rule.UNMAP_WRAP, () -> iommu.unmap(-PAGE, 2 * PAGE));
        container.detach(group);
        assertRefused(Rule.UNMAP_NEEDS_IOMMU, () -> iommu.unmap(0, PAGE));
        assertRefused(Rule.UNMAP_NEEDS_IOMMU, iommu::unmapAll);
        assertRefused(Rule.INFO_NEEDS_IOMMU, iommu::unmapsAll);
    }

    @Test
    void version2CutsNoBuffer() {
        use(IommuType.TYPE1_V2);
        assertRefused(Rule.UNMAP_WHOLE, () -> iommu.unmap(0x10000, PAGE));
        assertRefused(Rule.UNMAP_WHOLE, () -> iommu.unmap(0x11000, PAGE));
        assertRefused(Rule.UNMAP_WHOLE, () -> iommu.unmap(0x11000, 6 * PAGE));
        assertThat(iommu.unmap(0x10000, 4 * PAGE)).isEqualTo(2 * PAGE);
        assertThat(usable(high)).isTrue();
    }

    @Test
    void version1UnmapsNothingWhereTheFirstBufferStartsBeforeTheRange() {
        use(IommuType.TYPE1);
        assertThat(iommu.unmap(0x11000, 0x10000)).isZero();
        assertThat(usable(low)).isTrue();
        assertThat(usable(high)).isTrue(); // also what lies in the range as a whole
    }

    @Test
    void version1RemovesEntirelyWhatStartsInTheRange() {
        use(IommuType.TYPE1);
        assertThat(iommu.unmap(0x10000, 5 * PAGE)).isEqualTo(5 * PAGE); // one page of the second was named
        assertThat(usable(low)).isFalse();
        assertThat(usable(high)).isFalse();
        iommu.allocateAt(0x16000, PAGE, Access.READ);
    }

    @Test
    void version1MapsAsVersion2Does() {
        use(IommuType.TYPE1);
        assertRefused(Rule.MAP_OVERLAP, () -> iommu.allocateAt(0x11000, PAGE, Access.READ));
        low.close();
        iommu.allocateAt(0x11000, PAGE, Access.READ);
    }
}
