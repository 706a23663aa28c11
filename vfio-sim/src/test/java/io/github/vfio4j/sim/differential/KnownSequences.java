package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Every sequence that the two kernels once answered differently, shrunk, under the name of what was wrong. */
class KnownSequences extends DifferentialCase {
    /** Opens a device in slot 3 through a group in slot 2 and a container in slot 0, and goes on. */
    private static Step[] opened(String group, String device, Step... more) {
        Stream<Step> opened = Stream.of(
                open(0, Generator.CONTAINER),
                open(2, group),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()),
                getDevice(3, 2, text(device)));
        return Stream.concat(opened, Stream.of(more)).toArray(Step[]::new);
    }

    @Test
    void theInfoSaysWhetherTheFunctionCanBeReset() {
        agree(opened(
                "/dev/vfio/$testdev",
                "0000:00:08.0",
                ioctl(3, VFIO_DEVICE_GET_INFO(), u32(16), u32(0xffffffff), u32(0), u32(0), u32(0), u32(0))));
    }

    @Test
    void aFunctionThatCannotBeResetRefuses() {
        agree(opened(
                "/dev/vfio/$edu",
                "0000:00:04.0",
                ioctl(3, VFIO_DEVICE_RESET(), 0x0L)));
    }

    @Test
    void msixThatIsNotThereDoesNotGrow() {
        agree(opened(
                "/dev/vfio/$edu",
                "0000:00:04.0",
                ioctl(3, VFIO_DEVICE_GET_IRQ_INFO(), u32(16), u32(0xffffffff), u32(2), u32(0))));
    }

    @Test
    void olderKernelsEnableNoVectorsFromOneOnThatIsNotAllocated() {
        agree(opened(
                "/dev/vfio/$card",
                "0000:00:06.0",
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(20), u32(36), u32(2), u32(1), u32(0)),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(20), u32(36), u32(1), u32(1), u32(0))));
    }

    @Test
    void vectorsAreDisabledFromAnyStart() {
        agree(opened(
                "/dev/vfio/$card",
                "0000:00:06.0",
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(36), u32(2), u32(2), u32(1), u32(-1)),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(20), u32(33), u32(2), u32(4), u32(0))));
    }

    @Test
    void nothingLargerThanTheAddressSpaceIsMapped() {
        agree(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$testdev"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x1L),
                getDevice(3, 2, text("0000:00:08.0")),
                map(0, 3, 0x4000000000000L, 3, 1, 0x20000000000L));
    }

    @Test
    void aMappingDoesNotReachBeyondTheLastOffset() {
        agree(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$testdev"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x1L),
                getDevice(1, 2, text("0000:00:08.0")),
                map(3, 1, 0x100000L, 3, 1, 0xfffffffffffff000L));
    }

    @Test
    void aBarWithoutMemoryDecodeCannotBeMappedForDma() {
        agree(opened(
                "/dev/vfio/$testdev",
                "0000:00:08.0",
                pwrite(3, "0400", 0x70000000004L),
                map(3, 3, 0x2000L, 3, 1, 0x20000000000L),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(1), inBar(3, 0x0L), u64(0xc000L), u64(0x2000L))));
    }

    @Test
    void olderKernelsFindNothingInARangeThatEndsAtTheVeryTop() {
        agree(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$testdev"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x3L),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(0x1000), u32(3), address(Region.RAM, 0xd000L), u64(0x8000L), u64(0x2000L)),
                ioctl(0, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32(0), u64(0x2000L), u64(0xffffffffffffe000L)));
    }

    @Test
    void olderKernelsFindNothingBeyondTheReachOfAnIommu() {
        assumeTrue(twins.scope().mediated(), "this kernel has mediated devices");
        agree(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$mtty"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x3L),
                open(4, "/dev/vfio/$edu"),
                ioctl(4, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(4, VFIO_GROUP_UNSET_CONTAINER(), 0x0L),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(3), address(Region.HOLE, 0x1000L), u64(0x7ffffff000L), u64(0x3000L)),
                ioctl(4, VFIO_GROUP_SET_CONTAINER(), fd(0)));
    }

    @Test
    void aMediatedDeviceWhoseDriverMapsNothingRefuses() {
        assumeTrue(twins.scope().mediated(), "this kernel has mediated devices");
        agree(opened(
                "/dev/vfio/$mtty",
                TwinMachine.MTTYS.getFirst(),
                map(0, 3, 0x1000L, 3, 1, 0),
                map(0, 3, 0x1000L, 3, 2, 0)));
    }

    @Test
    void throughAClosedContainerNothingIsAsked() {
        agreeThroughTheApi(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$testdev"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x1L),
                close(0),
                ioctl(0, VFIO_IOMMU_GET_INFO(), u32(120), u32(0xffffffff), u64(0x0L), u32(0), u32(0)));
    }

    @Test
    void theLibraryHasNoWordsForARequestThatIsCutOff() {
        agreeThroughTheApi(opened(
                "/dev/vfio/$card",
                "0000:00:06.0",
                eventfd(5, 0, 0x0),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(36), u32(3), u32(0), u32(1), fd(5)),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(0), u32(9), u32(3), u32(0), u32(1))));
    }

    @Test
    void theLastIovaWrapsBeforeItIsMisaligned() {
        agreeThroughTheApi(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$testdev"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x3L),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(1), address(Region.RAM, 0xb000L), u64(0xffffffffffffffffL), u64(0x2000L)));
    }

    @Test
    void anIommuThatHasEndedIsNotAskedForItsLimits() {
        agreeThroughTheApi(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$testdev"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x3L),
                close(2),
                ioctl(0, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32(0), u64(0x1000L), u64(0x2000L)));
    }

    @Test
    void anUnmapUpToTheVeryTopOfOlderKernelsIsNoFailure() {
        agreeThroughTheApi(
                open(0, "/dev/vfio/vfio"),
                open(4, "/dev/vfio/$testdev"),
                ioctl(4, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x1L),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(3), address(Region.RAM, 0x0L), u64(0x3000L), u64(0x10000L)),
                ioctl(0, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32(0), u64(0x2000L), u64(0xffffffffffffe000L)));
    }

    @Test
    void whatAnotherProcessMappedUnpinnedIsLookedForInTheMemoryOfWhoeverAttaches() {
        agree(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$second_mtty"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x1L),
                open(6, "/dev/vfio/$edu"),
                pass(8, 0),
                second(ioctl(8, VFIO_IOMMU_MAP_DMA(), u32(32), u32(3), address(Region.RAM, 0x16000L), u64(0x1000L), u64(0x3000L))),
                ioctl(6, VFIO_GROUP_SET_CONTAINER(), fd(0)));
    }

    @Test
    void aMappingOfHalfTheAddressSpaceIsTooLargeToTrack() {
        agree(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$mtty"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x3L),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(3), address(Region.RAM, 0x8000L), u64(0x8000L), u64(0x8000000000000000L)),
                ioctl(0, VFIO_IOMMU_DIRTY_PAGES(), u32(8), u32(1)));
    }

    @Test
    void aContainerThatNestsTakesNoGroupBehindAnIommuThatDoesNot() {
        agree(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$mtty"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x6L),
                open(9, "/dev/vfio/$edu"),
                ioctl(9, VFIO_GROUP_SET_CONTAINER(), fd(0)));
    }

    @Test
    void kvmTakesAMediatedDevice() {
        agree(opened(
                "/dev/vfio/$mtty",
                "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
                open(9, "/dev/kvm"),
                makeVm(10, 9),
                makeVmDevice(11, 10, 4, 0),
                vmAttribute(11, true, 1, 1, 3)));
    }

    @Test
    void aMediatedDeviceIsResetWithoutSayingThatItCanBe() {
        assumeTrue(twins.scope().mediated(), "this kernel has mediated devices");
        int state = VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE();
        agree(opened(
                "/dev/vfio/$mtty",
                TwinMachine.MTTYS.get(0),
                ioctl(3, VFIO_DEVICE_FEATURE(), u32(16), u32(VFIO_DEVICE_FEATURE_SET() | state), u32(VFIO_DEVICE_STATE_STOP()), u32(-1)),
                ioctl(3, VFIO_DEVICE_RESET(), 0),
                ioctl(3, VFIO_DEVICE_FEATURE(), u32(16), u32(VFIO_DEVICE_FEATURE_GET() | state), u32(-1), u32(-1))));
    }

    @Test
    void whatTheSecondProcessHasOpenIsNotOverwrittenThroughTheApiEither() {
        agreeThroughTheApi(second(open(9, "/dev/vfio/$edu")), pass(9, 0));
    }

    @Test
    void aGroupThatRootTookFromItsContainerIsNoMistakeOfTheLibrarys() {
        agreeThroughTheApi(
                open(0, "/dev/vfio/vfio"),
                open(4, "/dev/vfio/$edu"),
                ioctl(4, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x3L),
                sysfs("/sys/bus/pci/drivers/vfio-pci/unbind", "0000:00:04.0"),
                ioctl(0, VFIO_IOMMU_DIRTY_PAGES(), u32(8), u32(1)),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(3), address(Region.RAM, 0x18000L), u64(0xf000L), u64(0x2000L)),
                ioctl(4, VFIO_GROUP_SET_CONTAINER(), fd(0)));
    }

    @Test
    void aDriverThatOverrodeOnceIsNotForTheFunctionAfterwards() {
        assumeTrue(twins.scope().hostDrivers().contains("pci-stub"), "this kernel has pci-stub");
        agree(
                override("0000:00:09.0", "pci-stub"),
                probe("0000:00:09.0"),
                unbind("pci-stub", "0000:00:09.0"),
                override("0000:00:09.0", ""),
                probe("0000:00:09.0"),
                driverOf("0000:00:09.0"));
    }

    @Test
    void aGroupThatIsMadeAnewHasAnotherNumberWhileTheOldOneIsOpen() {
        agreeThroughTheApi(
                open(2, "/dev/vfio/$testdev"),
                unbind("vfio-pci", "0000:00:08.0"),
                bind("vfio-pci", "0000:00:08.0"),
                open(4, "/dev/vfio/$testdev"));
    }

    @Test
    void aGroupThatIsGoneHasNoDeviceUnderEitherContract() {
        agreeThroughTheApi(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$testdev"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x1L),
                unbind("vfio-pci", "0000:00:08.0"),
                getDevice(10, 2, text("0000:00:08.0")));
    }

    @Test
    void anEventThatNoLongerUnmasksLosesItsCount() {
        agree(opened(
                "/dev/vfio/$edu",
                "0000:00:04.0",
                eventfd(4, 1, 0x0),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(36), u32(0), u32(0), u32(1), fd(6)),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(20), u32(0), u32(0), u32(1), fd(4)),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(20), u32(0), u32(0), u32(1), u32(0xffffffff)),
                read(4, 9)));
    }

    @Test
    void anEventThatUnmaskedLosesItsCountWithTheDevice() {
        agree(opened(
                "/dev/vfio/$edu",
                "0000:00:04.0",
                eventfd(5, 1, 0x0),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(28), u32(36), u32(0), u32(0), u32(1), fd(5)),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(20), u32(0), u32(0), u32(1), fd(5)),
                close(3),
                read(5, 9)));
    }

    @Test
    void aGroupThatIsGoneIsNotViableForKvm() {
        agreeThroughTheApi(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$edu"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x3L),
                sysfs("/sys/bus/pci/drivers/vfio-pci/unbind", "0000:00:04.0"),
                open(9, "/dev/kvm"),
                makeVm(10, 9),
                makeVmDevice(11, 10, 4, 0),
                vmAttribute(11, true, 1, 1, 2));
    }

    @Test
    void aFunctionThatIsAloneOnItsBusIsResetWithIt() {
        assumeTrue(twins.scope().unsafe(), "this kernel has the mode without an IOMMU");
        agree(TwinMachine.openUnsafe(0, 2, 3,
                ioctl(3, VFIO_DEVICE_GET_INFO(), u32(16), u32(0), u32(0), u32(0), u32(0), u32(0)),
                ioctl(3, VFIO_DEVICE_RESET(), 0)));
    }

    @Test
    void aBarOfPortsIsNoneThatIsMissing() {
        agree(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$testdev"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x1L),
                getDevice(3, 2, text(TwinMachine.TESTDEV)),
                shared(1, 1, 4096),
                shared(1, 0, 4096),
                shared(3, 1, 4096),
                shared(3, 0, 4096),
                shared(6, 1, 4096));
    }

    @Test
    void aSharedPartOfABarReachesOverTheTopOfAllAddresses() {
        agree(opened(
                "/dev/vfio/$edu",
                TwinMachine.EDU,
                shared(0, -4096, 4096),
                shared(0, -8192, 4096),
                shared(0, -4096, 1L << 40),
                shared(0, -4095, 4096),
                shared(0, 0, -4096),
                shared(0, 0, Long.MAX_VALUE & -4096),
                shared(0, 0, Long.MIN_VALUE),
                shared(0, -4096, Long.MIN_VALUE),
                shared(3, -4096, 4096)));
    }

    @Test
    void theAddressOfAMappingThatIsGoneIsGivenWhereAnotherOneLies() {
        agreeThroughTheApi(
                open(0, "/dev/vfio/vfio"),
                open(2, "/dev/vfio/$testdev"),
                ioctl(2, VFIO_GROUP_SET_CONTAINER(), fd(0)),
                ioctl(0, VFIO_SET_IOMMU(), 0x3L),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(1), address(Region.RAM, 0x17000L), u64(0x4000L), u64(0x1000L)),
                ioctl(0, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32(2), u64(0x0L), u64(0x0L)),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(2), address(Region.RAM, 0x9000L), u64(0x0L), u64(0x10000L)),
                ioctl(0, VFIO_IOMMU_MAP_DMA(), u32(32), u32(4), address(Region.RAM, 0x11000L), u64(0x4000L), u64(0x1000L)));
    }

    /** A part of a BAR. */
    private static Step shared(int bar, long offset, long length) {
        int what = VFIO_DEVICE_FEATURE_GET() | VFIO_DEVICE_FEATURE_DMA_BUF();
        return ioctl(3, VFIO_DEVICE_FEATURE(), u32(40), u32(what), u32(bar), u32(0), u32(0), u32(1), u64(offset), u64(length));
    }

    @Test
    void nobodyRoutesMessagesOfAFunctionWithoutAnIommu() {
        assumeTrue(twins.scope().unsafe(), "this kernel has the mode without an IOMMU");
        agree(TwinMachine.openUnsafe(0, 2, 3,
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(20), u32(36), u32(1), u32(0), u32(0)),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(36), u32(1), u32(0), u32(1), u32(-1)),
                eventfd(4, 0, 0),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(36), u32(1), u32(0), u32(1), fd(4)),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(36), u32(0), u32(0), u32(1), fd(4))));
    }

    @Test
    void aDeviceThatIsBeingUnboundIsAskedForAndNotOpenedAgain() {
        agree(opened(
                "/dev/vfio/$edu",
                TwinMachine.EDU,
                eventfd(4, 0, 0),
                ioctl(3, VFIO_DEVICE_SET_IRQS(), u32(24), u32(36), u32(4), u32(0), u32(1), fd(4)),
                unbind("vfio-pci", TwinMachine.EDU),
                read(4, 8),
                getDevice(5, 2, text(TwinMachine.EDU)),
                stat("/dev/vfio/$edu"),
                close(5),
                close(3),
                driverOf(TwinMachine.EDU),
                stat("/dev/vfio/$edu"),
                ioctl(2, VFIO_GROUP_GET_STATUS(), u32(8), u32(0))));
    }
}
