package io.github.vfio4j.ffm.port;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.vfio4j.ffm.gen.iommufd_h;
import io.github.vfio4j.ffm.gen.kvm_h;
import io.github.vfio4j.ffm.gen.vfio_h;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The numbers of ioctls; those of PowerPC as a C compiler makes them of its asm/ioctl.h. */
class IoctlNumberTest {
    @Test
    void ioctlsWithoutASizeHaveABitMoreOnPowerPc() {
        assertThat(vfio_h.VFIO_GET_API_VERSION()).isEqualTo(0x3b64);
        assertThat(IoctlNumber.onPower(vfio_h.VFIO_GET_API_VERSION())).isEqualTo(0x20003b64);
        assertThat(IoctlNumber.onPower(vfio_h.VFIO_EEH_PE_OP())).isEqualTo(0x20003b79);
        assertThat(IoctlNumber.onPower(iommufd_h.IOMMU_DESTROY())).isEqualTo(0x20003b80);
        assertThat(IoctlNumber.onPower(kvm_h.KVM_CREATE_VM())).isEqualTo(0x2000ae01);
    }

    @Test
    void directionsAreOtherBitsOnPowerPc() {
        assertThat((int) kvm_h.KVM_SET_DEVICE_ATTR()).isEqualTo(0x4018aee1); // _IOW
        assertThat(IoctlNumber.onPower((int) kvm_h.KVM_SET_DEVICE_ATTR())).isEqualTo(0x8018aee1);
        assertThat((int) kvm_h.KVM_CREATE_DEVICE()).isEqualTo(0xc00caee0); // _IOWR
        assertThat(IoctlNumber.onPower((int) kvm_h.KVM_CREATE_DEVICE())).isEqualTo(0xc00caee0);
        assertThat(IoctlNumber.onPower(0x8004ae00)).isEqualTo(0x4004ae00); // _IOR
    }

    /** All of VFIO and iommufd are without a size, whatever they take. */
    @Test
    void everyIoctlOfTheBindingsHasANumberOnPowerPc() throws ReflectiveOperationException {
        int found = 0;
        for (Class<?> header : List.of(vfio_h.class, iommufd_h.class)) {
            for (Method constant : Arrays.stream(header.getMethods())
                    .filter(method -> Modifier.isStatic(method.getModifiers()))
                    .filter(method -> method.getReturnType() == int.class && method.getParameterCount() == 0)
                    .toList()) {
                int number = (int) constant.invoke(null);
                if (number >>> 8 == ';') {
                    assertThat(IoctlNumber.onPower(number)).as(constant.getName()).isEqualTo(1 << 29 | number);
                    found++;
                }
            }
        }
        assertThat(found).isGreaterThan(50);
    }

    @Test
    void whatPowerPcHasNoRoomForIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> IoctlNumber.onPower(0x6000ae00)).withMessageContaining("8192");
    }

    @Test
    void thisMachineHasTheNumbersOfTheBindings() {
        String machine = System.getProperty("os.arch");
        int expected = machine.startsWith("ppc") ? 0x20003b64 : 0x3b64;
        assertThat(IoctlNumber.here(vfio_h.VFIO_GET_API_VERSION())).as(machine).isEqualTo(expected);
    }
}
