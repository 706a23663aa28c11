package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.MediatedDevice;
import io.github.vfio4j.MediatedDevices;
import io.github.vfio4j.MediatedType;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** What machines show of their parents of mediated devices, and who may make some. */
class SimMediatedTest {
    private static void assertRefused(Rule rule, ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e.rule()).contains(rule);
    }

    @Test
    void onlyRootMakesAndRemoves() {
        try (SimMachine machine = SimMachine.builder().mediatedParent(Samples.MTTY).build();
                Vfio user = machine.startUnprivilegedProcess().open()) {
            MediatedDevices ofRoot = machine.open().mediatedDevices();
            MediatedDevices ofUser = user.mediatedDevices();
            MediatedType type = ofUser.type("mtty", "mtty-1"); // everybody may look
            assertRefused(Rule.MDEV_CREATE_ACCESS, () -> ofUser.create(type));
            MediatedDevice made = ofRoot.create(type);
            assertRefused(Rule.MDEV_REMOVE_ACCESS, () -> ofUser.remove(made.name()));
            assertThat(ofUser.type("mtty", "mtty-1").devices()).containsExactly(made.name());
        }
    }

    @Test
    void aMachineWithoutParentsHasNoTypes() {
        try (SimMachine machine = SimMachine.builder().build()) {
            assertThat(machine.open().mediatedDevices().types()).isEmpty();
        }
    }

    private static MediatedParent parent(String name, String deviceApi) {
        return new MediatedParent(
                name, deviceApi, 1, List.of(new MediatedParent.Type(name + "-1", name, Optional.empty(), 1, MttyModel::new)));
    }

    @Test
    void aTypeSaysWhichKindOfDeviceAProgramGets() {
        SimMachine.Builder builder = SimMachine.builder();
        List<String> words = List.of("vfio-pci", "vfio-platform", "vfio-amba", "vfio-ccw", "vfio-ap", "vfio-of-tomorrow");
        for (int i = 0; i < words.size(); i++) {
            builder.mediatedParent(parent("parent" + i, words.get(i)));
        }
        try (SimMachine machine = builder.build()) {
            assertThat(machine.open().mediatedDevices().types())
                    .extracting(MediatedType::bus)
                    .containsExactly(
                            DeviceInfo.Bus.PCI,
                            DeviceInfo.Bus.PLATFORM,
                            DeviceInfo.Bus.AMBA,
                            DeviceInfo.Bus.CCW,
                            DeviceInfo.Bus.AP,
                            DeviceInfo.Bus.OTHER);
        }
    }

    @Test
    void aNameIsOneInADirectory() {
        try (SimMachine machine = SimMachine.builder().mediatedParent(Samples.MTTY).build()) {
            MediatedDevices mediated = machine.open().mediatedDevices();
            for (String bad : List.of("", ".", "..", "../mtty", "/")) {
                assertThatIllegalArgumentException().isThrownBy(() -> mediated.type(bad, "mtty-1"));
                assertThatIllegalArgumentException().isThrownBy(() -> mediated.type("mtty", bad));
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> new MediatedType(
                                "mtty", bad, "", Optional.empty(), DeviceInfo.Bus.PCI, 1, List.of()));
            }
        }
    }

    @Test
    void whatOneThreadMakesNoOtherMakes() {
        try (SimMachine machine = SimMachine.builder().mediatedParent(Samples.MDPY).build()) {
            MediatedDevices mediated = machine.open().mediatedDevices();
            MediatedType type = mediated.type("mdpy", "mdpy-vga");
            List<Optional<MediatedDevice>> made = Stream.generate(() -> type)
                    .limit(16)
                    .parallel()
                    .map(wanted -> {
                        try {
                            return Optional.of(mediated.create(wanted));
                        } catch (VfioException e) {
                            assertThat(e.rule()).contains(Rule.MDEV_CREATE_INSTANCES);
                            return Optional.<MediatedDevice>empty();
                        }
                    })
                    .toList();
            assertThat(made.stream().filter(Optional::isPresent)).hasSize(4);
            made.stream().flatMap(Optional::stream).parallel().forEach(MediatedDevice::close);
            assertThat(mediated.type("mdpy", "mdpy-vga").available()).isEqualTo(4);
        }
    }
}
