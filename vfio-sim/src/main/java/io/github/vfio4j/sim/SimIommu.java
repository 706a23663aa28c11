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
 */
public record SimIommu(long lastIova, long pageSizes, boolean coherent, List<IovaRange> reserved) {
    /** An Intel IOMMU of 39 bits: pages of 4 KiB, 2 MiB and 1 GiB, and the window of message interrupts. */
    public static final SimIommu INTEL = new SimIommu(
            0x7f_ffff_ffffL, 0x4020_1000L, false, List.of(new IovaRange(0xfee0_0000L, 0xfeef_ffffL)));

    /** Makes an IOMMU; the list is copied. */
    public SimIommu {
        if ((pageSizes & Memory.PAGE) == 0) {
            throw new IllegalArgumentException("an IOMMU maps pages of 4096 bytes, among others");
        }
        reserved = List.copyOf(reserved);
    }

    /** Can one translation serve groups behind this IOMMU and behind another? */
    boolean sharesDomain(SimIommu other) {
        return lastIova == other.lastIova && pageSizes == other.pageSizes && coherent == other.coherent;
    }
}
