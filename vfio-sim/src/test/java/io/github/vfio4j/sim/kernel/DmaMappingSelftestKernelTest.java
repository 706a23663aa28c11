package io.github.vfio4j.sim.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Access;
import io.github.vfio4j.AddressSpace;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PageSize;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.VfioException;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Memory is mapped and unmapped, of pages of every size, also where the IOVAs end. */
@DisplayName("vfio_dma_mapping_test")
class DmaMappingSelftestKernelTest extends SelftestKernelTest {
    private static final long PAGE = 4096;

    @ParameterizedTest(name = "vfio_dma_mapping_test.{0}_anonymous.dma_map_unmap")
    @EnumSource
    void aPageIsMappedAndUnmapped(IommuMode mode) {
        Device edu = open(mode, machine.loner());
        checkMappedAndUnmapped(edu, edu.iommu().allocate(PAGE, Access.READ_WRITE));
    }

    @ParameterizedTest(name = "vfio_dma_mapping_test.{0}_anonymous_hugetlb_2mb.dma_map_unmap")
    @EnumSource
    void aHugePageIsMappedAndUnmapped(IommuMode mode) {
        assumeTrue(machine.reserveHugePages() > 0, "this kernel has no huge pages to reserve");
        Device edu = open(mode, machine.loner());
        checkHugePage(edu, edu.iommu().allocate(1, Access.READ_WRITE, PageSize.HUGE_2M), PageSize.HUGE_2M);
    }

    @ParameterizedTest(name = "vfio_dma_mapping_test.{0}_anonymous_hugetlb_1gb.dma_map_unmap")
    @EnumSource
    void aGiganticPageIsMappedAndUnmapped(IommuMode mode) {
        Device edu = open(mode, machine.loner());
        DmaBuffer buffer;
        try {
            buffer = edu.iommu().allocate(1, Access.READ_WRITE, PageSize.HUGE_1G);
        } catch (VfioException e) { // like the selftest, this needs pages that were reserved when the machine started
            assertThat(e.operation()).isEqualTo(Operation.MEMORY_ALLOCATE);
            assertThat(e.errno()).isIn(Errno.ENOMEM, Errno.EINVAL);
            buffer = Assumptions.abort(e.getMessage());
        }
        checkHugePage(edu, buffer, PageSize.HUGE_1G);
    }

    private static void checkHugePage(Device edu, DmaBuffer buffer, PageSize pages) {
        assertThat(buffer.size()).isEqualTo(pages.hugeBytes());
        assertThat(buffer.iova() % pages.hugeBytes()).isZero();
        assertThat(buffer.segment().address() % pages.hugeBytes()).isZero();
        checkMappedAndUnmapped(edu, buffer);
    }

    private static void checkMappedAndUnmapped(Device edu, DmaBuffer buffer) {
        AddressSpace iommu = edu.iommu();
        IovaRange range = new IovaRange(buffer.iova(), buffer.iova() + buffer.size() - 1);
        assertThat(iommu.ranges()).anyMatch(usable -> usable.contains(range));
        checkReached(edu, buffer);
        assertThat(iommu.unmap(buffer.iova(), buffer.size())).isEqualTo(buffer.size());
        assertThat(iommu.unmap(buffer.iova(), range.last() - range.first() + 1)).isZero();
        assertThatIllegalStateException().isThrownBy(() -> buffer.segment().get(JAVA_BYTE, 0));
    }

    /** The device moves data from the first bytes of a buffer to the last ones. */
    private static void checkReached(Device edu, DmaBuffer buffer) {
        Mmio registers = EduDma.ready(edu);
        MemorySegment from = buffer.segment().asSlice(0, EduDma.BYTES);
        MemorySegment to = buffer.segment().asSlice(buffer.size() - EduDma.BYTES);
        for (int i = 0; i < EduDma.BYTES; i++) {
            from.set(JAVA_BYTE, i, (byte) (i * 5 + 3));
        }
        EduDma.toDevice(registers, buffer.iova());
        EduDma.fromDevice(registers, buffer.iova() + buffer.size() - EduDma.BYTES);
        assertThat(to.mismatch(from)).as("the first byte that differs").isEqualTo(-1);
    }

    /** The last page that can be mapped. Where an IOMMU translates 64 bits, that is one that Linux before 7 never finds again. */
    private static DmaBuffer mapLastPage(AddressSpace iommu) {
        try {
            return iommu.allocateAt(iommu.ranges().getLast().last() & -PAGE, PAGE, Access.READ_WRITE);
        } catch (RuleViolation e) {
            assertThat(e.rule()).contains(Rule.MAP_TOP);
            return Assumptions.abort(e.getMessage());
        }
    }

    @ParameterizedTest(name = "vfio_dma_map_limit_test.{0}.unmap_range")
    @EnumSource
    void theLastPageIsUnmapped(IommuMode mode) {
        AddressSpace iommu = open(mode, machine.loner()).iommu();
        DmaBuffer last = mapLastPage(iommu);
        assertThat(iommu.unmap(last.iova(), PAGE)).isEqualTo(PAGE);
    }

    @ParameterizedTest(name = "vfio_dma_map_limit_test.{0}.unmap_all")
    @EnumSource
    void theLastPageIsUnmappedWithEverything(IommuMode mode) {
        AddressSpace iommu = open(mode, machine.loner()).iommu();
        mapLastPage(iommu);
        assertThat(iommu.unmapAll()).isEqualTo(PAGE);
    }

    @ParameterizedTest(name = "vfio_dma_map_limit_test.{0}.overflow")
    @EnumSource
    void nothingWrapsAroundTheEnd(IommuMode mode) {
        AddressSpace iommu = open(mode, machine.loner()).iommu();
        Rule map = mode.needsIommufd() ? Rule.IOAS_MAP_WRAP : Rule.MAP_WRAP;
        Rule unmap = mode.needsIommufd() ? Rule.IOAS_UNMAP_WRAP : Rule.UNMAP_WRAP;
        assertThat(assertRefused(map, () -> iommu.allocateAt(-PAGE, 2 * PAGE, Access.READ_WRITE)).errno())
                .isEqualTo(Errno.EOVERFLOW);
        assertThat(assertRefused(unmap, () -> iommu.unmap(-PAGE, 2 * PAGE)).errno()).isEqualTo(Errno.EOVERFLOW);
    }
}
