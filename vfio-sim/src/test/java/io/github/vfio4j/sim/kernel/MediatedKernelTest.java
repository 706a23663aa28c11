package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.MediatedDevice;
import io.github.vfio4j.MediatedDevices;
import io.github.vfio4j.MediatedType;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.SysFs;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Mediated devices are made and removed: those of the kernel's sample drivers mtty, mdpy and mbochs. */
class MediatedKernelTest extends KernelTest {
    private final MediatedDevices mediated = vfio.mediatedDevices();

    @BeforeEach
    void theSamplesAreThere() {
        assumeTrue(mediated.types().size() == 8, "this kernel has the sample drivers");
    }

    private MediatedType dualPort() {
        return mediated.type("mtty", "mtty-2");
    }

    private MediatedDevice make(String parent, String type) {
        MediatedDevice made = mediated.create(mediated.type(parent, type));
        machine.atEnd(made::close);
        return made;
    }

    private static void assertRefusedByTheKernel(Rule rule, Errno errno, ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e).as("a refusal by %s", rule.id()).isNotNull();
        assertThat(e.rule()).contains(rule);
        assertThat(e.errno()).isEqualTo(errno);
        assertThat(e).hasMessageContaining(rule.instead());
    }

    /** Opens a device through its group, with all that it takes. */
    private static Device open(Vfio program, UUID name) {
        Group group = program.openGroup(program.groupOf(name).orElseThrow());
        Container container = program.openContainer();
        container.attach(group);
        return container.setIommu(IommuType.TYPE1_V2).openDevice(group, name);
    }

    // ---- what there is

    @Test
    void theTypesOfAllParentsAreListed() {
        assertThat(mediated.types())
                .extracting(MediatedType::name)
                .containsExactly(
                        "mbochs-large", "mbochs-medium", "mbochs-small", "mdpy-hd", "mdpy-vga", "mdpy-xga", "mtty-1", "mtty-2");
        assertThat(mediated.types())
                .extracting(MediatedType::parent)
                .containsExactly("mbochs", "mbochs", "mbochs", "mdpy", "mdpy", "mdpy", "mtty", "mtty");
        assertThat(mediated.types()).extracting(MediatedType::bus).containsOnly(DeviceInfo.Bus.PCI);
    }

    @Test
    void aTypeSaysWhatItsDevicesAre() {
        assertThat(dualPort().label()).isEqualTo("Dual port serial");
        assertThat(dualPort().description()).isEmpty();
        assertThat(mediated.type("mdpy", "mdpy-vga").label()).isEqualTo("mdpy-vga");
        assertThat(mediated.type("mdpy", "mdpy-vga").description()).contains("virtual display, 640x480 framebuffer");
    }

    @Test
    void theTypesOfAParentShareWhatItHas() {
        assertThat(dualPort().available()).isEqualTo(12);
        assertThat(mediated.type("mtty", "mtty-1").available()).isEqualTo(24);
        MediatedDevice made = make("mtty", "mtty-1");
        assertThat(mediated.type("mtty", "mtty-1").available()).isEqualTo(23);
        assertThat(dualPort().available()).isEqualTo(11);
        assertThat(mediated.type("mtty", "mtty-1").devices()).containsExactly(made.name());
        assertThat(dualPort().devices()).isEmpty();
        made.close();
        assertThat(dualPort().available()).isEqualTo(12);
        assertThat(mediated.type("mtty", "mtty-1").devices()).isEmpty();
    }

    @Test
    void aTypeThatThereIsNotIsNotRead() {
        for (String[] names : new String[][] {{"mtty", "mtty-3"}, {"nobody", "mtty-2"}}) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> mediated.type(names[0], names[1]));
            assertThat(e.operation()).isEqualTo(Operation.SYSFS_READ);
            assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        }
    }

    // ---- making and using

    @Test
    void aDeviceIsMadeOpenedAndRemoved() {
        UUID name = UUID.randomUUID();
        try (MediatedDevice made = mediated.create(dualPort(), name)) {
            assertThat(made.name()).isEqualTo(name);
            assertThat(dualPort().devices()).containsExactly(name);
            try (Device device = open(vfio, name)) {
                assertThat(device.info().bus()).isEqualTo(DeviceInfo.Bus.PCI);
                assertThat(device.config().read32(0)).isEqualTo(0x3253_4348);
            }
        }
        assertThat(dualPort().devices()).isEmpty();
        assertRefusedByTheKernel(Rule.MDEV_REMOVE_THERE, Errno.ENOENT, () -> mediated.remove(name));
        assertThat(catchThrowableOfType(VfioException.class, () -> vfio.groupOf(name)).errno()).isEqualTo(Errno.ENOENT);
    }

    @Test
    void aDeviceIsOpenedByItsOwnNode() {
        assumeTrue(machine.hasIommufd(), "this kernel has an iommufd");
        MediatedDevice made = make("mtty", "mtty-1");
        Iommufd iommufd = vfio.openIommufd();
        Device device = iommufd.openDevice(made.name());
        assertThat(device.config().read32(0)).isEqualTo(0x3253_4348);
        assertRefused(Rule.MDEV_REMOVE_NOT_OPEN_HERE, made::close);
        device.close();
        made.close();
    }

    @Test
    void aNameIsOneDevices() {
        MediatedDevice made = make("mtty", "mtty-1");
        MediatedType other = mediated.type("mdpy", "mdpy-vga");
        assertRefusedByTheKernel(Rule.MDEV_CREATE_NAME, Errno.EEXIST, () -> mediated.create(other, made.name()));
        assertThat(mediated.type("mdpy", "mdpy-vga").devices()).isEmpty();
    }

    @Test
    void aTypeThatThereIsNotIsNotMade() {
        MediatedType none = new MediatedType(
                "mtty", "mtty-3", "", Optional.empty(), DeviceInfo.Bus.PCI, 1, List.of());
        assertRefusedByTheKernel(Rule.MDEV_CREATE_TYPE, Errno.ENOENT, () -> mediated.create(none));
    }

    @Test
    void theKernelCountsWhatAParentHas() {
        List<MediatedDevice> made = new ArrayList<>();
        for (String type : List.of("mdpy-vga", "mdpy-xga", "mdpy-hd", "mdpy-vga")) {
            made.add(make("mdpy", type));
        }
        MediatedType full = mediated.type("mdpy", "mdpy-vga");
        assertThat(full.available()).isZero();
        assertThat(full.devices()).containsExactlyInAnyOrder(made.getFirst().name(), made.getLast().name());
        assertRefusedByTheKernel(Rule.MDEV_CREATE_INSTANCES, Errno.EUSERS, () -> mediated.create(full));
        assertRefusedByTheKernel(Rule.MDEV_CREATE_NAME, Errno.EEXIST, () -> mediated.create(full, made.getFirst().name()));
        made.getFirst().close();
        make("mdpy", "mdpy-hd");
    }

    @Test
    void aDriverGivesWhatItHas() {
        for (int i = 0; i < 4; i++) {
            make("mbochs", "mbochs-large");
        }
        MediatedType small = mediated.type("mbochs", "mbochs-small");
        assertThat(small.available()).isZero();
        assertRefusedByTheKernel(Rule.MDEV_CREATE_ROOM, Errno.ENOSPC, () -> mediated.create(small));
        assertThat(mediated.type("mbochs", "mbochs-small").devices()).isEmpty();
    }

    @Test
    void whatIsWrittenIsAName() {
        String create = "/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create";
        for (String bad : List.of("", "mtty", "83b8f4f2-509f-382f-3c1e-e6bfe0fa100", "83b8f4f2x509f-382f-3c1e-e6bfe0fa1001")) {
            SysFs.Failure e = catchThrowableOfType(SysFs.Failure.class, () -> machine.sysfs().write(create, bad));
            assertThat(e.errno).isEqualTo(Errno.EINVAL.number());
        }
    }

    // ---- removing

    @Test
    void aDeviceThatThisProgramHasOpenIsNotRemoved() {
        MediatedDevice made = make("mtty", "mtty-2");
        Device device = open(vfio, made.name());
        assertRefused(Rule.MDEV_REMOVE_NOT_OPEN_HERE, made::close);
        assertRefused(Rule.MDEV_REMOVE_NOT_OPEN_HERE, () -> mediated.remove(made.name()));
        assertThat(device.config().read32(0)).isEqualTo(0x3253_4348);
        device.close();
        made.close();
        made.close();
        assertThat(dualPort().devices()).isEmpty();
    }

    @Test
    void removingWaitsUntilTheDeviceIsClosed() throws Exception {
        MediatedDevice made = make("mtty", "mtty-2");
        Vfio other = machine.open(); // as another program would
        Device device = open(other, made.name());
        CompletableFuture<Void> removed = inAnotherThread(() -> {
            made.close();
            return null;
        });
        while (!dualPort().devices().isEmpty()) { // the first that the kernel does
            Thread.onSpinWait();
        }
        assertThat(dualPort().available()).isEqualTo(11);
        assertRefusedByTheKernel(Rule.MDEV_CREATE_NAME, Errno.EEXIST, () -> mediated.create(dualPort(), made.name()));
        assertThat(removed).isNotDone();
        assertThat(device.config().read32(0)).isEqualTo(0x3253_4348);
        other.close();
        removed.get();
        assertThat(dualPort().available()).isEqualTo(12);
    }

    @Test
    void whatIsNotThereIsNotRemoved() {
        assertRefusedByTheKernel(Rule.MDEV_REMOVE_THERE, Errno.ENOENT, () -> mediated.remove(UUID.randomUUID()));
        MediatedDevice made = make("mdpy", "mdpy-vga");
        mediated.remove(made.name()); // by another program
        made.close();
    }

    @Test
    void whatAProgramLeftIsRemovedByTheNext() {
        UUID left;
        try (Vfio before = machine.open()) {
            MediatedDevices its = before.mediatedDevices();
            left = its.create(its.type("mtty", "mtty-2")).name();
        }
        assertThat(dualPort().devices()).containsExactly(left);
        mediated.remove(left);
        assertThat(dualPort().devices()).isEmpty();
    }

    @Test
    void onlyANumberThatIsNotZeroRemoves() throws Exception {
        MediatedDevice made = make("mdpy", "mdpy-vga");
        String remove = "/sys/bus/mdev/devices/" + made.name() + "/remove";
        SysFs.Failure e = catchThrowableOfType(SysFs.Failure.class, () -> machine.sysfs().write(remove, "yes"));
        assertThat(e.errno).isEqualTo(Errno.EINVAL.number());
        machine.sysfs().write(remove, "0");
        assertThat(mediated.type("mdpy", "mdpy-vga").devices()).containsExactly(made.name());
        machine.sysfs().write(remove, "0x10");
        assertThat(mediated.type("mdpy", "mdpy-vga").devices()).isEmpty();
    }
}
