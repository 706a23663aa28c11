package io.github.vfio4j.sim;

import io.github.vfio4j.IovaRange;
import java.util.List;

/**
 * The IOMMU that a group of a {@link SimMachine} is behind.
 *
 * @param lastIova the highest IOVA that it translates
 * @param pageSizes bitmap of the page sizes in bytes that it can map; 4096 is one of them
 * @param coherent whether it makes all DMA coherent with the caches ({@code VFIO_DMA_CC_IOMMU})
 * @param reserved IOVAs that cannot be mapped, such as the window of message interrupts
 * @param dirtyTracking whether its page tables can track which pages devices write, for programs that use an iommufd
 */
public record SimIommu(
        long lastIova, long pageSizes, boolean coherent, List<IovaRange> reserved, boolean dirtyTracking) {
    /** An Intel IOMMU of 39 bits: pages of 4 KiB, 2 MiB and 1 GiB, and the window of message interrupts. */
    public static final SimIommu INTEL = new SimIommu(
            0x7f_ffff_ffffL, 0x4020_1000L, false, List.of(new IovaRange(0xfee0_0000L, 0xfeef_ffffL)));

    /**
     * Makes an IOMMU that does not track dirty pages.
     *
     * @param lastIova the highest IOVA that it translates
     * @param pageSizes bitmap of the page sizes in bytes that it can map; 4096 is one of them
     * @param coherent whether it makes all DMA coherent with the caches ({@code VFIO_DMA_CC_IOMMU})
     * @param reserved IOVAs that cannot be mapped, such as the window of message interrupts
     */
    public SimIommu(long lastIova, long pageSizes, boolean coherent, List<IovaRange> reserved) {
        this(lastIova, pageSizes, coherent, reserved, false);
    }

    /** Makes an IOMMU; the list is copied. */
    public SimIommu {
        if ((pageSizes & Memory.PAGE) == 0) {
            throw new IllegalArgumentException("an IOMMU maps pages of 4096 bytes, among others");
        }
        reserved = List.copyOf(reserved);
    }

    /** The IOVAs that it cannot translate because they are too high. */
    List<IovaRange> beyondReach() {
        return lastIova == -1 ? List.of() : List.of(new IovaRange(lastIova + 1, -1));
    }

    /** Can one translation serve groups behind this IOMMU and behind another? */
    boolean sharesDomain(SimIommu other) {
        return lastIova == other.lastIova
                && pageSizes == other.pageSizes
                && coherent == other.coherent
                && dirtyTracking == other.dirtyTracking;
    }
}
