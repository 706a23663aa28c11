package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.Rule.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;

import io.github.vfio4j.Rule;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What shows each rule, on Linux and on the simulated kernel. A new rule needs a line here. */
final class RuleCases {
    /** All of it. */
    static final Map<Rule, List<RuleCase>> OF = new EnumMap<>(Rule.class);

    private static final int ENOENT = 2;
    private static final int EIO = 5;
    private static final int EBADF = 9;
    private static final int EACCES = 13;
    private static final int EFAULT = 14;
    private static final int EBUSY = 16;
    private static final int EEXIST = 17;
    private static final int ENODEV = 19;
    private static final int EINVAL = 22;
    private static final int ENOTTY = 25;
    private static final int ENOSPC = 28;
    private static final int ERANGE = 34;
    private static final int ENOTSUPP = 524;
    private static final int EOVERFLOW = 75;
    private static final int EBADFD = 77;

    private static final int CONTAINER = 0;
    private static final int GROUP = 1;
    private static final int DEVICE = 2;
    private static final int EVENT = 3;
    private static final int OTHER = 4;

    private static final int READ_WRITE = VFIO_DMA_MAP_FLAG_READ() | VFIO_DMA_MAP_FLAG_WRITE();
    private static final long CONFIG = 7L << 40;
    private static final int DIRTY_START = 1;
    private static final int DIRTY_STOP = 2;
    private static final int DIRTY_GET = 4;

    private static final String VFIO_PCI = "vfio-pci";
    private static final Step OPEN_CONTAINER = open(CONTAINER, "/dev/vfio/vfio");
    private static final Step OPEN_GROUP = open(GROUP, "/dev/vfio/$edu");
    private static final Step[] ATTACHED = {
        OPEN_CONTAINER, OPEN_GROUP, ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER))
    };
    private static final Step[] V1 = then(ATTACHED, ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1_IOMMU()));
    private static final Step[] V2 = then(ATTACHED, ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()));
    private static final Step[] OPEN = then(V2, getDevice(DEVICE, GROUP, text(TwinMachine.EDU)));
    /** A device without an IOMMU, which stock kernels do not give. */
    private static final Step[] UNSAFE = TwinMachine.openUnsafe(CONTAINER, GROUP, DEVICE);

    private static final Step[] MAPPED = then(V2, dmaMap(0x10000, 0x2000, READ_WRITE));
    private static final Step[] TRACKED =
            then(MAPPED, ioctl(CONTAINER, VFIO_IOMMU_DIRTY_PAGES(), u32(8), u32(DIRTY_START)));

    static final String OF_ROOT = "the suite runs as root, whom this does not stop";
    private static final String DOCUMENTS_ONLY = "only the kernels of the documents refuse it";
    static final String HARDWARE = "the VM has no such hardware";
    private static final String NO_MEDIATED = "stock kernels have no mediated devices";
    static final String RACE = "only a race shows it";

    private RuleCases() {}

    /** Can Linux show the rule in the VM? */
    static boolean onLinux(Rule rule) {
        return OF.getOrDefault(rule, List.of()).stream().anyMatch(c -> !(c instanceof RuleCase.NotOnLinux));
    }

    /** Does the simulated kernel show the rule? */
    static boolean simulated(Rule rule) {
        return OF.getOrDefault(rule, List.of()).stream()
                .anyMatch(c -> !(c instanceof RuleCase.NotOnLinux not) || !not.name().isEmpty());
    }

    static {
        tested(HANDLE_OPEN, "LifecycleKernelTest#aClosedHandleReachesTheKernelNoMore");
        unshown(OVERRIDE_ACCESS, "the note is refused before");
        simulated(NOTE_ACCESS, "SimDriversTest#onlyRootBinds", OF_ROOT);
        unshown(BIND_ACCESS, "driver_override is refused before");
        simulated(
                BIND_DRIVER_LOADED,
                "BindingFailureTest#aMachineWithoutVfioPciIsLeftAsItIs",
                "vfio-pci is built into the kernels of the VM");
        calls(BIND_MATCHES, ENODEV, unbind(VFIO_PCI, TwinMachine.EDU), override(TwinMachine.EDU, "none"), bind(VFIO_PCI, TwinMachine.EDU));
        calls(BIND_MATCHES, ENODEV, override(TwinMachine.EDU, "none"), bind(VFIO_PCI, TwinMachine.EDU)); // it is bound
        calls(BIND_FREE, EBUSY, override(TwinMachine.EDU, VFIO_PCI), bind(VFIO_PCI, TwinMachine.EDU));
        String card = TwinMachine.SHARED.getLast();
        Step[] cardWithoutDriver = {
            OPEN_CONTAINER,
            open(GROUP, "/dev/vfio/$shared"),
            ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER)),
            unbind(VFIO_PCI, card),
            override(card, "")
        };
        calls(BIND_UNCLAIMED, EBUSY, then(cardWithoutDriver, bind(TwinMachine.E1000, card)));
        calls(BIND_NO_BRIDGE, EINVAL, override(TwinMachine.BRIDGE, VFIO_PCI), bind(VFIO_PCI, TwinMachine.BRIDGE));
        tested(BIND_NO_BRIDGE, "BindingKernelTest#aBridgeIsRefusedAndInNobodysWay");
        simulated(
                BIND_NO_VIRTUAL_FUNCTIONS,
                "BindingFailureTest#aFunctionThatHasVirtualFunctionsKeepsItsDriver",
                "vfio-pci removes virtual functions when it is unbound; only host drivers leave them behind");
        simulated(
                BIND_ISOLATED,
                "SimDriversTest#aBridgeAndAFunctionWithoutIommuAreRefusedBeforeAnythingChanges",
                "kernels of the VM may allow devices without an IOMMU");
        tested(BIND_WHOLE_GROUP, "BindingKernelTest#aMemberThatTheHostHasIsTakenOnlyIfItIsNamed");
        tested(UNBIND_NOT_OPEN_HERE, "BindingKernelTest#aGroupWithAHostDriverIsBoundAsAWholeAndRestored");
        simulated(UNBIND_ACCESS, "SimDriversTest#onlyRootBinds", OF_ROOT);
        calls(UNBIND_BOUND, ENODEV, unbind(TwinMachine.E1000, TwinMachine.EDU));
        calls(PROBE_DEVICE, ENODEV, probe("0000:77:00.0"));
        calls(PROBE_UNCLAIMED, EINVAL, then(cardWithoutDriver, probe(card)));
        tested(PROBE_UNCLAIMED, "BindingKernelTest#aHostDriverDoesNotGetAMemberOfAGroupThatAProgramHas");

        simulated(MDEV_CREATE_ACCESS, "SimMediatedTest#onlyRootMakesAndRemoves", OF_ROOT);
        tested(MDEV_CREATE_TYPE, "MediatedKernelTest#aTypeThatThereIsNotIsNotMade");
        tested(MDEV_CREATE_NAME, "MediatedKernelTest#aNameIsOneDevices");
        tested(MDEV_CREATE_INSTANCES, "MediatedKernelTest#theKernelCountsWhatAParentHas");
        tested(MDEV_CREATE_ROOM, "MediatedKernelTest#aDriverGivesWhatItHas");
        tested(MDEV_REMOVE_NOT_OPEN_HERE, "MediatedKernelTest#aDeviceThatThisProgramHasOpenIsNotRemoved");
        simulated(MDEV_REMOVE_ACCESS, "SimMediatedTest#onlyRootMakesAndRemoves", OF_ROOT);
        tested(MDEV_REMOVE_THERE, "MediatedKernelTest#whatIsNotThereIsNotRemoved");

        tested(SRIOV_TOTAL, "SriovKernelTest#moreThanThereCanBeAreNotMade");
        tested(SRIOV_DRIVER, "SriovKernelTest#aFunctionWithoutADriverMakesNone");
        tested(SRIOV_NONE, "SriovKernelTest#anotherNumberIsMadeOnceThereAreNone");
        tested(DEVICE_TOKEN, "SriovKernelTest#aVirtualFunctionIsNotOpenedWithAnotherTokenOrNone");

        unshown(CONTAINER_NODE_EXISTS, "a machine without VFIO has nothing else to test");

        tested(GROUP_NODE_EXISTS, "LifecycleKernelTest#aGroupWithoutAVfioDriverIsEnoentAndSaysSo");
        simulated(GROUP_NODE_ACCESS, "SimGroupTest#anUnprivilegedProcessNeedsToBeLetIn", OF_ROOT);
        simulated(GROUP_HAS_DRIVER, "SimGroupTest#aGroupThatEndsWhileItIsOpenedIsEnodev", RACE);
        calls(GROUP_OPEN_ONCE, EBUSY, OPEN_GROUP, open(OTHER, "/dev/vfio/$edu"));
        tested(GROUP_OPEN_ONCE, "LifecycleKernelTest#aGroupIsOpenedOnce");

        simulated(SET_CONTAINER_FD_NEGATIVE, "SimExternalUserTest#theDocumentsCheckInAnOrderOfTheirOwn", DOCUMENTS_ONLY);
        calls(SET_CONTAINER_FD_OPEN, EBADF, OPEN_GROUP, ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(NOT_OPEN)));
        calls(SET_CONTAINER_ONCE, EINVAL, then(ATTACHED, ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER))));
        tested(SET_CONTAINER_ONCE, "LifecycleKernelTest#aGroupIsInOneContainerOnly");
        tested(SET_CONTAINER_GROUP_EXISTS, "GoneGroupKernelTest#aGroupWhoseLastDeviceWentIsNotAttached");
        calls(
                SET_CONTAINER_FD_KIND,
                EINVAL,
                EBADFD,
                EBADFD,
                eventfd(EVENT, 0, 0),
                OPEN_GROUP,
                ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(EVENT)));
        tested(
                SET_CONTAINER_OWNERSHIP,
                "LifecycleKernelTest#aMemberWithAHostDriverMakesSetContainerEpermAndIsNamed");
        calls(
                SET_CONTAINER_ADDRESSES,
                EBUSY,
                then(
                        MAPPED,
                        dmaUnmap(0x10000, 0x2000, VFIO_DMA_UNMAP_FLAG_VADDR()),
                        open(OTHER, "/dev/vfio/$testdev"),
                        ioctl(OTHER, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER))));
        tested(SET_CONTAINER_ADDRESSES, "VaddrKernelTest#noGroupJoinsWhileAnAddressIsMissing");
        tested(SET_CONTAINER_INTERRUPTS, "InterruptRemappingKernelTest#noGroupJoinsAContainerWithAnIommu");

        calls(SET_IOMMU_NEEDS_GROUP, EINVAL, OPEN_CONTAINER, ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()));
        tested(SET_IOMMU_NEEDS_GROUP, "LifecycleKernelTest#anEmptyContainerHasNoIommuToSet");
        calls(SET_IOMMU_ONCE, EINVAL, then(V2, ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU())));
        tested(SET_IOMMU_ONCE, "LifecycleKernelTest#theIommuIsSetOnce");
        calls(SET_IOMMU_TYPE, ENODEV, then(ATTACHED, ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_DMA_CC_IOMMU())));
        calls(SET_IOMMU_OPENS, EINVAL, then(ATTACHED, ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_UNMAP_ALL())));
        tested(SET_IOMMU_INTERRUPTS, "InterruptRemappingKernelTest#noIommuIsSet");

        tested(STATUS_GROUP_EXISTS, "GoneGroupKernelTest#aGroupWhoseLastDeviceWentHasNoStatus");

        calls(DEVICE_NAME, EINVAL, then(V2, getDevice(DEVICE, GROUP, text(TwinMachine.EDU + " vf_token=x"))));
        String token = " vf_token=2ab74924-c335-45f4-9b16-8569e5b082f0";
        calls(DEVICE_TOKEN_TAKEN, EINVAL, then(V2, getDevice(DEVICE, GROUP, text(TwinMachine.EDU + token))));
        calls(DEVICE_IN_GROUP, ENODEV, then(V2, getDevice(DEVICE, GROUP, text(TwinMachine.TESTDEV))));
        tested(DEVICE_IN_GROUP, "LifecycleKernelTest#aDeviceThatIsNotInTheGroupIsEnodevAndTheMembersAreNamed");
        simulated(
                DEVICE_DESCRIPTOR,
                "SimDeviceFdTest#aFullTableIsEmfileAfterTheNameAndBeforeTheContainer",
                "the suite's own JVM would have no descriptor left either");
        calls(DEVICE_NEEDS_CONTAINER, EINVAL, OPEN_GROUP, getDevice(DEVICE, GROUP, text(TwinMachine.EDU)));
        tested(DEVICE_NEEDS_CONTAINER, "LifecycleKernelTest#aDeviceOfAGroupOutsideTheContainerIsRefused");
        tested(DEVICE_NEEDS_THIS_CONTAINER, "LifecycleKernelTest#aDeviceOfAGroupOutsideTheContainerIsRefused");
        calls(DEVICE_NEEDS_IOMMU, EINVAL, then(ATTACHED, getDevice(DEVICE, GROUP, text(TwinMachine.EDU))));
        tested(DEVICE_NEEDS_IOMMU, "LifecycleKernelTest#aContainerIsAsNewAfterItsLastGroupLeft");
        simulated(DEVICE_VIABLE, "SimExternalUserTest#byTheDocumentsAHostDriverIsFoundWhenADeviceIsOpened", DOCUMENTS_ONLY);

        calls(UNSET_NEEDS_CONTAINER, EINVAL, OPEN_GROUP, ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0));
        tested(UNSET_NEEDS_CONTAINER, "LifecycleKernelTest#onlyAGroupOfTheContainerLeavesIt");
        calls(UNSET_DEVICE_OPEN, EBUSY, then(OPEN, ioctl(GROUP, VFIO_GROUP_UNSET_CONTAINER(), 0)));
        tested(UNSET_DEVICE_OPEN, "LifecycleKernelTest#aGroupWithAnOpenDeviceStaysInItsContainer");
        tested(UNSET_EXTERNAL_USER, "ExternalUserKernelTest#aGroupThatKvmUsesIsNotDetachedAndTheRefusalNamesKvm");

        calls(
                INFO_NEEDS_IOMMU,
                EINVAL,
                then(ATTACHED, ioctl(CONTAINER, VFIO_IOMMU_GET_INFO(), u32(24), u32(0), u64(0), u32(0), u32(0))));
        tested(INFO_NEEDS_IOMMU, "LifecycleKernelTest#theLastGroupsLeaveEndsTheIommuAndItsMappings");

        calls(MAP_NEEDS_IOMMU, EINVAL, then(ATTACHED, dmaMap(0x10000, 0x1000, READ_WRITE)));
        tested(MAP_NEEDS_IOMMU, "LifecycleKernelTest#theLastGroupsLeaveEndsTheIommuAndItsMappings");
        calls(MAP_SIZE, EINVAL, then(V2, dmaMap(0x10000, 0, READ_WRITE)));
        tested(MAP_SIZE, "DmaKernelTest#sizesThatAreNoneAreRefused");
        calls(MAP_WRAP, EINVAL, EINVAL, EOVERFLOW, then(V2, dmaMap(-0x1000, 0x2000, READ_WRITE)));
        tested(MAP_WRAP, "DmaKernelTest#aRangeThatWrapsIsRefused");
        calls(MAP_PERMISSION, EINVAL, then(V2, dmaMap(0x10000, 0x1000, 0)));
        calls(MAP_ALIGNED, EINVAL, then(V2, dmaMap(0x10001, 0x1000, READ_WRITE)));
        tested(MAP_ALIGNED, "DmaKernelTest#aMisalignedAddressIsRefused");
        calls(MAP_ADDRESS_TARGET, ENOENT, then(V2, dmaMap(0x10000, 0x1000, VFIO_DMA_MAP_FLAG_VADDR())));
        tested(MAP_ADDRESS_TARGET, "VaddrKernelTest#aBufferWithoutItsAddressCanBeClosed");
        calls(MAP_ADDRESS_AWAITED, EINVAL, then(MAPPED, dmaMap(0x10000, 0x2000, VFIO_DMA_MAP_FLAG_VADDR())));
        tested(MAP_ADDRESS_AWAITED, "VaddrKernelTest#anAddressIsTakenOnceAndGivenOnce");
        calls(MAP_OVERLAP, EEXIST, then(MAPPED, dmaMap(0x11000, 0x2000, READ_WRITE)));
        tested(MAP_OVERLAP, "DmaKernelTest#mappingsDoNotOverlap");
        simulated(
                MAP_BUDGET,
                "SimType1Test#theBudgetIsCountedDownAndUp",
                "65535 mappings take the VM minutes; the generated sequences compare the count that is left");
        calls(MAP_RANGE, EINVAL, then(V2, dmaMap(0xfee0_0000L, 0x1000, READ_WRITE)));
        tested(MAP_RANGE, "DmaKernelTest#aRangeOutsideTheIommusReachIsRefused");
        calls(
                MAP_MEMORY,
                EFAULT,
                then(V2, dmaMap(address(Region.NO_ACCESS, 0), 0x10000, 0x1000, READ_WRITE)));
        simulated(MAP_MEMLOCK, "SimType1Test#anUnprivilegedProcessPinsUpToItsLimit", OF_ROOT);
        simulated(MAP_TRACKABLE, "SimGroupTypesTest#aMappingOfEightTebibytesIsTooLargeToTrack", NO_MEDIATED);
        simulated(MAP_TOP, "SimGroupTypesTest#theVeryTopIsLostOnOlderKernels", "every IOMMU of the VM ends far below the top");

        calls(UNMAP_NEEDS_IOMMU, EINVAL, then(ATTACHED, dmaUnmap(0x10000, 0x1000, 0)));
        tested(UNMAP_NEEDS_IOMMU, "VaddrKernelTest#everythingEndsWithTheLastGroup");
        calls(UNMAP_BITMAP_ALONE, EINVAL, then(TRACKED, dmaUnmap(0, 0, 1 | 2, 4096, 64)));
        calls(UNMAP_BITMAP_BUFFER, EINVAL, then(TRACKED, dmaUnmap(0x10000, 0x2000, 1, 4096, 0)));
        simulated(UNMAP_ADDRESS_EMULATED, "SimGroupTypesTest#aGroupOfMediatedDevicesAlonePinsNothingAndHasNoLimits", NO_MEDIATED);
        calls(UNMAP_IOVA_ALIGNED, EINVAL, then(MAPPED, dmaUnmap(0x10001, 0x2000, 0)));
        tested(UNMAP_IOVA_ALIGNED, "UnmapKernelTest#whatIsNoRangeIsRefused");
        calls(UNMAP_ALL_RANGE, EINVAL, then(MAPPED, dmaUnmap(0x10000, 0x2000, VFIO_DMA_UNMAP_FLAG_ALL())));
        calls(UNMAP_SIZE_ALIGNED, EINVAL, then(MAPPED, dmaUnmap(0x10000, 0x2001, 0)));
        tested(UNMAP_SIZE_ALIGNED, "UnmapKernelTest#whatIsNoRangeIsRefused");
        calls(UNMAP_WRAP, EINVAL, EINVAL, EOVERFLOW, then(V2, dmaUnmap(-0x1000, 0x2000, 0)));
        calls(UNMAP_WRAP, EINVAL, EINVAL, EOVERFLOW, then(MAPPED, dmaUnmap(-0x1000, 0x2000, 1, 4096, 8)));
        tested(UNMAP_WRAP, "UnmapKernelTest#whatIsNoRangeIsRefused");
        calls(UNMAP_DIRTY_ON, EINVAL, then(MAPPED, dmaUnmap(0x10000, 0x2000, 1, 4096, 8)));
        tested(UNMAP_DIRTY_ON, "DirtyTrackingKernelTest#whatIsNotTrackedIsNotTold");
        calls(UNMAP_WHOLE, EINVAL, then(MAPPED, dmaUnmap(0x10000, 0x1000, 0)));
        tested(UNMAP_WHOLE, "UnmapKernelTest#version2CutsNoBuffer");
        calls(
                UNMAP_ADDRESS,
                EINVAL,
                then(
                        MAPPED,
                        dmaUnmap(0x10000, 0x2000, VFIO_DMA_UNMAP_FLAG_VADDR()),
                        dmaUnmap(0x10000, 0x2000, VFIO_DMA_UNMAP_FLAG_VADDR())));
        tested(UNMAP_ADDRESS, "VaddrKernelTest#anAddressIsTakenOnceAndGivenOnce");
        tested(COMPAT_UNMAP_PART, "IommufdContainerKernelTest#theFirstVersionOfType1WouldUnmapPartsOfBuffers");

        calls(
                DIRTY_NEEDS_IOMMU,
                EINVAL,
                then(ATTACHED, ioctl(CONTAINER, VFIO_IOMMU_DIRTY_PAGES(), u32(8), u32(DIRTY_START))));
        tested(DIRTY_NEEDS_IOMMU, "DirtyTrackingKernelTest#trackingEndsWithTheIommu");
        calls(DIRTY_TYPE, EACCES, then(V1, ioctl(CONTAINER, VFIO_IOMMU_DIRTY_PAGES(), u32(8), u32(DIRTY_START))));
        calls(
                DIRTY_TYPE,
                EACCES,
                then(V1, ioctl(CONTAINER, VFIO_IOMMU_DIRTY_PAGES(), u32(8), u32(DIRTY_START | DIRTY_STOP))));
        tested(DIRTY_TYPE, "DirtyTrackingKernelTest#anIommuOfTheFirstTypeTracksNothing");
        calls(
                DIRTY_ONE_ACTION,
                EINVAL,
                then(V2, ioctl(CONTAINER, VFIO_IOMMU_DIRTY_PAGES(), u32(8), u32(DIRTY_START | DIRTY_STOP))));
        calls(DIRTY_SIZE, EINVAL, then(TRACKED, dirty(0x10000, 0, 4096, 8)));
        tested(DIRTY_SIZE, "DirtyTrackingKernelTest#rangesThatTheKernelWouldNotReadAreRefused");
        calls(DIRTY_WRAP, EINVAL, EINVAL, EOVERFLOW, then(TRACKED, dirty(-0x1000, 0x2000, 4096, 8)));
        tested(DIRTY_WRAP, "DirtyTrackingKernelTest#rangesThatTheKernelWouldNotReadAreRefused");
        calls(DIRTY_BITMAP_BUFFER, EINVAL, then(TRACKED, dirty(0x10000, 0x2000, 4096, 0)));
        tested(DIRTY_BITMAP_BUFFER, "DirtyTrackingKernelTest#rangesThatTheKernelWouldNotReadAreRefused");
        calls(DIRTY_ALIGNED, EINVAL, then(TRACKED, dirty(0x10000, 0x2800, 4096, 8)));
        tested(DIRTY_ALIGNED, "DirtyTrackingKernelTest#rangesThatTheKernelWouldNotReadAreRefused");
        calls(DIRTY_ON, EINVAL, then(MAPPED, dirty(0x10000, 0x2000, 4096, 8)));
        tested(DIRTY_ON, "DirtyTrackingKernelTest#whatIsNotTrackedIsNotTold");
        simulated(DIRTY_TRACKABLE, "SimGroupTypesTest#aMappingOfEightTebibytesIsTooLargeToTrack", NO_MEDIATED);
        calls(DIRTY_WHOLE, EINVAL, then(TRACKED, dirty(0x10000, 0x1000, 4096, 8)));
        tested(DIRTY_WHOLE, "DirtyTrackingKernelTest#rangesThatTheKernelWouldNotReadAreRefused");
        tested(DIRTY_STALE, "DirtyTrackingKernelTest#mappingsThatShareAWordOfTheBitmapAreNotReadTogether");

        ofInterrupts();
        tested(SET_IRQS_REQUESTED, "RequestKernelTest#aDeviceThatWasAskedBackGetsNoNewMappingAndNoNewInterrupt");

        simulated(
                EVENT_DESCRIPTOR,
                "SimProcessTest#aFullTableIsEmfileAndOpensNothing",
                "the suite's own JVM would have no descriptor left either");

        tested(EXTERNAL_TRANSLATED, "NoIommuKernelTest#itIsNotGivenToKvm");
        tested(EXTERNAL_NEEDS_CONTAINER, "ExternalUserKernelTest#anOpenGroupAloneIsNotGivenAway");
        tested(EXTERNAL_NEEDS_IOMMU, "ExternalUserKernelTest#anOpenGroupAloneIsNotGivenAway");
        simulated(EXTERNAL_VIABLE, "SimExternalUserTest#byTheDocumentsAnExternalUserIsTakenOfAProtectedGroupAlone", DOCUMENTS_ONLY);

        unshown(KVM_NODE_EXISTS, "a machine without KVM has nothing else to test");
        simulated(KVM_NODE_ACCESS, "SimExternalUserTest#anUnprivilegedProcessOpensNoKvm", OF_ROOT);
        tested(KVM_VM_OPEN, "ExternalUserKernelTest#whatIsNoVirtualMachineIsNeitherAdoptedNorAsked");
        tested(KVM_VM_KIND, "ExternalUserKernelTest#whatIsNoVirtualMachineIsNeitherAdoptedNorAsked");
        tested(KVM_VM_MADE, "ExternalUserKernelTest#whatIsNoVirtualMachineIsNeitherAdoptedNorAsked");
        tested(KVM_CREATE_DEVICE_PROCESS, "ExternalUserKernelTest#aVirtualMachineOfAnotherProcessIsEio");
        unshown(KVM_CREATE_DEVICE_KNOWN, "needs a kernel with KVM and without CONFIG_KVM_VFIO");
        tested(KVM_CREATE_DEVICE_ONCE, "ExternalUserKernelTest#aVirtualMachineOfTheProgramIsAdoptedAndStaysTheProgramsOwn");
        simulated(KVM_ADD_PROCESS, "SimExternalUserTest#aVirtualMachineIsThatOfItsProcess", "creating the VFIO device is refused before");
        simulated(KVM_ADD_FD_OPEN, "SimExternalUserTest#filesAreTakenInEveryStateAndKnownByIdentity", "the library gives KVM nothing that is closed");
        tested(KVM_ADD_FD_KIND, "ExternalUserKernelTest#kvmTakesADeviceWhereTheKernelDoes");
        tested(KVM_ADD_ONCE, "ExternalUserKernelTest#kvmTakesAGroupOnce");
        simulated(KVM_DEL_PROCESS, "SimExternalUserTest#aVirtualMachineIsThatOfItsProcess", "creating the VFIO device is refused before");
        simulated(KVM_DEL_FD_OPEN, "SimExternalUserTest#filesAreTakenInEveryStateAndKnownByIdentity", "the library keeps what KVM has open until it is released");
        simulated(KVM_DEL_KNOWN, "SimExternalUserTest#filesAreTakenInEveryStateAndKnownByIdentity", "the library releases what it added, once");

        tested(LISTEN_ADDRESS_FREE, "HandoverKernelTest#anAddressIsFreeAgainWhenItsListenerIsClosed");
        tested(CONNECT_FILE, "HandoverKernelTest#nobodyListens");
        tested(CONNECT_LISTENER, "HandoverKernelTest#nobodyListens");
        unshown(CONNECT_ACCESS, OF_ROOT);
        tested(SEND_PEER, "HandoverKernelTest#aClosedEndIsToldToTheOther");
        unshown(SEND_ROOM, "a full socket takes as many open files as a process may have");
        tested(RECEIVE_PEER, "HandoverKernelTest#aClosedEndIsToldToTheOther");
        tested(RECEIVE_MESSAGE, "HandoverKernelTest#whatIsNotWhatItClaimsToBeIsRefusedAndNothingIsKept");

        calls(RESET_SUPPORTED, EINVAL, then(OPEN, ioctl(DEVICE, VFIO_DEVICE_RESET(), 0)));
        tested(RESET_SUPPORTED, "DeviceKernelTest#aResetKeepsTheMappedRegisters");
        calls(
                REGION_READ_DECODED,
                EIO,
                then(OPEN, pwrite(DEVICE, "0000", CONFIG + 4), pread(DEVICE, 4, 0)));
        tested(REGION_READ_DECODED, "ConfigSpaceKernelTest#withoutMemoryDecodeABarIsNeitherReadNorWrittenNorMapped");
        unshown(REGION_WRITE_WRITABLE, "no device here has a region that can only be read; FailureTest of vfio-api has one");
        calls(
                REGION_WRITE_DECODED,
                EIO,
                then(OPEN, pwrite(DEVICE, "0000", CONFIG + 4), pwrite(DEVICE, "00000000", 4)));
        tested(REGION_WRITE_DECODED, "ConfigSpaceKernelTest#withoutMemoryDecodeABarIsNeitherReadNorWrittenNorMapped");
        tested(REGION_WRITE_MAPPED, "ConfigSpaceKernelTest#withoutMemoryDecodeABarIsNeitherReadNorWrittenNorMapped");
        calls(REGION_PAGE, EINVAL, then(OPEN, map(0, DEVICE, 4096, 3, 1, 0x800)));
        tested(REGION_PAGE, "DeviceKernelTest#aPartOfABarIsMappedFromAPageOn");
        calls(REGION_MAPPABLE, EINVAL, then(OPEN, map(0, DEVICE, 4096, 3, 1, CONFIG)));
        tested(REGION_MAPPABLE, "DeviceKernelTest#aRegionThatCannotBeMappedIsRefused");
        tested(REGION_POWERED, "ConfigSpaceKernelTest#withoutMemoryDecodeABarIsNeitherReadNorWrittenNorMapped");
        tested(REGION_DECODED, "ConfigSpaceKernelTest#withoutMemoryDecodeABarIsNeitherReadNorWrittenNorMapped");
        tested(REGION_REQUESTED, "RequestKernelTest#aDeviceThatWasAskedBackGetsNoNewMappingAndNoNewInterrupt");

        // ---- groups without an IOMMU, of mediated devices, and behind different IOMMUs
        String noIommu = "the types have no such call for groups without an IOMMU";
        String oneIommu = "all devices of the VM are behind one IOMMU";
        simulated(CONTAINER_NODE_ACCESS, "", OF_ROOT);
        simulated(GROUP_OPEN_PRIVILEGE, "SimGroupTypesTest#eachStepWithoutAnIommuTakesAPrivilege", OF_ROOT);
        tested(GROUP_OPEN_UNSAFE, "NoIommuKernelTest#theUsualRoadsDoNotLeadToIt");
        String harms = "harms the kernel, and the library leaves no way to it";
        unshown(SET_CONTAINER_ENDLESS, harms);
        unshown(SET_CONTAINER_MOVED, harms);
        unshown(MAP_COMPAT_PERMISSION, harms);
        simulated(SET_CONTAINER_PRIVILEGE, "SimGroupTypesTest#eachStepWithoutAnIommuTakesAPrivilege", OF_ROOT);
        tested(SET_CONTAINER_KINDS, "NoIommuKernelTest#groupsWithAndWithoutAnIommuShareNoContainer");
        unshown(SET_CONTAINER_DOMAIN_BUSY, HARDWARE);
        unshown(SET_CONTAINER_DOMAIN, HARDWARE);
        simulated(SET_CONTAINER_NESTING, "SimGroupTypesTest#onlyAnIommuRefusesToNest", NO_MEDIATED);
        simulated(SET_CONTAINER_APERTURE, "SimGroupTypesTest#anIommuThatReachesLessThanIsMappedDoesNotJoin", oneIommu);
        simulated(SET_CONTAINER_RESERVED, "SimGroupTypesTest#anIommuThatDoesNotReachOrCannotPinWhatIsMappedDoesNotJoin", oneIommu);
        simulated(SET_CONTAINER_NOTHING_LEFT, "SimGroupTypesTest#anIommuThatLeavesNothingDoesNotJoin", oneIommu);
        simulated(SET_CONTAINER_MEMORY, "SimGroupTypesTest#anIommuThatDoesNotReachOrCannotPinWhatIsMappedDoesNotJoin", oneIommu);
        simulated(SET_CONTAINER_MEMLOCK, "SimGroupTypesTest#whatIsPinnedForAnotherCountsAgainstTheLimitsOfBoth", oneIommu);
        simulated(SET_CONTAINER_REACH, "SimGroupTypesTest#anIommuThatDoesNotReachOrCannotPinWhatIsMappedDoesNotJoin", oneIommu);
        simulated(SET_IOMMU_PRIVILEGE, "SimGroupTypesTest#settingNoIommuTakesAPrivilege", OF_ROOT);
        unshown(SET_IOMMU_DOMAIN, HARDWARE);
        simulated(SET_IOMMU_APERTURE, "SimGroupTypesTest#whereNothingIsLeftNoIommuIsSet", oneIommu);
        simulated(SET_IOMMU_NOTHING_LEFT, "SimGroupTypesTest#whereNothingIsLeftNoIommuIsSet", oneIommu);
        simulated(DEVICE_PRIVILEGE, "SimGroupTypesTest#eachStepWithoutAnIommuTakesAPrivilege", OF_ROOT);
        unshown(DEVICE_BUSY, RACE);
        simulated(INFO_TRANSLATED, "SimGroupTypesTest#withoutAnIommuNothingIsTranslated", noIommu);
        tested(MAP_TRANSLATED, "NoIommuKernelTest#itsDeviceIsUsedWithoutMappings");
        simulated(UNMAP_TRANSLATED, "SimGroupTypesTest#withoutAnIommuNothingIsTranslated", noIommu);
        simulated(DIRTY_TRANSLATED, "SimGroupTypesTest#withoutAnIommuNothingIsTranslated", noIommu);

        IommufdCases.add();

        // ---- resets of the bus
        Step[] shared = {
            OPEN_CONTAINER,
            open(GROUP, "/dev/vfio/$shared"),
            ioctl(GROUP, VFIO_GROUP_SET_CONTAINER(), fd(CONTAINER)),
            ioctl(CONTAINER, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()),
            getDevice(DEVICE, GROUP, text(TwinMachine.SHARED.getFirst()))
        };
        tested(RESET_BUSY, "RequestKernelTest#aDeviceThatIsBeingUnboundIsNotReset");
        calls(
                HOT_RESET_INFO_SUPPORTED,
                ENODEV,
                then(OPEN, ioctl(DEVICE, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), u32(64), u32(0), u32(0))));
        calls(
                HOT_RESET_INFO_SUPPORTED,
                ENODEV,
                then(OPEN, ioctl(DEVICE, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), u32(12), u32(0), u32(0))));
        tested(HOT_RESET_INFO_SUPPORTED, "HotResetKernelTest#aDeviceOnARootBusHasNoHotReset");
        calls(
                HOT_RESET_INFO_ROOM,
                ENOSPC,
                then(shared, ioctl(DEVICE, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), u32(12), u32(0), u32(0))));
        unshown(HOT_RESET_INFO_STABLE, RACE);
        unshown(HOT_RESET_INFO_GROUPS, "every device here is in an IOMMU group");
        calls(HOT_RESET_GROUPS, EINVAL, then(shared, hotReset(u32(0))));
        calls(HOT_RESET_GROUPS, ENODEV, EINVAL, EINVAL, then(OPEN, hotReset(u32(0)))); // Linux 6.1 asks that later
        calls(HOT_RESET_SUPPORTED, ENODEV, then(OPEN, hotReset(u32(1), fd(GROUP))));
        calls(HOT_RESET_SUPPORTED, ENODEV, then(OPEN, hotReset(u32(1000))));
        calls(
                HOT_RESET_FEWER_GROUPS,
                EINVAL,
                then(shared, hotReset(u32(4), fd(GROUP), fd(GROUP), fd(GROUP), fd(GROUP))));
        calls(
                HOT_RESET_FEWER_GROUPS,
                EINVAL,
                then(shared, hotReset(u32(4), fd(NOT_OPEN), fd(NOT_OPEN), fd(NOT_OPEN), fd(NOT_OPEN))));
        calls(HOT_RESET_FD_OPEN, EBADF, then(shared, hotReset(u32(1), fd(NOT_OPEN))));
        calls(HOT_RESET_FD_KIND, EINVAL, then(shared, hotReset(u32(2), fd(GROUP), fd(CONTAINER))));
        tested(HOT_RESET_BOUND, "HotResetKernelTest#anAffectedDeviceWithoutADriverHindersTheReset");
        calls(
                HOT_RESET_OWNED,
                EINVAL,
                then(shared, open(OTHER, "/dev/vfio/$edu"), hotReset(u32(1), fd(OTHER))));
        simulated(HOT_RESET_OWNED, "SimBusResetTest#theLibraryNamesTheDeviceThatIsNotOurs", "");
        unshown(HOT_RESET_BUSY, RACE);
        unshown(HOT_RESET_LINK, "the links of the VM always come back");

        // ---- screens
        calls(GFX_PLANE_SCREEN, ENOTTY, then(OPEN, gfxPlane(VFIO_GFX_PLANE_TYPE_PROBE() | VFIO_GFX_PLANE_TYPE_REGION())));
        calls(GFX_PLANE_SCREEN, ENOTTY, then(OPEN, gfxPlane(VFIO_GFX_PLANE_TYPE_DMABUF())));
        tested(GFX_PLANE_SCREEN, "GraphicsKernelTest#otherDevicesHaveNoScreen");
        tested(GFX_PLANE_WAY, "GraphicsKernelTest#aPictureInARegionIsNoDmaBuf");
        calls(GFX_DMABUF_OFFERED, ENOTTY, then(OPEN, ioctl(DEVICE, VFIO_DEVICE_GET_GFX_DMABUF(), u32(1))));
        tested(GFX_DMABUF_OFFERED, "GraphicsKernelTest#aPictureInARegionIsNoDmaBuf");
        tested(GFX_DMABUF_KNOWN, "GraphicsKernelTest#aPictureThatIsNotThereHasNoDmaBuf");
        tested(GFX_DMABUF_ONCE, "GraphicsKernelTest#eachPictureHasADmaBufThatIsOpenedOnce");

        // ---- eventfds that write registers
        calls(IOEVENTFD_BAR, EINVAL, then(OPEN, eventfd(EVENT, 0, 0), ioEventFd(CONFIG, fd(EVENT))));
        tested(IOEVENTFD_BAR, "IoEventFdKernelTest#theRegisterMustBeInABar");
        calls(IOEVENTFD_INSIDE, EINVAL, then(OPEN, eventfd(EVENT, 0, 0), ioEventFd(1L << 30, fd(EVENT))));
        tested(IOEVENTFD_INSIDE, "IoEventFdKernelTest#theRegisterMustBeInABar");
        tested(IOEVENTFD_MSIX, "IoEventFdKernelTest#theMsixTableIsLeftAlone");
        tested(IOEVENTFD_WIDTH, "IoEventFdKernelTest#newKernelsWriteNoEightBytes");
        calls(
                IOEVENTFD_ONCE,
                EEXIST,
                then(OPEN, eventfd(EVENT, 0, 0), ioEventFd(0x60, fd(EVENT)), ioEventFd(0x60, fd(EVENT))));
        tested(IOEVENTFD_ONCE, "IoEventFdKernelTest#oneEventfdWritesOneValueToARegister");
        calls(IOEVENTFD_KNOWN, ENODEV, then(OPEN, ioEventFd(0x60, u32(-1))));
        simulated(IOEVENTFD_LIMIT, "SimIoEventFdTest#aDeviceHasAThousand", "a thousand take the VM long");
        calls(IOEVENTFD_FD_OPEN, EBADF, then(OPEN, ioEventFd(0x60, fd(NOT_OPEN))));
        calls(IOEVENTFD_FD_KIND, EINVAL, then(OPEN, ioEventFd(0x60, fd(CONTAINER))));

        // ---- features
        calls(FEATURE_SUPPORTED, ENOTTY, then(OPEN, feature(VFIO_DEVICE_FEATURE_GET() | 1, u64(0))));
        tested(FEATURE_SUPPORTED, "FeatureKernelTest#whatTheDeviceLacksIsRefused");
        tested(LOW_POWER_MAPPED, "FeatureKernelTest#aMappedDeviceStaysInPowerAndOneInLowPowerIsNotMapped");
        calls(LOW_POWER_FD_OPEN, EBADF, then(OPEN, feature(VFIO_DEVICE_FEATURE_SET() | 4, fd(NOT_OPEN), u32(0))));
        calls(LOW_POWER_FD_KIND, EINVAL, then(OPEN, feature(VFIO_DEVICE_FEATURE_SET() | 4, fd(CONTAINER), u32(0))));
        calls(
                LOW_POWER_ONCE,
                EINVAL,
                then(OPEN, feature(VFIO_DEVICE_FEATURE_SET() | 3), feature(VFIO_DEVICE_FEATURE_SET() | 3)));
        tested(LOW_POWER_ONCE, "FeatureKernelTest#lowPowerIsEnteredOnceAndLeft");
        unshown(
                MIGRATION_STATE_SUPPORTED,
                "mtty, which alone migrates here, has all states; the tests of vfio-api and vfio-ffm have a device with few");
        tested(
                MIGRATION_STATE_REACHABLE,
                "MigrationKernelTest#preCopyIsReachedFromAStoppedDeviceUnlessItsStateIsCopied");
        tested(DMA_LOGGING_RANGES, "DmaLoggingKernelTest#aLogIsOfSomething");
        tested(DMA_LOGGING_MOST, "DmaLoggingKernelTest#aLogIsOfNoMoreRangesThanFitIntoAPage");
        tested(DMA_LOGGING_ALIGNED, "DmaLoggingKernelTest#aLogIsOfWholePages");
        tested(DMA_LOGGING_WRAP, "DmaLoggingKernelTest#aLogEndsBeforeTheAddressSpaceDoes");
        tested(DMA_LOGGING_OVERLAP, "DmaLoggingKernelTest#theRangesOfALogAreApart");
        tested(PRECOPY_INFO_STATE, "MigrationKernelTest#preCopyEstimatesWhatIsLeft");
        unshown(DMA_BUF_POSSIBLE, "the kernels here either share all BARs or lack the feature");
        calls(DMA_BUF_PARTS, ENOTTY, ENOTTY, EINVAL, then(OPEN, shareBar(6)));
        tested(DMA_BUF_PARTS, "FeatureKernelTest#partsOfABarAreShared");
        calls(DMA_BUF_BAR, ENOTTY, ENOTTY, ENODEV, then(OPEN, shareBar(6, u64(1), u64(0))));
        tested(DMA_BUF_BAR, "FeatureKernelTest#partsOfABarAreShared");
        calls(DMA_BUF_PAGES, ENOTTY, ENOTTY, EINVAL, then(OPEN, shareBar(0, u64(-4095), u64(4096))));
        tested(DMA_BUF_PAGES, "FeatureKernelTest#partsOfABarAreShared");
        calls(DMA_BUF_WRAP, ENOTTY, ENOTTY, EOVERFLOW, then(OPEN, shareBar(0, u64(-4096), u64(4096))));
        tested(DMA_BUF_WRAP, "FeatureKernelTest#partsOfABarAreShared");
        tested(DMA_BUF_INSIDE, "FeatureKernelTest#partsOfABarAreShared");
    }

    private static void ofInterrupts() {
        int intx = VFIO_PCI_INTX_IRQ_INDEX();
        int msi = VFIO_PCI_MSI_IRQ_INDEX();
        int req = VFIO_PCI_REQ_IRQ_INDEX();
        int none = VFIO_IRQ_SET_DATA_NONE();
        int bool = VFIO_IRQ_SET_DATA_BOOL();
        int events = VFIO_IRQ_SET_DATA_EVENTFD();
        int mask = VFIO_IRQ_SET_ACTION_MASK();
        int unmask = VFIO_IRQ_SET_ACTION_UNMASK();
        int trigger = VFIO_IRQ_SET_ACTION_TRIGGER();
        Step[] withEvent = then(OPEN, eventfd(EVENT, 0, 0));
        Step[] withLine = then(withEvent, irqs(intx, events | trigger, 0, 1, fd(EVENT)));

        calls(IRQ_INFO_INDEX, EINVAL, then(OPEN, irqInfo(5)));
        calls(IRQ_INFO_PRESENT, EINVAL, then(OPEN, irqInfo(VFIO_PCI_ERR_IRQ_INDEX())));
        tested(IRQ_INFO_PRESENT, "InterruptKernelTest#theErrorInterruptIsOfPciExpressDevicesAlone");

        calls(SET_IRQS_INDEX, EINVAL, then(OPEN, irqs(5, none | trigger, 0, 1)));
        calls(SET_IRQS_FLAGS, EINVAL, then(OPEN, irqs(msi, none | trigger | 0x40, 0, 1)));
        calls(SET_IRQS_RANGE, EINVAL, then(OPEN, irqs(msi, none | trigger, 40, 1)));
        calls(SET_IRQS_RANGE, EINVAL, then(withEvent, irqs(msi, events | trigger, 0, 2, fd(EVENT), fd(EVENT))));
        calls(SET_IRQS_RANGE, EINVAL, then(OPEN, irqs(msi, none | trigger, 0, -1)));
        calls(SET_IRQS_RANGE, EINVAL, then(OPEN, irqs(VFIO_PCI_MSIX_IRQ_INDEX(), none | trigger, 0, 0)));
        tested(SET_IRQS_RANGE, "InterruptKernelTest#interruptsThatAreNotThereAreRefused");
        calls(SET_IRQS_DATA, EINVAL, then(OPEN, irqs(msi, trigger, 0, 1)));
        calls(SET_IRQS_DATA, EINVAL, then(withEvent, irqs(msi, none | events | trigger, 0, 1, fd(EVENT))));
        calls(SET_IRQS_ROOM, EINVAL, then(OPEN, irqs(msi, bool | trigger, 0, 1)));
        calls(SET_IRQS_ROOM, EINVAL, then(OPEN, irqs(msi, events | trigger, 0, 1)));
        calls(SET_IRQS_MEMORY, EFAULT, then(OPEN, cut(20, irqs(msi, events | trigger, 0, 1, fd(NOT_OPEN)))));
        calls(SET_IRQS_ACTION, ENOTTY, then(OPEN, irqs(msi, none | mask, 0, 1)));
        calls(SET_IRQS_ACTION, ENOTTY, then(OPEN, irqs(req, none | unmask, 0, 1)));
        calls(SET_IRQS_ACTION, ENOTTY, then(OPEN, irqs(intx, none, 0, 1)));
        calls(SET_IRQS_ACTION, ENOTTY, then(withLine, irqs(intx, none | mask | unmask, 0, 1)));
        tested(SET_IRQS_ACTION, "InterruptKernelTest#messageInterruptsAreNotMaskedThroughTheKernel");
        calls(SET_IRQS_EXCLUSIVE, EINVAL, then(withLine, irqs(msi, events | trigger, 0, 1, fd(EVENT))));
        calls(SET_IRQS_EXCLUSIVE, EINVAL, then(withLine, irqs(msi, none | trigger, 0, 0)));
        tested(SET_IRQS_EXCLUSIVE, "InterruptKernelTest#oneOfIntxMsiAndMsixIsEnabledAtATime");
        calls(SET_IRQS_ENABLED, EINVAL, then(OPEN, irqs(msi, none | trigger, 0, 1)));
        calls(SET_IRQS_ENABLED, EINVAL, then(OPEN, irqs(intx, none | mask, 0, 1)));
        calls(SET_IRQS_ENABLED, EINVAL, then(OPEN, irqs(intx, bool | unmask, 0, 1, u32(1))));
        calls(SET_IRQS_ENABLED, EINVAL, then(OPEN, irqs(req, none | trigger, 0, 1)));
        calls(SET_IRQS_ONE, EINVAL, then(OPEN, irqs(intx, events | trigger, 0, 0)));
        calls(SET_IRQS_ONE, EINVAL, then(withLine, irqs(intx, none | unmask, 0, 0)));
        calls(SET_IRQS_ONE, EINVAL, then(OPEN, irqs(req, bool | trigger, 0, 0)));
        calls(SET_IRQS_ONE, EINVAL, then(withLine, irqs(intx, events | mask, 0, 0)));
        calls(SET_IRQS_MASK_EVENT, ENOTTY, then(withLine, irqs(intx, events | mask, 0, 1, fd(EVENT))));
        calls(SET_IRQS_SOME, ERANGE, then(OPEN, irqs(msi, events | trigger, 0, 0)));
        calls(SET_IRQS_SOME, RuleCase.Calls.ABSENT, ERANGE, ERANGE, then(UNSAFE, irqs(msi, events | trigger, 0, 0)));
        calls(SET_IRQS_ROUTED, RuleCase.Calls.ABSENT, ENOTSUPP, ENOTSUPP, then(UNSAFE, irqs(msi, events | trigger, 0, 1, u32(-1))));
        tested(SET_IRQS_ROUTED, "NoIommuKernelTest#nobodyRoutesItsMessages");
        tested(SET_IRQS_RESIZE, "InterruptKernelTest#vectorsAreAddedWhileOthersAreEnabledWhereTheKernelAllowsIt");
        simulated(
                SET_IRQS_TRIGGER,
                "SimInterruptsTest#theLoopbackBeyondWhatIsEnabledDependsOnTheKernel",
                "the generated sequences show it where a device has several vectors");
        calls(SET_IRQS_FD_NEGATIVE, 0, EINVAL, EINVAL, then(OPEN, irqs(req, events | trigger, 0, 1, u32(-2))));
        calls(SET_IRQS_FD_OPEN, EBADF, then(OPEN, irqs(intx, events | trigger, 0, 1, fd(NOT_OPEN))));
        calls(SET_IRQS_FD_OPEN, EBADF, then(OPEN, irqs(msi, events | trigger, 0, 1, fd(NOT_OPEN))));
        calls(SET_IRQS_FD_OPEN, EBADF, then(OPEN, irqs(req, events | trigger, 0, 1, fd(NOT_OPEN))));
        calls(SET_IRQS_FD_OPEN, EBADF, then(withLine, irqs(intx, events | unmask, 0, 1, fd(NOT_OPEN))));
        calls(SET_IRQS_FD_KIND, EINVAL, then(OPEN, irqs(intx, events | trigger, 0, 1, fd(CONTAINER))));
        calls(SET_IRQS_FD_KIND, EINVAL, then(OPEN, irqs(msi, events | trigger, 0, 1, fd(CONTAINER))));
        calls(SET_IRQS_FD_KIND, EINVAL, then(withLine, irqs(intx, events | unmask, 0, 1, fd(CONTAINER))));
        Step[] withUnmaskEvent = then(withLine, eventfd(OTHER, 0, 0), irqs(intx, events | unmask, 0, 1, fd(OTHER)));
        calls(SET_IRQS_FD_KIND, EINVAL, then(withUnmaskEvent, irqs(intx, events | unmask, 0, 1, fd(CONTAINER))));
        calls(SET_IRQS_UNMASK_EVENT, EBUSY, then(withUnmaskEvent, irqs(intx, events | unmask, 0, 1, fd(OTHER))));
        tested(SET_IRQS_UNMASK_EVENT, "InterruptKernelTest#anEventUnmasksTheLineUntilItIsClosed");
        unshown(SET_IRQS_LINE, HARDWARE);
        simulated(SET_IRQS_SHARED_LINE, "SimIntxTest#aFunctionThatCannotMaskItselfHasItsLineAlone", HARDWARE);
        simulated(
                SET_IRQS_VECTORS,
                "FewVectorsTest#withoutInterruptRemappingADriverLearnsHowManyMsiVectorsItMayHave",
                "the VM's IOMMU remaps interrupts");
    }

    // ---- how the lines are made

    private static void add(Rule rule, RuleCase shown) {
        OF.computeIfAbsent(rule, _ -> new ArrayList<>()).add(shown);
    }

    private static void calls(Rule rule, int errno, Step... steps) {
        calls(rule, errno, errno, errno, steps);
    }

    static void calls(Rule rule, int on61, int on612, int on72, Step... steps) {
        add(rule, new RuleCase.Calls(on61, on612, on72, List.of(steps)));
    }

    static void tested(Rule rule, String test) {
        add(rule, new RuleCase.KernelTest(test));
    }

    static void simulated(Rule rule, String test, String why) {
        add(rule, new RuleCase.NotOnLinux(test, why));
    }

    static void unshown(Rule rule, String why) {
        add(rule, new RuleCase.NotOnLinux("", why));
    }

    static Step[] then(Step[] first, Step... more) {
        return Stream.concat(Stream.of(first), Stream.of(more)).toArray(Step[]::new);
    }

    private static Step gfxPlane(int flags) {
        return ioctl(
                DEVICE,
                VFIO_DEVICE_QUERY_GFX_PLANE(),
                u32(64), u32(flags), u32(1), u32(0), u64(0), u64(0), u64(0), u64(0), u64(0), u64(0));
    }

    private static Step dmaMap(long iova, long size, int flags) {
        return dmaMap(address(Region.RAM, 0), iova, size, flags);
    }

    private static Step dmaMap(Field memory, long iova, long size, int flags) {
        return ioctl(CONTAINER, VFIO_IOMMU_MAP_DMA(), u32(32), u32(flags), memory, u64(iova), u64(size));
    }

    private static Step dmaUnmap(long iova, long size, int flags) {
        return ioctl(CONTAINER, VFIO_IOMMU_UNMAP_DMA(), u32(24), u32(flags), u64(iova), u64(size));
    }

    private static Step dmaUnmap(long iova, long size, int flags, long pageSize, long bitmapSize) {
        return ioctl(
                CONTAINER,
                VFIO_IOMMU_UNMAP_DMA(),
                u32(48),
                u32(flags),
                u64(iova),
                u64(size),
                u64(pageSize),
                u64(bitmapSize),
                address(Region.RAM, 0x8000));
    }

    private static Step dirty(long iova, long size, long pageSize, long bitmapSize) {
        return ioctl(
                CONTAINER,
                VFIO_IOMMU_DIRTY_PAGES(),
                u32(48),
                u32(DIRTY_GET),
                u64(iova),
                u64(size),
                u64(pageSize),
                u64(bitmapSize),
                address(Region.RAM, 0x8000));
    }

    private static Step irqInfo(int index) {
        return ioctl(DEVICE, VFIO_DEVICE_GET_IRQ_INFO(), u32(16), u32(0), u32(index), u32(0));
    }

    private static Step irqs(int index, int flags, int start, int count, Field... data) {
        int size = 20 + Stream.of(data).mapToInt(Field::size).sum();
        Field[] fields = Stream.concat(
                        Stream.of(u32(size), u32(flags), u32(index), u32(start), u32(count)), Stream.of(data))
                .toArray(Field[]::new);
        return ioctl(DEVICE, VFIO_DEVICE_SET_IRQS(), fields);
    }

    private static Step hotReset(Field... countAndGroups) {
        Field[] fields = Stream.concat(
                        Stream.of(u32(12 + 4 * (countAndGroups.length - 1)), u32(0)), Stream.of(countAndGroups))
                .toArray(Field[]::new);
        return ioctl(DEVICE, VFIO_DEVICE_PCI_HOT_RESET(), fields);
    }

    private static Step ioEventFd(long offset, Field event) {
        return ioctl(
                DEVICE,
                VFIO_DEVICE_IOEVENTFD(),
                u32(32),
                u32(VFIO_DEVICE_IOEVENTFD_32()),
                u64(offset),
                u64(1),
                event,
                u32(0));
    }

    /** Shares parts of a BAR: an offset and a size each. */
    private static Step shareBar(int index, Field... parts) {
        Field[] data = Stream.concat(
                        Stream.of(u32(index), u32(0), u32(0), u32(parts.length / 2)), Stream.of(parts))
                .toArray(Field[]::new);
        return feature(VFIO_DEVICE_FEATURE_GET() | VFIO_DEVICE_FEATURE_DMA_BUF(), data);
    }

    private static Step feature(int flags, Field... data) {
        int size = 8 + Stream.of(data).mapToInt(Field::size).sum();
        Field[] fields = Stream.concat(Stream.of(u32(size), u32(flags)), Stream.of(data)).toArray(Field[]::new);
        return ioctl(DEVICE, VFIO_DEVICE_FEATURE(), fields);
    }
}
