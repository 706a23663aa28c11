package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.IovaRange;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What can be mapped as groups join and leave. */
class IovaWindowTest {
    private static final IovaRange HOLE = new IovaRange(0xfee0_0000L, 0xfeef_ffffL);
    private static final IovaWindow INTEL = IovaWindow.EMPTY.upTo(0x7f_ffff_ffffL).without(List.of(HOLE));

    private static IovaWindow window(long... ends) {
        IovaRange[] ranges = new IovaRange[ends.length / 2];
        for (int i = 0; i < ranges.length; i++) {
            ranges[i] = new IovaRange(ends[2 * i], ends[2 * i + 1]);
        }
        return new IovaWindow(List.of(ranges));
    }

    @Test
    void theFirstIommuBringsItsReachWithoutItsHoles() {
        assertThat(INTEL).isEqualTo(window(0, 0xfedf_ffffL, 0xfef0_0000L, 0x7f_ffff_ffffL));
    }

    @Test
    void aShorterReachCutsRanges() {
        assertThat(INTEL.upTo(0xffff_ffffL)).isEqualTo(window(0, 0xfedf_ffffL, 0xfef0_0000L, 0xffff_ffffL));
        assertThat(INTEL.upTo(0xfee1_0000L)).isEqualTo(window(0, 0xfedf_ffffL));
        assertThat(INTEL.upTo(0xffff)).isEqualTo(window(0, 0xffff));
        assertThat(INTEL.upTo(-1)).isEqualTo(INTEL);
    }

    @Test
    void holesAreCutOutWhereverTheyLie() {
        IovaWindow window = window(0x1000, 0x8fff);
        assertThat(window.without(List.of(new IovaRange(0, 0xfff)))).isEqualTo(window);
        assertThat(window.without(List.of(new IovaRange(0, 0x1fff)))).isEqualTo(window(0x2000, 0x8fff));
        assertThat(window.without(List.of(new IovaRange(0x8000, 0x9fff)))).isEqualTo(window(0x1000, 0x7fff));
        assertThat(window.without(List.of(new IovaRange(0x3000, 0x3fff))))
                .isEqualTo(window(0x1000, 0x2fff, 0x4000, 0x8fff));
        assertThat(window.without(List.of(new IovaRange(0, -1))).isEmpty()).isTrue();
    }

    @Test
    void anIommuConflictsIfItReachesNothingOfTheWindowOrNotWhatIsMapped() {
        IovaWindow high = window(0x10000, 0x1ffff);
        assertThat(high.conflicts(0xffff, _ -> false)).isTrue();
        assertThat(high.conflicts(0x17fff, range -> range.equals(new IovaRange(0x18000, 0x1ffff)))).isTrue();
        assertThat(high.conflicts(0x17fff, _ -> false)).isFalse();
        assertThat(high.conflicts(-1, _ -> true)).isFalse();
        assertThat(IovaWindow.EMPTY.conflicts(0, _ -> true)).isFalse(); // nobody looks
    }

    @Test
    void whatOnlyTheGroupThatLeftReservedCanBeMappedAgain() {
        assertThat(INTEL.refreshed(0x7f_ffff_ffffL, List.of())).isEqualTo(window(0, 0x7f_ffff_ffffL));
        assertThat(INTEL.refreshed(-1, List.of(HOLE))).isEqualTo(window(0, 0xfedf_ffffL, 0xfef0_0000L, -1));
        assertThat(IovaWindow.EMPTY.refreshed(-1, List.of())).isEqualTo(IovaWindow.EMPTY);
    }

    @Test
    void anEmptyWindowAllowsEverything() {
        assertThat(IovaWindow.EMPTY.allows(HOLE)).isTrue();
        assertThat(INTEL.allows(HOLE)).isFalse();
        assertThat(INTEL.allows(new IovaRange(0, 0xfff))).isTrue();
    }
}
