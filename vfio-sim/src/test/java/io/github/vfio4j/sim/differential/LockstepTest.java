package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.sim.BridgeModel;
import io.github.vfio4j.sim.MttyModel;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.SimPorts;
import io.github.vfio4j.sim.nvme.NvmeModel;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The comparison itself, between simulated kernels. */
class LockstepTest {
    private static final int WRAPS = 6;
    private static final Generator.Scope EVERYTHING = new Generator.Scope(true, true, true, true, List.of("pci-stub", TwinMachine.E1000));
    // Wraps and has a size: what Linux 7 and older ones answer differently.
    private static final List<Step> SEQUENCE = List.of(
            open(0, "/dev/vfio/vfio"),
            open(1, "/dev/vfio/$edu"),
            stat("/dev/vfio/vfio"),
            ioctl(1, VFIO_GROUP_SET_CONTAINER(), fd(0)),
            eventfd(5, 1, 0),
            ioctl(0, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()),
            ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(3), address(Region.RAM, 0), u64(-4096L), u64(8192)),
            close(5));

    private final SimMachine newer = machine(KernelProfile.V7_2);
    private final SimMachine older = machine(KernelProfile.V6_1);

    @Test
    void kernelsOfOneLineAgreeOnFreshSequences() {
        Lockstep alike = new Lockstep(side(newer), side(machine(KernelProfile.V7_2)));
        long seed = seed();
        for (int i = 0; i < 300; i++) {
            Optional<Disagreement> found = alike.run(new Generator(seed + i, EVERYTHING));
            assertThat(found.map(Disagreement::describe)).isEmpty();
        }
        assertThat(alike.steps()).isGreaterThan(3000);
    }

    /** A fresh seed, or that of {@code vfio4j.differential.seed}. */
    private static long seed() {
        String given = System.getProperty("vfio4j.differential.seed", "");
        long seed = given.isEmpty() ? new SplittableRandom().nextLong() : HexFormat.fromHexDigitsToLong(given);
        System.out.printf("seed %016x%n", seed);
        return seed;
    }

    @ParameterizedTest
    @EnumSource(names = {"V6_1", "V6_12", "V7_2"})
    void theApiRefusesWhatTheKernelRefusesAndNothingElse(KernelProfile line) {
        SimMachine one = machine(line);
        SimMachine other = machine(line);
        ThroughTheApi api = new ThroughTheApi(
                new ApiProgram(side(one), SimPorts.sysfs(one), true),
                new ApiProgram(side(other), SimPorts.sysfs(other), true),
                line);
        Lockstep calls = new Lockstep(side(one), side(other));
        long seed = seed();
        for (int i = 0; i < Integer.getInteger("vfio4j.differential.sequences", 100); i++) {
            Recording recording = new Recording(new Generator(seed + i, EVERYTHING));
            calls.run(recording);
            Optional<Disagreement> found = api.run(recording.steps());
            assertThat(found.map(d -> api.shrink(d).describe())).as("sequence %d", i).isEmpty();
        }
        System.out.println(api.counts());
    }

    @Test
    void aSeedMakesTheSameSequenceAgain() {
        Lockstep alike = new Lockstep(side(newer), side(machine(KernelProfile.V7_2)));
        alike.run(new Generator(42, EVERYTHING));
        long steps = alike.steps();
        alike.run(new Generator(42, EVERYTHING));
        assertThat(alike.steps()).isEqualTo(2 * steps);
    }

    @Test
    void aDisagreementEndsTheSequenceAndLeavesNothingOpen() {
        Lockstep different = new Lockstep(side(newer), side(older));
        Disagreement found = different.run(Lockstep.Source.of(SEQUENCE)).orElseThrow();
        assertThat(found.step()).isEqualTo(SEQUENCE.get(WRAPS));
        assertThat(List.of(found.first().result(), found.second().result())).containsExactly(-75L, -22L);
        assertThat(newer.leaks()).noneMatch(leak -> leak.contains("/dev/vfio"));
    }

    @Test
    void aDisagreementIsShrunkToWhatItNeeds() {
        Lockstep different = new Lockstep(side(newer), side(older));
        Disagreement small = different.shrink(different.run(Lockstep.Source.of(SEQUENCE)).orElseThrow());
        assertThat(small.steps()).containsExactly(
                SEQUENCE.get(0), SEQUENCE.get(1), SEQUENCE.get(3), SEQUENCE.get(5), SEQUENCE.get(WRAPS));
    }

    @Test
    void aDisagreementIsPrintedAsATest() {
        Lockstep different = new Lockstep(side(newer), side(older));
        Disagreement small = different.shrink(different.run(Lockstep.Source.of(SEQUENCE)).orElseThrow());
        assertThat(small.asTest("found")).isEqualTo(
                """
                    @Test
                    void found() {
                        agree(
                                open(0, "/dev/vfio/vfio"),
                                open(1, "/dev/vfio/$edu"),
                                ioctl(1, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                                ioctl(0, VFIO_SET_IOMMU(), 0x3L),
                                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(3), address(Region.RAM, 0x0L), u64(0xfffffffffffff000L), u64(0x2000L)));
                    }
                """);
    }

    @Test
    void aByteThatIsWrittenDifferentlyIsADisagreement() {
        Lockstep different = new Lockstep(side(newer), side(older));
        Optional<Disagreement> found = different.run(Lockstep.Source.of(List.of(
                SEQUENCE.get(0),
                SEQUENCE.get(1),
                SEQUENCE.get(3),
                SEQUENCE.get(5),
                ioctl(0, VFIO_IOMMU_GET_INFO(), u32(512), u32(0), u64(0), u32(0), u32(0)))));
        assertThat(found).hasValueSatisfying(d -> {
            assertThat(d.first().result()).isEqualTo(d.second().result());
            assertThat(d.first().agrees(d.second())).isFalse();
        });
    }

    private static SimMachine machine(KernelProfile line) {
        SimMachine.Builder builder = SimMachine.builder().kernel(line);
        builder.device(PciAddress.parse(TwinMachine.EDU), new NvmeModel(1 << 20, 512), 1, SimMachine.VFIO_PCI);
        builder.device(PciAddress.parse(TwinMachine.TESTDEV), new NvmeModel(1 << 20, 512), 2, SimMachine.VFIO_PCI);
        builder.device(PciAddress.parse(TwinMachine.CARD), new SimulatedCalls.Card(), 6, SimMachine.VFIO_PCI);
        for (String member : TwinMachine.SHARED) {
            builder.device(PciAddress.parse(member), new NvmeModel(1 << 20, 512), 3, TwinMachine.firstDriver(member));
        }
        builder.device(PciAddress.parse(TwinMachine.BRIDGE), new BridgeModel(), 3, "");
        builder.deviceWithoutIommu(PciAddress.parse(TwinMachine.UNSAFE), new NvmeModel(1 << 20, 512), "");
        TwinMachine.MTTYS.forEach(uuid -> builder.mediatedDevice(UUID.fromString(uuid), new MttyModel()));
        SimMachine machine = builder.build();
        TwinMachine.giveLastToVfio(machine);
        return machine;
    }

    private static Side side(SimMachine machine) {
        Side first = program(machine);
        first.connect(program(machine));
        first.administrator = Administrator.simulated(machine, TwinMachine.everyFunction());
        return first;
    }

    private static Side program(SimMachine machine) {
        return Side.simulated(
                machine.profile().toString(),
                SimPorts.syscalls(machine.startProcess()),
                path -> TwinMachine.replaced(
                        path,
                        Map.of("$edu", "1", "$testdev", "2", "$shared", "3", "$mtty", "4", "$second_mtty", "5", "$card", "6"),
                        SimPorts.sysfs(machine)));
    }
}
