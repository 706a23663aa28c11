package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Access;
import io.github.vfio4j.Errno;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.spi.ContainerPort;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.IommufdPort;
import io.github.vfio4j.spi.Kernel;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A BAR in place of memory, for devices to reach each other: a container maps it, an iommufd does not. The library maps
 * memory of its own alone, so this goes through the ports below it, which have no rules.
 */
@DisplayName("vfio_dma_mapping_mmio_test")
class DmaMappingMmioSelftestKernelTest extends SelftestKernelTest {
    private static final long PAGE = 4096;
    private static final long IOVA = 1 << 30;
    private static final int BARS = 6;

    private final Deque<Runnable> atEnd = new ArrayDeque<>(); // the newest first

    /** Maps and unmaps any address of the program for the device, in one of the modes. */
    private interface Iommu {
        void map(long iova, long address, long size);

        long unmap(long iova, long size);
    }

    private DevicePort device;
    private Iommu iommu;

    @AfterEach
    void closeAll() {
        while (!atEnd.isEmpty()) {
            atEnd.pop().run();
        }
    }

    private void openDevice(IommuMode mode) {
        assumeTrue(!mode.needsIommufd() || machine.hasIommufd(), "this kernel has no iommufd");
        if (mode.type().isPresent()) {
            throughItsGroup(mode, machine.loner());
        } else {
            byItsOwnNode(machine.loner());
        }
    }

    private void throughItsGroup(IommuMode mode, PciAddress address) {
        Kernel kernel = machine.kernel();
        ContainerPort container = mode.needsIommufd() ? kernel.openIommufdContainer() : kernel.openContainer();
        atEnd.push(container::close);
        GroupPort group = kernel.openGroup("/dev/vfio/" + groupOf(address));
        atEnd.push(group::close);
        group.setContainer(container);
        container.setIommu(mode.type().orElseThrow().number());
        device = group.openDevice(address.toString(), null);
        atEnd.push(device::close);
        iommu = new Iommu() {
            @Override
            public void map(long iova, long from, long size) {
                container.mapDma(iova, from, size, Access.READ_WRITE.flags());
            }

            @Override
            public long unmap(long iova, long size) {
                return container.unmapDma(iova, size);
            }
        };
    }

    private void byItsOwnNode(PciAddress address) {
        Kernel kernel = machine.kernel();
        IommufdPort iommufd = kernel.openIommufd();
        atEnd.push(iommufd::close);
        device = kernel.openDevice(kernel.deviceNode(address.toString()).orElseThrow());
        atEnd.push(device::close);
        device.bind(iommufd, null);
        int ioas = iommufd.allocateIoas();
        device.attach(ioas);
        iommu = new Iommu() {
            @Override
            public void map(long iova, long from, long size) {
                iommufd.map(ioas, iova, from, size, Access.READ_WRITE);
            }

            @Override
            public long unmap(long iova, long size) {
                return iommufd.unmap(ioas, iova, size);
            }
        };
    }

    /** What the program sees of a BAR. */
    private record Bar(long address, long size) {
        Bar from(long offset) {
            return new Bar(address + offset, size - offset);
        }
    }

    /** Maps the device's largest BAR into the program. */
    private Bar mapLargestBar() {
        RegionInfo largest = IntStream.range(0, BARS)
                .mapToObj(device::regionInfo)
                .filter(bar -> bar.mappable(0, bar.size()) && bar.readable() && bar.writable())
                .max((one, other) -> Long.compareUnsigned(one.size(), other.size()))
                .orElseThrow();
        long address = device.map(largest.offset(), largest.size(), true);
        atEnd.push(() -> machine.kernel().giveBack(address, largest.size()));
        atEnd.push(() -> device.unmap(address, largest.size()));
        return new Bar(address, largest.size());
    }

    private void checkMapped(IommuMode mode, Bar part) {
        long size = part.size();
        if (!mode.needsIommufd()) {
            iommu.map(IOVA, part.address(), size);
            assertThat(iommu.unmap(IOVA, size)).isEqualTo(size);
            return;
        }
        VfioException map = catchThrowableOfType(VfioException.class, () -> iommu.map(IOVA, part.address(), size));
        assertThat(map.errno()).isEqualTo(Errno.EFAULT);
        if (mode.type().isPresent()) {
            assertThat(iommu.unmap(IOVA, size)).isZero();
        } else {
            VfioException unmap = catchThrowableOfType(VfioException.class, () -> iommu.unmap(IOVA, size));
            assertThat(unmap.errno()).isEqualTo(Errno.ENOENT);
        }
    }

    @ParameterizedTest(name = "vfio_dma_mapping_mmio_test.{0}.map_full_bar")
    @EnumSource
    void aWholeBar(IommuMode mode) {
        openDevice(mode);
        checkMapped(mode, mapLargestBar());
    }

    @ParameterizedTest(name = "vfio_dma_mapping_mmio_test.{0}.map_partial_bar")
    @EnumSource
    void aPageOfABar(IommuMode mode) {
        openDevice(mode);
        checkMapped(mode, new Bar(mapLargestBar().address(), PAGE));
    }

    @ParameterizedTest(name = "vfio_dma_mapping_mmio_test.{0}.map_bar_misaligned")
    @EnumSource
    void aBarThatLiesInTheProgramOtherThanAtItsIova(IommuMode mode) {
        openDevice(mode);
        // The kernel chooses the address; from the second page on it has not the alignment of the IOVA.
        checkMapped(mode, mapLargestBar().from(PAGE));
    }
}
