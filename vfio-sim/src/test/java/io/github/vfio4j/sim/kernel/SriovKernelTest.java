package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.AffectedDevice;
import io.github.vfio4j.Binder;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceFeature;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.HandoverListener;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Type1;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.gen.vfio_device_bind_iommufd;
import io.github.vfio4j.ffm.gen.vfio_h;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A physical function of vfio-pci, its virtual ones, and the token that both are opened with. The physical one is open before
 * the virtual ones are made: its first open and its last close reset it, and QEMU's does not get them back after that.
 */
class SriovKernelTest extends KernelTest {
    private static final int SECONDS = 60;
    private static final int NOT_OPEN = 1000; // a descriptor
    private static final String ALLOWED = "/sys/module/vfio_pci/parameters/enable_sriov";
    private static final UUID TOKEN = UUID.fromString("2ab74924-c335-45f4-9b16-8569e5b082f0");
    private static final UUID ANOTHER = UUID.fromString("08b4ab0b-2ef0-4a08-8a5f-7c2f5b0ad6a1");

    private final PciAddress physical = physicalFunction();
    private final Binder binder = vfio.binder();
    private final List<Device> virtualOnes = new ArrayList<>();
    private final Container container = vfio.openContainer();
    private Group group;
    private Type1 iommu;
    private Device device;
    private PciAddress virtual;

    /** The physical one; another kind of it has the same tests. */
    PciAddress physicalFunction() {
        return machine.physicalFunction();
    }

    @BeforeEach
    void makeTwo() {
        group = openGroupOf(physical);
        container.attach(group);
        iommu = container.setIommu(IommuType.TYPE1_V2);
        device = iommu.openDevice(group, physical, TOKEN);
        List<PciAddress> made = binder.setVirtualFunctions(physical, 2);
        assertThat(made).hasSize(2);
        virtual = made.getFirst();
    }

    @AfterEach
    void removeThem() {
        virtualOnes.forEach(Device::close);
        binder.setVirtualFunctions(physical, 0);
    }

    // ---- making them

    @Test
    void vfioPciGetsTheVirtualFunctionsOfItsPhysicalOnesEachInAGroupOfItsOwn() {
        List<PciDevice> made = binder.virtualFunctions(physical).stream().map(vfio::pciDevice).toList();
        assertThat(made).extracting(PciDevice::driver).containsOnly(Optional.of("vfio-pci"));
        assertThat(made).extracting(PciDevice::iommuGroup).doesNotHaveDuplicates();
    }

    @Test
    void asManyAsThereAreIsNoChange() {
        List<PciAddress> before = binder.virtualFunctions(physical);
        assertThat(binder.setVirtualFunctions(physical, 2)).isEqualTo(before);
    }

    @Test
    void noneAreLeftOnceTheyAreRemoved() {
        assertThat(binder.setVirtualFunctions(physical, 0)).isEmpty();
        assertThatThrownBy(() -> vfio.pciDevice(virtual)).hasMessageContaining("ENOENT");
    }

    @Test
    void moreThanThereCanBeAreNotMade() throws SysFs.Failure {
        int tooMany = 1 + Integer.parseInt(machine.sysfs().read("/sys/bus/pci/devices/" + physical + "/sriov_totalvfs"));
        assertThat(refusalOfWriting(Integer.toString(tooMany))).isEqualTo(Errno.ERANGE);
        assertRefused(Rule.SRIOV_TOTAL, () -> binder.setVirtualFunctions(physical, tooMany));
        assertRefused(Rule.SRIOV_TOTAL, () -> binder.setVirtualFunctions(machine.loner(), 1));
    }

    @Test
    void anotherNumberIsMadeOnceThereAreNone() {
        assertThat(refusalOfWriting("1")).isEqualTo(Errno.EBUSY);
        assertRefused(Rule.SRIOV_NONE, () -> binder.setVirtualFunctions(physical, 1));
        binder.setVirtualFunctions(physical, 0);
        assertThat(binder.setVirtualFunctions(physical, 1)).containsExactly(virtual);
    }

    @Test
    void aFunctionWithoutADriverMakesNone() {
        binder.setVirtualFunctions(physical, 0);
        device.close();
        group.close();
        machine.unbind(physical);
        try {
            VfioException e =
                    catchThrowableOfType(VfioException.class, () -> binder.setVirtualFunctions(physical, 1));
            assertThat(e.errno()).isEqualTo(Errno.ENOENT);
            assertThat(e.rule()).contains(Rule.SRIOV_DRIVER);
        } finally {
            machine.bindToVfio(physical);
        }
    }

    @Test
    void vfioPciMakesAndRemovesNoneWithoutItsParameter() throws SysFs.Failure {
        machine.sysfs().write(ALLOWED, "N");
        try {
            assertThat(refusalOfWriting("1000")).isEqualTo(Errno.ERANGE);
            assertThat(refusalOfWriting("1")).isEqualTo(Errno.EBUSY); // before the driver is asked
            VfioException e =
                    catchThrowableOfType(VfioException.class, () -> binder.setVirtualFunctions(physical, 0));
            assertThat(e.errno()).isEqualTo(Errno.ENOENT);
            assertThat(e.rule()).contains(Rule.SRIOV_DRIVER);
        } finally {
            machine.sysfs().write(ALLOWED, "Y");
        }
    }

    private Errno refusalOfWriting(String number) {
        SysFs.Failure failure = catchThrowableOfType(
                SysFs.Failure.class,
                () -> machine.sysfs().write("/sys/bus/pci/devices/" + physical + "/sriov_numvfs", number));
        return new Errno(failure.errno);
    }

    @Test
    void aVirtualFunctionThatIsRemovedIsAskedBackFromItsProgram() throws Exception {
        Device one = open(virtual, TOKEN);
        BlockingQueue<PciAddress> asked = new LinkedBlockingQueue<>();
        one.onRequest(Duration.ofSeconds(SECONDS), _ -> asked.add(virtual));
        CompletableFuture<List<PciAddress>> removing =
                CompletableFuture.supplyAsync(() -> binder.setVirtualFunctions(physical, 0));
        assertThat(asked.poll(SECONDS, TimeUnit.SECONDS)).isEqualTo(virtual);
        assertThat(removing).isNotDone();
        one.close();
        assertThat(removing.get(SECONDS, TimeUnit.SECONDS)).isEmpty();
    }

    // ---- the token

    @Test
    void aVirtualFunctionIsOpenedWithTheTokenOfThePhysicalOne() {
        assertThat(open(virtual, TOKEN).info().regions()).isPositive();
    }

    @Test
    void aVirtualFunctionIsNotOpenedWithAnotherTokenOrNone() {
        assertNeedsToken(() -> open(virtual, ANOTHER));
        assertNeedsToken(() -> open(virtual, null));
    }

    @Test
    void theTokenStaysWhenThePhysicalFunctionIsClosed() {
        device.close();
        assertNeedsToken(() -> open(virtual, ANOTHER));
        makeAnew();
        open(virtual, TOKEN);
    }

    @Test
    void theProgramOfThePhysicalFunctionChangesTheToken() {
        assertThat(device.features().has(DeviceFeature.PCI_VF_TOKEN)).isTrue();
        device.features().setVfToken(ANOTHER);
        assertNeedsToken(() -> open(virtual, TOKEN));
        open(virtual, ANOTHER);
    }

    @Test
    void aPhysicalFunctionWithAVirtualOneInUseIsOpenedWithItsToken() {
        open(virtual, TOKEN);
        assertNeedsToken(() -> iommu.openDevice(group, physical));
        assertNeedsToken(() -> iommu.openDevice(group, physical, ANOTHER));
        iommu.openDevice(group, physical, TOKEN).close();
    }

    @Test
    void aPhysicalFunctionWithoutVirtualOnesInUseIsOpenedWithAnyTokenAndTakesIt() {
        open(virtual, TOKEN).close();
        iommu.openDevice(group, physical).close();
        iommu.openDevice(group, physical, ANOTHER).close();
        assertNeedsToken(() -> open(virtual, TOKEN));
        open(virtual, ANOTHER);
    }

    private void makeAnew() {
        binder.setVirtualFunctions(physical, 0);
        binder.setVirtualFunctions(physical, 2);
    }

    @Test
    void aDeviceThatIsNoneOfBothTakesNoToken() {
        VfioException e = catchThrowableOfType(VfioException.class, () -> open(machine.loner(), TOKEN));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(e).hasMessageContaining(Rule.DEVICE_TOKEN_TAKEN.broken());
    }

    @Test
    void aGroupThatComesFromAnotherProcessTakesTheTokenToo() {
        String address = machine.socketAddress();
        try (MachineUnderTest.Peer peer = machine.startPeer();
                HandoverListener listener = vfio.listen(address);
                Container own = vfio.openContainer();
                Group sent = openGroupOf(virtual)) {
            assertThat(peer.ask("connect " + address)).isEqualTo("done");
            own.attach(sent);
            own.setIommu(IommuType.TYPE1_V2);
            listener.accept().send(sent);
            peer.ask("group");
            assertThat(peer.ask("open " + virtual)).endsWith("EACCES");
            assertThat(peer.ask("open-with %s %s".formatted(virtual, ANOTHER))).endsWith("EACCES");
            assertThat(peer.ask("open-with %s %s".formatted(virtual, TOKEN))).isEqualTo("done");
        }
    }

    private void assertNeedsToken(ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e.errno()).isEqualTo(Errno.EACCES);
        assertThat(e.rule()).contains(Rule.DEVICE_TOKEN);
    }

    private Device open(PciAddress address, UUID token) {
        return opened(
                token == null
                        ? vfio.openDevice(address, OpenedBy.GROUP)
                        : vfio.openDevice(address, OpenedBy.GROUP, token));
    }

    private Device opened(Device one) {
        virtualOnes.add(one);
        return one;
    }

    // ---- by its own node

    @Test
    void byItsOwnNodeAVirtualFunctionNeedsATokenOnlyWhereTheKernelTakesOneThere() {
        assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        if (takesTokensByNode()) {
            assertNeedsTokenByNode(() -> vfio.openDevice(virtual, OpenedBy.CDEV, ANOTHER));
            assertNeedsTokenByNode(() -> vfio.openDevice(virtual, OpenedBy.CDEV));
            opened(vfio.openDevice(virtual, OpenedBy.CDEV, TOKEN));
        } else {
            VfioException e = catchThrowableOfType(
                    VfioException.class, () -> vfio.openDevice(virtual, OpenedBy.CDEV, TOKEN));
            assertThat(e.errno()).isEqualTo(Errno.EINVAL);
            opened(vfio.openDevice(virtual, OpenedBy.CDEV));
        }
    }

    @Test
    void byItsOwnNodeAPhysicalFunctionChoosesTheToken() {
        assumeTrue(machine.hasIommufd() && takesTokensByNode(), "this kernel takes no token there");
        device.close();
        group.close();
        vfio.openDevice(physical, OpenedBy.CDEV, ANOTHER);
        makeAnew();
        assertNeedsTokenByNode(() -> vfio.openDevice(virtual, OpenedBy.CDEV, TOKEN));
        open(virtual, ANOTHER);
    }

    @Test
    void byItsOwnNodeADeviceThatIsNoneOfBothTakesNoToken() {
        assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> vfio.openDevice(machine.loner(), OpenedBy.CDEV, TOKEN));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        if (takesTokensByNode()) {
            assertThat(e).hasMessageContaining(Rule.BIND_IOMMUFD_TOKEN_TAKEN.broken());
        }
    }

    @Test
    void byItsOwnNodeAHotResetNamesTheDevicesOfOthers() {
        assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        Device one = opened(
                takesTokensByNode()
                        ? vfio.openDevice(virtual, OpenedBy.CDEV, TOKEN)
                        : vfio.openDevice(virtual, OpenedBy.CDEV));
        assertThat(one.affectedByHotReset())
                .filteredOn(affected -> affected.address().equals(physical))
                .extracting(AffectedDevice::owned)
                .containsExactly(Optional.of(false));
        assertThat(assertRefused(Rule.HOT_RESET_OWNED, one::hotReset)).hasMessageContaining(physical + ", which is not ours");
    }

    @Test
    void byItsOwnNodeTheTokenIsLookedAtBeforeTheIommufd() {
        assumeTrue(machine.hasIommufd() && takesTokensByNode(), "this kernel takes no token there");
        Syscalls calls = machine.syscalls();
        Frame frame = new Frame();
        String node = machine.kernel().deviceNode(virtual.toString()).orElseThrow();
        int fd = calls.open(frame, node, Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        try {
            long size = vfio_device_bind_iommufd.sizeof();
            vfio_device_bind_iommufd.argsz(frame.arg, (int) size);
            vfio_device_bind_iommufd.flags(frame.arg, vfio_h.VFIO_DEVICE_BIND_FLAG_TOKEN());
            vfio_device_bind_iommufd.iommufd(frame.arg, NOT_OPEN);
            vfio_device_bind_iommufd.token_uuid_ptr(frame.arg, frame.arg.address() + size);
            assertThat(calls.ioctl(frame, fd, vfio_h.VFIO_DEVICE_BIND_IOMMUFD(), frame.arg))
                    .isEqualTo(-Errno.EACCES.number());
        } finally {
            calls.close(frame, fd);
        }
    }

    /** Asks the kernel, with a token that is wrong in any case: who knows none says so first. */
    private boolean takesTokensByNode() {
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> vfio.openDevice(virtual, OpenedBy.CDEV, UUID.randomUUID()));
        return e.errno().equals(Errno.EACCES);
    }

    private void assertNeedsTokenByNode(ThrowingCallable call) {
        VfioException e = catchThrowableOfType(VfioException.class, call);
        assertThat(e.errno()).isEqualTo(Errno.EACCES);
        assertThat(e.rule()).contains(Rule.BIND_IOMMUFD_TOKEN);
    }
}
