package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Hwpt;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Dirty pages of an iommufd through the API, behind an IOMMU that tracks them. The VM's does not. */
class TrackedPagesTest {
    private static final PciAddress ADDRESS = PciAddress.parse("0000:01:00.0");
    private static final long PAGE = 4096;

    private final TestModel model = new TestModel();
    private final SimMachine machine = SimMachine.builder()
            .device(ADDRESS, model)
            .iommu(0, new SimIommu(0xffff_ffff_ffffL, PAGE, true, List.of(), true))
            .build();
    private final SimProcess process = machine.startProcess();
    private final Vfio vfio = process.open();
    private Device device;
    private Ioas ioas;
    private Hwpt hwpt;
    private DmaBuffer buffer;

    @BeforeEach
    void attach() {
        Iommufd iommufd = vfio.openIommufd();
        device = iommufd.openDevice(ADDRESS);
        ioas = iommufd.allocateIoas();
        hwpt = ioas.allocateHwpt(device, true);
        device.attach(hwpt);
        device.config().enableBusMaster();
        buffer = ioas.allocate(70 * PAGE, Access.READ_WRITE);
    }

    @AfterEach
    void nothingIsLeft() {
        vfio.close();
        assertThat(process.leaks()).isEmpty();
        machine.close();
    }

    /** Has the device write to a page. */
    private void write(long page) {
        assertThat(model.bus.dmaWrite(buffer.iova() + page * PAGE, Arena.ofAuto().allocate(8)))
                .as("a write to page %d", page)
                .isTrue();
    }

    @Test
    void theIommuSaysThatItTracks() {
        assertThat(device.iommuHardware().tracksDirtyPages()).isTrue();
    }

    @Test
    void whatTheDeviceWroteIsToldOnce() {
        write(0); // nobody tracks yet
        DirtyTracking tracking = hwpt.trackDirtyPages();
        assertThat(tracking.read(buffer).dirtyPages()).isZero();
        write(2);
        write(69);
        assertThat(tracking.read(buffer).nextDirty(0)).hasValue(2);
        assertThat(tracking.read(buffer).dirtyPages()).isZero();
        write(69);
        assertThat(tracking.read(buffer.iova() + 64 * PAGE, 6 * PAGE).isDirty(5)).isTrue();
    }

    @Test
    void theLastReadBeforeAnUnmapTellsWhatIsLeft() {
        DirtyTracking tracking = hwpt.trackDirtyPages();
        write(1);
        write(64);
        assertThat(tracking.unmap(buffer).dirtyPages()).isEqualTo(2);
        assertThat(ioas.unmapAll()).isZero();
    }

    @Test
    void trackingEndsAndStartsClean() {
        DirtyTracking first = hwpt.trackDirtyPages();
        write(3);
        first.close();
        write(4);
        assertThat(hwpt.trackDirtyPages().read(buffer).dirtyPages()).isZero();
    }
}
