package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Errno;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** The bytes of guests' page tables, and of what is to be forgotten of them. */
class NestedPageTableTest {
    private static final int HWPT_ALLOC = 0x3b89;
    private static final int HWPT_INVALIDATE = 0x3b8d;
    private static final int STRUCT = 48;

    private final AnsweredIoctls calls = new AnsweredIoctls();
    private final FfmIommufd iommufd = new FfmIommufd(new Fd(calls, 4, "iommufd"));

    /** Nests a table; returns the double words of its data. */
    private long[] data(GuestPageTable table, int type, int length) {
        long[] words = new long[length / Long.BYTES];
        calls.kernel = alloc -> {
            assertThat(alloc.asSlice(0, 16).toArray(JAVA_INT)).containsExactly(STRUCT, 0, 11, 12);
            assertThat(alloc.get(JAVA_INT, 24)).as("data_type").isEqualTo(type);
            assertThat(alloc.get(JAVA_INT, 28)).as("data_len").isEqualTo(length);
            assertThat(alloc.get(JAVA_LONG, 32)).as("data_uptr").isEqualTo(alloc.address() + STRUCT);
            assertThat(alloc.get(JAVA_LONG, 40)).as("fault_id").isZero();
            System.arraycopy(alloc.asSlice(STRUCT, length).toArray(JAVA_LONG), 0, words, 0, words.length);
            alloc.set(JAVA_INT, 16, 13);
            return 0;
        };
        assertThat(iommufd.allocateNested(11, 12, table, OptionalInt.empty())).isEqualTo(13);
        assertThat(calls.request).isEqualTo(HWPT_ALLOC);
        return words;
    }

    @Test
    void vtdHasAnAddressItsWidthAndFlags() {
        assertThat(data(new GuestPageTable.Vtd(0x1234_5000, 48, false, false, false), 1, 24))
                .containsExactly(0, 0x1234_5000, 48);
        assertThat(data(new GuestPageTable.Vtd(-4096, 57, true, false, false), 1, 24)).containsExactly(1, -4096, 57);
        assertThat(data(new GuestPageTable.Vtd(0, 48, false, true, false), 1, 24)).containsExactly(2, 0, 48);
        assertThat(data(new GuestPageTable.Vtd(0, 48, false, false, true), 1, 24)).containsExactly(4, 0, 48);
        assertThat(data(new GuestPageTable.Vtd(0, 48, true, true, true), 1, 24)).containsExactly(7, 0, 48);
    }

    @Test
    void smmuAndAmdHaveEntriesOfTheirTables() {
        assertThat(data(new GuestPageTable.ArmSmmuV3(5, -6), 2, 16)).containsExactly(5, -6);
        assertThat(data(new GuestPageTable.Amd(1, 2, 3, -4), 3, 32)).containsExactly(1, 2, 3, -4);
    }

    @Test
    void aChangedRangeIsAnArrayOfOne() {
        long[] words = new long[3];
        calls.kernel = invalidate -> {
            assertThat(invalidate.get(JAVA_INT, 0)).as("size").isEqualTo(32);
            assertThat(invalidate.get(JAVA_INT, 4)).as("hwpt_id").isEqualTo(13);
            assertThat(invalidate.get(JAVA_LONG, 8)).as("data_uptr").isEqualTo(invalidate.address() + 32);
            assertThat(invalidate.asSlice(16, 16).toArray(JAVA_INT)).as("type, length, number").containsExactly(0, 24, 1, 0);
            System.arraycopy(invalidate.asSlice(32, 24).toArray(JAVA_LONG), 0, words, 0, words.length);
            return 0;
        };
        iommufd.invalidate(13, 0x5000, 3, true);
        assertThat(calls.request).isEqualTo(HWPT_INVALIDATE);
        assertThat(words).containsExactly(0x5000, 3, 1);
        iommufd.invalidate(13, 0, -1, false);
        assertThat(words).containsExactly(0, -1, 0);
    }

    @Test
    void aTableOfAnotherKindIsRefused() {
        calls.kernel = _ -> -Errno.EOPNOTSUPP.number();
        VfioException e = catchThrowableOfType(VfioException.class, () -> iommufd.invalidate(13, 0, -1, false));
        assertThat(e.operation()).isEqualTo(Operation.HWPT_INVALIDATE);
        assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP);
    }
}
