package io.github.vfio4j.ffm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.Errno;
import io.github.vfio4j.MediatedType;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.SysFs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Types of mediated devices in trees that a test made on the disk, good ones and hostile ones. */
class MediatedTreeHostTest {
    private static final UUID DEVICE = UUID.fromString("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001");
    private static final String TYPE = "sys/class/mdev_bus/0000:00:02.0/mdev_supported_types/i915-GVTg_V5_4";

    @TempDir
    Path root;

    private MediatedTree tree;

    @BeforeEach
    void aParent() throws IOException {
        put(TYPE + "/name", "GVTg_V5_4\n");
        put(TYPE + "/description", "low_gm_size: 128MB\nhigh_gm_size: 512MB\n");
        put(TYPE + "/available_instances", "3\n");
        put(TYPE + "/device_api", "vfio-pci\n");
        put(TYPE + "/create", "");
        put(TYPE + "/devices/" + DEVICE + "/remove", "");
        put("sys/bus/mdev/devices/" + DEVICE + "/remove", "");
        tree = new MediatedTree(SysFs.at(root));
    }

    private void put(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private static void assertRefused(Operation operation, Errno errno, ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e.operation()).isEqualTo(operation);
        assertThat(e.errno()).isEqualTo(errno);
    }

    private MediatedType only() {
        List<MediatedType> types = tree.types();
        assertThat(types).hasSize(1);
        return types.getFirst();
    }

    @Test
    void aTypeIsReadWithItsParentAndItsDevices() {
        assertThat(only())
                .isEqualTo(new MediatedType(
                        "0000:00:02.0",
                        "i915-GVTg_V5_4",
                        "GVTg_V5_4",
                        Optional.of("low_gm_size: 128MB\nhigh_gm_size: 512MB"),
                        DeviceInfo.Bus.PCI,
                        3,
                        List.of(DEVICE)));
    }

    @Test
    void aWordThatNobodyKnowsIsAnotherKindOfDevice() throws IOException {
        put(TYPE + "/device_api", "vfio-of-tomorrow\n");
        assertThat(only().bus()).isEqualTo(DeviceInfo.Bus.OTHER);
    }

    @Test
    void whatGoesMeanwhileIsNotListed() throws IOException {
        Files.delete(root.resolve(TYPE + "/available_instances"));
        assertThat(tree.types()).isEmpty();
        assertRefused(Operation.SYSFS_READ, Errno.ENOENT, () -> tree.type("0000:00:02.0", "i915-GVTg_V5_4"));
    }

    @Test
    void aKernelWithoutMediatedDevicesHasNoTypes() throws IOException {
        assertThat(new MediatedTree(SysFs.at(Files.createDirectory(root.resolve("empty")))).types()).isEmpty();
    }

    @Test
    void oneWriteMakesAndOneRemoves() throws IOException {
        tree.create("0000:00:02.0", "i915-GVTg_V5_4", DEVICE);
        assertThat(Files.readString(root.resolve(TYPE + "/create"))).isEqualTo(DEVICE + "\n");
        tree.remove(DEVICE);
        assertThat(Files.readString(root.resolve("sys/bus/mdev/devices/" + DEVICE + "/remove"))).isEqualTo("1\n");
    }

    @Test
    void nonsenseIsRefusedAndNamesTheType() throws IOException {
        put(TYPE + "/available_instances", "many\n");
        VfioException e = catchThrowableOfType(VfioException.class, tree::types);
        assertThat(e.operation()).isEqualTo(Operation.SYSFS_READ);
        assertThat(e.errno()).isEqualTo(Errno.EIO);
        assertThat(e).hasMessageContaining("/" + TYPE).hasMessageContaining("many");
        put(TYPE + "/available_instances", "3\n");
        put(TYPE + "/devices/nobody/remove", "");
        assertRefused(Operation.SYSFS_READ, Errno.EIO, tree::types);
    }
}
