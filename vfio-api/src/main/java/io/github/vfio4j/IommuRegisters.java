package io.github.vfio4j;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;

/** What the kernel shows of an IOMMU's registers, by its kind ({@code enum iommu_hw_info_type}). */
public sealed interface IommuRegisters {
    /**
     * Intel VT-d ({@code struct iommu_hw_info_vtd}). Tested on Linux.
     *
     * @param flags {@code IOMMU_HW_INFO_VTD_...}
     * @param capability the Capability register
     * @param extendedCapability the Extended Capability register
     */
    record Vtd(int flags, long capability, long extendedCapability) implements IommuRegisters {
        private static final int ERRATA_772415_SPR17 = 1;

        /**
         * Must a page table that others are nested in have no read-only mapping here
         * ({@code IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17})?
         *
         * @return true if so
         */
        public boolean parentsMustBeWritable() {
            return (flags & ERRATA_772415_SPR17) != 0;
        }
    }

    /**
     * Arm SMMUv3 ({@code struct iommu_hw_info_arm_smmuv3}). Tested on made bytes.
     *
     * @param flags 0 so far
     * @param idr the ID registers 0 to 5
     * @param iidr the Implementation Identification register
     * @param aidr the Architecture Identification register
     */
    record ArmSmmuV3(int flags, List<Integer> idr, int iidr, int aidr) implements IommuRegisters {
        /** Makes one of a copy of the list. */
        public ArmSmmuV3 {
            idr = Given.elements(idr, "idr");
        }
    }

    /**
     * The command queues for virtual machines of NVIDIA's Tegra241, besides its SMMUv3
     * ({@code struct iommu_hw_info_tegra241_cmdqv}). Tested on made bytes.
     *
     * @param flags 0 so far
     * @param version of the hardware
     * @param queueBits the binary logarithm of how many command queues a virtual interface has
     * @param streamBits the binary logarithm of how many stream ids it has
     */
    record Tegra241Cmdqv(int flags, int version, int queueBits, int streamBits) implements IommuRegisters {}

    /**
     * AMD IOMMU ({@code struct iommu_hw_info_amd}). Tested on made bytes.
     *
     * @param features the Extended Feature register
     * @param features2 the Extended Feature 2 register
     */
    record Amd(long features, long features2) implements IommuRegisters {}

    /** Finds what a kernel says; empty if the type is not known, or there is less data than it has. */
    private static Optional<IommuRegisters> decode(int type, ByteBuffer data) {
        int bytes = data.remaining();
        if (type == 1 && bytes >= 24) {
            return Optional.of(new Vtd(data.getInt(0), data.getLong(8), data.getLong(16)));
        } else if (type == 2 && bytes >= 40) {
            List<Integer> idr = IntStream.range(0, 6).mapToObj(i -> data.getInt(8 + 4 * i)).toList();
            return Optional.of(new ArmSmmuV3(data.getInt(0), idr, data.getInt(32), data.getInt(36)));
        } else if (type == 3 && bytes >= 8) {
            return Optional.of(new Tegra241Cmdqv(
                    data.getInt(0),
                    Byte.toUnsignedInt(data.get(4)),
                    Byte.toUnsignedInt(data.get(5)),
                    Byte.toUnsignedInt(data.get(6))));
        } else if (type == 4 && bytes >= 16) {
            return Optional.of(new Amd(data.getLong(0), data.getLong(8)));
        }
        return Optional.empty();
    }

    /**
     * Finds what a kernel told of an IOMMU.
     *
     * @param hardware what it told
     * @return the registers; empty if it told nothing, or of a kind that is not known here
     */
    static Optional<IommuRegisters> of(IommuHardware hardware) {
        Objects.requireNonNull(hardware, "hardware");
        return decode(hardware.type(), hardware.data());
    }
}
