package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.IovaRange;
import io.github.vfio4j.PciAddress;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Page tables that a program makes, behind an IOMMU that tracks dirty pages. */
class SimHwptTest {
    private static final SimIommu TRACKING = new SimIommu(
            0xffff_ffff_ffffL, 0x4020_1000L, true, List.of(new IovaRange(0xfee0_0000L, 0xfeef_ffffL)), true);
    private static final String ADDRESS = "0000:01:00.0";
    private static final long IOVA = 0x10000;
    private static final int DIRTY_TRACKING = 2;
    private static final int KEEP = 1;

    private final TestModel model = new TestModel();
    private final SimMachine machine = SimMachine.builder()
            .device(PciAddress.parse(ADDRESS), model)
            .iommu(0, TRACKING)
            .build();
    private final RawProcess raw = RawProcess.on(machine);
    private final int iommufd = check(raw.open("/dev/iommu"));
    private final int device = check(raw.open("/dev/vfio/devices/vfio0"));
    private int bound;
    private int ioas;

    @BeforeEach
    void map() {
        bound = check(raw.bind(device, iommufd));
        ioas = check(raw.ioasAlloc(iommufd));
        check(raw.ioasMap(iommufd, ioas, IOVA, raw.mmap(4 * 4096), 4 * 4096, READ | WRITE));
        raw.command(device, 6);
    }

    @AfterEach
    void nothingIsLeft() {
        raw.process.kill();
        assertThat(machine.leaks()).isEmpty();
        machine.close();
    }

    private int tracking() {
        int table = check(raw.hwptAlloc(iommufd, bound, ioas, DIRTY_TRACKING));
        check(raw.attach(device, table));
        check(raw.trackDirtyPages(iommufd, table, true));
        return table;
    }

    private long dirty(int table) {
        return raw.dirtyPages(iommufd, table, IOVA, 4 * 4096, 0);
    }

    @Test
    void whatADeviceWritesIsToldOnce() {
        int table = tracking();
        assertThat(model.bus.dmaWrite(IOVA + 4096 - 4, raw.memory(8))).isTrue();
        assertThat(model.bus.dmaRead(IOVA + 3 * 4096, raw.memory(8))).isTrue();

        assertThat(raw.dirtyPages(iommufd, table, IOVA, 4 * 4096, KEEP)).isEqualTo(3);
        assertThat(raw.dirtyPages(iommufd, table, IOVA + 4096, 4096, 0)).isEqualTo(1);
        assertThat(dirty(table)).isEqualTo(1);
        assertThat(dirty(table)).isZero();
    }

    @Test
    void nothingIsToldOfPagesThatAreGoneOrWhileTrackingIsOff() {
        int table = tracking();
        model.bus.dmaWrite(IOVA, raw.memory(8));
        check((int) raw.ioasUnmap(iommufd, ioas, IOVA, 4 * 4096));
        check(raw.ioasMap(iommufd, ioas, IOVA, raw.mmap(4 * 4096), 4 * 4096, WRITE));
        assertThat(dirty(table)).isZero();

        model.bus.dmaWrite(IOVA, raw.memory(8));
        check(raw.trackDirtyPages(iommufd, table, false));
        assertThat(dirty(table)).isZero();
        check(raw.trackDirtyPages(iommufd, table, true));
        assertThat(dirty(table)).isZero();
    }

    @Test
    void onlyAPageTableThatWasMadeForItTracks() {
        int table = check(raw.hwptAlloc(iommufd, bound, ioas, 0));
        assertThat(raw.trackDirtyPages(iommufd, table, true)).isEqualTo(-EOPNOTSUPP);
        assertThat(dirty(table)).isEqualTo(-EOPNOTSUPP);
    }

    @Test
    void aDeviceIsMovedWhileItWorks() {
        int table = check(raw.hwptAlloc(iommufd, bound, ioas, 0));
        int other = check(raw.ioasAlloc(iommufd));
        check(raw.attach(device, table));
        assertThat(raw.destroy(iommufd, table)).isEqualTo(-EBUSY);
        assertThat(model.bus.dmaRead(IOVA, raw.memory(8))).isTrue();

        check(raw.attach(device, other));

        assertThat(model.bus.dmaRead(IOVA, raw.memory(8))).as("nothing is mapped there").isFalse();
        assertThat(raw.destroy(iommufd, table)).isZero();
        assertThat(raw.process.pinnedBytes()).as("no page table has it").isZero();
        check(raw.attach(device, ioas));
        assertThat(model.bus.dmaRead(IOVA, raw.memory(8))).isTrue();
    }

    @Test
    void pagesOfSeveralPageTablesArePinnedOnce() {
        int first = check(raw.hwptAlloc(iommufd, bound, ioas, 0));
        int second = check(raw.hwptAlloc(iommufd, bound, ioas, DIRTY_TRACKING));
        assertThat(raw.process.pinnedBytes()).isEqualTo(4 * 4096);
        check(raw.destroy(iommufd, first));
        assertThat(raw.process.pinnedBytes()).isEqualTo(4 * 4096);
        check(raw.destroy(iommufd, second));
        assertThat(raw.process.pinnedBytes()).isZero();
    }

    @Test
    void memoryThatIsGivenBackIsAFault() {
        int table = tracking();
        long memory = raw.mmap(4096);
        check(raw.ioasMap(iommufd, ioas, 0x80000, memory, 4096, READ | WRITE));
        check(raw.munmap(memory, 4096));

        assertThat(model.bus.dmaWrite(0x80000, raw.memory(8))).isFalse();

        assertThat(machine.faults().getLast().reason()).isEqualTo(DmaFault.Reason.MEMORY_GONE);
        assertThat(raw.dirtyPages(iommufd, table, 0x80000, 4096, 0)).isZero();
    }
}
