package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Device files: info, regions, configuration space, access, mmap, reset. */
class SimDeviceTest {
    private static final PciAddress DEVICE = PciAddress.parse("0000:00:0d.0");
    private static final long BAR0 = 0;
    private static final long BAR2 = 2L << 40;
    private static final long BAR4 = 4L << 40; // MSI-X
    private static final long CONFIG = 7L << 40;
    private static final int HOT_RESET_INFO = 0x3b70;
    private static final int HOT_RESET = 0x3b71;

    private TestModel model;
    private RawProcess p;
    private Rig rig;

    SimDeviceTest() {
        use(KernelProfile.V7_2);
    }

    private void use(KernelProfile kernel) {
        model = new TestModel(3, 8);
        p = RawProcess.on(SimMachine.builder().kernel(kernel).device(DEVICE, model).build());
        rig = p.openDevice(0, DEVICE.toString());
    }

    // ---- info

    @ParameterizedTest
    @EnumSource
    void infoTellsRegionsAndInterrupts(KernelProfile kernel) {
        use(kernel);
        MemorySegment info = p.ints(24, -1, -1, -1, -1, -1);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_INFO, info)).isZero();
        assertThat(info.get(INT, 4)).isEqualTo(3); // RESET, PCI
        assertThat(info.get(INT, 8)).isEqualTo(9);
        assertThat(info.get(INT, 12)).isEqualTo(5);
        assertThat(info.get(INT, 16)).isZero();
        assertThat(info.get(INT, 20)).isEqualTo(kernel.isBefore(KernelProfile.V6_12) ? -1 : 0); // 6.1 has no padding there
    }

    @Test
    void infoChecksItsArgument() {
        assertThat(p.ioctl(rig.device(), DEVICE_GET_INFO, p.memory(15))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_INFO, p.ints(15, 0, 0, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_INFO, p.ints(16, 0, 0, 0))).isZero();
        assertThat(p.ioctl(rig.device(), DEVICE_GET_INFO, p.ints(24, 0, 0, 0))).isEqualTo(-EFAULT); // no room for 24
    }

    @Test
    void regionsTellWhereTheyAreAndWhatCanBeDone() {
        assertRegion(0, 7, 16384); // READ, WRITE, MMAP
        assertRegion(1, 0, 0);
        assertRegion(2, 3, 128);
        assertRegion(6, 0, 0); // ROM
        assertRegion(7, 3, 256);
    }

    private void assertRegion(int index, int flags, long size) {
        MemorySegment info = region(index, 32);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_REGION_INFO, info)).isZero();
        assertThat(info.get(INT, 0)).isEqualTo(32);
        assertThat(info.get(INT, 4)).isEqualTo(flags);
        assertThat(info.get(INT, 12)).isZero();
        assertThat(info.get(LONG, 16)).isEqualTo(size);
        assertThat(info.get(LONG, 24)).isEqualTo((long) index << 40);
    }

    private MemorySegment region(int index, int argsz) {
        MemorySegment info = p.memory(64);
        info.set(INT, 0, argsz);
        info.set(INT, 8, index);
        return info;
    }

    @Test
    void theBarOfTheMsixTableSaysThatItCanBeMappedAsAWhole() {
        MemorySegment info = region(4, 32);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_REGION_INFO, info)).isZero();
        assertThat(info.get(INT, 0)).isEqualTo(40); // the size that is needed
        assertThat(info.get(INT, 4)).isEqualTo(15); // READ, WRITE, MMAP, CAPS
        assertThat(info.get(INT, 12)).isZero();
        assertThat(info.get(LONG, 16)).isEqualTo(4096);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_REGION_INFO, info)).isZero();
        assertThat(info.get(INT, 12)).isEqualTo(32);
        assertThat(info.get(SHORT, 32)).isEqualTo((short) 3); // MSIX_MAPPABLE
        assertThat(info.get(INT, 36)).isZero(); // the last one
    }

    @Test
    void regionInfoChecksItsArgument() {
        assertThat(p.ioctl(rig.device(), DEVICE_GET_REGION_INFO, p.memory(31))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_REGION_INFO, region(0, 31))).isEqualTo(-EINVAL);
        for (int index : new int[] {8, 9, 100, -1}) {
            assertThat(p.ioctl(rig.device(), DEVICE_GET_REGION_INFO, region(index, 32))).isEqualTo(-EINVAL);
        }
    }

    @ParameterizedTest
    @EnumSource
    void interruptIndexesTellTheirVectors(KernelProfile kernel) {
        use(kernel);
        assertIrq(0, 7, 0); // EVENTFD, MASKABLE, AUTOMASKED
        assertIrq(1, 9, 8); // EVENTFD, NORESIZE
        assertIrq(2, kernel.isBefore(KernelProfile.V6_12) ? 9 : 1, 3);
        assertIrq(4, 9, 1);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_IRQ_INFO, p.ints(16, 0, 3, 0))).isEqualTo(-EINVAL); // not PCIe
        assertThat(p.ioctl(rig.device(), DEVICE_GET_IRQ_INFO, p.ints(16, 0, 5, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_IRQ_INFO, p.ints(15, 0, 1, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_IRQ_INFO, p.memory(15))).isEqualTo(-EFAULT);
    }

    private void assertIrq(int index, int flags, int count) {
        MemorySegment info = p.ints(16, -1, index, -1);
        assertThat(p.ioctl(rig.device(), DEVICE_GET_IRQ_INFO, info)).isZero();
        assertThat(info.get(INT, 4)).as("flags of %d", index).isEqualTo(flags);
        assertThat(info.get(INT, 12)).as("vectors of %d", index).isEqualTo(count);
    }

    @Test
    void aDeviceHasNoOtherOperations() {
        for (int request : new int[] {GET_API_VERSION, SET_IOMMU, GROUP_GET_STATUS, 0x3b72, 0x3b79, 0}) {
            assertThat(p.ioctl(rig.device(), request, 0)).as("request 0x%x", request).isEqualTo(-ENOTTY);
        }
    }

    // ---- configuration space

    private int config(int offset, int bytes) {
        MemorySegment value = p.memory(4);
        assertThat(p.pread(rig.device(), value.asSlice(0, bytes), CONFIG + offset)).isEqualTo(bytes);
        return value.get(INT, 0);
    }

    private void config(int offset, int bytes, int value) {
        assertThat(p.pwrite(rig.device(), p.ints(value).asSlice(0, bytes), CONFIG + offset)).isEqualTo(bytes);
    }

    @Test
    void configurationSpaceStartsWithTheIdentity() {
        assertThat(config(0, 2)).isEqualTo(TestModel.VENDOR);
        assertThat(config(2, 2)).isEqualTo(TestModel.DEVICE);
        assertThat(config(8, 4)).isEqualTo(0x05800000);
        assertThat(config(0x0e, 1)).isZero();
        assertThat(config(0x3d, 1)).isZero(); // no interrupt pin
    }

    @Test
    void memoryIsDecodedAndBusMasteringIsOffAfterTheOpen() {
        assertThat(config(4, 2)).isEqualTo(2);
        config(4, 2, 0xffff);
        assertThat(config(4, 2)).isEqualTo(0x507); // what the device implements
        config(4, 1, 0);
        assertThat(config(4, 2)).isEqualTo(0x500);
    }

    @Test
    void aFreshOpenStartsWithAFreshCommandRegister() {
        config(4, 2, 6);
        p.close(rig.device());
        int again = check(p.deviceFd(rig.group(), DEVICE.toString()));
        MemorySegment command = p.memory(2);
        p.pread(again, command, CONFIG + 4);
        assertThat(command.get(SHORT, 0)).isEqualTo((short) 2);
    }

    @Test
    void barsTellTheirSize() {
        config(0x10, 4, -1);
        assertThat(config(0x10, 4)).isEqualTo(-16384);
        config(0x14, 4, -1);
        assertThat(config(0x14, 4)).isZero(); // not there
        config(0x18, 4, -1);
        assertThat(config(0x18, 4)).isEqualTo(-128);
        config(0x10, 4, 0xfe001234);
        assertThat(config(0x10, 4)).isEqualTo(0xfe000000);
    }

    @Test
    void identityAndCapabilitiesCannotBeWritten() {
        config(0, 4, 0);
        assertThat(config(0, 2)).isEqualTo(TestModel.VENDOR);
        int msix = config(0x34, 1);
        config(msix, 4, 0);
        assertThat(config(msix, 1)).isEqualTo(0x11);
        config(0x3c, 1, 0x5a);
        assertThat(config(0x3c, 1)).isEqualTo(0x5a); // the interrupt line means nothing and keeps what it gets
    }

    @Test
    void theCapabilitiesAreMsixAndMsi() {
        assertThat(config(6, 2) & 0x10).isNotZero();
        int msix = config(0x34, 1);
        assertThat(config(msix, 1)).isEqualTo(0x11);
        assertThat(config(msix + 2, 2)).isEqualTo(2); // 3 vectors, off
        assertThat(config(msix + 4, 4)).isEqualTo(4); // the table at the start of BAR 4
        assertThat(config(msix + 8, 4)).isEqualTo(2048 + 4); // pending bits in its second half
        int msi = config(msix + 1, 1);
        assertThat(config(msi, 1)).isEqualTo(5);
        assertThat(config(msi + 2, 2)).isEqualTo(0x80 | 3 << 1); // 64-bit, 8 vectors, off
        assertThat(config(msi + 1, 1)).isZero();
    }

    @Test
    void configurationSpaceEndsWithEfault() {
        assertThat(p.pread(rig.device(), p.memory(4), CONFIG + 252)).isEqualTo(4);
        assertThat(p.pread(rig.device(), p.memory(8), CONFIG + 252)).isEqualTo(-EFAULT);
        assertThat(p.pread(rig.device(), p.memory(1), CONFIG + 256)).isEqualTo(-EFAULT);
        assertThat(p.pwrite(rig.device(), p.memory(8), CONFIG + 252)).isEqualTo(-EFAULT);
    }

    // ---- read and write

    @Test
    void aBarWithoutMmapCallsTheModelForEachAccess() {
        model.registers[1] = 0x1122334455667788L;
        MemorySegment value = p.memory(4);
        assertThat(p.pread(rig.device(), value, BAR2 + 12)).isEqualTo(4);
        assertThat(value.get(INT, 0)).isEqualTo(0x11223344);
        assertThat(p.pwrite(rig.device(), p.ints(0xcafe), BAR2 + 16)).isEqualTo(4);
        assertThat(model.events).containsExactly("on", "read 12 4", "write 16 4 0xcafe");
    }

    @ParameterizedTest
    @EnumSource
    void accessesAreAsWideAsTheyCanBe(KernelProfile kernel) {
        use(kernel);
        assertThat(p.pread(rig.device(), p.memory(15), BAR2 + 1)).isEqualTo(15);
        if (kernel.isBefore(KernelProfile.V6_12)) {
            assertThat(model.events).containsExactly("on", "read 1 1", "read 2 2", "read 4 4", "read 8 4", "read 12 4");
        } else {
            assertThat(model.events).containsExactly("on", "read 1 1", "read 2 2", "read 4 4", "read 8 8");
        }
    }

    @Test
    void aMappableBarIsReadAndWrittenToo() {
        assertThat(p.pwrite(rig.device(), p.ints(1, 2, 3), BAR0 + 4)).isEqualTo(12);
        assertThat(model.bus.bar(0).get(INT, 12)).isEqualTo(3);
        MemorySegment back = p.memory(12);
        assertThat(p.pread(rig.device(), back, BAR0 + 4)).isEqualTo(12);
        assertThat(back.toArray(ValueLayout.JAVA_INT)).containsExactly(1, 2, 3);
        assertThat(model.events).containsExactly("on");
    }

    @Test
    void accessesEndWithTheBar() {
        assertThat(p.pread(rig.device(), p.memory(16), BAR2 + 120)).isEqualTo(8);
        assertThat(p.pread(rig.device(), p.memory(16), BAR2 + 128)).isEqualTo(-EINVAL);
        assertThat(p.pread(rig.device(), p.memory(16), (1L << 40) + 0)).isEqualTo(-EINVAL); // BAR 1 is not there
        assertThat(p.pread(rig.device(), p.memory(16), 6L << 40)).isEqualTo(-EINVAL); // no ROM
        assertThat(p.pwrite(rig.device(), p.memory(16), 6L << 40)).isEqualTo(-EINVAL);
        assertThat(p.pread(rig.device(), p.memory(16), 8L << 40)).isEqualTo(-EINVAL); // no VGA
        assertThat(p.pread(rig.device(), p.memory(16), 9L << 40)).isEqualTo(-EINVAL);
        assertThat(p.pread(rig.device(), p.memory(16), -1)).isEqualTo(-EINVAL);
        assertThat(p.pread(rig.device(), p.memory(16).asSlice(0, 0), 9L << 40)).isZero(); // nothing is always there
    }

    @Test
    void withoutMemoryDecodeBarsCannotBeReached() {
        p.command(rig.device(), 0);
        assertThat(p.pread(rig.device(), p.memory(4), BAR0)).isEqualTo(-EIO);
        assertThat(p.pwrite(rig.device(), p.memory(4), BAR2)).isEqualTo(-EIO);
        assertThat(p.pread(rig.device(), p.memory(4), BAR2 + 128)).isEqualTo(-EINVAL); // its end is looked at first
        p.command(rig.device(), 2);
        assertThat(p.pread(rig.device(), p.memory(4), BAR0)).isEqualTo(4);
    }

    @Test
    void theMsixTableIsKeptFromPrograms() {
        p.pwrite(rig.device(), p.ints(0, 0), BAR4);
        MemorySegment across = p.memory(56);
        assertThat(p.pread(rig.device(), across, BAR4)).isEqualTo(56);
        assertThat(across.get(LONG, 0)).isEqualTo(-1);
        assertThat(across.get(LONG, 40)).isEqualTo(-1);
        assertThat(across.get(LONG, 48)).isZero(); // behind the 3 entries
    }

    @Test
    void readAndWriteWithoutAPlaceGoOnWhereTheyStopped() {
        assertThat(p.calls.write(new Frame(), rig.device(), p.ints(7, 8))).isEqualTo(8);
        assertThat(p.calls.read(new Frame(), rig.device(), p.memory(4))).isEqualTo(4);
        p.pwrite(rig.device(), p.ints(9), 12);
        MemorySegment next = p.memory(4);
        assertThat(p.calls.read(new Frame(), rig.device(), next)).isEqualTo(4);
        assertThat(next.get(INT, 0)).isEqualTo(9);
    }

    // ---- mmap

    @Test
    void aMappedBarIsTheDevicesMemory() {
        long address = p.mmapFile(rig.device(), BAR0, 16384);
        assertThat(address % 4096).isZero();
        p.at(address).set(INT, 8, 42);
        assertThat(model.bus.bar(0).get(INT, 8)).isEqualTo(42);
        long part = p.mmapFile(rig.device(), BAR0 + 4096, 4096);
        model.bus.bar(0).set(INT, 4100, 43);
        assertThat(p.at(part).get(INT, 4)).isEqualTo(43);
    }

    @Test
    void whatCannotBeMappedIsEinval() {
        assertThat(p.mmapFile(rig.device(), BAR0, 16385)).isEqualTo(-EINVAL); // a page beyond
        assertThat(p.mmapFile(rig.device(), BAR0 + 16384, 4096)).isEqualTo(-EINVAL);
        assertThat(p.mmapFile(rig.device(), 1L << 40, 4096)).isEqualTo(-EINVAL);
        assertThat(p.mmapFile(rig.device(), BAR2, 128)).isEqualTo(-EINVAL); // smaller than a page
        assertThat(p.mmapFile(rig.device(), CONFIG, 256)).isEqualTo(-EINVAL);
        assertThat(p.mmapFile(rig.device(), 8L << 40, 4096)).isEqualTo(-EINVAL);
        assertThat(p.mmapFile(rig.device(), 99L << 40, 4096)).isEqualTo(-EINVAL);
        assertThat(p.mmapFile(rig.device(), BAR0 + 8, 4096)).isEqualTo(-EINVAL); // no page
        assertThat(p.mmapFile(rig.device(), BAR0, 0)).isEqualTo(-EINVAL);
        assertThat(p.calls.mmap(new Frame(), 4096, 3, Syscalls.MAP_PRIVATE, rig.device(), 0)).isEqualTo(-EINVAL);
        assertThat(p.calls.mmap(new Frame(), 4096, 3, 0, rig.device(), 0)).isEqualTo(-EINVAL);
        assertThat(p.mmapFile(99, BAR0, 4096)).isEqualTo(-EBADF);
    }

    @Test
    void aBarSmallerThanTheLengthIsRoundedToItsPages() {
        assertThat(p.mmapFile(rig.device(), BAR0, 16383)).isPositive();
        assertThat(p.mmapFile(rig.device(), BAR4, 10)).isPositive(); // the MSI-X BAR, too
    }

    @ParameterizedTest
    @EnumSource
    void newKernelsMapNoDeviceExecutable(KernelProfile kernel) {
        use(kernel);
        long result = p.calls.mmap(new Frame(), 4096, 5, Syscalls.MAP_SHARED, rig.device(), 0);
        if (kernel == KernelProfile.V7_2) {
            assertThat(result).isEqualTo(-EPERM);
        } else {
            assertThat(result).isPositive();
        }
    }

    @Test
    void unmappingTakesPages() {
        long address = p.mmapFile(rig.device(), BAR0, 16384);
        assertThat(p.munmap(address + 1, 4096)).isEqualTo(-EINVAL);
        assertThat(p.munmap(address, 0)).isEqualTo(-EINVAL);
        assertThat(p.munmap(address, 16000)).isZero();
        assertThat(p.munmap(address, 16384)).isZero(); // nothing there: no error
    }

    // ---- reset

    @Test
    void aResetReachesTheModelAndKeepsTheCommandRegister() {
        p.command(rig.device(), 6);
        assertThat(p.ioctl(rig.device(), DEVICE_RESET, 0)).isZero();
        assertThat(model.events).containsExactly("on", "reset");
        assertThat(config(4, 2)).isEqualTo(6);
    }

    @ParameterizedTest
    @EnumSource
    void aFunctionOnARootBusHasNoHotReset(KernelProfile kernel) {
        use(kernel);
        assertThat(p.ioctl(rig.device(), HOT_RESET_INFO, p.memory(11))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(rig.device(), HOT_RESET_INFO, p.ints(11, 0, 0))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(rig.device(), HOT_RESET_INFO, p.ints(12, 0, 0))).isEqualTo(-ENODEV);
        assertThat(p.ioctl(rig.device(), HOT_RESET, p.memory(11))).isEqualTo(-EFAULT);
        assertThat(p.ioctl(rig.device(), HOT_RESET, p.ints(12, 1, 1))).isEqualTo(-EINVAL);
        assertThat(p.ioctl(rig.device(), HOT_RESET, p.ints(12, 0, 1))).isEqualTo(-ENODEV);
        int withoutGroups = kernel.isBefore(KernelProfile.V6_12) ? ENODEV : EINVAL;
        assertThat(p.ioctl(rig.device(), HOT_RESET, p.ints(12, 0, 0))).isEqualTo(-withoutGroups);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 64, 65, 128, 2048})
    void theMsixTableFitsItsBar(int vectors) {
        PciBars bars = new PciBars(DEVICE, new TestModel(vectors, 0));
        assertThat(bars.msixBar()).isEqualTo(4);
        assertThat(bars.size(4)).isGreaterThanOrEqualTo(4096);
        assertThat(bars.msixTableSize()).isEqualTo(16L * vectors).isLessThanOrEqualTo(bars.msixPendingOffset());
        assertThat(bars.msixPendingOffset() + (vectors + 63) / 64 * 8L).isLessThanOrEqualTo(bars.size(4));
    }
}
