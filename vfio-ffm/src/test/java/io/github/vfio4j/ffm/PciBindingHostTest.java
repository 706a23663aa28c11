package io.github.vfio4j.ffm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.ReservedRegion;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.BindingNote;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sysfs trees that a test made on the disk, good ones and hostile ones. */
class PciBindingHostTest {
    private static final PciAddress DEVICE = PciAddress.parse("0000:06:0d.0");

    @TempDir
    Path root;

    private Path device;
    private PciTree tree;
    private PciBinding binding;

    @BeforeEach
    void aTree() throws IOException {
        device = Files.createDirectories(root.resolve("sys/bus/pci/devices/" + DEVICE));
        put("sys/bus/pci/devices/" + DEVICE + "/vendor", "0x8086\n");
        put("sys/bus/pci/devices/" + DEVICE + "/device", "0x10d3\n");
        put("sys/bus/pci/devices/" + DEVICE + "/class", "0x020000\n");
        put("sys/bus/pci/devices/" + DEVICE + "/driver_override", "(null)\n");
        put("sys/bus/pci/drivers/e1000e/bind", "");
        put("sys/bus/pci/drivers_probe", "");
        put("sys/kernel/iommu_groups/26/reserved_regions", """
                0x00000000fee00000 0x00000000feefffff msi
                0x00000000000a0000 0xffffffffffffffff direct-relaxable
                """);
        Files.createSymbolicLink(device.resolve("iommu_group"), Path.of("../../../../kernel/iommu_groups/26"));
        Files.createSymbolicLink(device.resolve("driver"), Path.of("../../drivers/e1000e"));
        tree = new PciTree(SysFs.at(root));
        binding = new PciBinding(Syscalls.linux(), SysFs.at(root), Notes.at(root));
    }

    private void put(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private String get(String path) throws IOException {
        return Files.readString(root.resolve(path));
    }

    private static void assertRefused(Operation operation, Errno errno, ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e.operation()).isEqualTo(operation);
        assertThat(e.errno()).isEqualTo(errno);
    }

    @Test
    void aFunctionIsReadWithDriverAndGroup() {
        PciDevice found = tree.device(DEVICE);
        assertThat(found).hasToString("0000:06:0d.0 8086:10d3 class 020000 driver e1000e group 26");
        assertThat(found.isBridge()).isFalse();
        assertThat(tree.devices()).containsExactly(found);
    }

    @Test
    void reservedRegionsAreReadToTheTopOfTheAddressSpace() {
        assertThat(binding.reservedRegions(26))
                .containsExactly(
                        new ReservedRegion(new IovaRange(0xfee0_0000L, 0xfeef_ffffL), "msi"),
                        new ReservedRegion(new IovaRange(0xa_0000L, -1), "direct-relaxable"));
        assertThat(binding.reservedRegions(27)).isEmpty();
    }

    @Test
    void attributesThatAreNotThereHaveADefault() throws IOException {
        assertThat(binding.virtualFunctions(DEVICE)).isZero();
        assertThat(binding.numaNode(DEVICE)).isEmpty();
        assertThat(binding.noIommuAllowed()).isFalse();
        put("sys/bus/pci/devices/" + DEVICE + "/sriov_numvfs", "4\n");
        put("sys/bus/pci/devices/" + DEVICE + "/numa_node", "1\n");
        put("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
        assertThat(binding.virtualFunctions(DEVICE)).isEqualTo(4);
        assertThat(binding.numaNode(DEVICE)).hasValue(1);
        assertThat(binding.noIommuAllowed()).isTrue();
        put("sys/bus/pci/devices/" + DEVICE + "/numa_node", "-1\n");
        assertThat(binding.numaNode(DEVICE)).isEmpty();
    }

    @Test
    void aNoteIsReadByOtherProgramsUntilItIsForgotten() throws IOException {
        runs(ProcessHandle.current().pid(), 17);
        assertThat(binding.notes()).isEmpty();
        binding.forget(DEVICE);
        binding.note(DEVICE, Optional.of("e1000e"), Optional.empty());
        PciBinding others = new PciBinding(Syscalls.linux(), SysFs.at(root), Notes.at(root));
        assertThat(others.notes())
                .containsExactly(new BindingNote(DEVICE, Optional.of("e1000e"), Optional.empty(), false));
        others.note(DEVICE, Optional.empty(), Optional.of("vfio-pci"));
        assertThat(binding.notes())
                .containsExactly(new BindingNote(DEVICE, Optional.empty(), Optional.of("vfio-pci"), false));
        binding.forget(DEVICE);
        assertThat(others.notes()).isEmpty();
    }

    @Test
    void aNoteIsAbandonedWhenItsProgramEndedEvenIfAnotherHasItsNumberNow() throws IOException {
        runs(ProcessHandle.current().pid(), 17);
        binding.note(DEVICE, Optional.of("e1000e"), Optional.empty());
        runs(ProcessHandle.current().pid(), 18);
        assertThat(binding.notes()).singleElement().matches(BindingNote::abandoned);
        put("run/vfio4j/" + DEVICE, "4000000-17 e1000e (null)\n");
        assertThat(binding.notes()).singleElement().matches(BindingNote::abandoned);
        put("run/vfio4j/" + DEVICE, "4000000- e1000e (null)\n");
        assertThat(binding.notes()).singleElement().matches(BindingNote::abandoned);
    }

    @Test
    void whatIsNoNoteIsPassedOver() throws IOException {
        put("run/vfio4j/README", "hello\n");
        put("run/vfio4j/" + DEVICE, "");
        put("run/vfio4j/" + DEVICE + ".1-2.new", "1-2 e1000e"); // a program was killed while it wrote
        assertThat(binding.notes()).isEmpty();
    }

    @Test
    void whereNothingCanBeNotedTheFileIsNamed() throws IOException {
        put("run/vfio4j", "a file\n");
        assertRefused(Operation.BINDING_NOTE, Errno.EIO, () -> binding.note(DEVICE, Optional.empty(), Optional.empty()));
    }

    /** Lets a process run that started so many ticks after the boot; its name is a hard one. */
    private void runs(long pid, int start) throws IOException {
        put("proc/" + pid + "/stat", pid + " (a) b) S" + " 0".repeat(18) + " " + start + " 0 0\n");
    }

    @Test
    void eachChangeIsOneWriteOfOneAttribute() throws IOException {
        assertThat(binding.driverOverride(DEVICE)).isEmpty();
        binding.setDriverOverride(DEVICE, Optional.of("vfio-pci"));
        assertThat(get("sys/bus/pci/devices/" + DEVICE + "/driver_override")).isEqualTo("vfio-pci\n");
        assertThat(binding.driverOverride(DEVICE)).contains("vfio-pci");
        binding.setDriverOverride(DEVICE, Optional.empty());
        assertThat(binding.driverOverride(DEVICE)).isEmpty();
        binding.bind(DEVICE, "e1000e");
        assertThat(get("sys/bus/pci/drivers/e1000e/bind")).isEqualTo("0000:06:0d.0\n");
        binding.probe(DEVICE);
        assertThat(get("sys/bus/pci/drivers_probe")).isEqualTo("0000:06:0d.0\n");
    }

    @Test
    void aRefusedWriteCarriesItsErrno() {
        assertThat(binding.driverLoaded("e1000e")).isTrue();
        assertThat(binding.driverLoaded("vfio-pci")).isFalse();
        assertRefused(Operation.DRIVER_BIND, Errno.ENOENT, () -> binding.bind(DEVICE, "vfio-pci"));
        assertRefused(Operation.DRIVER_UNBIND, Errno.ENOENT, () -> binding.unbind(DEVICE, "e1000e"));
        assertRefused(Operation.DRIVER_OVERRIDE, new Errno(21), () -> { // a directory: EISDIR
            Files.delete(device.resolve("driver_override"));
            Files.createDirectory(device.resolve("driver_override"));
            binding.setDriverOverride(DEVICE, Optional.of("vfio-pci"));
        });
    }

    @Test
    void nonsenseIsRefusedAndNamesTheFile() throws IOException {
        put("sys/bus/pci/devices/" + DEVICE + "/sriov_numvfs", "many\n");
        assertRefused(Operation.SYSFS_READ, Errno.EIO, () -> binding.virtualFunctions(DEVICE));
        for (String line : new String[] {"0x0 0xfff", "0 0xfff msi", "0x0 0xzz msi", "0xfff 0x0 msi", "0x0 0x1 msi x"}) {
            put("sys/kernel/iommu_groups/26/reserved_regions", line + "\n");
            assertRefused(Operation.SYSFS_READ, Errno.EIO, () -> binding.reservedRegions(26));
        }
        put("sys/bus/pci/devices/" + DEVICE + "/vendor", "eight\n");
        VfioException e = catchThrowableOfType(VfioException.class, () -> tree.device(DEVICE));
        assertThat(e).hasMessageContaining("/sys/bus/pci/devices/0000:06:0d.0/vendor says 'eight'");
    }

    @Test
    void aGroupThatIsNoNumberIsRefused() throws IOException {
        Files.delete(device.resolve("iommu_group"));
        Files.createSymbolicLink(device.resolve("iommu_group"), Path.of("../nowhere"));
        assertRefused(Operation.SYSFS_READ, Errno.EIO, () -> tree.device(DEVICE));
    }

    @Test
    void whatIsNotNamedLikeAFunctionOrIsGoneIsLeftOut() throws IOException {
        Files.createDirectory(root.resolve("sys/bus/pci/devices/not-a-function"));
        Files.createSymbolicLink(root.resolve("sys/bus/pci/devices/0000:07:00.0"), Path.of("../../../gone"));
        assertThat(tree.devices()).extracting(PciDevice::address).containsExactly(DEVICE);
    }
}
