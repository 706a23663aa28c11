package io.github.vfio4j.sim.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.PageSize;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Type1;
import io.github.vfio4j.VfioException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DmaKernelTest extends KernelTest {
    private final List<MemorySegment> programMemory = new ArrayList<>();
    private Type1 iommu;

    @BeforeEach
    void setIommu() {
        Container container = vfio.openContainer();
        container.attach(openGroupOf(machine.nvme()));
        iommu = container.setIommu(IommuType.TYPE1_V2);
    }

    @Test
    void allocatedMemoryIsZeroedWholePagesInsideARange() {
        DmaBuffer memory = iommu.allocate(5000, Access.READ_WRITE);
        assertThat(memory.size()).isEqualTo(8192);
        assertThat(memory.iova() % 4096).isZero();
        assertThat(memory.segment().toArray(JAVA_BYTE)).containsOnly(0);
        IovaRange range = new IovaRange(memory.iova(), memory.iova() + memory.size() - 1);
        assertThat(iommu.info().ranges()).anyMatch(r -> r.contains(range));
    }

    @Test
    void addressZeroIsNotHandedOut() {
        assertThat(iommu.allocate(4096, Access.READ).iova()).isNotZero();
    }

    @Test
    void eachMappingTakesOneFromTheBudgetAndGivesItBack() {
        int before = iommu.info().mappingsLeft().orElseThrow();
        DmaBuffer memory = iommu.allocate(1 << 20, Access.WRITE);
        assertThat(iommu.info().mappingsLeft()).hasValue(before - 1);
        memory.close();
        assertThat(iommu.info().mappingsLeft()).hasValue(before);
    }

    @Test
    void aFixedAddressIsUsed() {
        assertThat(iommu.allocateAt(0x100000, 4096, Access.READ_WRITE).iova()).isEqualTo(0x100000);
    }

    @Test
    void aBufferIsWhereTheDeviceCanReachIt() {
        IovaRange twoPages = new IovaRange(0x7ff_e000, 0x7ff_ffff);
        DmaBuffer first = iommu.allocateWithin(twoPages, 4096, Access.READ_WRITE);
        assertThat(first.iova()).isEqualTo(0x7ff_e000);
        assertThat(iommu.allocateWithin(IovaRange.ofBits(27), 4096, Access.READ).iova()).isLessThan(first.iova());
        assertThat(iommu.allocateWithin(twoPages, 4096, Access.READ).iova()).isEqualTo(0x7ff_f000);
        assertThatThrownBy(() -> iommu.allocateWithin(twoPages, 4096, Access.READ))
                .isInstanceOfSatisfying(VfioException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC))
                .hasMessageContaining("0x7ffe000-0x7ffffff");
        first.close();
        assertThat(iommu.allocateWithin(twoPages, 4096, Access.READ).iova()).isEqualTo(0x7ff_e000);
    }

    @Test
    void anAddressOfTheDeviceIsAnOffsetInTheBuffer() {
        DmaBuffer memory = iommu.allocateAt(0x100000, 8192, Access.READ_WRITE);
        assertThat(memory.offsetOf(0x100000)).isZero();
        assertThat(memory.offsetOf(0x101fff)).isEqualTo(8191);
        assertThatThrownBy(() -> memory.offsetOf(0x102000)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void memoryThatTheProgramBroughtStaysTheProgramsOwn() {
        MemorySegment memory = programMemory(8192);
        memory.fill((byte) 7);
        DmaBuffer buffer = iommu.map(memory, Access.READ_WRITE);
        assertThat(buffer.segment().address()).isEqualTo(memory.address());
        assertThat(buffer.size()).isEqualTo(8192);
        assertThatThrownBy(() -> buffer.slice(0, 8)).isInstanceOf(UnsupportedOperationException.class);
        assertRefused(Rule.MAP_OVERLAP, () -> iommu.mapAt(buffer.iova(), memory, Access.READ));
        DmaBuffer again = iommu.mapAt(0x20_0000, memory.asSlice(4096), Access.READ);
        assertThat(again.offsetOf(0x20_0fff)).isEqualTo(4095);
        buffer.close();
        again.close();
        assertThat(memory.get(JAVA_BYTE, 8191)).isEqualTo((byte) 7);
        assertThat(iommu.mapAt(0x20_0000, memory, Access.READ).iova()).isEqualTo(0x20_0000);
    }

    @Test
    void whatIsNoMemoryOfTheProgramCannotBeMapped() {
        MemorySegment memory = programMemory(8192);
        assertRefused(Rule.MAP_ALIGNED, () -> iommu.map(memory.asSlice(8, 4096), Access.READ));
        assertRefused(Rule.MAP_SIZE, () -> iommu.map(memory.asSlice(0, 0), Access.READ));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> iommu.map(MemorySegment.ofArray(new byte[4096]), Access.READ))
                .withMessageContaining("heap");
        assertThatIllegalArgumentException().isThrownBy(() -> iommu.map(memory.asReadOnly(), Access.WRITE));
        Arena arena = Arena.ofShared();
        MemorySegment gone = arena.allocate(4096, 4096);
        arena.close();
        assertThatIllegalStateException().isThrownBy(() -> iommu.map(gone, Access.READ));
        free(memory);
        assertThatThrownBy(() -> iommu.map(memory, Access.READ))
                .isInstanceOfSatisfying(VfioException.class, e -> assertThat(e.rule()).contains(Rule.MAP_MEMORY));
        assertThat(iommu.map(programMemory(4096), Access.READ).iova()).isEqualTo(0x10000); // nothing was left behind
    }

    /** Gets memory of this process; a simulated kernel knows only what it gave. */
    private MemorySegment programMemory(long bytes) {
        MemorySegment memory = machine.kernel().allocate(bytes, PageSize.BASE, Arena.global());
        programMemory.add(memory);
        return memory;
    }

    private void free(MemorySegment memory) {
        programMemory.remove(memory);
        machine.kernel().free(memory.address(), memory.byteSize());
    }

    @AfterEach
    void freeProgramMemory() {
        List.copyOf(programMemory).forEach(this::free);
    }

    @Test
    void mappingsDoNotOverlap() {
        iommu.allocateAt(0x100000, 3 * 4096, Access.READ_WRITE);
        for (long iova : new long[] {0x100000, 0x101000, 0x102000, 0xff000}) {
            assertRefused(Rule.MAP_OVERLAP, () -> iommu.allocateAt(iova, 2 * 4096, Access.READ));
        }
        iommu.allocateAt(0x103000, 4096, Access.READ);
        iommu.allocateAt(0xff000, 4096, Access.READ);
    }

    @Test
    void aFreedAddressCanBeMappedAgain() {
        iommu.allocateAt(0x100000, 8192, Access.READ_WRITE).close();
        iommu.allocateAt(0x101000, 4096, Access.READ_WRITE);
    }

    @Test
    void aRangeOutsideTheIommusReachIsRefused() {
        // The window of the interrupts lies between the ranges on x86.
        assertRefused(Rule.MAP_RANGE, () -> iommu.allocateAt(0xfee00000L, 4096, Access.READ_WRITE));
        List<IovaRange> ranges = iommu.info().ranges();
        long lastPage = ranges.getLast().last() & -4096;
        Rule beyond = lastPage == -4096 ? Rule.MAP_WRAP : Rule.MAP_RANGE; // some IOMMUs translate 64 bits
        assertRefused(beyond, () -> iommu.allocateAt(lastPage, 8192, Access.READ_WRITE));
    }

    @Test
    void aRangeThatWrapsIsRefused() {
        assertRefused(Rule.MAP_WRAP, () -> iommu.allocateAt(-4096, 8192, Access.READ));
        assertRefused(Rule.MAP_WRAP, () -> iommu.allocateAt(-1, 4096, Access.READ)); // which is misaligned, too
    }

    @Test
    void aMisalignedAddressIsRefused() {
        assertRefused(Rule.MAP_ALIGNED, () -> iommu.allocateAt(0x100800, 4096, Access.READ));
    }

    @Test
    void sizesThatAreNoneAreRefused() {
        assertRefused(Rule.MAP_SIZE, () -> iommu.allocate(0, Access.READ));
        assertThatIllegalArgumentException().isThrownBy(() -> iommu.allocate(-1, Access.READ));
        assertThatIllegalArgumentException().isThrownBy(() -> iommu.allocate(Long.MAX_VALUE, Access.READ));
    }

    @Test
    void hugePagesAreThoseThatAreReserved() {
        int reserved = machine.reserveHugePages();
        assumeTrue(reserved > 0, "this kernel has no huge pages to reserve");
        long size = PageSize.HUGE_2M.hugeBytes();
        iommu.allocateAt(size, 4096, Access.READ); // in the way
        DmaBuffer all = iommu.allocate(reserved * size - 1, Access.READ_WRITE, PageSize.HUGE_2M);
        assertThat(all.size()).isEqualTo(reserved * size);
        assertThat(all.iova() % size).isZero();
        assertThat(all.segment().mismatch(MemorySegment.ofArray(new long[(int) (reserved * size / Long.BYTES)])))
                .as("the first byte that is not zero")
                .isEqualTo(-1);
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> iommu.allocate(1, Access.READ, PageSize.HUGE_2M));
        assertThat(e.errno()).isEqualTo(Errno.ENOMEM);
        assertThat(e).hasMessageContaining("hugepages-2048kB/nr_hugepages");
        all.close();
        DmaBuffer placed = iommu.allocateAt(0x1000_0000, 1, Access.READ, PageSize.HUGE_2M);
        assertThat(placed.size()).isEqualTo(size);
        assertThat(iommu.unmap(0x1000_0000, size)).isEqualTo(size);
    }

    @Test
    void closedMemoryCannotBeTouched() {
        DmaBuffer memory = iommu.allocate(4096, Access.READ_WRITE);
        memory.close();
        assertThatIllegalStateException().isThrownBy(() -> memory.segment().get(JAVA_BYTE, 0));
    }

    @Test
    void randomBuffersNeverOverlapAndAreAllGivenBack() {
        long seed = System.nanoTime();
        System.out.println("random DMA buffers, seed " + seed);
        Random random = new Random(seed);
        int before = iommu.info().mappingsLeft().orElseThrow();
        List<DmaBuffer> live = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            if (!live.isEmpty() && random.nextInt(3) == 0) {
                live.remove(random.nextInt(live.size())).close();
            } else {
                DmaBuffer added = iommu.allocate(1 + random.nextInt(20 * 4096), Access.READ_WRITE);
                assertThat(live).noneMatch(other -> added.iova() < other.iova() + other.size()
                        && other.iova() < added.iova() + added.size());
                live.add(added);
            }
            assertThat(iommu.info().mappingsLeft()).hasValue(before - live.size());
        }
        live.forEach(DmaBuffer::close);
        assertThat(iommu.info().mappingsLeft()).hasValue(before);
    }
}
