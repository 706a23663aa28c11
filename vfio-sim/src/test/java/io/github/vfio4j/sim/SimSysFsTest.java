package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.SysFs;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** The sysfs tree. */
class SimSysFsTest {
    private static final PciAddress VFIO = PciAddress.parse("0000:01:00.0");
    private static final PciAddress HOST = PciAddress.parse("0000:01:00.1");
    private static final String DEVICES = "/sys/bus/pci/devices/";

    private final SimMachine machine = SimMachine.builder()
            .device(VFIO, new TestModel(), 26, SimMachine.VFIO_PCI)
            .device(HOST, new TestModel(), 26, "e1000")
            .build();
    private final SysFs sysfs = machine.sysfs();

    private static void assertErrno(int errno, ThrowingCallable call) {
        assertThat(catchThrowableOfType(SysFs.Failure.class, call).errno).isEqualTo(errno);
    }

    @Test
    void aFunctionTellsItsIdentity() throws Exception {
        assertThat(sysfs.list(DEVICES)).containsExactly("0000:01:00.0", "0000:01:00.1");
        assertThat(sysfs.read(DEVICES + VFIO + "/vendor")).isEqualTo("0x1af4");
        assertThat(sysfs.read(DEVICES + VFIO + "/device")).isEqualTo("0x1110");
        assertThat(sysfs.read(DEVICES + VFIO + "/class")).isEqualTo("0x058000");
        assertThat(sysfs.read(DEVICES + VFIO + "/driver_override")).isEqualTo("(null)");
    }

    @Test
    void aLinkLeadsToTheDriver() throws Exception {
        assertThat(sysfs.readLink(DEVICES + VFIO + "/driver")).endsWith("/bus/pci/drivers/vfio-pci");
        assertThat(sysfs.readLink(DEVICES + HOST + "/driver")).endsWith("/bus/pci/drivers/e1000");
        assertThat(sysfs.list("/sys/bus/pci/drivers/e1000")).containsExactly("0000:01:00.1", "bind", "unbind");
        machine.unbind(HOST);
        assertErrno(ENOENT, () -> sysfs.readLink(DEVICES + HOST + "/driver"));
        assertThat(sysfs.list("/sys/bus/pci/drivers/e1000")).containsExactly("bind", "unbind");
        assertThat(sysfs.list("/sys/bus/pci/drivers/vfio-pci")).containsExactly("0000:01:00.0", "bind", "unbind");
    }

    @Test
    void aLinkLeadsToTheGroupAndItsMembers() throws Exception {
        assertThat(sysfs.readLink(DEVICES + VFIO + "/iommu_group")).endsWith("/kernel/iommu_groups/26");
        assertThat(sysfs.list("/sys/kernel/iommu_groups")).containsExactly("26");
        assertThat(sysfs.list("/sys/kernel/iommu_groups/26/devices")).containsExactly("0000:01:00.0", "0000:01:00.1");
        assertErrno(ENOENT, () -> sysfs.read("/sys/kernel/iommu_groups/26/name"));
    }

    @Test
    void linksAreFollowedOnTheWayAndRelativeToWhereTheyAre() throws Exception {
        assertThat(sysfs.readLink(DEVICES + VFIO)).isEqualTo("../../../devices/pci0000:01/0000:01:00.0");
        assertThat(sysfs.list("/sys/kernel/iommu_groups/26/devices/" + VFIO + "/driver")).contains("0000:01:00.0");
        assertThat(sysfs.read("/sys/kernel/iommu_groups/26/devices/" + HOST + "/iommu_group/devices/" + VFIO + "/vendor"))
                .isEqualTo("0x1af4");
        assertThat(sysfs.read(DEVICES + VFIO + "/../0000:01:00.1/vendor")).isEqualTo("0x1af4");
    }

    @Test
    void whatIsSomethingElseHasItsErrno() {
        assertErrno(ENOENT, () -> sysfs.read(DEVICES + "0000:09:00.0/vendor"));
        assertErrno(EISDIR, () -> sysfs.read(DEVICES + VFIO));
        assertErrno(20, () -> sysfs.list(DEVICES + VFIO + "/vendor")); // ENOTDIR
        assertErrno(20, () -> sysfs.read(DEVICES + VFIO + "/vendor/x"));
        assertErrno(EINVAL, () -> sysfs.readLink(DEVICES + VFIO + "/vendor"));
        assertErrno(EINVAL, () -> sysfs.readLink("/sys/bus"));
    }

    @Test
    void theModulesParametersAreThere() throws Exception {
        String parameters = "/sys/module/vfio_iommu_type1/parameters/";
        assertThat(sysfs.read(parameters + "dma_entry_limit")).isEqualTo("65535");
        assertThat(sysfs.read(parameters + "allow_unsafe_interrupts")).isEqualTo("N");
        assertThat(sysfs.read("/sys/kernel/iommu_groups/26/reserved_regions"))
                .isEqualTo("0x00000000fee00000 0x00000000feefffff msi");
    }
}
