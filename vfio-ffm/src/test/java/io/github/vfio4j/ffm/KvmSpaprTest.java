package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Container;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.KvmUser;
import io.github.vfio4j.KvmVm;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.gen.kvm_h;
import io.github.vfio4j.ffm.gen.kvm_vfio_spapr_tce;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The bytes of KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE as linux/kvm.h describes them. */
class KvmSpaprTest {
    private static final int SET_DEVICE_ATTR = 0x4018aee1;
    private static final int SET_SPAPR_TCE = 3;

    private final MadeKernel kernel = new MadeKernel();
    private final Vfio vfio = kernel.vfio();
    private final Container container = vfio.openContainer();
    private final Group group = vfio.openGroup(3);
    private KvmUser user;
    private int addedFile;
    private int linkedFile;
    private int table = -1;
    private int answer;

    @BeforeEach
    void open() {
        assertThat((int) kvm_h.KVM_SET_DEVICE_ATTR()).isEqualTo(SET_DEVICE_ATTR);
        kernel.extensions.add(7L);
        kernel.answer(SET_DEVICE_ATTR, this::setAttribute);
        container.attach(group);
        container.setSpaprTceV2();
        KvmVm vm = vfio.adoptKvmVm(5);
        user = vm.add(group);
        kernel.newCalls();
    }

    private int setAttribute(MemorySegment attribute) {
        assertThat(attribute.get(JAVA_INT, 0)).as("flags").isZero();
        assertThat(attribute.get(JAVA_INT, 4)).as("group").isEqualTo(1); // KVM_DEV_VFIO_FILE
        long offset = attribute.get(JAVA_LONG, 16) - attribute.address();
        if (attribute.get(JAVA_LONG, 8) == SET_SPAPR_TCE) {
            linkedFile = attribute.get(JAVA_INT, offset);
            table = attribute.get(JAVA_INT, offset + 4);
            return answer;
        }
        addedFile = attribute.get(JAVA_INT, offset);
        return 0;
    }

    @AfterEach
    void close() {
        vfio.close();
    }

    @Test
    void aGroupGetsTheTableOfADescriptor() {
        assertThat(kvm_vfio_spapr_tce.sizeof()).isEqualTo(8);
        user.setSpaprTce(41);
        assertThat(kernel.newCalls()).containsExactly("4018aee1");
        assertThat(linkedFile).isEqualTo(addedFile).isPositive();
        assertThat(table).isEqualTo(41);
    }

    @Test
    void aKernelWithoutItSaysSo() {
        answer = -Errno.ENXIO.number();
        VfioException e = catchThrowableOfType(VfioException.class, () -> user.setSpaprTce(41));
        assertThat(e.errno()).isEqualTo(Errno.ENXIO);
        assertThat(e).hasMessageContaining("KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE");
    }

    @Test
    void aUseThatHasEndedGetsNone() {
        assertThatIllegalArgumentException().isThrownBy(() -> user.setSpaprTce(-1));
        user.release();
        kernel.newCalls();
        RuleViolation e = catchThrowableOfType(RuleViolation.class, () -> user.setSpaprTce(41));
        assertThat(e.rule()).contains(Rule.HANDLE_OPEN);
        assertThat(kernel.newCalls()).isEmpty();
    }
}
