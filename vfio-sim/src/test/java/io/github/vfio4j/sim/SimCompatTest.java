package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.PciAddress;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** An iommufd in place of a container. */
class SimCompatTest {
    private static final String ADDRESS = "0000:01:00.0";
    private static final int NO_IOMMU = 8;
    private static final long IOVA = 0x10000;
    private static final long MSI = 0xfee0_0000L;
    private static final long NOWHERE = 0x2000; // memory that no process has

    private final TestModel model = new TestModel();
    private SimMachine machine =
            SimMachine.builder().device(PciAddress.parse(ADDRESS), model).build();
    private RawProcess raw = RawProcess.on(machine);
    private int iommufd = check(raw.open("/dev/iommu"));
    private int group = check(raw.openGroup(0));

    @AfterEach
    void nothingIsLeft() {
        raw.process.kill();
        assertThat(machine.leaks()).isEmpty();
        machine.close();
    }

    private void on(SimMachine other) {
        machine.close();
        machine = other;
        raw = RawProcess.on(machine);
        iommufd = check(raw.open("/dev/iommu"));
    }

    @Test
    void aDeviceOfAGroupReachesWhatIsMapped() {
        check(raw.setContainer(group, iommufd));
        check(raw.setIommu(iommufd, TYPE1V2));
        check(raw.map(iommufd, IOVA, raw.mmap(4096), 4096, READ | WRITE));
        int device = check(raw.deviceFd(group, ADDRESS));
        raw.command(device, 6);

        assertThat(model.bus.dmaRead(IOVA, raw.memory(8))).isTrue();

        assertThat(raw.unmap(iommufd, IOVA, 4096)).isEqualTo(4096);
        assertThat(model.bus.dmaRead(IOVA, raw.memory(8))).isFalse();
    }

    @Test
    void anOpenDeviceKeepsNoGroup() {
        check(raw.setContainer(group, iommufd));
        check(raw.map(iommufd, IOVA, raw.mmap(4096), 4096, READ | WRITE));
        int device = check(raw.deviceFd(group, ADDRESS));
        raw.command(device, 6);
        assertThat(raw.unsetContainer(group)).isZero();
        assertThat(raw.close(group)).isZero();

        assertThat(model.bus.dmaRead(IOVA, raw.memory(8))).isTrue();
        group = check(raw.openGroup(0));
        int container = check(raw.openContainer());
        assertThat(raw.setContainer(group, container)).as("the iommufd owns it").isEqualTo(-EPERM);
        check(raw.close(device));
        assertThat(raw.setContainer(group, container)).isZero();
    }

    @Test
    void theFirstVersionOfType1CutsMappings() {
        check(raw.setContainer(group, iommufd));
        check(raw.setIommu(iommufd, TYPE1));
        int device = check(raw.deviceFd(group, ADDRESS));
        check(raw.map(iommufd, IOVA, raw.mmap(3 * 4096), 3 * 4096, READ));
        raw.command(device, 6);

        assertThat(raw.unmap(iommufd, IOVA + 4096, 4096)).isEqualTo(4096);

        MemorySegment word = raw.memory(8);
        assertThat(model.bus.dmaRead(IOVA, word)).isTrue();
        assertThat(model.bus.dmaRead(IOVA + 4096, word)).isFalse();
        assertThat(model.bus.dmaRead(IOVA + 8192, word)).isTrue();
        assertThat(raw.process.pinnedBytes()).isEqualTo(8192);
    }

    @Test
    void aMappingWithoutPermissionKeepsDevicesOut() {
        check(raw.setContainer(group, iommufd));
        long memory = raw.mmap(4096);
        assertThat(raw.map(iommufd, IOVA, memory, 4096, 0)).as("nobody is there to refuse").isZero();
        assertThat(raw.deviceFd(group, ADDRESS)).isEqualTo(-EINVAL);
        check(raw.map(iommufd, IOVA + 4096, NOWHERE, 4096, 0));
        assertThat(raw.deviceFd(group, ADDRESS)).isEqualTo(-EINVAL);
        check(raw.map(iommufd, MSI, memory, 4096, READ));
        assertThat(raw.deviceFd(group, ADDRESS)).isEqualTo(-EADDRINUSE);
        raw.unmap(iommufd, MSI, 4096);
        raw.unmap(iommufd, IOVA + 4096, 4096);

        check(raw.close(group));
        int device = check(raw.open("/dev/vfio/devices/vfio0"));
        int id = check(raw.bind(device, iommufd));
        assertThat(raw.attach(device, 1)).isEqualTo(-EINVAL);
        assertThat(raw.hwptAlloc(iommufd, id, 1, 0)).isEqualTo(-EINVAL);
        check(raw.map(iommufd, IOVA + 8192, memory, 1, READ)); // not a page
        assertThat(raw.attach(device, 1)).isEqualTo(-EADDRINUSE);
        assertThat(raw.hwptAlloc(iommufd, id, 1, 0)).isEqualTo(-EADDRINUSE);
        raw.unmap(iommufd, IOVA + 8192, 1);

        assertThat(raw.unmap(iommufd, IOVA, 4096)).isEqualTo(4096);
        check(raw.attach(device, 1));
        assertThat(raw.map(iommufd, IOVA, memory, 4096, 0)).isEqualTo(-EINVAL);
    }

    @Test
    void withoutAnIommuEachStepTakesAPrivilege() {
        on(SimMachine.builder()
                .allowNoIommu(true)
                .deviceWithoutIommu(PciAddress.parse(ADDRESS), new TestModel(), SimMachine.VFIO_PCI)
                .build());
        group = check(raw.open("/dev/vfio/noiommu-0"));
        check(raw.setContainer(group, iommufd));
        assertThat(raw.setIommu(iommufd, NO_IOMMU)).isZero();
        assertThat(raw.setIommu(iommufd, TYPE1V2)).isEqualTo(-EINVAL);
        raw.close(check(raw.deviceFd(group, ADDRESS)));

        raw.process.dropRawIo();

        assertThat(raw.setIommu(iommufd, NO_IOMMU)).isEqualTo(-EPERM);
        assertThat(raw.deviceFd(group, ADDRESS)).isEqualTo(-EPERM);
    }

    @Test
    void anIommufdIsOfOneKind() {
        on(SimMachine.builder()
                .allowNoIommu(true)
                .device(PciAddress.parse("0000:02:00.0"), new TestModel(), 5, SimMachine.VFIO_PCI)
                .deviceWithoutIommu(PciAddress.parse(ADDRESS), new TestModel(), SimMachine.VFIO_PCI)
                .build());
        group = check(raw.openGroup(5));
        int without = check(raw.open("/dev/vfio/noiommu-6"));
        check(raw.setContainer(group, iommufd));
        assertThat(raw.setContainer(without, iommufd)).isEqualTo(-EINVAL);

        int other = check(raw.open("/dev/iommu"));
        check(raw.setContainer(without, other));
        check(raw.unsetContainer(group));
        assertThat(raw.setContainer(group, other)).isEqualTo(-EINVAL);
    }

    @Test
    void withoutInterruptRemappingNoDeviceIsOpened() {
        on(SimMachine.builder()
                .interruptRemapping(false)
                .device(PciAddress.parse(ADDRESS), new TestModel())
                .build());
        group = check(raw.openGroup(0));
        check(raw.setContainer(group, iommufd));
        check(raw.setIommu(iommufd, TYPE1V2));
        assertThat(raw.deviceFd(group, ADDRESS)).isEqualTo(-EPERM);
    }

    @Test
    void whatIsMappedCountsWhenADeviceIsOpened() {
        check(raw.close(group));
        machine.allowIommufd();
        machine.allowGroup(0);
        RawProcess limited = new RawProcess(machine.startUnprivilegedProcess());
        limited.process.limitLockedMemory(4096);
        int fd = check(limited.open("/dev/iommu"));
        int file = check(limited.openGroup(0));
        check(limited.setContainer(file, fd));
        check(limited.map(fd, IOVA, limited.mmap(8192), 8192, READ));
        assertThat(limited.deviceFd(file, ADDRESS)).isEqualTo(-ENOMEM);
        assertThat(limited.unmap(fd, IOVA, 8192)).isEqualTo(8192);
        check(limited.map(fd, IOVA, NOWHERE, 8192, READ));
        assertThat(limited.deviceFd(file, ADDRESS)).as("it is looked for before it is counted").isEqualTo(-EFAULT);
        limited.unmap(fd, IOVA, 8192);
        assertThat(limited.deviceFd(file, ADDRESS)).isPositive();
        limited.process.kill();
    }
}
