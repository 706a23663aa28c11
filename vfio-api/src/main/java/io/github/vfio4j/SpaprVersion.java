package io.github.vfio4j;

/** The versions of PowerPC's IOMMU that a container can be given ({@code VFIO_SPAPR_TCE_..._IOMMU} of linux/vfio.h). */
public enum SpaprVersion {
    /** {@code VFIO_SPAPR_TCE_IOMMU}: one group, one window; {@link Container#setSpaprTceV1}. */
    V1(2),
    /** {@code VFIO_SPAPR_TCE_v2_IOMMU}: windows that the program makes; {@link Container#setSpaprTceV2}. */
    V2(7);

    private final int number;

    SpaprVersion(int number) {
        this.number = number;
    }

    /**
     * Returns the number in {@code linux/vfio.h}.
     *
     * @return the number, which is also the extension's
     */
    public int number() {
        return number;
    }
}
