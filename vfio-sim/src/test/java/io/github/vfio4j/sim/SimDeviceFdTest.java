package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.*;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.vfio4j.PciAddress;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** VFIO_GROUP_GET_DEVICE_FD. */
class SimDeviceFdTest {
    private static final String NAME = "0000:01:00.0";
    private static final String TOKEN = "00112233-4455-6677-8899-aabbccddeeff";

    private final TestModel model = new TestModel();
    private final SimMachine machine = SimMachine.builder()
            .device(PciAddress.parse(NAME), model, 26, SimMachine.VFIO_PCI)
            .device(PciAddress.parse("0000:01:00.1"), new TestModel(), 26, "")
            .device(PciAddress.parse("0000:02:00.0"), new TestModel(), 27, SimMachine.VFIO_PCI)
            .build();
    private final RawProcess p = RawProcess.on(machine);
    private int container;
    private int group;

    @BeforeEach
    void openGroup() {
        container = p.openContainer();
        group = p.openGroup(26);
    }

    private void setIommu() {
        check(p.setContainer(group, container));
        check(p.setIommu(container, TYPE1V2));
    }

    @Test
    void aDeviceNeedsTheGroupInAContainer() {
        assertThat(p.deviceFd(group, NAME)).isEqualTo(-EINVAL);
    }

    @Test
    void andTheContainerItsIommu() {
        check(p.setContainer(group, container));
        assertThat(p.deviceFd(group, NAME)).isEqualTo(-EINVAL);
        assertThat(model.events).isEmpty();
        assertThat(p.unsetContainer(group)).isZero(); // the failed open holds nothing
    }

    @Test
    void theNameIsLookedUpFirst() {
        assertThat(p.deviceFd(group, "0000:09:00.0")).isEqualTo(-ENODEV);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "", "0000:01:00", "0000:01:00.1", "0000:02:00.0", "01:00.0", NAME + "x", NAME + ",vf_token=" + TOKEN,
                " " + NAME
            })
    void aNameThatTheGroupLacksIsEnodev(String name) {
        setIommu();
        assertThat(p.deviceFd(group, name)).isEqualTo(-ENODEV);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                NAME + " x", NAME + " vf_token", NAME + " vf_token=", NAME + " vf_token=1234", NAME + " vf_token=" + TOKEN,
                NAME + " vf_token=" + TOKEN + " vf_token=" + TOKEN
            })
    void optionsThatItDoesNotTakeAreEinval(String name) {
        setIommu();
        assertThat(p.deviceFd(group, name)).isEqualTo(-EINVAL);
        assertThat(model.events).isEmpty();
    }

    @Test
    void spacesBehindTheNameDoNotMatter() {
        setIommu();
        assertThat(p.deviceFd(group, NAME + "   ")).isPositive();
    }

    @Test
    void theNameIsAStringOfAtMostAPage() {
        setIommu();
        assertThat(p.ioctl(group, GROUP_GET_DEVICE_FD, 0)).isEqualTo(-EFAULT);
        assertThat(p.ioctl(group, GROUP_GET_DEVICE_FD, p.memory(10).fill((byte) 'x'))).isEqualTo(-EFAULT); // no end
        assertThat(p.deviceFd(group, NAME + " ".repeat(4096 - 13))).isPositive();
        assertThat(p.deviceFd(group, NAME + " ".repeat(4096 - 12))).isEqualTo(-EINVAL);
    }

    @Test
    void aFullTableIsEmfileAfterTheNameAndBeforeTheContainer() {
        p.process.limitOpenFiles(5); // 3 and 4 are taken
        assertThat(p.deviceFd(group, "0000:09:00.0")).isEqualTo(-ENODEV);
        assertThat(p.deviceFd(group, NAME)).isEqualTo(-EMFILE);
        p.process.limitOpenFiles(6);
        assertThat(p.deviceFd(group, NAME)).isEqualTo(-EINVAL);
    }

    @Test
    void theFirstOpenGivesPowerAndTheLastCloseTakesIt() {
        setIommu();
        int first = p.deviceFd(group, NAME);
        int second = p.deviceFd(group, NAME);
        assertThat(List.of(first, second)).containsExactly(5, 6);
        assertThat(model.events).containsExactly("on");
        p.close(first);
        assertThat(model.events).containsExactly("on");
        p.close(second);
        assertThat(model.events).containsExactly("on", "off");
        p.deviceFd(group, NAME);
        assertThat(model.events).containsExactly("on", "off", "on");
    }

    @Test
    void aModelThatFailsToStartLeavesNothingOpen() {
        setIommu();
        TestModel broken = new TestModel();
        SimMachine other = SimMachine.builder()
                .device(PciAddress.parse(NAME), new PciModel() {
                    @Override
                    public PciIdentity identity() {
                        return broken.identity();
                    }

                    @Override
                    public List<PciBar> bars() {
                        return broken.bars();
                    }

                    @Override
                    public void powerOn(PciBus bus) {
                        throw new IllegalStateException("out of order");
                    }

                    @Override
                    public void reset() {}

                    @Override
                    public void powerOff() {}
                })
                .build();
        RawProcess q = RawProcess.on(other);
        int c = q.openContainer();
        int g = q.openGroup(0);
        check(q.setContainer(g, c));
        check(q.setIommu(c, TYPE1V2));
        assertThatIllegalStateException()
                .isThrownBy(() -> q.deviceFd(g, NAME))
                .withMessage("out of order");
        assertThat(q.unsetContainer(g)).isZero();
        assertThat(q.eventfd(0, 0)).isEqualTo(5); // its descriptor is free again
    }
}
