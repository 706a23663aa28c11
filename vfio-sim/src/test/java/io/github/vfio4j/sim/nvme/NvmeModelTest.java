package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.nvme.Rig.Ring;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NvmeModelTest {
    @Test
    void itIsThePciFunctionThatQemuHas() {
        NvmeModel model = new NvmeModel();
        assertThat(model.identity()).isEqualTo(new PciIdentity(0x1b36, 0x0010, 0x010802));
        assertThat(model.bars()).containsExactly(new PciBar(0, 16 << 10, true));
        assertThat(model.vectors()).isEqualTo(65);
        assertThat(model.msiVectors()).isZero();
    }

    @Test
    void dataOutlivesAControllerReset() {
        try (Rig rig = Rig.enabled()) {
            write(rig, 7, (byte) 0x11);
            rig.disable();
            rig.enable();
            assertThat(read(rig, 7)).containsOnly(0x11);
        }
    }

    @Test
    void dataOutlivesADeviceReset() {
        try (Rig rig = Rig.enabled()) {
            write(rig, 7, (byte) 0x22);
            rig.model.reset();
            rig.enable();
            assertThat(read(rig, 7)).containsOnly(0x22);
        }
    }

    @Test
    void dataOutlivesClosingTheDevice() {
        NvmeModel model = new NvmeModel();
        try (Rig rig = new Rig(model).enable()) {
            write(rig, 7, (byte) 0x33);
        }
        try (Rig rig = new Rig(model).enable()) {
            assertThat(read(rig, 7)).containsOnly(0x33);
        }
    }

    @Test
    void aDeviceResetClearsEveryRegisterOfTheDriver() {
        try (Rig rig = Rig.enabled()) {
            rig.admin.run(Sqe.getFeature(7));
            rig.model.reset();
            assertThat(rig.read32(Registers.CC)).isZero();
            assertThat(rig.read32(Registers.CSTS)).isZero();
            assertThat(rig.read32(Registers.AQA)).isZero();
            assertThat(rig.read64(Registers.ASQ)).isZero();
            assertThat(rig.read64(Registers.ACQ)).isZero();
            assertThat(rig.read32(Registers.tailDoorbell(0))).isZero();
            assertThat(rig.read32(Registers.VS)).isEqualTo(Registers.VERSION);
        }
    }

    @Test
    void withoutPowerNobodyTouchesTheBar() {
        Rig rig = Rig.enabled();
        rig.close();
        rig.write32(Registers.VS, 0x5555);
        rig.write32(Registers.CC, 0);
        assertThat(Thread.getAllStackTraces().keySet()).noneMatch(thread -> thread.getName().equals("nvme-model"));
        assertThat(rig.read32(Registers.VS)).isEqualTo(0x5555);
    }

    @Test
    void powerComesAndGoesAHundredTimes() {
        NvmeModel model = new NvmeModel();
        for (int i = 0; i < 100; i++) {
            try (Rig rig = new Rig(model).enable()) {
                assertThat(rig.adminStatus(Sqe.getFeature(7))).isEqualTo(Status.SUCCESS);
            }
        }
    }

    @Test
    void anInterruptedThreadCanSwitchThePowerOff() {
        Rig rig = Rig.enabled();
        Thread.currentThread().interrupt();
        rig.close();
        assertThat(Thread.interrupted()).as("the interrupt is kept").isTrue();
    }

    @Test
    void powerCanGoInTheMiddleOfWork() {
        NvmeModel model = new NvmeModel();
        for (int i = 0; i < 50; i++) {
            try (Rig rig = new Rig(model).enable()) {
                Ring ring = rig.createPair(1, 512, -1);
                long page = rig.pages(1);
                for (int j = 0; j < 511; j++) {
                    ring.put(Sqe.read(j, 1, page, 0));
                }
                ring.ring();
            }
        }
    }

    @ParameterizedTest(name = "{0} bytes in blocks of {1}")
    @CsvSource({"0, 512", "-512, 512", "1000, 512", "65536, 256", "65536, 8192", "65536, 513", "1099511628288, 512"})
    void aNamespaceThatCannotBeIsRefused(long bytes, int blockBytes) {
        assertThatThrownBy(() -> new NvmeModel(bytes, blockBytes)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aNamespaceMayHaveATebibyteInBlocksOf4KiB() {
        try (Rig rig = new Rig(new NvmeModel(1L << 40, 4096)).enable()) {
            Ring ring = rig.createPair(1, 8, -1);
            long from = rig.pages(1);
            rig.bus.at(from).asSlice(0, 4096).fill((byte) 0x44);
            long to = rig.pages(1);
            long last = (1L << 28) - 1;
            assertThat(ring.run(Sqe.write(last, 1, from, 0)).status()).isEqualTo(Status.SUCCESS);
            assertThat(ring.run(Sqe.read(last, 1, to, 0)).status()).isEqualTo(Status.SUCCESS);
            assertThat(rig.bus.at(to).asSlice(0, 4096).toArray(JAVA_BYTE)).containsOnly(0x44);
        }
    }

    private static void write(Rig rig, long block, byte value) {
        long page = rig.pages(1);
        rig.bus.at(page).asSlice(0, 512).fill(value);
        assertThat(rig.createPair(1, 8, -1).run(Sqe.write(block, 1, page, 0)).status()).isEqualTo(Status.SUCCESS);
    }

    private static byte[] read(Rig rig, long block) {
        long page = rig.pages(1);
        assertThat(rig.createPair(1, 8, -1).run(Sqe.read(block, 1, page, 0)).status()).isEqualTo(Status.SUCCESS);
        return rig.bus.at(page).asSlice(0, 512).toArray(JAVA_BYTE);
    }
}
