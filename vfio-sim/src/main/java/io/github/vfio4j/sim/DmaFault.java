package io.github.vfio4j.sim;

import io.github.vfio4j.PciAddress;

/**
 * A device's access to memory that the simulated IOMMU stopped.
 *
 * @param device the function that tried
 * @param write whether it wrote; otherwise it read
 * @param iova the address of the access
 * @param length bytes of the access
 * @param at the first address that could not be accessed
 * @param reason why
 */
public record DmaFault(PciAddress device, boolean write, long iova, long length, long at, Reason reason) {
    /** Why an access was stopped. */
    public enum Reason {
        /** Bus mastering is off in the function's command register. */
        BUS_MASTER_OFF("bus mastering is off"),
        /** The function's group is in no container with an IOMMU. */
        NO_IOMMU("the group is in no container with an IOMMU"),
        /** The function is behind no IOMMU: on Linux it would reach physical memory at that address. */
        NOT_TRANSLATED("no IOMMU translates the address"),
        /** Nothing is mapped there. */
        NOT_MAPPED("nothing is mapped there"),
        /** The mapping lets devices only write. */
        NOT_READABLE("the mapping does not let devices read"),
        /** The mapping lets devices only read. */
        NOT_WRITABLE("the mapping does not let devices write"),
        /** The program gave the memory back (munmap) and left the mapping in place. */
        MEMORY_GONE("the program unmapped the memory but not the IOVA"),
        /** The model used its bus after powerOff had returned. */
        POWERED_OFF("the device is closed");

        private final String text;

        Reason(String text) {
            this.text = text;
        }
    }

    /** Says it in a sentence, such as {@code 0000:01:00.0: DMA write of 64 bytes at IOVA 0x1000 stopped at ...}. */
    @Override
    public String toString() {
        return "%s: DMA %s of %d bytes at IOVA 0x%x stopped at 0x%x: %s"
                .formatted(device, write ? "write" : "read", length, iova, at, reason.text);
    }
}
