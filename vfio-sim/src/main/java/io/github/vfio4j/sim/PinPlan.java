package io.github.vfio4j.sim;

import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Whether a page table can take some areas, in the order in which it is found out. Pins nothing. */
final class PinPlan {
    enum Refusal {
        NONE, FILE, MEMORY, MEMLOCK, PERMISSION
    }

    private final Map<DmaPages, BitSet> planned = new HashMap<>();
    private long more;

    static Refusal refusal(Iterable<Area> areas) {
        PinPlan plan = new PinPlan();
        for (Area area : areas) {
            Refusal refusal = plan.add(area);
            if (refusal != Refusal.NONE) {
                return refusal;
            }
        }
        return Refusal.NONE;
    }

    static Refusal refusal(Area area) {
        return refusal(List.of(area));
    }

    private Refusal add(Area area) {
        DmaPages pages = area.pages;
        if (!pages.accessible(area.start, area.size)) {
            return pages.ofFile() ? Refusal.FILE : Refusal.MEMORY;
        }
        BitSet missing = pages.unpinned(area.start, area.size);
        BitSet before = planned.computeIfAbsent(pages, _ -> new BitSet());
        missing.andNot(before);
        before.or(missing);
        more += missing.cardinality();
        if (!pages.withinLimit(more)) {
            return Refusal.MEMLOCK;
        }
        return area.access == 0 ? Refusal.PERMISSION : Refusal.NONE;
    }
}
