package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Access;
import io.github.vfio4j.DirtyBitmap;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Hwpt;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Page tables that track which pages devices write, on kernels that have an IOMMU to test that with. */
class TrackedPagesKernelTest extends KernelTest {
    private static final long MEMORY = 0x200_0000;
    private static final long PAGE = 4096;

    private MockIommu mock;
    private MockIommu.Mock first;
    private Ioas ioas;
    private Hwpt table;

    @BeforeEach
    void openAll() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        mock = new MockIommu(machine);
        Assumptions.assumeTrue(mock.isPresent(), "this kernel has no device to test iommufd with");
        Iommufd iommufd = mock.vfio().openIommufd();
        first = mock.open(iommufd);
        assertThat(first.device.iommuHardware().tracksDirtyPages()).isTrue();
        ioas = iommufd.allocateIoas();
        table = ioas.allocateHwpt(first.device, true);
        first.device.attach(table);
    }

    @AfterEach
    void closeAll() {
        if (mock != null) {
            mock.vfio().close();
        }
    }

    private static boolean isDirty(DirtyBitmap bitmap, int page) {
        return bitmap.isDirty(page * PAGE / bitmap.pageSize());
    }

    @Test
    void whatADeviceWritesIsDirtyUntilItIsRead() {
        DmaBuffer buffer = ioas.allocateAt(MEMORY, 4 * PAGE, Access.READ_WRITE);
        try (DirtyTracking tracking = table.trackDirtyPages()) {
            assertThat(tracking.read(buffer).dirtyPages()).isZero();
            first.write(MEMORY + 2 * PAGE);
            DirtyBitmap dirty = tracking.read(buffer);
            assertThat(isDirty(dirty, 2)).isTrue();
            assertThat(tracking.read(buffer).dirtyPages()).isZero();
            first.write(MEMORY + PAGE);
            assertThat(isDirty(tracking.read(MEMORY, 2 * PAGE), 1)).isTrue();
        }
        try (DirtyTracking again = table.trackDirtyPages()) {
            assertThat(again.read(buffer).dirtyPages()).isZero();
        }
    }

    @Test
    void theLastReadUnmaps() {
        DmaBuffer buffer = ioas.allocateAt(MEMORY, 4 * PAGE, Access.READ_WRITE);
        try (DirtyTracking tracking = table.trackDirtyPages()) {
            first.write(MEMORY);
            assertThat(isDirty(tracking.unmap(buffer), 0)).isTrue();
            assertThat(ioas.unmapAll()).isZero();
        }
    }
}
