package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KvmSupport;
import io.github.vfio4j.KvmVm;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the kernels of other machines answer to questions about KVM, as linux/kvm.h describes them. */
class KvmSupportTest {
    private static final int GET_API_VERSION = 0xae00;
    private static final int CREATE_VM = 0xae01;
    private static final int CHECK_EXTENSION = 0xae03;
    private static final int CREATE_DEVICE = 0xc00caee0;
    private static final int HAS_DEVICE_ATTR = 0x4018aee3;
    private static final long SPAPR_TCE_VFIO = 142;
    private static final int VFIO = 4;
    private static final int TEST = 1;
    private static final int VM = 1_500_000; // no descriptor of Linux

    private final MadeKernel kernel = new MadeKernel();
    private final Vfio vfio = kernel.vfio();
    private int version = 12;
    private boolean spaprTables;
    private int testAnswer;
    private int attributeAnswer;

    @BeforeEach
    void answer() {
        kernel.numbers.put(GET_API_VERSION, _ -> version);
        kernel.numbers.put(CREATE_VM, _ -> VM);
        kernel.numbers.put(CHECK_EXTENSION, this::checkExtension);
        kernel.answer(CREATE_DEVICE, this::createDevice);
        kernel.answer(HAS_DEVICE_ATTR, this::hasAttribute);
    }

    private int checkExtension(long asked) {
        // Nobody asks for KVM_CAP_DEVICE_CTRL: the answer can be untrue.
        assertThat(asked).as("extension").isEqualTo(SPAPR_TCE_VFIO);
        return spaprTables ? 1 : 0;
    }

    private int createDevice(MemorySegment device) {
        assertThat(device.get(JAVA_INT, 0)).as("type").isEqualTo(VFIO);
        assertThat(device.get(JAVA_INT, 4)).as("fd").isEqualTo(-1);
        if (device.get(JAVA_INT, 8) == TEST) {
            return testAnswer;
        }
        device.set(JAVA_INT, 4, VM + 1);
        return 0;
    }

    private int hasAttribute(MemorySegment attribute) {
        assertThat(attribute.get(JAVA_INT, 0)).as("flags").isZero();
        assertThat(attribute.get(JAVA_INT, 4)).as("group").isEqualTo(1); // KVM_DEV_VFIO_FILE
        assertThat(attribute.get(JAVA_LONG, 8)).as("attribute").isEqualTo(3); // KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE
        return attributeAnswer;
    }

    @AfterEach
    void close() {
        vfio.close();
    }

    @Test
    void powerPcHasADeviceAndTakesTables() {
        spaprTables = true;
        assertThat(vfio.kvmSupport(5)).isEqualTo(new KvmSupport(true, true));
        try (KvmVm vm = vfio.adoptKvmVm(5)) {
            assertThat(vm.takesSpaprTables()).isTrue();
        }
    }

    @Test
    void aKernelWithoutTheVfioDeviceSaysSo() {
        testAnswer = -Errno.ENODEV.number();
        assertThat(vfio.kvmSupport(5)).isEqualTo(new KvmSupport(false, false));
        assertThat(vfio.kvmSupport()).isEqualTo(new KvmSupport(false, false));
    }

    @Test
    void aMachineThatIsNoPowerPcHasADeviceAndTakesNoTables() {
        assertThat(vfio.kvmSupport(5)).isEqualTo(new KvmSupport(true, false));
    }

    @Test
    void anyOtherAnswerIsAFailure() {
        testAnswer = -Errno.EIO.number();
        VfioException e = catchThrowableOfType(VfioException.class, () -> vfio.kvmSupport(5));
        assertThat(e.operation()).isEqualTo(Operation.KVM_CREATE_DEVICE);
        assertThat(e.errno()).isEqualTo(Errno.EIO);
        attributeAnswer = -Errno.EIO.number();
        KvmVm vm = vfio.adoptKvmVm(5);
        e = catchThrowableOfType(VfioException.class, vm::takesSpaprTables);
        assertThat(e.operation()).isEqualTo(Operation.KVM_HAS_ATTRIBUTE);
        assertThat(e.errno()).isEqualTo(Errno.EIO);
        attributeAnswer = -Errno.ENXIO.number();
        assertThat(vm.takesSpaprTables()).isFalse();
    }

    @Test
    void anotherVersionOfKvmIsNotSpokenWith() {
        version = 11;
        VfioException e = catchThrowableOfType(VfioException.class, vfio::openKvmVm);
        assertThat(e.operation()).isEqualTo(Operation.KVM_GET_API_VERSION);
        assertThat(e).hasMessageContaining("the kernel speaks KVM API version 11, this library version 12");
        assertThat(catchThrowableOfType(VfioException.class, vfio::kvmSupport)).hasMessage(e.getMessage());
    }
}
