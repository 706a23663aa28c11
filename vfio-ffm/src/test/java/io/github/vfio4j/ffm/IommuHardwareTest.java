package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.IommuHardware;
import io.github.vfio4j.IommuRegisters;
import io.github.vfio4j.VfioException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** The bytes of IOMMU_GET_HW_INFO. */
class IommuHardwareTest {
    private static final int STRUCT = 40;

    private final AnsweredIoctls calls = new AnsweredIoctls();
    private final FfmIommufd iommufd = new FfmIommufd(new Fd(calls, 4, "iommufd"));

    /** Answers with a type, and data that is put behind the struct. */
    private void answer(int type, int length, Consumer<MemorySegment> data) {
        calls.kernel = info -> {
            assertThat(info.get(JAVA_INT, 0)).as("size").isEqualTo(STRUCT);
            assertThat(info.get(JAVA_INT, 8)).as("dev_id").isEqualTo(7);
            assertThat(info.get(JAVA_LONG, 16)).as("data_uptr").isEqualTo(info.address() + STRUCT);
            data.accept(info.asSlice(STRUCT));
            info.set(JAVA_INT, 12, length);
            info.set(JAVA_INT, 24, type);
            return 0;
        };
    }

    @Test
    void vtdShowsTwoRegisters() {
        answer(1, 24, data -> {
            data.set(JAVA_INT, 0, 1);
            data.set(JAVA_LONG, 8, 0x1122_3344_5566_7788L);
            data.set(JAVA_LONG, 16, -2);
        });
        assertThat(iommufd.hardware(7).registers())
                .contains(new IommuRegisters.Vtd(1, 0x1122_3344_5566_7788L, -2))
                .get()
                .isInstanceOfSatisfying(
                        IommuRegisters.Vtd.class, vtd -> assertThat(vtd.parentsMustBeWritable()).isTrue());
    }

    @Test
    void smmuShowsItsIdRegisters() {
        answer(2, 40, data -> {
            for (int i = 0; i < 8; i++) {
                data.set(JAVA_INT, 8 + 4 * i, 100 + i);
            }
        });
        assertThat(iommufd.hardware(7).registers())
                .contains(new IommuRegisters.ArmSmmuV3(0, List.of(100, 101, 102, 103, 104, 105), 106, 107));
    }

    @Test
    void tegraIsAskedForByItsType() {
        answer(3, 8, data -> {
            data.set(JAVA_BYTE, 4, (byte) 1);
            data.set(JAVA_BYTE, 5, (byte) 200);
            data.set(JAVA_BYTE, 6, (byte) 3);
        });
        int[] asked = new int[2];
        var answer = calls.kernel;
        calls.kernel = info -> {
            asked[0] = info.get(JAVA_INT, 4);
            asked[1] = info.get(JAVA_INT, 24);
            return answer.applyAsInt(info);
        };
        assertThat(iommufd.hardware(7, 3).registers()).contains(new IommuRegisters.Tegra241Cmdqv(0, 1, 200, 3));
        assertThat(asked).as("IOMMU_HW_INFO_FLAG_INPUT_TYPE, and the type").containsExactly(1, 3);
        iommufd.hardware(7);
        assertThat(asked).containsExactly(0, 0);
    }

    @Test
    void amdShowsItsFeatures() {
        answer(4, 16, data -> {
            data.set(JAVA_LONG, 0, 5);
            data.set(JAVA_LONG, 8, 6);
        });
        assertThat(iommufd.hardware(7).registers()).contains(new IommuRegisters.Amd(5, 6));
    }

    @Test
    void whatIsNotKnownOrTooShortIsNoRegisters() {
        answer(0, 0, _ -> {});
        assertThat(iommufd.hardware(7).registers()).isEmpty();
        answer(99, 100, _ -> {});
        assertThat(iommufd.hardware(7).registers()).isEmpty();
        for (int type = 1; type <= 4; type++) {
            answer(type, 7, _ -> {});
            assertThat(iommufd.hardware(7).registers()).as("type %d", type).isEmpty();
        }
    }

    @Test
    void capabilitiesAreBits() {
        assertThat(with(0, 0).mayUseAts()).isTrue();
        assertThat(with(8, 0).mayUseAts()).isFalse();
        assertThat(with(1, 0).tracksDirtyPages()).isTrue();
        assertThat(with(2, 20).pasidsExecute()).isTrue();
        assertThat(with(4, 20).pasidsExecute()).isFalse();
        assertThat(with(4, 20).pasidsPrivileged()).isTrue();
        assertThat(with(6, 0).pasidsExecute()).as("without PASIDs").isFalse();
        assertThat(with(6, 0).pasidsPrivileged()).as("without PASIDs").isFalse();
        assertThat(with(0, 20).pasidBits()).isEqualTo(20);
    }

    private IommuHardware with(long capabilities, int pasidBits) {
        calls.kernel = info -> {
            info.set(JAVA_INT, 12, 0);
            info.set(JAVA_INT, 24, 0);
            info.set(JAVA_BYTE, 28, (byte) pasidBits);
            info.set(JAVA_LONG, 32, capabilities);
            return 0;
        };
        return iommufd.hardware(7);
    }

    @Test
    void anotherTypeIsRefused() {
        calls.kernel = _ -> -Errno.EOPNOTSUPP.number();
        VfioException e = catchThrowableOfType(VfioException.class, () -> iommufd.hardware(7, 4));
        assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP);
    }
}
