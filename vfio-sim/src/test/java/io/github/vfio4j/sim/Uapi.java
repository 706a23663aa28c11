package io.github.vfio4j.sim;

import static io.github.vfio4j.KernelProfile.V6_1;
import static io.github.vfio4j.KernelProfile.V6_12;
import static io.github.vfio4j.KernelProfile.V7_2;

import io.github.vfio4j.KernelProfile;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What the library makes of each item of the kernel's user API for VFIO: the constants and structs that the bindings in
 * {@code src-gen} have. A new item needs a place here, and so has an item that becomes reachable.
 */
final class Uapi {
    /** Items that share everything. */
    record Row(String section, List<String> items, KernelProfile since, Reach reach, Tested tested) {}

    /** How a program gets at an item. */
    sealed interface Reach {
        /** Through the API; {@code vfio-ffm} has the item by its name. */
        record Named(List<String> api) implements Reach {}

        /** Through the API, where the number itself stands, comes from the program or is told to it. */
        record Number(List<String> api) implements Reach {}

        /** Not at all. */
        record Not(String why) implements Reach {}
    }

    /** Where an item is tested: the truest place of those that there are. */
    sealed interface Tested {
        /** On Linux in the VM and on the simulated kernel. */
        record OnLinux(List<String> tests) implements Tested {}

        /** On the simulated kernel alone. */
        record Simulated(List<String> tests, String why) implements Tested {}

        /** Tests of {@code vfio-ffm} give and take the bytes in the kernel's place. */
        record MadeBytes(List<String> tests, String why) implements Tested {}

        /** In no test but that of the bindings, as what is not reachable. */
        record Nowhere() implements Tested {}
    }

    /** All of it. */
    static final List<Row> ROWS = new ArrayList<>();

    /** What of the bindings is no item, and why. */
    static final Map<String, String> NO_ITEMS = new LinkedHashMap<>();

    private static final String NOT_IN_THE_VM = "the VM has no such device";
    private static final String POWER = "PowerPC alone has it, and no such machine was at hand";
    private static final String S390 = "s390 alone has it, and no such machine was at hand";

    private static String section;

    private Uapi() {}

    static {
        containers();
        groups();
        devices();
        regions();
        interrupts();
        resets();
        features();
        migration();
        cdev();
        type1();
        iommufd();
        nested();
        kvm();
        otherMachines();
        noItems();
    }

    private static void containers() {
        section = "Containers";
        row(V6_1, "VFIO_GET_API_VERSION", by("Vfio#openContainer"), linux("LifecycleKernelTest"));
        row(V6_1, "VFIO_API_VERSION", number("Vfio#openContainer"), linux("LifecycleKernelTest"));
        row(
                V6_1,
                "VFIO_CHECK_EXTENSION",
                by("Container#supports Type1#coherent Type1#unmapsAll Type1#updatesAddresses"),
                linux("LifecycleKernelTest VaddrKernelTest IommufdCases"));
        row(
                V6_1,
                "VFIO_SET_IOMMU",
                by("Container#setIommu Container#setUnsafeNoIommu"),
                linux("LifecycleKernelTest IommufdContainerKernelTest RuleCases IommufdCases"));
        row(V6_1, "VFIO_{TYPE1,TYPE1v2}_IOMMU", number("IommuType"), linux("UnmapKernelTest RuleCases"));
        row(V6_1, "VFIO_NOIOMMU_IOMMU", number("Container#setUnsafeNoIommu"), linux("NoIommuKernelTest"));
        row(V6_1, "VFIO_DMA_CC_IOMMU", number("Type1#coherent"), linux("EmulatedGroupKernelTest RuleCases"));
        row(V6_1, "VFIO_UPDATE_VADDR", number("Type1#updatesAddresses"), linux("VaddrKernelTest"));
        row(V6_1, "VFIO_UNMAP_ALL", number("Type1#unmapsAll"), linux("UnmapKernelTest RuleCases ObservedAnswers"));
        row(
                V6_1,
                "__VFIO_RESERVED_TYPE1_NESTING_IOMMU",
                not("Linux 7.2 took it away; older headers call it `VFIO_TYPE1_NESTING_IOMMU`"),
                linux("ObservedAnswers#whatCanOnlyBeAskedForCannotBeSet"));
    }

    private static void groups() {
        section = "Groups";
        row(
                V6_1,
                "VFIO_GROUP_GET_STATUS vfio_group_status VFIO_GROUP_FLAGS_{VIABLE,CONTAINER_SET}",
                by("Group#status"),
                linux("LifecycleKernelTest"));
        row(
                V6_1,
                "VFIO_GROUP_SET_CONTAINER",
                by("Container#attach"),
                linux("LifecycleKernelTest IommufdContainerKernelTest RuleCases IommufdCases"));
        row(V6_1, "VFIO_GROUP_UNSET_CONTAINER", by("Container#detach"), linux("LifecycleKernelTest RuleCases IommufdCases"));
        row(
                V6_1,
                "VFIO_GROUP_GET_DEVICE_FD",
                by("Type1#openDevice NoIommu#openDevice ReceivedGroup#openDevice"),
                linux("LifecycleKernelTest NoIommuKernelTest HandoverKernelTest"));
    }

    private static void devices() {
        section = "What a device is";
        row(
                V6_1,
                "VFIO_DEVICE_GET_INFO vfio_device_info VFIO_DEVICE_FLAGS_PCI",
                by("Device#info"),
                linux("LifecycleKernelTest EmulatedGroupKernelTest IommufdCases"));
        row(V6_1, "VFIO_DEVICE_FLAGS_RESET", by("DeviceInfo#resettable"), linux("DeviceKernelTest InterruptKernelTest"));
        row(
                V6_1,
                "VFIO_DEVICE_FLAGS_{PLATFORM,AMBA,CCW,AP,FSL_MC}",
                by("DeviceInfo#bus"),
                bytes("DeviceInfoTest#theFlagsNameTheBus", NOT_IN_THE_VM));
        row(
                V6_12,
                "VFIO_DEVICE_FLAGS_CDX",
                by("DeviceInfo#bus"),
                bytes("DeviceInfoTest#theFlagsNameTheBus", NOT_IN_THE_VM));
        String noCapability = "no device that programs get in the VM has a capability";
        row(V6_1, "VFIO_DEVICE_FLAGS_CAPS", by("DeviceInfo#capabilities"), bytes("DeviceInfoTest", noCapability));
        row(
                V6_1,
                "vfio_info_cap_header",
                by("DeviceInfo#capabilities RegionInfo#msixMappable Type1#info"),
                linux("LifecycleKernelTest ConfigSpaceKernelTest"));
        row(
                V6_12,
                "VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP vfio_device_info_cap_pci_atomic_comp VFIO_PCI_ATOMIC_COMP{32,64,128}",
                by("DeviceCapability.PciAtomicCompletion"),
                bytes("DeviceInfoTest", "no device that programs get in the VM is below a root port"));
        row(
                V6_1,
                """
                VFIO_DEVICE_INFO_CAP_ZPCI_{BASE,GROUP,UTIL,PFIP} vfio_device_info_cap_zpci_{base,group,util,pfip}
                VFIO_DEVICE_INFO_ZPCI_FLAG_REFRESH
                """,
                by("""
                        DeviceCapability.ZpciBase DeviceCapability.ZpciGroup DeviceCapability.ZpciUtility
                        DeviceCapability.ZpciPath
                        """),
                bytes("DeviceInfoTest", S390));
        row(V6_1, "VFIO_DEVICE_API_PCI_STRING", by("MediatedType#bus"), linux("MediatedKernelTest"));
        row(
                V6_1,
                "VFIO_DEVICE_API_{PLATFORM,AMBA,CCW,AP}_STRING",
                by("MediatedType#bus"),
                simulated(
                        "SimMediatedTest#aTypeSaysWhichKindOfDeviceAProgramGets",
                        "the mediated devices of the VM are PCI devices"));
    }

    private static void regions() {
        section = "Regions";
        row(V6_1, "VFIO_DEVICE_GET_REGION_INFO vfio_region_info", by("Device#region"), linux("DeviceKernelTest"));
        row(
                V6_1,
                "VFIO_REGION_INFO_FLAG_READ",
                by("RegionInfo#readable"),
                linux("Generator#deviceInfo"));
        row(V6_1, "VFIO_REGION_INFO_FLAG_WRITE", by("RegionInfo#writable Region#map"), linux("IoEventFdKernelTest"));
        row(V6_1, "VFIO_REGION_INFO_FLAG_MMAP", by("RegionInfo#mappable"), linux("DeviceKernelTest"));
        row(
                V6_1,
                "VFIO_REGION_INFO_FLAG_CAPS VFIO_REGION_INFO_CAP_MSIX_MAPPABLE",
                by("RegionInfo#msixMappable"),
                linux("ConfigSpaceKernelTest"));
        row(
                V6_1,
                "VFIO_REGION_INFO_CAP_SPARSE_MMAP vfio_region_info_cap_sparse_mmap vfio_region_sparse_mmap_area",
                by("RegionInfo#areas"),
                bytes("DeviceInfoTest", "vfio-pci makes none on the devices of the VM"));
        row(
                V6_1,
                "VFIO_REGION_INFO_CAP_TYPE vfio_region_info_cap_type",
                by("RegionInfo#type"),
                linux("GraphicsKernelTest"));
        row(
                V6_1,
                "VFIO_REGION_TYPE_PCI_VENDOR_{TYPE,MASK}",
                number("RegionInfo.Type#vendorId"),
                bytes("DeviceInfoTest", NOT_IN_THE_VM));
        row(
                V6_1,
                "VFIO_REGION_SUBTYPE_INTEL_IGD_{OPREGION,HOST_CFG,LPC_CFG}",
                number("RegionInfo.Type#subtype"),
                bytes("DeviceInfoTest#theRegionsOfIntelsGraphicsAreToldApartByTheirSubtypes", NOT_IN_THE_VM));
        row(
                V6_1,
                "VFIO_REGION_TYPE_GFX VFIO_REGION_SUBTYPE_GFX_EDID",
                number("RegionInfo.Type Graphics#edid"),
                linux("GraphicsKernelTest"));
        row(
                V6_1,
                "vfio_region_gfx_edid VFIO_DEVICE_GFX_LINK_STATE_{UP,DOWN}",
                number("Edid"),
                linux("GraphicsKernelTest"));
        row(
                V6_1,
                """
                VFIO_REGION_INFO_CAP_NVLINK2_{SSATGT,LNKSPD} vfio_region_info_cap_nvlink2_{ssatgt,lnkspd}
                VFIO_REGION_SUBTYPE_NVIDIA_NVLINK2_RAM VFIO_REGION_SUBTYPE_IBM_NVLINK2_ATSD
                """,
                not("deprecated: no kernel since 6.1 gives it"),
                nowhere());
        row(
                V6_1,
                """
                VFIO_REGION_{TYPE,SUBTYPE}_MIGRATION_DEPRECATED vfio_device_migration_info
                VFIO_DEVICE_STATE_V1_{STOP,RUNNING,SAVING,RESUMING} VFIO_DEVICE_STATE_MASK
                """,
                not("deprecated: no kernel since 6.1 has it; `VFIO_DEVICE_FEATURE_MIGRATION` came in its place"),
                nowhere());
        row(V6_1, "VFIO_PCI_{BAR0,BAR1,BAR2,BAR3,BAR4,BAR5,ROM}_REGION_INDEX", number("Device#region"), linux("DeviceKernelTest"));
        row(V6_1, "VFIO_PCI_CONFIG_REGION_INDEX", number("Device#config"), linux("DeviceKernelTest ConfigSpaceKernelTest"));
        row(
                V6_1,
                "VFIO_PCI_VGA_REGION_INDEX",
                number("Device#region"),
                linux("DeviceKernelTest#aRegionThatTheKernelLacksIsEinval"));
    }

    private static void interrupts() {
        section = "Interrupts";
        row(V6_1, "VFIO_DEVICE_GET_IRQ_INFO vfio_irq_info", by("Irq#info"), linux("DeviceKernelTest RuleCases"));
        row(V6_1, "VFIO_IRQ_INFO_EVENTFD", by("IrqInfo#eventfd"), linux("DeviceKernelTest"));
        row(
                V6_1,
                "VFIO_IRQ_INFO_MASKABLE",
                by("IrqInfo#maskable Interrupt#mask"),
                linux("InterruptKernelTest#messageInterruptsAreNotMaskedThroughTheKernel"));
        row(V6_1, "VFIO_IRQ_INFO_AUTOMASKED", by("IrqInfo#automasked"), linux("IrqSteps#info"));
        row(V6_1, "VFIO_IRQ_INFO_NORESIZE", by("IrqInfo#noResize"), linux("InterruptKernelTest"));
        row(
                V6_1,
                "VFIO_DEVICE_SET_IRQS vfio_irq_set VFIO_IRQ_SET_DATA_EVENTFD",
                by("Irq#enable Interrupt#unmaskEvent"),
                linux("InterruptKernelTest RuleCases ObservedAnswers"));
        row(
                V6_1,
                "VFIO_IRQ_SET_DATA_NONE",
                by("Interrupt#trigger Interrupt#mask Interrupt#unmask Interrupts#close"),
                linux("InterruptKernelTest RuleCases ObservedAnswers"));
        row(V6_1, "VFIO_IRQ_SET_DATA_BOOL", by("Interrupts#trigger"), linux("InterruptKernelTest RuleCases"));
        row(V6_1, "VFIO_IRQ_SET_ACTION_MASK", by("Interrupt#mask"), linux("InterruptKernelTest RuleCases"));
        row(
                V6_1,
                "VFIO_IRQ_SET_ACTION_UNMASK",
                by("Interrupt#unmask Interrupt#unmaskEvent"),
                linux("InterruptKernelTest RuleCases ObservedAnswers"));
        row(
                V6_1,
                "VFIO_IRQ_SET_ACTION_TRIGGER",
                by("Irq#enable Interrupt#trigger Interrupts#trigger"),
                linux("InterruptKernelTest RuleCases ObservedAnswers"));
        row(
                V6_1,
                "VFIO_PCI_{INTX,MSI,MSIX,ERR,REQ}_IRQ_INDEX",
                number("PciIrq"),
                linux("InterruptKernelTest RuleCases ObservedAnswers"));
    }

    private static void resets() {
        section = "Resets, eventfds that write registers, graphics";
        row(V6_1, "VFIO_DEVICE_RESET", by("Device#reset"), linux("DeviceKernelTest RuleCases"));
        row(
                V6_1,
                "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO vfio_pci_hot_reset_info vfio_pci_dependent_device",
                by("Device#affectedByHotReset"),
                linux("HotResetKernelTest RuleCases"));
        row(V6_1, "VFIO_DEVICE_PCI_HOT_RESET vfio_pci_hot_reset", by("Device#hotReset"), linux("HotResetKernelTest RuleCases"));
        row(V6_12, "VFIO_PCI_HOT_RESET_FLAG_DEV_ID", by("AffectedDevice#owned"), linux("IommufdKernelTest"));
        row(V6_12, "VFIO_PCI_DEVID_OWNED", number("AffectedDevice#owned"), linux("IommufdKernelTest"));
        row(
                V6_12,
                "VFIO_PCI_DEVID_NOT_OWNED",
                by("AffectedDevice#owned"),
                linux("SriovKernelTest#byItsOwnNodeAHotResetNamesTheDevicesOfOthers"));
        row(
                V6_12,
                "VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED",
                by("Device#hotReset"),
                linux("IommufdKernelTest SriovKernelTest IommufdOnLinux#aHotResetNamesDevicesByTheirNumbers"));
        row(
                V6_1,
                "VFIO_DEVICE_IOEVENTFD vfio_device_ioeventfd",
                by("Region#ioEventFd"),
                linux("IoEventFdKernelTest RuleCases"));
        row(V6_1, "VFIO_DEVICE_IOEVENTFD_{8,16,32,64}", number("Region#ioEventFd"), linux("IoEventFdKernelTest"));
        row(
                V6_1,
                """
                VFIO_DEVICE_QUERY_GFX_PLANE vfio_device_gfx_plane_info VFIO_GFX_PLANE_TYPE_{PROBE,DMABUF,REGION}
                """,
                by("Graphics#ways Graphics#plane"),
                linux("GraphicsKernelTest RuleCases"));
        row(V6_1, "VFIO_DEVICE_GET_GFX_DMABUF", by("Graphics#dmaBuf"), linux("GraphicsKernelTest RuleCases"));
    }

    private static void features() {
        section = "Features";
        row(
                V6_1,
                "VFIO_DEVICE_FEATURE vfio_device_feature VFIO_DEVICE_FEATURE_SET",
                by("Device#features"),
                linux("FeatureKernelTest RuleCases"));
        row(V6_1, "VFIO_DEVICE_FEATURE_GET", by("Migration#state Features#exportDmaBuf"), linux("MigrationKernelTest RuleCases"));
        row(V6_1, "VFIO_DEVICE_FEATURE_PROBE", by("Features#has"), linux("FeatureKernelTest"));
        row(V6_1, "VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY", by("Features#enterLowPower"), linux("FeatureKernelTest"));
        row(
                V6_1,
                "VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP vfio_device_low_power_entry_with_wakeup",
                by("Features#enterLowPowerUntilWoken"),
                linux("FeatureKernelTest"));
        row(V6_1, "VFIO_DEVICE_FEATURE_LOW_POWER_EXIT", by("Features#exitLowPower"), linux("FeatureKernelTest"));
        row(
                V6_1,
                "VFIO_DEVICE_FEATURE_PCI_VF_TOKEN",
                by("Features#setVfToken"),
                linux("SriovKernelTest"));
        row(
                V6_12,
                "VFIO_DEVICE_FEATURE_BUS_MASTER vfio_device_feature_bus_master VFIO_DEVICE_FEATURE_{SET,CLEAR}_MASTER",
                by("Features#setBusMaster"),
                bytes("FeaturesTest#busMasteringIsSetAndCleared", "devices of the CDX bus alone have it"));
        row(
                V7_2,
                "VFIO_DEVICE_FEATURE_DMA_BUF vfio_device_feature_dma_buf vfio_region_dma_range",
                by("Features#exportDmaBuf"),
                linux("FeatureKernelTest"));
        row(
                V6_1,
                """
                VFIO_DEVICE_FEATURE_DMA_LOGGING_START vfio_device_feature_dma_logging_control
                vfio_device_feature_dma_logging_range
                """,
                by("Features#startDmaLogging"),
                linux("DmaLoggingKernelTest"));
        row(
                V6_1,
                "VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP",
                by("DmaLogging#close"),
                linux("DmaLoggingKernelTest"));
        row(
                V6_1,
                "VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT vfio_device_feature_dma_logging_report",
                by("DmaLogging#report"),
                linux("DmaLoggingKernelTest"));
    }

    private static void migration() {
        section = "Migration";
        row(
                V6_1,
                "VFIO_DEVICE_FEATURE_MIGRATION vfio_device_feature_migration VFIO_MIGRATION_STOP_COPY",
                by("Features#migration Migration#support"),
                linux("MigrationKernelTest"));
        row(V6_12, "VFIO_MIGRATION_PRE_COPY", by("Migration#support"), linux("MigrationKernelTest"));
        row(
                V6_1,
                "VFIO_MIGRATION_P2P",
                by("Migration#support"),
                linux("MigrationKernelTest"));
        row(
                V6_1,
                "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE vfio_device_feature_mig_state",
                by("Migration#state Migration#change"),
                linux("MigrationKernelTest KnownSequences"));
        row(
                V6_1,
                "VFIO_DEVICE_STATE_{STOP,RUNNING,STOP_COPY,RESUMING}",
                by("MigrationState"),
                linux("MigrationKernelTest"));
        row(V6_12, "VFIO_DEVICE_STATE_PRE_COPY", by("MigrationState#PRE_COPY"), linux("MigrationKernelTest"));
        row(
                V6_1,
                "VFIO_DEVICE_STATE_ERROR",
                by("MigrationState#ERROR"),
                simulated("SimMigrationTest#aStateThatIsNoneFailsTheDevice", "no device of the VM fails that way"));
        row(
                V6_1,
                "VFIO_DEVICE_STATE_RUNNING_P2P",
                by("MigrationState#RUNNING_P2P"),
                linux("MigrationKernelTest"));
        row(
                V6_12,
                "VFIO_DEVICE_STATE_PRE_COPY_P2P",
                by("MigrationState#PRE_COPY_P2P"),
                linux("MigrationKernelTest"));
        row(
                V6_12,
                "VFIO_DEVICE_FEATURE_MIG_DATA_SIZE vfio_device_feature_mig_data_size",
                by("Migration#dataSize"),
                linux("MigrationKernelTest"));
        row(
                V6_12,
                "VFIO_MIG_GET_PRECOPY_INFO vfio_precopy_info",
                by("MigrationStream#precopyInfo"),
                linux("MigrationKernelTest"));
        row(
                V7_2,
                "VFIO_PRECOPY_INFO_REINIT",
                by("PrecopyInfo#reinitialized"),
                bytes("FeaturesTest#aChangeOfStateMayOpenAStream", "no device of the VM says it"));
        row(
                V7_2,
                "VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2",
                by("Migration#tellReinit"),
                linux("MigrationKernelTest"));
    }

    private static void cdev() {
        section = "Devices by their own nodes";
        row(
                V6_12,
                "VFIO_DEVICE_BIND_IOMMUFD vfio_device_bind_iommufd",
                by("Iommufd#openDevice"),
                linux("IommufdKernelTest IommufdCases"));
        row(
                V6_12,
                "VFIO_DEVICE_ATTACH_IOMMUFD_PT vfio_device_attach_iommufd_pt",
                by("Device#attach"),
                linux("IommufdKernelTest IommufdCases"));
        row(
                V6_12,
                "VFIO_DEVICE_DETACH_IOMMUFD_PT vfio_device_detach_iommufd_pt",
                by("Device#detach"),
                linux("IommufdKernelTest"));
        row(
                V7_2,
                "VFIO_DEVICE_BIND_FLAG_TOKEN",
                by("Iommufd#openDevice"),
                linux("SriovKernelTest"));
        row(
                V7_2,
                "VFIO_DEVICE_{ATTACH,DETACH}_PASID",
                by("Device#attachPasid Device#detachPasid"),
                linux("IommufdKernelTest#aPasidIsAttachedToAPageTableThatWasMadeForIt IommufdCases#attachPasid"));
    }

    private static void type1() {
        section = "Type1 IOMMUs";
        row(
                V6_1,
                "VFIO_IOMMU_GET_INFO vfio_iommu_type1_info VFIO_IOMMU_INFO_{PGSIZES,CAPS}",
                by("Type1#info"),
                linux("LifecycleKernelTest RuleCases IommufdCases"));
        row(
                V6_1,
                "VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE vfio_iommu_type1_info_cap_iova_range vfio_iova_range",
                by("Type1Info#ranges"),
                linux("LifecycleKernelTest IommufdContainerKernelTest"));
        row(
                V6_1,
                "VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL vfio_iommu_type1_info_dma_avail",
                by("Type1Info#mappingsLeft"),
                linux("LifecycleKernelTest DmaKernelTest"));
        row(
                V6_1,
                "VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION vfio_iommu_type1_info_cap_migration",
                by("Type1Info#dirtyTracking"),
                linux("DirtyTrackingKernelTest"));
        row(
                V6_1,
                "VFIO_IOMMU_MAP_DMA vfio_iommu_type1_dma_map",
                by("AddressSpace#allocate AddressSpace#allocateAt"),
                linux("DmaKernelTest IommufdContainerKernelTest RuleCases IommufdCases"));
        row(V6_1, "VFIO_DMA_MAP_FLAG_{READ,WRITE}", number("Access"), linux("DeviceDmaKernelTest DmaKernelTest RuleCases"));
        row(V6_1, "VFIO_DMA_MAP_FLAG_VADDR", by("Type1#giveAddress"), linux("VaddrKernelTest RuleCases ObservedAnswers"));
        row(
                V6_1,
                "VFIO_IOMMU_UNMAP_DMA vfio_iommu_type1_dma_unmap",
                by("AddressSpace#unmap DmaBuffer#close"),
                linux("UnmapKernelTest IommufdContainerKernelTest RuleCases IommufdCases"));
        row(V6_1, "VFIO_DMA_UNMAP_FLAG_ALL", by("AddressSpace#unmapAll"), linux("UnmapKernelTest RuleCases"));
        row(V6_1, "VFIO_DMA_UNMAP_FLAG_VADDR", by("Type1#takeAddress"), linux("VaddrKernelTest RuleCases ObservedAnswers"));
        row(V6_1, "VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP", by("DirtyTracking#unmap"), linux("DirtyTrackingKernelTest"));
        row(
                V6_1,
                "VFIO_IOMMU_DIRTY_PAGES vfio_iommu_type1_dirty_bitmap VFIO_IOMMU_DIRTY_PAGES_FLAG_{START,STOP}",
                by("Type1#trackDirtyPages DirtyTracking#close"),
                linux("DirtyTrackingKernelTest RuleCases"));
        row(
                V6_1,
                "VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP vfio_iommu_type1_dirty_bitmap_get vfio_bitmap",
                by("DirtyTracking#read"),
                linux("DirtyTrackingKernelTest"));
    }

    private static void iommufd() {
        section = "iommufd";
        row(
                V6_12,
                "IOMMU_DESTROY iommu_destroy",
                by("Ioas#close Hwpt#close"),
                linux("IommufdKernelTest IommufdOnLinux#aNumberIsGivenAgain"));
        row(V6_12, "IOMMU_IOAS_ALLOC iommu_ioas_alloc", by("Iommufd#allocateIoas"), linux("IommufdKernelTest IommufdCases"));
        row(V6_12, "IOMMU_IOAS_ALLOW_IOVAS iommu_ioas_allow_iovas", by("Ioas#allow"), linux("IommufdKernelTest IommufdCases"));
        row(
                V6_12,
                "IOMMU_IOAS_IOVA_RANGES iommu_ioas_iova_ranges iommu_iova_range",
                by("Ioas#info Ioas#ranges"),
                linux("IommufdKernelTest IommufdCases"));
        row(
                V6_12,
                "IOMMU_IOAS_MAP iommu_ioas_map IOMMU_IOAS_MAP_{FIXED_IOVA,READABLE,WRITEABLE}",
                by("AddressSpace#allocate AddressSpace#allocateAt"),
                linux("IommufdKernelTest IommufdCases"));
        row(V6_12, "IOMMU_IOAS_COPY iommu_ioas_copy", by("Ioas#copy Ioas#copyAt"), linux("IommufdKernelTest IommufdCases"));
        row(
                V6_12,
                "IOMMU_IOAS_UNMAP iommu_ioas_unmap",
                by("AddressSpace#unmap AddressSpace#unmapAll"),
                linux("IommufdKernelTest IommufdCases"));
        row(
                V7_2,
                "IOMMU_IOAS_MAP_FILE iommu_ioas_map_file",
                by("Ioas#map Ioas#mapAt"),
                linux("DmaFileKernelTest IommufdCases#mapFile"));
        row(
                V6_12,
                "IOMMU_OPTION iommu_option IOMMU_OPTION_OP_{SET,GET}",
                by("Iommufd#countMemoryByProcess Ioas#useHugePages"),
                linux("IommufdKernelTest IommufdCases"));
        row(
                V6_12,
                "IOMMU_OPTION_RLIMIT_MODE",
                number("Iommufd#countMemoryByProcess"),
                linux("IommufdKernelTest IommufdCases"));
        row(V6_12, "IOMMU_OPTION_HUGE_PAGES", number("Ioas#useHugePages"), linux("IommufdKernelTest IommufdCases"));
        row(
                V6_12,
                "IOMMU_VFIO_IOAS iommu_vfio_ioas IOMMU_VFIO_IOAS_{GET,SET,CLEAR}",
                by("Iommufd#containerIoas Iommufd#chooseContainerIoas Iommufd#clearContainerIoas"),
                linux("IommufdKernelTest IommufdCases#vfioIoas IommufdOnLinux#anAddressSpaceOfAContainerIsChosen"));
        row(
                V6_12,
                "IOMMU_HWPT_ALLOC iommu_hwpt_alloc IOMMU_HWPT_DATA_NONE",
                by("Ioas#allocateHwpt"),
                linux("IommufdKernelTest IommufdCases"));
        row(
                V6_12,
                """
                IOMMU_HWPT_ALLOC_DIRTY_TRACKING
                IOMMU_HWPT_SET_DIRTY_TRACKING iommu_hwpt_set_dirty_tracking IOMMU_HWPT_DIRTY_TRACKING_ENABLE
                IOMMU_HWPT_GET_DIRTY_BITMAP iommu_hwpt_get_dirty_bitmap IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR
                """,
                by("Ioas#allocateHwpt Hwpt#trackDirtyPages DirtyTracking#read DirtyTracking#unmap"),
                linux("TrackedPagesKernelTest"));
        row(V6_12, "IOMMU_GET_HW_INFO iommu_hw_info", by("Device#iommuHardware"), linux("IommufdKernelTest IommufdCases"));
        row(
                V6_12,
                "IOMMU_HW_INFO_TYPE_INTEL_VTD",
                number("IommuHardware#type"),
                linux("IommufdKernelTest#theKernelTellsWhatTheIommuIs"));
        row(
                V6_12,
                "iommu_hw_info_vtd",
                number("IommuRegisters.Vtd IommuHardware#data"),
                linux("IommufdKernelTest#theKernelTellsWhatTheIommuIs"));
        String otherHardware = "the VM has another IOMMU";
        row(
                V6_12,
                "IOMMU_HW_INFO_TYPE_NONE",
                number("IommuHardware#type"),
                linux("IommufdKernelTest#theKernelTellsWhatTheIommuIs"));
        row(
                V7_2,
                """
                IOMMU_HW_INFO_TYPE_{ARM_SMMUV3,TEGRA241_CMDQV,AMD}
                iommu_hw_info_{arm_smmuv3,tegra241_cmdqv,amd}
                """,
                number("IommuHardware#type IommuHardware#registers"),
                bytes("IommuHardwareTest", otherHardware));
        row(
                V6_12,
                "IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17",
                number("IommuRegisters.Vtd#parentsMustBeWritable"),
                bytes("IommuHardwareTest", otherHardware));
        row(
                V6_12,
                "IOMMU_HW_CAP_DIRTY_TRACKING",
                number("IommuHardware#tracksDirtyPages"),
                linux("TrackedPagesKernelTest"));
        row(
                V6_12,
                "IOMMU_HW_CAP_PCI_PASID_{EXEC,PRIV}",
                number("IommuHardware#pasidsExecute IommuHardware#pasidsPrivileged"),
                bytes("IommuHardwareTest", "no device of the VM has PASIDs"));
        row(
                V7_2,
                "IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED",
                number("IommuHardware#mayUseAts"),
                linux("IommufdKernelTest#theKernelTellsWhatTheIommuIs"));
        row(
                V7_2,
                "IOMMU_HW_INFO_FLAG_INPUT_TYPE",
                by("Device#iommuHardware"),
                bytes("IommuHardwareTest#tegraIsAskedForByItsType", "the VM's IOMMU tells all by itself; it refuses another type"));
        row(
                V7_2,
                "IOMMU_HW_INFO_TYPE_DEFAULT",
                number("Device#iommuHardware"),
                linux("IommufdKernelTest#theKernelTellsWhatTheIommuIs"));
        row(
                V7_2,
                "IOMMU_IOAS_CHANGE_PROCESS iommu_ioas_change_process",
                by("Iommufd#changeProcess"),
                linux("DmaFileKernelTest IommufdCases"));
    }

    private static void nested() {
        section = "iommufd for virtual machines";
        String nestsNothing = "the VM's IOMMU nests nothing";
        row(
                V6_12,
                "IOMMU_HWPT_ALLOC_NEST_PARENT",
                by("HwptFlag#NEST_PARENT"),
                linux("FaultQueueKernelTest"));
        row(V7_2, "IOMMU_HWPT_ALLOC_PASID", by("HwptFlag#PASID"), linux("IommufdKernelTest"));
        row(
                V6_12,
                """
                IOMMU_HWPT_DATA_VTD_S1 iommu_hwpt_vtd_s1 IOMMU_VTD_S1_{SRE,EAFE,WPE}
                IOMMU_HWPT_INVALIDATE_DATA_VTD_S1 iommu_hwpt_vtd_s1_invalidate IOMMU_VTD_INV_FLAGS_LEAF
                """,
                by("Hwpt#nest GuestPageTable.Vtd NestedHwpt#changed"),
                bytes("NestedPageTableTest#vtdHasAnAddressItsWidthAndFlags NestedPageTableTest#aChangedRangeIsAnArrayOfOne", nestsNothing));
        row(
                V6_12,
                "IOMMU_HWPT_INVALIDATE iommu_hwpt_invalidate",
                by("NestedHwpt#changed"),
                linux("FaultQueueKernelTest#theIommuForgetsWhatAGuestChanged"));
        row(
                V7_2,
                "IOMMU_HWPT_DATA_{ARM_SMMUV3,AMD_GUEST} iommu_hwpt_{arm_smmuv3,amd_guest}",
                by("Hwpt#nest GuestPageTable.ArmSmmuV3 GuestPageTable.Amd"),
                bytes("NestedPageTableTest#smmuAndAmdHaveEntriesOfTheirTables", "the VM has another IOMMU"));
        row(
                V6_12,
                """
                IOMMU_FAULT_QUEUE_ALLOC iommu_fault_alloc IOMMU_HWPT_FAULT_ID_VALID iommu_hwpt_pgfault
                IOMMU_PGFAULT_FLAGS_{PASID_VALID,LAST_PAGE} IOMMU_PGFAULT_PERM_{READ,WRITE,EXEC,PRIV}
                iommu_hwpt_page_response IOMMUFD_PAGE_RESP_{SUCCESS,INVALID}
                """,
                by("Iommufd#allocateFaultQueue Ioas#allocateHwpt Hwpt#nest FaultQueue#poll FaultQueue#await FaultQueue#answer"),
                linux("FaultQueueKernelTest IommufdCases"));
        row(
                V7_2,
                "IOMMU_VIOMMU_ALLOC iommu_viommu_alloc",
                by("Hwpt#allocateViommu Viommu#nest"),
                linux("VirtualIommuKernelTest IommufdCases"));
        row(
                V7_2,
                "IOMMU_VDEVICE_ALLOC iommu_vdevice_alloc",
                by("Viommu#addDevice"),
                linux("VirtualIommuKernelTest IommufdCases"));
        row(
                V7_2,
                "IOMMU_VEVENTQ_ALLOC iommu_veventq_alloc IOMMU_VEVENTQ_FLAG_LOST_EVENTS iommufd_vevent_header",
                by("Viommu#allocateEventQueue VirtualEventQueue#poll VirtualEventQueue#await VirtualEvent.Lost"),
                linux("VirtualIommuKernelTest IommufdCases"));
        row(
                V7_2,
                "IOMMU_HW_QUEUE_ALLOC iommu_hw_queue_alloc",
                by("Viommu#allocateHardwareQueue"),
                linux("VirtualIommuKernelTest IommufdCases"));
        row(
                V7_2,
                """
                IOMMU_VIOMMU_TYPE_{ARM_SMMUV3,TEGRA241_CMDQV} iommu_viommu_tegra241_cmdqv
                IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 iommu_viommu_arm_smmuv3_invalidate
                IOMMU_VEVENTQ_TYPE_{ARM_SMMUV3,TEGRA241_CMDQV} iommu_vevent_{arm_smmuv3,tegra241_cmdqv}
                IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV
                """,
                by("ViommuType Viommu#page Viommu#invalidate SmmuCommand VirtualEventType VirtualEvent"),
                bytes("VirtualIommuTest", "the VM has other hardware, whose types a test puts in their place"));
        row(
                V7_2,
                "IOMMU_VIOMMU_TYPE_DEFAULT IOMMU_VEVENTQ_TYPE_DEFAULT IOMMU_HW_QUEUE_TYPE_DEFAULT",
                not("the kernel refuses them: they are reserved"),
                nowhere());
    }

    private static void kvm() {
        section = "KVM";
        row(V6_1, "KVM_CREATE_VM", by("Vfio#openKvmVm"), linux("ExternalUserKernelTest ExternalFilesKernelTest"));
        row(
                V6_1,
                "KVM_CREATE_DEVICE kvm_create_device KVM_DEV_TYPE_VFIO",
                by("Vfio#openKvmVm Vfio#adoptKvmVm"),
                linux("ExternalUserKernelTest ExternalFilesKernelTest#aVirtualMachineHasOneVfioDevice"));
        row(
                V6_1,
                "KVM_SET_DEVICE_ATTR kvm_device_attr",
                by("KvmVm#add KvmUser#release"),
                linux("ExternalUserKernelTest ExternalFilesKernelTest"));
        row(V6_1, "KVM_DEV_VFIO_GROUP{,_ADD,_DEL}", number("KvmVm#add KvmUser#release"), linux("ExternalUserKernelTest"));
        row(V6_12, "KVM_DEV_VFIO_FILE{,_ADD,_DEL}", by("KvmVm#add KvmUser#release"), linux("ExternalUserKernelTest"));
        row(
                V6_1,
                "KVM_GET_API_VERSION KVM_API_VERSION",
                by("Vfio#openKvmVm Vfio#kvmSupport"),
                linux("ExternalUserKernelTest ExternalFilesKernelTest#aVirtualMachineHasOneVfioDevice"));
        row(
                V6_1,
                "KVM_CHECK_EXTENSION KVM_CREATE_DEVICE_TEST",
                by("Vfio#kvmSupport"),
                linux("ExternalUserKernelTest#thisMachinesKvmHasAVfioDeviceAndNoTablesOfPowerPc"));
        row(
                V6_1,
                "KVM_CAP_DEVICE_CTRL",
                not("Linux 6.1 on x86 says no and makes devices, so `Vfio#kvmSupport` asks for the VFIO device itself"),
                linux("ExternalFilesKernelTest#aVirtualMachineHasOneVfioDevice"));
        row(
                V6_1,
                "KVM_CAP_CHECK_EXTENSION_VM",
                not("every kernel since 6.1 says yes, so `Vfio#kvmSupport` asks the virtual machine at once"),
                linux("ExternalFilesKernelTest#aVirtualMachineHasOneVfioDevice"));
        row(
                V6_1,
                "KVM_HAS_DEVICE_ATTR",
                by("KvmVm#takesSpaprTables"),
                linux("ExternalUserKernelTest#tablesOfPowerPcAreNotTakenHere ExternalFilesKernelTest#itsAttributesAreFilesToAddAndToRemove"));
        row(
                V6_1,
                "KVM_GET_DEVICE_ATTR",
                not("the VFIO device has nothing to get: KVM answers `EPERM`"),
                linux("ExternalFilesKernelTest#itsAttributesAreFilesToAddAndToRemove"));
    }

    private static void otherMachines() {
        section = "PowerPC and s390";
        row(V6_1, "VFIO_SPAPR_TCE_{,v2_}IOMMU", number("SpaprVersion Container#setSpaprTceV1 Container#setSpaprTceV2"), bytes("SpaprTest", POWER));
        row(V6_1, "VFIO_IOMMU_{ENABLE,DISABLE}", by("SpaprTceV1#enable SpaprTceV1#disable"), bytes("SpaprTest", POWER));
        row(
                V6_1,
                """
                VFIO_IOMMU_SPAPR_TCE_GET_INFO vfio_iommu_spapr_tce_info vfio_iommu_spapr_tce_ddw_info
                VFIO_IOMMU_SPAPR_INFO_DDW
                """,
                by("SpaprTce#info SpaprTce#windows"),
                bytes("SpaprTest", POWER));
        row(
                V6_1,
                "VFIO_IOMMU_SPAPR_{REGISTER,UNREGISTER}_MEMORY vfio_iommu_spapr_register_memory",
                by("SpaprTceV2#registerMemory SpaprTceV2#unregisterMemory"),
                bytes("SpaprTest", POWER));
        row(
                V6_1,
                "VFIO_IOMMU_SPAPR_TCE_{CREATE,REMOVE} vfio_iommu_spapr_tce_{create,remove}",
                by("SpaprTceV2#createWindow SpaprTceV2#removeWindow"),
                bytes("SpaprTest", POWER));
        row(V6_1, "VFIO_EEH", number("SpaprTce#eeh"), bytes("EehTest", POWER));
        row(
                V6_1,
                """
                VFIO_EEH_PE_OP vfio_eeh_pe_op VFIO_EEH_PE_{DISABLE,ENABLE,UNFREEZE_IO,UNFREEZE_DMA}
                VFIO_EEH_PE_RESET_{DEACTIVATE,HOT,FUNDAMENTAL} VFIO_EEH_PE_CONFIGURE
                """,
                by("""
                        Eeh#disable Eeh#enable Eeh#unfreezeIo Eeh#unfreezeDma Eeh#assertReset Eeh#deassertReset
                        Eeh#configure
                        """),
                bytes("EehTest", POWER));
        row(
                V6_1,
                "VFIO_EEH_PE_GET_STATE VFIO_EEH_PE_STATE_{NORMAL,RESET,STOPPED,STOPPED_DMA,UNAVAIL}",
                by("Eeh#state PeState"),
                bytes("EehTest", POWER));
        row(V6_1, "VFIO_EEH_PE_INJECT_ERR vfio_eeh_pe_err", by("Eeh#inject"), bytes("EehTest", POWER));
        row(
                V6_1,
                "KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE kvm_vfio_spapr_tce",
                by("KvmUser#setSpaprTce"),
                bytes("KvmSpaprTest", POWER));
        row(V6_1, "KVM_CAP_SPAPR_TCE_VFIO", by("Vfio#kvmSupport"), bytes("KvmSupportTest", POWER));
        row(
                V6_1,
                """
                VFIO_CCW_CONFIG_REGION_INDEX VFIO_REGION_TYPE_CCW VFIO_REGION_SUBTYPE_CCW_{ASYNC_CMD,SCHIB,CRW}
                VFIO_CCW_ASYNC_CMD_{HSCH,CSCH} ccw_{io,cmd,schib,crw}_region
                """,
                number("Ccw#start Ccw#read Ccw#halt Ccw#clear Ccw#storeSubchannel Ccw#takeReport"),
                bytes("S390DevicesTest", S390));
        row(V6_1, "VFIO_CCW_{IO,CRW,REQ}_IRQ_INDEX", number("CcwIrq"), bytes("S390DevicesTest", S390));
        row(V6_12, "VFIO_AP_REQ_IRQ_INDEX", number("ApIrq"), bytes("S390DevicesTest", S390));
        row(V7_2, "VFIO_AP_CFG_CHG_IRQ_INDEX", number("ApIrq"), bytes("S390DevicesTest", S390));
    }

    private static void noItems() {
        none("VFIO_TYPE VFIO_BASE IOMMUFD_TYPE KVMIO", "parts of the numbers of ioctls");
        none(
                """
                IOMMUFD_CMD_{BASE,DESTROY,IOAS_ALLOC,IOAS_ALLOW_IOVAS,IOAS_COPY,IOAS_IOVA_RANGES,IOAS_MAP,IOAS_UNMAP}
                IOMMUFD_CMD_{OPTION,VFIO_IOAS,HWPT_ALLOC,GET_HW_INFO,HWPT_SET_DIRTY_TRACKING,HWPT_GET_DIRTY_BITMAP}
                IOMMUFD_CMD_{HWPT_INVALIDATE,FAULT_QUEUE_ALLOC,IOAS_MAP_FILE,VIOMMU_ALLOC,VDEVICE_ALLOC}
                IOMMUFD_CMD_{IOAS_CHANGE_PROCESS,VEVENTQ_ALLOC,HW_QUEUE_ALLOC}
                """,
                "parts of the numbers of ioctls, which are in the table as `IOMMU_...`");
        none(
                "VFIO_PCI_NUM_{REGIONS,IRQS} VFIO_CCW_NUM_{REGIONS,IRQS} VFIO_AP_NUM_IRQS VFIO_DEVICE_STATE_NR",
                "how many there are of what is in the table; `Device#info` asks the kernel instead");
        none(
                """
                VFIO_IRQ_SET_{DATA,ACTION}_TYPE_MASK VFIO_DEVICE_IOEVENTFD_SIZE_MASK VFIO_DEVICE_FEATURE_MASK
                """,
                "the bits of all flags of a kind, or of a number among flags");
        none("ORB_AREA_SIZE SCSW_AREA_SIZE IRB_AREA_SIZE SCHIB_AREA_SIZE", "lengths of fields of structs in the table");
    }

    // ---- how the lines are made

    private static void row(KernelProfile since, String items, Reach reach, Tested tested) {
        ROWS.add(new Row(section, names(items), since, reach, tested));
    }

    private static void none(String names, String why) {
        names(names).forEach(name -> NO_ITEMS.put(name, why));
    }

    private static Reach by(String api) {
        return new Reach.Named(words(api));
    }

    private static Reach number(String api) {
        return new Reach.Number(words(api));
    }

    private static Reach not(String why) {
        return new Reach.Not(why);
    }

    private static Tested linux(String tests) {
        return new Tested.OnLinux(words(tests));
    }

    private static Tested simulated(String tests, String why) {
        return new Tested.Simulated(words(tests), why);
    }

    private static Tested bytes(String tests, String why) {
        return new Tested.MadeBytes(words(tests), why);
    }

    /** For what is not reachable, which is why. */
    private static Tested nowhere() {
        return new Tested.Nowhere();
    }

    private static List<String> words(String text) {
        return List.of(text.strip().split("\\s+"));
    }

    private static List<String> names(String items) {
        return words(items).stream().flatMap(Uapi::expand).toList();
    }

    /** Expands braces: {@code A_{B,C}_D} is {@code A_B_D A_C_D}. */
    private static Stream<String> expand(String name) {
        int open = name.indexOf('{');
        if (open < 0) {
            return Stream.of(name);
        }
        int close = name.indexOf('}', open);
        String before = name.substring(0, open);
        return Stream.of(name.substring(open + 1, close).split(",", -1))
                .flatMap(one -> expand(name.substring(close + 1)).map(rest -> before + one + rest));
    }
}
