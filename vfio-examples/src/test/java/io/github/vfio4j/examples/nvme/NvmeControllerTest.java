package io.github.vfio4j.examples.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.sim.nvme.NvmeModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NvmeControllerTest {
    private static final long CC = 0x14;
    private static final long CSTS = 0x1c;

    @Test
    void itSaysWhatItIs() {
        try (Rig rig = new Rig();
                NvmeController controller = rig.start()) {
            ControllerInfo info = controller.info();
            assertThat(info.vendorId()).isEqualTo(0x1b36);
            assertThat(info.model()).isEqualTo("vfio4j simulated NVMe controller");
            assertThat(info.serial()).matches("SIM[0-9]{5}");
            assertThat(info.firmware()).isEqualTo("1.0");
            assertThat(info.version()).isEqualTo("1.4.0");
            assertThat(info.maxTransferBytes()).isEqualTo(512 << 10);
            assertThat(info.maxNamespace()).isEqualTo(1);
            assertThat(controller.maxQueues()).isEqualTo(64);
            assertThat(controller.maxEntries()).isEqualTo(2048);
        }
    }

    @Test
    void itHasANamespace() {
        try (Rig rig = new Rig(new NvmeModel(1L << 40, 4096));
                NvmeController controller = rig.start()) {
            assertThat(controller.namespaces()).hasSize(1);
            NvmeNamespace namespace = controller.namespaces().getFirst();
            assertThat(namespace.id()).isEqualTo(1);
            assertThat(namespace.blockBytes()).isEqualTo(4096);
            assertThat(namespace.blocks()).isEqualTo(1L << 28);
            assertThat(namespace.maxTransferBytes()).isEqualTo(512 << 10);
        }
    }

    @Test
    void closingShutsItDownAndDisablesIt() {
        try (Rig rig = new Rig()) {
            rig.start().close();
            assertThat(rig.registers.read32Opaque(CC)).isZero();
            assertThat(rig.registers.read32Opaque(CSTS)).isZero();
        }
    }

    @Test
    void closingTwiceIsClosingOnce() {
        try (Rig rig = new Rig()) {
            NvmeController controller = rig.start();
            controller.close();
            controller.close();
            assertThat(rig.registers.read32Opaque(CC)).isZero();
        }
    }

    @Test
    void itStartsAgainOnTheSameMemory() {
        try (Rig rig = new Rig()) {
            for (int i = 0; i < 10; i++) {
                try (NvmeController controller = rig.start()) {
                    NvmeQueue queue = controller.createQueue(64);
                    controller.namespaces().getFirst().flush(queue);
                }
            }
            assertThat(rig.machine.faults()).isEmpty();
        }
    }

    @Test
    void itStartsThoughSomebodyLeftItEnabled() {
        try (Rig rig = new Rig()) {
            rig.start(); // and never closed
            try (NvmeController controller = rig.start()) {
                controller.namespaces().getFirst().flush(controller.createQueue(2));
            }
        }
    }

    @Test
    void itStartsAfterADeviceReset() {
        try (Rig rig = new Rig()) {
            rig.start();
            rig.device.reset();
            rig.device.config().enableBusMaster();
            try (NvmeController controller = rig.start()) {
                assertThat(controller.namespaces()).hasSize(1);
            }
        }
    }

    @Test
    void withoutBusMasteringItReportsAFatalError() {
        try (Rig rig = new Rig()) {
            rig.device.config().disableBusMaster();
            assertThatThrownBy(rig::start)
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("fatal error (CSTS 0x3)");
        }
    }

    @Test
    void afterAFatalErrorItCanBeClosedAndStartedAgain() {
        try (Rig rig = new Rig()) {
            NvmeController controller = rig.start();
            NvmeQueue queue = controller.createQueue(2);
            rig.device.config().disableBusMaster();
            assertThatThrownBy(() -> controller.namespaces().getFirst().flush(queue))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("fatal error");
            controller.close();
            rig.device.config().enableBusMaster();
            rig.start().close();
        }
    }

    @Test
    void aControllerThatNeverGetsReadyIsGivenUpAfterItsOwnTimeLimit() {
        try (Rig rig = new Rig(new FrozenModel(FrozenModel.CAPABILITIES, 0, 0))) {
            assertThatThrownBy(rig::start)
                    .isInstanceOf(NvmeException.class)
                    .hasMessage("the controller did not get ready within 500 ms (CSTS 0x0)");
            assertThat(rig.registers.read32Opaque(CC)).as("it is disabled").isZero();
        }
    }

    @Test
    void aControllerThatCannotBeResetIsGivenUp() {
        try (Rig rig = new Rig(new FrozenModel(FrozenModel.CAPABILITIES, 1, 1))) {
            assertThatThrownBy(rig::start)
                    .isInstanceOf(NvmeException.class)
                    .hasMessage("the controller did not become idle after a reset within 500 ms (CSTS 0x1)");
        }
    }

    @Test
    void aFatalStatusWhileItGetsReadyIsReportedAtOnce() {
        try (Rig rig = new Rig(new FrozenModel(FrozenModel.CAPABILITIES, 0, 2))) {
            assertThatThrownBy(rig::start)
                    .isInstanceOf(NvmeException.class)
                    .hasMessage("the controller did not get ready: it reports a fatal error (CSTS 0x2)");
        }
    }

    @Test
    void allOnesMeanThatTheDeviceIsGone() {
        try (Rig rig = new Rig(new FrozenModel(-1, -1, -1))) {
            assertThatThrownBy(rig::start).isInstanceOf(NvmeException.class).hasMessageContaining("is gone");
        }
    }

    @Test
    void aDeviceThatGoesLaterIsNoticedToo() {
        try (Rig rig = new Rig(new FrozenModel(FrozenModel.CAPABILITIES, 0, -1))) {
            assertThatThrownBy(rig::start).isInstanceOf(NvmeException.class).hasMessageContaining("is gone");
        }
    }

    @Test
    void aControllerWithoutTheNvmCommandSetIsRefused() {
        try (Rig rig = new Rig(new FrozenModel(1 << 24, 0, 0))) {
            assertThatThrownBy(rig::start).isInstanceOf(NvmeException.class).hasMessageContaining("CAP.CSS");
        }
    }

    @Test
    void tooLittleMemoryIsSaidToBe() {
        try (Rig rig = new Rig()) {
            assertThatThrownBy(() -> NvmeController.start(rig.registers, rig.memory(8192)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("8192 bytes of DMA memory are too few");
        }
    }

    @ParameterizedTest(name = "{0} entries")
    @ValueSource(ints = {-1, 0, 1, 2049})
    void aQueueNeedsASizeThatTheControllerOffers(int entries) {
        try (Rig rig = new Rig();
                NvmeController controller = rig.start()) {
            assertThatThrownBy(() -> controller.createQueue(entries))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("from 2 to 2048");
        }
    }

    @Test
    void thereAreAsManyQueuesAsWereGranted() {
        try (Rig rig = new Rig();
                NvmeController controller = rig.start()) {
            for (int id = 1; id <= 64; id++) {
                NvmeQueue queue = controller.createQueue(2);
                assertThat(queue.id()).isEqualTo(id);
                controller.namespaces().getFirst().flush(queue);
            }
            assertThatThrownBy(() -> controller.createQueue(2)).isInstanceOf(IllegalStateException.class);
        }
    }
}
