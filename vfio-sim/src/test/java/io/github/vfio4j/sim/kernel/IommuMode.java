package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.IommuType;
import java.util.Locale;
import java.util.Optional;

/** The five ways to an IOMMU that the kernel's own selftests go, by their names there. */
enum IommuMode {
    VFIO_TYPE1_IOMMU(false, IommuType.TYPE1),
    VFIO_TYPE1V2_IOMMU(false, IommuType.TYPE1_V2),
    IOMMUFD_COMPAT_TYPE1(true, IommuType.TYPE1),
    IOMMUFD_COMPAT_TYPE1V2(true, IommuType.TYPE1_V2),
    IOMMUFD(true, null);

    private final boolean iommufd;
    private final IommuType type;

    IommuMode(boolean iommufd, IommuType type) {
        this.iommufd = iommufd;
        this.type = type;
    }

    /** Does it need an iommufd? */
    boolean needsIommufd() {
        return iommufd;
    }

    /** The type of the container; empty where devices are opened by their own nodes. */
    Optional<IommuType> type() {
        return Optional.ofNullable(type);
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
