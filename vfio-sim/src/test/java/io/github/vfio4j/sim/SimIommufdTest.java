package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The straight road: a device by its own node, bound to an iommufd, attached to an address space, and its DMA. */
class SimIommufdTest {
    private static final String ADDRESS = "0000:01:00.0";
    private static final long IOVA = 0x10000;
    private static final int FEATURE = 0x3b75;
    private static final int GET_DMA_BUF = 1 << 16 | 11;

    private final TestModel model = new TestModel();
    private final SimMachine machine =
            SimMachine.builder().device(PciAddress.parse(ADDRESS), model).build();
    private RawProcess raw;
    private int iommufd;
    private int device;

    @BeforeEach
    void open() {
        raw = RawProcess.on(machine);
        iommufd = check(raw.open("/dev/iommu"));
        device = check(raw.open("/dev/vfio/devices/vfio0"));
    }

    @AfterEach
    void nothingIsLeft() {
        raw.process.kill();
        assertThat(machine.leaks()).isEmpty();
        machine.close();
    }

    private int attached() {
        check(raw.bind(device, iommufd));
        int ioas = check(raw.ioasAlloc(iommufd));
        check(raw.attach(device, ioas));
        return ioas;
    }

    @Test
    void aDeviceReachesWhatIsMapped() {
        int ioas = attached();
        long memory = raw.mmap(8192);
        raw.at(memory).set(ValueLayout.JAVA_LONG, 4096, 42);
        assertThat(raw.ioasMap(iommufd, ioas, IOVA, memory, 8192, READ | WRITE)).isZero();
        raw.command(device, 6);
        MemorySegment read = raw.memory(8);

        assertThat(model.bus.dmaRead(IOVA + 4096, read)).isTrue();

        assertThat(read.get(LONG, 0)).isEqualTo(42);
        assertThat(raw.ioasUnmap(iommufd, ioas, IOVA, 8192)).isEqualTo(8192);
        assertThat(model.bus.dmaRead(IOVA + 4096, read)).isFalse();
        assertThat(machine.faults().getLast().reason()).isEqualTo(DmaFault.Reason.NOT_MAPPED);
    }

    @Test
    void aDeviceReachesASharedPartOfABarWhileThatDecodesMemory() {
        int ioas = attached();
        raw.command(device, 6);
        raw.pwrite(device, raw.ints(42, 0), 4096);
        int shared = check(raw.ioctl(device, FEATURE, raw.ints(56, GET_DMA_BUF, 0, 0, 0, 1, 4096, 0, 8192, 0)));
        check(raw.mapFile(iommufd, ioas, IOVA, shared, 8192));
        MemorySegment read = raw.memory(8);

        assertThat(model.bus.dmaRead(IOVA, read)).isTrue();

        assertThat(read.get(LONG, 0)).isEqualTo(42);
        assertThat(raw.process.pinnedBytes()).isZero();
        raw.command(device, 4);
        assertThat(model.bus.dmaRead(IOVA, read)).isFalse();
        assertThat(raw.mapFile(iommufd, ioas, 2 * IOVA, shared, 8192)).isEqualTo(-ENODEV);
        raw.command(device, 6);
        assertThat(raw.mapFile(iommufd, ioas, 2 * IOVA, shared, 8192)).isZero();
        raw.close(device);
        assertThat(raw.mapFile(iommufd, ioas, 3 * IOVA, shared, 8192)).isEqualTo(-ENODEV);
    }

    @Test
    void aDeviceThatIsNotAttachedReachesNothing() {
        check(raw.bind(device, iommufd));
        raw.command(device, 6);

        assertThat(model.bus.dmaRead(IOVA, raw.memory(8))).isFalse();

        assertThat(machine.faults().getLast().reason()).isEqualTo(DmaFault.Reason.NO_IOMMU);
    }

    @Test
    void nothingIsReachedBeforeTheDeviceIsBound() {
        assertThat(raw.ioctl(device, DEVICE_GET_INFO, raw.ints(16, 0, 0, 0))).isEqualTo(-EINVAL);
        assertThat(raw.pread(device, raw.memory(4), 7L << 40)).isEqualTo(-EINVAL);

        check(raw.bind(device, iommufd));

        assertThat(raw.ioctl(device, DEVICE_GET_INFO, raw.ints(16, 0, 0, 0))).isZero();
        assertThat(raw.pread(device, raw.memory(4), 7L << 40)).isEqualTo(4);
    }

    @Test
    void theContextLivesAsLongAsADeviceIsBound() {
        int ioas = attached();
        long memory = raw.mmap(4096);
        check(raw.ioasMap(iommufd, ioas, IOVA, memory, 4096, READ));
        assertThat(raw.close(iommufd)).isZero();
        raw.command(device, 6);

        assertThat(model.bus.dmaRead(IOVA, raw.memory(8))).isTrue();
        assertThat(raw.process.pinnedBytes()).isEqualTo(4096);
        assertThat(raw.close(device)).isZero();
        assertThat(raw.process.pinnedBytes()).isZero();
    }

    @Test
    void aGroupAndItsDevicesExcludeEachOther() {
        check(raw.bind(device, iommufd));
        assertThat(raw.openGroup(0)).isEqualTo(-EBUSY);
        check(raw.close(device));

        check(raw.openGroup(0));
        device = check(raw.open("/dev/vfio/devices/vfio0"));
        assertThat(raw.bind(device, iommufd)).isEqualTo(-EBUSY);
    }

    @Test
    void oldKernelsHaveNeitherNode() {
        try (SimMachine old = SimMachine.builder()
                .kernel(KernelProfile.V6_1)
                .device(PciAddress.parse(ADDRESS), new TestModel())
                .build()) {
            RawProcess there = RawProcess.on(old);
            assertThat(there.open("/dev/iommu")).isEqualTo(-ENOENT);
            assertThat(there.open("/dev/vfio/devices/vfio0")).isEqualTo(-ENOENT);
        }
    }

    @Test
    void aDeviceIsClosedBeforeItsDriverLetsItGo() throws InterruptedException {
        Thread unbind = Thread.ofVirtual().start(() -> machine.unbind(PciAddress.parse(ADDRESS)));
        while (unbind.getState() != Thread.State.TIMED_WAITING) { // for the device to be closed
            Thread.onSpinWait();
        }
        assertThat(raw.open("/dev/vfio/devices/vfio0")).as("the node goes first").isEqualTo(-ENOENT);
        assertThat(raw.bind(device, iommufd)).as("an open file can still be bound").isPositive();
        assertThat(unbind.isAlive()).isTrue();

        raw.close(device);
        raw.process.files().open().stream().filter(fd -> fd > device).toList().forEach(raw::close);
        unbind.join();
    }

    @Test
    void aMediatedDeviceIsBoundAndAttached() {
        try (SimMachine mediated = SimMachine.builder()
                .mediatedDevice(new UUID(1, 2), new MttyModel())
                .build()) {
            RawProcess there = RawProcess.on(mediated);
            int fd = check(there.open("/dev/iommu"));
            int file = check(there.open("/dev/vfio/devices/vfio0"));
            assertThat(there.bind(file, fd)).isEqualTo(1);
            int ioas = check(there.ioasAlloc(fd));
            check(there.ioasMap(fd, ioas, 0x10001, there.mmap(4096), 1, READ));
            assertThat(there.attach(file, ioas)).as("a byte is mapped").isEqualTo(-EADDRINUSE);
            assertThat(there.ioasUnmap(fd, ioas, 0, -1)).isEqualTo(1);

            assertThat(there.attach(file, ioas)).isEqualTo(ioas);

            assertThat(there.ioasMap(fd, ioas, 0x10001, there.mmap(4096), 1, READ)).isEqualTo(-EINVAL);
            assertThat(there.destroy(fd, ioas)).isEqualTo(-EBUSY);
            assertThat(there.detach(file)).isZero();
            assertThat(there.destroy(fd, ioas)).isZero();
            there.close(file);
            there.close(fd);
        }
    }

    @Test
    void sysfsTellsTheNumberOfTheNode() throws SysFs.Failure {
        String at = "/sys/bus/pci/devices/" + ADDRESS + "/vfio-dev";
        assertThat(machine.sysfs().list(at)).containsExactly("vfio0");
        Frame frame = new Frame();
        check(raw.calls.statx(frame, device, "", Syscalls.AT_EMPTY_PATH));
        assertThat(machine.sysfs().read(at + "/vfio0/dev"))
                .isEqualTo(frame.arg.get(INT, 128) + ":" + frame.arg.get(INT, 132));
    }

    @Test
    void anUnprivilegedProcessNeedsToBeLetIn() {
        RawProcess other = new RawProcess(machine.startUnprivilegedProcess());
        assertThat(other.open("/dev/iommu")).isEqualTo(-EACCES);
        assertThat(other.open("/dev/vfio/devices/vfio0")).isEqualTo(-EACCES);

        machine.allowIommufd();
        machine.allowGroup(0);

        int fd = check(other.open("/dev/iommu"));
        assertThat(other.bind(check(other.open("/dev/vfio/devices/vfio0")), fd)).isPositive();
        other.process.kill();
    }

    @Test
    void withoutInterruptRemappingNoDeviceIsBound() {
        try (SimMachine unsafe = SimMachine.builder()
                .interruptRemapping(false)
                .device(PciAddress.parse(ADDRESS), new TestModel())
                .build()) {
            RawProcess there = RawProcess.on(unsafe);
            int fd = check(there.open("/dev/iommu"));
            assertThat(there.bind(check(there.open("/dev/vfio/devices/vfio0")), fd)).isEqualTo(-EPERM);
        }
    }

    /** A process that may pin two pages, with an iommufd and the device, which is bound but not attached. */
    private RawProcess limited() {
        machine.allowIommufd();
        machine.allowGroup(0);
        RawProcess limited = new RawProcess(machine.startUnprivilegedProcess());
        limited.process.limitLockedMemory(8192);
        return limited;
    }

    @Test
    void whatIsPinnedCountsForTheUser() {
        RawProcess limited = limited();
        int fd = check(limited.open("/dev/iommu"));
        int file = check(limited.open("/dev/vfio/devices/vfio0"));
        int id = check(limited.bind(file, fd));
        int ioas = check(limited.ioasAlloc(fd));
        long memory = limited.mmap(3 * 4096);
        check(limited.ioasMap(fd, ioas, IOVA, memory, 3 * 4096, READ));
        assertThat(limited.process.pinnedBytes()).as("nothing is attached").isZero();
        assertThat(limited.attach(file, ioas)).isEqualTo(-ENOMEM);
        assertThat(limited.hwptAlloc(fd, id, ioas, 0)).isEqualTo(-ENOMEM);
        int faults = 4; // IOMMU_HWPT_FAULT_ID_VALID, of a queue that is not there
        assertThat(limited.hwptAlloc(fd, id, ioas, faults)).isEqualTo(-ENOMEM);
        assertThat(limited.ioasUnmap(fd, ioas, IOVA, 3 * 4096)).isEqualTo(3 * 4096);

        check(limited.attach(file, ioas));
        check(limited.ioasMap(fd, ioas, IOVA, memory, 8192, READ));
        assertThat(limited.ioasMap(fd, ioas, 2 * IOVA, memory + 8192, 4096, READ)).isEqualTo(-ENOMEM);
        assertThat(limited.copy(fd, ioas, 3 * IOVA, IOVA, 8192)).as("the same pages again").isZero();
        assertThat(limited.process.pinnedBytes()).isEqualTo(8192);
        limited.process.kill();
    }

    /** Gives another process a descriptor of an open file, as a message through a socket does. */
    private int pass(RawProcess from, int fd, RawProcess to) {
        machine.kernel().lock();
        try {
            SimFile file = from.process.files().get(fd);
            machine.kernel().get(file);
            return to.process.files().add(file);
        } finally {
            machine.kernel().unlock();
        }
    }

    @Test
    void whatAProcessTakesOverCountsForIt() {
        RawProcess limited = limited();
        int fd = check(limited.open("/dev/iommu"));
        int file = check(limited.open("/dev/vfio/devices/vfio0"));
        check(limited.bind(file, fd));
        int ioas = check(limited.ioasAlloc(fd));
        check(limited.attach(file, ioas));
        int memory = check(limited.calls.memfdCreate(new Frame(), "test", 0));
        check(limited.calls.fallocate(new Frame(), memory, 0, 8192));
        check(limited.mapFile(fd, ioas, IOVA, memory, 4096));
        check(limited.mapFile(fd, ioas, 2 * IOVA, memory, 4096));
        assertThat(limited.process.pinnedBytes()).as("counted for each mapping by file").isEqualTo(8192);
        RawProcess heir = new RawProcess(machine.startUnprivilegedProcess());
        heir.process.limitLockedMemory(8192);
        int taken = pass(limited, fd, heir);
        assertThat(heir.changeProcess(taken)).as("both are counted for a moment").isEqualTo(-ENOMEM);
        assertThat(limited.process.pinnedBytes()).isEqualTo(8192);
        int other = check(limited.ioasAlloc(fd));
        check(limited.ioasMap(fd, other, IOVA, limited.mmap(4096), 4096, READ));
        assertThat(heir.changeProcess(taken)).as("memory of a process, besides").isEqualTo(-EINVAL);
        check(limited.destroy(fd, other));
        check((int) limited.ioasUnmap(fd, ioas, IOVA, 4096));
        check(heir.changeProcess(taken));
        check(heir.changeProcess(taken));
        assertThat(limited.process.pinnedBytes()).isZero();
        assertThat(heir.process.pinnedBytes()).isEqualTo(4096);
        limited.process.kill();
        heir.process.kill();
    }

    @Test
    void aMediatedDeviceHasNoPasids() {
        try (SimMachine mediated = SimMachine.builder()
                .mediatedDevice(UUID.fromString("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"), new MttyModel())
                .build()) {
            RawProcess program = RawProcess.on(mediated);
            int fd = check(program.open("/dev/iommu"));
            int file = check(program.open("/dev/vfio/devices/vfio0"));
            check(program.bind(file, fd));
            assertThat(program.attachPasid(file, check(program.ioasAlloc(fd)), 5)).isEqualTo(-EOPNOTSUPP);
            program.process.kill();
        }
    }

    @Test
    void onlyNewKernelsAddTheLengthToTheAddressFirst() {
        int ioas = check(raw.ioasAlloc(iommufd));
        assertThat(raw.ioasMap(iommufd, ioas, IOVA, IOVA, -2, READ)).isEqualTo(-EOVERFLOW);
        try (SimMachine older = SimMachine.builder()
                .kernel(KernelProfile.V6_12)
                .device(PciAddress.parse(ADDRESS), new TestModel())
                .build()) {
            RawProcess program = RawProcess.on(older);
            int fd = check(program.open("/dev/iommu"));
            assertThat(program.ioasMap(fd, check(program.ioasAlloc(fd)), IOVA, IOVA, -2, READ)).isEqualTo(-EINVAL);
            program.process.kill();
        }
    }

    @Test
    void howMemoryIsCountedIsForThePrivileged() {
        RawProcess limited = limited();
        int fd = check(limited.open("/dev/iommu"));
        assertThat(limited.option(fd, 0, 0, 1)).isEqualTo(-EPERM);
        check(limited.ioasAlloc(fd)); // too late besides
        assertThat(limited.option(fd, 0, 0, 1)).isEqualTo(-EPERM);
        limited.process.kill();

        assertThat(raw.option(iommufd, 0, 0, 1)).isZero();
    }
}
