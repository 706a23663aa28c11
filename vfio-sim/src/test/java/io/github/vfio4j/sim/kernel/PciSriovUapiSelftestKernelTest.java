package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Binder;
import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.VfioException;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The token of virtual functions. Where the selftest has one virtual function from the start, here it is made once the
 * physical one is open, or closed again: QEMU's controller loses its virtual functions for good when it is reset, which its
 * first open and its last close do.
 */
@DisplayName("vfio_pci_sriov_uapi_test")
class PciSriovUapiSelftestKernelTest extends SelftestKernelTest {
    private static final UUID TOKEN = UUID.fromString("2ab74924-c335-45f4-9b16-8569e5b082f0");
    private static final UUID ANOTHER = UUID.fromString("08b4ab0b-2ef0-4a08-8a5f-7c2f5b0ad6a1");

    private final PciAddress physical = physicalFunction();
    private final Binder binder = vfio.binder();
    private Device device;

    /** The token that the virtual function is opened with, besides that of the physical one. */
    enum Shown {
        SAME_UUID(TOKEN),
        DIFFERENT_UUID(ANOTHER),
        NULL_UUID(null);

        private final UUID token;

        Shown(UUID token) {
            this.token = token;
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** The physical one; another kind of it has the same cases. */
    PciAddress physicalFunction() {
        return machine.physicalFunction();
    }

    static List<Arguments> variants() {
        return Stream.of(IommuMode.values())
                .flatMap(mode -> Stream.of(Shown.values()).map(shown -> Arguments.of(mode, shown)))
                .toList();
    }

    @AfterEach
    void removeThem() {
        if (device != null) {
            device.close();
        }
        binder.setVirtualFunctions(physical, 0);
    }

    @ParameterizedTest(name = "vfio_pci_sriov_uapi_test.{0}_{1}.init_token_match")
    @MethodSource("variants")
    void aVirtualFunctionIsOpenedWithTheTokenThatThePhysicalOneWasOpenedWith(IommuMode mode, Shown shown) {
        open(mode, physical, TOKEN);
        check(mode, shown, TOKEN);
    }

    @ParameterizedTest(name = "vfio_pci_sriov_uapi_test.{0}_{1}.pf_early_close")
    @MethodSource("variants")
    void theTokenStaysWhenThePhysicalFunctionIsClosed(IommuMode mode, Shown shown) {
        open(mode, physical, TOKEN).close();
        check(mode, shown, TOKEN);
    }

    @ParameterizedTest(name = "vfio_pci_sriov_uapi_test.{0}_{1}.override_token")
    @MethodSource("variants")
    void theTokenIsReplaced(IommuMode mode, Shown shown) {
        open(mode, physical, UUID.randomUUID()).features().setVfToken(TOKEN);
        check(mode, shown, TOKEN);
    }

    private void check(IommuMode mode, Shown shown, UUID token) {
        PciAddress virtual = binder.setVirtualFunctions(physical, 1).getFirst();
        assertThat(vfio.pciDevice(virtual).driver()).contains("vfio-pci");
        if (token.equals(shown.token)) {
            device = open(mode, virtual, shown.token);
            assertThat(device.info().pci()).isTrue();
            return;
        }
        VfioException e = catchThrowableOfType(VfioException.class, () -> open(mode, virtual, shown.token));
        assertThat(e.errno()).isEqualTo(Errno.EACCES);
    }

    private Device open(IommuMode mode, PciAddress address, UUID token) {
        try {
            return open(mode).open(address, token);
        } catch (VfioException e) {
            boolean unknown = mode.type().isEmpty() && token != null && e.errno().equals(Errno.EINVAL);
            assumeTrue(!unknown, "this kernel takes no token where a device is opened by its own node");
            throw e;
        }
    }
}
