package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;

import io.github.vfio4j.KernelProfile;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Answers of real kernels that surprise: those that documents have otherwise or not at all. */
class ObservedAnswers extends DifferentialCase {
    private static final int CONTAINER = 0;
    private static final int GROUP = 1;
    private static final int DEVICE = 2;
    private static final int EVENT = 3;
    private static final long CONFIG = 7L << 40;
    private static final int TRIGGER_EVENTFD = VFIO_IRQ_SET_ACTION_TRIGGER() | VFIO_IRQ_SET_DATA_EVENTFD();

    private static Step[] group() {
        return new Step[] {
            open(CONTAINER, "/dev/vfio/vfio"),
            open(GROUP, "/dev/vfio/$edu"),
            ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER))
        };
    }

    private static Step[] iommu(int type) {
        return then(group(), ioctl(CONTAINER, VFIO_SET_IOMMU(), type));
    }

    private static Step[] device() {
        return then(iommu(VFIO_TYPE1v2_IOMMU()), getDevice(DEVICE, GROUP, text(TwinMachine.EDU)));
    }

    private static Step[] then(Step[] first, Step... more) {
        return Stream.concat(Stream.of(first), Stream.of(more)).toArray(Step[]::new);
    }

    private static Step dmaMap(long iova, long size, int flags) {
        return ioctl(CONTAINER, VFIO_IOMMU_MAP_DMA(), u32(32), u32(flags), address(Region.RAM, 0), u64(iova), u64(size));
    }

    private static Step dmaUnmap(long iova, long size, int flags) {
        return ioctl(CONTAINER, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32(flags), u64(iova), u64(size));
    }

    private static Step irqs(int index, int flags, int count, Field data) {
        return ioctl(DEVICE, VFIO_DEVICE_SET_IRQS(), u32(24), u32(flags), u32(index), u32(0), u32(count), data);
    }

    @Test
    void theInfoSaysHowMuchRoomTheCapabilitiesNeed() {
        for (int argsz : new int[] {15, 16, 20, 24, 115, 116, 119, 120, 512}) {
            agree(then(iommu(3), ioctl(CONTAINER, VFIO_IOMMU_GET_INFO(), u32(argsz), u32(0), u64(0), u32(0), u32(0))));
        }
    }

    @Test
    void aReadOfNothingSucceedsEvenInARegionThatIsNotThere() {
        lastAnswers(0, then(device(), pread(DEVICE, 0, 9L << 40)));
    }

    @Test
    void aBarIsNotExecutableOnNewKernels() {
        lastAnswers(since(KernelProfile.V7_2, -EPERM, 0), then(device(), map(0, DEVICE, 4096, 7, 1, 0)));
    }

    @Test
    void messageInterruptsCannotBeEnabledWithoutAVector() {
        lastAnswers(-ERANGE, then(device(), irqs(VFIO_PCI_MSI_IRQ_INDEX(), TRIGGER_EVENTFD, 0, u32(0))));
    }

    @Test
    void theRequestInterruptCanBeTakenAwayWhenNoneIsSet() {
        lastAnswers(0, then(device(), irqs(VFIO_PCI_REQ_IRQ_INDEX(), TRIGGER_EVENTFD, 1, u32(-1))));
    }

    private static final int OTHER_EVENT = 4;
    private static final int UNMASK_EVENTFD = VFIO_IRQ_SET_ACTION_UNMASK() | VFIO_IRQ_SET_DATA_EVENTFD();
    private static final int TRIGGER_NONE = VFIO_IRQ_SET_ACTION_TRIGGER() | VFIO_IRQ_SET_DATA_NONE();
    private static final int EAGAIN = 11;

    private static Step[] withLine() {
        return then(device(), eventfd(EVENT, 0, 0), irqs(VFIO_PCI_INTX_IRQ_INDEX(), TRIGGER_EVENTFD, 1, fd(EVENT)));
    }

    private static Step intx(int flags, Field data) {
        return irqs(VFIO_PCI_INTX_IRQ_INDEX(), flags, 1, data);
    }

    @Test
    void aCountThatAnUnmaskEventHadBeforeStays() {
        lastAnswers(
                8, then(withLine(), eventfd(OTHER_EVENT, 3, 0), intx(UNMASK_EVENTFD, fd(OTHER_EVENT)), read(OTHER_EVENT, 8)));
    }

    @Test
    void whatComesLaterIsTakenWithIt() {
        lastAnswers(
                -EAGAIN,
                then(
                        withLine(),
                        eventfd(OTHER_EVENT, 3, 0),
                        intx(UNMASK_EVENTFD, fd(OTHER_EVENT)),
                        write(OTHER_EVENT, "0100000000000000"),
                        read(OTHER_EVENT, 8)));
    }

    @Test
    void ofASemaphoreOneIsTaken() {
        lastAnswers(
                8,
                then(
                        withLine(),
                        eventfd(OTHER_EVENT, 3, 1),
                        intx(UNMASK_EVENTFD, fd(OTHER_EVENT)),
                        write(OTHER_EVENT, "0000000000000000"),
                        read(OTHER_EVENT, 8),
                        read(OTHER_EVENT, 8)));
    }

    @Test
    void anUnmaskEventMakesPlaceWhenItsLastDescriptorIsClosed() {
        lastAnswers(
                0,
                then(
                        withLine(),
                        eventfd(OTHER_EVENT, 0, 0),
                        intx(UNMASK_EVENTFD, fd(OTHER_EVENT)),
                        close(OTHER_EVENT),
                        intx(UNMASK_EVENTFD, fd(EVENT))));
    }

    @Test
    void anEventThatUnmasksTheLineItIsSignalledByIsTakenAtOnce() {
        lastAnswers(
                -EAGAIN, then(withLine(), intx(UNMASK_EVENTFD, fd(EVENT)), intx(TRIGGER_NONE, u32(0)), read(EVENT, 8)));
    }

    @Test
    void whileTheCommandRegisterDisablesTheLineNothingTriggersIt() {
        lastAnswers(
                -EAGAIN, then(withLine(), pwrite(DEVICE, "0604", CONFIG + 4), intx(TRIGGER_NONE, u32(0)), read(EVENT, 8)));
    }

    /** A network card with the first of its five vectors of MSI-X enabled, and one more call. */
    private static Step[] withOneVector(int flags, int start, int count, Field... data) {
        int msix = VFIO_PCI_MSIX_IRQ_INDEX();
        Field[] fields = Stream.concat(
                        Stream.of(u32(20 + 4 * data.length), u32(flags), u32(msix), u32(start), u32(count)), Stream.of(data))
                .toArray(Field[]::new);
        return new Step[] {
            open(CONTAINER, "/dev/vfio/vfio"),
            open(GROUP, "/dev/vfio/$card"),
            ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER)),
            ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()),
            getDevice(DEVICE, GROUP, text(TwinMachine.CARD)),
            eventfd(EVENT, 0, 0),
            irqs(msix, TRIGGER_EVENTFD, 1, fd(EVENT)),
            ioctl(DEVICE, VFIO_DEVICE_SET_IRQS(), fields)
        };
    }

    @Test
    void newKernelsPassOverVectorsThatAreNotThereWhenTheyTrigger() {
        lastAnswers(since(KernelProfile.V6_12, 0, -EINVAL), withOneVector(TRIGGER_NONE, 0, 5));
        lastAnswers(since(KernelProfile.V6_12, 0, -EINVAL), withOneVector(TRIGGER_NONE, 4, 1));
    }

    @Test
    void newKernelsAddVectorsOfMsixAndTakeNoneAwayAnywhere() {
        lastAnswers(since(KernelProfile.V6_12, 0, -EINVAL), withOneVector(TRIGGER_EVENTFD, 3, 1, fd(EVENT)));
        lastAnswers(since(KernelProfile.V6_12, 0, -EINVAL), withOneVector(TRIGGER_EVENTFD, 3, 1, u32(-1)));
        lastAnswers(since(KernelProfile.V6_12, 0, -EINVAL), withOneVector(TRIGGER_EVENTFD, 1, 0));
    }

    @Test
    void theErrorInterruptBelongsToPcieDevices() {
        lastAnswers(-EINVAL, then(device(), eventfd(EVENT, 0, 0), irqs(VFIO_PCI_ERR_IRQ_INDEX(), TRIGGER_EVENTFD, 1, fd(EVENT))));
    }

    @Test
    void aMappedBarKeepsTheDeviceOpen() {
        lastAnswers(
                -EBUSY,
                then(
                        device(),
                        map(0, DEVICE, 4096, 3, 1, 0),
                        close(DEVICE),
                        ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0)));
    }

    @Test
    void anOpenDeviceKeepsItsClosedGroupBusy() {
        lastAnswers(-EBUSY, then(device(), close(GROUP), open(GROUP, "/dev/vfio/$edu")));
    }

    @Test
    void aFileOfAnotherKindIsNoContainer() {
        lastAnswers(
                since(KernelProfile.V6_12, -EBADFD, -EINVAL),
                open(GROUP, "/dev/vfio/$edu"),
                eventfd(EVENT, 0, 0),
                ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(EVENT)));
    }

    @Test
    void aWrongNameIsRefusedBeforeAMissingContainer() {
        lastAnswers(-ENODEV, open(GROUP, "/dev/vfio/$edu"), getDevice(DEVICE, GROUP, text("x")));
        lastAnswers(-EINVAL, open(GROUP, "/dev/vfio/$edu"), getDevice(DEVICE, GROUP, text(TwinMachine.EDU)));
    }

    @Test
    void whatCanOnlyBeAskedForCannotBeSet() {
        lastAnswers(-EINVAL, then(group(), ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_UNMAP_ALL())));
        lastAnswers(-ENODEV, then(group(), ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_DMA_CC_IOMMU())));
        lastAnswers(since(KernelProfile.V7_2, -ENODEV, -EINVAL), then(group(), ioctl(CONTAINER, VFIO_SET_IOMMU(), 6)));
    }

    @Test
    void aMappingThatWrapsAndIsMisalignedIsRefusedForOneOfThem() {
        lastAnswers(since(KernelProfile.V7_2, -EOVERFLOW, -EINVAL), then(iommu(3), dmaMap(-4095, 8192, 0)));
    }

    @Test
    void theOlderTypeUnmapsNothingWhereAMappingStartsBeforeTheRange() {
        agree(then(iommu(1), dmaMap(0x1000, 0x2000, 3), dmaMap(0x3000, 0x1000, 3), dmaUnmap(0x2000, 0x2000, 0)));
    }

    @Test
    void theOlderTypeUnmapsWholeMappingsBeyondTheRange() {
        agree(then(iommu(1), dmaMap(0x1000, 0x2000, 3), dmaUnmap(0x1000, 0x1000, 0)));
    }

    @Test
    void theNewerTypeCutsNoMapping() {
        lastAnswers(-EINVAL, then(iommu(3), dmaMap(0x1000, 0x2000, 3), dmaUnmap(0x1000, 0x1000, 0)));
    }

    @Test
    void noGroupJoinsWhileAMappingWaitsForItsAddress() {
        lastAnswers(
                -EBUSY,
                then(
                        iommu(3),
                        dmaMap(0x1000, 0x1000, 3),
                        dmaUnmap(0x1000, 0x1000, VFIO_DMA_UNMAP_FLAG_VADDR()),
                        open(EVENT, "/dev/vfio/$testdev"),
                        ioctl(EVENT, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER))));
    }

    @Test
    void aMappingGetsItsNewAddressOnce() {
        lastAnswers(
                -EINVAL,
                then(
                        iommu(3),
                        dmaMap(0x1000, 0x1000, 3),
                        dmaUnmap(0x1000, 0x1000, VFIO_DMA_UNMAP_FLAG_VADDR()),
                        dmaMap(0x1000, 0x1000, VFIO_DMA_MAP_FLAG_VADDR()),
                        dmaMap(0x1000, 0x1000, VFIO_DMA_MAP_FLAG_VADDR())));
    }

    @Test
    void theLastGroupTakesTheIommuAndTheMappingsWithIt() {
        lastAnswers(
                0,
                then(
                        iommu(3),
                        dmaMap(0x1000, 0x1000, 3),
                        ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0),
                        dmaMap(0x1000, 0x1000, 3),
                        ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER)),
                        ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1_IOMMU()),
                        dmaMap(0x1000, 0x1000, 3)));
    }

    @Test
    void configurationSpaceEndsForTheWholeAccess() {
        lastAnswers(-EFAULT, then(device(), pread(DEVICE, 4, CONFIG + 254)));
    }
}
