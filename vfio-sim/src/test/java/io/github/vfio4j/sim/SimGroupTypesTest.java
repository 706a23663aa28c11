package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.Errnos.EBADFD;
import static io.github.vfio4j.sim.Errnos.EBUSY;
import static io.github.vfio4j.sim.Errnos.EEXIST;
import static io.github.vfio4j.sim.Errnos.EFAULT;
import static io.github.vfio4j.sim.Errnos.EINVAL;
import static io.github.vfio4j.sim.Errnos.ENODEV;
import static io.github.vfio4j.sim.Errnos.ENOENT;
import static io.github.vfio4j.sim.Errnos.ENOMEM;
import static io.github.vfio4j.sim.Errnos.ENOTTY;
import static io.github.vfio4j.sim.Errnos.EPERM;
import static io.github.vfio4j.sim.Errnos.ERANGE;
import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.vfio4j.IovaRange;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Groups behind different IOMMUs, of mediated devices, and without an IOMMU, in containers together and alone. */
class SimGroupTypesTest {
    private static final PciAddress REAL = PciAddress.parse("0000:01:00.0");
    private static final PciAddress OTHER = PciAddress.parse("0000:02:00.0");
    private static final PciAddress BARE = PciAddress.parse("0000:03:00.0");
    private static final UUID MTTY = UUID.fromString("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001");
    private static final int REAL_GROUP = 0;
    private static final int OTHER_GROUP = 1;
    private static final int MTTY_GROUP = 2;
    private static final int NESTING = 6;
    private static final int NOIOMMU = 8;
    private static final int DMA_CC = 4;
    private static final int UPDATE_VADDR = 10;
    private static final long PAGE = 4096;

    private SimMachine machine;
    private RawProcess p;
    private int container;

    SimGroupTypesTest() {
        use(SimMachine.builder());
    }

    private void use(SimMachine.Builder builder) {
        machine = builder.device(REAL, new TestModel(), REAL_GROUP, SimMachine.VFIO_PCI)
                .device(OTHER, new TestModel(), OTHER_GROUP, SimMachine.VFIO_PCI)
                .deviceWithoutIommu(BARE, new TestModel(), "")
                .mediatedDevice(MTTY, new MttyModel())
                .build();
        p = RawProcess.on(machine);
        container = p.openContainer();
    }

    private int join(int group) {
        int fd = check(p.openGroup(group));
        check(p.setContainer(fd, container));
        return fd;
    }

    private MemorySegment info() {
        MemorySegment info = p.memory(256);
        info.set(INT, 0, 256);
        check(p.ioctl(container, IOMMU_GET_INFO, info));
        return info;
    }

    /** The offset of a capability, or 0. */
    private static int capability(MemorySegment info, int id) {
        int at = info.get(INT, 16);
        while (at != 0 && info.get(SHORT, at) != id) {
            at = info.get(INT, at + 4);
        }
        return at;
    }

    // ---- mediated devices

    @ParameterizedTest
    @EnumSource
    void aGroupOfMediatedDevicesAlonePinsNothingAndHasNoLimits(KernelProfile kernel) {
        use(SimMachine.builder().kernel(kernel).interruptRemapping(false));
        int group = join(MTTY_GROUP);
        assertThat(p.setIommu(container, TYPE1V2)).isZero(); // its interrupts are nobody's concern
        MemorySegment info = info();
        assertThat(info.get(LONG, 8)).isEqualTo(-PAGE);
        assertThat(capability(info, 1)).isZero();
        assertThat(capability(info, 3)).isNotZero();
        assertThat(p.checkExtension(container, DMA_CC)).isEqualTo(1);
        assertThat(p.checkExtension(container, UPDATE_VADDR)).isZero();
        assertThat(p.map(container, 1L << 60, 0, PAGE, READ)).isZero(); // memory that is not there
        assertThat(p.map(container, 0xfee0_0000L, 0, PAGE, READ)).isZero();
        assertThat(p.process.pinnedBytes()).isZero();
        assertThat(p.unmap(container, 0, 0, UNMAP_VADDR)).isEqualTo(-EBUSY);
        assertThat(p.unmap(container, 0x10001, PAGE, UNMAP_VADDR)).isEqualTo(-EBUSY); // before it is looked at
        assertThat(p.unmap(container, 0, 0, UNMAP_ALL)).isEqualTo(2 * PAGE);
        assertThat(p.unsetContainer(group)).isZero();
    }

    @Test
    void aMappingOfEightTebibytesIsTooLargeToTrack() {
        use(SimMachine.builder());
        join(MTTY_GROUP);
        check(p.setIommu(container, TYPE1V2));
        long most = (1L << 31) - 1;
        check(p.map(container, 0, 0, (most + 1) * PAGE, READ));
        assertThat(p.dirtyPages(container, DIRTY_START)).isEqualTo(-EINVAL);
        assertThat(p.unmap(container, 0, 0, UNMAP_ALL)).isEqualTo((most + 1) * PAGE);
        check(p.dirtyPages(container, DIRTY_START));
        assertThat(p.map(container, 0, 0, (most + 1) * PAGE, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, 0, 0, -PAGE, READ)).isEqualTo(-EINVAL);
        assertThat(p.map(container, 0, 0, PAGE, READ)).isZero(); // nothing was left there
    }

    @Test
    void theLimitIsReachedBeforeAMappingIsTooLargeToTrack() {
        use(SimMachine.builder().iommu(OTHER_GROUP, new SimIommu(-1, 0x1000, true, List.of())));
        machine.allowGroup(OTHER_GROUP);
        RawProcess user = new RawProcess(machine.startUnprivilegedProcess());
        user.process.limitLockedMemory(PAGE);
        container = user.openContainer();
        check(user.setContainer(check(user.openGroup(OTHER_GROUP)), container));
        check(user.setIommu(container, TYPE1V2));
        check(user.dirtyPages(container, DIRTY_START));
        assertThat(user.map(container, 0, user.mmap(2 * PAGE), PAGE << 31, READ)).isEqualTo(-ENOMEM);
    }

    @Test
    void aMediatedDeviceIsReadAndWritten() {
        int group = join(MTTY_GROUP);
        assertThat(p.deviceFd(group, MTTY.toString())).isEqualTo(-EINVAL);
        check(p.setIommu(container, TYPE1V2));
        assertThat(p.deviceFd(group, MTTY + " ")).isEqualTo(-ENODEV); // the name as a whole
        int device = check(p.deviceFd(group, MTTY.toString()));
        MemorySegment identity = p.memory(4);
        assertThat(p.pread(device, identity, 7L << 40)).isEqualTo(4);
        assertThat(identity.get(INT, 0)).isEqualTo(0x3253_4348);
        assertThat(p.pread(device, p.memory(2), (7L << 40) + 0xfe)).isEqualTo(-EFAULT);
        assertThat(p.pread(device, p.memory(0), 8L << 40)).isZero();
        assertThat(p.unsetContainer(group)).isEqualTo(-EBUSY);
        check(p.close(device));
        assertThat(p.unsetContainer(group)).isZero();
    }

    @Test
    void nobodyOwnsTheDmaOfMediatedDevices() {
        int group = check(p.openGroup(MTTY_GROUP));
        assertThat(p.status(group)).isEqualTo(VIABLE);
        check(p.setContainer(group, container));
        assertThat(p.status(group)).isEqualTo(VIABLE | CONTAINER_SET);
    }

    @Test
    void whatWasMappedWithoutAnIommuIsPinnedWhenOneJoinsAndUnpinnedWhenItLeaves() {
        join(MTTY_GROUP);
        check(p.setIommu(container, TYPE1V2));
        long memory = p.mmap(4 * PAGE);
        check(p.map(container, 0x10000, memory, 4 * PAGE, READ));
        int real = join(REAL_GROUP);
        assertThat(p.process.pinnedBytes()).isEqualTo(4 * PAGE);
        assertThat(info().get(LONG, 8)).isEqualTo(0x4020_1000L);
        check(p.unsetContainer(real));
        assertThat(p.process.pinnedBytes()).isZero();
        MemorySegment info = info();
        assertThat(info.get(LONG, 8)).isEqualTo(-PAGE);
        int ranges = capability(info, 1); // now it is told: everything
        assertThat(info.get(INT, ranges + 8)).isEqualTo(1);
        assertThat(info.get(LONG, ranges + 16)).isZero();
        assertThat(info.get(LONG, ranges + 24)).isEqualTo(-1);
        assertThat(p.unmap(container, 0x10000, 4 * PAGE)).isEqualTo(4 * PAGE);
    }

    @ParameterizedTest
    @EnumSource
    void anIommuThatDoesNotReachOrCannotPinWhatIsMappedDoesNotJoin(KernelProfile kernel) {
        use(SimMachine.builder().kernel(kernel));
        join(MTTY_GROUP);
        check(p.setIommu(container, TYPE1V2));
        int real = check(p.openGroup(REAL_GROUP));
        long memory = p.mmap(PAGE);
        check(p.map(container, 1L << 40, memory, PAGE, READ));
        assertThat(p.setContainer(real, container)).isEqualTo(kernel == KernelProfile.V7_2 ? -ERANGE : -EFAULT);
        check((int) p.unmap(container, 0, 0, UNMAP_ALL));
        check(p.map(container, 0xfee0_0000L, memory, PAGE, READ));
        assertThat(p.setContainer(real, container)).isEqualTo(-EINVAL); // the window of interrupts
        check((int) p.unmap(container, 0, 0, UNMAP_ALL));
        check(p.map(container, 0x10000, 0, PAGE, READ));
        assertThat(p.setContainer(real, container)).isEqualTo(-EFAULT);
        check((int) p.unmap(container, 0, 0, UNMAP_ALL));
        assertThat(p.status(real)).isEqualTo(VIABLE);
        assertThat(p.setContainer(real, container)).isZero();
    }

    @Test
    void aPlatformThatCannotIsolateInterruptsLetsNoIommuJoin() {
        SimIommu nothing = new SimIommu(-1, 0x1000, true, List.of(new IovaRange(0, -1)));
        use(SimMachine.builder().interruptRemapping(false).iommu(OTHER_GROUP, nothing));
        join(MTTY_GROUP);
        check(p.setIommu(container, TYPE1V2));
        int other = check(p.openGroup(OTHER_GROUP));
        assertThat(p.setContainer(other, container)).isEqualTo(-EINVAL); // nothing is left; that is found before
        int real = check(p.openGroup(REAL_GROUP));
        assertThat(p.setContainer(real, container)).isEqualTo(-EPERM);
        check(p.map(container, 0x10000, 0, PAGE, READ));
        assertThat(p.setContainer(real, container)).isEqualTo(-EPERM); // before memory that is not there is pinned
    }

    @Test
    void whatIsPinnedForAnotherCountsAgainstTheLimitsOfBoth() {
        machine.allowGroup(MTTY_GROUP);
        RawProcess user = new RawProcess(machine.startUnprivilegedProcess());
        user.process.limitLockedMemory(PAGE);
        container = user.openContainer();
        int mtty = check(user.openGroup(MTTY_GROUP));
        check(user.setContainer(mtty, container));
        check(user.setIommu(container, TYPE1V2));
        check(user.map(container, 0x10000, user.mmap(2 * PAGE), 2 * PAGE, READ));
        machine.allowGroup(REAL_GROUP);
        int real = check(user.openGroup(REAL_GROUP));
        assertThat(user.setContainer(real, container)).isEqualTo(-ENOMEM);
        check((int) user.unmap(container, 0, 0, UNMAP_ALL));
        check(user.map(container, 1L << 40, user.mmap(2 * PAGE), 2 * PAGE, READ)); // and beyond reach
        assertThat(user.setContainer(real, container)).isEqualTo(-ENOMEM);
        check((int) user.unmap(container, 0, 0, UNMAP_ALL));
        check(user.map(container, 0x10000, user.mmap(PAGE), 2 * PAGE, READ)); // the page at the limit is none
        assertThat(user.setContainer(real, container)).isEqualTo(-EFAULT);
        check((int) user.unmap(container, 0, 0, UNMAP_ALL));
        check(user.map(container, 0x10000, user.mmap(2 * PAGE), 2 * PAGE, READ));
        user.process.limitLockedMemory(2 * PAGE);
        assertThat(user.setContainer(real, container)).isZero();
        assertThat(user.process.pinnedBytes()).isEqualTo(2 * PAGE);
    }

    @Test
    void pagesThatNobodyWroteAreCleanWithoutAnIommu() {
        join(MTTY_GROUP);
        check(p.setIommu(container, TYPE1V2));
        long bitmap = p.mmap(PAGE);
        check(p.map(container, 0x10000, p.mmap(3 * PAGE), 3 * PAGE, WRITE));
        check(p.dirtyPages(container, DIRTY_START));
        check(p.getDirty(container, 0x10000, 3 * PAGE, PAGE, 8, bitmap));
        assertThat(p.at(bitmap).get(LONG, 0)).isZero();
        int real = join(REAL_GROUP);
        check(p.getDirty(container, 0x10000, 3 * PAGE, PAGE, 8, bitmap));
        assertThat(p.at(bitmap).get(LONG, 0)).isEqualTo(7);
        check(p.unsetContainer(real)); // it may have written until now
        check(p.getDirty(container, 0x10000, 3 * PAGE, PAGE, 8, bitmap));
        assertThat(p.at(bitmap).get(LONG, 0)).isEqualTo(7);
        check(p.getDirty(container, 0x10000, 3 * PAGE, PAGE, 8, bitmap));
        assertThat(p.at(bitmap).get(LONG, 0)).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void theVeryTopIsLostOnOlderKernels(KernelProfile kernel) {
        use(SimMachine.builder().kernel(kernel));
        boolean lost = kernel != KernelProfile.V7_2;
        join(MTTY_GROUP);
        check(p.setIommu(container, TYPE1V2));
        check(p.map(container, -PAGE, 0, PAGE, READ));
        assertThat(p.map(container, -PAGE, 0, PAGE, READ)).isEqualTo(lost ? 0 : -EEXIST);
        assertThat(p.map(container, -2 * PAGE, 0, 2 * PAGE, READ)).isEqualTo(lost ? 0 : -EEXIST);
        assertThat(p.unmap(container, -PAGE, PAGE)).isEqualTo(lost ? 0 : PAGE);
        assertThat(p.unmap(container, 0, 0, UNMAP_ALL)).isEqualTo(lost ? 4 * PAGE : 0);
    }

    @ParameterizedTest
    @EnumSource
    void onlyAnIommuRefusesToNest(KernelProfile kernel) {
        use(SimMachine.builder().kernel(kernel));
        join(MTTY_GROUP);
        boolean offered = kernel != KernelProfile.V7_2;
        assertThat(p.setIommu(container, NESTING)).isEqualTo(offered ? 0 : -ENODEV);
        int real = p.openGroup(REAL_GROUP);
        assertThat(p.setContainer(real, container)).isEqualTo(offered ? -EINVAL : 0);
    }

    // ---- different IOMMUs

    @Test
    void severalIommusLeaveWhatAllOfThemReach() {
        SimIommu small = new SimIommu(0xffff_ffffL, 0x1000, true, List.of(new IovaRange(0x8000, 0x8fff)));
        use(SimMachine.builder().iommu(OTHER_GROUP, small));
        int real = join(REAL_GROUP);
        int other = join(OTHER_GROUP);
        check(p.setIommu(container, TYPE1V2));
        MemorySegment info = info();
        assertThat(info.get(LONG, 8)).isEqualTo(0x1000);
        int ranges = capability(info, 1);
        assertThat(info.get(INT, ranges + 8)).isEqualTo(3);
        assertThat(info.get(LONG, ranges + 24)).isEqualTo(0x7fff);
        assertThat(info.get(LONG, ranges + 32)).isEqualTo(0x9000);
        assertThat(info.get(LONG, ranges + 56)).isEqualTo(0xffff_ffffL);
        assertThat(p.checkExtension(container, DMA_CC)).isZero();
        check(p.unsetContainer(real));
        assertThat(p.checkExtension(container, DMA_CC)).isEqualTo(1);
        assertThat(info().get(INT, capability(info(), 1) + 8)).isEqualTo(2);
        assertThat(p.unsetContainer(other)).isZero();
    }

    @Test
    void anIommuThatReachesLessThanIsMappedDoesNotJoin() {
        SimIommu small = new SimIommu(0xffff_ffffL, 0x1000, false, List.of());
        use(SimMachine.builder().iommu(OTHER_GROUP, small));
        join(REAL_GROUP);
        check(p.setIommu(container, TYPE1V2));
        int other = check(p.openGroup(OTHER_GROUP));
        check(p.map(container, 0x1_0000_0000L, p.mmap(PAGE), PAGE, READ));
        assertThat(p.setContainer(other, container)).isEqualTo(-EINVAL);
        check((int) p.unmap(container, 0, 0, UNMAP_ALL));
        assertThat(p.setContainer(other, container)).isZero();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whereNothingIsLeftNoIommuIsSet(boolean remapping) {
        SimIommu nothing = new SimIommu(0xffff, 0x1000, false, List.of(new IovaRange(0, 0xffff)));
        use(SimMachine.builder().iommu(OTHER_GROUP, nothing).interruptRemapping(remapping));
        join(OTHER_GROUP);
        assertThat(p.setIommu(container, TYPE1V2)).isEqualTo(-EINVAL); // before interrupts are looked at
    }

    @Test
    void anIommuThatLeavesNothingDoesNotJoin() {
        SimIommu nothing = new SimIommu(-1, 0x1000, true, List.of(new IovaRange(0, -1)));
        use(SimMachine.builder().iommu(OTHER_GROUP, nothing));
        join(REAL_GROUP);
        check(p.setIommu(container, TYPE1V2));
        int other = check(p.openGroup(OTHER_GROUP));
        assertThat(p.setContainer(other, container)).isEqualTo(-EINVAL);
    }

    // ---- no IOMMU

    private int bare() {
        use(SimMachine.builder().allowNoIommu(true));
        machine.bind(BARE, SimMachine.VFIO_PCI);
        return check(p.open("/dev/vfio/noiommu-3"));
    }

    @Test
    void aFunctionWithoutAnIommuIsNotBoundUnlessThatIsAllowed() {
        assertThatIllegalStateException().isThrownBy(() -> machine.bind(BARE, SimMachine.VFIO_PCI))
                .withMessageContaining("EINVAL");
        machine.bind(BARE, "e1000");
        use(SimMachine.builder().allowNoIommu(true));
        machine.bind(BARE, SimMachine.VFIO_PCI);
        assertThat(p.open("/dev/vfio/3")).isEqualTo(-ENOENT);
        check(p.close(check(p.open("/dev/vfio/noiommu-3"))));
        machine.unbind(BARE);
        assertThat(p.open("/dev/vfio/noiommu-3")).isEqualTo(-ENOENT);
    }

    @Test
    void aContainerIsOfOneKind() {
        int bare = bare();
        join(REAL_GROUP);
        assertThat(p.setContainer(bare, container)).isEqualTo(-EPERM);
        int second = p.openContainer();
        assertThat(p.setContainer(bare, second)).isZero();
        assertThat(p.setContainer(check(p.openGroup(OTHER_GROUP)), second)).isEqualTo(-EPERM);
        assertThat(p.setContainer(check(p.openGroup(MTTY_GROUP)), second)).isEqualTo(-EPERM);
    }

    @Test
    void withoutAnIommuNothingIsTranslated() {
        int bare = bare();
        assertThat(p.checkExtension(container, NOIOMMU)).isEqualTo(1); // an empty container has both
        assertThat(p.checkExtension(container, TYPE1)).isEqualTo(1);
        check(p.setContainer(bare, container));
        assertThat(p.checkExtension(container, NOIOMMU)).isEqualTo(1);
        assertThat(p.checkExtension(container, TYPE1)).isZero();
        assertThat(p.setIommu(container, TYPE1V2)).isEqualTo(-ENODEV);
        assertThat(p.deviceFd(bare, BARE.toString())).isEqualTo(-EINVAL);
        assertThat(p.setIommu(container, NOIOMMU)).isZero();
        assertThat(p.setIommu(container, NOIOMMU)).isEqualTo(-EINVAL);
        assertThat(p.ioctl(container, IOMMU_GET_INFO, p.memory(1))).isEqualTo(-ENOTTY);
        assertThat(p.map(container, 0, 0, PAGE, READ)).isEqualTo(-ENOTTY);
        assertThat(p.unmap(container, 0, PAGE)).isEqualTo(-ENOTTY);
        assertThat(p.dirtyPages(container, DIRTY_START)).isEqualTo(-ENOTTY);
        assertThat(p.ioctl(container, 0x3b99, 0)).isEqualTo(-ENOTTY);
        int device = check(p.deviceFd(bare, BARE.toString()));
        assertThat(p.unsetContainer(bare)).isEqualTo(-EBUSY);
        check(p.close(device));
        assertThat(p.unsetContainer(bare)).isZero();
        assertThat(p.map(container, 0, 0, PAGE, READ)).isEqualTo(-EINVAL); // as new
    }

    @Test
    void aGroupWithAnIommuCannotGoWithoutIt() {
        use(SimMachine.builder().allowNoIommu(true));
        join(REAL_GROUP);
        assertThat(p.checkExtension(container, NOIOMMU)).isZero();
        assertThat(p.setIommu(container, NOIOMMU)).isEqualTo(-ENODEV);
    }

    @ParameterizedTest
    @EnumSource
    void eachStepWithoutAnIommuTakesAPrivilege(KernelProfile kernel) {
        use(SimMachine.builder().kernel(kernel).allowNoIommu(true));
        machine.bind(BARE, SimMachine.VFIO_PCI);
        machine.allowGroup(3);
        RawProcess user = new RawProcess(machine.startUnprivilegedProcess());
        assertThat(user.open("/dev/vfio/noiommu-3")).isEqualTo(-EPERM);

        int bare = check(p.open("/dev/vfio/noiommu-3"));
        assertThat(user.open("/dev/vfio/noiommu-3")).isEqualTo(-EPERM); // before it is looked whether it is open
        check(p.setContainer(bare, container));
        check(p.setIommu(container, NOIOMMU));
        int device = check(p.deviceFd(bare, BARE.toString()));
        p.process.dropRawIo();
        int again = p.deviceFd(bare, BARE.toString());
        assertThat(again).isEqualTo(kernel.isBefore(KernelProfile.V6_12) ? -EPERM : device + 1); // newer ask once
        if (again >= 0) {
            check(p.close(again));
        }
        check(p.close(device));
        assertThat(p.deviceFd(bare, BARE.toString())).isEqualTo(-EPERM);
        check(p.unsetContainer(bare));
        assertThat(p.setContainer(bare, container)).isEqualTo(-EPERM);
        assertThat(p.setContainer(bare, p.openContainer())).isEqualTo(-EPERM);
        assertThat(p.setContainer(bare, bare)).isEqualTo(kernel.isBefore(KernelProfile.V6_12) ? -EINVAL : -EBADFD);
        VfioGroup group = machine.vfioGroups().stream()
                .filter(each -> each.iommuGroup().type == GroupType.NO_IOMMU)
                .findFirst()
                .orElseThrow();
        check(p.close(bare));
        machine.unbind(BARE);
        assertThatExceptionOfType(KernelError.class) // it ends while it is opened
                .isThrownBy(() -> GroupFile.open(machine, user.process, group))
                .returns(ENODEV, KernelError::errno);
    }

    @Test
    void settingNoIommuTakesAPrivilege() {
        int bare = bare();
        check(p.setContainer(bare, container));
        p.process.dropRawIo();
        assertThat(p.deviceFd(bare, BARE.toString())).isEqualTo(-EINVAL); // nothing is set yet
        assertThat(p.setIommu(container, NOIOMMU)).isEqualTo(-EPERM);
    }
}
