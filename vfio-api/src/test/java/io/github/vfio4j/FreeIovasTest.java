package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FreeIovasTest {
    private static final IovaRange ALL = new IovaRange(0, -2);

    private final FreeIovas free = new FreeIovas();

    @Test
    void theLowestPlaceIsFound() {
        free.take(0, 0xfff);
        free.take(0x2000, 0x2fff);
        assertThat(free.find(0x1000, 1, ALL)).isEqualTo(0x1000);
        assertThat(free.find(0x1001, 1, ALL)).isEqualTo(0x3000);
    }

    @Test
    void aPlaceIsAlignedAndInsideTheRange() {
        assertThat(free.find(0x1000, 0x20_0000, new IovaRange(0x1000, -2))).isEqualTo(0x20_0000);
        assertThat(free.find(0x1000, 1, new IovaRange(0x1000, 0x1fff))).isEqualTo(0x1000);
        assertThat(free.find(0x1001, 1, new IovaRange(0x1000, 0x1fff))).isEqualTo(FreeIovas.NONE);
        assertThat(free.find(0x1000, 0x1000, new IovaRange(0x1001, 0x2ffe))).isEqualTo(FreeIovas.NONE);
    }

    @Test
    void theUpperHalfIsAddressesLikeAnyOther() {
        long high = 0x8000_0000_0000_0000L;
        assertThat(free.find(0x1000, 0x1000, new IovaRange(high, -2))).isEqualTo(high);
        free.take(high, high + 0xfff);
        assertThat(free.find(0x1000, 0x1000, new IovaRange(high - 0x1000, -2))).isEqualTo(high - 0x1000);
        assertThat(free.find(high, 1, ALL)).isZero();
        assertThat(free.find(high + 1, 1, ALL)).isEqualTo(FreeIovas.NONE);
    }

    @Test
    void alignmentDoesNotWrapAround() {
        assertThat(free.find(0x1000, 1L << 62, new IovaRange(3L << 62 | 1, -2))).isEqualTo(FreeIovas.NONE);
    }

    @Test
    void everythingCanBeTakenAndGivenBack() {
        free.take(0, -1);
        assertThat(free.find(1, 1, ALL)).isEqualTo(FreeIovas.NONE);
        free.give(0, -1);
        assertThat(free.find(-1, 1, ALL)).isZero();
    }

    @Test
    void whatIsTakenCannotBeTakenAgain() {
        free.take(0x1000, 0x1fff);
        for (long[] range : new long[][] {{0x1000, 0x1fff}, {0, 0x1000}, {0x1fff, 0x2000}, {0, -1}}) {
            assertThatThrownBy(() -> free.take(range[0], range[1])).isInstanceOf(IllegalArgumentException.class);
        }
        free.take(0, 0xfff);
    }

    /** The reference looks at every page, one after the other. */
    @Test
    void itFindsWhatASearchPageByPageFinds() {
        long seed = System.nanoTime();
        System.out.println("free IOVAs, seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        for (int run = 0; run < 20; run++) {
            FreeIovas tree = new FreeIovas();
            boolean[] taken = new boolean[256];
            long base = random.nextBoolean() ? 0 : -512L; // before the middle of the unsigned numbers, or near their end
            List<int[]> ranges = new ArrayList<>();
            for (int step = 0; step < 400; step++) {
                if (ranges.isEmpty() || random.nextInt(5) < 3) {
                    int size = random.nextInt(1, 20);
                    int unit = 1 << random.nextInt(5);
                    int lowest = random.nextInt(256);
                    int highest = random.nextInt(lowest, 256);
                    long found = tree.find(size, unit, new IovaRange(base + lowest, base + highest));
                    int expected = search(taken, size, unit, lowest, highest);
                    assertThat(found).isEqualTo(expected < 0 ? FreeIovas.NONE : base + expected);
                    if (expected >= 0) {
                        tree.take(found, found + size - 1);
                        fill(taken, expected, size, true);
                        ranges.add(new int[] {expected, size});
                    }
                } else {
                    int[] range = ranges.remove(random.nextInt(ranges.size()));
                    tree.give(base + range[0], base + range[0] + range[1] - 1);
                    fill(taken, range[0], range[1], false);
                }
            }
        }
    }

    private static int search(boolean[] taken, int size, int unit, int lowest, int highest) {
        for (int start = (lowest + unit - 1) / unit * unit; start + size - 1 <= highest; start += unit) {
            boolean isFree = true;
            for (int i = start; i < start + size; i++) {
                isFree &= !taken[i];
            }
            if (isFree) {
                return start;
            }
        }
        return -1;
    }

    private static void fill(boolean[] taken, int start, int size, boolean value) {
        for (int i = start; i < start + size; i++) {
            taken[i] = value;
        }
    }

    @Test
    void manyMappingsDoNotMakeTheTreeHigh() {
        for (int i = 0; i < 60_000; i++) {
            long iova = free.find(0x1000, 0x1000, ALL);
            assertThat(iova).isEqualTo(i * 0x1000L);
            free.take(iova, iova + 0xfff);
        }
        for (int i = 0; i < 60_000; i += 2) { // 30,000 ranges now
            free.give(i * 0x1000L, i * 0x1000L + 0xfff);
        }
        assertThat(free.height()).isBetween(15, 60);
        assertThat(free.find(0x2000, 0x1000, ALL)).isEqualTo(60_000 * 0x1000L);
        for (int i = 1; i < 60_000; i += 2) {
            free.give(i * 0x1000L, i * 0x1000L + 0xfff);
        }
        assertThat(free.height()).isEqualTo(1);
    }
}
