package io.github.vfio4j.sim.kernel;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.Errno;
import io.github.vfio4j.FaultQueue;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.Hwpt;
import io.github.vfio4j.HwptFlag;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.Viommu;
import io.github.vfio4j.ViommuType;
import io.github.vfio4j.VirtualEventType;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.ffm.gen.iommu_hwpt_alloc;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.IommufdPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Method;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What an iommufd makes is gone again when the kernel cannot write its number where the program wants it. */
class UntoldObjectKernelTest extends KernelTest {
    private static final int PAGE = 4096;
    private static final long MEMORY = 0x200_0000;
    private static final long NUMBER = 0x99; // of the device, in the guest
    private static final GuestPageTable TABLE = new GuestPageTable.ArmSmmuV3(1, 0);

    private final Syscalls calls = MockIommu.proxy(Syscalls.class, this::call);
    private int request; // whose struct lies in memory of its own; 0 for none
    private int access; // that the program has to this memory

    private MockIommu mock;
    private Iommufd iommufd;
    private Device device;
    private Ioas ioas;
    private Hwpt parent;

    @BeforeEach
    void openAll() {
        Assumptions.assumeTrue(machine.hasIommufd(), "this kernel has no iommufd");
        mock = new MockIommu(calls, machine.sysfs(), Notes.linux());
        Assumptions.assumeTrue(mock.isPresent(), "this kernel has no device to test iommufd with");
        iommufd = mock.vfio().openIommufd();
        device = mock.open(iommufd).device;
        ioas = iommufd.allocateIoas();
        parent = ioas.allocateHwpt(device, HwptFlag.NEST_PARENT);
    }

    @AfterEach
    void closeAll() {
        if (mock != null) {
            mock.vfio().close();
        }
    }

    private Object call(Method method, Object[] arguments) throws Throwable {
        if (method.getName().equals("ioctl")
                && (int) arguments[2] == request
                && arguments[3] instanceof MemorySegment struct) {
            return apart((Frame) arguments[0], (int) arguments[1], struct);
        }
        return MockIommu.pass(machine.syscalls(), method, arguments);
    }

    /** Calls with a copy of the struct, which another mapping of the same memory is for. */
    private int apart(Frame frame, int fd, MemorySegment struct) {
        Syscalls kernel = machine.syscalls();
        int file = kernel.memfdCreate(new Frame(), "struct", Syscalls.MFD_CLOEXEC);
        assertThat(kernel.fallocate(new Frame(), file, 0, PAGE)).isZero();
        long place = map(file, access);
        long written = map(file, Syscalls.PROT_READ | Syscalls.PROT_WRITE);
        MemorySegment copy = machine.kernel().view(written, PAGE, Arena.ofAuto());
        copy.copyFrom(struct);
        if (request == IOMMU_HWPT_ALLOC() && iommu_hwpt_alloc.data_uptr(struct) != 0) {
            long inside = iommu_hwpt_alloc.data_uptr(struct) - struct.address(); // data, which lies behind the struct
            copy.set(JAVA_LONG, iommu_hwpt_alloc.data_uptr$offset(), place + inside);
        }
        kernel.munmap(new Frame(), written, PAGE);
        int result = kernel.ioctl(frame, fd, request, place);
        kernel.munmap(new Frame(), place, PAGE);
        kernel.close(new Frame(), file);
        return result;
    }

    private long map(int file, int protection) {
        long address = machine.syscalls().mmap(new Frame(), PAGE, protection, Syscalls.MAP_SHARED, file, 0);
        assertThat(address).isPositive();
        return address;
    }

    /** Has the kernel make something, and not tell its number. */
    private void untold(int request, ThrowingCallable call) {
        fault(request, Syscalls.PROT_READ, call);
    }

    private void fault(int request, int access, ThrowingCallable call) {
        this.request = request;
        this.access = access;
        VfioException e = catchThrowableOfType(VfioException.class, call);
        this.request = 0;
        assertThat(e).isNotNull();
        assertThat(e.errno()).isEqualTo(Errno.EFAULT);
    }

    private IommufdPort port() {
        return new FfmKernel("without rules", calls, machine.sysfs(), Notes.linux()).openIommufd();
    }

    @Test
    void ofAnAddressSpaceTheNumberIsFreeAgain() {
        IommufdPort port = port();
        untold(IOMMU_IOAS_ALLOC(), port::allocateIoas);
        assertThat(port.allocateIoas()).isEqualTo(1);
        port.close();
    }

    @Test
    void ofAFaultQueueTheNumberIsFreeAgain() {
        IommufdPort port = port();
        untold(IOMMU_FAULT_QUEUE_ALLOC(), port::allocateFaultQueue);
        assertThat(port.allocateIoas()).isEqualTo(1);
        port.close();
    }

    @Test
    void whatCannotBeReadEither() {
        IommufdPort port = port();
        fault(IOMMU_IOAS_ALLOC(), 0, port::allocateIoas);
        assertThat(port.allocateIoas()).isEqualTo(1);
        port.close();
    }

    @Test
    void aPageTableDoesNotUseItsAddressSpace() {
        untold(IOMMU_HWPT_ALLOC(), () -> ioas.allocateHwpt(device));
        ioas.close();
    }

    @Test
    void aGuestsPageTableUsesNeitherTheOtherNorAFaultQueue() {
        FaultQueue queue = iommufd.allocateFaultQueue();
        untold(IOMMU_HWPT_ALLOC(), () -> parent.nest(device, TABLE, queue));
        queue.close();
        parent.close();
    }

    // ---- virtual IOMMUs

    private Viommu viommu() {
        try {
            return parent.allocateViommu(device, ViommuType.TEGRA241_CMDQV);
        } catch (VfioException e) {
            assertThat(e.errno()).isEqualTo(Errno.ENOTTY);
            return Assumptions.abort("this kernel has no virtual IOMMUs");
        }
    }

    @Test
    void aVirtualIommuDoesNotUseItsPageTable() {
        viommu().close();
        untold(IOMMU_VIOMMU_ALLOC(), () -> parent.allocateViommu(device, ViommuType.ARM_SMMUV3));
        parent.close();
    }

    @Test
    void aVirtualDeviceIsNoneOfTheVirtualIommu() {
        Viommu viommu = viommu();
        untold(IOMMU_VDEVICE_ALLOC(), () -> viommu.addDevice(device, NUMBER));
        viommu.addDevice(device, NUMBER).close();
        viommu.close();
    }

    @Test
    void ofAnEventQueueTheTypeIsFreeAgain() {
        Viommu viommu = viommu();
        untold(IOMMU_VEVENTQ_ALLOC(), () -> viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, 1));
        viommu.allocateEventQueue(VirtualEventType.ARM_SMMUV3, 1).close();
        viommu.close();
    }

    @Test
    void aHardwareQueueKeepsNeitherItsPlaceNorItsMemory() {
        ioas.allocateAt(MEMORY, PAGE, Access.READ_WRITE);
        Viommu viommu = viommu();
        untold(IOMMU_HW_QUEUE_ALLOC(), () -> viommu.allocateHardwareQueue(0, MEMORY, PAGE));
        viommu.allocateHardwareQueue(0, MEMORY, PAGE).close();
        assertThat(ioas.unmapAll()).isEqualTo(PAGE);
        viommu.close();
    }
}
