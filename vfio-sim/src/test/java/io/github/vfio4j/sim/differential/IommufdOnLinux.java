package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.IommufdCases.*;
import static io.github.vfio4j.sim.differential.Step.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.KernelProfile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Linux and the simulated kernel answer alike to what programs do with an iommufd, in every byte that is written. */
class IommufdOnLinux extends DifferentialCase {
    private static final long SEED = 0x10aa5_10aa5L;
    private static final int SEQUENCES = Integer.getInteger("vfio4j.iommufd.sequences", 100);
    private static final Step REOPEN_GROUP = open(OTHER, "/dev/vfio/$edu");

    @BeforeEach
    void theKernelHasIommufd() {
        assumeTrue(Files.exists(Path.of("/dev/iommu")), "the kernel has no iommufd");
    }

    private static Step iovaRanges(int ioas, int room) {
        return ioctl(
                IOMMUFD, IOMMU_IOAS_IOVA_RANGES(), u32(32), u32(ioas), u32(room), u32(0), bitmap(0x8000, 0xa5), u64(0));
    }

    private static Step destroy(int object) {
        return ioctl(IOMMUFD, IOMMU_DESTROY(), u32(8), u32(object));
    }

    private static Step detach() {
        return ioctl(DEVICE, VFIO_DEVICE_DETACH_IOMMUFD_PT(), u32(8), u32(0));
    }

    private static Step deviceInfo() {
        return ioctl(DEVICE, VFIO_DEVICE_GET_INFO(), u32(16), u32(0), u32(0), u32(0));
    }

    private static Step hotResetInfo(int device) {
        return ioctl(
                device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), u32(64), u32(0), u32(0), u64(0), u64(0), u64(0), u64(0));
    }

    private static Step info(int room) {
        return ioctl(IOMMUFD, VFIO_IOMMU_GET_INFO(), u32(room), u32(0), u64(0), u32(0), u32(0));
    }

    @Test
    void theRangesAreThoseOfTheDevicesThatAreAttached() {
        for (int room : new int[] {0, 1, 2, 3}) {
            agree(then(BOUND, iovaRanges(IOAS, room), attach(DEVICE, IOAS), iovaRanges(IOAS, room)));
        }
        agree(then(ATTACHED, detach(), iovaRanges(IOAS, 3)));
    }

    @Test
    void aNumberIsGivenAgain() {
        agree(then(ALONE, alloc(), alloc(), destroy(2), alloc(), alloc(), destroy(2), destroy(2)));
    }

    @Test
    void aPageTableThatTheKernelMadeGoesWithItsDevice() {
        agree(then(ATTACHED, destroy(HWPT), destroy(IOAS), detach(), destroy(HWPT), destroy(IOAS), detach()));
    }

    @Test
    void aDeviceIsMovedFromOneAddressSpaceToAnother() {
        agree(then(MAPPED, alloc(), attach(DEVICE, 4), destroy(HWPT), destroy(IOAS), attach(DEVICE, 4), destroy(4)));
    }

    @Test
    void aPageTableThatTheProgramMadeStays() {
        agree(then(
                BOUND,
                allocHwpt(0, BOUND_DEVICE, IOAS),
                attach(DEVICE, HWPT),
                destroy(HWPT),
                attach(DEVICE, IOAS),
                attach(DEVICE, HWPT),
                detach(),
                destroy(IOAS),
                destroy(HWPT),
                destroy(IOAS)));
    }

    @Test
    void whatLiesBeforeAMappingThatIsCutIsGone() {
        agree(then(
                MAPPED,
                map(FIXED | READ_WRITE, 0x12000, 0x2000, 0x2000),
                unmap(IOAS, 0x10000, 0x3000),
                map(FIXED | READ_WRITE, 0x10000, 0, 0x2000),
                unmap(IOAS, 0x11000, 0x3000),
                unmap(IOAS, 0x10000, 0x10000)));
    }

    @Test
    void everythingIsUnmappedEvenWhereNothingIs() {
        agree(then(MAPPED, unmap(IOAS, 0, -1), unmap(IOAS, 0, -1), unmap(IOAS, 0, -2), unmap(IOAS, 1, -1)));
    }

    @Test
    void aCopyOutlivesWhatItWasMadeOf() {
        agree(then(
                MAPPED,
                map(FIXED | READ_WRITE, 0x12000, 0x8000, 0x1000),
                copy(FIXED | READ_WRITE, 0x40000, 0x10000, 0x3000),
                copy(FIXED | READABLE, 0x50000, 0x11000, 0x1000),
                copy(FIXED | READ_WRITE, 0x50000, 0x11000, 0x1000),
                unmap(IOAS, 0x10000, 0x3000),
                unmap(IOAS, 0x40000, 0x1000),
                unmap(IOAS, 0x40000, 0x2000),
                unmap(IOAS, 0x40000, 0x3000),
                unmap(IOAS, 0, -1)));
    }

    @Test
    void theKernelPlacesPagesFromTheSecondOn() {
        agree(then(
                ATTACHED,
                map(READ_WRITE, 0, 0, 0x1000),
                map(READ_WRITE, 0x5000, 0x3000, 0x1000),
                map(FIXED | READ_WRITE, 0x3000, 0, 0x1000),
                map(READ_WRITE, 0, 0x1000, 0x1000),
                copy(READ_WRITE, 0, 0x3000, 0x1000),
                ranges(0x20000, 0x20fff),
                allow(IOAS, 1),
                map(READ_WRITE, 0, 0, 0x1000),
                map(READ_WRITE, 0, 0, 0x1000),
                allow(IOAS, 0),
                map(READ_WRITE, 0, 0, 0x1000)));
    }

    @Test
    void whatIsAllowedKeepsDevicesOut() {
        agree(then(BOUND, ranges(0x1000, MSI), allow(IOAS, 1), attach(DEVICE, IOAS), ranges(0x1000, 0x1000), allow(IOAS, 1)));
    }

    @Test
    void bytesAreMappedUntilADeviceIsAttached() {
        agree(then(
                ALONE,
                map(1, FIXED | READ_WRITE, 0x123, address(Region.RAM, 0x45), 7),
                map(1, FIXED | READ_WRITE, 0x129, address(Region.RAM, 0x45), 7),
                map(1, FIXED | READ_WRITE, 0x12a, address(Region.RAM, 0x45), 7),
                unmap(1, 0x12a, 6),
                unmap(1, 0x12a, 7),
                option(IOMMU_OPTION_HUGE_PAGES(), 1, 0),
                unmap(1, 0x123, 7),
                option(IOMMU_OPTION_HUGE_PAGES(), 1, 0),
                map(1, FIXED | READ_WRITE, 0x123, address(Region.RAM, 0x45), 7),
                option(IOMMU_OPTION_HUGE_PAGES(), 1, 1),
                option(IOMMU_OPTION_HUGE_PAGES(), 1, 2),
                map(1, FIXED | READ_WRITE, 0x123, address(Region.RAM, 0x45), 7)));
    }

    @Test
    void optionsAreToldAndUnknownOnesRefused() {
        agree(
                OPEN_IOMMUFD,
                option(0, 0, 1),
                ioctl(IOMMUFD, IOMMU_OPTION(), u32(24), u32(0), u32(1), u32(0), u64(7)),
                option(0, 1, 1),
                option(2, 0, 1),
                ioctl(IOMMUFD, IOMMU_OPTION(), u32(24), u32(0), u32(2), u32(0), u64(7)),
                alloc(),
                ioctl(IOMMUFD, IOMMU_OPTION(), u32(24), u32(1), u32(1), u32(1), u64(7)),
                option(2, 1, 1),
                option(2, NOBODY, 1));
    }

    @Test
    void anAddressSpaceOfAContainerIsChosen() {
        agree(then(
                ALONE,
                vfioIoas(IOMMU_VFIO_IOAS_GET(), 0),
                vfioIoas(IOMMU_VFIO_IOAS_SET(), 1),
                vfioIoas(IOMMU_VFIO_IOAS_GET(), 0),
                dmaMap(0x10000, 0, 0x1000),
                unmap(1, 0x10000, 0x1000),
                vfioIoas(IOMMU_VFIO_IOAS_CLEAR(), 0),
                dmaMap(0x10000, 0, 0x1000),
                vfioIoas(IOMMU_VFIO_IOAS_SET(), 1),
                destroy(1),
                vfioIoas(IOMMU_VFIO_IOAS_GET(), 0),
                vfioIoas(3, 0)));
    }

    @Test
    void aPageTableForPasidsOrToNestIn() {
        agree(then(BOUND, allocHwpt(IOMMU_HWPT_ALLOC_PASID(), BOUND_DEVICE, IOAS), destroy(HWPT)));
        if (!twins.profile().isBefore(KernelProfile.V7_2)) {
            Step detachPasid = ioctl(DEVICE, VFIO_DEVICE_DETACH_IOMMUFD_PT(), u32(12), u32(1), u32(5));
            agree(then(
                    BOUND,
                    allocHwpt(IOMMU_HWPT_ALLOC_PASID(), BOUND_DEVICE, IOAS),
                    attachPasid(HWPT),
                    destroy(HWPT),
                    attach(DEVICE, IOAS),
                    attach(DEVICE, HWPT),
                    detach(),
                    detachPasid,
                    detachPasid,
                    destroy(HWPT)));
        }
        agree(then(BOUND, allocHwpt(IOMMU_HWPT_ALLOC_NEST_PARENT(), BOUND_DEVICE, IOAS), destroy(HWPT)));
    }

    /** Linux before 6.15 has no PASIDs. */
    @Test
    void withAPasidADeviceIsRefusedBeforeItsPageTableIsFilledUnlessItMoves() {
        Step noMemory = map(4, FIXED | READ_WRITE, 0x10000, address(Region.NO_ACCESS, 0), 0x1000);
        Step[] withPasid = then(
                BOUND, allocHwpt(IOMMU_HWPT_ALLOC_PASID(), BOUND_DEVICE, IOAS), attachPasid(HWPT), alloc(), noMemory);
        agree(then(withPasid, attach(DEVICE, 4)));
        agree(then(withPasid, attach(DEVICE, HWPT), attach(DEVICE, 4)));
        agree(then(withPasid, attach(DEVICE, HWPT), unmap(4, 0x10000, 0x1000), attach(DEVICE, 4)));
        agree(then(
                withPasid, map(4, FIXED | READ_WRITE, MSI, address(Region.RAM, 0), 0x1000), attach(DEVICE, 4)));
    }

    @Test
    void filesAreMappedLikeTheProgramsMemory() {
        agree(then(
                ATTACHED,
                MEMORY,
                mapFile(FIXED | READ_WRITE, IOAS, fd(EVENT), 0, 0x2000),
                mapFile(READ_WRITE, IOAS, fd(EVENT), 0x1000, 0x1000),
                mapFile(READABLE, IOAS, fd(EVENT), 0, 0x2000),
                copy(FIXED | READ_WRITE, 0x40000, 0x11000, 0x1000),
                CHANGE_PROCESS,
                close(EVENT),
                unmap(IOAS, 0x40000, 0x1000),
                unmap(IOAS, 0, -1)));
        agree(then(
                ALONE,
                MEMORY,
                mapFile(FIXED | READ_WRITE, 1, fd(EVENT), 1, 0x1ffe),
                mapFile(READ_WRITE, 1, fd(EVENT), 0x123, 0x1000),
                unmap(1, 0, -1)));
    }

    @Test
    void aFileThatIsNoMemoryIsMappedUntilThereIsAPageTable() {
        agree(then(
                BOUND,
                NO_MEMORY,
                mapFile(FIXED | READ_WRITE, IOAS, fd(EVENT), 0x1000),
                copy(FIXED | READ_WRITE, 0x40000, 0x10000, 0x1000),
                attach(DEVICE, IOAS),
                allocHwpt(0, BOUND_DEVICE, IOAS),
                CHANGE_PROCESS,
                unmap(IOAS, 0x10000, 0x1000),
                attach(DEVICE, IOAS),
                unmap(IOAS, 0x40000, 0x1000),
                attach(DEVICE, IOAS),
                mapFile(FIXED | READ_WRITE, IOAS, fd(EVENT), 0x1000)));
    }

    @Test
    void aPartOfABarIsMappedLikeMemory() {
        agree(then(
                SHARING,
                attach(DEVICE, IOAS),
                mapFile(FIXED | READABLE, IOAS, fd(EVENT), 0, 0x2000),
                mapFile(READ_WRITE, IOAS, fd(EVENT), 0x2000, 0x1000),
                mapFile(READ_WRITE, IOAS, fd(EVENT), 0x45, 0x1000),
                copy(FIXED | READABLE, 0x40000, 0x11000, 0x1000),
                copy(FIXED | READ_WRITE, 0x50000, 0x11000, 0x1000),
                CHANGE_PROCESS,
                close(EVENT),
                unmap(IOAS, 0x10000, 0x1000),
                unmap(IOAS, 0, -1)));
    }

    @Test
    void aPartOfABarThatIsOutOfReachStaysMapped() {
        Step[] mapped = then(SHARING, attach(DEVICE, IOAS), mapFile(FIXED | READ_WRITE, IOAS, fd(EVENT), 0x1000));
        agree(then(mapped, DECODE_OFF, detach(), attach(DEVICE, IOAS), copy(FIXED | READABLE, 0x40000, 0x10000, 0x1000)));
        agree(then(
                mapped,
                close(DEVICE),
                copy(FIXED | READABLE, 0x40000, 0x10000, 0x1000),
                OPEN_DEVICE,
                bind(DEVICE, fd(IOMMUFD)),
                attach(DEVICE, IOAS),
                unmap(IOAS, 0, -1)));
    }

    @Test
    void aPartOfABarIsMappedAgainWhenItsDeviceIsAwake() {
        Step enter = feature(VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY());
        Step leave = feature(VFIO_DEVICE_FEATURE_LOW_POWER_EXIT());
        Step map = mapFile(FIXED | READ_WRITE, IOAS, fd(EVENT), 0x1000);
        agree(then(SHARING, enter, map, attach(DEVICE, IOAS), leave, map, attach(DEVICE, IOAS)));
    }

    private static Step feature(int number) {
        return ioctl(DEVICE, VFIO_DEVICE_FEATURE(), u32(8), u32(VFIO_DEVICE_FEATURE_SET() | number));
    }

    @Test
    void aStructIsAsLongAsTheProgramSays() {
        agree(
                OPEN_IOMMUFD,
                ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(8), u32(0), u32(0)),
                ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(16), u32(0), u32(0), u32(0)),
                ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(16), u32(0), u32(0), u32(1)),
                ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(12), u32(1), u32(0)),
                cut(8, ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(12), u32(0), u32(0))),
                cut(2, ioctl(IOMMUFD, IOMMU_IOAS_ALLOC(), u32(12), u32(0), u32(0))),
                ioctl(IOMMUFD, 0x3b95, u32(8), u32(0)),
                ioctl(IOMMUFD, 0x3bff, u32(8), u32(0)),
                ioctl(IOMMUFD, VFIO_DEVICE_GET_INFO(), u32(16), u32(0), u32(0), u32(0)),
                read(IOMMUFD, 8),
                write(IOMMUFD, "00"),
                map(0, IOMMUFD, 4096, 3, 1, 0),
                map(0, IOMMUFD, 4096, 3, 2, 0),
                stat("/dev/iommu"),
                stat(IOMMUFD));
    }

    @Test
    void aProgramMayKnowLessOfAStruct() {
        for (int size : new int[] {20, 24, 28, 32, 36, 40}) {
            agree(
                    OPEN_IOMMUFD,
                    ioctl(IOMMUFD, IOMMU_VIOMMU_ALLOC(), u32(size), u32(0), u32(1), u32(NOBODY), u32(NOBODY), u32(0), u64(0), u64(0)),
                    ioctl(IOMMUFD, IOMMU_VEVENTQ_ALLOC(), u32(size), u32(0), u32(NOBODY), u32(1), u32(1), u32(0), u32(0), u32(0), u64(0)),
                    ioctl(IOMMUFD, IOMMU_VDEVICE_ALLOC(), u32(size), u32(NOBODY), u32(NOBODY), u32(0), u64(1), u64(0), u64(0)),
                    ioctl(IOMMUFD, IOMMU_HW_QUEUE_ALLOC(), u32(size), u32(0), u32(NOBODY), u32(1), u32(0), u32(0), u64(0x10000), u64(0x1000)));
        }
    }

    @Test
    void onlyANestedPageTableIsInvalidated() {
        for (int object : new int[] {BOUND_DEVICE, IOAS, HWPT, NOBODY}) {
            for (int entries : new int[] {0, 1}) {
                agree(then(
                        ATTACHED,
                        ioctl(
                                IOMMUFD,
                                IOMMU_HWPT_INVALIDATE(),
                                u32(32),
                                u32(object),
                                address(Region.RAM, 0x9000),
                                u32(1),
                                u32(16),
                                u32(entries),
                                u32(0))));
            }
        }
    }

    @Test
    void whatTheProgramMayNotTouchTheKernelDoesNotTouchForIt() {
        for (Region region : new Region[] {Region.READ_ONLY, Region.NO_ACCESS}) {
            agree(then(
                    BOUND,
                    ioctl(
                            IOMMUFD,
                            IOMMU_GET_HW_INFO(),
                            u32(40),
                            u32(0),
                            u32(BOUND_DEVICE),
                            u32(16),
                            address(region, 0),
                            u32(0),
                            u32(0),
                            u64(0)),
                    ioctl(IOMMUFD, IOMMU_IOAS_IOVA_RANGES(), u32(32), u32(IOAS), u32(3), u32(0), address(region, 0), u64(0)),
                    ioctl(IOMMUFD, IOMMU_IOAS_ALLOW_IOVAS(), u32(24), u32(IOAS), u32(1), u32(0), address(region, 0))));
        }
    }

    @Test
    void bindingReadsItsStruct() {
        agree(
                OPEN_IOMMUFD,
                OPEN_DEVICE,
                ioctl(DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(12), u32(0), fd(IOMMUFD), u32(0)),
                ioctl(DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(8), fd(IOMMUFD), u32(0)),
                ioctl(DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(32), u32(0), fd(IOMMUFD), u32(0), u64(0), u64(1)),
                cut(12, ioctl(DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(12), u32(0), fd(IOMMUFD), u32(0))),
                cut(12, ioctl(DEVICE, VFIO_DEVICE_BIND_IOMMUFD(), u32(16), u32(0), fd(IOMMUFD), u32(0))),
                deviceInfo());
    }

    @Test
    void attachingReadsItsStruct() {
        agree(then(
                BOUND,
                ioctl(DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(8), u32(0), u32(IOAS)),
                ioctl(DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(12), u32(2), u32(IOAS)),
                ioctl(DEVICE, VFIO_DEVICE_DETACH_IOMMUFD_PT(), u32(4), u32(0)),
                ioctl(DEVICE, VFIO_DEVICE_DETACH_IOMMUFD_PT(), u32(8), u32(2)),
                cut(8, ioctl(DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT(), u32(12), u32(0), u32(IOAS))),
                detach()));
    }

    @Test
    void aDeviceOfAGroupIsNotAttached() {
        agree(then(COMPAT_OPEN, attach(DEVICE, 1), detach(), bind(DEVICE, fd(IOMMUFD)), deviceInfo()));
    }

    @Test
    void beforeItIsBoundADeviceIsOutOfReach() {
        agree(
                OPEN_DEVICE,
                deviceInfo(),
                ioctl(DEVICE, VFIO_DEVICE_RESET(), 0),
                attach(DEVICE, 1),
                detach(),
                ioctl(DEVICE, 0x3bff, 0),
                pread(DEVICE, 4, 7L << 40),
                pwrite(DEVICE, "00000000", 7L << 40),
                pread(DEVICE, 0, 7L << 40),
                map(0, DEVICE, 4096, 3, 1, 0),
                open(GROUP, "/dev/vfio/$edu"),
                stat(DEVICE));
    }

    @Test
    void onceItIsBoundADeviceAnswersAsOneOfAGroup() {
        agree(then(
                BOUND,
                deviceInfo(),
                pread(DEVICE, 4, 7L << 40),
                ioctl(DEVICE, VFIO_DEVICE_GET_REGION_INFO(), u32(32), u32(0), u32(0), u32(0), u64(0), u64(0)),
                map(0, DEVICE, 4096, 3, 1, 0),
                close(DEVICE),
                REOPEN_GROUP,
                unmap(0),
                REOPEN_GROUP));
    }

    @Test
    void theIommufdMayBeClosedFirst() {
        agree(then(MAPPED, close(IOMMUFD), deviceInfo(), REOPEN_GROUP, close(DEVICE), REOPEN_GROUP));
    }

    @Test
    void aSecondFileWaitsForTheFirst() {
        agree(then(
                BOUND,
                open(OTHER, "/dev/vfio/devices/$cdev_00:04.0"),
                bind(OTHER, fd(IOMMUFD)),
                dup(5, DEVICE),
                close(DEVICE),
                bind(OTHER, fd(IOMMUFD)),
                close(5),
                bind(OTHER, fd(IOMMUFD)),
                attach(OTHER, IOAS)));
    }

    @Test
    void aHotResetNamesDevicesByTheirNumbers() {
        agree(then(
                TWO_BOUND,
                hotResetInfo(DEVICE),
                bind(OTHER, fd(IOMMUFD)),
                hotResetInfo(DEVICE),
                ioctl(DEVICE, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), u32(12), u32(0), u32(0)),
                ioctl(DEVICE, VFIO_DEVICE_PCI_HOT_RESET(), u32(12), u32(0), u32(0)),
                ioctl(DEVICE, VFIO_DEVICE_PCI_HOT_RESET(), u32(12), u32(1), u32(0))));
    }

    @Test
    void aReplaceMovesTheWholeGroup() {
        agree(then(
                TWO_BOUND,
                bind(OTHER, fd(IOMMUFD)),
                alloc(),
                alloc(),
                attach(DEVICE, 3),
                attach(OTHER, 3),
                attach(DEVICE, 4),
                destroy(5),
                attach(OTHER, 4),
                destroy(3),
                close(DEVICE),
                destroy(4)));
    }

    @Test
    void generatedSequencesAgree() {
        for (int i = 0; i < SEQUENCES; i++) {
            Recording recording = new Recording(new IommufdSequence(SEED + i, 60));
            Optional<Disagreement> found = twins.lockstep.run(recording);
            assertThat(found.map(twins::describe)).as("sequence %d", i).isEmpty();
            assertThat(twins.leaks()).as("after sequence %d", i).isEmpty();
        }
    }

    // ---- in place of a container

    @Test
    void theExtensionsOfAContainer() {
        for (int extension = 0; extension <= 11; extension++) {
            Step asked = ioctl(IOMMUFD, VFIO_CHECK_EXTENSION(), extension);
            agree(then(COMPAT, asked, GET_DEVICE, asked));
            if (extension != VFIO_NOIOMMU_IOMMU()) { // the kernel's configuration decides
                agree(OPEN_IOMMUFD, asked, ioctl(IOMMUFD, VFIO_GET_API_VERSION(), 0));
            }
        }
    }

    @Test
    void theInfoOfAContainer() {
        for (int room : new int[] {15, 16, 20, 24, 35, 36, 40, 41, 56, 71, 72, 73, 80, 87, 88, 89, 120, 512}) {
            agree(then(COMPAT, info(room), GET_DEVICE, info(room), close(DEVICE), info(room)));
        }
    }

    @Test
    void theTypesOfAContainer() {
        for (int type = 0; type <= 11; type++) {
            if (type != VFIO_NOIOMMU_IOMMU()) {
                agree(then(COMPAT, ioctl(IOMMUFD, VFIO_SET_IOMMU(), type), ioctl(IOMMUFD, VFIO_SET_IOMMU(), 3)));
            }
        }
    }

    @Test
    void aContainerUnmapsWholeMappings() {
        agree(then(
                COMPAT_OPEN,
                ioctl(IOMMUFD, VFIO_SET_IOMMU(), 3),
                dmaMap(0x10000, 0, 0x3000),
                dmaMap(0x13000, 0x3000, 0x1000),
                dmaUnmap(0x11000, 0x1000, 0),
                dmaUnmap(0x10000, 0x1000, 0),
                dmaUnmap(0x20000, 0x1000, 0),
                dmaUnmap(0x10000, 0, 0),
                dmaUnmap(-0x1000, 0x2000, 0),
                dmaUnmap(0x13000, 0x1000, 1),
                dmaUnmap(0x13000, 0x1000, 4),
                dmaUnmap(0x12000, 0x2000, 0),
                dmaUnmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL()),
                dmaUnmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL())));
    }

    @Test
    void theFirstVersionCutsMappings() {
        agree(then(
                COMPAT,
                ioctl(IOMMUFD, VFIO_SET_IOMMU(), 1),
                GET_DEVICE,
                dmaMap(0x10000, 0, 0x5000),
                dmaUnmap(0x11000, 0x1000, 0),
                dmaUnmap(0x13000, 0x1000, 0),
                dmaUnmap(0x12800, 0x800, 0),
                dmaMap(0x11000, 0x8000, 0x1000),
                ioctl(IOMMUFD, VFIO_SET_IOMMU(), 3),
                dmaUnmap(0x10000, 0x1000, 0),
                dmaUnmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL())));
    }

    @Test
    void anOpenDeviceKeepsNoGroup() {
        agree(then(
                COMPAT_OPEN,
                dmaMap(0x10000, 0, 0x1000),
                ioctl(GROUP, VFIO_GROUP_GET_STATUS(), u32(8), u32(0)),
                ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(IOMMUFD)),
                ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0),
                ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0),
                ioctl(GROUP, VFIO_GROUP_GET_STATUS(), u32(8), u32(0)),
                close(GROUP),
                deviceInfo(),
                REOPEN_GROUP,
                open(5, "/dev/vfio/vfio"),
                ioctl(OTHER, VFIO_GROUP_SET_CONTAINER(), fd(5)),
                close(DEVICE),
                ioctl(OTHER, VFIO_GROUP_SET_CONTAINER(), fd(5)),
                dmaMap(0x10000, 0, 0x1000)));
    }

    @Test
    void aDeviceNeedsNoTypeOfIommu() {
        agree(then(
                COMPAT_OPEN,
                getDevice(OTHER, GROUP, text(TwinMachine.EDU)),
                close(DEVICE),
                ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0),
                getDevice(DEVICE, GROUP, text(TwinMachine.EDU)),
                close(OTHER)));
    }

    @Test
    void aContainerMapsWhatItCan() {
        agree(then(
                COMPAT_OPEN,
                dmaMap(0x10000, 0, 0),
                dmaMap(0x10001, 0, 0x1000),
                dmaMap(0x10000, 1, 0x1000),
                dmaMap(0x10000, 0, 0x1001),
                dmaMap(-0x1000, 0, 0x2000),
                dmaMap(MSI, 0, 0x1000),
                dmaMap(1L << 39, 0, 0x1000),
                dmaMap(address(Region.NO_ACCESS, 0), 0x10000, 0x1000),
                dmaMap(address(Region.READ_ONLY, 0), 0x10000, 0x1000),
                dmaMap(address(Region.HOLE, 0), 0x10000, 0x2000),
                dmaMap(u64(-0x1000), 0x10000, 0x2000),
                dmaMap(0x10000, 0, 0x1000),
                dmaMap(0x10000, 0, 0x1000)));
    }
}
