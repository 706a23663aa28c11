package io.github.vfio4j;

import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;

/**
 * One capability of the answer to {@code VFIO_DEVICE_GET_INFO} (linux/vfio.h, linux/vfio_zdev.h). Those of zPCI functions
 * of s390 are tested on made bytes alone: no such machine was at hand.
 */
public sealed interface DeviceCapability {
    /**
     * The widths in which the root complex completes the device's atomic operations
     * ({@code VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP}; since Linux 6.6).
     *
     * @param width32 32 bits
     * @param width64 64 bits
     * @param width128 128 bits
     */
    record PciAtomicCompletion(boolean width32, boolean width64, boolean width128) implements DeviceCapability {}

    /**
     * What CLP tells of a zPCI function of s390 ({@code VFIO_DEVICE_INFO_CAP_ZPCI_BASE}).
     *
     * @param startDma the first DMA address
     * @param endDma the last DMA address
     * @param pchid the physical channel
     * @param vfn the number of the virtual function
     * @param fmbLength bytes of the function's measurement block
     * @param pft the type of the function
     * @param gid the group of the function
     * @param fh the function's handle; empty before version 2 of the capability
     */
    record ZpciBase(
            long startDma, long endDma, int pchid, int vfn, int fmbLength, int pft, int gid, OptionalInt fh)
            implements DeviceCapability {
        /** Nothing is null. */
        public ZpciBase {
            Objects.requireNonNull(fh, "fh");
        }
    }

    /**
     * What CLP tells of a zPCI function's group ({@code VFIO_DEVICE_INFO_CAP_ZPCI_GROUP}).
     *
     * @param dasm the mask of DMA addresses
     * @param msiAddress where message interrupts are written
     * @param refresh DMA translations may be refreshed instead of purged
     * @param mui the longest interval of measurement updates
     * @param noi how many interrupts
     * @param maxstbl bytes of the longest store block
     * @param version the supported version of PCI
     * @param imaxstbl bytes of the longest interpreted store block; empty before version 2 of the capability
     */
    record ZpciGroup(
            long dasm,
            long msiAddress,
            boolean refresh,
            int mui,
            int noi,
            int maxstbl,
            int version,
            OptionalInt imaxstbl)
            implements DeviceCapability {
        /** Nothing is null. */
        public ZpciGroup {
            Objects.requireNonNull(imaxstbl, "imaxstbl");
        }
    }

    /**
     * The utility string of a zPCI function, in EBCDIC ({@code VFIO_DEVICE_INFO_CAP_ZPCI_UTIL}).
     *
     * @param bytes the string
     */
    record ZpciUtility(List<Byte> bytes) implements DeviceCapability {
        /** Copies the string. */
        public ZpciUtility {
            bytes = Given.elements(bytes, "bytes");
        }
    }

    /**
     * The path of a zPCI function in the machine ({@code VFIO_DEVICE_INFO_CAP_ZPCI_PFIP}).
     *
     * @param bytes the path
     */
    record ZpciPath(List<Byte> bytes) implements DeviceCapability {
        /** Copies the path. */
        public ZpciPath {
            bytes = Given.elements(bytes, "bytes");
        }
    }

    /**
     * A capability that this library does not know.
     *
     * @param id its number
     * @param version its version
     */
    record Unknown(int id, int version) implements DeviceCapability {}
}
