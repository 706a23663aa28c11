package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Container;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A group that is open while its last device is taken from vfio-pci never comes back to life. */
class GoneGroupKernelTest extends KernelTest {
    private Group group;

    @BeforeEach
    void takeTheDevice() {
        group = openGroupOf(machine.loner());
        machine.unbind(machine.loner());
    }

    @AfterEach
    void giveItBack() {
        group.close();
        machine.bindToVfio(machine.loner());
    }

    @Test
    void aGroupWhoseLastDeviceWentHasNoStatus() {
        VfioException e = catchThrowableOfType(VfioException.class, () -> group.status());
        assertThat(e.errno()).isEqualTo(Errno.ENODEV);
        assertThat(e.rule()).contains(Rule.STATUS_GROUP_EXISTS);
    }

    @Test
    void aGroupWhoseLastDeviceWentIsNotAttached() {
        try (Container container = vfio.openContainer()) {
            VfioException e = catchThrowableOfType(VfioException.class, () -> container.attach(group));
            assertThat(e.errno()).isEqualTo(Errno.ENODEV);
            assertThat(e).hasMessageContaining(Rule.SET_CONTAINER_GROUP_EXISTS.broken());
        }
    }
}
