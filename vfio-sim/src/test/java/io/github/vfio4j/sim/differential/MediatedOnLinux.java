package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.KernelProfile;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The kernel's sample devices mtty, mdpy and mbochs and their models answer alike. */
class MediatedOnLinux extends DifferentialCase {
    private static final long SEED = 0x3ed1a_7edL;
    private static final int SEQUENCES = Integer.getInteger("vfio4j.mediated.sequences", 100);
    private static final int ENOMEM = 12;

    private static final int CONTAINER = 0;
    private static final int GROUP = 2;
    private static final int DEVICE = 3;
    private static final int STREAM = 4;
    private static final int NEXT_STREAM = 5;
    private static final int EVENT = 6;
    private static final int PICTURE = 7;
    private static final int MONITOR = 9; // a region of mbochs
    private static final long SCREEN = 0x1500; // registers of mbochs

    @BeforeEach
    void theKernelHasMediatedDevices() {
        assumeTrue(TwinMachine.mediated(), "this kernel has mediated devices");
    }

    @AfterEach
    void mttyIsLeftAsItWas() {
        if (TwinMachine.mediated()) {
            assertThat(twins.lockstep.run(MediatedSequence.afterwards()).map(twins::describe)).isEmpty();
        }
    }

    private static Step[] opened(String group, String uuid, Step... more) {
        Stream<Step> opened = Stream.of(
                open(CONTAINER, Generator.CONTAINER),
                open(GROUP, "/dev/vfio/" + group),
                ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER)),
                ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()),
                fresh(DEVICE, getDevice(DEVICE, GROUP, text(uuid))),
                ioctl(DEVICE, VFIO_DEVICE_GET_INFO(), u32(16), u32(0), u32(0), u32(0)));
        return Stream.concat(opened, Stream.of(more)).toArray(Step[]::new);
    }

    private static Step[] mtty(Step... more) {
        return opened("$mtty", TwinMachine.MTTYS.getFirst(), more);
    }

    private static Step[] mdpy(Step... more) {
        return opened("$mdpy", TwinMachine.MDPY, more);
    }

    private static Step[] mbochs(Step... more) {
        return opened("$mbochs", TwinMachine.MBOCHS, more);
    }

    @Test
    void generatedSequencesAgree() {
        for (int i = 0; i < SEQUENCES; i++) {
            Optional<Disagreement> found = twins.lockstep.run(new MediatedSequence(SEED + i, 60));
            assertThat(found.map(twins::describe)).as("sequence %d", i).isEmpty();
            assertThat(twins.leaks()).as("after sequence %d", i).isEmpty();
        }
    }

    @Test
    void nothingIsReadAndWrittenAnywhere() {
        lastAnswers(0, mdpy(pread(DEVICE, 0, 0xffc)));
        lastAnswers(0, mbochs(pwrite(DEVICE, "", 1L << 40)));
        lastAnswers(0, mtty(pwrite(DEVICE, "", (8L << 40) + 4)));
        lastAnswers(-EFAULT, mtty(pread(DEVICE, 1, 8L << 40)));
    }

    @Test
    void anEventfdTakesANumberAndNothingBehindIt() {
        String number = "0100000000000000";
        lastAnswers(
                since(KernelProfile.V6_12, -EINVAL, Long.BYTES), eventfd(EVENT, 0, 0), write(EVENT, number + number));
    }

    // ---- the state of mtty

    private static Step to(int into, int state) {
        return migrationState(into, DEVICE, 16, VFIO_DEVICE_FEATURE_SET(), state);
    }

    private static Step stateOf(int device) {
        return migrationState(NEXT_STREAM, device, 16, VFIO_DEVICE_FEATURE_GET(), 0);
    }

    private static Step right(int size) {
        return writeState(STREAM, new MttyState(0, 0x5a, 0), size);
    }

    private static Step readAhead(int stream) {
        return ioctl(stream, VFIO_MIG_GET_PRECOPY_INFO(), u32(24), u32(0), u64(7), u64(7));
    }

    @Test
    void theStateIsWhatThePortsHold() {
        agree(mtty(
                pwrite(DEVICE, "00", 3),
                pwrite(DEVICE, "07", 2),
                pwrite(DEVICE, "41", 0),
                pwrite(DEVICE, "42", 0),
                pwrite(DEVICE, "5a", 7),
                pwrite(DEVICE, "11", (1L << 40) + 7),
                to(STREAM, VFIO_DEVICE_STATE_STOP_COPY()),
                read(STREAM, 200),
                read(STREAM, 200)));
    }

    @Test
    void aDeviceGoesOnToResumeUntilItsStateIsWhole() {
        agree(mtty(
                to(STREAM, VFIO_DEVICE_STATE_RESUMING()),
                right(95),
                to(NEXT_STREAM, VFIO_DEVICE_STATE_STOP()),
                stateOf(DEVICE),
                right(2),
                right(1),
                to(NEXT_STREAM, VFIO_DEVICE_STATE_STOP()),
                register(DEVICE, 7, 1),
                right(0)));
        lastAnswers(-ENOMEM, mtty(to(STREAM, VFIO_DEVICE_STATE_RESUMING()), right(97)));
    }

    @Test
    void aStateOfAnotherDeviceIsRefusedAsSoonAsItsHeaderIsThere() {
        for (int wrong = 1; wrong <= 4; wrong++) {
            MttyState state = new MttyState(wrong, 0, 0);
            lastAnswers(
                    -EFAULT,
                    mtty(to(STREAM, VFIO_DEVICE_STATE_RESUMING()), writeState(STREAM, state, 23), writeState(STREAM, state, 1)));
        }
    }

    @Test
    void aStreamOutlivesItsDeviceAndIsOfNoUse() {
        lastAnswers(-ENODEV, mtty(to(STREAM, VFIO_DEVICE_STATE_PRE_COPY()), close(DEVICE), readAhead(STREAM)));
        lastAnswers(-ENODEV, mtty(to(STREAM, VFIO_DEVICE_STATE_PRE_COPY()), close(DEVICE), read(STREAM, 8)));
        lastAnswers(-ENODEV, mtty(to(STREAM, VFIO_DEVICE_STATE_RESUMING()), close(DEVICE), right(96)));
        lastAnswers(-ENOMEM, mtty(to(STREAM, VFIO_DEVICE_STATE_RESUMING()), close(DEVICE), right(97)));
    }

    // ---- what other devices lack

    private static Step probe(int feature) {
        return ioctl(DEVICE, VFIO_DEVICE_FEATURE(), u32(8), u32(VFIO_DEVICE_FEATURE_PROBE() | VFIO_DEVICE_FEATURE_GET() | feature));
    }

    @Test
    void aDeviceThatCannotBeMovedHasNoPreCopyAndNoLog() {
        lastAnswers(since(KernelProfile.V7_2, -EINVAL, -ENOTTY), mdpy(probe(VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2())));
        lastAnswers(-ENOTTY, mdpy(probe(VFIO_DEVICE_FEATURE_MIGRATION())));
        lastAnswers(-ENOTTY, mbochs(probe(VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT())));
    }

    @Test
    void aScreenHasTheInterruptsOfAPciDeviceAndNoneOfAnyKind() {
        agree(mbochs(
                eventfd(EVENT, 0, 0),
                ioctl(DEVICE, VFIO_DEVICE_GET_IRQ_INFO(), u32(16), u32(-1), u32(2), u32(7)),
                ioctl(DEVICE, VFIO_DEVICE_GET_IRQ_INFO(), u32(16), u32(0), u32(5), u32(7)),
                ioctl(DEVICE, VFIO_DEVICE_SET_IRQS(), u32(24), u32(36), u32(0), u32(0), u32(1), fd(EVENT)),
                ioctl(DEVICE, VFIO_DEVICE_SET_IRQS(), 0)));
    }

    // ---- screens

    @Test
    void theCapabilityOfARegionIsToldWhereThereIsRoom() {
        agree(mbochs(
                ioctl(DEVICE, VFIO_DEVICE_GET_REGION_INFO(), u32(32), u32(0), u32(MONITOR), u32(0), u64(0), u64(0)),
                ioctl(DEVICE, VFIO_DEVICE_GET_REGION_INFO(), u32(48), u32(0), u32(MONITOR), u32(0), u64(0), u64(0), u64(7), u64(7))));
    }

    private static Step[] screen(String width) {
        return new Step[] {
            pwrite(DEVICE, width, SCREEN + 2),
            pwrite(DEVICE, "4000", SCREEN + 4),
            pwrite(DEVICE, "2000", SCREEN + 6),
            pwrite(DEVICE, "0100", SCREEN + 8),
            shown()
        };
    }

    private static Step shown() {
        return queryPlane(ioctl(
                DEVICE,
                VFIO_DEVICE_QUERY_GFX_PLANE(),
                u32(64), u32(VFIO_GFX_PLANE_TYPE_DMABUF()), u32(1), u32(0),
                u64(0), u64(0), u64(0), u64(0), u64(0), u64(-1)));
    }

    @Test
    void eachPictureHasANumberThatIsNotGivenAgain() {
        Step[] once = Stream.of(
                        Stream.of(screen("4000")),
                        Stream.of(openPicture(PICTURE, DEVICE)),
                        Stream.of(screen("4800")),
                        Stream.of(screen("4000")),
                        Stream.of(close(DEVICE)))
                .flatMap(steps -> steps)
                .toArray(Step[]::new);
        agree(mbochs(once));
        agree(mbochs(once));
    }

    @Test
    void aResetTurnsTheScreenOffAndLeavesTheMonitor() {
        agree(mbochs(Stream.concat(
                        Stream.of(screen("4000")),
                        Stream.of(
                                pwrite(DEVICE, "01000000", 0x2014),
                                ioctl(DEVICE, VFIO_DEVICE_RESET(), 0),
                                register(DEVICE, SCREEN, 2),
                                register(DEVICE, SCREEN + 2, 2),
                                register(DEVICE, SCREEN + 20, 2),
                                register(DEVICE, 0x2014, 4),
                                shown()))
                .toArray(Step[]::new)));
    }
}
