package io.github.vfio4j;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import java.util.Optional;

/**
 * What the IOMMU of a device is and can do ({@code IOMMU_GET_HW_INFO}).
 *
 * @param type whose IOMMU it is, in the numbers of {@code enum iommu_hw_info_type}: 0 unknown, 1 Intel VT-d, 2 Arm SMMUv3,
 *     3 Tegra241 CMDQV, 4 AMD
 * @param capabilities the bits {@code IOMMU_HW_CAP_...}
 * @param pasidBits how many bits of a PASID the device can have; 0 for none, and on kernels that do not say
 * @param data the registers that the kernel shows of that type, in the layout of {@code struct iommu_hw_info_...}, read-only
 */
public record IommuHardware(int type, long capabilities, int pasidBits, ByteBuffer data) {
    private static final long DIRTY_TRACKING = 1; // IOMMU_HW_CAP_DIRTY_TRACKING
    private static final long PASID_EXEC = 2; // IOMMU_HW_CAP_PCI_PASID_EXEC
    private static final long PASID_PRIV = 4; // IOMMU_HW_CAP_PCI_PASID_PRIV
    private static final long ATS_NOT_SUPPORTED = 8; // IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED

    /** Makes one; the data is what the buffer has left. */
    public IommuHardware {
        Objects.requireNonNull(data, "data");
        data = data.slice().asReadOnlyBuffer().order(ByteOrder.nativeOrder());
    }

    /**
     * Returns the data, from its start.
     *
     * @return a view of its own, in native byte order
     */
    @Override
    public ByteBuffer data() {
        return data.duplicate().order(ByteOrder.nativeOrder());
    }

    /**
     * Returns the data as registers of the kind of IOMMU that it is.
     *
     * @return the registers; empty if the kernel told none, or the kind is not known here
     */
    public Optional<IommuRegisters> registers() {
        return IommuRegisters.of(this);
    }

    /**
     * Can DMA with a PASID ask to execute what it reads ({@code IOMMU_HW_CAP_PCI_PASID_EXEC})?
     *
     * @return true if so; false also for a device without PASIDs
     */
    public boolean pasidsExecute() {
        return pasidBits != 0 && (capabilities & PASID_EXEC) != 0;
    }

    /**
     * Can DMA with a PASID be privileged ({@code IOMMU_HW_CAP_PCI_PASID_PRIV})?
     *
     * @return true if so; false also for a device without PASIDs
     */
    public boolean pasidsPrivileged() {
        return pasidBits != 0 && (capabilities & PASID_PRIV) != 0;
    }

    /**
     * May the device keep translations of its own, by PCI's ATS ({@code IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED}, since Linux 7)?
     *
     * @return false if the kernel rules it out; true also on older kernels, which do not say
     */
    public boolean mayUseAts() {
        return (capabilities & ATS_NOT_SUPPORTED) == 0;
    }

    /**
     * Can page tables be made that track which pages devices write ({@code IOMMU_HW_CAP_DIRTY_TRACKING})?
     *
     * @return true if so
     */
    public boolean tracksDirtyPages() {
        return (capabilities & DIRTY_TRACKING) != 0;
    }
}
