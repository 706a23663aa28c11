package io.github.vfio4j.spi;

/**
 * What a {@linkplain io.github.vfio4j.Rule rule} may ask about the state before an operation. The API answers from the
 * handles that it owns, a simulated kernel from its own reference counts. Whoever checks an operation answers the
 * questions that its rules ask; the rest keep their answers here, which break no rule.
 */
public interface Facts {
    /**
     * Is the handle (or the file) that the operation acts on still open?
     *
     * @return true if it is
     */
    default boolean handleOpen() {
        return true;
    }

    /**
     * Is the group open already?
     *
     * @return true if it is
     */
    default boolean groupOpen() {
        return false;
    }

    /**
     * Has a driver bound the group's last device away from VFIO, so that the group is gone?
     *
     * @return true if it is gone
     */
    default boolean groupGone() {
        return false;
    }

    /**
     * Is the group in a container?
     *
     * @return true if it is
     */
    default boolean groupInContainer() {
        return false;
    }

    /**
     * Is the group in the very container that the operation names?
     *
     * @return true if it is
     */
    default boolean groupInThisContainer() {
        return true;
    }

    /**
     * Is a member of the group bound to a host driver, or owned by somebody else?
     *
     * @return true if so
     */
    default boolean groupOwnedByHost() {
        return false;
    }

    /**
     * How many devices of the group are open?
     *
     * @return the number
     */
    default int devicesOpen() {
        return 0;
    }

    /**
     * Does the group have a device of the name that was given, bound to a VFIO driver?
     *
     * @return true if it has
     */
    default boolean deviceKnown() {
        return true;
    }

    /**
     * How many groups are in the container?
     *
     * @return the number
     */
    default int groupsInContainer() {
        return 1;
    }

    /**
     * Does the container have its IOMMU?
     *
     * @return true if SET_IOMMU was done and a group is still there
     */
    default boolean iommuSet() {
        return true;
    }

    /**
     * Does the kernel support the IOMMU type that was given?
     *
     * @return true if CHECK_EXTENSION says so
     */
    default boolean iommuTypeSupported() {
        return true;
    }

    /**
     * Can the interrupts of the group's devices be isolated, or is that waived?
     *
     * @return true if so
     */
    default boolean interruptsIsolated() {
        return true;
    }

    /**
     * Returns the IOVA that was given.
     *
     * @return the address
     */
    default long iova() {
        return 0;
    }

    /**
     * Returns the size that was given.
     *
     * @return bytes
     */
    default long size() {
        return granule();
    }

    /**
     * Returns the program's address that was given.
     *
     * @return the address
     */
    default long address() {
        return 0;
    }

    /**
     * Returns the smallest page of the IOMMU.
     *
     * @return bytes, a power of two
     */
    default long granule() {
        return 4096;
    }

    /**
     * Does the range that was given overlap a mapping?
     *
     * @return true if it does
     */
    default boolean overlapsMapping() {
        return false;
    }

    /**
     * Would the range that was given cut a mapping?
     *
     * @return true if it would
     */
    default boolean cutsMapping() {
        return false;
    }

    /**
     * Would the kernel unmap a part of a mapping? An iommufd in place of a type1 v1 container does.
     *
     * @return true if the range that was given cuts a mapping there
     */
    default boolean cutsPart() {
        return false;
    }

    /**
     * Does the range that was given lie inside one range that the IOMMU can map?
     *
     * @return true if it does
     */
    default boolean insideIovaRange() {
        return true;
    }

    /**
     * How many more mappings may the container hold?
     *
     * @return the number
     */
    default long mappingsLeft() {
        return 1;
    }

    /**
     * Can the device be reset?
     *
     * @return true if its info says so
     */
    default boolean resettable() {
        return true;
    }

    /**
     * Does the part of the region that is to be mapped begin at a page?
     *
     * @return true if it does
     */
    default boolean regionPartAligned() {
        return true;
    }

    /**
     * Can the part of the region be mapped?
     *
     * @return true if the region's info says so
     */
    default boolean regionMappable() {
        return true;
    }

    /**
     * Can the region be written?
     *
     * @return true if the region's info says so
     */
    default boolean regionWritable() {
        return true;
    }

    /**
     * Is the device in a power state in which it answers configuration accesses only?
     *
     * @return true if so
     */
    default boolean poweredDown() {
        return false;
    }

    /**
     * Would mapped regions of the device no longer answer afterwards?
     *
     * @return true if some are mapped and would not
     */
    default boolean mappedRegionsGoDead() {
        return false;
    }

    /**
     * Does the device decode accesses to its memory?
     *
     * @return true if the command register says so, or the device is not PCI
     */
    default boolean memoryDecoded() {
        return true;
    }

    /**
     * Is a file open at the descriptor that the argument names?
     *
     * @return true if one is
     */
    default boolean namedFileOpen() {
        return true;
    }

    /**
     * Is the file that the argument names a container?
     *
     * @return true if it is
     */
    default boolean namedFileIsContainer() {
        return true;
    }

    /**
     * Does a mapping in question wait for a new address of the program?
     *
     * @return true if one does
     */
    default boolean addressMissing() {
        return false;
    }

    /**
     * Can the IOMMU type that was given be set, rather than only asked for?
     *
     * @return true if it can
     */
    default boolean iommuTypeOpens() {
        return true;
    }

    /**
     * Is what follows the address in the name of the device well-formed?
     *
     * @return true if so, or if nothing follows
     */
    default boolean deviceNameAccepted() {
        return true;
    }

    /**
     * Does the device take the token that a program shows?
     *
     * @return true if so, or if none is shown
     */
    default boolean vfTokenTaken() {
        return true;
    }

    /**
     * Is the token that a program shows, or that it shows none, what the physical function asks for?
     *
     * @return true if so
     */
    default boolean vfTokenRight() {
        return true;
    }

    /**
     * Does the process have room for one more open file?
     *
     * @return true if it has
     */
    default boolean descriptorFree() {
        return true;
    }

    /**
     * Do the flags let devices read or write, or else only give an address anew?
     *
     * @return true if so
     */
    default boolean accessGiven() {
        return true;
    }

    /**
     * Is every page of the range memory of the program that may be used as the flags say?
     *
     * @return true if it is
     */
    default boolean memoryAccessible() {
        return true;
    }

    /**
     * Does the pinned memory stay within the limit on locked memory?
     *
     * @return true if it does, or the process is exempt
     */
    default boolean withinMemlock() {
        return true;
    }

    /**
     * Is everything to be unmapped?
     *
     * @return true if the flags say so
     */
    default boolean unmapAll() {
        return false;
    }

    /**
     * Is something mapped in the range that is to be given a new address?
     *
     * @return true if so, or if no address is to be given
     */
    default boolean addressHasTarget() {
        return true;
    }

    /**
     * Is the range that is to be given a new address exactly a mapping that lost its own?
     *
     * @return true if so, or if no address is to be given
     */
    default boolean addressAwaited() {
        return true;
    }

    /**
     * Returns the first interrupt that was given.
     *
     * @return its number within the index
     */
    default long irqStart() {
        return 0;
    }

    /**
     * Returns how many interrupts were given.
     *
     * @return the number
     */
    default long irqCount() {
        return 0;
    }

    /**
     * How many interrupts does the index have?
     *
     * @return the number
     */
    default long irqsOfIndex() {
        return 1;
    }

    /**
     * Have devices of this kind an interrupt index of the number that was given?
     *
     * @return true if so
     */
    default boolean irqIndexKnown() {
        return true;
    }

    /**
     * Has this device the interrupt index that was given?
     *
     * @return true if so
     */
    default boolean irqIndexPresent() {
        return true;
    }

    /**
     * Are the flags a kind of data and an action, and nothing else?
     *
     * @return true if so, however many of each
     */
    default boolean irqFlagsKnown() {
        return true;
    }

    /**
     * Is there exactly one kind of data?
     *
     * @return true if so
     */
    default boolean irqDataOfOneKind() {
        return true;
    }

    /**
     * Is the argument large enough for the data of all interrupts that are named?
     *
     * @return true if so
     */
    default boolean irqDataCovered() {
        return true;
    }

    /**
     * Is the data memory of the program?
     *
     * @return true if so
     */
    default boolean irqDataReadable() {
        return true;
    }

    /**
     * Does the index know the action, such as masking?
     *
     * @return true if its info says so
     */
    default boolean irqActionSupported() {
        return true;
    }

    /**
     * Is the index one of those of which only one can be enabled, and another one enabled?
     *
     * @return true if so
     */
    default boolean otherIrqsEnabled() {
        return false;
    }

    /**
     * Is the index enabled, or is this what enables it?
     *
     * @return true if so
     */
    default boolean irqsEnabled() {
        return true;
    }

    /**
     * Are interrupts given that were not allocated when the index was enabled, and cannot be now?
     *
     * @return true if so
     */
    default boolean irqsBeyondEnabled() {
        return false;
    }

    /**
     * Are interrupts triggered that were not allocated when the index was enabled?
     *
     * @return true if so
     */
    default boolean irqsTriggeredBeyondEnabled() {
        return false;
    }

    /**
     * Do start and count name the one interrupt of an index that has one?
     *
     * @return true if so, or if the index has several, or if the index is disabled, which takes no count
     */
    default boolean theIrqNamed() {
        return true;
    }

    /**
     * Is an event given that should mask?
     *
     * @return true if so
     */
    default boolean irqMaskEventGiven() {
        return false;
    }

    /**
     * Are message interrupts to be enabled without any vector?
     *
     * @return true if so
     */
    default boolean noIrqsAllocated() {
        return false;
    }

    /**
     * Can message interrupts of the device, if they are to be enabled, be routed?
     *
     * @return true if so
     */
    default boolean irqMessagesRouted() {
        return true;
    }

    /**
     * Is the interrupt line in use by others, and this device or one of them unable to share it?
     *
     * @return true if so
     */
    default boolean irqLineTaken() {
        return false;
    }

    /**
     * Is an unmask event given, and one set already?
     *
     * @return true if so
     */
    default boolean irqUnmaskEventSet() {
        return false;
    }

    /**
     * Is the state of the device read while it works?
     *
     * @return true if so
     */
    default boolean preCopying() {
        return true;
    }

    /**
     * Is unmapping to take only the addresses of mappings?
     *
     * @return true if the flags say so
     */
    default boolean addressesToTake() {
        return false;
    }

    /**
     * Is a group of mediated devices in the container?
     *
     * @return true if one is
     */
    default boolean emulatedGroupAttached() {
        return false;
    }

    /**
     * Does the kernel lose a mapping that ends at the very top of the address space?
     *
     * @return true of kernels before Linux 7
     */
    default boolean topIsLost() {
        return false;
    }

    /**
     * Is the IOMMU a type1 v2 one?
     *
     * @return true if so
     */
    default boolean type1V2() {
        return true;
    }

    /**
     * Is dirty tracking to be started, stopped or read, and just one of these?
     *
     * @return true if so
     */
    default boolean dirtyActionValid() {
        return true;
    }

    /**
     * Are dirty pages tracked, where a bitmap of them is asked for?
     *
     * @return true if they are, in pages of the size that was given, or if no bitmap is asked for
     */
    default boolean dirtyTracking() {
        return true;
    }

    /**
     * How many pages must the largest bitmap have that is to be made?
     *
     * @return the answer; 0 if none is to be made
     */
    default long pagesToTrack() {
        return 0;
    }

    /**
     * Can a bitmap of the dirty pages be had with the rest of what is asked for?
     *
     * @return true if so, or if none is asked for
     */
    default boolean dirtyBitmapPossible() {
        return true;
    }

    /**
     * Is the bitmap memory of the program, with a bit for each page, and not larger than the kernel allows?
     *
     * @return true if so, or if none is asked for
     */
    default boolean dirtyBitmapFits() {
        return true;
    }

    /**
     * Does each mapping in the range start a multiple of 64 pages behind the start of the range?
     *
     * @return true if so, or if no bitmap is asked for
     */
    default boolean dirtyBitmapsApart() {
        return true;
    }

    /**
     * How many users outside (KVM, another process) are registered with the group?
     *
     * @return the number
     */
    default int externalUsers() {
        return 0;
    }

    /**
     * Is no member of the group bound to a host driver, and is one still bound to a VFIO driver?
     *
     * @return true if so; it may change before the next call unless the group is in a container
     */
    default boolean groupViable() {
        return true;
    }

    /**
     * Does an IOMMU translate the DMA of the group's devices?
     *
     * @return false for a no-IOMMU group
     */
    default boolean groupTranslated() {
        return true;
    }

    /**
     * Is the descriptor that the argument names negative?
     *
     * @return true if it is
     */
    default boolean namedFileNegative() {
        return false;
    }

    /**
     * Is the file that the argument names one that KVM takes from VFIO?
     *
     * @return true if it is
     */
    default boolean namedFileIsVfio() {
        return true;
    }

    /**
     * Does the caller have the address space that the virtual machine was made in?
     *
     * @return true if so
     */
    default boolean vmOfCaller() {
        return true;
    }

    /**
     * Has the virtual machine a VFIO device already?
     *
     * @return true if it has
     */
    default boolean vmHasVfioDevice() {
        return false;
    }

    /**
     * Is the file that is to be given to KVM there already?
     *
     * @return true if it is
     */
    default boolean kvmHasFile() {
        return false;
    }

    /**
     * Is the file that is to be taken from KVM not there?
     *
     * @return true if it is not
     */
    default boolean kvmLacksFile() {
        return false;
    }

    /**
     * May the program do raw I/O?
     *
     * @return true with CAP_SYS_RAWIO
     */
    default boolean mayDoRawIo() {
        return true;
    }

    /**
     * Did the program ask for a group without an IOMMU?
     *
     * @return true if so
     */
    default boolean unsafeAllowed() {
        return true;
    }

    /**
     * Does the container hold groups that have an IOMMU where this one has none, or the other way round?
     *
     * @return true if so
     */
    default boolean groupsOfOtherKind() {
        return false;
    }

    /**
     * Does an IOMMU translate the devices' addresses?
     *
     * @return true if so
     */
    default boolean dmaTranslated() {
        return true;
    }

    /**
     * Can the group's IOMMU nest, where it must?
     *
     * @return the answer
     */
    default boolean nestingPossible() {
        return true;
    }

    /**
     * Does the IOMMU of a group reach what is mapped, and something that the other groups' IOMMUs reach?
     *
     * @return true if so, or if no group is to join a type1 IOMMU
     */
    default boolean apertureFits() {
        return true;
    }

    /**
     * Is nothing mapped where a group reserves IOVAs?
     *
     * @return true if so
     */
    default boolean reservedIsFree() {
        return true;
    }

    /**
     * Can anything be mapped at all with the groups together?
     *
     * @return true if so
     */
    default boolean iovasLeft() {
        return true;
    }

    /**
     * Does the IOMMU of a group reach all that was mapped without an IOMMU?
     *
     * @return true if so
     */
    default boolean mappingsInReach() {
        return true;
    }

    /**
     * Can the slot or the bus of the device be reset?
     *
     * @return true if one of them can
     */
    default boolean busResettable() {
        return true;
    }

    /**
     * How many devices does a reset of the slot or bus reset?
     *
     * @return the number, at least 1
     */
    default int devicesAffected() {
        return 1;
    }

    /**
     * For how many affected devices does the answer have room?
     *
     * @return the number
     */
    default long roomForAffected() {
        return devicesAffected();
    }

    /**
     * How many groups were given?
     *
     * @return the number
     */
    default long groupsGiven() {
        return 1;
    }

    /**
     * Are the files that the argument names groups?
     *
     * @return true if all are
     */
    default boolean namedFilesAreGroups() {
        return true;
    }

    /**
     * Is an affected device not bound to a VFIO driver?
     *
     * @return true if one is not
     */
    default boolean affectedUnbound() {
        return false;
    }

    /**
     * Is an affected device in none of the groups that were given?
     *
     * @return true if one is not
     */
    default boolean affectedNotOwned() {
        return false;
    }

    /**
     * Is the register that the kernel is to write in a BAR?
     *
     * @return true if so
     */
    default boolean registerInBar() {
        return true;
    }

    /**
     * Does that register end before its BAR does?
     *
     * @return true if so
     */
    default boolean registerInside() {
        return true;
    }

    /**
     * Does that register overlap the MSI-X table?
     *
     * @return true if so
     */
    default boolean registerInMsixTable() {
        return false;
    }

    /**
     * Does the kernel write registers as wide as that?
     *
     * @return true if so
     */
    default boolean registerWidthSupported() {
        return true;
    }

    /**
     * Does an eventfd have the kernel write the same value to that register already, and is another one given?
     *
     * @return true if so
     */
    default boolean registerEventSet() {
        return false;
    }

    /**
     * Is an eventfd to be taken off that register that is not there?
     *
     * @return true if so
     */
    default boolean registerEventMissing() {
        return false;
    }

    /**
     * How many more eventfds may the device have for its registers?
     *
     * @return the number
     */
    default long registerEventsLeft() {
        return 1;
    }

    /**
     * Is the file that the argument names an eventfd?
     *
     * @return true if it is, or none is named
     */
    default boolean namedFileIsEvent() {
        return true;
    }

    /**
     * Do device and kernel have the feature?
     *
     * @return true if they do
     */
    default boolean featureSupported() {
        return true;
    }

    /**
     * Is the device in low power already?
     *
     * @return true if it is
     */
    default boolean lowPowerEngaged() {
        return false;
    }

    /**
     * Does the device have the state that it should go to?
     *
     * @return true if it has
     */
    default boolean migrationStateSupported() {
        return true;
    }

    /**
     * Can the device go there from where it is?
     *
     * @return true if it can
     */
    default boolean migrationStateReachable() {
        return true;
    }

    /**
     * How many ranges are to be logged?
     *
     * @return the number
     */
    default long loggedRanges() {
        return 1;
    }

    /**
     * How many ranges can be logged at most?
     *
     * @return the number
     */
    default long loggedRangesMost() {
        return Long.MAX_VALUE;
    }

    /**
     * Are the ranges that are to be logged whole pages?
     *
     * @return true if all are
     */
    default boolean loggedRangesAligned() {
        return true;
    }

    /**
     * Does a range that is to be logged reach the end of the address space?
     *
     * @return true if one does
     */
    default boolean loggedRangesWrap() {
        return false;
    }

    /**
     * Do the ranges that are to be logged overlap?
     *
     * @return true if two do
     */
    default boolean loggedRangesOverlap() {
        return false;
    }

    /**
     * How many parts of the BAR are to be shared?
     *
     * @return the number
     */
    default long sharedParts() {
        return 1;
    }

    /**
     * Is the region of which parts are to be shared a BAR that the device has?
     *
     * @return true if so
     */
    default boolean sharedBarPresent() {
        return true;
    }

    /**
     * Are the parts that are to be shared whole pages?
     *
     * @return true if all are
     */
    default boolean sharedPartsAligned() {
        return true;
    }

    /**
     * Does the first of the parts to be shared that is not inside the BAR reach over the top of all addresses, counted from
     * where the BAR is in the machine?
     *
     * @return true if it does
     */
    default boolean sharedPartsWrap() {
        return false;
    }

    /**
     * Are the parts that are to be shared inside the BAR?
     *
     * @return true if all are
     */
    default boolean sharedPartsInside() {
        return true;
    }

    /**
     * Does the kernel have the driver that is named?
     *
     * @return true if it has
     */
    default boolean driverLoaded() {
        return true;
    }

    /**
     * Is the driver that is named for the device?
     *
     * @return true if driver_override or else the driver's table of ids says so
     */
    default boolean driverMatches() {
        return true;
    }

    /**
     * Is the device that is to be bound bound to a driver already?
     *
     * @return true if it is
     */
    default boolean driverBound() {
        return false;
    }

    /**
     * Is the device that is to be unbound bound to the driver that is named?
     *
     * @return true if it is
     */
    default boolean boundToThisDriver() {
        return true;
    }

    /**
     * Is a host driver to get a member of a group that a program has?
     *
     * @return true if so
     */
    default boolean groupClaimed() {
        return false;
    }

    /**
     * Is the function a bridge, and to be given to a program?
     *
     * @return true if so
     */
    default boolean bridge() {
        return false;
    }

    /**
     * Has the function virtual functions, and is it to be given to a program?
     *
     * @return true if so
     */
    default boolean virtualFunctions() {
        return false;
    }

    /**
     * Is there a mediated device of the name that a new one is to have?
     *
     * @return true if so
     */
    default boolean mediatedNameTaken() {
        return false;
    }

    /**
     * Can the parent have one more mediated device, by the kernel's count?
     *
     * @return true if so
     */
    default boolean mediatedInstancesLeft() {
        return true;
    }

    /**
     * Has the driver of the parent enough left for a mediated device of the type?
     *
     * @return true if so
     */
    default boolean mediatedRoomLeft() {
        return true;
    }

    /**
     * Can the function have as many virtual functions as are asked for?
     *
     * @return true if so
     */
    default boolean virtualFunctionsFit() {
        return true;
    }

    /**
     * Does the driver of the function make virtual functions, or is there nothing to make?
     *
     * @return true if so
     */
    default boolean makesVirtualFunctions() {
        return true;
    }

    /**
     * Has the function virtual functions, and is it to have another number of them?
     *
     * @return true if so
     */
    default boolean virtualFunctionsMade() {
        return false;
    }

    /**
     * Does an IOMMU isolate the function, or is that waived?
     *
     * @return true if so
     */
    default boolean isolated() {
        return true;
    }

    /**
     * Has the host members of the group that nobody named, and is the group to be given to a program?
     *
     * @return true if so
     */
    default boolean hostDriversStay() {
        return false;
    }

    /**
     * Does this program have the device open?
     *
     * @return true if it has
     */
    default boolean deviceOpenHere() {
        return false;
    }

    /**
     * Was the device asked back?
     *
     * @return true from the request on
     */
    default boolean deviceRequested() {
        return false;
    }

    /**
     * Is the device accessible: opened through its group, or bound to an iommufd?
     *
     * @return true if it is
     */
    default boolean accessGranted() {
        return true;
    }

    /**
     * Is the file of the device one that its group gave?
     *
     * @return true if so
     */
    default boolean openedThroughGroup() {
        return false;
    }

    /**
     * Is a device of the group bound to an iommufd through its own file?
     *
     * @return true if so
     */
    default boolean groupBoundByDevice() {
        return false;
    }

    /**
     * Is the very file of the device bound to an iommufd?
     *
     * @return true if it is
     */
    default boolean deviceBound() {
        return false;
    }

    /**
     * Is the device bound to an iommufd through another file of it?
     *
     * @return true if so
     */
    default boolean deviceBoundElsewhere() {
        return false;
    }

    /**
     * Is the file at the descriptor that the operation names an iommufd?
     *
     * @return true if so
     */
    default boolean namedFileIsIommufd() {
        return true;
    }

    /**
     * Is the iommufd that should be the container one of groups of the other kind: behind an IOMMU, or behind none?
     *
     * @return true if so
     */
    default boolean iommufdOfOtherKind() {
        return false;
    }

    /**
     * Has an iommufd that stands in for a container its address space?
     *
     * @return true if it has
     */
    default boolean compatIoasExists() {
        return true;
    }

    /**
     * Is the device behind no IOMMU, and its group in an iommufd that does not give it to the program?
     *
     * @return true if so
     */
    default boolean compatRefused() {
        return false;
    }

    /**
     * Has the iommufd an object with the number that the operation names, and of the kind if only one will do?
     *
     * @return true if it has
     */
    default boolean objectKnown() {
        return true;
    }

    /**
     * Is that object of a kind that the operation takes?
     *
     * @return true if it is
     */
    default boolean objectFits() {
        return true;
    }

    /**
     * Does another object, or a file, use that object?
     *
     * @return true if so
     */
    default boolean objectInUse() {
        return false;
    }

    /**
     * Is another device of the group attached to another page table?
     *
     * @return true if so
     */
    default boolean groupAttachedElsewhere() {
        return false;
    }

    /**
     * Is everything that is mapped made of whole pages of what is to be used now?
     *
     * @return true if so
     */
    default boolean mappingsAligned() {
        return true;
    }

    /**
     * Has each of the ranges that are given a length, and do none overlap?
     *
     * @return true if so
     */
    default boolean rangesApart() {
        return true;
    }

    /**
     * Is there room for all ranges in what the program gave?
     *
     * @return true if there is
     */
    default boolean roomForRanges() {
        return true;
    }

    /**
     * Where does the range start that is copied?
     *
     * @return an IOVA
     */
    default long sourceIova() {
        return 0;
    }

    /**
     * Has the iommufd an address space with the number of the source?
     *
     * @return true if it has
     */
    default boolean sourceKnown() {
        return true;
    }

    /**
     * Is all of the range that is copied mapped?
     *
     * @return true if it is
     */
    default boolean sourceMapped() {
        return true;
    }

    /**
     * Was what is copied mapped for writing, or is the copy not?
     *
     * @return true if so
     */
    default boolean sourceWritable() {
        return true;
    }

    /**
     * Was the page table that another is to be nested in made for that?
     *
     * @return true if so, or if nothing is to be nested
     */
    default boolean parentMayNest() {
        return true;
    }

    /**
     * Does the driver of the device attach PASIDs?
     *
     * @return true if so
     */
    default boolean driverTakesPasids() {
        return true;
    }

    /**
     * Returns the PASID that is to be attached.
     *
     * @return the PASID
     */
    default int pasid() {
        return 1;
    }

    /**
     * Does the iommufd have the fault queue that is named?
     *
     * @return true if so, or if none is named
     */
    default boolean faultQueueKnown() {
        return true;
    }

    /**
     * Was the group of page faults that is answered read, and not answered yet?
     *
     * @return true if so
     */
    default boolean faultsUnanswered() {
        return true;
    }

    /**
     * Does the IOMMU of the device have virtual ones of the kind?
     *
     * @return true if so
     */
    default boolean viommuSupported() {
        return true;
    }

    /**
     * Does the iommufd have the virtual IOMMU that is named?
     *
     * @return true if so
     */
    default boolean viommuKnown() {
        return true;
    }

    /**
     * Is the device behind the IOMMU that the virtual one is a part of?
     *
     * @return true if so
     */
    default boolean deviceBehindViommu() {
        return true;
    }

    /**
     * Has a guest a number for the device?
     *
     * @return true if so
     */
    default boolean deviceIsVirtual() {
        return false;
    }

    /**
     * Is the number in the guest that of another device?
     *
     * @return true if so
     */
    default boolean virtualIdTaken() {
        return false;
    }

    /**
     * Has the guest of the page table's virtual IOMMU a number for the device?
     *
     * @return true if so, or if the page table is of no virtual IOMMU
     */
    default boolean deviceKnownToGuest() {
        return true;
    }

    /**
     * Is a queue for events as deep as the kernel makes them?
     *
     * @return true if so
     */
    default boolean eventQueueDepthFits() {
        return true;
    }

    /**
     * Has the virtual IOMMU a queue for events of the kind?
     *
     * @return true if so
     */
    default boolean eventQueueExists() {
        return false;
    }

    /**
     * Has the virtual IOMMU queues that the hardware takes commands from?
     *
     * @return true if so
     */
    default boolean hardwareQueuesSupported() {
        return true;
    }

    /**
     * Is the memory of a queue for the hardware mapped?
     *
     * @return true if so
     */
    default boolean queueMemoryMapped() {
        return true;
    }

    /**
     * Is there a queue for the hardware with the index?
     *
     * @return true if so
     */
    default boolean hardwareQueueTaken() {
        return false;
    }

    /**
     * Is there a queue for the hardware with the index before?
     *
     * @return true if so, or if the index is the first
     */
    default boolean hardwareQueueBeforeExists() {
        return true;
    }

    /**
     * Is memory that is to be unmapped that of a queue for the hardware?
     *
     * @return true if so
     */
    default boolean usedByHardwareQueue() {
        return false;
    }

    /**
     * Can the device have the page faults that the page table wants?
     *
     * @return true if so, or if the page table has no fault queue
     */
    default boolean pageRequestsSupported() {
        return true;
    }

    /**
     * Were the page table that a PASID is to be attached to, and the one that its device is attached to, made for that?
     *
     * @return true if so
     */
    default boolean tablesTakePasids() {
        return true;
    }

    /**
     * Does the device have the PASID, and the kernel the call?
     *
     * @return true if so
     */
    default boolean pasidSupported() {
        return true;
    }

    /**
     * Is all that is mapped memory of files?
     *
     * @return true if so
     */
    default boolean allMappedByFile() {
        return true;
    }

    /**
     * Does the kernel have the operation? Newer ones have more.
     *
     * @return true if so
     */
    default boolean operationKnown() {
        return true;
    }

    /**
     * Is every file that is to be pinned memory, and is the range in it? What is mapped is pinned once there is a page table.
     *
     * @return true if so
     */
    default boolean filesAreMemory() {
        return true;
    }

    /**
     * Does the dma-buf that is mapped have the range that is asked for, of one byte at least?
     *
     * @return true if so, or if what is mapped is no dma-buf
     */
    default boolean dmaBufHasRange() {
        return true;
    }

    /**
     * Is the dma-buf that is mapped one part of a BAR that vfio-pci shares?
     *
     * @return true if so, or if what is mapped is no dma-buf
     */
    default boolean dmaBufOfOnePart() {
        return true;
    }

    /**
     * Can the BAR that a dma-buf is of be reached? Its device is open, decodes memory and is not in low power.
     *
     * @return true if so, or if what is mapped is no dma-buf
     */
    default boolean dmaBufReachable() {
        return true;
    }

    /**
     * Does the program say at which IOVA to map? Otherwise the kernel chooses.
     *
     * @return true if so
     */
    default boolean iovaGiven() {
        return true;
    }

    /**
     * Is there a gap between the mappings that is large enough?
     *
     * @return true if there is
     */
    default boolean iovaFree() {
        return true;
    }

    /**
     * Is nothing mapped in the range?
     *
     * @return true if so
     */
    default boolean nothingMapped() {
        return false;
    }

    /**
     * If a mapping is to be cut, is that between pages?
     *
     * @return true if so
     */
    default boolean cutAligned() {
        return true;
    }

    /**
     * Has the iommufd no object?
     *
     * @return true if it has none
     */
    default boolean iommufdEmpty() {
        return true;
    }

    /**
     * May the program change limits on resources (CAP_SYS_RESOURCE)?
     *
     * @return true if it may
     */
    default boolean mayRaiseLimits() {
        return true;
    }

    /**
     * Has the option such a value?
     *
     * @return true if so
     */
    default boolean optionValueValid() {
        return true;
    }

    /**
     * If large pages are to be turned off: is nothing mapped for an attached device?
     *
     * @return true if so
     */
    default boolean largePagesUnused() {
        return true;
    }

    /**
     * Can the IOMMU have a page table that can do what is asked of it?
     *
     * @return true if it can
     */
    default boolean pageTableSupported() {
        return true;
    }

    /**
     * Was the page table made for tracking dirty pages?
     *
     * @return true if so
     */
    default boolean dirtyTrackingSupported() {
        return true;
    }

    /**
     * Is the range made of pages of the IOMMU and of the bitmap?
     *
     * @return true if so
     */
    default boolean dirtyRangeAligned() {
        return true;
    }

    /**
     * Is the device, which a hot reset starts from, bound to an iommufd?
     *
     * @return true if it is
     */
    default boolean hotResetByDevice() {
        return false;
    }

    /**
     * Is the kernel binding, unbinding or resetting the device?
     *
     * @return true while it is
     */
    default boolean deviceLocked() {
        return false;
    }

    // ---- screens

    /**
     * Does the device have a screen?
     *
     * @return true if so
     */
    default boolean screenPresent() {
        return true;
    }

    /**
     * Does the device show its pictures in the way that was asked for?
     *
     * @return true if so
     */
    default boolean planeWayOffered() {
        return true;
    }

    /**
     * Does the device hand out dma-bufs of what it shows?
     *
     * @return true if so
     */
    default boolean dmaBufsOffered() {
        return true;
    }

    /**
     * Does the device show a picture with the number that was given?
     *
     * @return true if so
     */
    default boolean dmaBufKnown() {
        return true;
    }

    /**
     * Was the dma-buf with that number opened already?
     *
     * @return true if so
     */
    default boolean dmaBufTaken() {
        return false;
    }
}
