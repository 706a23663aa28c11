package io.github.vfio4j.examples;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.nvme.NvmeModel;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DemoTest {
    private static final PciAddress NVME = PciAddress.parse("0000:00:05.0");
    private static final long SEED = 1;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    @Test
    void everyVfioOperationIsPrintedInOrder() {
        run(machine(new NvmeModel()));
        assertThat(out()).containsSubsequence(
                "open /dev/vfio/vfio",
                "open /dev/vfio/4",
                "VFIO_GROUP_GET_STATUS",
                "VFIO_GROUP_SET_CONTAINER",
                "VFIO_SET_IOMMU",
                "VFIO_IOMMU_GET_INFO",
                "VFIO_GROUP_GET_DEVICE_FD",
                "VFIO_DEVICE_GET_INFO",
                "VFIO_DEVICE_GET_REGION_INFO",
                "mmap",
                "bus master on",
                "VFIO_IOMMU_MAP_DMA",
                "model",
                "VFIO_IOMMU_MAP_DMA",
                "VFIO_IOMMU_MAP_DMA",
                "write",
                "read and compare",
                "VFIO_IOMMU_UNMAP_DMA",
                "VFIO_IOMMU_UNMAP_DMA",
                "NVMe shutdown",
                "bus master off",
                "VFIO_IOMMU_UNMAP_DMA",
                "the device",
                "VFIO_GROUP_UNSET_CONTAINER",
                "the group",
                "the container",
                "verified");
    }

    @Test
    void theLastLineSaysHowMuchWasVerifiedAndWhere() {
        SimMachine machine = machine(new NvmeModel());
        run(machine);
        assertThat(out().lines().toList().getLast()).isEqualTo("verified 70,144 bytes on " + machine.open().kernelName());
    }

    @Test
    void theControllerIsDescribed() {
        run(machine(new NvmeModel()));
        assertThat(out())
                .contains("vfio4j simulated NVMe controller")
                .containsPattern("serial number +SIM[0-9]{5}")
                .containsPattern("NVMe version +1\\.4\\.0")
                .containsPattern("namespace 1 +64 MiB: 131,072 blocks of 512 bytes");
    }

    @Test
    void nothingStaysOpenAndNoDmaWentWrong() {
        SimMachine machine = machine(new NvmeModel());
        run(machine);
        assertThat(machine.leaks()).isEmpty();
        assertThat(machine.faults()).isEmpty();
    }

    @Test
    void itCanRunAgain() {
        SimMachine machine = machine(new NvmeModel());
        run(machine);
        run(machine);
        assertThat(out().lines().filter(line -> line.startsWith("verified"))).hasSize(2);
    }

    @ParameterizedTest(name = "blocks of {0}")
    @ValueSource(ints = {512, 1024, 2048, 4096})
    void everyBlockSizeWorks(int blockBytes) {
        run(machine(new NvmeModel(16 << 20, blockBytes)));
        assertThat(out()).contains("blocks of " + blockBytes + " bytes").contains("verified");
    }

    @Test
    void aDiskThatForgetsOneBitIsFoundOut() {
        SimMachine machine = machine(new Forgetful());
        assertThatThrownBy(() -> run(machine))
                .isInstanceOf(CommandException.class)
                .hasMessage("block 130945 of namespace 1 does not hold what was written: wrong from byte 488 on");
        assertThat(out()).doesNotContain("verified");
        assertThat(machine.leaks()).isEmpty();
    }

    @Test
    void aNamespaceThatIsTooSmallIsSaidToBe() {
        SimMachine machine = machine(new NvmeModel(64 << 10, 512));
        assertThatThrownBy(() -> run(machine))
                .isInstanceOf(CommandException.class)
                .hasMessage("namespace 1 has only 128 blocks; the demo needs 274");
        assertThat(machine.leaks()).isEmpty();
    }

    @Test
    void aRealDiskIsNotOverwrittenUnasked() {
        SimMachine machine = machine(new RealDisk());
        assertThatThrownBy(() -> run(machine))
                .isInstanceOf(CommandException.class)
                .hasMessageContaining("looks like a real disk: 0000:00:05.0 144d:a80a")
                .hasMessageContaining("--overwrite");
        assertThat(out()).doesNotContain("open /dev/vfio");
    }

    @Test
    void aRealDiskIsOverwrittenWhenAsked() {
        new Demo(machine(new RealDisk()).open(), new PrintStream(out, true), SEED, true).run(Optional.of(NVME));
        assertThat(out()).contains("verified");
    }

    @Test
    void aRealDiskMustBeNamedToBeOverwritten() {
        Demo demo = new Demo(machine(new RealDisk()).open(), new PrintStream(out, true), SEED, true);
        assertThatThrownBy(() -> demo.run(Optional.empty()))
                .isInstanceOf(CommandException.class)
                .hasMessageContaining("name it");
    }

    @Test
    void withoutAControllerForProgramsItSaysWhatIsThere() {
        SimMachine machine =
                SimMachine.builder().device(NVME, new NvmeModel(), 4, "nvme").build();
        assertThatThrownBy(() -> run(machine))
                .isInstanceOf(CommandException.class)
                .hasMessageContaining("no NVMe controller is bound to vfio-pci")
                .hasMessageContaining("0000:00:05.0 1b36:0010 class 010802 driver nvme group 4");
    }

    @Test
    void aControllerThatIsNamedNeedsNoVfioDriverToBeTriedAndTheKernelSaysWhatIsWrong() {
        SimMachine machine =
                SimMachine.builder().device(NVME, new NvmeModel(), 4, "nvme").build();
        Demo demo = new Demo(machine.open(), new PrintStream(out, true), SEED, false);
        assertThatThrownBy(() -> demo.run(Optional.of(NVME))).isInstanceOf(VfioException.class);
        assertThat(machine.leaks()).isEmpty();
    }

    @Test
    void aDeviceThatIsNoControllerIsRefused() {
        PciModel card = new Disguised(new PciIdentity(0x1b36, 0x0010, 0x020000));
        Demo demo = new Demo(machine(card).open(), new PrintStream(out, true), SEED, false);
        assertThatThrownBy(() -> demo.run(Optional.of(NVME)))
                .isInstanceOf(CommandException.class)
                .hasMessageStartingWith("no NVMe controller (class 0108xx): 0000:00:05.0");
    }

    private void run(SimMachine machine) {
        try (Vfio vfio = machine.open()) {
            new Demo(vfio, new PrintStream(out, true), SEED, false).run(Optional.empty());
        }
    }

    private static SimMachine machine(PciModel model) {
        return SimMachine.builder().device(NVME, model, 4, SimMachine.VFIO_PCI).build();
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    /** The NVMe model under another identity. */
    private static class Disguised implements PciModel {
        private final NvmeModel model = new NvmeModel();
        private final PciIdentity identity;

        Disguised(PciIdentity identity) {
            this.identity = identity;
        }

        @Override
        public PciIdentity identity() {
            return identity;
        }

        @Override
        public List<PciBar> bars() {
            return model.bars();
        }

        @Override
        public void powerOn(PciBus bus) {
            model.powerOn(bus);
        }

        @Override
        public void reset() {
            model.reset();
        }

        @Override
        public void powerOff() {
            model.powerOff();
        }
    }

    private static final class RealDisk extends Disguised {
        RealDisk() {
            super(new PciIdentity(0x144d, 0xa80a, 0x010802));
        }
    }

    /** Turns a bit of byte 1003 of the fifth page that it writes: three answers to Identify and one page came before. */
    private static final class Forgetful extends Disguised {
        Forgetful() {
            super(new PciIdentity(0x1b36, 0x0010, 0x010802));
        }

        @Override
        public void powerOn(PciBus bus) {
            super.powerOn(new PciBus() {
                private int pages;

                @Override
                public MemorySegment bar(int index) {
                    return bus.bar(index);
                }

                @Override
                public boolean dmaRead(long iova, MemorySegment target) {
                    return bus.dmaRead(iova, target);
                }

                @Override
                public boolean dmaWrite(long iova, MemorySegment source) {
                    if (source.byteSize() != 4096 || ++pages != 5) {
                        return bus.dmaWrite(iova, source);
                    }
                    MemorySegment wrong = Arena.ofAuto().allocate(4096, 8).copyFrom(source);
                    wrong.set(JAVA_BYTE, 1003, (byte) (wrong.get(JAVA_BYTE, 1003) ^ 1));
                    return bus.dmaWrite(iova, wrong);
                }

                @Override
                public void raise(int vector) {
                    bus.raise(vector);
                }

                @Override
                public void setLine(boolean asserted) {
                    bus.setLine(asserted);
                }
            });
        }
    }
}
