package io.github.vfio4j;

import java.util.Objects;

/**
 * A DMA window of PowerPC's IOMMU: IOVAs that one table of translations (TCEs) covers. From {@link SpaprTce#windows} and
 * {@link SpaprTceV2#createWindow}.
 *
 * @param range its IOVAs, absolute addresses of the PCI bus
 * @param pageSize bytes of its pages: the unit of what is mapped there
 * @param levels of its table
 */
public record SpaprWindow(IovaRange range, long pageSize, int levels) {
    /** Nothing is null. */
    public SpaprWindow {
        Objects.requireNonNull(range, "range");
    }
}
