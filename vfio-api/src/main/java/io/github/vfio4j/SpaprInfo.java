package io.github.vfio4j;

import java.util.Objects;
import java.util.Optional;

/**
 * What {@code VFIO_IOMMU_SPAPR_TCE_GET_INFO} says ({@code struct vfio_iommu_spapr_tce_info} of linux/vfio.h).
 *
 * @param dma32Window the IOVAs of the default window, below 4 GiB; empty for a platform without one
 * @param dynamicWindows what windows a program can make ({@code VFIO_IOMMU_SPAPR_INFO_DDW}); empty for none, and of v1
 */
public record SpaprInfo(Optional<IovaRange> dma32Window, Optional<DynamicWindows> dynamicWindows) {
    /** Nothing is null. */
    public SpaprInfo {
        Objects.requireNonNull(dma32Window, "dma32Window");
        Objects.requireNonNull(dynamicWindows, "dynamicWindows");
    }

    /**
     * What windows a program can make ({@code struct vfio_iommu_spapr_tce_ddw_info}).
     *
     * @param pageSizes bitmap of the page sizes in bytes that a window may have
     * @param mostWindows how many windows the platform says that it supports; unsigned
     * @param levels how many levels a window's table may have
     */
    public record DynamicWindows(long pageSizes, int mostWindows, int levels) {}
}
