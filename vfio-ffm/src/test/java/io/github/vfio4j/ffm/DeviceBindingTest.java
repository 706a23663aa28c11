package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.HwptFlag;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import java.util.EnumSet;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The bytes of attaching PASIDs, and of making page tables for them. */
class DeviceBindingTest {
    private static final int ATTACH = 0x3b77;
    private static final int DETACH = 0x3b78;
    private static final int HWPT_ALLOC = 0x3b89;
    private static final int DEVICE = 11;
    private static final int IOAS = 12;

    private final AnsweredIoctls calls = new AnsweredIoctls();
    private final FfmDevice device = new FfmDevice(new Fd(calls, 3, "device"));
    private final FfmIommufd iommufd = new FfmIommufd(new Fd(calls, 4, "iommufd"));

    @Test
    void aPasidIsNamedBehindThePageTable() {
        calls.kernel = attach -> {
            assertThat(attach.asSlice(0, 16).toArray(JAVA_INT)).containsExactly(16, 1, 7, 5);
            return 0;
        };
        device.attachPasid(5, 7);
        assertThat(calls.request).isEqualTo(ATTACH);
        calls.kernel = detach -> {
            assertThat(detach.asSlice(0, 12).toArray(JAVA_INT)).containsExactly(12, 1, 5);
            return 0;
        };
        device.detachPasid(5);
        assertThat(calls.request).isEqualTo(DETACH);
    }

    @Test
    void withoutAPasidTheCallsAreAsShortAsOlderKernelsKnowThem() {
        calls.kernel = attach -> {
            assertThat(attach.asSlice(0, 12).toArray(JAVA_INT)).containsExactly(12, 0, 7);
            return 0;
        };
        device.attach(7);
        calls.kernel = detach -> {
            assertThat(detach.asSlice(0, 8).toArray(JAVA_INT)).containsExactly(8, 0);
            return 0;
        };
        device.detach();
    }

    @Test
    void aPasidThatTheDeviceDoesNotHaveIsExplained() {
        calls.kernel = _ -> -Errno.EINVAL.number();
        VfioException e = catchThrowableOfType(VfioException.class, () -> device.attachPasid(5, 7));
        assertThat(e.operation()).isEqualTo(Operation.DEVICE_ATTACH_PASID);
        assertThat(e).hasMessageContaining(Rule.ATTACH_PASID_SUPPORTED.broken());
        calls.kernel = _ -> -Errno.EOPNOTSUPP.number();
        e = catchThrowableOfType(VfioException.class, () -> device.attachPasid(5, 7));
        assertThat(e.rule()).contains(Rule.ATTACH_PASID_DRIVER);
    }

    @Test
    void whatAPageTableShallBeAbleToDoIsAFlagEach() {
        assertThat(flags(Set.of())).isZero();
        assertThat(flags(Set.of(HwptFlag.NEST_PARENT))).isEqualTo(1);
        assertThat(flags(Set.of(HwptFlag.DIRTY_TRACKING))).isEqualTo(2);
        assertThat(flags(Set.of(HwptFlag.PASID))).isEqualTo(8);
        assertThat(flags(EnumSet.allOf(HwptFlag.class))).isEqualTo(11);
    }

    private int flags(Set<HwptFlag> flags) {
        int[] asked = new int[1];
        calls.kernel = alloc -> {
            assertThat(alloc.get(JAVA_INT, 0)).isEqualTo(48);
            assertThat(alloc.get(JAVA_INT, 8)).isEqualTo(DEVICE);
            assertThat(alloc.get(JAVA_INT, 12)).isEqualTo(IOAS);
            asked[0] = alloc.get(JAVA_INT, 4);
            alloc.set(JAVA_INT, 16, 13);
            return 0;
        };
        assertThat(iommufd.allocateHwpt(DEVICE, IOAS, flags, OptionalInt.empty())).isEqualTo(13);
        assertThat(calls.request).isEqualTo(HWPT_ALLOC);
        return asked[0];
    }
}
