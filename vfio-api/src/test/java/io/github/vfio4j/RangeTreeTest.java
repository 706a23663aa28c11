package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.RangeTree.Range;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class RangeTreeTest {
    private final RangeTree<String> tree = new RangeTree<>();

    @Test
    void anEmptyTreeHasNoRange() {
        assertThat(tree.isEmpty()).isTrue();
        assertThat(tree.lowest()).isNull();
        assertThat(tree.floor(-1)).isNull();
        assertThat(tree.at(0)).isNull();
    }

    @Test
    void aRangeIsFoundByEachOfItsAddresses() {
        Range<String> range = tree.add(0x1000, 0x1fff, "a");
        assertThat(tree.at(0xfff)).isNull();
        assertThat(tree.at(0x1000)).isSameAs(range);
        assertThat(tree.at(0x1fff)).isSameAs(range);
        assertThat(tree.at(0x2000)).isNull();
        assertThat(tree.floor(0x2000)).isSameAs(range);
    }

    @Test
    void addressesAreUnsigned() {
        tree.add(0x8000_0000_0000_0000L, -1, "high");
        tree.add(0, 0xfff, "low");
        assertThat(tree.lowest().value).isEqualTo("low");
        assertThat(tree.next(tree.lowest()).value).isEqualTo("high");
        assertThat(tree.at(-1).value).isEqualTo("high");
        assertThat(tree.at(0x7fff_ffff_ffff_ffffL)).isNull();
    }

    /** The reference is a map of the first addresses; the longest range of each part of the tree is counted anew. */
    @Test
    void itHasWhatAMapHasAndKnowsTheLongestRangeOfEachPart() {
        long seed = System.nanoTime();
        System.out.println("ranges, seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        for (int run = 0; run < 50; run++) {
            RangeTree<Integer> ranges = new RangeTree<>();
            TreeMap<Long, Long> reference = new TreeMap<>(Long::compareUnsigned);
            long base = random.nextBoolean() ? 0 : -4096L; // from the lowest address on, or up to the highest
            for (int step = 0; step < 300; step++) {
                long first = base + random.nextInt(256) * 16L;
                long last = first + random.nextInt(16);
                Range<Integer> there = ranges.at(first);
                assertThat(there != null).isEqualTo(reference.containsKey(first));
                if (there == null) {
                    Range<Integer> added = ranges.add(first, last, step);
                    assertThat(added.value).isEqualTo(step);
                    reference.put(first, last);
                } else if (random.nextBoolean()) {
                    ranges.resize(there, first, last);
                    reference.put(first, last);
                } else {
                    ranges.remove(there);
                    reference.remove(first);
                }
                assertThat(inOrder(ranges)).isEqualTo(List.copyOf(reference.entrySet()));
                checkLongest(ranges.root);
                long asked = base + random.nextInt(4096);
                Map.Entry<Long, Long> floor = reference.floorEntry(asked);
                Range<Integer> found = ranges.floor(asked);
                assertThat(found == null ? null : Map.entry(found.first, found.last))
                        .isEqualTo(floor);
            }
        }
    }

    private static List<Map.Entry<Long, Long>> inOrder(RangeTree<Integer> ranges) {
        List<Map.Entry<Long, Long>> entries = new ArrayList<>();
        for (Range<Integer> range = ranges.lowest(); range != null; range = ranges.next(range)) {
            entries.add(Map.entry(range.first, range.last));
        }
        return entries;
    }

    private static long checkLongest(Range<?> range) {
        if (range == null) {
            return 0;
        }
        long longest = Math.max(range.last - range.first, Math.max(checkLongest(range.left), checkLongest(range.right)));
        assertThat(range.longest).isEqualTo(longest);
        return longest;
    }

    @Test
    void manyRangesInARowDoNotMakeTheTreeHigh() {
        for (int i = 0; i < 60_000; i++) {
            tree.add(i * 0x1000L, i * 0x1000L + 0xfff, null);
        }
        assertThat(tree.height()).isBetween(15, 60);
    }
}
